"""A table as arrays: elements and pairs by number, for values computed over many pairs or many turns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from athanor.environments.alchemy.table import Table

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def pair_number(first: NDArray[np.integer], second: NDArray[np.integer]) -> Longs:
    """The number of each unordered pair of positions i <= j: j (j + 1) / 2 + i, so that more elements only append.

    >>> pair_number(np.array([0, 1, 2]), np.array([0, 0, 2])).tolist()
    [0, 1, 5]
    """
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
    return high * (high + 1) // 2 + low


def pairs_of(n: int) -> tuple[Longs, Longs]:
    """The two positions of each unordered pair of n elements, low and high, in the order of `pair_number`."""
    high, low = np.tril_indices(n)
    return low, high


@dataclass(frozen=True)
class Lists:
    """Lists of numbers, one after the other: list i is `items[starts[i]:starts[i + 1]]`."""

    starts: Longs
    items: Ints

    @staticmethod
    def of(lists: Iterable[Sequence[int]]) -> Lists:
        """The lists in order."""
        found = [list(one) for one in lists]
        starts = np.zeros(len(found) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in found], out=starts[1:])
        return Lists(starts, np.array([item for one in found for item in one], dtype=np.int32))

    def __getitem__(self, index: int) -> Ints:
        return self.items[self.starts[index] : self.starts[index + 1]]

    def take(self, kept: Bools) -> Lists:
        """Only these lists, Bool["lists"]."""
        return Lists.of(self[i].tolist() for i in np.flatnonzero(kept).tolist())

    def span(self, lo: int, hi: int) -> Lists:
        """The lists lo to hi - 1, without a copy."""
        return Lists(self.starts[lo : hi + 1] - self.starts[lo], self.items[self.starts[lo] : self.starts[hi]])

    @property
    def lengths(self) -> Longs:
        """The length of each list."""
        return np.diff(self.starts)


@dataclass(frozen=True)
class TableArrays:
    """A table of n elements, each known by its index."""

    table: Table

    def __repr__(self) -> str:
        return f"TableArrays({self.table.name}, {self.n} elements)"

    @property
    def n(self) -> int:
        """The number of elements."""
        return len(self.table.elements)

    @cached_property
    def low_high(self) -> tuple[Longs, Longs]:
        """The elements of every pair, in the order of `pair_number`."""
        return pairs_of(self.n)

    @cached_property
    def base(self) -> Ints:
        """Indices of the base elements, in the table's order."""
        return self.indices(self.table.base)

    @cached_property
    def final(self) -> Bools:
        """Whether an element is in no recipe as an ingredient."""
        return np.array([name in self.table.finals for name in self.table.elements])

    @cached_property
    def recipe(self) -> Ints:
        """Int["pairs"]: which list of `results` a pair makes, -1 where it makes nothing."""
        found = np.full(self.n * (self.n + 1) // 2, -1, dtype=np.int32)
        found[pair_number(self.ends[:, 0], self.ends[:, 1])] = np.arange(len(self.ends), dtype=np.int32)
        return found

    @cached_property
    def ends(self) -> Ints:
        """Int["recipes 2"]: the elements of each pair that makes something."""
        pairs = [[self.table.index[name] for name in pair] for pair in self.table.results]
        return np.array(pairs, dtype=np.int32).reshape(-1, 2)

    @cached_property
    def results(self) -> Lists:
        """For each recipe its results, in ascending index."""
        return Lists.of(self.indices(made).tolist() for made in self.table.results.values())

    @cached_property
    def children(self) -> Lists:
        """For each element the distinct results of all pairs it is in, in ascending index."""
        return Lists.of(sorted(self.indices(sorted(self.table.children[e])).tolist()) for e in self.table.elements)

    @cached_property
    def recipes_with(self) -> Lists:
        """For each element the recipes it is an ingredient of."""
        found: list[list[int]] = [[] for _ in range(self.n)]
        for number, pair in enumerate(self.table.results):
            for name in set(pair):
                found[self.table.index[name]].append(number)
        return Lists.of(found)

    @cached_property
    def second_steps(self) -> Ints:
        """Int["steps 4"]: a recipe, one of its results, what that result is combined with, and what this makes.

        In order of the recipe and of what is made at last. A result that is combined with itself stands there twice.
        """
        found = [
            (recipe, result, self._beside(result, second), made)
            for recipe in range(len(self.ends))
            for result in self.results[recipe].tolist()
            for second in self.recipes_with[result].tolist()
            for made in self.results[second].tolist()
        ]
        steps = np.array(found, dtype=np.int32).reshape(-1, 4)
        return steps[np.lexsort((steps[:, 3], steps[:, 0]))]

    def _beside(self, element: int, recipe: int) -> int:
        """The other ingredient of a recipe, or the element again where it is combined with itself."""
        low, high = self.ends[recipe].tolist()
        return low + high - element

    def indices(self, names: Iterable[str]) -> Ints:
        """Indices of elements; -1 for a name that is not one."""
        return np.array([self.table.index.get(name, -1) for name in names], dtype=np.int32)
