"""How much of each pixel a shape covers: what scenes are drawn from, and what drawn things are recognised by."""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

from athanor.environments.scenes.words import FINE, SHAPES, SIZE_NAMES, SIZES, TEXTURES

MARK = 0.65
"""How much a stripe or spot covers: a mixture with the background, so that it keeps the colour's name."""
PERIOD = 4.0
"""From stripe to stripe and from spot to spot, in steps."""
SPOT = 1.5
"""Radius of a spot, in steps; there is one in the middle of each thing."""
Mask = NDArray[np.float32]


@lru_cache(maxsize=20_000)
def sprite(
    shape: int, size: int, texture: int, pixels: int, window: tuple[int, int], middle: tuple[float, float]
) -> Mask:
    """Float32["height width"] in 0 to 1: coverage by a thing.

    `pixels`: side of the whole picture; `window`: height and width of what is returned; `middle`: (y, x) of the thing's
    middle in it, in pixels. Averaged over a grid of points in each pixel (8 by 8, or 4 by 4 in large pictures).
    """
    finer = 8 if pixels <= 96 else 4
    step = pixels / FINE
    y, x = (((np.arange(length * finer) + 0.5) / finer - at) / step for length, at in zip(window, middle, strict=True))
    radius = SIZES[SIZE_NAMES[size]]
    near_y, near_x = (np.flatnonzero(np.abs(axis) <= radius) for axis in (y, x))
    whole = np.zeros((len(y), len(x)), np.float32)
    if len(near_y) and len(near_x):
        box = slice(near_y[0], near_y[-1] + 1), slice(near_x[0], near_x[-1] + 1)
        inside = _inside(SHAPES[shape], y[box[0], None] / radius, x[None, box[1]] / radius)
        whole[box] = inside * _tone(TEXTURES[texture], y[box[0], None], x[None, box[1]])
    covered = whole.reshape(window[0], finer, window[1], finer).mean((1, 3))
    covered.flags.writeable = False
    return covered


def _inside(shape: str, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points are in a shape of radius 1."""
    if shape in ("circle", "ring"):
        square = y * y + x * x
        return (square <= 1) & (square >= 0.25) if shape == "ring" else square <= 1
    if shape == "square":
        return np.maximum(abs(y), abs(x)) <= 0.84
    if shape == "cross":
        return (np.minimum(abs(y), abs(x)) <= 0.32) & (np.maximum(abs(y), abs(x)) <= 0.96)
    return _polygon(CORNERS_OF[shape], y, x)


def _polygon(corners: tuple[tuple[float, float], ...], y: NDArray[np.float64], x: NDArray[np.float64]):
    """Even-odd rule."""
    inside = np.zeros(np.broadcast_shapes(y.shape, x.shape), bool)
    for (y0, x0), (y1, x1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return inside


CORNERS_OF = {
    "triangle": ((-0.95, 0.0), (0.8, 0.99), (0.8, -0.99)),
    "star": tuple(
        (0.06 - r * cos(pi * k / 5), r * sin(pi * k / 5)) for k in range(10) for r in ((1.0 if k % 2 == 0 else 0.45),)
    ),
}
"""(y, x) of the corners of shapes that have some, downwards and to the right."""


def _tone(texture: str, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64] | float:
    """Coverage at points; y and x in steps from the thing's middle."""
    if texture == "plain":
        return 1.0
    if texture == "striped":
        marked = np.mod(y + 0 * x, PERIOD) < PERIOD / 2
    else:
        y, x = (np.mod(axis + PERIOD / 2, PERIOD) - PERIOD / 2 for axis in (y, x))  # from the nearest spot's middle
        marked = y * y + x * x < SPOT * SPOT
    return np.where(marked, MARK, 1.0)
