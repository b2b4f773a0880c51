from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from athanor.core.disk import write_atomically
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.core.records import Completion, Episode, Failure, Task, TokenLogprob, Turn, Unreadable, Verdict
from athanor.core.store import RunFolder
from athanor.environments.alchemy import Pair

TASK = Task(environment="alchemy", split="open", key="open", content={"table": "t", "start": ["a"], "goal": ""})


def turn(index: int, action=None, completion=None) -> Turn[Pair]:
    verdict = Verdict(reward=1.0, passed=True, reason="a + b makes c", parts={"category": "success-new", "new": ["c"]})
    return Turn(
        index=index,
        observation=None,
        action=action or Pair(first="a", second="b"),
        verdict=verdict,
        completion=completion,
        seconds=0.25,
    )


def episode(turns, key="0000", end="truncated", failure=None) -> Episode[Pair]:
    return Episode(key=key, task=TASK, agent="x", seed=1, build="b", turns=tuple(turns), end=end, failure=failure)


def write(folder: RunFolder[Pair], *episodes: Episode[Pair]) -> None:
    for one in episodes:
        for each in one.turns:
            folder.turn(one.key, each)
        folder.episode(one)


def test_what_is_read_back_is_what_was_written(tmp_path: Path, manifest):
    completion = Completion(
        text="a + b\n<script>\u2028\x00", model="m", reasoning="hm", prompt_tokens=3, cached_tokens=0, cost=0.5,
        logprobs=(TokenLogprob(token="a", logprob=-0.5, top=(("b", -1.0),)),),
    )  # fmt: skip
    written = [
        episode([turn(0, completion=completion), turn(1, action=Unreadable(unreadable='no "pair"'))]),
        episode([], key="0001", end="error", failure=Failure(kind="BackendError", message="down")),
    ]
    folder: RunFolder[Pair] = RunFolder.create(tmp_path / "run", manifest)
    write(folder, *written)
    folder.close()
    again: RunFolder[Pair] = RunFolder.read(tmp_path / "run")
    assert list(again.episodes(Pair)) == written
    assert again.manifest == manifest


def test_a_run_folder_that_exists_is_refused(tmp_path: Path, manifest):
    RunFolder.create(tmp_path / "run", manifest).close()
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    with pytest.raises(UsageError, match="already holds an existing run.*--resume"):
        RunFolder.create(tmp_path / "run", manifest)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="already holds something else"):
        RunFolder.create(tmp_path / "other", manifest)
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before
    assert os.listdir(tmp_path / "other") == ["thesis.txt"]


def test_a_resumed_run_must_be_configured_as_it_was(tmp_path: Path, manifest):
    RunFolder.create(tmp_path / "run", manifest).close()
    with pytest.raises(UsageError, match="seed was 0 and is now 1"):
        RunFolder.resume(tmp_path / "run", replace(manifest, config={"seed": 1}))
    with pytest.raises(UsageError, match=r"made from other data: the table has SHA-256 f…, no file was expected"):
        RunFolder.resume(tmp_path / "run", replace(manifest, hashes={"table": "f"}))
    RunFolder.resume(tmp_path / "run", replace(manifest, execution={"threads": 2})).close()


def test_of_groups_of_settings_what_differs_is_told_alone(tmp_path: Path, manifest):
    old = replace(manifest, config={"seed": 0, "tuning": {"rate": 0.1, "lora": {"rank": 8, "alpha": 16}}})
    RunFolder.create(tmp_path / "run", old).close()
    new = replace(manifest, config={"seed": 0, "tuning": {"rate": 0.1, "lora": {"rank": 4, "alpha": 16}}})
    with pytest.raises(UsageError, match=r"made with other settings: tuning.lora.rank was 8 and is now 4; resume"):
        RunFolder.resume(tmp_path / "run", new)


@pytest.mark.parametrize("torn", [b"{", b'{"episode":"0000","index":1', b'{"episode":"0000","index":1}'])
def test_a_torn_last_line_is_dropped_on_reading_and_on_resuming(tmp_path: Path, manifest, torn: bytes):
    folder: RunFolder[Pair] = RunFolder.create(tmp_path / "run", manifest)
    folder.turn("0000", turn(0))
    folder.close()
    file = tmp_path / "run" / "turns.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + torn)
    assert len(RunFolder.read(tmp_path / "run").turns(Pair)["0000"]) == 1
    again: RunFolder[Pair] = RunFolder.resume(tmp_path / "run", manifest)
    assert file.read_bytes() == whole
    again.turn("0000", turn(1))
    again.close()
    assert [t.index for t in RunFolder.read(tmp_path / "run").turns(Pair)["0000"]] == [0, 1]


def test_a_torn_first_line_leaves_an_empty_file(tmp_path: Path, manifest):
    RunFolder.create(tmp_path / "run", manifest).close()
    (tmp_path / "run" / "turns.jsonl").write_bytes(b"x" * 200_000)
    RunFolder.resume(tmp_path / "run", manifest).close()
    assert (tmp_path / "run" / "turns.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (b"not json\n", r"turns.jsonl:1 is not a line"),
        (b'{"episode":"0000","index":4,"action":{},"verdict":{}}\n', r"turns.jsonl:1 is not a line"),
        (
            b'{"episode":"0000","index":4,"action":{"first":"a","second":"b"},'
            b'"verdict":{"reward":0,"passed":false,"reason":""}}\n',
            "turn 4 of episode 0000, turn 0 was expected",
        ),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path: Path, manifest, lines: bytes, says: str):
    RunFolder.create(tmp_path / "run", manifest).close()
    (tmp_path / "run" / "turns.jsonl").write_bytes(lines)
    with pytest.raises(DataError, match=says):
        RunFolder.read(tmp_path / "run").turns(Pair)


def test_turns_missing_from_an_ended_episode_are_noticed(tmp_path: Path, manifest):
    folder: RunFolder[Pair] = RunFolder.create(tmp_path / "run", manifest)
    folder.turn("0000", turn(0))
    folder.episode(episode([turn(0), turn(1)]))
    folder.close()
    with pytest.raises(DataError, match="has 1 turns of episode 0000, 2 were expected"):
        list(RunFolder.read(tmp_path / "run").episodes(Pair))


def test_an_episode_retried_after_an_error_counts_once(tmp_path: Path, manifest):
    folder: RunFolder[Pair] = RunFolder.create(tmp_path / "run", manifest)
    write(folder, episode([turn(0)], end="error", failure=Failure(kind="E", message="m")))
    folder.turn("0000", turn(1))
    reader: RunFolder[Pair] = RunFolder.read(tmp_path / "run")
    assert [len(e.turns) for e in reader.episodes(Pair)] == [1]
    folder.episode(episode([turn(0), turn(1)]))
    folder.close()
    assert list(reader.episodes(Pair)) == [episode([turn(0), turn(1)])]


def test_two_processes_cannot_write_one_run(tmp_path: Path, manifest):
    folder: RunFolder[Pair] = RunFolder.create(tmp_path / "run", manifest)
    with pytest.raises(UsageError, match="another process is writing"):
        RunFolder.resume(tmp_path / "run", manifest)
    folder.close()
    RunFolder.resume(tmp_path / "run", manifest).close()


def test_a_folder_without_a_manifest_or_of_another_schema_is_refused(tmp_path: Path, manifest):
    with pytest.raises(UsageError, match=r"has no manifest.json"):
        RunFolder.read(tmp_path)
    RunFolder.create(tmp_path / "run", manifest).close()
    file = tmp_path / "run" / "manifest.json"
    file.write_bytes(file.read_bytes().replace(b'"schema": 1', b'"schema": 99'))
    with pytest.raises(DataError, match="has schema 99, this program reads schema 1"):
        RunFolder.read(tmp_path / "run")
    file.write_bytes(b"[")
    with pytest.raises(DataError, match="is not a manifest"):
        RunFolder.read(tmp_path / "run")


FILLS = """
import resource, sys
from pathlib import Path
from tests.core.test_store import turn
from athanor.core.store import Manifest, RunFolder
manifest = Manifest(kind="test", config={}, build="b", versions={}, hashes={}, label="", created="")
folder = RunFolder.create(Path(sys.argv[1]), manifest)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
for index in range(100):
    folder.turn("0000", turn(index))
"""


def test_a_disk_that_fills_up_says_what_to_do_and_keeps_every_whole_turn(tmp_path: Path):
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", FILLS, str(tmp_path / "run")], capture_output=True, text=True, cwd=root, check=False
    )
    assert "StoreError" in ran.stderr
    assert "go on with --resume: every whole turn is kept" in ran.stderr
    lines = (tmp_path / "run" / "turns.jsonl").read_bytes().split(b"\n")
    kept = RunFolder.read(tmp_path / "run").turns(Pair)["0000"]
    assert len(kept) == len(lines) - 1 > 5
    assert kept == [turn(index) for index in range(len(kept))]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch):
    file = tmp_path / "m.json"
    write_atomically(file, b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.json"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(manifest, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot create .*; pass an --out that can be written"):
        RunFolder.create(tmp_path / "file" / "run", manifest)


def test_stored_lines_explain_themselves(tmp_path: Path, manifest):
    folder: RunFolder[Pair] = RunFolder.create(tmp_path / "run", manifest)
    write(folder, episode([turn(0)]))
    folder.close()
    stored = msgspec.json.decode((tmp_path / "run" / "episodes.jsonl").read_bytes())
    assert stored["return"] == 1.0
    assert stored["task"]["key"] == "open"


class Halved:
    """A file whose n-th write takes only half, as on a disk that fills up; later ones succeed again."""

    def __init__(self, file, n: int) -> None:
        self._file, self._left, self.name = file, n, file.name

    def write(self, data: bytes) -> int:
        self._left -= 1
        return self._file.write(data[: len(data) // 2] if self._left == 0 else data)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


def test_after_a_short_write_nothing_is_glued_to_it_and_the_run_goes_on_with_resume(tmp_path: Path, manifest):
    folder: RunFolder[Pair] = RunFolder.create(tmp_path / "run", manifest)
    assert folder._files
    folder._files = (Halved(folder._files[0], 3), folder._files[1])  # type: ignore[assignment]
    folder.turn("0000", turn(0))
    folder.turn("0001", turn(0))
    with pytest.raises(StoreError, match="took only .* the disk is full; free some space and go on with --resume"):
        folder.turn("0000", turn(1))
    for late in (lambda: folder.turn("0001", turn(1)), lambda: folder.episode(episode([turn(0)], key="0001"))):
        with pytest.raises(StoreError, match="the disk is full"):
            late()
    folder.close()
    again: RunFolder[Pair] = RunFolder.resume(tmp_path / "run", manifest)
    assert {key: len(turns) for key, turns in again.turns(Pair).items()} == {"0000": 1, "0001": 1}
    assert (tmp_path / "run" / "turns.jsonl").read_bytes().endswith(b"}\n")
    assert again.ended() == {}
    again.close()


@pytest.mark.parametrize("attempt", [0, 1, 2])
def test_a_run_folder_that_a_full_disk_cuts_short_leaves_nothing_behind(tmp_path: Path, manifest, monkeypatch, attempt):
    left = [attempt]

    def full(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "mine").mkdir()
    with pytest.raises(StoreError, match="cannot create .*: No space left on device; free some space and run the comm"):
        RunFolder.create(tmp_path / "mine" / "runs" / "a", manifest)
    assert os.listdir(tmp_path / "mine") == []
