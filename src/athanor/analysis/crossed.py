"""Means over two things at once that were both drawn: trained policies, and the hands they were tried on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from athanor.analysis.intervals import ANY, LEVEL, Interval, Range, t_quantile

METHOD = "mean over runs and multisets, both drawn (two-way clustered, Student t)"
ONE_RUN = "mean over multisets of one run, Student t; another run would differ"
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
    values: np.ndarray, level: float = LEVEL, *, within: Range = ANY, spread: Spread | None = None
) -> Interval:
    """The mean of Float["runs multisets"] with an interval that holds for other runs *and* other multisets.

    The variance is that of the runs' means plus that of the multisets' means less that of what is left, which is in
    both (Cameron, Gelbach and Miller 2011). Each of the two parts is multiplied by the quantile of t of its own degrees
    of freedom, so that a part of few does not borrow from one of many. `spread`: between runs, where more runs than
    these tell it (`spread_of`). With one run only its own hands vary, and `method` says so; `n` is the number of
    multisets. `within`: where a mean can be; ends are cut there.

    >>> crossed_mean(np.zeros((4, 50)) + np.arange(50) / 50).value
    0.49
    """
    runs, items = values.shape
    centre = float(values.mean())
    by_item = values.mean(0)
    of_items = float(by_item.var(ddof=1)) / items if items > 1 else math.nan
    if runs < 2 or items < 2:
        return _alone(values, level, within, ONE_RUN)
    by_run = values.mean(1)
    left = values - by_run[:, None] - by_item + centre
    both = float((left**2).sum()) / ((runs - 1) * (items - 1)) / (runs * items)
    told = spread or Spread(float(by_run.var(ddof=1)), runs - 1)
    of_runs = max(told.variance / runs, both)
    half = math.hypot(
        t_quantile(told.df, level) * math.sqrt(of_runs),
        t_quantile(items - 1, level) * math.sqrt(max(0.0, of_items - both)),
    )
    pooled = "" if spread is None else f", their variance pooled over arms, {told.df:g} degrees of freedom"
    low, high = _ends(centre, half, within)
    return Interval(value=centre, low=low, high=high, level=level, n=items, method=f"{METHOD}; {runs} runs{pooled}")


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
