"""The values of chosen and of other pairs at every turn of many games."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from athanor.core.errors import DataError
from athanor.core.seeds import stream
from athanor.values import loops
from athanor.values.arrays import Floats, Ints, pair_number
from athanor.values.formulas import PAST
from athanor.values.games import Games
from athanor.values.tables import PairValues


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
    turns, starts = len(games.pool), games.order.starts[games.choices.player]
    draws = stream(seed, "comparison").random((turns, 2 * count))
    places = (draws * games.pool[:, None]).astype(np.int64)
    return games.order.items[starts[:, None] + places].reshape(turns, count, 2)


def matched_pairs(games: Games, seed: int, count: int = 1) -> Ints:
    """Int["turns count 2"]: uniform over the unordered pairs that could be combined and make something exactly when
    the chosen pair does (the matched comparison of Brändle et al. 2023). The chosen pair is one of them."""
    found = np.empty((len(games.pool), count, 2), dtype=np.int32)
    rng, starts = stream(seed, "matched comparison"), games.order.starts[games.choices.player]
    loops.matched(games.order.items, starts, games.pool, games.success, games.world.recipe >= 0, rng, found)
    if (found < 0).any():
        raise DataError("a turn succeeded with elements that were not there to be combined; drop it from the games")
    return found


def alike_pairs(games: Games, seed: int, count: int = 1) -> Ints:
    """Int["turns count 2"]: uniform over the unordered pairs that could be combined and are like the chosen one.

    Alike are two pairs of which both had been tried or neither, and both are of an element with itself or neither: the
    choices of a player without preferences who repeats, and doubles, when this one does.
    """
    found, choices = np.empty((len(games.pool), count, 2), dtype=np.int32), games.choices
    loops.alike(
        choices.starts, choices.first, choices.second, games.repeated, games.order.items, games.order.starts,
        games.pool, games.world.n, stream(seed, "alike"), found,
    )  # fmt: skip
    if (found < 0).any():
        raise DataError("a turn repeats a pair that could not be combined; drop it from the games")
    return found


def turn_values(games: Games, fixed: PairValues, compared: Ints) -> TurnValues:
    """All values of each turn's chosen pair and of the pairs it is compared with, read before the turn's own update.

    Beside the values of the past and those of `fixed` there are two marks: `tried`, 1 for a pair combined before, else
    0, and `self_pair`, 1 for a pair of an element with itself, else 0.
    `games` must have no refused turns; they count as no turn (`Games.counted` leaves them out). `compared`:
    Int["turns comparisons 2"]. Source: Brändle et al. 2023 and Pan et al. 2025, their value models.
    """
    if games.refused.any():
        raise DataError(f"{int((games.refused > 0).sum())} turns were refused by the rules; pass games.counted()")
    choices = games.choices
    chosen = np.stack([choices.first, choices.second], axis=1)[:, None, :]
    pairs = np.ascontiguousarray(np.concatenate([chosen, compared], axis=1))
    names = (*PAST, "tried")
    found = np.empty((len(names), *pairs.shape[:2]))
    loops.element_values(
        choices.starts, choices.first, choices.second, games.success, games.repeated, games.gained, pairs,
        games.world.n, found,
    )  # fmt: skip
    numbers: NDArray[np.int64] = pair_number(pairs[..., 0], pairs[..., 1])
    past: dict[str, Floats] = {name: np.asarray(found[i]) for i, name in enumerate(names)}
    past["self_pair"] = (pairs[..., 0] == pairs[..., 1]).astype(np.float64)
    return TurnValues(past | {name: values[numbers] for name, values in fixed.values.items()})
