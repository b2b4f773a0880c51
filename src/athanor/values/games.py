"""Many players' games as arrays, and their replay under any rules: what each turn made, and what could be combined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
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
    """The pairs that players combined, one player after the other; player p has turns `starts[p]:starts[p + 1]`.

    A player may have played turns that are not here: answers in which no pair could be read, trials without a record,
    and whatever `keep` left out. `turn` and `played` count them, so that nobody's game is shorter for it.
    """

    starts: Longs
    """Int["players+1"]"""
    first: Ints
    """Int["turns"]: index of an element, -1 for a name that is not one."""
    second: Ints
    turn: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    """Int["turns"]: each turn's number in its game, from 0, rising; the position among the player's turns if empty."""
    played: Longs = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Int["players"]: turns that each player played; up to the last one that is here if empty."""
    cut_off: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Bool["players"]: whose game ended for another reason than their own wish (a limit of turns, nothing left to try,
    the end of the data); nobody's if empty."""
    granted: Bools = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Bool["turns"]: whether what a turn combines was owned whatever the replay knows, for turns before it are lacking;
    of none if empty."""

    def __post_init__(self) -> None:
        self._take("starts", np.int64)
        self._take("first", np.int32)
        self._take("second", np.int32)
        torn = len(self.first) != len(self.second) or self.starts[-1] != len(self.first)
        if torn or (np.diff(self.starts) < 0).any():
            raise DataError(
                f"choices have {len(self.first)} first and {len(self.second)} second elements and end at "
                f"{self.starts[-1]}; one of each a turn was expected"
            )
        self._take("turn", np.int32, self.position)
        self._take("played", np.int64, self._to_the_last)
        self._take("cut_off", np.bool_, lambda: np.zeros(self.players, dtype=np.bool_))
        self._take("granted", np.bool_, lambda: np.zeros(len(self.first), dtype=np.bool_))
        self._refuse_ends()

    def _take(self, name: str, kind: type[np.generic], default: Callable[[], NDArray[Any]] | None = None) -> None:
        """Read-only arrays, as arrow gives them, would be another type to the compiled loops."""
        given = getattr(self, name)
        object.__setattr__(self, name, np.require(given if len(given) or not default else default(), kind, ("C", "W")))

    def _to_the_last(self) -> Longs:
        played, there = np.zeros(self.players, dtype=np.int64), np.diff(self.starts) > 0
        played[there] = self.turn[self.starts[1:][there] - 1].astype(np.int64) + 1
        return played

    def _refuse_ends(self) -> None:
        """DataError for numbers of turns that no game has, and for ends of other players."""
        if len(self.turn) != len(self.first) or not len(self.played) == len(self.cut_off) == self.players:
            raise DataError(
                f"choices of {self.players} players and {len(self.first)} turns have {len(self.turn)} numbers of "
                f"turns, {len(self.played)} lengths and {len(self.cut_off)} ends; one for each was expected"
            )
        falling = (np.diff(self.turn) <= 0) & (np.diff(self.player) == 0)
        if falling.any() or (self.turn < 0).any() or (self.played < self._to_the_last()).any():
            raise DataError(
                "the numbers of a player's turns must rise from 0 or more, and the turns played reach the last of them"
            )

    @property
    def players(self) -> int:
        """The number of players."""
        return len(self.starts) - 1

    @property
    def player(self) -> Ints:
        """Int["turns"]: who played each turn."""
        return np.repeat(np.arange(self.players, dtype=np.int32), np.diff(self.starts))

    def position(self) -> Ints:
        """Int["turns"]: each turn's position among those of its player that are here, from 0."""
        return (np.arange(len(self.first)) - np.repeat(self.starts[:-1], np.diff(self.starts))).astype(np.int32)

    def keep(self, kept: Bools) -> Choices:
        """Only these turns, with the numbers they had; every player stays, without turns if need be."""
        before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return replace(
            self, starts=before[self.starts], first=self.first[kept], second=self.second[kept], turn=self.turn[kept],
            granted=self.granted[kept],
        )  # fmt: skip

    def without(self, out: Bools) -> Choices:
        """Without these turns, as if they had not been played: the others' numbers close up, games are shorter."""
        before = np.concatenate([[0], np.cumsum(out)]).astype(np.int64)
        earlier = before[:-1] - np.repeat(before[self.starts[:-1]], np.diff(self.starts))
        played = self.played - np.diff(before[self.starts])
        return replace(self.keep(~out), turn=(self.turn - earlier)[~out].astype(np.int32), played=played)

    def of(self, players: Bools) -> Choices:
        """The choices of some players, Bool["players"]."""
        kept = players[self.player]
        starts = np.concatenate([[0], np.cumsum(np.diff(self.starts)[players])]).astype(np.int64)
        return Choices(
            starts, self.first[kept], self.second[kept], self.turn[kept], self.played[players], self.cut_off[players],
            self.granted[kept],
        )  # fmt: skip

    def span(self, lo: int, hi: int) -> Choices:
        """The choices of the players lo to hi - 1, without a copy."""
        turns = slice(self.starts[lo], self.starts[hi])
        return Choices(
            self.starts[lo : hi + 1] - self.starts[lo], self.first[turns], self.second[turns], self.turn[turns],
            self.played[lo:hi], self.cut_off[lo:hi], self.granted[turns],
        )  # fmt: skip


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
    found: Lists
    """For each player all elements owned, final ones included, in the order in which they came."""

    def __repr__(self) -> str:
        turns = f"{self.choices.players} players, {len(self.pool)} turns"
        return f"Games({self.world.table.name}, {self.rules.name} rules, {turns})"

    def keep(self, kept: Bools) -> Games:
        """Only these turns, as they were played: nothing is replayed, so inventories stay what they were."""
        return Games(
            self.world, self.rules, self.choices.keep(kept), self.refused[kept], self.success[kept],
            self.repeated[kept], self.gained[kept], self.pool[kept], self.owned[kept], self.pool_after[kept],
            self.owned_after[kept], self.order, self.found,
        )  # fmt: skip

    def of(self, players: Bools) -> Games:
        """The games of some players, Bool["players"]."""
        kept = self.keep(players[self.choices.player])
        return replace(
            kept, choices=self.choices.of(players), order=self.order.take(players), found=self.found.take(players)
        )

    def spans(self, turns: int) -> Iterator[Games]:
        """The games of some players after the other, of about so many turns each time: to be worked on by parts.

        A player is never parted, so that one of more turns is a part alone.
        """
        starts, lo = self.choices.starts, 0
        while lo < self.choices.players:
            hi = max(lo + 1, int(np.searchsorted(starts, starts[lo] + turns, "right")) - 1)
            yield self._span(lo, hi)
            lo = hi

    def _span(self, lo: int, hi: int) -> Games:
        """The games of the players lo to hi - 1, without a copy."""
        turns = slice(self.choices.starts[lo], self.choices.starts[hi])
        return Games(
            self.world, self.rules, self.choices.span(lo, hi), self.refused[turns], self.success[turns],
            self.repeated[turns], self.gained[turns], self.pool[turns], self.owned[turns], self.pool_after[turns],
            self.owned_after[turns], self.order.span(lo, hi), self.found.span(lo, hi),
        )  # fmt: skip

    def counted(self) -> Games:
        """Without the turns that the rules refused. They were played: the others keep their numbers."""
        return self.keep(self.refused == 0)

    def first_tries(self) -> Games:
        """Without pairs tried before: the `memory` form of the human data (Brändle et al. 2023), which numbers the
        turns without them."""
        return replace(self.keep(~self.repeated), choices=self.choices.without(self.repeated))

    def last_owned(self) -> Ints:
        """Int["players"]: elements owned after the last turn, final ones included; the base where no turn is here."""
        starts, there = self.choices.starts, np.diff(self.choices.starts) > 0
        owned = np.full(self.choices.players, len(self.world.base), dtype=np.int32)
        owned[there] = self.owned_after[starts[1:][there] - 1]
        return owned

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


def simulate(
    world: TableArrays, rules: Rules, lengths: Longs, seed: int, *, never_repeats: bool, cut_off: Bools | None = None
) -> Games:
    """Games of random players, one of each length: the agents `random` and `random-never-repeat`, compiled.

    `lengths`: Int["players"]: turns of each; `cut_off`: as `Choices.cut_off`. Two independent uniform draws a turn from
    what can be combined; a player who never repeats rejects pairs it tried, until none is left.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    first, second = (np.empty(starts[-1], dtype=np.int32) for _ in range(2))
    choices = replace(Choices(starts, first, second), cut_off=np.zeros(0) if cut_off is None else cut_off)
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
    holds = np.zeros_like(ends)
    order, found = loops.games(
        choices.starts, choices.first, choices.second, choices.granted, policy, rng, _table(world), _gifts(world),
        _flags(rules), out, ends, holds,
    )  # fmt: skip
    return Games(world, rules, choices, *out, Lists(ends, order), Lists(holds, found))


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
