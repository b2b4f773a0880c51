"""The reasoning in published logs: from their JSON to passages, and the whole command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from athanor.analysis.logs.pan2025 import read_pan2025, read_reasons
from athanor.analysis.traces import traces_of, traces_of_logs
from athanor.commands.label import Config, run
from athanor.core.errors import DataError, UsageError
from athanor.models.backends import BackendConfig
from tests.analysis.logs.forms import CONFIG, CSV, person, trial, written
from tests.analysis.traces.test_label_command import THREE

THOUGHT = "I want much. Water flows. I choose water + fire."


def thought(reason: Any = THOUGHT, **more: Any) -> Any:
    return trial("water", "fire", 1, "steam", reason=reason, **more)


def logs(path: Path) -> Path:
    """Two models in one file; of the first, run 7 has five turns of which one has no record and one no text."""
    cold = CONFIG | {"temperature": 0.0, "max_trials": 5}
    warm = CONFIG | {"model": "r1", "max_trials": None}
    return written(path, {
        "gpt": {"7": {"0": thought(config=cold), "2": thought("Fire."), "3": thought(None), "4": thought(" -- ")},
                "8": {"config": cold | {"max_trials": 1}, "results": {"0": thought("Fire. Ash.")}}},
        "r1": {"7": {"1": thought(config=warm), "0": thought("Mud!")}},
    })  # fmt: skip


def test_the_texts_of_the_records_are_traces_and_every_other_turn_is_one_without(tmp_path: Path):
    traces = traces_of(logs(tmp_path / "logs.json"))
    assert [passage.key for passage in traces.passages] == [
        "gpt/7/0000", "gpt/7/0002", "gpt/8/0000", "r1/7/0000", "r1/7/0001",
    ]  # fmt: skip
    assert traces.passages[0].sentences == ("I want much.", "Water flows.", "I choose water + fire.")
    assert {passage.cut for passage in traces.passages} == {None}
    assert traces.empty == {"gpt/7": 3, "gpt/8": 0, "r1/7": 0}
    assert traces.groups == {"gpt/7": "gpt, T=0", "gpt/8": "gpt, T=0", "r1/7": "r1, T=0.7"}
    assert (traces.label, traces.source, traces.excluded) == ("logs.json", "logged", 0)


def test_players_and_groups_are_those_of_the_turns(tmp_path: Path):
    path = logs(tmp_path / "logs.json")
    players = read_pan2025(path).players
    found = read_reasons(path)
    assert [(one.id, one.group) for one in found] == list(
        zip(players["id"].to_pylist(), players["group"].to_pylist(), strict=True)
    )


def test_of_two_records_of_a_trial_the_first_counts_and_a_text_that_is_none_is_nothing(tmp_path: Path):
    record = json.dumps(thought("One."))
    other = json.dumps(thought("Two."))
    text = f'{{"gpt": {{"1": {{"0": {record}, "0": {other}, "1": {json.dumps(thought([1, "a"]))}, "x": {record}}}}}}}'
    (one,) = read_reasons(written(tmp_path / "logs.json", text))
    assert (one.reasons, one.played) == ({0: "One."}, 2)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.json", {"gpt": {"1": {"0": trial("water", "fire"), "1": trial("water", "fire", reason=None)}}},
            r"has no reasoning: none of its 2 turns has a text under `reason`; pass the logs of a condition"),
        ("people.csv", CSV, "is the CSV logs of people.*, which has no reasoning; pass a run folder, or the JSON logs"),
        ("ratings.json", {"1": person(("water", "fire", "none"))}, "the validation experiment.* has no reasoning"),
    ],
)  # fmt: skip
def test_logs_without_a_text_are_told_so(tmp_path: Path, name: str, content: Any, says: str):
    with pytest.raises(UsageError, match=says):
        traces_of_logs(written(tmp_path / name, content))


def test_a_path_that_is_not_there_a_source_beside_a_file_and_a_torn_file_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="does not exist, a run folder or a file of logs was expected"):
        traces_of(tmp_path / "nothing.json")
    path = logs(tmp_path / "logs.json")
    with pytest.raises(UsageError, match="--source text has no effect with .*logs.json, which has one text a turn"):
        traces_of(path, "text")
    with pytest.raises(DataError, match="the file ends before it is whole"):
        traces_of(written(tmp_path / "torn.json", path.read_text()[:-30]))


def labelling(tmp_path: Path, **options: Any) -> Config:
    file = written(tmp_path / "script.json", THREE)
    return Config(
        run=logs(tmp_path / "logs.json"), model=str(file), out=tmp_path / "out", json=True,
        backend=BackendConfig(backend="scripted"), **options,
    )  # fmt: skip


def test_the_command_labels_each_model_apart_and_what_the_logs_do_not_say_is_unknown(tmp_path: Path, capsys):
    assert run(labelling(tmp_path)) == 0
    found = {(e["group"], e["name"]): e for e in json.loads(capsys.readouterr().out)}
    assert found["gpt, T=0", "share of turns without a trace"]["value"] == pytest.approx((3 / 5 + 0) / 2)
    assert found["r1, T=0.7", "share of turns without a trace"]["value"] == 0
    assert found["gpt, T=0", "sentences per trace"]["value"] == 2  # 3 and 1 of one run, 2 of the other
    for name in ("share of traces cut", "sentences per trace that was not cut", "tokens per trace"):
        one = found["gpt, T=0", name]
        assert (one["value"], one["n"], one["excluded"]) == (None, 0, 2)
    sentences = pq.read_table(tmp_path / "out" / "tables" / "sentences.parquet")
    assert sentences["group"].to_pylist() == ["gpt, T=0"] * 6 + ["r1, T=0.7"] * 4
    moves = pq.read_table(tmp_path / "out" / "tables" / "transitions.parquet").to_pylist()
    ends = [row for row in moves if row["to"] == "end" and row["reading"] == "blocks"]
    assert sum(row["count"] for row in ends) == 0  # where a trace may be cut, its end is not known
    assert {row["group"] for row in moves} == {"gpt, T=0", "r1, T=0.7"}


def test_the_command_goes_on_with_logs_and_refuses_others_in_their_place(tmp_path: Path, capsys):
    assert run(labelling(tmp_path)) == 0
    first = capsys.readouterr().out
    assert run(labelling(tmp_path, resume=True)) == 0
    assert capsys.readouterr().out == first
    config = labelling(tmp_path, resume=True)
    config.run.write_text(config.run.read_text().replace("Water flows.", "Water runs."))
    with pytest.raises(UsageError, match="sentences that are no longer those of the trace"):
        run(config)
