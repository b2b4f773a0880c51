"""What a run's labelled traces are like, as estimates over episodes and as tidy tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from athanor.analysis.intervals import AMOUNT, SHARE, Range, mean
from athanor.analysis.traces.agreement import estimate
from athanor.analysis.traces.clusters import shares
from athanor.analysis.traces.labels import LABELS, Label, Labelled
from athanor.analysis.traces.sequences import runs
from athanor.core.records import Estimate

BINS = 10
"""Parts into which a trace is divided for the profile of positions."""

SENTENCES = pa.schema([
    ("passage", pa.string()),
    ("episode", pa.string()),
    ("turn", pa.int32()),
    ("index", pa.int32()),
    ("label", pa.string()),
    ("characters", pa.int64()),
    ("tokens", pa.float64()),
    ("sentence", pa.string()),
])  # fmt: skip
"""Columns of the sentence table, a row each. `label` is null where there is none; `tokens` is the sentence's share of
its trace's tokens by characters (an approximation: the model's tokenizer is not asked), null where they are unknown."""

TRACES = pa.schema([
    ("passage", pa.string()),
    ("episode", pa.string()),
    ("turn", pa.int32()),
    ("sentences", pa.int32()),
    ("unlabelled", pa.int32()),
    ("blocks", pa.int32()),
    ("labels", pa.int32()),
    ("characters", pa.int64()),
    ("tokens", pa.float64()),
    ("cut", pa.bool_()),
    ("failed", pa.bool_()),
    ("cause", pa.string()),
])  # fmt: skip
"""Columns of the trace table, a row each. `labels` counts distinct ones; `cause` says why sentences lack one."""

POSITIONS = pa.schema([
    ("bin", pa.int32()),
    ("label", pa.string()),
    ("share", pa.float64()),
    ("low", pa.float64()),
    ("high", pa.float64()),
    ("episodes", pa.int64()),
])  # fmt: skip
"""Columns of the position table: the share of each label in each tenth of a trace, by sentences, all traces weighing
the same. A sentence that lies in two tenths counts in both by its part; those without a label are left out."""

Measure = Callable[[Labelled], float | None]


def estimates(
    lines: Sequence[Labelled], group: str, *, excluded: int = 0, empty: Mapping[str, int] | None = None
) -> tuple[Estimate, ...]:
    """All estimates of a run's traces; `n` counts episodes.

    A measure of a trace is averaged over each episode's traces in which it is known, then over episodes. `excluded`
    counts the episodes that are left out: those given (ended in an error) and those in which it is unknown. `empty`
    are the turns without a trace, by episode.
    """
    episodes: dict[str, list[Labelled]] = {key: [] for key in empty or {}}
    for line in lines:
        episodes.setdefault(line.episode, []).append(line)
    found = list(_labelling(episodes, group, excluded, empty or {}))
    for name, (measure, within) in _measures().items():
        values = (_known_mean(map(measure, mine)) for mine in episodes.values())
        found.append(_mean(name, values, within, group, excluded))
    return (*found, _spent(lines, group))


def _measures() -> dict[str, tuple[Measure, Range]]:
    """What is measured of each trace, None where it is unknown."""
    found: dict[str, tuple[Measure, Range]] = {
        "sentences per trace": (lambda line: len(line.sentences), AMOUNT),
        "sentences per trace that was not cut": (
            lambda line: None if line.cut or line.cut is None else len(line.sentences),
            AMOUNT,
        ),
        "blocks per trace": (lambda line: _blocks(line, "blocks"), AMOUNT),
        "blocks per trace, gaps joined (pan2025)": (lambda line: _blocks(line, "pan2025"), AMOUNT),
        "distinct labels per trace": (lambda line: _distinct(line) or None, AMOUNT),
        "characters per trace": (lambda line: sum(line.characters), AMOUNT),
        "tokens per trace": (lambda line: line.tokens, AMOUNT),
    }
    return found | {f"tokens per trace by characters: {label}": (_tokens_of(label), AMOUNT) for label in LABELS}


def _blocks(line: Labelled, reading: Any) -> int | None:
    """Blocks of a trace; None where no sentence has a label, which is unknown and not nothing."""
    return sum(map(len, runs(line, reading))) or None


def _distinct(line: Labelled) -> int:
    return len({label for label in line.labels if label})


def _tokens_of(label: Label) -> Measure:
    def tokens(line: Labelled) -> float | None:
        if line.tokens is None or line.unlabelled == len(line.labels):
            return None
        mine = sum(n for n, given in zip(line.characters, line.labels, strict=True) if given == label)
        return line.tokens * mine / sum(line.characters)

    return tokens


def _labelling(
    episodes: Mapping[str, Sequence[Labelled]], group: str, excluded: int, empty: Mapping[str, int]
) -> Iterator[Estimate]:
    """The share of each label, and of what is unknown: unlabelled sentences, cut traces, turns without a trace."""
    given = [[label for line in mine for label in line.labels] for mine in episodes.values()]
    known = [len(labels) - labels.count(None) for labels in given]
    for label in LABELS:
        values = (labels.count(label) / n if n else None for labels, n in zip(given, known, strict=True))
        yield _mean(f"share {label}", values, SHARE, group, excluded)
    missing = (1 - n / len(labels) if labels else None for labels, n in zip(given, known, strict=True))
    yield _mean("share of sentences unlabelled", missing, SHARE, group, excluded)
    cut = (_known_mean(None if line.cut is None else float(line.cut) for line in mine) for mine in episodes.values())
    yield _mean("share of traces cut", cut, SHARE, group, excluded)
    turns = {key: (empty.get(key, 0), len(mine)) for key, mine in episodes.items()}
    none = (gone / (gone + there) if gone + there else None for gone, there in turns.values())
    yield _mean("share of turns without a trace", none, SHARE, group, excluded)


def _known_mean(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _mean(name: str, values: Iterator[float | None], within: Range, group: str, excluded: int) -> Estimate:
    """The mean over episodes where the value is known."""
    every = list(values)
    known = [value for value in every if value is not None]
    return estimate(name, mean(known, within=within), group, excluded + len(every) - len(known))


def _spent(lines: Sequence[Labelled], group: str) -> Estimate:
    """What labelling has cost, as far as the lines tell; None if any of it is unknown."""
    costs = [line.cost for line in lines if line.calls]
    known = [cost for cost in costs if cost is not None]
    value = sum(known) if costs and len(known) == len(costs) else None
    return Estimate(
        name="cost of labelling in total", value=value, low=None, high=None, level=None,
        n=len({line.episode for line in lines}), unit="episodes", group=group,
        method=f"sum over {len(costs)} labelled traces, of which {len(costs) - len(known)} of unknown cost",
    )  # fmt: skip


def sentence_table(lines: Sequence[Labelled]) -> pa.Table:
    """A row a sentence, as SENTENCES."""
    rows = [
        {
            "passage": line.passage, "episode": line.episode, "turn": line.turn, "index": i, "label": label,
            "characters": n, "tokens": None if line.tokens is None else line.tokens * n / sum(line.characters),
            "sentence": sentence,
        }
        for line in lines
        for i, (sentence, label, n) in enumerate(zip(line.sentences, line.labels, line.characters, strict=True))
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SENTENCES)


def trace_table(lines: Sequence[Labelled]) -> pa.Table:
    """A row a trace, as TRACES."""
    rows = [
        {
            "passage": line.passage, "episode": line.episode, "turn": line.turn, "sentences": len(line.sentences),
            "unlabelled": line.unlabelled, "blocks": _blocks(line, "blocks"), "labels": _distinct(line),
            "characters": sum(line.characters), "tokens": line.tokens, "cut": line.cut, "failed": line.failed,
            "cause": line.cause or None,
        }
        for line in lines
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TRACES)


def position_counts(lines: Sequence[Labelled]) -> np.ndarray:
    """Float["episodes bins labels"]: how much of each part of the traces each label fills, in traces."""
    episodes = {key: i for i, key in enumerate(sorted({line.episode for line in lines}))}
    counts = np.zeros((len(episodes), BINS, len(LABELS)))
    for line in lines:
        n = len(line.labels)
        edges = np.arange(BINS + 1) * n / BINS  # of the parts, in sentences
        for i, label in enumerate(line.labels):
            if label:
                filled = np.minimum(edges[1:], i + 1) - np.maximum(edges[:-1], i)
                counts[episodes[line.episode], :, LABELS.index(label)] += np.maximum(filled, 0) * BINS / n
    return counts


def position_table(lines: Sequence[Labelled]) -> pa.Table:
    """The profile of positions, as POSITIONS."""
    rows = [
        {"bin": b, "label": label, "share": share.value, "low": share.low, "high": share.high, "episodes": share.n}
        for b, counts in enumerate(position_counts(lines).swapaxes(0, 1))
        for label, share in zip(LABELS, shares(counts), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=POSITIONS)
