"""Means over two things at once that were both drawn: trained models, and what they were tried on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from athanor.analysis.intervals import ANY, LEVEL, Interval, Range, t_quantile

METHOD = "mean over runs and {of}, both drawn (two-way clustered, Student t)"


def crossed_mean(
    values: np.ndarray, level: float = LEVEL, *, within: Range = ANY, strata: Sequence[str] | None = None,
    of: str = "multisets",
) -> Interval:  # fmt: skip
    """The mean of Float["runs items"] with an interval that holds for other runs *and* other items.

    The variance is that of the runs' means plus that of the items' means less that of what is left, which is in both
    (Cameron, Gelbach and Miller 2011); the degrees of freedom are Satterthwaite's. With one run only its own items
    vary, and `method` says so; `n` is the number of items. `within`: where a mean can be; ends are cut there.

    `strata`: to which fixed part each item belongs. The mean is then that of the parts' means with equal weights, and
    items are drawn within their parts. `of`: what the items are called.

    >>> crossed_mean(np.zeros((4, 50)) + np.arange(50) / 50).value
    0.49
    """
    runs, items = values.shape
    _, part = np.unique(np.zeros(items) if strata is None else np.array(strata), return_inverse=True)
    many = np.bincount(part)
    by_run = np.mean([values[:, part == k].mean(1) for k in range(len(many))], 0)
    centre = float(np.mean([values[:, part == k].mean() for k in range(len(many))]))
    of_items, sure = _of_items(values.mean(0), part, many), items - len(many)
    if runs > 1 and math.isnan(of_items):
        return Interval(value=centre, low=None, high=None, level=level, n=items,
                        method=f"mean over runs and {of}, no interval: of a part there is one alone")  # fmt: skip
    if runs < 2:
        low, high = _ends(centre, of_items, sure, level, within)
        return Interval(value=centre, low=low, high=high, level=level, n=items,
                        method=f"mean over {of} of one run, Student t; another run would differ")  # fmt: skip
    of_runs = float(by_run.var(ddof=1)) / runs
    variance = max(of_runs + of_items - _of_both(values, part, many), of_runs, of_items)
    df = variance**2 / (of_runs**2 / (runs - 1) + of_items**2 / sure) if variance else runs - 1
    low, high = _ends(centre, variance, max(1.0, df), level, within)
    parts = "" if len(many) == 1 else f", {len(many)} parts with equal weights"
    return Interval(value=centre, low=low, high=high, level=level, n=items,
                    method=f"{METHOD.format(of=of)}{parts}; {runs} runs")  # fmt: skip


def _of_items(by_item: np.ndarray, part: np.ndarray, many: np.ndarray) -> float:
    """Variance of the mean that items bring; NaN where a part has one item alone."""
    if many.min() < 2:
        return math.nan
    spread = [float(by_item[part == k].var(ddof=1)) / n for k, n in enumerate(many.tolist())]
    return sum(spread) / len(many) ** 2


def _of_both(values: np.ndarray, part: np.ndarray, many: np.ndarray) -> float:
    """Variance of the mean by what is neither a run's nor an item's, in each part by itself."""
    runs, found = len(values), 0.0
    for k, n in enumerate(many.tolist()):
        mine = values[:, part == k]
        left = mine - mine.mean(1, keepdims=True) - mine.mean(0) + mine.mean()
        found += float((left**2).sum()) / ((runs - 1) * (n - 1)) / (runs * n)
    return found / len(many) ** 2


def of_ratios(tops: np.ndarray, bottoms: np.ndarray, strata: Sequence[str] | None = None) -> np.ndarray | None:
    """Float["runs items"] whose mean, as `crossed_mean` takes it with the same strata, is the ratio of the sums of two
    Float["runs items"], in each part: the ratio plus what each place adds to it (the delta method; where all bottoms
    are alike, the quotients themselves). None where nothing was counted in a part.

    >>> of_ratios(np.array([[1.0, 2.0]]), np.array([[2.0, 2.0]])).tolist()
    [[0.5, 1.0]]
    """
    names = np.zeros(tops.shape[1], int) if strata is None else np.array(strata)
    found = np.empty(tops.shape)
    for name in np.unique(names):
        mine = names == name
        mean = bottoms[:, mine].mean()
        if not mean > 0:
            return None
        ratio = tops[:, mine].mean() / mean
        found[:, mine] = ratio + (tops[:, mine] - ratio * bottoms[:, mine]) / mean
    return found


def _ends(
    centre: float, variance: float, df: float, level: float, within: Range
) -> tuple[float | None, float | None]:  # fmt: skip
    if not variance > 0 or df < 1:
        return None, None
    half = t_quantile(df, level) * math.sqrt(variance)
    return max(within[0], centre - half), min(within[1], centre + half)
