"""Tar files in WebDataset's convention, read by place: members that lie side by side and share a name up to its first
dot are one sample, and what follows the dot says what each holds.

Nothing is unpacked: a member is so many bytes at a place, its name says no more than which sample it is of, and links,
devices and sparse files are passed over. The standard library parses the headers.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from athanor.core.disk import cannot, write_atomically
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.core.progress import progress
from athanor.environments.scenes.drawing import png
from athanor.training import checkpoint
from athanor.training.unified.lessons import Example

PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff")
KINDS = ("picture", "txt", "json")
"""What is read of a sample: a picture, its caption or a text, and everything as a `Description`."""
KIND = "index of a shard"
BLOCK = tarfile.BLOCKSIZE
TORN, NONE = "it ends within a member", "it has no samples"
NO_END = "after the last member there is neither another nor the end of the archive"
HEADER = 1 << 20
"""Bytes of a header, at most; one that is longer is made to fill memory."""
_SAMPLE = re.compile(r"((?:.*/)?[^./]+)\.([^/]+)")


class Place(NamedTuple):
    """Where a member's bytes lie in its file."""

    offset: int
    size: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Shard:
    """A tar file's samples, as places."""

    path: Path
    places: NDArray[np.int64]
    """Int["samples kinds 2"]: offset and size of each of KINDS, 0 and -1 where there is none."""
    fault: str = ""
    """Why the file has fewer samples than it should, if it has: it could not be read to its end, or has none."""

    def __len__(self) -> int:
        return len(self.places)

    def place(self, sample: int, kind: str) -> Place | None:
        offset, size = self.places[sample, KINDS.index(kind)].tolist()
        return None if size < 0 else Place(offset, size)


class _Headers:
    """A file for `tarfile`, which reads headers of it and nothing that is large."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER:
            raise tarfile.ReadError(f"a header says that it has {size:,} bytes, {HEADER:,} at most were expected")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def scanned(paths: Sequence[Path], cache: Path | None = None) -> list[Shard]:
    """The shards of some files, and of all `.tar` files in some folders, in the order of their names in each.

    `cache`: a folder where what was found is kept, and read from if the files did not change. Errors as `scan`;
    DataError if there is no shard. Shards at fault are told on standard error.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.tar")) if path.is_dir() else [path])]
    if not files:
        raise DataError(f"{', '.join(map(str, paths))} has no .tar file; pass shards, or folders that have some")
    with progress(len(files), "shards", "index") as bar:
        found = []
        for file in files:
            found.append(_kept(file, cache))
            bar.update()
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    for shard in found if not distributed or torch.distributed.get_rank() == 0 else ():
        if shard.fault:
            print(f"the shard {shard.path} is at fault ({shard.fault}): {len(shard)} samples of it are used; copy it "
                  "again, or leave it out", file=sys.stderr)  # fmt: skip
    return found


def _kept(file: Path, cache: Path | None) -> Shard:
    if cache is None or not file.is_file():
        return scan(file)
    about = file.stat()
    name = hashlib.sha256(json.dumps([str(file.resolve()), about.st_size, about.st_mtime_ns]).encode()).hexdigest()
    path = cache / f"{name[:32]}.safetensors"
    if path.is_file():
        tensors, told = checkpoint.read(path, KIND)
        return Shard(path=file, places=tensors["places"].numpy(), fault=told["fault"])
    shard = scan(file)
    checkpoint.write(path, {"places": torch.from_numpy(shard.places)}, {"kind": KIND, "fault": shard.fault})
    return shard


def scan(path: Path) -> Shard:
    """The samples of a tar file, up to where it is torn. DataError if it is none, is compressed, or cannot be read."""
    found: list[dict[str, Place]] = []
    try:
        with open(path, "rb") as file:
            end = file.seek(0, 2)
            file.seek(0)
            fault = _members(file, end, found)
    except OSError as error:
        raise DataError(f"the shard {path} cannot be read ({error.strerror or error}); pass one that can") from error
    if fault and not found:
        raise DataError(f"the shard {path} is no tar file that can be read ({fault}); pass uncompressed .tar files")
    fault = fault or ("" if found else NONE)
    places = np.full((len(found), len(KINDS), 2), (0, -1), np.int64)
    for row, sample in zip(places, found, strict=True):
        for kind, place in sample.items():
            row[KINDS.index(kind)] = place
    return Shard(path=path, places=places, fault=fault)


def _members(file: IO[bytes], end: int, found: list[dict[str, Place]]) -> str:
    """Put the samples of a file of `end` bytes into `found`; why it could not be read further, if it could not."""
    last = None
    try:
        with tarfile.open(fileobj=_Headers(file), mode="r:") as tar:  # pyright: ignore[reportArgumentType, reportCallIssue]
            for member in tar:
                tar.members = []  # the library would keep them all
                if member.offset_data + max(member.size, 0) > end:
                    return TORN
                parts = _SAMPLE.fullmatch(member.name)
                if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None or not parts:
                    continue
                if parts[1] != last:
                    found.append({})
                    last = parts[1]
                kind = _kind(parts[2].lower())
                if kind and kind not in found[-1]:
                    found[-1][kind] = Place(member.offset_data, member.size)
            file.seek(tar.offset)  # the library takes anything that is no header for the end
            if file.read(BLOCK) != bytes(BLOCK):
                return NO_END
    except (tarfile.TarError, ValueError, OverflowError, UnicodeError, RecursionError, EOFError) as error:
        return re.sub(r"\s+", " ", str(error))[:200] or type(error).__name__
    return ""


def _kind(ending: str) -> str | None:
    return "picture" if ending in PICTURES else ending if ending in ("txt", "json") else None


def write(folder: Path, examples: Iterable[Example], *, each: int = 1_000) -> list[Path]:
    """Write examples as shards of `each` samples: NUMBER.png, .txt for the prompt, .json for the rest. The same
    examples give the same bytes. UsageError if a file is there already or if there is no example; StoreError if the
    disk refuses.
    """
    made: list[Path] = []
    rest = iter(examples)
    while some := list(islice(rest, each)):
        path = folder / f"{len(made):06d}.tar"
        if path.exists():
            raise UsageError(f"{path} is there already; pass another folder")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for k, example in enumerate(some, len(made) * each):
                for ending, data in _members_of(example):
                    member = tarfile.TarInfo(f"{k:09d}.{ending}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, buffer.getvalue())
        except OSError as error:
            raise StoreError(cannot("write", path, error)) from error
        made.append(path)
    if not made:
        raise UsageError("there is no example to write; pass at least one")
    return made


def _members_of(example: Example) -> Iterator[tuple[str, bytes]]:
    if example.picture is not None:
        yield "png", png(example.picture)
    if example.prompt is not None:
        yield "txt", example.prompt.encode()
    told = {
        "text": example.text, "category": example.category,
        "questions": [{"question": one.question, "answer": one.answer} for one in example.questions],
    }  # fmt: skip
    yield "json", json.dumps({name: value for name, value in told.items() if value}).encode()
