"""Which combinations are kept for testing. A hash of the combination decides, so that no list can drift.

What is held out is neither shown nor told in the part `train`: `pair` (a shape in a colour), `count` (so many of a
shape) and `card` are in none of its pictures; `relation` (one shape left of, or above, another; told from either side
it is the same) in none of its prompts and questions; and `couple` (two shapes named together, and nothing said of where
they lie) in none of its prompts. A training may show more than this part, under words that tell nothing held out.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from itertools import combinations, permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from athanor.core.errors import UsageError
from athanor.core.records import Record
from athanor.environments.points.cards import DECK
from athanor.environments.scenes.spec import CATEGORIES, Spec
from athanor.environments.scenes.words import CARD, COLOUR_NAMES, CONVERSE, RELATIONS, SHAPES

SHARE = 0.2
"""Of the combinations of each kind, about, that are held out."""
SALT = 49
"""Chosen so that training keeps every shape in at least five colours, every colour in at least four shapes and every
shape in at least two counts, while every shape and every kind has something held out; a test says so."""
Kind = Literal["pair", "count", "relation", "couple", "card"]
KINDS: tuple[Kind, ...] = ("pair", "count", "relation", "couple", "card")
Part = Literal["train", "test", "all"]
PARTS: tuple[Part, ...] = ("train", "test", "all")
MOST_COUNTED = 4
"""Counts of 2 to this are combinations; more are in dense scenes alone."""
HELD_BY: dict[str, tuple[Kind, ...]] = {
    "single_object": (), "two_object": ("couple",), "counting": ("count",), "colors": ("pair",),
    "position": ("relation",), "color_attr": ("pair", "couple"), "cards": ("card",),
    "mixed": ("pair", "count", "relation", "couple"), "dense": ("pair", "count"),
}  # fmt: skip
"""The kinds of combinations that a category's prompts tell. `single_object` tells none: its prompts, one a shape, are
the same in both parts."""


class Split(Record, kw_only=True):
    """A part, and which kinds of combinations part it. `train` has no held-out combination; prompts of `test` have at
    least one (those of categories that tell none of these kinds are the same in both); `all` has everything."""

    part: Part
    kinds: tuple[Kind, ...] = KINDS


@lru_cache(maxsize=10_000)
def held(kind: Kind, *combination: str | int) -> bool:
    """Whether a combination is kept for testing: (shape, colour), (shape, count), (shape, relation, shape), (shape,
    shape) or (card,)."""
    if kind == "relation":
        first, relation, second = combination
        if relation in ("right of", "below"):
            first, relation, second = second, CONVERSE[str(relation)], first
        combination = (first, relation, second)
    elif kind == "couple":
        combination = tuple(sorted(map(str, combination)))
    text = ",".join(map(str, combination))
    return int.from_bytes(hashlib.sha256(f"scenes {SALT}:{kind}:{text}".encode()).digest()[:8], "big") < SHARE * 2**64


def combinations_of(kind: Kind) -> tuple[tuple[str | int, ...], ...]:
    """All of a kind, each once."""
    if kind == "pair":
        return tuple((shape, colour) for shape in SHAPES for colour in COLOUR_NAMES)
    if kind == "count":
        return tuple((shape, count) for shape in SHAPES for count in range(2, MOST_COUNTED + 1))
    if kind == "relation":
        return tuple((a, relation, b) for relation in ("left of", "above") for a, b in permutations(SHAPES, 2))
    return tuple(combinations(SHAPES, 2)) if kind == "couple" else tuple((card,) for card in DECK)


@lru_cache(maxsize=8)
def held_table(kind: Kind) -> NDArray[np.bool_]:
    """By indices: pair Bool["6 8"], count Bool["6 10"], relation Bool["6 4 6"], couple Bool["6 6"], card Bool["52"]."""
    if kind == "pair":
        return np.array([[held(kind, a, b) for b in COLOUR_NAMES] for a in SHAPES])
    if kind == "count":
        return np.array([[2 <= n <= MOST_COUNTED and held(kind, a, n) for n in range(10)] for a in SHAPES])
    if kind == "relation":
        return np.array([[[a != b and held(kind, a, r, b) for b in SHAPES] for r in RELATIONS] for a in SHAPES])
    if kind == "couple":
        return np.array([[a != b and held(kind, a, b) for b in SHAPES] for a in SHAPES])
    return np.array([held(kind, card) for card in DECK])


def allowed(split: Split, shape: str, colours: tuple[str, ...]) -> tuple[str, ...]:
    """The colours, of those given, in which a shape may be shown where no colour is told."""
    if split.part != "train" or "pair" not in split.kinds:
        return colours
    return tuple(colour for colour in colours if not held("pair", shape, colour))


def told_held(spec: Spec) -> tuple[tuple[Kind, tuple[str | int, ...]], ...]:
    """The held-out combinations that a specification tells."""
    found: list[tuple[Kind, tuple[str | int, ...]]] = []

    def tell(kind: Kind, *combination: str | int) -> None:
        if held(kind, *combination):
            found.append((kind, combination))

    for entry in spec.include:
        if entry.kind == CARD:
            if entry.card:
                tell("card", entry.card)
            continue
        if entry.colour:
            tell("pair", entry.kind, entry.colour)
        if 2 <= entry.count <= MOST_COUNTED:
            tell("count", entry.kind, entry.count)
        if entry.position is not None:
            other = spec.include[entry.position[1]]
            if other.kind not in (CARD, entry.kind):
                tell("relation", entry.kind, entry.position[0], other.kind)
    shapes = sorted({entry.kind for entry in spec.include if entry.kind != CARD})
    if spec.tag == "dense":
        for shape in shapes:
            many = sum(entry.count for entry in spec.include if entry.kind == shape)
            if 2 <= many <= MOST_COUNTED:
                tell("count", shape, many)
    elif len(spec.include) == 2 and len(shapes) == 2 and not any(entry.position for entry in spec.include):
        tell("couple", *shapes)
    return tuple(found)


def split_of(name: str, kinds: tuple[Kind, ...] = KINDS) -> Split:
    """A split by its part. UsageError if there is none."""
    if name not in PARTS:
        raise UsageError(f"split {name!r} is not one of {', '.join(PARTS)}; pass one of them")
    if not set(kinds) <= set(KINDS):
        raise UsageError(f"kinds {', '.join(kinds)} were given, some of {', '.join(KINDS)} were expected")
    part: Part = next(part for part in PARTS if part == name)
    return Split(part=part, kinds=kinds)


def parted(category: str, split: Split) -> bool:
    """Whether a category's prompts differ between train and test under these kinds. UsageError for no category."""
    if category not in HELD_BY:
        raise UsageError(f"category {category!r} is not one of {', '.join(CATEGORIES)}; pass one of them")
    return bool(set(HELD_BY[category]) & set(split.kinds))
