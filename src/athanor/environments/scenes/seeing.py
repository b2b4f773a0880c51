"""What is in a picture: things by colour, connected parts and soft templates, cards by the templates of their ink.

Nothing is learned and nothing is random. A pixel is taken for the colour on whose line to the background it lies, so
that soft edges keep the colour of their thing; a thing is a 4-connected part of one colour, and its shape, size and
texture are those of the template from which its coverage differs least (in squares), and it is one if the two agree (in
intersection over union of soft coverages; of hard ones, small stars would be lost).
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from athanor.core.records import Record
from athanor.environments.points.cards import DECK
from athanor.environments.points.drawing import face
from athanor.environments.scenes.drawing import CARD_LOOK, Images, card_height, card_width
from athanor.environments.scenes.scene import BACKGROUND
from athanor.environments.scenes.sprites import sprite
from athanor.environments.scenes.words import (
    CARD,
    COLOUR_NAMES,
    COLOURS,
    CORNERS,
    FINE,
    PLACES,
    SHAPES,
    SIZE_NAMES,
    SIZES,
    TEXTURES,
)  # fmt: skip

WHOLE = 96
"""Pictures of twice this side or more are averaged, by a whole factor, to between this and twice this."""
COVERED = 0.35
"""Coverage from which a pixel belongs to a thing."""
ALIKE = 0.75
"""Intersection over union with the best template, at least, of a thing that is recognised."""
INKED = 0.75
"""Cosine with the ink of the best card, at least."""
FAINT = 0.4
"""Strength of the ink, as a share of the card's own, at least."""
SPECK = 4
"""Area below which a part is no thing, in squared steps (FINEths of the side); it still counts as stray."""
Floats = NDArray[np.float32]
_RGB = np.array(list(COLOURS.values()), np.float32)


class Found(Record, kw_only=True):
    """A thing or a card in a picture."""

    kind: str = msgspec.field(name="class")
    """A shape, or `card`."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom, as shares of the side."""
    confidence: float
    """Agreement with the template, at most 1."""
    colour: str | None = msgspec.field(default=None, name="color")
    size: str | None = None
    texture: str | None = None
    card: str | None = None
    place: str = ""


class Sight(Record, kw_only=True):
    """All that was found."""

    found: tuple[Found, ...]
    """The most confident first."""
    unclear: int = 0
    """Parts large enough for a thing that agree with no template."""
    stray: float = 0.0
    """Share of the picture that is neither background nor at a thing or card that was recognised."""


def see(image: Images) -> Sight:
    """UInt8["side side 3"] of 48 pixels or more to what is in it."""
    factor = max(1, len(image) // WHOLE)
    pixels = np.asarray(Image.fromarray(image).reduce(factor), np.float32)
    side = len(pixels)
    back = _background(pixels)
    label, cover = _labels(pixels, back)
    explained = np.zeros(label.shape, bool)
    cards = _cards(pixels, label >= 0, explained)
    label[explained] = -1
    things, unclear = [], 0
    for colour in np.unique(label[label >= 0]).tolist():
        parts = _parts(label == colour)
        areas = np.bincount(parts.ravel())
        for number, box in enumerate(ndimage.find_objects(parts), 1):
            if areas[number] * (FINE / side) ** 2 < SPECK:
                continue
            thing = _thing(parts == number, box, cover[..., colour], colour, explained)
            unclear += thing is None
            things += [thing] if thing else []
    stray = float(((label >= 0) & ~explained).mean())
    found = sorted((*cards, *things), key=lambda one: (-one.confidence, one.box))
    return Sight(found=tuple(found), unclear=unclear, stray=stray)


def _parts(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The 4-connected part to which each pixel belongs, from 1; 0 is none."""
    parts = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, output=parts)
    return parts


def _background(pixels: Floats) -> Floats:
    """RGB of the picture's border; the usual grey if that is no grey of any scene."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    back = np.median(edge, 0)
    usual = np.ptp(back) < 40 and 80 <= back.mean() <= 176
    return (back if usual else np.full(3, BACKGROUND)).astype(np.float32)


def _labels(pixels: Floats, back: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Int8["side side"], the colour of each pixel or -1, and Float32["side side 8"], how much of each colour covers it,
    with noise below 0 and above 1."""
    ways = _RGB - back
    off = pixels - back
    along = (off @ (ways.T / (ways**2).sum(1))).astype(np.float32)
    cover = np.clip(along, 0, 1)
    # The squared distance to the nearest point of the line from the background to a colour, less |off|^2.
    apart = cover * (cover - 2 * along) * (ways**2).sum(1)
    label = apart.argmin(-1)
    most = np.take_along_axis(cover, label[..., None], -1)[..., 0]
    return np.where(most >= COVERED, label, -1).astype(np.int8), along


def _thing(
    part: NDArray[np.bool_], box: tuple[slice, slice], cover: Floats, colour: int, explained: NDArray[np.bool_]
) -> Found | None:
    """A connected part as the thing that it agrees with best; marks what that explains."""
    side = len(part)
    half = int(np.ceil((max(SIZES.values()) + 2) * side / FINE))
    middle = [(one.start + one.stop) // 2 for one in box]
    top, left = (at - half for at in middle)
    rows, columns = (slice(max(0, at - half), min(side, at + half)) for at in middle)
    near = ndimage.binary_dilation(part[rows, columns], iterations=1)
    local = cover[rows, columns]
    around = local[np.logical_not(near) & (np.abs(local) < COVERED)]
    local = np.where(
        near, local - (float(np.median(around)) if around.size else 0.0), 0
    )  # shade brightens thing and ground
    shown = np.zeros((2 * half, 2 * half), np.float32)
    shown[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = local
    np.clip(shown, -1, 2, out=shown)  # beside a thing of the opposite colour
    amount = float(shown.sum())
    if amount <= 0:
        return None
    y, x = (float((shown.sum(axis) * np.arange(2 * half)).sum() / amount) + 0.5 for axis in (1, 0))
    least, best, alike = float("inf"), (0, 0, 0), 0.0
    for shape, size, texture, area, dy, dx in _templates(side):
        if not 0.6 < amount / area < 1.7:
            continue
        at = round(4 * (y - dy)) / 4, round(4 * (x - dx)) / 4
        template = sprite(shape, size, texture, side, shown.shape, at)
        apart = float(((shown - template) ** 2).sum())
        if apart < least:
            both = float(np.minimum(np.clip(shown, 0, 1), template).sum())
            least, best, alike = apart, (shape, size, texture), both / (float(np.clip(shown, 0, 1).sum()) + area - both)
    if alike < ALIKE:
        return None
    _explain(explained, box, side)
    ends = box[1].start / side, box[0].start / side, box[1].stop / side, box[0].stop / side
    return Found(
        kind=SHAPES[best[0]], box=ends, confidence=min(1.0, alike), colour=COLOUR_NAMES[colour],
        size=SIZE_NAMES[best[1]], texture=TEXTURES[best[2]], place=place_of(ends),
    )  # fmt: skip


@lru_cache(maxsize=64)
def _templates(side: int) -> tuple[tuple[int, int, int, float, float, float], ...]:
    """Shape, size, texture, area in pixels, and how far the centre of mass is off the middle, (y, x), of each."""
    wide = 2 * int(np.ceil((max(SIZES.values()) + 2) * side / FINE))
    found = []
    for shape in range(len(SHAPES)):
        for size in range(len(SIZES)):
            for texture in range(len(TEXTURES)):
                whole = sprite(shape, size, texture, side, (wide, wide), (wide / 2, wide / 2))
                area = float(whole.sum())
                y, x = ((whole.sum(axis) * (np.arange(wide) + 0.5)).sum() / area - wide / 2 for axis in (1, 0))
                found.append((shape, size, texture, area, float(y), float(x)))
    return tuple(found)


def _explain(explained: NDArray[np.bool_], box: tuple[slice, slice], side: int) -> None:
    """Mark a thing's box with a rim of a step around it."""
    rim = max(1, round(side / FINE))
    rows, columns = (slice(max(0, one.start - rim), one.stop + rim) for one in box)
    explained[rows, columns] = True


def _cards(pixels: Floats, there: NDArray[np.bool_], explained: NDArray[np.bool_]) -> list[Found]:
    """The parts of the size of a card, as the cards whose ink they have."""
    side = len(pixels)
    wide, high = card_width(side), card_height(side)
    parts = _parts(there)
    areas, found = np.bincount(parts.ravel()), []
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        tall, broad = (one.stop - one.start for one in box)
        sized = abs(tall - high) <= 0.2 * high and abs(broad - wide) <= 0.2 * wide
        if not sized or areas[number] < 0.6 * wide * high:
            continue
        card, alike = _card(pixels, box, wide, high)
        if alike >= INKED:
            _explain(explained, box, side)
            ends = box[1].start / side, box[0].start / side, box[1].stop / side, box[0].stop / side
            found.append(Found(kind=CARD, box=ends, confidence=alike, card=card, place=place_of(ends, 2)))
    return found


def _card(pixels: Floats, box: tuple[slice, slice], wide: int, high: int) -> tuple[str, float]:
    """The card whose ink a part of the picture has, and the cosine of the two, over places one pixel about."""
    top, left = ((one.start + one.stop - length) / 2 for one, length in zip(box, (high, wide), strict=True))
    padded = np.pad(pixels, ((2, 2), (2, 2), (0, 0)), mode="edge")
    windows = []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            y, x = (max(0, round(at) + by + 2) for at, by in ((top, dy), (left, dx)))
            window = padded[y : y + high, x : x + wide]
            if window.shape[:2] == (high, wide):
                windows.append((CARD_LOOK.face[0] - window)[_inside(high, wide)].ravel())
    inks = np.stack(windows)
    ways, strengths = _inks(wide)
    cosine = inks @ ways.T / np.maximum(np.linalg.norm(inks, axis=1), 1e-6)[:, None]
    window, best = np.unravel_index(int(cosine.argmax()), cosine.shape)
    strong = float(inks[window] @ ways[best]) >= FAINT * strengths[best]
    return DECK[best], float(cosine[window, best]) if strong else 0.0


def _inside(high: int, wide: int) -> tuple[slice, slice]:
    """A card without its outline."""
    rim = max(1, wide // 12)
    return slice(rim, high - rim), slice(rim, wide - rim)


@lru_cache(maxsize=64)
def _inks(wide: int) -> tuple[Floats, Floats]:
    """How much darker than the face each pixel inside a card is, by channel: Float32["52 values"] of length 1, and the
    lengths, Float32["52"]."""
    faces = [np.asarray(face(card, wide, CARD_LOOK).convert("RGB"), np.float32) for card in DECK]
    inks = np.stack([(CARD_LOOK.face[0] - one)[_inside(len(one), wide)].ravel() for one in faces])
    strengths = np.linalg.norm(inks, axis=1)
    return inks / strengths[:, None], strengths


def place_of(box: tuple[float, float, float, float], across: int = 3) -> str:
    """The name of the cell in which a box has its middle."""
    column, row = (min(across - 1, int((box[k] + box[k + 2]) / 2 * across)) for k in (0, 1))
    return (PLACES if across == 3 else CORNERS)[row * across + column]
