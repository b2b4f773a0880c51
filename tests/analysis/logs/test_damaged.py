"""Logs with a bad record here and there: it is counted with its reason, and the rest is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from athanor.analysis.logs import Logs, read_logs
from athanor.core.errors import DataError
from tests.analysis.logs.forms import CONFIG, STRICT, TRIALS, WORLD, person, trial, written

GOOD = {str(number): trial("water", "fire", 1, "steam", config=CONFIG | {"max_trials": 0}) for number in range(200)}


def read(tmp_path: Path, content: Any, allow: float = 1.0) -> Logs:
    return read_logs(written(tmp_path / "logs.json", content), WORLD, STRICT, allow=allow)


def of_one_run(trials: dict[str, Any], nested: bool) -> dict[str, Any]:
    return {"gpt": {"7": {"results": trials} if nested else trials}}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("key", "record", "cause", "why"),
    [
        ("one", trial("water", "fire"), "missing", "player gpt/7, trial unknown: 'one' is not the number of a trial"),
        ("-1", trial("water", "fire"), "missing", "'-1' is not the number of a trial"),
        ("200", trial(["water"], "fire"), "unreadable", "player gpt/7, trial 200: Expected `str | null`, got `array`"),
        ("200", {"first": 3, "second": "fire"}, "unreadable", "got `int` - at `$.first`"),
        ("200", None, "unreadable", "player gpt/7, trial 200: Expected `object`, got `null`"),
        ("200", "no record", "unreadable", "Expected `object`, got `str`"),
        ("200", {"first": "water"}, "missing", "player gpt/7, trial 200: 'water' + nothing"),
        ("200", trial(None, None), "missing", "player gpt/7, trial 200: nothing + nothing"),
    ],
)  # fmt: skip
def test_a_bad_record_is_counted_with_its_reason_and_is_no_gap(
    tmp_path: Path, nested: bool, key: str, record: Any, cause: str, why: str
):
    logs = read(tmp_path, of_one_run(GOOD | {key: record}, nested), allow=0.01)
    assert logs.turns.num_rows == 200
    assert [(one.cause, one.count) for one in logs.excluded] == [(cause, 1)]
    assert why in logs.excluded[0].examples[0]


def test_more_bad_records_than_may_be_are_refused_with_their_reasons(tmp_path: Path):
    with pytest.raises(DataError) as error:
        read(tmp_path, of_one_run(GOOD | {"200": None, "201": trial([], "fire"), "x": {}}, False), allow=0.01)
    said = str(error.value)
    assert "3 of 203 turns (1.5%) would be excluded, at most 1.0% may be" in said
    assert "2 unreadable" in said
    assert "1 missing" in said
    assert "--allow-excluded 0.015" in said


def test_what_is_no_name_nor_flag_nor_result_leaves_the_turn_in(tmp_path: Path):
    odd = {
        "0": trial("water", "fire", success={"a": 1}, result=["steam", "mud"]),
        "1": trial("water", "water", "yes", {}),
    }
    turns = read(tmp_path, {"gpt": {"7": odd}}).turns
    assert turns["success"].to_pylist() == [None, None]
    assert turns["gained"].to_pylist() == [["steam", "mud"], None]


def test_a_configuration_that_cannot_be_read_is_told_and_its_numbers_may_be_in_quotes(tmp_path: Path):
    odd = of_one_run(TRIALS, True)
    odd["gpt"]["7"]["config"] = {"temperature": [1], "max_trials": 9}
    logs = read(tmp_path, odd)
    assert any("run 7: its configuration cannot be read" in note for note in logs.notes)
    assert logs.players["temperature"].to_pylist() == [None]
    odd["gpt"]["7"]["config"] = {"temperature": "0.3", "max_trials": "4"}
    assert read(tmp_path, odd).players["group"].to_pylist() == ["gpt, T=0.3"]


@pytest.mark.parametrize("layout", [{}, {"indent": 1}, {"indent": 4}, {"separators": (",", ":")}, {"indent": "\t"}])
@pytest.mark.parametrize("nested", [False, True])
def test_a_trial_that_is_there_twice_counts_once_and_the_first_is_taken(tmp_path: Path, nested: bool, layout: Any):
    trials = {
        "0": trial("water", "fire"),
        "again": trial("water", "earth", note='"0": {"first": []}'),
        "1": trial("fire", "fire"),
    }
    text = json.dumps(of_one_run(trials, nested), **layout).replace('"again"', '"0"')
    logs = read(tmp_path, text)
    assert logs.turns["second_name"].to_pylist() == ["fire", "fire"]
    assert [(one.cause, one.count) for one in logs.excluded] == [("duplicate", 1)]
    assert logs.excluded[0].examples == ("player gpt/7, trial 0: 'water' + 'earth'",)


def test_a_mark_before_the_text_and_blanks_around_it_are_no_part_of_it(tmp_path: Path):
    path = tmp_path / "logs.json"
    path.write_bytes(b"\xef\xbb\xbf \n" + json.dumps({"gpt": {"7": GOOD}}).encode() + b"\n\n")
    assert read_logs(path, WORLD, STRICT).turns.num_rows == 200


def test_a_combination_of_the_validation_experiment_that_is_none_is_counted(tmp_path: Path):
    tried = person(("water", "fire", "steam"), ("water", "fire", 3), ("water",), ("water", "water", "none"))
    logs = read(tmp_path, {"1": tried})
    assert logs.turns["trial"].to_pylist() == [0, 3]
    assert [(one.cause, one.count) for one in logs.excluded] == [("unreadable", 2)]
    assert "player 1, trial 1: Expected `str`, got `int`" in logs.excluded[0].examples[0]
    with pytest.raises(DataError, match="person 2: Expected `object`, got `null`"):
        read(tmp_path, {"1": tried, "2": None})
