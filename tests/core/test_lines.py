"""Folders of work that can be gone on with: what is refused, and what their manifest says."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from athanor.core.errors import StoreError, UsageError
from athanor.core.lines import begin_or_go_on, open_folder, refuse_taken
from athanor.core.store import RunFolder


def test_an_out_that_holds_something_else_is_refused_and_one_that_is_gone_on_with_is_not(tmp_path: Path, manifest):
    out = tmp_path / "out"
    refuse_taken(out, resume=False, work="a study")
    refuse_taken(out, resume=True, work="a study")
    out.mkdir()
    (out / ".manifest.json.17").write_text("torn")  # as a kill half way through leaves it
    refuse_taken(out, resume=False, work="a study")
    (out / "notes").write_text("mine")
    with pytest.raises(UsageError, match="pass --resume to go on with a study, or another --out"):
        refuse_taken(out, resume=False, work="a study")
    with pytest.raises(UsageError, match="holds something that is not a study, for it has no manifest.json"):
        refuse_taken(out, resume=True, work="a study")
    begin_or_go_on(out, manifest)
    refuse_taken(out, resume=True, work="a study")


@pytest.mark.parametrize("below", [".", "new", "new/and/newer"])
def test_an_out_that_is_a_file_or_below_one_is_refused(tmp_path: Path, manifest, below: str):
    (tmp_path / "file").write_text("kept")
    out = tmp_path / "file" / below
    for refused in (
        lambda: refuse_taken(out, resume=True, work="a study"),
        lambda: open_folder(out, manifest, resume=False, work="a study"),
    ):
        with pytest.raises(UsageError, match=f"{tmp_path}/file is a file, a folder to make was expected"):
            refused()


def test_a_manifest_says_when_its_folder_was_gone_on_with(tmp_path: Path, manifest):
    begin_or_go_on(tmp_path / "run", manifest)
    later = msgspec.structs.replace(manifest, created="later", execution={"command": "again"})
    begin_or_go_on(tmp_path / "run", later)
    stored = RunFolder[Any].read(tmp_path / "run").manifest
    assert msgspec.structs.replace(stored, resumptions=()) == manifest
    assert [(one["at"], one["execution"]) for one in stored.resumptions] == [("later", {"command": "again"})]
    with pytest.raises(UsageError, match="was made by"):
        begin_or_go_on(tmp_path / "run", msgspec.structs.replace(manifest, kind="other"))


def test_a_full_disk_leaves_no_folder_behind(tmp_path: Path, manifest, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device; free some space and run the command again"):
        begin_or_go_on(tmp_path / "a" / "run", manifest)
    assert not (tmp_path / "a").exists()
