"""Images to pixels, as the published preprocessor does it, and pixels to images."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from athanor.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How an image to understand becomes pixels."""

    size: int
    """Pixels a side."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    least: int = 14
    """Pixels that the shorter side keeps, at least."""

    def __post_init__(self) -> None:
        if not all(abs(value) < inf for value in self.mean) or not all(0 < value < inf for value in self.std):
            raise ValueError(f"mean is {self.mean} and std {self.std}, finite numbers and stds above 0 were expected")

    def seen(self, image: Image.Image) -> Tensor:
        """Float["3 size size"] of an image that is not yet `squared`."""
        pixels = torch.from_numpy(np.array(self.squared(image))).permute(2, 0, 1).float() / 255
        return (pixels - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.std)[:, None, None]

    def squared(self, image: Image.Image) -> Image.Image:
        """In RGB: the longer side is scaled to `size`, then the image is padded to a square, centred, with the colour
        that becomes about 0."""
        longer = max(image.size)
        sides = [max(int(side / longer * self.size), self.least) for side in image.size]
        scaled = rgb(image).resize((sides[0], sides[1]), Image.Resampling.BICUBIC)
        square = max(sides)
        if sides[0] != sides[1]:
            colour = tuple(int(value * 255) for value in self.mean)
            padded = Image.new("RGB", (square, square), colour)
            padded.paste(scaled, ((square - sides[0]) // 2, (square - sides[1]) // 2))
            return padded
        return scaled


def to_draw(image: Image.Image, size: int) -> Tensor:
    """Float["3 size size"], -1 to 1: an image for the visual tokenizer. The shorter side is scaled to `size`, the
    longer is cut to it on both ends."""
    return torch.from_numpy(np.array(cropped(image, size))).permute(2, 0, 1).float() / 127.5 - 1


def cropped(image: Image.Image, size: int) -> Image.Image:
    """In RGB, scaled and cut as `to_draw` says."""
    return ImageOps.fit(rgb(image), (size, size), Image.Resampling.BICUBIC)


def to_images(pixels: Tensor) -> list[Image.Image]:
    """Images of Float["images 3 size size"], -1 to 1; what lies outside is cut off, fractions are dropped."""
    scaled = ((pixels.float() + 1) / 2 * 255).clamp(0, 255).to(torch.uint8)
    return [Image.fromarray(array) for array in scaled.permute(0, 2, 3, 1).cpu().numpy()]


def rgb(image: Image.Image) -> Image.Image:
    """In red, green and blue of 8 bits; what is transparent keeps its colour, 16 bits of grey are shortened."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.array(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise UsageError(f"an image has the mode {image.mode}, whose white is unknown; save it with 8 or 16 bits")
    if image.mode in ("P", "PA") and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
