"""How far two labellers agree: a model and a person, two models, or a labeller and the gold set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from athanor.analysis.intervals import SHARE, Interval
from athanor.analysis.traces.clusters import jackknife, shares
from athanor.analysis.traces.labels import LABELS, UNLABELLED, Label, Labelled
from athanor.core.errors import UsageError
from athanor.core.records import Estimate

CONFUSION = pa.schema([("ours", pa.string()), ("theirs", pa.string()), ("sentences", pa.int64())])
"""Columns of the confusion table, 64 rows; either side may be `unlabelled`."""

_INDEX: dict[Label | None, int] = {label: i for i, label in enumerate((*LABELS, None))}


def confusion(ours: Mapping[str, Labelled], theirs: Mapping[str, Labelled]) -> np.ndarray:
    """Int["episodes 8 8"]: how often our label (row) met theirs (column) in each episode; the last is no label.

    Over the passages that both have. UsageError if there is none, or one has other sentences in the two.
    """
    common = [key for key in ours if key in theirs]
    if not common:
        raise UsageError("the two label files have no passage in common; pass two that label the same traces")
    episodes = {episode: i for i, episode in enumerate(sorted({theirs[key].episode for key in common}))}
    counts = np.zeros((len(episodes), 8, 8), dtype=int)
    for key in common:
        if ours[key].sentences != theirs[key].sentences:
            raise UsageError(f"passage {key} has other sentences in the two label files; label the same traces in both")
        for mine, other in zip(ours[key].labels, theirs[key].labels, strict=True):
            counts[episodes[theirs[key].episode], _INDEX[mine], _INDEX[other]] += 1
    return counts


def confusion_table(counts: np.ndarray) -> pa.Table:
    """The counts of all episodes together, as CONFUSION."""
    names, total = (*LABELS, UNLABELLED), counts.sum(axis=0)
    rows = [
        {"ours": a, "theirs": b, "sentences": int(total[i, j])}
        for i, a in enumerate(names) for j, b in enumerate(names)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=CONFUSION)


def agreement(counts: np.ndarray, group: str) -> tuple[Estimate, ...]:
    """Cohen's kappa, the share agreed on, and the agreement on each label, over sentences that both have labelled.

    kappa = (p - e) / (1 - e) with p the share agreed on and e the one expected by chance (Cohen 1960). The agreement
    on a label is 2 n_ll / (n_l. + n_.l): of the sentences that either gave it, weighted alike, those where both did.
    The share of sentences that lack a label on a side stands beside them, as those are left out.
    """
    labelled = counts[:, :-1, :-1].sum(axis=(1, 2))
    missing = shares(np.stack([counts.sum(axis=(1, 2)) - labelled, labelled], axis=1))[0]
    both = counts[labelled > 0, :-1, :-1]
    agreed = np.trace(both, axis1=1, axis2=2)
    found = [
        ("kappa", jackknife(both, kappa, within=(-1.0, 1.0))[0]),
        ("share agreed on", shares(np.stack([agreed, labelled[labelled > 0] - agreed], axis=1))[0]),
        ("share not labelled by both", missing),
        *zip((f"share agreed on: {label}" for label in LABELS), jackknife(both, on_labels, within=SHARE), strict=True),
    ]
    return tuple(estimate(name, interval, group, len(counts) - interval.n) for name, interval in found)


def kappa(counts: np.ndarray) -> np.ndarray:
    """Cohen's kappa of Float["many labels labels"] as Float["many 1"]; NaN where chance alone agrees on all."""
    total = counts.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        p = np.trace(counts, axis1=1, axis2=2) / total
        e = (counts.sum(axis=1) * counts.sum(axis=2)).sum(axis=1) / total / total
    return np.divide(p - e, 1 - e, out=np.full(len(counts), np.nan), where=e < 1)[:, None]


def on_labels(counts: np.ndarray) -> np.ndarray:
    """The agreement on each label, Float["many labels"]; NaN where neither side gave it."""
    given = counts.sum(axis=1) + counts.sum(axis=2)
    both = 2.0 * np.diagonal(counts, axis1=1, axis2=2)
    return np.divide(both, given, out=np.full(given.shape, np.nan), where=given > 0)


def estimate(name: str, interval: Interval, group: str, excluded: int) -> Estimate:
    """An interval over episodes as an estimate."""
    return Estimate(
        name=name, value=interval.value, low=interval.low, high=interval.high,
        level=None if interval.low is None else interval.level, n=interval.n, unit="episodes",
        method=interval.method, excluded=excluded, group=group,
    )  # fmt: skip
