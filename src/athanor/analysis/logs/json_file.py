"""JSON files of hundreds of megabytes, read through the page cache and decoded only where asked."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import TypeVar

import msgspec

from athanor.core.errors import DataError

D = TypeVar("D")

_NO_NUMBERS = tuple(
    re.compile(rb"%b(?<=[:,\[\s]%b)(?=\s*[,\]}])" % (word, word)) for word in (b"NaN", b"Infinity", b"-Infinity")
)
"""What Python writes and JSON does not have. Each begins with its word, so that the search skips to it."""


def opened(path: Path) -> memoryview:
    """The file's bytes, not read before they are looked at. DataError if there are none."""
    try:
        with open(path, "rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise DataError(f"{path} cannot be read ({error}); pass a file of logs") from error


def top_level(path: Path) -> dict[str, msgspec.Raw]:
    """The values of the outermost object, not yet decoded. DataError if the file is no JSON object or is cut off.

    Bare NaN and Infinity, which Python's writer makes and JSON does not have, are read as null.
    """
    data = opened(path)
    try:
        return msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        mended, found = bytes(data), 0
        for word in _NO_NUMBERS:
            mended, count = word.subn(b"null", mended)
            found += count
        if not found:
            raise _unfit(str(path), error) from error
        return decoded(msgspec.json.Decoder(dict[str, msgspec.Raw]), mended, str(path))
    except (UnicodeDecodeError, RecursionError) as error:
        raise _unfit(str(path), error) from error


def decoded(decoder: msgspec.json.Decoder[D], data: msgspec.Raw | bytes, where: str) -> D:
    """A part of the file. DataError says where it is (file, player, trial) and what does not fit."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _unfit(where, error) from error


def _unfit(where: str, error: Exception) -> DataError:
    return DataError(f"{where}: {error}; a whole file in one of the known forms was expected: copy it again")
