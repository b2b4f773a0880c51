"""Image files that anybody may have made: decoded and the right way up, or an error that says what is wrong."""

from __future__ import annotations

import re
import warnings
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from athanor.core.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Of files that are opened: others, such as EPS, have readers that run programs."""
NAMED = "PNG, JPEG, WebP, GIF, BMP or TIFF"
BYTES = 64_000_000
"""Of a file, at most."""
PIXELS = 100_000_000
"""Of an image, at most: about 300 MB when decoded."""
UNKNOWN = ("LAB",)
"""Colours that cannot be made red, green and blue without a profile."""


def contents(path: Path) -> bytes:
    """A file, up to where `opened` says that it is too large. DataError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); pass an image that can") from error


def opened(data: bytes, name: str = "", *, side: int | None = None) -> Image.Image:
    """The image in a file's bytes, or the first of its frames, upright by its EXIF, in the file's own mode.

    `name`: of the file, for errors. `side`: pixels a side, at most. DataError if it is none, is torn or too large.
    """
    name = name or f"an image of {len(data):,} bytes"
    if not data:
        raise DataError(f"{name} is empty, a file of {NAMED} was expected")
    if len(data) > BYTES:
        raise DataError(f"{name} has more than {BYTES:,} bytes; pass a smaller file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of sizes that are judged here
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                _refuse_large(image, name, side)
                image.load()
                upright = ImageOps.exif_transpose(image)
    except (DataError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{name} says that it has more pixels than are decoded; scale it down") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is in none of the formats that are read; a file of {NAMED} was expected") from error
    except Exception as error:  # a decoder, and a reader of metadata, may fail in any way on a file made to break it
        told = re.sub(r"<[^>]*>", "it", str(error))[:200] or type(error).__name__  # no addresses: verdicts are replayed
        raise DataError(f"{name} could not be decoded ({told}); copy it again, whole") from error
    if upright.mode in UNKNOWN:
        raise DataError(f"{name} has colours in {upright.mode}, whose profile is not read; save it in RGB")
    return upright


def _refuse_large(image: Image.Image, name: str, side: int | None) -> None:
    wide, high = image.size
    if side is not None and max(wide, high) > side:
        raise DataError(f"{name} is {wide} by {high} pixels, at most {side} on each side were expected; scale it down")
    if wide * high > PIXELS:
        raise DataError(f"{name} is {wide} by {high} pixels, at most {PIXELS:,} in all were expected; scale it down")
