"""JSON files of hundreds of megabytes, read through the page cache and decoded only where asked."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from athanor.core.errors import DataError

D = TypeVar("D")
Members = list[tuple[str, msgspec.Raw]]

_NO_NUMBERS = tuple(
    re.compile(rb"%b(?<=[:,\[\s]%b)(?=\s*[,\]}])" % (word, word)) for word in (b"NaN", b"Infinity", b"-Infinity")
)
"""What Python writes and JSON does not have. Each begins with its word, so that the search skips to it."""

_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}
_MARK = b"\xef\xbb\xbf"
"""What some editors write before UTF-8 text."""

_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LAYOUT = re.compile(rb'\{([ \t\r\n]*)"[^"\\]*(?:\\.[^"\\]*)*"([ \t\r\n]*:[ \t\r\n]*)', re.DOTALL)
_SIGN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)


def opened(path: Path) -> memoryview:
    """The file's text but for blanks around it, not read before it is looked at.

    DataError if there is none, or the file is packed or no text.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(1000)
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if head else memoryview(b"")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); pass a file of logs") from error
    if not head.strip():
        raise DataError(f"{path} is empty, logged play was expected; write or copy it again")
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise DataError(f"{path} is packed with {name}, its content was expected; unpack it first")
    if b"\0" in head:
        raise DataError(f"{path} has bytes that are no text; a JSON, CSV or Parquet file was expected, pass one")
    begin = len(_MARK) if head.startswith(_MARK) else 0
    begin += len(head[begin:]) - len(head[begin:].lstrip())
    end = bytes(data[-1000:])
    return data[begin : len(data) - len(end) + len(end.rstrip())]


def top_level(path: Path) -> dict[str, msgspec.Raw]:
    """The values of the outermost object, not yet decoded. DataError if the file is no JSON object or is cut off.

    Bare NaN and Infinity, which Python's writer makes and JSON does not have, are read as null.
    """
    data = opened(path)
    try:
        return single(data, str(path))
    except DataError:
        mended, found = bytes(data), 0
        for word in _NO_NUMBERS:
            mended, count = word.subn(b"null", mended)
            found += count
        if not found:
            raise
        return single(mended, str(path))


def single(data: msgspec.Raw | bytes | memoryview, where: str) -> dict[str, msgspec.Raw]:
    """The members of an object, not yet decoded. DataError if it is none, or has one twice."""
    found: dict[str, msgspec.Raw] = {}
    for key, raw in members(data, where):
        if key in found:
            raise DataError(
                f"{where} has {key[:60]!r} twice, and which is meant is not said; rename one of the two in the file"
            )
        found[key] = raw
    return found


def members(data: msgspec.Raw | bytes | memoryview, where: str) -> Members:
    """The members of an object in order, not yet decoded; what is there twice comes twice. DataError as `decoded`."""
    found = decoded(_objects, data, where)
    return list(found.items()) if _is_all(data, found) else list(_walked(data))


def _is_all(data: msgspec.Raw | bytes | memoryview, found: Mapping[str, msgspec.Raw]) -> bool:
    """Whether the object has nothing but the members found, of two with one key the decoder gives the later.

    Told by its length: in every regular layout (one line, or a line a member) all members have the same blanks.
    """
    view, n = memoryview(data), len(found)
    layout = _LAYOUT.match(view)
    if layout is None:
        return not found
    head, colon = len(layout[1]), len(layout[2])
    said = sum(len(json.dumps(key)) for key in found) + sum(memoryview(value).nbytes for value in found.values())
    tail = len(last := bytes(view[-300:-1])) - len(last.rstrip(b" \t\r\n"))
    rest = view.nbytes - said - 2 - head - tail - n * colon
    return any(rest == (n - 1) * (1 + between) for between in (head, 0, 1))


def _walked(data: msgspec.Raw | bytes | memoryview) -> Iterator[tuple[str, msgspec.Raw]]:
    """The members of an object that is known to be valid, one by one."""
    view, depth, key, last, start = memoryview(data), 0, b"", b"", 0
    for sign in _SIGN.finditer(view):
        match text := sign[0]:
            case b"{" | b"[":
                depth += 1
            case b"," | b"}" | b"]":
                if depth == 1 and key:
                    yield msgspec.json.decode(key, type=str), msgspec.Raw(bytes(view[start : sign.start()]).strip())
                    key = b""
                depth -= text != b","
            case b":":
                if depth == 1:
                    key, start = last, sign.end()
            case _:
                last = text


def decoded(decoder: msgspec.json.Decoder[D], data: msgspec.Raw | bytes | memoryview, where: str) -> D:
    """A part of the file. DataError says where it is (file, player, trial) and what does not fit."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise DataError(f"{where}: {error}; {_remedy(str(error))}") from error


def _remedy(said: str) -> str:
    if "truncated" in said:
        return "the file ends before it is whole: copy it again"
    if "trailing characters" in said:
        return "one JSON object was expected and more follows: for the turns.jsonl of a run, pass the run's folder"
    return "a whole file in one of the known forms was expected: copy it again"
