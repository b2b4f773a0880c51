"""How good predictions from meaning are, against the table they were to predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from athanor.analysis.intervals import LEVEL, SHARE, mean
from athanor.core.records import Estimate, Record
from athanor.core.seeds import stream
from athanor.values.arrays import Bools, Floats
from athanor.values.meaning import Predictions
from athanor.values.tables import true_empowerment

REPLICATES = 200
"""Bootstrap replicates of pairs and of elements."""

BINS = 10

Weighted = Callable[[Floats], float]
"""A statistic of units that count as often as their weights say."""


class Bin(Record, kw_only=True):
    """Pairs with about the same predicted success: how many, what was predicted on average, and what came true."""

    n: int
    predicted: float
    observed: float


def quality(found: Predictions, seed: int) -> list[Estimate]:
    """The estimates of all three networks and of what follows from them.

    Pairs share elements and are not independent: intervals over pairs resample elements, and a pair counts as often as
    both its elements were drawn (the pigeonhole bootstrap of Owen 2007; it errs on the wide side).
    """
    return [*_links(found, seed), *_results(found), *_elements(found, seed), *_pairs(found, seed)]


@dataclass(frozen=True)
class Sorted:
    """Pairs from the most probable success to the least, so that every statistic is one pass over them."""

    success: Bools
    last: Bools
    """Whether the next pair is less probable, which closes a group of ties."""

    def curve(self, weights: Floats) -> tuple[Floats, Floats]:
        """Successes and failures at or above each threshold."""
        yes, no = np.cumsum(weights * self.success), np.cumsum(weights * ~self.success)
        return yes[self.last], no[self.last]

    def auc(self, weights: Floats) -> float:
        """Area under the receiver operating characteristic; ties count half. NaN without successes or failures."""
        yes, no = (np.concatenate([[0.0], part]) for part in self.curve(weights))
        return float(np.trapezoid(yes, no) / (yes[-1] * no[-1])) if yes[-1] * no[-1] else float("nan")

    def average_precision(self, weights: Floats) -> float:
        """Mean over successes of the precision at their threshold; NaN without successes."""
        yes, no = self.curve(weights)
        gained = np.diff(np.concatenate([[0.0], yes]))
        known = gained > 0
        return float((gained * yes)[known] @ (1 / (yes + no)[known]) / yes[-1]) if yes[-1] else float("nan")


def auc(predicted: Floats, success: Bools) -> float:
    """Area under the receiver operating characteristic of predictions.

    >>> auc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    by, order = _sorted(predicted, success)
    return by.auc(np.ones(len(order)))


def reliability(predicted: Floats, success: Bools, bins: int = BINS) -> tuple[Bin, ...]:
    """Pairs binned by predicted success, in bins of equal width on [0, 1]; empty bins are left out."""
    at = np.minimum((predicted * bins).astype(np.int64), bins - 1)
    counts = np.bincount(at, minlength=bins)
    sums = np.bincount(at, predicted, bins), np.bincount(at, success.astype(float), bins)
    return tuple(
        Bin(n=int(n), predicted=float(p / n), observed=float(s / n)) for n, p, s in zip(counts, *sums, strict=True) if n
    )


def calibration_error(predicted: Floats, success: Bools, weights: Floats, bins: int = BINS) -> float:
    """Expected calibration error: the mean distance of predicted from observed over bins, by their share of pairs."""
    at = np.minimum((predicted * bins).astype(np.int64), bins - 1)
    return float(np.abs(np.bincount(at, weights * (predicted - success), bins)).sum() / weights.sum())


def log_loss(predicted: Floats, success: Bools, weights: Floats) -> float:
    """Mean of -ln of the probability given to what was true, in nats; probabilities are kept 1e-7 from 0 and 1."""
    right = np.clip(np.where(success, predicted, 1 - predicted), 1e-7, 1 - 1e-7)
    return float(-(weights * np.log(right)).sum() / weights.sum())


def correlation(x: Floats, y: Floats, weights: Floats) -> float:
    """Pearson's correlation; NaN where one of them does not vary."""
    x, y = x - np.average(x, weights=weights), y - np.average(y, weights=weights)
    spread = np.sqrt((weights * x * x).sum() * (weights * y * y).sum())
    return float((weights * x * y).sum() / spread) if spread > 0 else float("nan")


def _sorted(predicted: Floats, success: Bools) -> tuple[Sorted, np.ndarray]:
    order = np.argsort(-predicted, kind="stable")
    return Sorted(success[order], np.append(np.diff(predicted[order]) != 0, True)), order


def _links(found: Predictions, seed: int) -> Iterator[Estimate]:
    predicted, success = found.pairs.values["success"], found.world.recipe >= 0
    by, order = _sorted(predicted, success)
    alike, order_alike = _sorted(found.pairs.values["similarity"], success)
    share = np.full(len(success), success.mean())
    named: dict[str, Weighted] = {
        "link AUC": lambda w: by.auc(w[order]),
        "link AUC of similarity alone": lambda w: alike.auc(w[order_alike]),
        "link average precision": lambda w: by.average_precision(w[order]),
        "link log loss": partial(log_loss, predicted, success),
        "link log loss of the base rate": partial(log_loss, share, success),
        "link expected calibration error": partial(calibration_error, predicted, success),
        "link mean predicted success": lambda w: float(np.average(predicted, weights=w)),
        "link share of successes": lambda w: float(np.average(success, weights=w)),
    }
    yield from _pigeonhole(found, np.arange(len(success)), named, seed)


def _results(found: Predictions) -> Iterator[Estimate]:
    rank, n = found.rank, len(found.rank)
    for name, most in (("result top-1 accuracy", 1), ("result top-10 accuracy", 10)):
        it = mean((rank <= most).astype(float).tolist(), within=SHARE, unit="true results")
        yield _estimate(name, it.value, it.low, it.high, n, "true results", it.method)
    it = mean(rank.tolist(), unit="true results")
    yield _estimate("result mean rank", it.value, it.low, it.high, n, "true results", it.method)
    it = mean((-np.log(np.maximum(found.chance, 1e-12))).tolist(), unit="true results")
    yield _estimate("result log loss", it.value, it.low, it.high, n, "true results", it.method)


def _elements(found: Predictions, seed: int) -> Iterator[Estimate]:
    true = found.world.children.lengths.astype(np.float64)
    for name in ("empowerment", "empowerment_brandle2023"):
        if name not in found.elements:
            continue
        counted = found.elements[name]
        for group, kept in (("all", np.ones(len(true), dtype=np.bool_)), ("non-final", ~found.world.final)):
            of = f"children by {name}, {group} elements"
            yield from _correlations(of, counted[kept], true[kept], seed)
            yield _estimate(f"mean {of}", float(counted[kept].mean()), None, None, int(kept.sum()), "elements", "mean")


def _correlations(of: str, predicted: Floats, true: Floats, seed: int) -> Iterator[Estimate]:
    """Three correlations over elements, with percentile intervals from resampled elements."""
    rng, n = stream(seed, "meaning", "bootstrap", of), len(true)
    draws = rng.integers(n, size=(REPLICATES, n)) if n > 1 else np.zeros((0, n), dtype=np.int64)
    named = {"Spearman": stats.spearmanr, "Kendall": stats.kendalltau, "Pearson": stats.pearsonr}
    for kind, statistic in named.items():

        def at(rows: np.ndarray, statistic=statistic) -> float:
            x, y = predicted[rows], true[rows]
            return float(statistic(x, y)[0]) if np.ptp(x) > 0 and np.ptp(y) > 0 else float("nan")

        yield _bootstrapped(f"{kind} of {of}", at(np.arange(n)), [at(d) for d in draws], n, "elements")


def _pairs(found: Predictions, seed: int) -> Iterator[Estimate]:
    """Predicted against true empowerment of pairs, ranks taken once over the whole sample."""
    true, success = true_empowerment(found.world), found.world.recipe >= 0
    for where, kept in (("all pairs", np.ones(len(success), dtype=np.bool_)), ("pairs that make something", success)):
        rows = np.flatnonzero(kept)
        ranks = stats.rankdata(true[rows])
        named: dict[str, Weighted] = {
            f"Spearman of {name}, {where}": partial(correlation, stats.rankdata(found.pairs.values[name][rows]), ranks)
            for name in ("empowerment", "empowerment_direct")
        }
        yield from _pigeonhole(found, rows, named, seed)


def _pigeonhole(found: Predictions, rows: np.ndarray, named: dict[str, Weighted], seed: int) -> Iterator[Estimate]:
    """Estimates over some pairs; a pair counts as often as both its elements were drawn, a self-pair as its element."""
    rng, n, (low, high) = stream(seed, "meaning", "bootstrap", "pairs"), found.world.n, found.world.low_high
    low, high = low[rows], high[rows]
    replicates: dict[str, list[float]] = {name: [] for name in named}
    for _ in range(REPLICATES):
        drawn = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
        weights = np.where(low == high, drawn[low], drawn[low] * drawn[high])
        for name, statistic in named.items():
            replicates[name].append(statistic(weights) if weights.any() else float("nan"))
    for name, statistic in named.items():
        yield _bootstrapped(
            name, statistic(np.ones(len(rows))), replicates[name], n, "elements, two of which make a pair"
        )


def _bootstrapped(name: str, value: float, replicates: Sequence[float], n: int, unit: str) -> Estimate:
    known = np.array([r for r in replicates if np.isfinite(r)])
    if not np.isfinite(value) or len(known) < REPLICATES // 2:
        return _estimate(
            name, value if np.isfinite(value) else None, None, None, n, unit, "not defined, or no interval"
        )
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _estimate(name, value, float(low), float(high), n, unit, f"percentile bootstrap, {len(known)} replicates")


def _estimate(
    name: str, value: float | None, low: float | None, high: float | None, n: int, unit: str, method: str
) -> Estimate:
    level = None if low is None else LEVEL
    return Estimate(name=name, value=value, low=low, high=high, level=level, n=n, unit=unit, method=method)


def quality_text(found: Sequence[Estimate], bins: Sequence[Bin]) -> str:
    """The estimates as an aligned table, and then how often what was predicted came true."""
    wide = max(len(one.name) for one in found)
    lines = [f"{one.name.ljust(wide)}  {_number(one.value)}  {_interval(one)}  n {one.n}".rstrip() for one in found]
    lines += ["", "predicted success  came true     pairs"]
    lines += [f"{one.predicted:17.3f}  {one.observed:9.3f}  {one.n:8,d}" for one in bins]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return " unknown" if value is None else f"{value:8.4f}" if abs(value) < 10 else f"{value:8.2f}"


def _interval(one: Estimate) -> str:
    return "no interval".ljust(20) if one.low is None else f"[{_number(one.low)}, {_number(one.high)}]"
