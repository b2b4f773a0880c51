"""Cross-validation over the pairs of a world: which pairs each fold tests, and which it may learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from athanor.core.errors import DataError, UsageError
from athanor.core.seeds import stream
from athanor.values.arrays import Bools, TableArrays

Split = Literal["pair", "element"]

FOLDS = 10
"""As in Brändle et al. 2023."""


@dataclass(frozen=True)
class Folds:
    """Folds over all pairs, in the order of `pair_number`. What is neither tested nor held back is learned from.

    By `pair`, every pair is tested once. By `element`, elements are parted into groups, and a fold tests every pair
    with an element of its group: the networks know nothing of that element. A pair of two groups is so tested twice,
    with one of its elements new and the other known, and its predictions are averaged, as published. What is new is an
    element as an ingredient: as the result of other pairs, the networks may have learned to name it.
    """

    tested: Bools
    """Bool["folds pairs"]"""
    held: Bools
    """Bool["folds pairs"]: validation pairs, which share no test element."""

    def __post_init__(self) -> None:
        untested = int((~self.tested.any(axis=0)).sum())
        if untested or (self.tested & self.held).any():
            raise DataError(f"{untested} pairs are tested in no fold, or some are both tested and held back")

    @property
    def learned(self) -> Bools:
        """Bool["folds pairs"]"""
        return ~(self.tested | self.held)


def folds(world: TableArrays, split: Split, seed: int, count: int = FOLDS, held: float = 0.2) -> Folds:
    """Folds of a world. `held`: the share of the pairs not tested that is held back by pair (by element: one group)."""
    size = world.n if split == "element" else len(world.recipe)
    if not 3 <= count <= size:
        raise UsageError(f"{count} folds were asked for, from 3 to {size} are possible with {size} {split}s")
    return _by_pair(world, seed, count, held) if split == "pair" else _by_element(world, seed, count)


def _by_pair(world: TableArrays, seed: int, count: int, held: float) -> Folds:
    rng, pairs = stream(seed, "meaning", "folds", "pair"), len(world.recipe)
    group = rng.permutation(np.arange(pairs) % count)
    tested = group == np.arange(count)[:, None]
    return Folds(tested, ~tested & (rng.random((count, pairs)) < held))


def _by_element(world: TableArrays, seed: int, count: int) -> Folds:
    rng, (low, high) = stream(seed, "meaning", "folds", "element"), world.low_high
    group = rng.permutation(np.arange(world.n) % count)
    holds = np.stack([(group[low] == fold) | (group[high] == fold) for fold in range(count)])
    other = (np.arange(count) + rng.integers(1, count, size=count)) % count
    return Folds(holds, holds[other] & ~holds)
