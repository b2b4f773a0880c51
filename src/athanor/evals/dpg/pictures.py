"""One image file into its pictures: several of one prompt lie in a grid, as DPG-Bench's script expects them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from athanor.core.errors import DataError
from athanor.environments.scenes.files import picture

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))
"""Column and row of each picture in the grid: top left, top right, bottom left, bottom right."""


def files(folder: Path) -> dict[str, Path]:
    """Image files by name without ending. DataError if two have the same; OSError if there is no folder."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS and path.is_file():
            if path.stem in found:
                raise DataError(
                    f"{path} and {found[path.stem].name} are of one prompt, one file was expected; remove one"
                )
            found[path.stem] = path
    return found


def cut(data: bytes, each: int, side: int | None, *, legacy: bool = False) -> tuple[bytes, ...]:
    """The pictures of a file, as PNG files: 1 to 4, from top left to bottom right.

    One picture is the whole file. Of a grid each has half its width and height, and DataError says so if `side` is
    another. `legacy`: squares of `side` pixels are cut whatever the file's size, black where they lie beyond it.
    """
    image = picture(data)
    wide, high = (side, side) if legacy and side else (image.width // 2, image.height // 2)
    if legacy or each > 1:
        if not legacy and (image.width % 2 or image.height % 2 or (side and (wide, high) != (side, side))):
            told = f"{side} pixels a side" if side else "the same size"
            raise DataError(
                f"the file is {image.width} by {image.height} pixels, a grid of 2 by 2 pictures of {told} was "
                "expected; pass another --resolution or --each 1"
            )
        boxes = [(x * wide, y * high, (x + 1) * wide, (y + 1) * high) for x, y in CORNERS[:each]]
        return _written([image.crop(box) for box in boxes])
    if side and image.size != (side, side):
        raise DataError(
            f"the file is {image.width} by {image.height} pixels, {side} by {side} was expected; pass another "
            "--resolution, or --each 4 if it is a grid"
        )
    return _written([image])


def grid(images: Sequence[Image.Image]) -> bytes:
    """Pictures of one size as a PNG file: one alone, up to four in a grid of 2 by 2, black where there is none."""
    if len(images) == 1:
        return _written(images)[0]
    wide, high = images[0].size
    whole = Image.new("RGB", (2 * wide, 2 * high))
    for image, (x, y) in zip(images, CORNERS, strict=False):
        whole.paste(image, (x * wide, y * high))
    return _written([whole])[0]


def _written(images: Sequence[Image.Image]) -> tuple[bytes, ...]:
    found = []
    for image in images:
        data = io.BytesIO()
        image.save(data, "PNG", compress_level=1)
        found.append(data.getvalue())
    return tuple(found)
