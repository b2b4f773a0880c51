"""Writing files whole or not at all, and what to tell a user whose disk refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from athanor.core.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, replacing what was there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def cannot(
    do: str,
    path: Path,
    error: OSError,
    *,
    elsewhere: str = "pass an --out that can be written",
    again: str = "run the command again",
) -> str:
    """What an OSError means to a user: to free space and do it `again` where the disk is full, else `elsewhere`."""
    advice = f"free some space and {again}" if error.errno in _FULL else elsewhere
    return f"cannot {do} {path}: {error.strerror or error}; {advice}"


@contextmanager
def writing(path: Path, *, again: str = "run the command again") -> Iterator[None]:
    """StoreError, with what to do, for an OSError of what is done inside, which writes to a path."""
    try:
        yield
    except OSError as error:
        raise StoreError(cannot("write", path, error, again=again)) from error


@contextmanager
def all_or_nothing() -> Iterator[Callable[[Path, bytes], None]]:
    """Gives a function that writes files, each whole, and makes their folders. If an OSError or a StoreError ends the
    block, the files and folders that were not there before are removed again.
    """
    new: list[Path] = []

    def write(path: Path, data: bytes) -> None:
        for folder in reversed([parent for parent in path.parents if not parent.exists()]):
            folder.mkdir(exist_ok=True)
            new.append(folder)
        existed = path.exists()
        write_atomically(path, data)
        if not existed:
            new.append(path)

    try:
        yield write
    except (OSError, StoreError):
        for path in reversed(new):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise
