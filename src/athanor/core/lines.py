"""A folder with a manifest and files of JSON lines, each appended as it comes: work that can be killed and gone on.

For work that is no play of episodes, which has `core.store`: labelling traces, looking at pictures, asking about them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any, Generic, TypeVar

import msgspec

from athanor.core.differences import refuse_differences
from athanor.core.disk import all_or_nothing, cannot, write_atomically
from athanor.core.errors import AthanorError, DataError, StoreError, UsageError
from athanor.core.records import Record
from athanor.core.store import (
    Manifest,
    RunFolder,
    drop_torn_line,
    gone_on_with,
    whole_lines,
)

R = TypeVar("R", bound=Record)


def open_folder(path: Path, manifest: Manifest, *, resume: bool, work: str) -> None:
    """Make a folder with its manifest, or see that the one to go on in was made alike.

    `work`: what is done in it, for errors, such as `a labelling`. UsageError if something is there already and `resume`
    is false, or if it was made with other settings.
    """
    file = path / "manifest.json"
    if resume and file.exists():
        try:
            stored = msgspec.json.decode(file.read_bytes(), type=Manifest)
        except msgspec.MsgspecError as error:
            raise DataError(
                f"{file} is not a manifest of this program ({error}); restore it or begin again with another --out"
            ) from error
        refuse_differences(path, stored, manifest)
        return
    refuse_file(path)
    if path.exists() and any(not f.name.startswith(".manifest.json.") for f in path.iterdir()):
        raise UsageError(
            f"{path} already holds something, an empty or new folder was expected; "
            f"pass --resume to go on with {work}, or another --out"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_atomically(file, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(f"cannot create {path}: {error.strerror or error}; pass another --out") from error


def begin_or_go_on(path: Path, manifest: Manifest) -> None:
    """Write the manifest of work in a folder, whatever else is there, or add to the one there that it is gone on with.

    UsageError if that was made with other settings, DataError if it is broken, StoreError if the disk refuses.
    """
    file = path / "manifest.json"
    if file.exists():
        stored = RunFolder[Any].read(path).manifest
        refuse_differences(path, stored, manifest)
        gone_on_with(path, stored, manifest)
        return
    try:
        with all_or_nothing() as write:
            write(file, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(cannot("create", path, error)) from error


@contextmanager
def gone_if_refused(out: Path, new: bool, *folders: str) -> Iterator[None]:
    """Removes a new folder, with those named of its folders, where a work is refused before it begins: the same one can
    be asked for again."""
    try:
        yield
    except AthanorError:
        if new:
            (out / "manifest.json").unlink(missing_ok=True)
            for name in folders:
                rmtree(out / name, ignore_errors=True)
            out.rmdir()
        raise


def refuse_launcher(work: str) -> None:
    """UsageError where a launcher began several processes for what one does."""
    many = int(os.environ.get("WORLD_SIZE", "1"))
    if many > 1:
        raise UsageError(f"{work} is carried out by one process, the launcher began {many}; run it without a launcher")


def refuse_taken(out: Path, *, resume: bool, work: str) -> None:
    """UsageError for an --out that is a file or below one, or that holds something: without --resume anything, with it
    what has no manifest.

    `work`: what is gone on with, for example `a study`.
    """
    refuse_file(out)
    holds = [file.name for file in out.iterdir() if not file.name.startswith(".manifest.json.")] if out.exists() else []
    if holds and not resume:
        raise UsageError(f"{out} already holds something; pass --resume to go on with {work}, or another --out")
    if holds and "manifest.json" not in holds:
        raise UsageError(f"{out} holds something that is not {work}, for it has no manifest.json; pass another --out")


def refuse_file(out: Path) -> None:
    """UsageError for an --out that cannot be made as a folder, since it is a file or below one."""
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not nearest.is_dir():
        where = "is a file" if nearest == out else f"cannot be made, {nearest} is a file"
        raise UsageError(f"{out} {where}, a folder to make was expected; pass another --out")


def read_lines(path: Path, kind: type[R]) -> list[R]:
    """The whole lines of a file, none if it is not there. DataError naming the line that is of another kind."""
    decoder, found = msgspec.json.Decoder(kind), list[R]()
    for number, raw in whole_lines(path):
        try:
            found.append(decoder.decode(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}:{number} is not a line of this program ({error}); restore it, or begin with another --out"
            ) from error
    return found


class LineFile(Generic[R]):
    """A file open for appending, by one process at a time. A torn last line is dropped on opening."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open(path, "ab", buffering=0)
        except OSError as error:
            raise StoreError(f"cannot open {path}: {error.strerror or error}; pass another --out") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UsageError(f"another process is writing to {path}; wait for it, or pass another --out") from error
        drop_torn_line(self._file)

    def append(self, line: R) -> None:
        """Write one line, at once. StoreError if the disk does not take it whole."""
        data = msgspec.json.encode(line) + b"\n"
        try:
            written = self._file.write(data)
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror or error}; free some and resume") from error
        if written != len(data):
            raise StoreError(f"{self.path} took {written} of {len(data)} bytes: the disk is full; free some and resume")

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> LineFile[R]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
