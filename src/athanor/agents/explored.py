"""The past of an episode as arrays: what was used, and which pairs are left to try."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from athanor.core.history import History
from athanor.core.records import Turn
from athanor.environments.alchemy.state import Pair
from athanor.values.arrays import Bools, Floats

ROOM = 64
"""Elements that arrays have room for at first; they double when it is used up."""


@dataclass
class Explored:
    """A running summary, by position among the combinable elements (they keep theirs: new ones come last).

    The arrays have room for more elements than were seen: what lies beyond is as for elements never used.
    """

    positions: dict[str, int] = field(default_factory=dict)
    uses: Floats = field(default_factory=lambda: np.zeros(ROOM))
    """Float["room"]: how often each element was used; a self-pair counts twice."""
    untried: Bools = field(default_factory=lambda: np.triu(np.ones((ROOM, ROOM), dtype=np.bool_)))
    """Bool["room room"]: at [i, j], i <= j, whether the pair of positions i and j is untried; False below."""
    tried: int = 0
    """How many pairs were tried."""

    def room_for(self, n: int) -> Explored:
        """This summary, or a copy of it with room for n elements."""
        room = len(self.uses)
        if n <= room:
            return self
        while room < n:
            room *= 2
        more = room - len(self.uses)
        untried = np.triu(np.ones((room, room), dtype=np.bool_))
        untried[:-more, :-more] = self.untried
        return Explored(self.positions, np.pad(self.uses, (0, more)), untried, self.tried)


def explored(history: History[Pair], n: int) -> Explored:
    """The summary of an episode so far, with room for the n elements that can be combined now. Read it only."""
    return history.fold(Explored, add_explored).room_for(n)


def add_explored(past: Explored, turn: Turn[Pair]) -> None:
    """Note the elements that a turn offered, and the pair it took."""
    positions, action = past.positions, turn.action
    offered = turn.observation.combinable
    if len(offered) > len(positions):
        for element in offered[len(positions) :]:
            positions[element] = len(positions)
        if len(positions) > len(past.uses):
            grown = past.room_for(len(positions))
            past.uses, past.untried = grown.uses, grown.untried
    if not isinstance(action, Pair):
        return
    one, other = positions.get(action.first), positions.get(action.second)
    if one is None or other is None:
        return
    past.uses[one] += 1
    past.uses[other] += 1
    low, high = (one, other) if one <= other else (other, one)
    if past.untried[low, high]:
        past.untried[low, high] = False
        past.tried += 1
