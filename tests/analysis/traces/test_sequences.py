"""Sequences, transitions, n-grams and measures by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from athanor.analysis.traces.labels import LABELS, Labelled
from athanor.analysis.traces.measures import estimates, position_table, sentence_table, trace_table
from athanor.analysis.traces.sequences import (
    READINGS,
    STATES,
    Reading,
    ngram_table,
    transition_counts,
    transition_table,
    transitions,
)
from athanor.core.errors import UsageError
from tests.analysis.traces.small import labelled

GOAL, OWNED, PAST = LABELS[:3]
END = "end"


@pytest.mark.parametrize(
    ("labels", "cut", "reading", "expected"),
    [
        ((GOAL, GOAL, PAST), False, "sentences", ["begin", GOAL, GOAL, PAST, END]),
        ((GOAL, GOAL, PAST), False, "blocks", ["begin", GOAL, PAST, END]),
        ((GOAL, GOAL, PAST), False, "pan2025", ["begin", GOAL, PAST, END]),
        ((GOAL, PAST), True, "blocks", ["begin", GOAL, PAST]),
        ((GOAL, PAST), True, "pan2025", ["begin", GOAL, PAST, END]),
        ((GOAL, None, GOAL), False, "pan2025", ["begin", GOAL, END]),
        ((None, GOAL, None), False, "pan2025", ["begin", GOAL, END]),
        ((None, GOAL, PAST, None), False, "sentences", [GOAL, PAST]),
        ((None, None), False, "pan2025", []),
        ((), False, "sentences", []),
    ],
)
def test_a_trace_is_read_in_three_ways(labels: Any, cut: bool, reading: Reading, expected: list[str]) -> None:
    pairs = list(transitions(labelled(*labels, cut=cut), reading))
    assert pairs == list(pairwise(expected))


def test_a_sentence_without_a_label_breaks_the_sequence() -> None:
    line = labelled(GOAL, None, GOAL, PAST)
    assert list(transitions(line, "sentences")) == [("begin", GOAL), (GOAL, PAST), (PAST, END)]
    assert list(transitions(line, "pan2025")) == [("begin", GOAL), (GOAL, PAST), (PAST, END)]
    assert ("begin", GOAL) not in list(transitions(labelled(None, GOAL), "blocks"))


LINES = [
    labelled(GOAL, GOAL, PAST, key="a", episode="1"),
    labelled(GOAL, OWNED, key="b", episode="1"),
    labelled(PAST, key="c", episode="2", cut=True),
]


def test_transitions_are_the_ones_worked_out_by_hand() -> None:
    counts = transition_counts(LINES, "blocks")
    assert counts.shape == (2, 9, 9)
    begin, goal, owned, past, end = (STATES.index(state) for state in ("begin", GOAL, OWNED, PAST, END))
    expected = np.zeros((9, 9), dtype=int)
    expected[begin, goal], expected[begin, past] = 2, 1
    expected[goal, past], expected[goal, owned] = 1, 1
    expected[past, end], expected[owned, end] = 1, 1
    assert (counts.sum(axis=0) == expected).all()


def test_rows_sum_to_one_and_those_without_data_are_null() -> None:
    table = transition_table(LINES).to_pylist()
    assert len(table) == 81 * len(READINGS)
    for reading in READINGS:
        for state in STATES:
            row = [cell for cell in table if (cell["reading"], cell["from"]) == (reading, state)]
            if sum(cell["count"] for cell in row):
                assert sum(cell["share"] for cell in row) == pytest.approx(1)
            else:
                assert {cell["share"] for cell in row} == {None}
                assert row[0]["episodes"] == 0
    assert {cell["share"] for cell in table if cell["from"] == END} == {None}


def test_ngrams_are_counted_within_unbroken_runs_and_ranked_with_ties_in_order() -> None:
    lines = [*LINES, labelled(OWNED, None, PAST, key="d", episode="2")]
    table = ngram_table(lines, [1, 2, 40], top=2, reading="sentences").to_pylist()
    assert [(row["n"], row["rank"], row["gram"], row["count"], row["traces"], row["episodes"]) for row in table] == [
        (1, 1, [GOAL], 3, 2, 1),
        (1, 2, [PAST], 3, 3, 2),
        (2, 1, [GOAL, GOAL], 1, 1, 1),
        (2, 2, [GOAL, OWNED], 1, 1, 1),
    ]
    assert table[0]["share"] == pytest.approx(3 / 8)
    with pytest.raises(UsageError, match="1 or more"):
        ngram_table(lines, [0], top=3)


def test_a_position_is_where_in_its_trace_a_sentence_lies_and_all_traces_weigh_the_same() -> None:
    lines = [labelled(GOAL, PAST, key="a", episode="1"), labelled(GOAL, GOAL, PAST, PAST, key="b", episode="1")]
    table = {(row["bin"], row["label"]): row["share"] for row in position_table(lines).to_pylist()}
    assert [table[b, GOAL] for b in range(10)] == pytest.approx([1.0] * 5 + [0.0] * 5)
    thirds = {(r["bin"], r["label"]): r["share"] for r in position_table([labelled(GOAL, PAST, OWNED)]).to_pylist()}
    assert (thirds[3, GOAL], thirds[3, PAST]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert thirds[9, OWNED] == pytest.approx(1)


def by_name(lines: list[Labelled], **options: Any):
    return {estimate.name: estimate for estimate in estimates(lines, "arm", **options)}


def test_measures_are_averaged_over_episodes_not_over_sentences() -> None:
    found = by_name(LINES, excluded=1)
    assert found[f"share {GOAL}"].value == pytest.approx((3 / 5 + 0) / 2)
    assert found["sentences per trace"].value == pytest.approx((2.5 + 1) / 2)
    assert found["blocks per trace"].value == pytest.approx((2 + 1) / 2)
    assert found["distinct labels per trace"].value == pytest.approx((2 + 1) / 2)
    assert (found["sentences per trace"].n, found["sentences per trace"].excluded) == (2, 1)
    assert found["share of traces cut"].value == 0.5
    whole = found["sentences per trace that was not cut"]
    assert (whole.value, whole.n, whole.excluded) == (2.5, 1, 2)


def test_the_published_length_joins_gaps_and_the_exact_one_does_not() -> None:
    found = by_name([labelled(GOAL, None, GOAL)])
    assert found["blocks per trace"].value == 2
    assert found["blocks per trace, gaps joined (pan2025)"].value == 1
    assert found["sentences per trace"].value == 3
    assert found["share of sentences unlabelled"].value == pytest.approx(1 / 3)


def test_tokens_are_shared_out_by_characters() -> None:
    line = Labelled(passage="p", episode="e", sentences=("aaa", "b"), labels=(GOAL, PAST), tokens=8.0)
    found = by_name([line])
    assert found[f"tokens per trace by characters: {GOAL}"].value == 6
    assert found[f"tokens per trace by characters: {PAST}"].value == 2
    assert sentence_table([line])["tokens"].to_pylist() == [6.0, 2.0]
    assert by_name(LINES)["tokens per trace"].value is None


def test_a_trace_that_nobody_could_label_is_unknown_and_not_zero() -> None:
    found = by_name([labelled(None, None)])
    for name in ("share state_goal", "blocks per trace", "distinct labels per trace"):
        assert (found[name].value, found[name].n, found[name].excluded) == (None, 0, 1)
    assert found["share of sentences unlabelled"].value == 1.0


def test_turns_without_a_trace_are_counted_beside() -> None:
    found = by_name(LINES, empty={"1": 2, "2": 0, "3": 4})
    assert found["share of turns without a trace"].value == pytest.approx((2 / 4 + 0 + 1) / 3)
    assert (found["share of traces cut"].n, found["share of traces cut"].excluded) == (2, 1)


@pytest.mark.parametrize(("costs", "total"), [((0.5, 0.25), 0.75), ((0.5, None), None)])
def test_the_cost_is_a_sum_or_unknown(costs: tuple[float | None, ...], total: float | None) -> None:
    found = by_name([labelled(GOAL, calls=1, cost=cost) for cost in costs])
    assert found["cost of labelling in total"].value == total


def test_no_trace_at_all_gives_tables_and_estimates_without_values() -> None:
    assert transition_table([]).num_rows == 81 * 3
    assert position_table([]).num_rows == 70
    assert ngram_table([], [2], top=5).num_rows == 0
    assert all(estimate.value is None for estimate in estimates([], "arm"))


def test_the_trace_table_has_a_row_a_trace() -> None:
    row = trace_table([labelled(GOAL, None, GOAL, cut=True, cause="sentence 2 has no label")]).to_pylist()[0]
    assert (row["sentences"], row["unlabelled"], row["blocks"], row["labels"], row["cut"]) == (3, 1, 2, 1, True)
    assert row["cause"] == "sentence 2 has no label"
