"""Small worlds whose names mean something to a fake embedding, so that what they make can be learned."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from athanor.core.seeds import stream
from athanor.environments.alchemy.table import Table, ordered
from athanor.values.arrays import TableArrays

KINDS, DIMS = 4, 12


def kinds(n: int = 40) -> tuple[TableArrays, np.ndarray]:
    """A world in which an element of kind 0 with one of kind 1 makes one of kind 2, and the vectors that say so.

    Each vector is its kind's direction with noise, so that a pair of new elements is predictable too.
    """
    names = tuple(f"e{i}" for i in range(n))
    rng = stream(0, "kinds")
    vectors = np.eye(KINDS, DIMS)[np.arange(n) % KINDS] * 2 + rng.normal(size=(n, DIMS)) * 0.2
    made = {}
    for a, b in combinations(range(n), 2):
        if {a % KINDS, b % KINDS} == {0, 1}:
            made[ordered(names[a], names[b])] = (names[2 + KINDS * int(rng.integers(3))],)
    return TableArrays(Table(name="kinds", elements=names, base=names[:2], results=made)), vectors.astype(np.float32)


def shuffled(world: TableArrays) -> TableArrays:
    """The same number of recipes with the same results, but for pairs drawn at random."""
    table, rng = world.table, stream(0, "shuffled")
    low, high = world.low_high
    drawn = rng.permutation(len(low))[: len(table.results)]
    pairs = [ordered(table.elements[a], table.elements[b]) for a, b in zip(low[drawn], high[drawn], strict=True)]
    results = dict(zip(pairs, table.results.values(), strict=True))
    return TableArrays(Table(name="shuffled", elements=table.elements, base=table.base, results=results))
