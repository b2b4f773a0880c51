"""How sure a mean, a share or a difference is. An interval that cannot be given is None, never NaN or zero width."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from athanor.core.records import Record

LEVEL = 0.95
"""The confidence level of every interval of the exploration analysis."""


Range = tuple[float, float]
"""The least and the greatest value that a mean can have."""

ANY: Range = (-math.inf, math.inf)
AMOUNT: Range = (0.0, math.inf)
SHARE: Range = (0.0, 1.0)
CLIPPED = {AMOUNT: ", clipped at 0", SHARE: ", clipped to [0, 1]"}


class Interval(Record, kw_only=True):
    """A value with its interval: `n` independent units behind it, and in words how it was made."""

    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    method: str


class Point(Record, kw_only=True):
    """One point of a curve: the value at a turn, its interval, and the episodes behind it."""

    at: float
    value: float
    low: float | None
    high: float | None
    n: int


def t_quantile(df: float, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t: 12.706 for 1 degree of freedom at 95%."""
    return float(special.stdtrit(df, 0.5 + level / 2))


def mean(values: Sequence[float], *, within: Range = ANY, level: float = LEVEL, unit: str = "episodes") -> Interval:
    """The mean over independent units with its Student t interval, clipped to what the mean can be.

    Without a value everything is None; with one there is a value and no interval. Values that are all the same
    give an interval equal to the value.

    >>> mean([1.0, 2.0, 3.0]).value
    2.0
    """
    n = len(values)
    method = f"mean, Student t over {unit}" + CLIPPED.get(within, "")
    if n < 2:
        why = f"mean over {unit}, no interval from {'one' if n else 'none'}"
        return Interval(value=float(values[0]) if n else None, low=None, high=None, level=level, n=n, method=why)
    if all(value == values[0] for value in values):
        same = float(values[0])
        method += "; the same in all, so without width"
        return Interval(value=same, low=same, high=same, level=level, n=n, method=method)
    array = np.asarray(values, dtype=float)
    centre = float(array.mean())
    half = t_quantile(n - 1, level) * float(array.std(ddof=1)) / math.sqrt(n)
    low, high = max(within[0], centre - half), min(within[1], centre + half)
    return Interval(value=centre, low=low, high=high, level=level, n=n, method=method)


def difference(ours: Sequence[float], theirs: Sequence[float], *, level: float = LEVEL) -> Interval:
    """The difference of two means, ours minus theirs, with Welch's interval (unequal variances).

    With a side of one unit there is no interval. Welch, Biometrika 34, 1947; degrees of freedom by Satterthwaite.
    """
    n = len(ours) + len(theirs)
    if not len(ours) or not len(theirs):
        return Interval(
            value=None, low=None, high=None, level=level, n=n, method="difference of means, a side is empty"
        )
    centre = float(np.mean(ours) - np.mean(theirs))
    if min(len(ours), len(theirs)) < 2:
        why = "difference of means, no interval from one episode on a side"
        return Interval(value=centre, low=None, high=None, level=level, n=n, method=why)
    method = "difference of means, Welch t over episodes"
    a, b = (float(np.var(side, ddof=1)) / len(side) for side in (ours, theirs))
    if a + b == 0:
        return Interval(value=centre, low=centre, high=centre, level=level, n=n, method=method)
    df = (a + b) ** 2 / (a * a / (len(ours) - 1) + b * b / (len(theirs) - 1))
    half = t_quantile(df, level) * math.sqrt(a + b)
    return Interval(value=centre, low=centre - half, high=centre + half, level=level, n=n, method=method)


def wilson(passed: int, n: int, *, level: float = LEVEL) -> Interval:
    """The share of `n` independent yes-or-no units with Wilson's score interval (JASA 22, 1927)."""
    method = "share of episodes, Wilson score"
    if n == 0:
        return Interval(value=None, low=None, high=None, level=level, n=0, method=method)
    z, share = float(special.ndtri(0.5 + level / 2)), passed / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (0.0 if passed == 0 else centre - half), (1.0 if passed == n else centre + half)
    return Interval(value=share, low=low, high=high, level=level, n=n, method=method)


def band(matrix: np.ndarray, at: Sequence[float], *, within: Range = ANY, level: float = LEVEL) -> tuple[Point, ...]:
    """The mean of each column over its known rows with the Student t interval, as the points of a curve.

    `matrix`: Float["episodes turns"], NaN where unknown. `at`: where each column lies on the axis of turns. Columns
    without a known row give no point; with one known row the point has no interval.
    """
    known = ~np.isnan(matrix)
    n = known.sum(axis=0)
    filled = np.where(known, matrix, 0.0)
    centre = filled.sum(axis=0) / np.maximum(n, 1)
    squares = np.where(known, (filled - centre) ** 2, 0.0).sum(axis=0)
    df = np.maximum(n - 1, 1)
    half = special.stdtrit(df, 0.5 + level / 2) * np.sqrt(squares / df / np.maximum(n, 1))
    low, high = np.maximum(centre - half, within[0]), np.minimum(centre + half, within[1])
    return tuple(
        Point(
            at=float(at[i]), value=float(centre[i]), n=int(n[i]),
            low=float(low[i]) if n[i] > 1 else None, high=float(high[i]) if n[i] > 1 else None,
        )
        for i in range(matrix.shape[1]) if n[i]
    )  # fmt: skip
