"""Softmax choice over candidate pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from athanor.values.arrays import Bools, Floats


def softmax(values: Floats, temperature: float) -> Floats:
    """Weights of a softmax of z-scored values, the largest 1 (population deviation; constant values weigh the same)."""
    centred = values - values.sum() / len(values)
    spread = math.sqrt(centred @ centred / len(values))
    return np.exp((centred - centred.max()) / (spread * temperature or 1.0))


def choose(values: Floats, temperature: float, at: float) -> int:
    """A position chosen by `softmax`, at the point `at` in [0, 1) of its distribution function."""
    ends = softmax(values, temperature).cumsum()
    point = min(at * ends[-1], np.nextafter(ends[-1], 0.0))
    return int(ends.searchsorted(point, "right"))


def choose_sum(worth: Floats, candidates: Bools, temperature: float, at: float) -> tuple[int, int]:
    """A pair of elements chosen by the sum of their worth: `choose` over the candidates in row-major order.

    A sum's softmax weight is the product of its elements' weights, so that n exponentials do for n (n + 1) / 2 pairs.
    `worth`: Float["n"]; `candidates`: Bool["n n"], at [i, j] with i <= j. Gives (-1, -1) where the weights of all
    candidates vanish beside those of better elements that have no candidate left. Plain loops, to be compiled.
    """
    n = len(worth)
    best, count, total, squares = worth.max(), 0.0, 0.0, 0.0
    for i in range(n):
        for j in range(i, n):
            if candidates[i, j]:
                value = worth[i] + worth[j] - 2.0 * best
                count += 1.0
                total += value
                squares += value * value
    spread = math.sqrt(max(0.0, squares / count - (total / count) ** 2)) * temperature
    weights = np.exp((worth - best) / (spread if spread > 0.0 else 1.0))
    whole = 0.0
    rows = np.empty(n)
    for i in range(n):
        row = 0.0
        for j in range(i, n):
            if candidates[i, j]:
                row += weights[j]
        rows[i] = row * weights[i]
        whole += rows[i]
    if not whole > 1e-250:
        return -1, -1
    left, row, column = at * whole, -1, -1
    for i in range(n):
        if rows[i] > 0.0:
            row = i
            if left < rows[i]:
                break
            left -= rows[i]
    for j in range(row, n):
        if candidates[row, j]:
            column = j
            left -= weights[row] * weights[j]
            if left < 0.0:
                break
    return row, column


@cache
def compiled_choose_sum() -> Callable[[Floats, Bools, float, float], tuple[int, int]]:
    """`choose_sum`, compiled when it is first needed: to load the compiler takes a third of a second."""
    from numba import njit

    return njit(cache=True)(choose_sum)
