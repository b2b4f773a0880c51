"""Labelling passages: what is asked, what is kept when it goes wrong, and going on after a kill."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from athanor.analysis.traces import LABELS, LabelFile, Labeller, gold, label_all, read_labels
from athanor.core.errors import BackendError, DataError, StoreError, UsageError
from athanor.core.lines import open_folder
from athanor.core.store import Manifest
from athanor.models.backends.scripted import Scripted
from tests.analysis.traces.small import Puppet, into, label, passage, right


def test_a_passage_is_labelled_in_one_request_and_its_cost_is_recorded() -> None:
    backend = Puppet()
    line = label(backend, passage(3))
    assert line.labels == (LABELS[1], LABELS[2], LABELS[3])
    assert (line.calls, line.model, line.cost, line.prompt_tokens, line.seconds) == (1, "puppet-1", 0.25, 100, 0.5)
    assert (line.cause, line.failed) == ("", False)


def test_a_scripted_backend_can_label() -> None:
    backend = Scripted(("1: state_goal\n2: final_choice",))
    assert label(backend, passage(2)).labels == ("state_goal", "final_choice")
    several = Scripted(("1: state_goal\n2: final_choice", "1: outcome_prediction", "1: state_goal\n2: \n3: state_goal"))
    found = {label(several, passage(2, key=f"p{n}")).labels for n in range(30)}
    assert ("state_goal", "final_choice") in found
    assert (
        None,
        None,
    ) in found  # each request's seed picks a reply, and one that labels what is not there counts nothing


def test_every_request_has_a_seed_of_its_own() -> None:
    backend = Puppet()
    for key in ("p", "q"):
        label(backend, passage(95, key=key), block=40)
    assert len({sampling.seed for _, sampling in backend.asked}) == len(backend.asked) == 6


def test_a_long_passage_takes_one_request_a_block() -> None:
    backend = Puppet()
    line = label(backend, passage(95), block=40)
    assert line.calls == len(backend.asked) == 3
    assert line.labels == tuple(LABELS[n % 7] for n in range(1, 96))


def test_a_bad_answer_is_asked_about_once_more_for_what_is_missing() -> None:
    backend = Puppet(lambda numbers, request: "1: state_goal\n2: nonsense" if request == 0 else right(numbers, 1))
    line = label(backend, passage(3), constrained=True)
    assert line.labels == ("state_goal", LABELS[2], LABELS[3])
    assert (line.calls, line.cost, line.cause) == (2, 0.5, "")
    grammars = [sampling.grammar or "" for _, sampling in backend.asked]
    assert '"1: "' in grammars[0]
    assert '"1: "' not in grammars[1]


def test_what_stays_bad_is_unlabelled_and_never_guessed() -> None:
    line = label(Puppet(lambda numbers, request: "1: state_goal\n2: nonsense\n3: "), passage(3))
    assert line.labels == ("state_goal", None, None)
    assert line.unlabelled == 2
    assert line.calls == 2
    assert not line.failed
    assert "sentence 2 is labelled 'nonsense'" in line.cause


def test_a_failed_backend_leaves_the_passage_unlabelled_with_its_cause() -> None:
    line = label(Puppet(lambda numbers, request: ConnectionError("gone")), passage(2))
    assert line.labels == (None, None)
    assert line.failed
    assert line.cause == "ConnectionError: gone"
    assert (line.calls, line.cost) == (0, None)


def test_labels_of_blocks_before_a_failure_are_kept() -> None:
    backend = Puppet(lambda numbers, request: BackendError("too long") if request else right(numbers, 0))
    line = label(backend, passage(4), block=2)
    assert line.labels == (LABELS[1], LABELS[2], None, None)
    assert line.failed


@pytest.mark.parametrize("error", [UsageError("wrong key"), StoreError("full")])
def test_an_error_of_usage_or_of_the_store_stops_the_labelling(tmp_path: Path, error: Exception) -> None:
    passages = [passage(2, key=f"p{i}") for i in range(5)]
    with pytest.raises(type(error)):
        into(tmp_path / "labels.jsonl", Puppet(lambda numbers, request: error), passages, concurrency=3)


def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="block 0"):
        Labeller(backend=Puppet(), block=0)
    with pytest.raises(UsageError, match="concurrency -1"):
        into(tmp_path / "labels.jsonl", Puppet(), [passage()], concurrency=-1)


PASSAGES = [passage(2 + i % 3, key=f"p{i}", episode=f"e{i // 2}") for i in range(5)]


@pytest.mark.parametrize("kept", range(5))
@pytest.mark.parametrize("torn", [0, 1, 40])
def test_killed_after_any_passage_it_goes_on_to_the_same_file(tmp_path: Path, kept: int, torn: int) -> None:
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    into(whole, Puppet(), PASSAGES)
    lines = whole.read_bytes().splitlines(keepends=True)
    broken.write_bytes(b"".join(lines[:kept]) + lines[kept][:torn])
    backend = Puppet()
    into(broken, backend, PASSAGES)
    assert broken.read_bytes() == whole.read_bytes()
    assert len(backend.asked) == 5 - kept


def test_passages_labelled_at_once_are_labelled_alike_and_never_more_than_asked_for(tmp_path: Path) -> None:
    working = most = 0

    class Counted(Puppet):
        async def complete(self, messages, sampling):
            nonlocal working, most
            working += 1
            most = max(most, working)
            answer = await super().complete(messages, sampling)
            working -= 1
            return answer

    one = into(tmp_path / "one.jsonl", Puppet(), PASSAGES)
    assert into(tmp_path / "many.jsonl", Counted(), PASSAGES, concurrency=3) == one
    assert most == 3


def test_a_failed_passage_is_tried_again_and_its_last_line_counts(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    flaky = Puppet(lambda numbers, request: BackendError("busy") if request == 1 else right(numbers, 0))
    assert [line.failed for line in into(file, flaky, PASSAGES).values()] == [False, True, False, False, False]
    again = Puppet()
    assert not any(line.failed for line in into(file, again, PASSAGES).values())
    assert len(again.asked) == 1


def test_a_changed_or_missing_trace_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    into(file, Puppet(), PASSAGES)
    with pytest.raises(UsageError, match="passage p1 sentences that are no longer"):
        into(file, Puppet(), [PASSAGES[0], passage(7, key="p1"), *PASSAGES[2:]])
    with pytest.raises(UsageError, match="passage p4 a trace that is not there"):
        into(file, Puppet(), PASSAGES[:4])
    assert len(into(file, Puppet(), [*PASSAGES, passage(1, key="p9")])) == 6


def settings(**options: object) -> Manifest:
    config = Labeller(backend=Puppet(), **options).settings  # type: ignore[arg-type]
    return Manifest(kind="label", config=config, build="", versions={}, hashes={}, label="", created="")


def test_another_labeller_or_another_wording_is_refused_on_resume(tmp_path: Path, monkeypatch) -> None:
    open_folder(tmp_path / "out", settings(), resume=True, work="a labelling")
    open_folder(tmp_path / "out", settings(), resume=True, work="a labelling")
    with pytest.raises(UsageError, match="block was 40 and is now 9"):
        open_folder(tmp_path / "out", settings(block=9), resume=True, work="a labelling")
    monkeypatch.setattr("athanor.analysis.traces.asking.INSTRUCTIONS", "Be brief.")
    with pytest.raises(UsageError, match="wording was"):
        open_folder(tmp_path / "out", settings(), resume=True, work="a labelling")


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="already holds something"):
        open_folder(tmp_path, settings(), resume=True, work="a labelling")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="not a manifest"):
        open_folder(tmp_path, settings(), resume=True, work="a labelling")


def test_two_processes_cannot_write_one_file(tmp_path: Path) -> None:
    with LabelFile(tmp_path / "labels.jsonl"), pytest.raises(UsageError, match="another process"):
        LabelFile(tmp_path / "labels.jsonl")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"passage": "p"}', "2 is no labelled passage"),
        ('{"passage": "p", "episode": "e", "sentences": ["A."], "labels": ["mood"]}', "mood"),
        ('{"passage": "p", "episode": "e", "sentences": ["A."], "labels": []}', "0 labels for 1 sentences"),
        ("not json", "2 is no labelled passage"),
    ],
)
def test_a_line_that_is_no_labelled_passage_is_refused_by_number(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(f'{{"passage": "a", "episode": "e", "sentences": ["A."], "labels": [null]}}\n{line}\n')
    with pytest.raises(DataError, match=said):
        read_labels(file)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.jsonl is not there"):
        read_labels(tmp_path / "nowhere.jsonl")


def test_with_hidden_reasoning_the_bound_on_tokens_can_be_raised() -> None:
    backend = Puppet()
    label(backend, passage(3), max_tokens=4000, temperature=None)
    _, sampling = backend.asked[0]
    assert (sampling.max_tokens, sampling.temperature) == (4000, None)


def test_an_empty_collection_needs_no_request(tmp_path: Path) -> None:
    backend = Puppet()
    assert into(tmp_path / "labels.jsonl", backend, []) == {}
    assert backend.asked == []


def test_the_labeller_is_not_told_the_gold_labels(tmp_path: Path) -> None:
    from athanor.analysis.traces import gold_passages

    backend = Puppet()
    with LabelFile(tmp_path / "gold.jsonl") as file:
        found = asyncio.run(label_all(gold_passages(), Labeller(backend=backend), file))
    assert found.keys() == gold().keys()
    assert len(backend.asked) == len(found)
