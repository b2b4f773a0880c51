"""Cross-validation over the pairs of a world: which pairs each fold tests, and which it may learn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from athanor.core.errors import DataError, UsageError
from athanor.core.seeds import stream
from athanor.values.arrays import Bools, Ints, TableArrays

Split = Literal["pair", "element"]

FOLDS = 10
"""As in Brändle et al. 2023."""


@dataclass(frozen=True)
class Folds:
    """Folds over all pairs, in the order of `pair_number`. What is neither tested nor held back is learned from.

    By `pair`, every pair is tested once. By `element`, elements are parted into groups, and a fold tests every pair
    with an element of its group: its networks know nothing of that element. A pair of two groups is so tested in two
    folds, in each of which one of its elements is new and the other known. What is new is an element as an ingredient:
    as the result of other pairs, the networks may have learned to name it.
    """

    low: Ints
    """Int["pairs"]: the fold in which the pair's lower element is new; by pair, the pair's own."""
    high: Ints
    """Int["pairs"]: the same of its higher element."""
    held: Bools
    """Bool["folds pairs"]: validation pairs, none of them tested."""

    def __post_init__(self) -> None:
        if (self.tested & self.held).any():
            raise DataError(f"{int((self.tested & self.held).sum())} pairs are both tested and held back by a fold")

    @cached_property
    def tested(self) -> Bools:
        """Bool["folds pairs"]"""
        fold = np.arange(len(self.held))[:, None]
        return (self.low == fold) | (self.high == fold)

    @property
    def learned(self) -> Bools:
        """Bool["folds pairs"]"""
        return ~(self.tested | self.held)


def folds(world: TableArrays, split: Split, seed: int, count: int = FOLDS, held: float = 0.2) -> Folds:
    """Folds of a world. `held`: the share of the pairs not tested that is held back by pair (by element: one group)."""
    size = world.n if split == "element" else len(world.recipe)
    if not 3 <= count <= size:
        raise UsageError(
            f"--folds {count} was given, 3 to {size} was expected with {size} {split}s; pass such a number"
        )
    return _by_pair(world, seed, count, held) if split == "pair" else _by_element(world, seed, count)


def _by_pair(world: TableArrays, seed: int, count: int, held: float) -> Folds:
    rng, pairs = stream(seed, "meaning", "folds", "pair"), len(world.recipe)
    fold = rng.permutation(np.arange(pairs, dtype=np.int32) % count)
    tested = fold == np.arange(count)[:, None]
    return Folds(fold, fold, ~tested & (rng.random((count, pairs)) < held))


def _by_element(world: TableArrays, seed: int, count: int) -> Folds:
    rng, (low, high) = stream(seed, "meaning", "folds", "element"), world.low_high
    group = rng.permutation(np.arange(world.n, dtype=np.int32) % count)
    holds = np.stack([(group[low] == fold) | (group[high] == fold) for fold in range(count)])
    other = (np.arange(count) + rng.integers(1, count, size=count)) % count
    return Folds(group[low], group[high], holds[other] & ~holds)
