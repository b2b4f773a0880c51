"""Where groups of things can lie among the cells, counted and listed: what scenes are drawn from, uniformly."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from athanor.environments.scenes.scene import CELLS, SLOTS

Layouts = NDArray[np.int8]


def mainly(relation: str, cell: int, other: int) -> bool:
    """Whether a cell lies mainly in one direction of another: farther that way than across. Under any jitter and sizes
    the published rule of positions agrees.

    >>> mainly("left of", 0, 1), mainly("left of", 0, 4), mainly("above", 1, 6)
    (True, False, True)
    """
    right, down = other % 3 - cell % 3, other // 3 - cell // 3
    along, across = {
        "left of": (right, down), "right of": (-right, down), "above": (down, right), "below": (-down, right)
    }[relation]  # fmt: skip
    return along > abs(across)


@lru_cache(maxsize=1_000)
def layouts(first: int, second: int = 0, relation: str | None = None) -> Layouts:
    """Int8["layouts 9"]: the group (0 or 1) that has each cell, -1 for none; every way once, in a fixed order.

    `first` and `second` are the things of the groups; every one of group 0 is in `relation` to every one of group 1.
    """
    rows = []
    for ours in combinations(range(CELLS), first):
        for theirs in combinations([cell for cell in range(CELLS) if cell not in ours], second):
            if relation is None or all(mainly(relation, a, b) for a in ours for b in theirs):
                rows.append([0 if k in ours else 1 if k in theirs else -1 for k in range(CELLS)])
    return np.array(rows, np.int8).reshape(-1, CELLS)


@lru_cache(maxsize=8)
def corners(count: int) -> Layouts:
    """Int8["layouts 4"]: the ways to put different cards, told in order, in the corners."""
    rows: list[list[int]] = [[-1] * SLOTS]
    for card in range(count):
        rows = [[card if k == at else have for k, have in enumerate(row)]
                for row in rows for at in range(SLOTS) if row[at] < 0]  # fmt: skip
    return np.array(rows, np.int8)
