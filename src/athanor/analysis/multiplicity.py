"""Several comparisons at once: p-values and intervals that hold for all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import special

from athanor.analysis.intervals import LEVEL, difference
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.values.arrays import Floats


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the chance of any false finding, under any dependence (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values, order = _sorted(p)
    factors = np.arange(len(values), 0, -1)
    return _unsorted(np.maximum.accumulate(values * factors), order)


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the share of false findings among findings, for independent or positively
    dependent tests (Benjamini and Hochberg 1995).

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    values, order = _sorted(p)
    factors = len(values) / np.arange(1, len(values) + 1)
    return _unsorted(np.minimum.accumulate((values * factors)[::-1])[::-1], order)


def bonferroni(level: float, comparisons: int) -> float:
    """The level of each interval at which all of them hold together with at least `level`.

    >>> round(bonferroni(0.95, 5), 4)
    0.99
    """
    if comparisons < 1 or not 0 < level < 1:
        raise UsageError(f"level {level} for {comparisons} comparisons; a level between 0 and 1 and one or more needed")
    return 1.0 - (1.0 - level) / comparisons


@dataclass(frozen=True, kw_only=True)
class Contrasts:
    """Several groups against one."""

    estimates: tuple[Estimate, ...]
    """Each difference with its simultaneous interval (Bonferroni): `level` holds for all of them together."""
    table: pa.Table
    """One row a group: group, minus, value, p (Welch's t, two-sided), holm, benjamini_hochberg; null where unknown,
    which then is no comparison."""


def contrasts(
    measure: str, arms: Mapping[str, Sequence[float]], baseline: str, *, unit: str = "episodes", level: float = LEVEL
) -> Contrasts:
    """Every group's mean minus the baseline's, over independent units; p-values and intervals for all at once.

    `arms`: for each group its units' values, the baseline's too. A side with fewer than two units gives a difference
    without interval and is not counted among the comparisons. UsageError for a baseline that is no group.
    """
    if baseline not in arms or len(arms) < 2:
        raise UsageError(
            f"the baseline {baseline!r} and at least one other group were expected among {', '.join(arms) or 'none'}"
        )
    theirs = arms[baseline]
    others = {name: ours for name, ours in arms.items() if name != baseline}
    p = {name: welch_p(ours, theirs) for name, ours in others.items()}
    known = {name: value for name, value in p.items() if value is not None}
    by_holm, by_bh = (
        dict(zip(known, adjust(list(known.values())), strict=True)) for adjust in (holm, benjamini_hochberg)
    )
    each = bonferroni(level, max(1, len(known)))
    together = f", simultaneous over {len(known)} comparisons (Bonferroni)" if len(known) > 1 else ""
    estimates, rows = [], []
    for name, ours in others.items():
        interval = difference(ours, theirs, level=each)
        estimates.append(Estimate(
            name=f"{measure} minus {baseline}", value=interval.value, low=interval.low, high=interval.high,
            level=None if interval.low is None else level, n=interval.n, unit=unit,
            method=interval.method + ("" if interval.low is None else together), group=name,
        ))  # fmt: skip
        rows.append({
            "group": name, "minus": baseline, "value": interval.value, "p": p[name], "holm": by_holm.get(name),
            "benjamini_hochberg": by_bh.get(name),
        })  # fmt: skip
    return Contrasts(estimates=tuple(estimates), table=pa.Table.from_pylist(rows, schema=_TABLE))


_TABLE = pa.schema([
    ("group", pa.string()), ("minus", pa.string()), ("value", pa.float64()), ("p", pa.float64()),
    ("holm", pa.float64()), ("benjamini_hochberg", pa.float64()),
])  # fmt: skip


def welch_p(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Two-sided p-value that two means are the same, variances unequal (Welch 1947); None with one unit on a side.

    Sides without any spread give 1 where they agree and 0 where they do not, as their interval has no width.
    """
    if min(len(ours), len(theirs)) < 2:
        return None
    gap = float(np.mean(ours) - np.mean(theirs))
    a, b = (float(np.var(side, ddof=1)) / len(side) for side in (ours, theirs))
    if a + b == 0:
        return float(gap == 0)
    df = (a + b) ** 2 / (a * a / (len(ours) - 1) + b * b / (len(theirs) - 1))
    return 2.0 * float(special.stdtr(df, -abs(gap) / math.sqrt(a + b)))


def _sorted(p: Sequence[float]) -> tuple[Floats, np.ndarray]:
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise UsageError(f"p-values lie between 0 and 1, found {values.tolist()}; leave out what is unknown")
    order = np.argsort(values, kind="stable")
    return values[order], order


def _unsorted(adjusted: Floats, order: np.ndarray) -> list[float]:
    found = np.empty(len(adjusted))
    found[order] = np.minimum(adjusted, 1.0)
    return found.tolist()
