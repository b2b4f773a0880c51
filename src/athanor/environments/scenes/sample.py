"""Many prompts of a category, and a scene for each: drawn with arrays, uniformly over what a split allows.

First what is asked for, uniformly over the category's specifications that the split allows; then the scene, uniformly
over all that fit: where the things lie, how they look where nothing is told (alike within a group), and their jitter.
That makes the entropy of the scene given the prompt a closed form (`entropy.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from athanor.core.errors import UsageError
from athanor.environments.points.cards import DECK
from athanor.environments.scenes.layouts import corners, layouts
from athanor.environments.scenes.scene import CARD_ROOM, CELLS, Grids, Style, empty, refuse
from athanor.environments.scenes.spec import CATEGORIES, Entry, Spec
from athanor.environments.scenes.splits import HELD_BY, Split, allowed, held_table, parted
from athanor.environments.scenes.words import (
    CARD,
    COLOUR_NAMES,
    RELATIONS,
    SHAPES,
    SIZE_NAMES,
    TEXTURES,
)  # fmt: skip

Ints = NDArray[np.int64]
BUSIEST = 6
"""Things in a dense scene, at most."""
TOGETHER = 3
"""Things of a group in `mixed`, at most."""
PATIENCE = 200
"""Rounds of drawing without enough of what a split allows after which there is taken to be none."""


@dataclass(frozen=True, kw_only=True)
class Plans:
    """What is asked for, of two groups, as numbers; -1 is nothing. Int["batch"], or Int["batch 2"] by group."""

    shape: Ints
    """[batch 2]; of the second group -1 where there is none. The relation is that of the first to the second."""
    colour: Ints
    """[batch 2]"""
    count: Ints
    """[batch 2]"""
    relation: Ints
    """[batch]; index into RELATIONS"""
    card: Ints
    """[batch 2]"""

    def __len__(self) -> int:
        return len(self.relation)


def _rows(plans: Plans, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Plans:
    return Plans(**{field.name: getattr(plans, field.name)[rows] for field in fields(Plans)})


def _joined(parts: list[Plans]) -> Plans:
    return Plans(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Plans)})


def _nothing(batch: int) -> dict[str, Ints]:
    two = np.full((batch, 2), -1, np.int64)
    return {"shape": two, "colour": two.copy(), "count": np.zeros((batch, 2), np.int64),
            "relation": np.full(batch, -1, np.int64), "card": two.copy()}  # fmt: skip


def _two(rng: np.random.Generator, batch: int, among: Ints) -> Ints:
    """[batch 2]: two different ones of those given, in order."""
    first = rng.integers(0, len(among), batch)
    second = (first + rng.integers(1, max(len(among), 2), batch)) % len(among)
    return among[np.stack([first, second], 1)]


def _raw(category: str, style: Style, rng: np.random.Generator, batch: int) -> Plans:
    """Uniform over a category's specifications, whatever the split."""
    shapes, colours = indices(style.shapes, SHAPES), indices(style.colours, COLOUR_NAMES)
    made = _nothing(batch)
    if category == "cards":
        made["card"] = _two(rng, batch, np.arange(52))
        made["card"][rng.random(batch) < 0.5, 1] = -1
        return Plans(**made)
    paired = category in ("two_object", "position", "color_attr", "mixed")
    made["shape"] = _two(rng, batch, shapes)
    made["count"][:] = 1
    if not paired:
        made["shape"][:, 1], made["count"][:, 1] = -1, 0
    if category == "counting":
        made["count"][:, 0] = rng.integers(2, 5, batch)
    if category == "colors":
        made["colour"][:, 0] = colours[rng.integers(0, len(colours), batch)]
    if category in ("color_attr", "mixed"):
        made["colour"] = _two(rng, batch, colours)
    if category == "position":
        made["relation"] = rng.integers(0, len(RELATIONS), batch)
    if category == "mixed":
        made["colour"][rng.random((batch, 2)) < 0.5] = -1
        made["count"] = rng.integers(1, TOGETHER + 1, (batch, 2))
        made["relation"] = rng.integers(-1, len(RELATIONS), batch)
        return _rows(Plans(**made), has_room(made["count"], made["relation"]))
    return Plans(**made)


def has_room(count: Ints, relation: Ints) -> NDArray[np.bool_]:
    """Bool["batch"]: whether groups of these sizes can lie in this relation."""
    table = np.array([
        [[len(layouts(a, b, RELATIONS[r] if r >= 0 else None)) > 0 for r in (*range(len(RELATIONS)), -1)]
         for b in range(1, TOGETHER + 1)] for a in range(1, TOGETHER + 1)
    ])  # fmt: skip
    return table[count[:, 0] - 1, count[:, 1] - 1, relation]


def kept(category: str, plans: Plans, split: Split) -> NDArray[np.bool_]:
    """Bool["batch"]: whether a split has these prompts."""
    if split.part == "all" or not parted(category, split):
        return np.ones(len(plans), bool)
    told = np.zeros(len(plans), bool)
    shape, other = plans.shape[:, 0], plans.shape[:, 1]
    for kind in set(HELD_BY[category]) & set(split.kinds):
        table = held_table(kind)
        if kind == "pair":
            told |= ((plans.shape >= 0) & (plans.colour >= 0) & table[plans.shape, plans.colour]).any(1)
        elif kind == "count":
            told |= ((plans.shape >= 0) & table[plans.shape, plans.count]).any(1)
        elif kind == "relation":
            told |= (plans.relation >= 0) & table[shape, plans.relation, other]
        elif kind == "couple":
            told |= (plans.relation < 0) & (other >= 0) & table[shape, other]
        else:
            told |= ((plans.card >= 0) & table[plans.card]).any(1)
    return ~told if split.part == "train" else told


def plans(category: str, style: Style, split: Split, rng: np.random.Generator, batch: int) -> Plans:
    """So many prompts of a category other than `dense`. UsageError if a style and split have none."""
    refuse(style)
    if category not in CATEGORIES or category == "dense":
        raise UsageError(f"category {category!r} has no plans; one of {', '.join(CATEGORIES[:-1])} was expected")
    found, have = [], 0
    for _ in range(PATIENCE):
        raw = _raw(category, style, rng, max(64, 2 * (batch - have)))
        found.append(_rows(raw, kept(category, raw, split)))
        have += len(found[-1])
        if have >= batch:
            return _rows(_joined(found), slice(0, batch))
    raise UsageError(
        f"no {category} prompts of the split {split.part} were found with shapes {', '.join(style.shapes)} and colours "
        f"{', '.join(style.colours)}; pass a style with more of them, or another split"
    )


def realise(asked: Plans, style: Style, split: Split, rng: np.random.Generator) -> Grids:
    """A scene for each plan, uniformly over all that fit it and its split."""
    batch = len(asked)
    made = empty(batch)
    carded = asked.card[:, 0] >= 0
    keys = np.where(carded, -1 - (asked.card >= 0).sum(1), (asked.count[:, 0] * 10 + asked.count[:, 1]) * 8
                    + asked.relation + 1)  # fmt: skip
    pick = rng.random(batch)
    for one in np.unique(keys).tolist():
        rows = np.flatnonzero(keys == one)
        ways = corners(-1 - one) if one < 0 else layouts(one // 80, one // 8 % 10, (None, *RELATIONS)[one % 8])
        owner = ways[(pick[rows] * len(ways)).astype(np.int64)].astype(np.int64)
        source = asked.card[rows] if one < 0 else asked.shape[rows]
        got = np.where(owner >= 0, np.take_along_axis(source, np.maximum(owner, 0), 1), -1)
        if one < 0:
            made.card[rows] = got
        else:
            made.shape[rows] = got
            for name, each in _looks(_rows(asked, rows), style, split, rng).items():
                getattr(made, name)[rows] = np.take_along_axis(each, np.maximum(owner, 0), 1) * (owner >= 0)
    _scatter(made, style, rng)
    return made


def _looks(asked: Plans, style: Style, split: Split, rng: np.random.Generator) -> dict[str, Ints]:
    """Colour, size and texture of each group, [batch 2]: as told, or uniform over what is allowed."""
    free = np.full((len(SHAPES), len(COLOUR_NAMES)), 0, np.int64)
    many = np.ones(len(SHAPES), np.int64)
    for index, shape in enumerate(SHAPES):
        can = indices(allowed(split, shape, style.colours), COLOUR_NAMES)
        if len(can) == 0 and shape in style.shapes:
            raise UsageError(f"no colour of {', '.join(style.colours)} is left for {shape} in training; pass more")
        free[index, : len(can)], many[index] = can, max(1, len(can))
    shape = np.maximum(asked.shape, 0)
    chosen = free[shape, (rng.random(shape.shape) * many[shape]).astype(np.int64)]
    sizes, textures = indices(style.sizes, SIZE_NAMES), indices(style.textures, TEXTURES)
    return {
        "colour": np.where(asked.colour >= 0, asked.colour, chosen),
        "size": sizes[rng.integers(0, len(sizes), shape.shape)],
        "texture": textures[rng.integers(0, len(textures), shape.shape)],
    }


def _scatter(made: Grids, style: Style, rng: np.random.Generator) -> None:
    """Jitter where there is something, and backgrounds; in place."""
    there = made.shape >= 0
    for shift in (made.dx, made.dy):
        if style.jitter:
            np.multiply(rng.integers(-style.jitter, style.jitter + 1, there.shape, np.int8), there, out=shift)
            most = min(style.jitter, CARD_ROOM)
            cards = rng.integers(-most, most + 1, made.card.shape, np.int8)
            shift[:, :4] += cards * (made.card >= 0)
    levels = np.array(style.backgrounds, np.uint8)
    made.background[:] = levels[rng.integers(0, len(levels), len(made))]


def dense(
    style: Style, split: Split, rng: np.random.Generator, batch: int, *, fewest: int = 2, most: int = BUSIEST
) -> Grids:
    """Scenes of `fewest` to `most` things, each of any look, in any cells; for training without any that is held out,
    for testing with at least one that is. UsageError if there are none."""
    refuse(style)
    if not 1 <= fewest <= most <= CELLS:
        raise UsageError(f"{fewest} to {most} things were asked for, 1 to {CELLS} were expected")
    found: list[Grids] = []
    for _ in range(PATIENCE):
        raw = _busy(style, rng, 2 * batch + 32, fewest, most)
        mine = np.flatnonzero(_shown(raw, split))
        found.append(Grids(**{field.name: getattr(raw, field.name)[mine] for field in fields(Grids)}))
        if sum(map(len, found)) >= batch:
            whole = {f.name: np.concatenate([getattr(one, f.name) for one in found])[:batch] for f in fields(Grids)}
            return Grids(**whole)
    raise UsageError(f"no dense scenes of the split {split.part} were found; pass a style with more shapes or colours")


def _busy(style: Style, rng: np.random.Generator, batch: int, fewest: int, most: int) -> Grids:
    made = empty(batch)
    rank = np.argsort(np.argsort(rng.random((batch, CELLS)), 1), 1)
    there = rank < rng.integers(fewest, most + 1, (batch, 1))
    for grid, names, known in (
        (made.colour, style.colours, COLOUR_NAMES), (made.size, style.sizes, SIZE_NAMES),
        (made.texture, style.textures, TEXTURES), (made.shape, style.shapes, SHAPES),
    ):  # fmt: skip
        among = indices(names, known)
        grid[:] = among[rng.integers(0, len(among), there.shape)] * there
    made.shape[~there] = -1
    _scatter(made, style, rng)
    return made


def _shown(made: Grids, split: Split) -> NDArray[np.bool_]:
    """Bool["batch"]: whether a dense scene is of a split."""
    if split.part == "all" or not parted("dense", split):
        return np.ones(len(made), bool)
    told = np.zeros(len(made), bool)
    if "pair" in split.kinds:
        told |= ((made.shape >= 0) & held_table("pair")[made.shape, made.colour]).any(1)
    if "count" in split.kinds:
        for index, row in enumerate(held_table("count")):
            told |= row[(made.shape == index).sum(1)]
    return ~told if split.part == "train" else told


def spec_of(
    category: str, shape: list[int], colour: list[int], count: list[int], relation: int, card: list[int]
) -> Spec:
    """One row of plans as a specification."""
    if card[0] >= 0:
        return Spec(tag=category, include=tuple([Entry(kind=CARD, card=DECK[one]) for one in card if one >= 0]))
    names = [None if one < 0 else COLOUR_NAMES[one] for one in colour]
    first = Entry(kind=SHAPES[shape[0]], count=count[0], colour=names[0],
                  position=(RELATIONS[relation], 0) if relation >= 0 else None)  # fmt: skip
    if shape[1] < 0:
        more = (Entry(kind=first.kind, count=count[0] + 1),) if category == "counting" else ()
        return Spec(tag=category, include=(first,), exclude=more)
    second = Entry(kind=SHAPES[shape[1]], count=count[1], colour=names[1])
    return Spec(tag=category, include=(second, first) if relation >= 0 else (first, second))


def specs(category: str, asked: Plans) -> list[Spec]:
    columns = (asked.shape, asked.colour, asked.count, asked.relation, asked.card)
    return [spec_of(category, *row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def indices(names: tuple[str, ...], known: tuple[str, ...]) -> Ints:
    return np.array([known.index(name) for name in names], np.int64)
