"""Scenes as pictures, many at once, at any resolution; the same scenes give the same pixels.

A thing never leaves its cell, so a picture is nine windows, each of which shows one of a few thousand thing-pictures:
those that a batch needs are painted once, and the batch is gathered from them.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from athanor.core.errors import UsageError
from athanor.environments.points.cards import DECK
from athanor.environments.points.drawing import HIGH, Look, face
from athanor.environments.scenes.scene import BACKGROUND, CELLS, SLOTS, Grids, Scene, Style, centre, grids
from athanor.environments.scenes.sprites import sprite
from athanor.environments.scenes.words import COLOURS

SMALLEST, LARGEST = 48, 2_048
"""Pixels of a picture's side."""
TOGETHER = 64 * 48 * 48
"""Pixels that are roughened at once: what stays in a core's cache."""
KEPT = 96
"""Side up to which painted windows are kept in memory (at most 60,000, of 1 to 7 kB)."""
CARD_WIDTH = 0.3
"""Of a card, as a share of the picture's side."""
CARD_LOOK = Look(jumbo=True, face=(250, 250, 248), back=(BACKGROUND, BACKGROUND, BACKGROUND))
"""How cards are drawn: by the drawing of GeneralPoints, with one large rank and suit."""
Images = NDArray[np.uint8]
_RGB = np.array(list(COLOURS.values()), np.float32)


def render(made: Grids, pixels: int = SMALLEST) -> Images:
    """UInt8["batch pixels pixels 3"]. UsageError for a side outside SMALLEST to LARGEST."""
    if not SMALLEST <= pixels <= LARGEST:
        raise UsageError(f"pictures of {pixels} pixels were asked for, {SMALLEST} to {LARGEST} was expected")
    out = np.empty((len(made), pixels, pixels, 3), np.uint8)
    carded = (made.card >= 0).any(1)
    rows = slice(None) if not carded.any() else np.flatnonzero(~carded)
    grey = made.background.astype(np.int64)
    code = made.shape.astype(np.int64)
    for part, spread in ((made.colour, 16), (made.size, 4), (made.texture, 4), (made.dx + 8, 16), (made.dy + 8, 16)):
        code = code * spread + part
    code = np.where(made.shape >= 0, code, -1) * 256 + grey[:, None]
    for cell in range(CELLS):
        _window(out, rows, code[:, cell], pixels, cell, 3)
    if carded.any():
        rows = np.flatnonzero(carded)
        dx, dy = made.dx[:, :SLOTS] + 8, made.dy[:, :SLOTS] + 8
        code = np.where(made.card >= 0, (made.card.astype(np.int64) * 16 + dx) * 16 + dy, -1) * 256 + grey[:, None]
        for slot in range(SLOTS):
            _window(out, rows, code[:, slot], pixels, slot, 2)
    return out


def _window(
    out: Images, rows: slice | NDArray[np.intp], code: NDArray[np.int64], pixels: int, cell: int, across: int
) -> None:
    """Fill one cell of the pictures in `rows`: paint every different code once, then gather."""
    edges = [round(k * pixels / across) for k in range(across + 1)]
    row, column = cell // across, cell % across
    y0, y1, x0, x1 = edges[row], edges[row + 1], edges[column], edges[column + 1]
    different, which = np.unique(code[rows], return_inverse=True)
    paint = _kept if pixels <= KEPT else _painted
    painted = [paint(one, pixels, cell, across, (y0, y1, x0, x1)) for one in different.tolist()]
    if painted:
        out[rows, y0:y1, x0:x1] = np.stack(painted)[which]


def _painted(code: int, pixels: int, cell: int, across: int, box: tuple[int, int, int, int]) -> Images:
    """What the window `box` (y0, y1, x0, x1) shows of a code: one of nine with a thing, or of four with a card."""
    return (_thing if across == 3 else _card)(code, pixels, cell, box)


_kept = lru_cache(maxsize=60_000)(_painted)
"""The same, remembered: a batch paints nothing that one before it has painted."""


def _thing(code: int, pixels: int, cell: int, box: tuple[int, int, int, int]) -> Images:
    y0, y1, x0, x1 = box
    rest, grey = divmod(code, 256)
    if rest < 0:
        return np.full((y1 - y0, x1 - x0, 3), grey, np.uint8)
    rest, dy = divmod(rest, 16)
    rest, dx = divmod(rest, 16)
    rest, texture = divmod(rest, 4)
    rest, size = divmod(rest, 4)
    shape, colour = divmod(rest, 16)
    x, y = centre(cell, dx - 8, dy - 8)
    covered = sprite(shape, size, texture, pixels, (y1 - y0, x1 - x0), (y * pixels - y0, x * pixels - x0))
    return np.rint(grey + covered[..., None] * (_RGB[colour] - grey)).astype(np.uint8)


def _card(code: int, pixels: int, slot: int, box: tuple[int, int, int, int]) -> Images:
    y0, y1, x0, x1 = box
    rest, grey = divmod(code, 256)
    blank = np.full((y1 - y0, x1 - x0, 3), grey, np.uint8)
    if rest < 0:
        return blank
    rest, dy = divmod(rest, 16)
    card, dx = divmod(rest, 16)
    x, y = centre(slot, dx - 8, dy - 8, 2)
    wide = card_width(pixels)
    one = face(DECK[card], wide, CARD_LOOK)
    quarter = Image.fromarray(blank)
    quarter.paste(one, (round(x * pixels - wide / 2) - x0, round(y * pixels - one.height / 2) - y0), one)
    return np.asarray(quarter)


def card_width(pixels: int) -> int:
    """Of a card, in pixels; its height is HIGH times that."""
    return round(CARD_WIDTH * pixels)


def card_height(pixels: int) -> int:
    return round(card_width(pixels) * HIGH)


def roughen(images: Images, style: Style, rng: np.random.Generator) -> Images:
    """Pictures with the style's grain and shade: brightness alone, one slope for each picture. Shapes as given."""
    if not style.grain and not style.shade:
        return images
    batch, high, wide, _ = images.shape
    out = np.empty_like(images)
    angle, steep = rng.uniform(0, 2 * np.pi, (batch, 1, 1)), rng.uniform(0, style.shade, (batch, 1, 1))
    steep /= abs(np.cos(angle)) + abs(np.sin(angle))
    down, right = (steep * np.sin(angle)).astype(np.float32), (steep * np.cos(angle)).astype(np.float32)
    y, x = np.linspace(-1, 1, high, dtype=np.float32)[:, None], np.linspace(-1, 1, wide, dtype=np.float32)
    several = max(1, TOGETHER // (high * wide))
    for begin in range(0, batch, several):
        part = slice(begin, begin + several)
        change = np.rint(down[part] * y + right[part] * x).astype(np.int16)
        if style.grain:
            change += rng.integers(0, 2 * style.grain + 1, change.shape, np.uint8)
            change -= style.grain
        out[part] = np.clip(images[part] + change[..., None], 0, 255)
    return out


def draw(scene: Scene, pixels: int = SMALLEST) -> Images:
    """UInt8["pixels pixels 3"] of one scene."""
    return render(grids([scene]), pixels)[0]


def png(image: Images) -> bytes:
    """A picture, UInt8["height width 3"], as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG", compress_level=1)
    return out.getvalue()
