"""Many players' games as arrays, and their replay under any rules: what each turn made, and what could be combined."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from athanor.core.errors import DataError
from athanor.core.seeds import stream
from athanor.environments.alchemy.rules import Rules
from athanor.values import loops
from athanor.values.arrays import Bools, Ints, Lists, Longs, TableArrays

CAUSES = ("", "unknown", "unowned", "final")
"""Why the rules refused a turn, by `Games.refused`; "" is a turn that counts."""


@dataclass(frozen=True)
class Choices:
    """The pairs that players combined, one player after the other; player p has turns `starts[p]:starts[p + 1]`."""

    starts: Longs
    """Int["players+1"]"""
    first: Ints
    """Int["turns"]: index of an element, -1 for a name that is not one."""
    second: Ints

    def __post_init__(self) -> None:
        for name, kind in (("starts", np.int64), ("first", np.int32), ("second", np.int32)):
            # Read-only arrays, as arrow gives them, would be another type to the compiled loops.
            object.__setattr__(self, name, np.require(getattr(self, name), kind, ("C", "W")))
        torn = len(self.first) != len(self.second) or self.starts[-1] != len(self.first)
        if torn or (np.diff(self.starts) < 0).any():
            raise DataError(
                f"choices have {len(self.first)} first and {len(self.second)} second elements and end at "
                f"{self.starts[-1]}; one of each a turn was expected"
            )

    @property
    def players(self) -> int:
        """The number of players."""
        return len(self.starts) - 1

    @property
    def player(self) -> Ints:
        """Int["turns"]: who played each turn."""
        return np.repeat(np.arange(self.players, dtype=np.int32), np.diff(self.starts))

    @property
    def turn(self) -> Ints:
        """Int["turns"]: each turn's number in its game, from 0."""
        return (np.arange(len(self.first)) - np.repeat(self.starts[:-1], np.diff(self.starts))).astype(np.int32)

    def keep(self, kept: Bools) -> Choices:
        """Only these turns; every player stays, without turns if need be."""
        before = np.concatenate([[0], np.cumsum(kept)])
        return Choices(before[self.starts].astype(np.int64), self.first[kept], self.second[kept])


@dataclass(frozen=True)
class Games:
    """Games replayed: for each turn what it did, and what its player could combine before it.

    A player's combinable elements are a prefix of a list in discovery order: before turn t of player p they are
    `order[p][:pool[t]]`.
    """

    world: TableArrays
    rules: Rules
    choices: Choices
    refused: NDArray[np.int8]
    """Int["turns"]: 0 if the turn counts, else the position in CAUSES."""
    success: Bools
    """Whether the pair makes something, new or not."""
    repeated: Bools
    """Whether the player had combined the pair before."""
    gained: Ints
    """How many elements joined in the turn: results, and gifts that come with them (or, under rules that give them
    unseen as a turn begins, that came as this one began)."""
    pool: Ints
    """How many elements could be combined before the turn."""
    owned: Ints
    """How many were owned before the turn, final elements included."""
    pool_after: Ints
    """How many elements could be combined after the turn (before gifts that come unseen as the next one begins)."""
    owned_after: Ints
    """How many were owned then."""
    order: Lists
    """For each player the combinable elements in discovery order."""

    def __repr__(self) -> str:
        turns = f"{self.choices.players} players, {len(self.pool)} turns"
        return f"Games({self.world.table.name}, {self.rules.name} rules, {turns})"

    def keep(self, kept: Bools) -> Games:
        """Only these turns, as they were played: nothing is replayed, so inventories stay what they were."""
        return Games(
            self.world, self.rules, self.choices.keep(kept), self.refused[kept], self.success[kept],
            self.repeated[kept], self.gained[kept], self.pool[kept], self.owned[kept], self.pool_after[kept],
            self.owned_after[kept], self.order,
        )  # fmt: skip

    def of(self, players: Bools) -> Games:
        """The games of some players, Bool["players"]."""
        lengths, kept = np.diff(self.choices.starts), self.keep(players[self.choices.player])
        starts = np.concatenate([[0], np.cumsum(lengths[players])]).astype(np.int64)
        choices = Choices(starts, kept.choices.first, kept.choices.second)
        order = Lists.of(self.order[p].tolist() for p in np.flatnonzero(players).tolist())
        return replace(kept, choices=choices, order=order)

    def counted(self) -> Games:
        """Without the turns that the rules refused."""
        return self.keep(self.refused == 0)

    def first_tries(self) -> Games:
        """Without pairs tried before: the `memory` form of the human data (Brändle et al. 2023)."""
        return self.keep(~self.repeated)

    def joined(self) -> tuple[Longs, Ints]:
        """Every combinable element that joined in some turn: that turn's row, and the element, in the order of play.

        Gifts are among them, except where the rules give them unseen as a turn begins: those join in no turn. Rows
        are those of `choices`, both arrays Int["joined"].
        """
        counts = (self.pool_after - self.pool).astype(np.int64)
        rows = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + self.pool[rows]
        return rows, self.order.items[self.order.starts[self.choices.player[rows]] + place]


def replay(world: TableArrays, rules: Rules, choices: Choices) -> Games:
    """Play the choices again from the base elements, by the rules. Open-ended play only.

    The compiled rendering of `Rules.combine`; a test holds the two together turn by turn.
    """
    worst = max(int(choices.first.max(initial=-1)), int(choices.second.max(initial=-1)))
    if worst >= world.n:
        raise DataError(f"choices name element {worst}, the table has {world.n}; pass the table they were made on")
    return _games(world, rules, choices, loops.REPLAYED, stream(0, "unused"))


def simulate(world: TableArrays, rules: Rules, lengths: Longs, seed: int, *, never_repeats: bool) -> Games:
    """Games of random players, one of each length: the agents `random` and `random-never-repeat`, compiled.

    `lengths`: Int["players"]: turns of each. Two independent uniform draws a turn from what can be combined; a player
    who never repeats rejects pairs it tried, until none is left.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    choices = Choices(starts, np.empty(starts[-1], dtype=np.int32), np.empty(starts[-1], dtype=np.int32))
    policy = loops.NEVER_REPEAT if never_repeats else loops.MEMORYLESS
    return _games(world, rules, choices, policy, stream(seed, "simulate", policy))


def _games(world: TableArrays, rules: Rules, choices: Choices, policy: int, rng: np.random.Generator) -> Games:
    n = len(choices.first)
    out = (
        np.zeros(n, dtype=np.int8), np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_),
        np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.int32),
        np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.int32),
    )  # fmt: skip
    ends = np.zeros(choices.players + 1, dtype=np.int64)
    order = loops.games(
        choices.starts, choices.first, choices.second, policy, rng, _table(world), _gifts(world), _flags(rules), out,
        ends,
    )  # fmt: skip
    return Games(world, rules, choices, *out, Lists(ends, order))


def _table(world: TableArrays) -> tuple[Any, ...]:
    return world.base, world.final, world.recipe, world.results.starts, world.results.items


def _gifts(world: TableArrays) -> tuple[Any, ...]:
    gifts = world.table.gifts
    sets = Lists.of(world.indices(gift.of).tolist() for gift in gifts)
    element = world.indices([gift.element for gift in gifts])
    size = np.array([gift.size for gift in gifts], dtype=np.int32)
    return element, size, np.array([gift.count for gift in gifts], dtype=np.int32), sets.starts, sets.items


def _flags(rules: Rules) -> tuple[bool, bool, bool, int, int]:
    gifts = {"none": 0, "by size": 1, "all": 2}[rules.gifts]
    timing = {"at once": 0, "single pass": 1, "next turn": 2}[rules.timing]
    return rules.ownership, rules.finals_combine, rules.results == "next", gifts, timing
