"""The past of an episode as arrays: what was used and what it gave, and which pairs are left to try."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from athanor.core.errors import UsageError
from athanor.core.history import History
from athanor.core.records import Turn
from athanor.core.seeds import below, digest, stream
from athanor.environments.alchemy.state import Pair
from athanor.environments.alchemy.table import Names, ordered
from athanor.values import formulas
from athanor.values.arrays import Bools, Floats
from athanor.values.formulas import PAST

ROOM = 64
"""Elements that arrays have room for at first; they double when it is used up."""
FORGETS = 5
"""Turns after which a forgetful player forgets one pair (Brändle et al. 2023)."""


@dataclass
class Explored:
    """A running summary, by position among the combinable elements (they keep theirs: new ones come last).

    The arrays have room for more elements than were seen: what lies beyond is as for elements never used. Turns that
    name anything else than elements that were offered leave no trace.
    """

    positions: dict[str, int] = field(default_factory=dict)
    turns: int = 0
    """Turns noted."""
    uses: Floats = field(default_factory=lambda: np.zeros(ROOM))
    """Float["room"]: how often each element was used; a self-pair counts twice."""
    last: Floats = field(default_factory=lambda: np.full(ROOM, -1.0))
    """Float["room"]: the turn each element was last used in, from 0; -1 for never."""
    worth: Floats = field(default_factory=lambda: np.zeros((2, ROOM)))
    """Float["2 room"]: what each element's turns gave, by the rules of Brändle et al. and of Pan et al."""
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
        last = np.pad(self.last, (0, more), constant_values=-1.0)
        worth = np.pad(self.worth, ((0, 0), (0, more)))
        return replace(self, uses=np.pad(self.uses, (0, more)), last=last, worth=worth, untried=untried)


def explored(history: History[Pair], n: int) -> Explored:
    """The summary of an episode so far, with room for the n elements that can be combined now. Read it only."""
    return history.fold(Explored, add_explored).room_for(n)


def add_explored(past: Explored, turn: Turn[Pair]) -> None:
    """Note the elements that a turn offered, the pair it took, and what that gave."""
    positions, action = past.positions, turn.action
    offered = turn.observation.combinable
    if len(offered) > len(positions):
        for element in offered[len(positions) :]:
            positions[element] = len(positions)
        grown = past.room_for(len(positions))
        past.uses, past.last, past.worth, past.untried = grown.uses, grown.last, grown.worth, grown.untried
    if not isinstance(action, Pair):
        return
    one, other = positions.get(action.first), positions.get(action.second)
    if one is None or other is None:
        return
    _note(past, min(one, other), max(one, other), turn.verdict.parts)


def _note(past: Explored, low: int, high: int, parts: dict[str, Any]) -> None:
    repeated = not past.untried[low, high]
    if not repeated:
        past.untried[low, high] = False
        past.tried += 1
    gained = len(parts.get("new", ())) + len(parts.get("gifts", ()))
    success = parts["category"].startswith("success")
    gain = formulas.gain_brandle2023(gained, success, repeated), formulas.gain_pan2025(gained, success, repeated)
    for position in (low, high):
        past.uses[position] += 1
        past.last[position] = past.turns
        past.worth[0, position] += gain[0]
        past.worth[1, position] += gain[1]
    past.turns += 1


@dataclass
class Remembered:
    """The pairs that a player leaves out because it tried them, where now and then it forgets one."""

    aside: dict[Names, None] = field(default_factory=dict)
    """In the order in which they were left out."""
    trail: int = 0
    """A digest of all choices so far: it draws what is forgotten, so that the same past draws the same again."""


def add_remembered(past: Remembered, turn: Turn[Pair]) -> None:
    """Leave out the pair of a turn, then, after every `FORGETS` turns, forget one at random of all that are left out.

    The memory of kind 2 of the published agents (Brändle et al. 2023): what is forgotten can be chosen again, and is
    then left out anew.
    """
    action, offered = turn.action, turn.observation.combinable
    if isinstance(action, Pair) and action.first in offered and action.second in offered:
        past.aside[ordered(action.first, action.second)] = None
        past.trail = digest(past.trail, action.first, action.second)
    if (turn.index + 1) % FORGETS == 0 and past.aside:
        del past.aside[list(past.aside)[below(stream(past.trail, "forgotten"), len(past.aside))]]


Memory = Literal["none", "tried", "forgetful"]
"""Which pairs a player who chooses by values leaves out; the kinds 0, 1 and 2 of the published agents."""


def candidates(memory: Memory, history: History[Pair], n: int) -> Bools:
    """Bool["n n"]: at [i, j], i <= j, whether the pair of positions i and j is a candidate; False below. Read it only.

    `none`: every pair of the n elements that can be combined. `tried`: those not tried. `forgetful`: those not tried,
    and of the others one more after every fifth turn, until it is chosen again.
    """
    past = explored(history, n)
    if memory == "tried":
        return past.untried[:n, :n]
    found = np.triu(np.ones((n, n), dtype=np.bool_))
    if memory == "forgetful":
        for pair in history.fold(Remembered, add_remembered).aside:
            one, other = (past.positions[name] for name in pair)
            found[min(one, other), max(one, other)] = False
    return found


def element_value(name: str, past: Explored, n: int) -> Floats:
    """Float["n"]: one of PAST for the first n elements; a pair is worth the sum of its two."""
    match name:
        case "uncertainty":
            return formulas.uncertainty(past.turns, past.uses[:n])
        case "recency":
            return formulas.recency(past.turns, formulas.idle_since(past.turns, past.last[:n]))
        case "value":
            return past.worth[0, :n]
        case "value_pan2025":
            return past.worth[1, :n]
    raise UsageError(f"the value {name!r} is not one of {', '.join(PAST)}; pass one of them")
