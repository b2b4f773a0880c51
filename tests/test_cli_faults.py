"""Disks that are full or read-only, connections that drop, and files of another kind, seen from the command line."""

from __future__ import annotations

import errno
import http.client
import io
import json
import os
from pathlib import Path

import pytest

from athanor.analysis.tables import read_run
from athanor.core.store import RunFolder
from athanor.environments.alchemy import RULES, Alchemy, Table, worlds
from athanor.environments.alchemy.environment import split_of
from athanor.environments.alchemy.loaders import to_own
from tests.conftest import shared
from tests.test_cli import athanor, play


@pytest.fixture
def world(tmp_path: Path, small) -> str:
    (tmp_path / "small.json").write_bytes(to_own(small))
    return str(tmp_path / "small.json")


def refuse_writing(monkeypatch, number: int, after: int = 0) -> None:
    """Files can no longer be written, after the first few."""
    left = [after]

    def fails(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)


FULL = (errno.ENOSPC, "No space left on device; free some space and")
READ_ONLY = (errno.EROFS, "Read-only file system; make it writable and")


@pytest.mark.parametrize(("number", "says"), [FULL, READ_ONLY])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_run_that_cannot_be_written_is_analysed_all_the_same(
    capsys, tmp_path, world, monkeypatch, number, says, after
):
    athanor(capsys, *play(world, tmp_path / "run"))
    before = sorted(os.listdir(tmp_path / "run"))
    refuse_writing(monkeypatch, number, after)
    code, told, err = athanor(capsys, "analyse", str(tmp_path / "run"), "--json")
    assert code == 0
    assert {estimate["n"] for estimate in json.loads(told) if estimate["name"] == "final inventory"} == {3}
    assert f"cannot store the tables and estimates in {tmp_path / 'run'}: {says} analyse again" in err
    assert sorted(os.listdir(tmp_path / "run")) == sorted([*before, *(["tables"] if after == 2 else [])])


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_report_on_a_full_disk_says_what_to_do_and_leaves_nothing_behind(capsys, tmp_path, world, monkeypatch, after):
    athanor(capsys, *play(world, tmp_path / "run"))
    refuse_writing(monkeypatch, errno.ENOSPC, after)
    code, told, err = athanor(capsys, "report", str(tmp_path / "run"), "--out", str(tmp_path / "reports" / "new"))
    assert (code, told) == (1, "")
    assert "No space left on device; free some space and run the command again" in err
    assert not (tmp_path / "reports").exists()


def test_a_folder_that_is_no_run_is_told_with_the_runs_below_it(capsys, tmp_path, world):
    for name in ("a", "b"):
        athanor(capsys, *play(world, tmp_path / "tour" / "runs" / name))
    for command in (["report", str(tmp_path / "tour"), "--out", str(tmp_path / "new")], ["analyse", str(tmp_path)]):
        code, _, err = athanor(capsys, *command)
        assert code == 2
        assert f"leave it out, or pass the runs below it: {tmp_path}/tour/runs/a, {tmp_path}/tour/runs/b" in err
    code, _, err = athanor(capsys, "analyse", str(tmp_path / "none"))
    assert code == 2
    assert "pass a folder made by --out" in err


MAKERS = (
    ("train", "policy", "--method", "rl"), ("train", "base-points"), ("train", "unified", "--seed", "1", "--quick"),
    ("study", "sft-vs-rl", "--setting", "smoke"), ("study", "see-and-draw", "--setting", "smoke"),
    ("study", "think-too-fast", "--setting", "smoke", "--seed", "1"), ("tour",),
    ("draw", "a red disc", "--model", "none"),
    ("train", "empowerment", "--table", "atelier", "--seed", "1"),
)  # fmt: skip


@pytest.mark.slow  # for what the commands import
@pytest.mark.parametrize("words", MAKERS, ids=" ".join)
@pytest.mark.parametrize("below", [".", "new"])
def test_a_folder_that_is_a_file_or_below_one_is_a_misuse_before_anything_is_done(capsys, tmp_path, words, below):
    (tmp_path / "file").write_text("kept")
    out = tmp_path / "file" / below
    code, told, err = athanor(capsys, *words, "--out", str(out))
    assert (code, told) == (2, "")
    assert f"{tmp_path}/file is " in err
    assert "pass another --out" in err
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(("number", "says"), [FULL, (errno.EACCES, "Permission denied; make the folder writable")])
def test_a_data_folder_that_cannot_be_written_is_a_clear_error(capsys, tmp_path, monkeypatch, number, says):
    monkeypatch.setattr(worlds, "data_folder", lambda: tmp_path / "data" / "tables")
    source = shared("little-alchemy-2-official.json")
    refuse_writing(monkeypatch, number)
    code, told, err = athanor(capsys, "fetch", "little-alchemy-2", "--from", str(source))
    assert (code, told) == (1, "")
    assert f"cannot store {tmp_path}/data/tables/little-alchemy-2.json: {says}" in err
    assert not (tmp_path / "data").exists()


class Dropped(io.BytesIO):
    """An answer whose connection drops half way through."""

    def read(self, size: int | None = -1) -> bytes:
        raise http.client.IncompleteRead(b"{", 9)


def test_a_dropped_download_is_a_clear_error(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(worlds, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: Dropped())
    code, _, err = athanor(capsys, "fetch", "little-alchemy-2")
    assert code == 1
    assert "cannot be read (IncompleteRead" in err
    assert "pass a copy with --from FILE" in err


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("return", 99.0), ("turns", 3), ("seed", 9), ("agent", "oracle"), ("end", "terminated"),
        ("episode", "0007"), ("task", {"environment": "alchemy", "split": "open", "key": "x", "content": {}}),
    ],
)  # fmt: skip
def test_an_ending_that_the_turns_do_not_give_is_noticed(capsys, tmp_path, world, field, value):
    run = tmp_path / "run"
    athanor(capsys, *play(world, run))
    lines = [json.loads(line) for line in (run / "episodes.jsonl").read_text().splitlines()]
    assert (lines[0]["turns"], lines[0]["end"]) == (6, "truncated")
    lines[0][field] = value
    if field == "episode":
        lines[0]["turns"] = 0
    (run / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, told, err = athanor(capsys, "check", "run", str(run))
    assert (code, "differences: 1" in told) == (1, True), told
    assert ("not this one" if field == "episode" else f"stored {field}") in err


@pytest.mark.parametrize(
    ("change", "told", "says"),
    [
        (
            lambda lines: [*lines, lines[1]],
            1,
            "episode 0001: 2 lines in episodes.jsonl, although it had ended (truncated)",
        ),
        (lambda lines: [*lines[:2], lines[2].replace("0002", "0003")], 1, "episode 0003: the run has 3 episodes"),
        (lambda lines: lines[:2], 0, ""),
    ],
)
def test_a_line_too_many_is_found_and_one_too_few_is_told(capsys, tmp_path, world, change, told, says):
    run = tmp_path / "run"
    athanor(capsys, *play(world, run))
    lines = (run / "episodes.jsonl").read_text().splitlines(keepends=True)
    (run / "episodes.jsonl").write_text("".join(change(lines)))
    turns = (run / "turns.jsonl").read_text()
    (run / "turns.jsonl").write_text(turns.replace('"episode":"0002"', '"episode":"0003"') if "0003" in says else turns)
    code, out, err = athanor(capsys, "check", "run", str(run))
    assert (code, says in err) == (told, True)
    assert ("not finished" in out) is (told == 0 or "0003" in says)


def test_an_episode_of_which_nothing_is_left_is_found(capsys, tmp_path, world):
    run = tmp_path / "run"
    athanor(capsys, *play(world, run))
    for name in ("turns", "episodes"):
        lines = (run / f"{name}.jsonl").read_text().splitlines(keepends=True)
        (run / f"{name}.jsonl").write_text("".join(line for line in lines if '"episode":"0001"' not in line))
    code, told, err = athanor(capsys, "check", "run", str(run))
    assert (code, "differences: 1" in told) == (1, True)
    assert "episode 0001: nothing of it is there, although episode 0002 has ended; play it with --resume" in err
    assert athanor(capsys, *play(world, run, "--resume"))[0] == 0
    assert athanor(capsys, "check", "run", str(run))[0] == 0


def test_an_error_that_was_tried_again_is_no_line_too_many(capsys, tmp_path, world):
    run = tmp_path / "run"
    athanor(capsys, *play(world, run))
    lines = (run / "episodes.jsonl").read_text().splitlines(keepends=True)
    failed = {**json.loads(lines[0]), "turns": 2, "end": "error", "failure": {"kind": "E", "message": "m"}}
    (run / "episodes.jsonl").write_text("".join([json.dumps(failed) + "\n", *lines]))
    assert athanor(capsys, "check", "run", str(run))[0] == 0


def test_a_run_given_twice_is_a_misuse(capsys, tmp_path, world):
    run = tmp_path / "run"
    athanor(capsys, *play(world, run))
    again = f"{tmp_path}/x/../run"
    (tmp_path / "x").mkdir()
    for more in ([], ["--regression", "uncertainty"]):
        for other in (str(run), again):
            code, _, err = athanor(capsys, "analyse", str(run), other, *more)
            assert code == 2
            assert f"{run} was given twice (as {other}), once was expected" in err
    assert athanor(capsys, "report", str(run), again, "--out", str(tmp_path / "out"))[0] == 2


def test_the_turns_of_an_unfinished_run_are_checked_and_told(capsys, tmp_path, world):
    run = tmp_path / "run"
    athanor(capsys, *play(world, run))
    (run / "episodes.jsonl").write_bytes(b"")
    turns = (run / "turns.jsonl").read_text()
    (run / "turns.jsonl").write_text("".join(turns.splitlines(keepends=True)[:4]))
    code, told, _ = athanor(capsys, "check", "run", str(run))
    assert code == 0
    assert "(3 of 3 not finished), 4 turns replayed, differences: 0" in told
    (run / "turns.jsonl").write_text(turns.replace('"reward":0.0', '"reward":1.0', 1))
    code, told, _ = athanor(capsys, "check", "run", str(run))
    assert (code, "differences: 1" in told) == (1, True)


def test_a_run_of_another_kind_is_refused_by_name(capsys, tmp_path, manifest):
    RunFolder.create(tmp_path / "run", manifest).close()
    code, _, err = athanor(capsys, "check", "run", str(tmp_path / "run"))
    assert code == 2
    assert "a run of 'test' whose manifest does not say how alchemy was played (no table, rules" in err


def test_repeated_tasks_are_told_and_can_be_told_apart(capsys, tmp_path, world, small):
    options = play(world, tmp_path / "run", "--split", "train")
    code, _, err = athanor(capsys, *options)
    assert (code, "not independent" in err) == (0, False)
    goals = len(list(Alchemy(table=small, rules=RULES["strict"]).tasks("train", 1)))
    options = play(world, tmp_path / "more", "--split", "train")
    options[options.index("--episodes") + 1] = str(2 * goals)
    code, _, err = athanor(capsys, *options)
    assert code == 0
    assert f"split train has {goals} tasks, {2 * goals} episodes play each about 2.0 times" in err
    keys = read_run(tmp_path / "more").episodes["task"].to_pylist()
    assert (len(keys), len(set(keys))) == (2 * goals, goals)


def test_a_split_without_tasks_is_a_misuse(capsys, tmp_path):
    table = Table(name="one", elements=("a", "b", "c"), base=("a", "b"), results={("a", "b"): ("c",)})
    (tmp_path / "one.json").write_bytes(to_own(table))
    empty = "test" if split_of("c") == "train" else "train"
    code, _, err = athanor(capsys, *play(str(tmp_path / "one.json"), tmp_path / "run", "--split", empty))
    assert code == 2
    assert f"table one has no task of the split {empty}; pass --split open" in err


def test_a_table_in_which_every_pair_makes_something_is_checked(capsys, tmp_path):
    pairs = [(a, b) for a in "abc" for b in "abc" if a <= b]
    table = Table(name="rich", elements=("a", "b", "c"), base=("a", "b"), results=dict.fromkeys(pairs, ("c",)))
    (tmp_path / "rich.json").write_bytes(to_own(table))
    code, told, _ = athanor(capsys, "check", "alchemy", "--table", str(tmp_path / "rich.json"))
    assert (code, "complaints: 0" in told) == (0, True)
