"""A folder with a manifest and files of JSON lines, each appended as it comes: work that can be killed and gone on.

For work that is no play of episodes, which has `core.store`: labelling traces, looking at pictures, asking about them.
"""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from athanor.core.disk import write_atomically
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.core.records import Record
from athanor.core.store import Manifest, drop_torn_line, refuse_difference, whole_lines

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
        for what in ("kind", "config", "hashes"):
            refuse_difference(path, what, getattr(stored, what), getattr(manifest, what))
        return
    if path.exists() and (not path.is_dir() or any(not f.name.startswith(".manifest.json.") for f in path.iterdir())):
        raise UsageError(
            f"{path} already holds something, an empty or new folder was expected; "
            f"pass --resume to go on with {work}, or another --out"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_atomically(file, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(f"cannot create {path}: {error.strerror or error}; pass another --out") from error


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
