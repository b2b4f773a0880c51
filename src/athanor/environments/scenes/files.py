"""A picture from a file that anybody may have made: the right pixels, or an error that says what is wrong with it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from athanor.core.errors import DataError
from athanor.core.image_files import opened
from athanor.environments.scenes.drawing import SMALLEST, Images
from athanor.environments.scenes.scene import BACKGROUND

SIDE = 4_096
"""Pixels of a picture's side, at most: more is not decoded."""
UNEVEN = 0.02
"""Share by which width and height may differ; such a picture is made square."""


def load(data: bytes) -> Images:
    """UInt8["side side 3"] of a picture of a scene: as `picture`, and DataError too for one too small or not square."""
    return np.asarray(squared(picture(data)))


def picture(data: bytes) -> Image.Image:
    """Any picture, upright by its EXIF, in RGB whatever the file's own colours, transparent parts on the grey of
    scenes; of several frames the first. DataError for a file that is no picture, or is torn or too large.
    """
    return _rgb(opened(data, "the picture", side=SIDE))


def _rgb(image: Image.Image) -> Image.Image:
    """In RGB; 16-bit greys are scaled, and what is transparent shows the background."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.uint32) // 257).astype(np.uint8))
    elif image.mode in ("I", "F"):
        values = np.asarray(image, np.float64)
        most = 65_535.0 if values.max() > 255 else 255.0
        image = Image.fromarray((np.clip(values, 0, most) * (255 / most)).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        over = image.convert("RGBA")
        under = Image.new("RGBA", over.size, (BACKGROUND,) * 3 + (255,))
        return Image.alpha_composite(under, over).convert("RGB")
    return image.convert("RGB")


def squared(image: Image.Image) -> Image.Image:
    """A picture of a scene, exactly square. DataError if it is too small, or far from it."""
    wide, high = image.size
    if min(wide, high) < SMALLEST:
        raise DataError(
            f"the picture is {wide} by {high} pixels, {SMALLEST} to {SIDE} a side were expected; pass a larger one"
        )
    if abs(wide - high) > UNEVEN * max(wide, high):
        raise DataError(f"the picture is {wide} by {high} pixels, a square one was expected; crop or pad it")
    side = min(image.size)
    return image if wide == high else image.resize((side, side), Image.Resampling.BICUBIC)
