"""How sure a mean, a share or a difference is. An interval that cannot be given is None, never NaN or zero width.

`docs/intervals.md` says which interval is used where, and how often each holds what it should.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from athanor.core.records import Record

LEVEL = 0.95
"""The confidence level of every interval of the exploration analysis."""


Range = tuple[float, float]
"""The least and the greatest value that a unit, and so a mean, can have."""

ANY: Range = (-math.inf, math.inf)
AMOUNT: Range = (0.0, math.inf)
SHARE: Range = (0.0, 1.0)

BOUNDED = "Gaffke's bound in its beta form"
"""What the interval of a share's mean is called in `method`; it holds at least at its level."""

SAME = 1e-12
"""Values that differ by less than this part of the largest are the same: rounding parts the means of equal values."""


class Interval(Record, kw_only=True):
    """A value with its interval: `n` independent units behind it, and in words how it was made."""

    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    method: str


class Point(Record, kw_only=True):
    """One point of a curve: the value at a turn, its interval, and the independent units behind it."""

    at: float
    value: float
    low: float | None
    high: float | None
    n: int


def t_quantile(df: float, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t: 12.706 for 1 degree of freedom at 95%."""
    return float(special.stdtrit(df, 0.5 + level / 2))


def mean(values: Sequence[float], *, within: Range = ANY, level: float = LEVEL, unit: str = "episodes") -> Interval:
    """The mean over independent units with its interval.

    Of shares (`within` SHARE) the interval is `bounds`, which needs no spread. Otherwise it is Student's t, clipped to
    what the mean can be; of values that are all the same the spread is unknown, and so is the interval. Without a value
    everything is None; with one there is a value and no interval.

    >>> mean([1.0, 2.0, 3.0]).value
    2.0
    """
    n = len(values)
    if not n:
        return Interval(value=None, low=None, high=None, level=level, n=0, method=f"mean over {unit}: known for none")
    array = np.asarray(values, dtype=float)
    centre = float(array.mean())
    low, high = (float(end[0]) for end in _ends(array[:, None], within, level))
    if math.isnan(low):
        why = "known for one only" if n == 1 else f"the same in all {n}, so its spread is unknown"
        method = f"mean over {unit}, no interval: {why}"
        return Interval(value=centre, low=None, high=None, level=level, n=n, method=method)
    ends = " and ".join(f"{round(end, 2):.15g}" for end in within if math.isfinite(end))
    kind = (
        f"{BOUNDED}, at least {level:.0%}" if within == SHARE else f"Student t{', clipped at ' if ends else ''}{ends}"
    )
    return Interval(value=centre, low=low, high=high, level=level, n=n, method=f"mean over {unit}, {kind}")


def bounds(matrix: np.ndarray, within: Range = SHARE, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """The interval of the mean of each column of bounded values, valid for few units and whatever their distribution.

    `matrix`: Float["units columns"], NaN where unknown, each column with a known row. Gaffke's bound (2005;
    Learned-Miller and Thomas, arXiv:1905.06208): the upper limit is a quantile of the mean of the values and the
    greatest possible one under uniform Dirichlet weights, the lower limit its mirror image. Where the values are all
    0 or 1 it is Clopper and Pearson's interval, to which the case of yes-or-no units comes down. The weighted mean's
    distribution is taken as a beta distribution on the span of its values with the right mean and variance, which is
    exact where there are two distinct values.
    """
    scaled = (matrix - within[0]) / (within[1] - within[0])
    low, high = 1 - _upper(1 - scaled, level), _upper(scaled, level)
    return within[0] + low * (within[1] - within[0]), within[0] + high * (within[1] - within[0])


def _upper(shares: np.ndarray, level: float) -> np.ndarray:
    """The upper limit of each column of values between 0 and 1."""
    least = np.nanmin(shares, axis=0)
    span = np.where(least < 1, 1 - least, 1.0)
    lifted = (shares - least) / span  # the least is 0 and the greatest possible 1, which joins them
    n = (~np.isnan(lifted)).sum(axis=0)
    centre = (np.nansum(lifted, axis=0) + 1) / (n + 1)
    squares = np.nansum((lifted - centre) ** 2, axis=0) + (1 - centre) ** 2
    size = centre * (1 - centre) * (n + 1) * (n + 2) / squares - 1
    quantile = special.betaincinv(centre * size, (1 - centre) * size, 0.5 + level / 2)
    return np.where(least < 1, least + span * quantile, 1.0)


def _ends(matrix: np.ndarray, within: Range, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The ends of each column's interval, NaN where there is none; each column has a known row."""
    n = (~np.isnan(matrix)).sum(axis=0)
    if within == SHARE:
        low, high = bounds(matrix, within, level)
        return np.where(n > 1, low, np.nan), np.where(n > 1, high, np.nan)
    centre = np.nansum(matrix, axis=0) / n
    df = np.maximum(n - 1, 1)
    spread = np.nansum((matrix - centre) ** 2, axis=0) / df
    half = special.stdtrit(df, 0.5 + level / 2) * np.sqrt(spread / n)
    apart = np.nanmax(matrix, axis=0) - np.nanmin(matrix, axis=0) > SAME * np.nanmax(np.abs(matrix), axis=0)
    half = np.where((n > 1) & apart, half, np.nan)
    return np.maximum(centre - half, within[0]), np.minimum(centre + half, within[1])


def difference(
    ours: Sequence[float], theirs: Sequence[float], *, level: float = LEVEL, unit: str = "episodes"
) -> Interval:
    """The difference of two means, ours minus theirs, with Welch's interval (unequal variances).

    Values that are all the same do not tell their spread: a side of such takes over the other's, with the degrees of
    freedom of the smaller side, the fewest that Satterthwaite's formula can give. Where both sides are such, or one
    has a single unit, there is no interval. Welch, Biometrika 34, 1947; degrees of freedom by Satterthwaite.
    """
    n = len(ours) + len(theirs)
    if not len(ours) or not len(theirs):
        why = "difference of means, a side is empty"
        return Interval(value=None, low=None, high=None, level=level, n=n, method=why)
    sides = [np.asarray(side, dtype=float) for side in (ours, theirs)]
    centre = float(sides[0].mean() - sides[1].mean())
    same = [float(np.ptp(side)) <= SAME * float(np.abs(side).max()) for side in sides]
    if min(map(len, sides)) < 2 or all(same):
        why = f"one of the {unit} on a side" if min(map(len, sides)) < 2 else f"each side the same in all {unit}"
        why = f"difference of means, no interval: {why}"
        return Interval(value=centre, low=None, high=None, level=level, n=n, method=why)
    method = f"difference of means, Welch t over {unit}"
    spreads = [float(side.var(ddof=1)) for side in sides]
    if any(same):
        spreads = [max(spreads)] * 2
        method += f"; a side is the same in all {unit}, its spread taken from the other, df of the smaller side"
    a, b = (spread / len(side) for spread, side in zip(spreads, sides, strict=True))
    df = (a + b) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip((a, b), sides, strict=True))
    half = t_quantile(min(map(len, sides)) - 1 if any(same) else df, level) * math.sqrt(a + b)
    return Interval(value=centre, low=centre - half, high=centre + half, level=level, n=n, method=method)


def band(matrix: np.ndarray, at: Sequence[float], *, within: Range = ANY, level: float = LEVEL) -> tuple[Point, ...]:
    """The mean of each column over its known rows with the interval that `mean` gives it, as the points of a curve.

    `matrix`: Float["units turns"], NaN where unknown. `at`: where each column lies on the axis of turns. Columns
    without a known row give no point.
    """
    some = np.flatnonzero((~np.isnan(matrix)).any(axis=0))
    known = matrix[:, some]
    n = (~np.isnan(known)).sum(axis=0)
    if not len(some):
        return ()
    centre = np.nansum(known, axis=0) / n
    low, high = _ends(known, within, level)
    return tuple(
        Point(
            at=float(at[int(column)]), value=float(centre[i]), n=int(n[i]),
            low=None if np.isnan(low[i]) else float(low[i]), high=None if np.isnan(high[i]) else float(high[i]),
        )
        for i, column in enumerate(some)
    )  # fmt: skip


def clustered(
    values: Sequence[float],
    cluster: Sequence[int],
    *,
    within: Range = ANY,
    level: float = LEVEL,
    of: str = "values",
    unit: str = "clusters",
) -> Interval:
    """The mean of known values of which those of one cluster are alike, with an interval that counts clusters.

    The variance is that of a ratio of two sums over clusters (Liang and Zeger 1986, with G / (G - 1)). Of shares
    (`within` SHARE) the interval is Clopper and Pearson's at the sample size that a simple sample of the same variance
    would have, adjusted by the quantiles of t (Korn and Graubard, Survey Methodology 24, 1998), never above the number
    of values; where all values are 0, or all 1, that size is the number of clusters. Otherwise it is Student's t with
    one degree of freedom less than clusters, clipped to what the mean can be; of values that are all the same there is
    none. `n` counts clusters.

    >>> clustered([1.0, 1.0, 0.0], [4, 4, 7]).n
    2
    """
    x = np.asarray(values, dtype=float)
    groups = np.unique(np.asarray(cluster, dtype=np.int64), return_inverse=True)[1]
    g, where = int(groups.max(initial=-1)) + 1, f"mean over {of}"
    if not g:
        return Interval(value=None, low=None, high=None, level=level, n=0, method=f"{where}: known for none")
    centre = float(x.mean())
    alike = float(np.ptp(x)) <= SAME * float(np.abs(x).max())
    if g < 2 or (alike and within != SHARE):
        why = f"one of the {unit} only" if g < 2 else f"the same in all {len(x)}, so its spread is unknown"
        return Interval(value=centre, low=None, high=None, level=level, n=g, method=f"{where}, no interval: {why}")
    sums = np.bincount(groups, weights=x - centre, minlength=g)
    variance = g / (g - 1) * float((sums**2).sum()) / len(x) ** 2
    if within == SHARE:
        low, high = _clopper_pearson(centre, _effective(centre, variance, len(x), g, level), level)
        kind = f"Korn and Graubard's over {unit}"
        return Interval(value=centre, low=low, high=high, level=level, n=g, method=f"{where}, {kind}")
    half = t_quantile(g - 1, level) * math.sqrt(variance)
    low, high = max(centre - half, within[0]), min(centre + half, within[1])
    return Interval(value=centre, low=low, high=high, level=level, n=g, method=f"{where}, robust t over {unit}")


def _effective(centre: float, variance: float, n: int, clusters: int, level: float) -> float:
    """How many independent yes-or-no values have this share with this variance; all `n` at most."""
    if centre in (0.0, 1.0):
        return clusters
    simple = centre * (1 - centre) / max(1, n - 1)
    size = n if variance <= simple else n * simple / variance
    return min(n, size * (t_quantile(max(1, n - 1), level) / t_quantile(clusters - 1, level)) ** 2)


def _clopper_pearson(share: float, n: float, level: float) -> tuple[float, float]:
    """Its ends for a share of n values, which need not be a whole number."""
    yes, tail = share * n, (1 - level) / 2
    low = float(special.betaincinv(yes, n - yes + 1, tail)) if share > 0 else 0.0
    high = float(special.betaincinv(yes + 1, n - yes, 1 - tail)) if share < 1 else 1.0
    return low, high


def mean_of_means(parts: Sequence[Interval], *, of: str = "parts") -> Interval:
    """The mean, with equal weights, of means of independent parts that have intervals of their own.

    Its limits are as far from it as the root of the sum of squares of the parts' distances from theirs, each weighed
    (Zou, Huang and Zhang, Computational Statistics and Data Analysis 53, 2009), so that parts without a spread keep
    the width that their number warrants. `n` is the units of all parts. No value if a part has none; no interval if a
    part has none.

    >>> half = Interval(value=0.5, low=0.2, high=0.8, level=0.95, n=9, method="")
    >>> round(mean_of_means([half, half]).low, 3)
    0.288
    """
    n, level, where = sum(part.n for part in parts), parts[0].level if parts else LEVEL, f"mean of {of}"
    values = [part.value for part in parts if part.value is not None]
    if len(values) < len(parts) or not parts:
        return Interval(value=None, low=None, high=None, level=level, n=n, method=f"{where}: one of them is unknown")
    centre = sum(values) / len(parts)
    below = [part.value - part.low for part in parts if part.value is not None and part.low is not None]
    above = [part.high - part.value for part in parts if part.value is not None and part.high is not None]
    if len(below) < len(parts) or len(above) < len(parts):
        why = f"{where}, no interval: one of them has none"
        return Interval(value=centre, low=None, high=None, level=level, n=n, method=why)
    low, high = centre - math.hypot(*below) / len(parts), centre + math.hypot(*above) / len(parts)
    method = f"{where} with equal weights, Zou's interval from theirs"
    return Interval(value=centre, low=low, high=high, level=level, n=n, method=method)
