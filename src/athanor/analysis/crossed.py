"""Means over two things at once that were both drawn: trained models, and what they were tried on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from scipy import special

from athanor.analysis.intervals import ANY, BOUNDED, LEVEL, SHARE, Interval, Range, mean, mean_of_means, t_quantile

METHOD = "mean over runs and {of}, both drawn (two-way clustered, Student t)"
ONE_RUN = "mean over {of} of one run, Student t; another run would differ"
ONE_SHARE = f"mean over {{of}} of one run, {BOUNDED}; another run would differ"
FIXED = "mean over multisets alone, the draws of each pooled, Student t: the policy is not trained"
ENOUGH = 3
"""Degrees of freedom of a variance between runs below which runs of other kinds are counted too."""
APART = 0.95
"""The quantile of F above which an arm's runs are taken to differ by more than those of the others."""


class Spread(NamedTuple):
    """How much the means of runs differ."""

    variance: float
    df: float


def crossed_mean(
    values: np.ndarray, level: float = LEVEL, *, within: Range = ANY, spread: Spread | None = None,
    strata: Sequence[str] | None = None, of: str = "multisets",
) -> Interval:  # fmt: skip
    """The mean of Float["runs items"] with an interval that holds for other runs *and* other items.

    The variance is that of the runs' means plus that of the items' means less that of what is left, which is in both
    (Cameron, Gelbach and Miller 2011). Each of the two parts is multiplied by the quantile of t of its own degrees of
    freedom, so that a part of few does not borrow from one of many. `spread`: between runs, where more runs than these
    tell it (`spread_of`). With one run only its own items vary, and `method` says so; of shares (`within` SHARE) the
    interval is that of `intervals.mean` then, where all lie between 0 and 1. `n` is the number of items. `within`:
    where a mean can be; ends are cut there.

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
    of_items, t_items = _of_items(values.mean(0), part, many), t_quantile(max(1, items - len(many)), level)
    if runs > 1 and math.isnan(of_items) and len(many) > 1:
        return Interval(value=centre, low=None, high=None, level=level, n=items,
                        method=f"mean over runs and {of}, no interval: of a part there is one alone")  # fmt: skip
    if runs < 2 and within == SHARE and values.min() >= 0 and values.max() <= 1:
        parts = [mean(values[0, part == k].tolist(), within=within, level=level) for k in range(len(many))]
        found = mean_of_means(parts)
        return found if found.low is None else replace(found, method=ONE_SHARE.format(of=of))
    if runs < 2 or math.isnan(of_items):
        low, high = _ends(centre, t_items * math.sqrt(of_items), within)
        return Interval(value=centre, low=low, high=high, level=level, n=items, method=ONE_RUN.format(of=of))
    both = _of_both(values, part, many)
    told = spread or Spread(float(by_run.var(ddof=1)), runs - 1)
    of_runs = max(told.variance / runs, both)
    half = math.hypot(t_quantile(told.df, level) * math.sqrt(of_runs), t_items * math.sqrt(max(0.0, of_items - both)))
    pooled = "" if spread is None else f", their variance pooled over arms, {told.df:g} degrees of freedom"
    parts = "" if len(many) == 1 else f", {len(many)} parts with equal weights"
    low, high = _ends(centre, half, within)
    return Interval(value=centre, low=low, high=high, level=level, n=items,
                    method=f"{METHOD.format(of=of)}{parts}; {runs} runs{pooled}")  # fmt: skip


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


def fixed_mean(values: np.ndarray, level: float = LEVEL, *, within: Range = ANY) -> Interval:
    """The mean of Float["draws multisets"] of policies that are not themselves drawn: the draws are pooled, so that
    the interval holds for other multisets and other draws."""
    return _alone(values.mean(0, keepdims=True), level, within, FIXED)


def _alone(values: np.ndarray, level: float, within: Range, method: str) -> Interval:
    by_item = values.mean(0)
    half = 0.0
    if len(by_item) > 1:
        half = t_quantile(len(by_item) - 1, level) * float(by_item.std(ddof=1)) / math.sqrt(len(by_item))
    low, high = _ends(float(values.mean()), half, within)
    return Interval(value=float(values.mean()), low=low, high=high, level=level, n=len(by_item), method=method)


def _ends(centre: float, half: float, within: Range) -> tuple[float | None, float | None]:
    if not half > 0:
        return None, None
    return max(within[0], centre - half), min(within[1], centre + half)


def pooled(groups: Sequence[Sequence[float]]) -> Spread:
    """The variance within groups of means of runs; of no degrees of freedom where each group has one run."""
    df = sum(len(group) - 1 for group in groups)
    squares = sum(float(((np.array(group) - np.mean(group)) ** 2).sum()) for group in groups)
    return Spread(squares / df if df else math.nan, df)


def spread_of(
    own: Sequence[Sequence[float]], kind: Sequence[Sequence[float]], others: Sequence[Sequence[float]]
) -> Spread | None:
    """How much the means of an arm's runs differ, told by other arms too, since two runs tell next to nothing.

    Each argument has the means of an arm's runs from one base: those of the arm itself (`own`), of further arms of its
    `kind`, and of `others`, which are counted where the first two have fewer than ENOUGH degrees of freedom. An arm
    whose runs differ by more than those beside it (F, one-sided, APART) keeps its own variance. None without any.

    >>> spread_of([[0.1, 0.3]], [], [[0.2, 0.4]])
    Spread(variance=0.02, df=2)
    """
    mine, beside = pooled(own), pooled(kind)
    if mine.df + beside.df < ENOUGH:
        beside = pooled([*kind, *others])
    if mine.df and beside.df and mine.variance > beside.variance * special.fdtri(mine.df, beside.df, APART):
        return mine
    df = mine.df + beside.df
    squares = sum(part.variance * part.df for part in (mine, beside) if part.df)
    return Spread(squares / df, df) if df else None


def added(one: Spread, other: Spread) -> Spread:
    """Of a difference of two independent runs, with the fewer degrees of freedom: both may be told by the same runs."""
    return Spread(one.variance + other.variance, min(one.df, other.df))
