"""A scene is a value: what is in the picture, where, and how it looks. Many scenes at once are a grid of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from athanor.core.errors import UsageError
from athanor.core.records import Record
from athanor.environments.points.cards import DECK
from athanor.environments.scenes.words import COLOUR_NAMES, FINE, SHAPES, SIZE_NAMES, SIZES, TEXTURES

CELLS, SLOTS = 9, 4
"""Places for things (three by three) and for cards (two by two)."""
ROOM = 7
"""Radius and jitter of a thing together, at most, in steps: so that two things never touch."""
CARD_ROOM = 1
"""Jitter of a card, at most, in steps."""
BACKGROUND = 128
"""The usual grey of the background."""


class Thing(Record, kw_only=True):
    """A shape in one of the nine cells, row by row."""

    shape: str
    colour: str
    cell: int
    size: str = "large"
    texture: str = "plain"
    dx: int = 0
    """From the middle of the cell, in `FINE`ths of the picture's side; to the right."""
    dy: int = 0
    """Likewise, downwards."""


class Placed(Record, kw_only=True):
    """A playing card in one of the four corners."""

    card: str
    """Of DECK, for example QH."""
    cell: int
    dx: int = 0
    dy: int = 0


class Scene(Record, kw_only=True):
    """Things or cards in the order of their cells: equal scenes are equal pictures."""

    things: tuple[Thing, ...] = ()
    cards: tuple[Placed, ...] = ()
    background: int = BACKGROUND
    """Grey level, 0 to 255."""


class Style(Record, kw_only=True):
    """What scenes vary in beside what a prompt tells."""

    shapes: tuple[str, ...] = SHAPES
    colours: tuple[str, ...] = COLOUR_NAMES
    sizes: tuple[str, ...] = ("large",)
    textures: tuple[str, ...] = ("plain",)
    jitter: int = 0
    """Steps (FINEths of the side) by which a thing lies off the middle of its cell, at most, both ways. At 0 every
    picture of a thing is aligned with patches of 8 pixels in the same way, and codes of a tokenizer are symbols."""
    backgrounds: tuple[int, ...] = (BACKGROUND,)
    """Grey levels."""
    grain: int = 0
    """Noise of each pixel's brightness, at most, in grey levels."""
    shade: int = 0
    """A slope of brightness across the picture, at most, in grey levels at its edge."""


STYLES: dict[str, Style] = {
    "aligned": Style(),
    "jittered": Style(jitter=1, sizes=SIZE_NAMES),
    "textured": Style(
        jitter=1, sizes=SIZE_NAMES, textures=TEXTURES, backgrounds=(112, 128, 144), grain=10, shade=10
    ),
}  # fmt: skip
"""From what is easiest to what is most like photographs. Each is a visual shift of the others."""


def refuse(style: Style) -> None:
    """UsageError for a style whose things could touch, or that names what there is not."""
    for name, known in (("shapes", SHAPES), ("colours", COLOUR_NAMES), ("sizes", SIZE_NAMES), ("textures", TEXTURES)):
        given = getattr(style, name)
        if not given or len(set(given)) < len(given) or not set(given) <= set(known):
            raise UsageError(f"{name} {given} were given, different ones of {', '.join(known)} were expected")
    most = ROOM - int(max(SIZES[size] for size in style.sizes))
    if not 0 <= style.jitter <= most:
        raise UsageError(
            f"jitter {style.jitter} was given, 0 to {most} was expected with things of size {style.sizes[-1]}, so that "
            "they do not touch; pass a smaller one"
        )
    if not style.backgrounds or not all(96 <= level <= 160 for level in style.backgrounds):
        raise UsageError(f"backgrounds {style.backgrounds} were given, grey levels of 96 to 160 were expected")
    if not (0 <= style.grain <= 24 and 0 <= style.shade <= 24):
        raise UsageError(f"grain {style.grain} and shade {style.shade} were given, 0 to 24 was expected")


@dataclass(frozen=True, kw_only=True)
class Grids:
    """Many scenes as numbers: indices into SHAPES, COLOUR_NAMES, SIZE_NAMES, TEXTURES and DECK; -1 is nothing."""

    shape: NDArray[np.int8]
    """Int8["batch 9"]; so are colour, size, texture, dx and dy."""
    colour: NDArray[np.int8]
    size: NDArray[np.int8]
    texture: NDArray[np.int8]
    dx: NDArray[np.int8]
    """Of things; the first four are those of cards where there are cards."""
    dy: NDArray[np.int8]
    card: NDArray[np.int8]
    """Int8["batch 4"]"""
    background: NDArray[np.uint8]
    """UInt8["batch"]"""

    def __len__(self) -> int:
        return len(self.shape)


def empty(batch: int) -> Grids:
    """Scenes with nothing in them, to be filled."""

    def grid(fill: int) -> NDArray[np.int8]:
        return np.full((batch, CELLS), fill, np.int8)

    return Grids(
        shape=grid(-1), colour=grid(0), size=grid(0), texture=grid(0), dx=grid(0), dy=grid(0),
        card=np.full((batch, SLOTS), -1, np.int8), background=np.full(batch, BACKGROUND, np.uint8),
    )  # fmt: skip


def grids(scenes: Sequence[Scene]) -> Grids:
    """Scenes as numbers. UsageError for one that cannot be drawn."""
    made = empty(len(scenes))
    for row, scene in enumerate(scenes):
        try:
            _fill(made, row, scene)
        except (ValueError, IndexError) as error:
            raise UsageError(
                f"a scene has a name, a cell or a colour that there is not ({error}); names of athanor.environments."
                f"scenes.words, cells 0 to {CELLS - 1} (cards: 0 to {SLOTS - 1}) were expected"
            ) from error
    return made


def _fill(made: Grids, row: int, scene: Scene) -> None:
    cells = [thing.cell for thing in scene.things], [placed.cell for placed in scene.cards]
    if scene.things and scene.cards:
        raise ValueError("things and cards together")
    if any(len(set(one)) < len(one) or min(one, default=0) < 0 for one in cells):
        raise ValueError("two in one cell, or a negative cell")
    made.background[row] = scene.background
    for thing in scene.things:
        if max(abs(thing.dx), abs(thing.dy)) > ROOM - SIZES[thing.size]:
            raise ValueError("a thing outside its cell")
        at = row, thing.cell
        made.shape[at], made.colour[at] = SHAPES.index(thing.shape), COLOUR_NAMES.index(thing.colour)
        made.size[at], made.texture[at] = SIZE_NAMES.index(thing.size), TEXTURES.index(thing.texture)
        made.dx[at], made.dy[at] = thing.dx, thing.dy
    for placed in scene.cards:
        if max(abs(placed.dx), abs(placed.dy)) > CARD_ROOM:
            raise ValueError("a card outside its corner")
        at = row, placed.cell
        made.card[at], made.dx[at], made.dy[at] = DECK.index(placed.card), placed.dx, placed.dy


def scenes(made: Grids) -> list[Scene]:
    """Numbers as scenes."""
    columns = (made.shape, made.colour, made.size, made.texture, made.dx, made.dy, made.card, made.background)
    return [_scene(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _scene(
    shape: list[int], colour: list[int], size: list[int], texture: list[int], dx: list[int], dy: list[int],
    card: list[int], background: int,
) -> Scene:  # fmt: skip
    return Scene(
        things=tuple([
            Thing(shape=SHAPES[s], colour=COLOUR_NAMES[colour[k]], cell=k, size=SIZE_NAMES[size[k]],
                  texture=TEXTURES[texture[k]], dx=dx[k], dy=dy[k])
            for k, s in enumerate(shape) if s >= 0
        ]),
        cards=tuple([Placed(card=DECK[c], cell=k, dx=dx[k], dy=dy[k]) for k, c in enumerate(card) if c >= 0]),
        background=background,
    )  # fmt: skip


def centre(cell: int, dx: int, dy: int, across: int = 3) -> tuple[float, float]:
    """(x, y) of a thing's middle (a card's with `across` 2) as shares of the picture's side."""
    side = FINE // across
    return ((cell % across + 0.5) * side + dx) / FINE, ((cell // across + 0.5) * side + dy) / FINE
