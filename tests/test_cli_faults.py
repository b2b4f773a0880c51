"""Disks that are full or read-only, connections that drop, and files of another kind, seen from the command line."""

from __future__ import annotations

import errno
import http.client
import io
import json
import os
from pathlib import Path

import pytest

from athanor.environments.alchemy import worlds
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
