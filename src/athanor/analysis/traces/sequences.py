"""How kinds of thought follow one another: sequences of labels with a beginning and an end, transitions, n-grams.

Three ways to read a trace, computed alike for every model. The published lengths of GPT-4o are counts of sentences
and those of DeepSeek-R1 counts of blocks, which cannot be compared; here each is given for both.

| reading | repeated labels | a sentence without a label | a trace that was cut, or of which that is unknown |
|---|---|---|---|
| `sentences` | each sentence counts | breaks the sequence | has no end |
| `blocks` | collapsed into one | breaks the sequence | has no end |
| `pan2025` | collapsed into one | left out, its neighbours joined | ends where it was cut |

`pan2025` is what was published: it counts transitions that nobody saw.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from athanor.analysis.traces.clusters import shares
from athanor.analysis.traces.labels import LABELS, Label, Labelled
from athanor.core.errors import UsageError

Reading = Literal["sentences", "blocks", "pan2025"]
READINGS: tuple[Reading, ...] = get_args(Reading)

STATES = ("begin", *LABELS, "end")
_INDEX = {state: i for i, state in enumerate(STATES)}

TRANSITIONS = pa.schema([
    ("reading", pa.string()),
    ("from", pa.string()),
    ("to", pa.string()),
    ("count", pa.int64()),
    ("share", pa.float64()),
    ("low", pa.float64()),
    ("high", pa.float64()),
    ("episodes", pa.int64()),
])  # fmt: skip
"""Columns of the transition table, 81 rows a reading. `share` is of the transitions from the same state, pooled over
all episodes, with its 95% interval over those `episodes` that have any; null where there are no data."""

NGRAMS = pa.schema([
    ("reading", pa.string()),
    ("n", pa.int32()),
    ("rank", pa.int32()),
    ("gram", pa.list_(pa.string())),
    ("count", pa.int64()),
    ("share", pa.float64()),
    ("traces", pa.int64()),
    ("episodes", pa.int64()),
])  # fmt: skip
"""Columns of the n-gram table. `share` is of all n-grams of that length; `traces` and `episodes` have it at least
once. Equal counts are ranked by the order of LABELS."""


def runs(line: Labelled, reading: Reading) -> tuple[tuple[Label, ...], ...]:
    """The labels in order, as unbroken runs: more than one where a sentence without a label comes between."""
    labels: Sequence[Label | None] = line.labels
    if reading == "pan2025":
        labels = [label for label in labels if label]
    parts: list[list[Label]] = [[]]
    for label in labels:
        if label is None:
            parts.append([])
        elif reading == "sentences" or parts[-1][-1:] != [label]:
            parts[-1].append(label)
    return tuple(tuple(part) for part in parts if part)


def transitions(line: Labelled, reading: Reading) -> Iterator[tuple[str, str]]:
    """Each state of a trace with the next, as far as both are known."""
    found = runs(line, reading)
    if not found:
        return
    if reading == "pan2025" or line.labels[0]:
        yield "begin", found[0][0]
    for run in found:
        yield from pairwise(run)
    if reading == "pan2025" or (line.labels[-1] and line.cut is not None and not line.cut):
        yield found[-1][-1], "end"


def transition_counts(lines: Sequence[Labelled], reading: Reading) -> np.ndarray:
    """Int["episodes 9 9"]: how often one of STATES (row) was followed by another (column), episodes sorted by key."""
    episodes = {key: i for i, key in enumerate(sorted({line.episode for line in lines}))}
    counts = np.zeros((len(episodes), len(STATES), len(STATES)), dtype=int)
    for line in lines:
        for before, after in transitions(line, reading):
            counts[episodes[line.episode], _INDEX[before], _INDEX[after]] += 1
    return counts


def transition_table(lines: Sequence[Labelled]) -> pa.Table:
    """The transitions in every reading, as TRANSITIONS."""
    rows = [
        {
            "reading": reading, "from": before, "to": after, "count": int(count),
            "share": share.value, "low": share.low, "high": share.high, "episodes": share.n,
        }
        for reading in READINGS
        for before, counts in zip(STATES, transition_counts(lines, reading).swapaxes(0, 1), strict=True)
        for after, count, share in zip(STATES, counts.sum(axis=0), shares(counts, over="transitions"), strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TRANSITIONS)


def ngram_table(lines: Sequence[Labelled], lengths: Sequence[int], top: int, reading: Reading = "blocks") -> pa.Table:
    """The `top` most frequent n-grams of each length, as NGRAMS; none reaches over a break, begin and end are no part.

    UsageError for a length or a top below 1.
    """
    if top < 1 or any(n < 1 for n in lengths):
        raise UsageError(f"n-grams of {list(lengths)}, top {top} were asked for, 1 or more of each was expected")
    rows = [row for n in lengths for row in _ngrams(lines, n, top, reading)]
    return pa.Table.from_pylist(rows, schema=NGRAMS)


def _ngrams(lines: Sequence[Labelled], n: int, top: int, reading: Reading) -> Iterator[dict[str, object]]:
    counts: Counter[tuple[Label, ...]] = Counter()
    traces: Counter[tuple[Label, ...]] = Counter()
    episodes: dict[tuple[Label, ...], dict[str, None]] = {}
    for line in lines:
        here = Counter(run[i : i + n] for run in runs(line, reading) for i in range(len(run) - n + 1))
        counts.update(here)
        traces.update(here.keys())
        for gram in here:
            episodes.setdefault(gram, {})[line.episode] = None
    ranked = sorted(counts, key=lambda gram: (-counts[gram], [_INDEX[label] for label in gram]))
    for rank, gram in enumerate(ranked[:top], 1):
        yield {
            "reading": reading, "n": n, "rank": rank, "gram": list(gram), "count": counts[gram],
            "share": counts[gram] / counts.total(), "traces": traces[gram], "episodes": len(episodes[gram]),
        }  # fmt: skip
