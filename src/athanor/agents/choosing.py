"""Softmax choice over candidate pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from athanor.values.arrays import Bools, Floats


def standardised(values: Floats) -> Floats:
    """Values z-scored with the population's deviation; constant values are all 0."""
    centred = values - values.sum() / len(values)
    spread = math.sqrt(centred @ centred / len(values))
    return centred / spread if spread > 0.0 else np.zeros(len(values))


def choose(logits: Floats, at: float) -> int:
    """A position chosen by a softmax, at the point `at` in [0, 1) of its distribution function."""
    ends = np.exp(logits - logits.max()).cumsum()
    point = min(at * ends[-1], np.nextafter(ends[-1], 0.0))
    return int(ends.searchsorted(point, "right"))


def choose_sum(worth: Floats, candidates: Bools, temperature: float, at: float) -> tuple[int, int]:
    """A pair of elements chosen by a softmax of the z-scored sums of their worth, divided by the temperature.

       What `choose` does over the candidates in row-major order.
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
