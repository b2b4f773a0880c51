"""Hands of cards as pictures, drawn from lines and circles; each way of drawing has a name."""

from __future__ import annotations

import io
from functools import lru_cache
from math import cos, pi, sin
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from athanor.core.records import Record
from athanor.core.seeds import stream
from athanor.environments.points.cards import rank_of

Colour = tuple[int, int, int]
FINER = 3
"""Cards are drawn so many times as large, and then made smaller, so that edges are smooth."""
HIGH = 7 / 5
"""A card's height over its width."""
NARROWEST = 20
"""Pixels of a card's width, at least: below, ranks cannot be told apart."""


class Look(Record, kw_only=True):
    """A way of drawing a hand."""

    size: int = 448
    """Width and height of the picture, in pixels."""
    filled: float = 0.9
    """Share of its room that a card takes."""
    layout: Literal["row", "grid", "scatter"] = "row"
    """Side by side; in two rows; or at random places and turned, the same for the same hand."""
    font: Literal["sans", "stroke", "pixel"] = "sans"
    black: Colour = (24, 24, 27)
    """Ink of spades and clubs."""
    red: Colour = (200, 30, 45)
    """Ink of hearts and diamonds."""
    face: Colour = (250, 250, 248)
    """The card."""
    back: Colour = (62, 96, 78)
    """The table."""
    pips: bool = True
    """Whether the suit is shown large in the middle, or only the rank."""
    jumbo: bool = False
    """Whether a card has one large rank above one large suit and nothing else: legible from 14 pixels of width."""


LOOKS: dict[str, Look] = {
    "plain": Look(),
    "large": Look(size=1200),
    "small": Look(size=224, filled=0.6),
    "grid": Look(layout="grid"),
    "scatter": Look(layout="scatter"),
    "stroke": Look(font="stroke"),
    "pixel": Look(font="pixel"),
    "inverted": Look(black=(235, 235, 235), red=(255, 130, 130), face=(35, 37, 45), back=(12, 12, 16)),
    "blue": Look(black=(30, 60, 160), red=(210, 120, 20), face=(244, 240, 220), back=(120, 90, 70)),
    "bare": Look(pips=False),
}
"""What visual shifts are made of. Red suits against black ones are a matter of the deal, not of the look."""


def draw(cards: tuple[str, ...], look: Look) -> bytes:
    """A hand as a PNG file of `look.size` squared pixels, RGB; the same hand and look give the same picture."""
    picture = Image.new("RGB", (look.size, look.size), look.back)
    for (x, y, turn), card in zip(_places(cards, look), cards, strict=True):
        one = face(card, _width(len(cards), look), look)
        if turn:
            one = one.rotate(turn, Image.Resampling.BICUBIC, expand=True)
        picture.paste(one, (round(x - one.width / 2), round(y - one.height / 2)), one)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _columns(count: int, look: Look) -> int:
    return count if look.layout == "row" else max(1, -(-count // 2))


def _width(count: int, look: Look) -> int:
    """Of a card, in pixels. Cards of a scattered hand are smaller, so that turned ones do not touch."""
    room = look.size / max(_columns(count, look), 2)
    return max(NARROWEST, int(room * look.filled * (0.62 if look.layout == "scatter" else 0.9 if count < 3 else 1) / (
        1.0 if look.layout == "row" else HIGH)))  # fmt: skip


def _places(cards: tuple[str, ...], look: Look) -> list[tuple[float, float, float]]:
    """Centre of each card, in pixels, and the degrees by which it is turned."""
    columns = _columns(len(cards), look)
    rows = -(-len(cards) // columns)
    places = [
        ((k % columns + 0.5) / columns * look.size, (k // columns + 0.5) / rows * look.size, 0.0)
        for k in range(len(cards))
    ]
    if look.layout != "scatter":
        return places
    rng, shake = stream(0, "scatter", *cards), look.size / columns * 0.1
    return [
        (x + shake * rng.uniform(-1, 1), y + shake * rng.uniform(-1, 1), rng.uniform(-40, 40)) for x, y, _ in places
    ]


@lru_cache(maxsize=4_096)
def face(card: str, width: int, look: Look) -> Image.Image:
    """One card, RGBA, `width` pixels wide; outside its round corners it is transparent."""
    wide, high = width * FINER, round(width * HIGH) * FINER
    suit, rank = card[-1], rank_of(card)
    ink = look.red if suit in "HD" else look.black
    whole = Image.new("RGBA", (wide, high), (0, 0, 0, 0))
    pen = ImageDraw.Draw(whole)
    pen.rounded_rectangle((0, 0, wide - 1, high - 1), wide // 12, fill=(*look.face, 255), outline=(*ink, 255),
                          width=max(1, wide // 90))  # fmt: skip
    if look.jumbo:
        _jumbo(whole, rank, suit, ink, look.font)
        return whole.resize((width, round(width * HIGH)), Image.Resampling.LANCZOS)
    corner = Image.new("RGBA", (wide, high), (0, 0, 0, 0))
    tall = wide * (0.34 if look.pips else 0.5)
    _rank(corner, rank, (wide * 0.08, wide * 0.08), tall, ink, look.font)
    _suit(ImageDraw.Draw(corner), suit, (wide * 0.2, wide * 0.14 + tall * 1.25), wide * 0.2, ink)
    whole.alpha_composite(corner)
    whole.alpha_composite(corner.rotate(180))
    if look.pips:
        _suit(pen, suit, (wide / 2, high / 2), wide * 0.42, ink)
    return whole.resize((width, round(width * HIGH)), Image.Resampling.LANCZOS)


def _jumbo(face: Image.Image, rank: str, suit: str, ink: Colour, font: str) -> None:
    """The rank in the upper half of a card, centred, and the suit below."""
    wide, high = face.size
    sign = Image.new("RGBA", (wide * 2, high), (0, 0, 0, 0))
    _rank(sign, rank, (wide * 0.1, high * 0.1), high * 0.42, ink, font)
    sign = sign.crop(sign.getbbox())
    fitted = sign.resize((min(sign.width, round(wide * 0.82)), sign.height), Image.Resampling.LANCZOS)
    face.alpha_composite(fitted, ((wide - fitted.width) // 2, round(high * 0.07)))
    _suit(ImageDraw.Draw(face), suit, (wide / 2, high * 0.74), high * 0.42, ink)


def _suit(pen: ImageDraw.ImageDraw, suit: str, centre: tuple[float, float], size: float, ink: Colour) -> None:
    """A suit's sign, about `size` wide and high."""
    x, y = centre
    fill, s = (*ink, 255), size / 2

    def circle(dx: float, dy: float, radius: float) -> None:
        pen.ellipse(
            (x + (dx - radius) * s, y + (dy - radius) * s, x + (dx + radius) * s, y + (dy + radius) * s), fill=fill
        )

    def shape(*points: tuple[float, float]) -> None:
        pen.polygon([(x + dx * s, y + dy * s) for dx, dy in points], fill=fill)

    stem = ((-0.38, 1.0), (0.38, 1.0), (0.07, 0.3), (-0.07, 0.3))
    if suit == "D":
        shape((0, -1.05), (0.75, 0), (0, 1.05), (-0.75, 0))
    elif suit == "C":
        for dx, dy in ((0, -0.52), (-0.5, 0.2), (0.5, 0.2)):
            circle(dx, dy, 0.44)
        circle(0, 0, 0.25)
        shape(*stem)
    elif suit == "H":
        circle(-0.44, -0.38, 0.47)
        circle(0.44, -0.38, 0.47)
        shape((-0.86, -0.17), (0, 1.0), (0.86, -0.17), (0, -0.5))
    else:
        circle(-0.42, 0.22, 0.42)
        circle(0.42, 0.22, 0.42)
        shape((-0.8, 0.05), (0, -1.05), (0.8, 0.05), (0, 0.45))
        shape(*stem)


def _rank(face: Image.Image, rank: str, at: tuple[float, float], high: float, ink: Colour, font: str) -> None:
    """A rank's letters from their upper left corner."""
    pen, fill = ImageDraw.Draw(face), (*ink, 255)
    if font == "sans":
        letters = ImageFont.load_default(high * 1.25)
        left, top, _, _ = letters.getbbox(rank)
        pen.text((at[0] - left, at[1] - top), rank, font=letters, fill=fill)
        return
    x = at[0]
    for letter in rank:
        if font == "pixel":
            dot = high / 7
            for k, row in enumerate(PIXELS[letter]):
                for column in range(5):
                    if row >> (4 - column) & 1:
                        corner = (x + column * dot, at[1] + k * dot)
                        pen.rectangle((*corner, corner[0] + dot, corner[1] + dot), fill=fill)
            x += 6 * dot
        else:
            wide, thick = high * 0.55, max(1, round(high / 10))
            for line in STROKES[letter]:
                points = [(x + wide * dx + thick / 2, at[1] + high * dy) for dx, dy in line]
                pen.line(points, fill=fill, width=thick, joint="curve")
            x += wide * 1.3


def _arc(cx: float, cy: float, rx: float, ry: float, begin: float, end: float) -> tuple[tuple[float, float], ...]:
    """Points of an arc; angles in degrees, clockwise from three o'clock."""
    angles = [begin + (end - begin) * k / 16 for k in range(17)]
    return tuple((cx + rx * cos(pi * a / 180), cy + ry * sin(pi * a / 180)) for a in angles)


STROKES: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "0": (_arc(0.5, 0.5, 0.5, 0.5, 0, 360),),
    "1": (((0.15, 0.2), (0.5, 0.0), (0.5, 1.0)), ((0.15, 1.0), (0.85, 1.0))),
    "2": ((*_arc(0.5, 0.28, 0.48, 0.28, 180, 390), (0.0, 1.0), (1.0, 1.0)),),
    "3": ((*_arc(0.45, 0.25, 0.45, 0.25, 190, 450), *_arc(0.45, 0.74, 0.53, 0.26, 270, 530)),),
    "4": (((0.75, 1.0), (0.75, 0.0), (0.0, 0.7), (1.0, 0.7)),),
    "5": (((0.9, 0.0), (0.15, 0.0), (0.08, 0.45), *_arc(0.45, 0.68, 0.5, 0.32, 230, 510)),),
    "6": ((*_arc(0.75, 0.65, 0.75, 0.65, 270, 180), *_arc(0.5, 0.68, 0.5, 0.32, 180, 540)),),
    "7": (((0.0, 0.0), (1.0, 0.0), (0.35, 1.0)),),
    "8": (_arc(0.5, 0.25, 0.4, 0.25, 90, 450), _arc(0.5, 0.75, 0.5, 0.25, 270, 630)),
    "9": ((*_arc(0.5, 0.32, 0.5, 0.32, 0, 360), *_arc(0.25, 0.35, 0.75, 0.65, 0, 90)),),
    "A": (((0.0, 1.0), (0.5, 0.0), (1.0, 1.0)), ((0.2, 0.65), (0.8, 0.65))),
    "J": (((0.35, 0.0), (0.95, 0.0)), ((0.7, 0.0), *_arc(0.36, 0.72, 0.34, 0.28, 0, 180))),
    "Q": (_arc(0.5, 0.48, 0.5, 0.48, 0, 360), ((0.55, 0.7), (1.0, 1.05))),
    "K": (((0.0, 0.0), (0.0, 1.0)), ((1.0, 0.0), (0.0, 0.6)), ((0.35, 0.42), (1.0, 1.0))),
}
"""Letters as lines in a box of one by one."""

PIXELS: dict[str, tuple[int, ...]] = {
    "0": (14, 17, 17, 17, 17, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 6, 8, 16, 31),
    "3": (14, 17, 1, 6, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (14, 16, 30, 17, 17, 17, 14),
    "7": (31, 1, 2, 4, 4, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 17, 15, 1, 14),
    "A": (14, 17, 17, 31, 17, 17, 17),
    "J": (7, 2, 2, 2, 2, 18, 12),
    "Q": (14, 17, 17, 17, 21, 18, 13),
    "K": (17, 18, 20, 24, 20, 18, 17),
}
"""Letters as seven rows of five dots, the leftmost the highest bit."""
