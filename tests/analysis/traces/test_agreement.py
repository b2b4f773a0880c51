"""Agreement against numbers worked out by hand."""

from __future__ import annotations

import hashlib
import tomllib
from importlib.resources import files
from itertools import pairwise
from math import sqrt

import msgspec
import numpy as np
import pytest

from athanor.analysis.intervals import t_quantile
from athanor.analysis.traces import LABELS, Label, Labelled, agreement, confusion, confusion_table, gold
from athanor.analysis.traces.agreement import kappa
from athanor.core.errors import UsageError
from tests.analysis.traces.small import labelled

GOAL, OWNED, PAST = LABELS[:3]


def by_name(counts: np.ndarray):
    return {estimate.name: estimate for estimate in agreement(counts, "x")}


def test_kappa_is_the_one_worked_out_by_hand() -> None:
    counts = np.zeros((1, 7, 7), dtype=int)
    counts[0, :2, :2] = [[20, 5], [10, 15]]  # the textbook table: p 0.7, e 0.5
    assert kappa(counts)[0, 0] == pytest.approx(0.4)


def test_agreement_by_hand_over_two_episodes() -> None:
    ours = {"a": labelled(GOAL, GOAL, PAST, key="a", episode="1"), "b": labelled(GOAL, OWNED, key="b", episode="2")}
    theirs = {"a": labelled(GOAL, PAST, PAST, key="a", episode="1"), "b": labelled(GOAL, OWNED, key="b", episode="2")}
    found = by_name(confusion(ours, theirs))
    assert found["share agreed on"].value == pytest.approx(4 / 5)
    p, e = 4 / 5, (3 * 2 + 1 * 1 + 1 * 2) / 25
    assert found["kappa"].value == pytest.approx((p - e) / (1 - e))
    assert found[f"share agreed on: {GOAL}"].value == pytest.approx(2 * 2 / 5)
    assert found[f"share agreed on: {PAST}"].value == pytest.approx(2 * 1 / 3)
    assert found["share agreed on: final_choice"].value is None
    assert found["share agreed on"].n == 2


def test_the_interval_is_the_jackknife_over_episodes_worked_out_by_hand() -> None:
    agreed, of = [6, 5, 8, 5, 7, 8], [8, 8, 8, 8, 8, 8]
    ours = {str(i): labelled(*[GOAL] * n, key=str(i), episode=str(i)) for i, n in enumerate(of)}
    theirs = {
        str(i): labelled(*[GOAL] * a, *[PAST] * (n - a), key=str(i), episode=str(i))
        for i, (a, n) in enumerate(zip(agreed, of, strict=True))
    }
    found = by_name(confusion(ours, theirs))["share agreed on"]
    without = np.array([33, 34, 31, 34, 32, 31]) / 40
    error = sqrt(5 / 6 * ((without - without.mean()) ** 2).sum())
    assert found.value == pytest.approx(39 / 48)
    assert found.low == pytest.approx(39 / 48 - t_quantile(5) * error)
    assert found.high == pytest.approx(39 / 48 + t_quantile(5) * error)


def test_sentences_without_a_label_are_left_out_and_counted() -> None:
    ours = {"a": labelled(GOAL, None, PAST, None, key="a")}
    theirs = {"a": labelled(GOAL, GOAL, None, None, key="a")}
    found = by_name(confusion(ours, theirs))
    assert found["share agreed on"].value == 1.0
    assert found["share not labelled by both"].value == 0.75


def all_gold_as(label: Label | None) -> dict[str, Labelled]:
    """The gold passages, every sentence labelled alike."""
    return {k: msgspec.structs.replace(v, labels=(label,) * len(v.labels)) for k, v in gold().items()}


def test_a_labeller_that_labels_nothing_has_unknown_kappa_and_no_warning() -> None:
    found = by_name(confusion(all_gold_as(None), gold()))
    assert found["kappa"].value is None
    assert (found["kappa"].n, found["kappa"].excluded) == (0, 7)
    assert found["share not labelled by both"].value == 1.0


def test_one_label_for_everything_is_no_better_than_chance() -> None:
    assert by_name(confusion(all_gold_as(GOAL), gold()))["kappa"].value == pytest.approx(0.0)


def test_no_interval_has_no_width() -> None:
    for estimate in agreement(confusion(gold(), gold()), "x"):
        assert estimate.value in (0.0, 1.0)
        assert (estimate.low, estimate.high, estimate.level) == (None, None, None)


def test_files_of_different_traces_are_refused() -> None:
    with pytest.raises(UsageError, match="no passage in common"):
        confusion({"a": labelled(GOAL, key="a")}, {"b": labelled(GOAL, key="b")})
    with pytest.raises(UsageError, match="passage a has other sentences"):
        confusion({"a": labelled(GOAL, key="a")}, {"a": labelled(GOAL, PAST, key="a")})


def test_the_confusion_table_has_every_cell() -> None:
    table = confusion_table(confusion({"p": labelled(GOAL, None)}, {"p": labelled(PAST, GOAL)})).to_pylist()
    assert len(table) == 64
    assert [row for row in table if row["sentences"]] == [
        {"ours": GOAL, "theirs": PAST, "sentences": 1},
        {"ours": "unlabelled", "theirs": GOAL, "sentences": 1},
    ]


def test_the_gold_set_is_whole_has_every_label_and_is_the_one_its_sources_name() -> None:
    folder = files("athanor.analysis.traces") / "data"
    source = tomllib.loads((folder / "SOURCES.toml").read_text())["file"][0]
    assert source["sha256"] == hashlib.sha256((folder / "gold.jsonl").read_bytes()).hexdigest()
    labels = [label for line in gold().values() for label in line.labels]
    assert (source["passages"], source["sentences"]) == (len(gold()), len(labels))
    assert min(labels.count(label) for label in LABELS) >= 4
    assert any(a == b for line in gold().values() for a, b in pairwise(line.labels))
