"""Intervals of what is counted over sentences, with whole episodes as the independent units."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from athanor.analysis.intervals import LEVEL, SHARE, Interval, Range, t_quantile

METHOD = "pooled over {0}, delete-one-episode jackknife, Student t"

Statistic = Callable[[np.ndarray], np.ndarray]
"""From Float["many ..."] stacked counts to Float["many k"], NaN where it is undefined."""


def jackknife(
    counts: np.ndarray, statistic: Statistic, *, within: Range, over: str = "sentences"
) -> tuple[Interval, ...]:
    """Each component of a statistic of pooled counts, with its interval.

    `counts`: Float["episodes ..."], what each episode adds to the pool. The interval is the value and Student's t
    quantile times the jackknife's standard error (Efron, 1982, section 3.1), clipped to `within`; none is given from
    fewer than two episodes, where the statistic is undefined without one of them, or where it is the same without any.
    """
    n, total = len(counts), counts.sum(axis=0)
    value = statistic(total[None])[0]
    if n < 2:
        return tuple(_interval(float(v), math.nan, n, within, over) for v in value)
    without = statistic(total - counts)
    error = np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return tuple(_interval(float(v), float(e), n, within, over) for v, e in zip(value, error, strict=True))


def shares(counts: np.ndarray, *, over: str = "sentences") -> tuple[Interval, ...]:
    """The share of each category in Float["episodes categories"]; episodes that have none of them are left out."""
    return jackknife(counts[counts.sum(axis=1) > 0], _normalised, within=SHARE, over=over)


def _normalised(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=-1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def _interval(value: float, error: float, n: int, within: Range, over: str) -> Interval:
    if math.isnan(value):
        return Interval(value=None, low=None, high=None, level=LEVEL, n=n, method=f"{METHOD.format(over)}; undefined")
    if math.isnan(error) or error < 1e-12:  # rounding leaves some 1e-17 of what is the same in all
        why = "no interval, as it is the same or undefined without one of them"
        return Interval(value=value, low=None, high=None, level=LEVEL, n=n, method=f"{METHOD.format(over)}; {why}")
    half = t_quantile(n - 1) * error
    low, high = max(within[0], value - half), min(within[1], value + half)
    return Interval(value=value, low=low, high=high, level=LEVEL, n=n, method=METHOD.format(over))
