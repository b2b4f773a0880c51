"""Means over two things at once that were both drawn: trained policies, and the hands they were tried on."""

from __future__ import annotations

import math

import numpy as np

from athanor.analysis.intervals import ANY, LEVEL, Interval, Range, t_quantile

METHOD = "mean over runs and multisets, both drawn (two-way clustered, Student t)"


def crossed_mean(values: np.ndarray, level: float = LEVEL, *, within: Range = ANY) -> Interval:
    """The mean of Float["runs multisets"] with an interval that holds for other runs *and* other multisets.

    The variance is that of the runs' means plus that of the multisets' means less that of what is left, which is in
    both (Cameron, Gelbach and Miller 2011); the degrees of freedom are Satterthwaite's. With one run only its own
    hands vary, and `method` says so; `n` is the number of multisets. `within`: where a mean can be; ends are cut there.

    >>> crossed_mean(np.zeros((4, 50)) + np.arange(50) / 50).value
    0.49
    """
    runs, items = values.shape
    centre = float(values.mean())
    by_item = values.mean(0)
    of_items = float(by_item.var(ddof=1)) / items if items > 1 else math.nan
    if runs < 2 or items < 2:
        low, high = _ends(centre, of_items, items - 1, level, within)
        return Interval(value=centre, low=low, high=high, level=level, n=items,
                        method="mean over multisets of one run, Student t; another run would differ")  # fmt: skip
    by_run = values.mean(1)
    of_runs = float(by_run.var(ddof=1)) / runs
    left = values - by_run[:, None] - by_item + centre
    both = float((left**2).sum()) / ((runs - 1) * (items - 1)) / (runs * items)
    variance = max(of_runs + of_items - both, of_runs, of_items)
    df = variance**2 / (of_runs**2 / (runs - 1) + of_items**2 / (items - 1)) if variance else runs - 1
    low, high = _ends(centre, variance, max(1.0, df), level, within)
    return Interval(value=centre, low=low, high=high, level=level, n=items, method=f"{METHOD}; {runs} runs")


def _ends(
    centre: float, variance: float, df: float, level: float, within: Range
) -> tuple[float | None, float | None]:  # fmt: skip
    if not variance > 0 or df < 1:
        return None, None
    half = t_quantile(df, level) * math.sqrt(variance)
    return max(within[0], centre - half), min(within[1], centre + half)
