"""The values of chosen and of other pairs at every turn of many games."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from athanor.core.errors import DataError, UsageError
from athanor.core.seeds import stream
from athanor.values import live, loops
from athanor.values.arrays import Floats, Ints, pair_number
from athanor.values.formulas import PAST
from athanor.values.games import Games
from athanor.values.tables import LIVE, PairValues

Comparison = Literal["uniform", "matched"]
"""Pairs that a choice is compared with: any, or those that succeed or fail as it did."""
MARKS = ("tried", "self_pair")
"""What is no value of a pair, but says that it was combined before, or is of an element with itself."""


@dataclass(frozen=True)
class TurnValues:
    """Values by name, each Float["turns pairs"]: of the chosen pair first, then of the pairs it is compared with."""

    values: dict[str, Floats]

    def chosen(self, name: str) -> Floats:
        """Float["turns"]"""
        return self.values[name][:, 0]

    def compared(self, name: str) -> Floats:
        """Float["turns comparisons"]"""
        return self.values[name][:, 1:]


def uniform_pairs(games: Games, seed: int, count: int = 1) -> Ints:
    """Int["turns count 2"]: pairs of two independent uniform draws from what could be combined before each turn.

    The published comparison (unmatched): a self-pair has probability 1/n^2 and another pair 2/n^2, and neither the
    chosen pair nor one tried before is left out.
    """
    return _uniform(games, generator("uniform", seed), count)


def matched_pairs(games: Games, seed: int, count: int = 1) -> Ints:
    """Int["turns count 2"]: uniform over the unordered pairs that could be combined and make something exactly when
    the chosen pair does (the matched comparison of Brändle et al. 2023). The chosen pair is one of them."""
    return _matched(games, generator("matched", seed), count)


def compared_pairs(kind: Comparison, games: Games, rng: np.random.Generator, count: int) -> Ints:
    """Int["turns count 2"]: the next draws of one of the two. Drawn for one part of the games after the other, they are
    those of the whole."""
    return (_uniform if kind == "uniform" else _matched)(games, rng, count)


def generator(kind: Comparison, seed: int) -> np.random.Generator:
    """The generator that the draws of a comparison come from."""
    return stream(seed, "comparison" if kind == "uniform" else "matched comparison")


def _uniform(games: Games, rng: np.random.Generator, count: int) -> Ints:
    turns, starts = len(games.pool), games.order.starts[games.choices.player]
    places = (rng.random((turns, 2 * count)) * games.pool[:, None]).astype(np.int64)
    return games.order.items[starts[:, None] + places].reshape(turns, count, 2)


def _matched(games: Games, rng: np.random.Generator, count: int) -> Ints:
    found = np.empty((len(games.pool), count, 2), dtype=np.int32)
    starts = games.order.starts[games.choices.player]
    loops.matched(games.order.items, starts, games.pool, games.success, games.world.recipe >= 0, rng, found)
    if (found < 0).any():
        raise DataError("a turn succeeded with elements that were not there to be combined; drop it from the games")
    return found


def names_of(fixed: PairValues) -> tuple[str, ...]:
    """The values that `turn_values` can give: of the past, the two marks, live ones, and those of `fixed`."""
    return (*PAST, *MARKS, *LIVE, *fixed.values)


def turn_values(games: Games, fixed: PairValues, compared: Ints, names: Sequence[str] | None = None) -> TurnValues:
    """Values of each turn's chosen pair and of the pairs it is compared with, read before the turn's own update.

    `names`: which, of `names_of`; all but the live ones if left out. Beside the values of the past and those of `fixed`
    there are two marks: `tried`, 1 for a pair combined before, else 0, and `self_pair`, 1 for a pair of an element with
    itself, else 0; and those that follow from the table and from what is owned (`tables.LIVE`).
    `games` must have no refused turns; they count as no turn (`Games.counted` leaves them out). `compared`:
    Int["turns comparisons 2"]. Source: Brändle et al. 2023 and Pan et al. 2025, their value models.
    """
    if games.refused.any():
        raise DataError(f"{int((games.refused > 0).sum())} turns were refused by the rules; pass games.counted()")
    wanted = names if names is not None else [name for name in names_of(fixed) if name not in LIVE]
    refuse_unknown(wanted, fixed)
    choices = games.choices
    chosen = np.stack([choices.first, choices.second], axis=1)[:, None, :]
    pairs = np.ascontiguousarray(np.concatenate([chosen, compared], axis=1))
    made = {**_past(games, pairs, wanted), **_live(games, pairs, wanted)}
    if "self_pair" in wanted:
        made["self_pair"] = (pairs[..., 0] == pairs[..., 1]).astype(np.float64)
    if set(wanted) & set(fixed.values):
        numbers: NDArray[np.int64] = pair_number(pairs[..., 0], pairs[..., 1])
        made |= {name: values[numbers] for name, values in fixed.values.items() if name in wanted}
    return TurnValues({name: made[name] for name in wanted})


def refuse_unknown(names: Sequence[str], fixed: PairValues) -> None:
    """UsageError for a name of no value."""
    known = names_of(fixed)
    for name in names:
        if name not in known:
            raise UsageError(f"the value {name!r} is not one of {', '.join(known)}; pass one of them")


def _past(games: Games, pairs: Ints, wanted: Sequence[str]) -> dict[str, Floats]:
    names = [name for name in (*PAST, "tried") if name in wanted]
    if not names:
        return {}
    choices, found = games.choices, np.empty((len(names), *pairs.shape[:2]))
    codes = np.array([(*PAST, "tried").index(name) for name in names])
    loops.element_values(
        choices.starts, choices.first, choices.second, games.success, games.repeated, games.gained, pairs,
        games.world.n, codes, found,
    )  # fmt: skip
    return {name: np.asarray(values) for name, values in zip(names, found, strict=True)}


def _live(games: Games, pairs: Ints, wanted: Sequence[str]) -> dict[str, Floats]:
    names = [name for name in LIVE if name in wanted]
    if not names:
        return {}
    found = np.empty((len(names), *pairs.shape[:2]))
    live.live_values(
        games.choices.starts, pairs, games.owned, games.pool, (games.found.starts, games.found.items),
        (games.order.starts, games.order.items), live.lists_of(games.world),
        np.array([LIVE.index(name) for name in names]), found,
    )  # fmt: skip
    return {name: np.asarray(values) for name, values in zip(names, found, strict=True)}
