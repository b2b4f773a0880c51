"""Scenes that just miss what a prompt asks for: what an exact judge must tell from those that fit."""

from __future__ import annotations

import msgspec

from athanor.environments.points.cards import DECK, RANKS, SUITS
from athanor.environments.scenes.scene import CELLS, SLOTS, Placed, Scene, Thing
from athanor.environments.scenes.spec import Spec
from athanor.environments.scenes.words import CARD, COLOUR_NAMES, SHAPES

_with = msgspec.structs.replace


def near_misses(spec: Spec, scene: Scene) -> tuple[tuple[str, Scene], ...]:
    """(what was changed, scene) of each change that the prompt forbids; `scene` fits the prompt. Every change is of one
    thing: the colours of two told apart by them swapped, one more, one less, another colour or shape where it is told,
    another place where that is told, a relation mirrored; another suit or rank, two cards swapped where places are.
    """
    made = _of_cards(spec, scene) if scene.cards else _of_things(spec, scene)
    return tuple(made)


def _of_things(spec: Spec, scene: Scene) -> list[tuple[str, Scene]]:
    things, made = scene.things, []
    first = things[0]
    free = [cell for cell in range(CELLS) if cell not in {thing.cell for thing in things}]
    coloured = all(entry.colour for entry in spec.include)
    groups = {(thing.shape, thing.colour) for thing in things}
    if coloured and len(spec.include) > 1 and len({shape for shape, _ in groups}) > 1:
        pair = next(((a, b) for a in things for b in things if a.shape != b.shape and a.colour != b.colour), None)
        if pair and {(pair[0].shape, pair[1].colour), (pair[1].shape, pair[0].colour)} - groups:
            made.append(("colours swapped", _changed(scene, {
                pair[0].cell: _with(pair[0], colour=pair[1].colour), pair[1].cell: _with(pair[1], colour=pair[0].colour)
            })))  # fmt: skip
    if free:
        made.append(("one more", _sorted(scene, (*things, _with(first, cell=free[0], dx=0, dy=0)))))
    made.append(("one less", _with(scene, things=things[1:])))
    others = [shape for shape in SHAPES if shape not in {entry.kind for entry in spec.include}]
    if others:
        made.append(("other shape", _changed(scene, {first.cell: _with(first, shape=others[0])})))
    if coloured:
        used = {thing.colour for thing in things}
        spare = next(colour for colour in COLOUR_NAMES if colour not in used) if len(used) < 8 else None
        made += [("other colour", _changed(scene, {first.cell: _with(first, colour=spare)}))] if spare else []
    if all(entry.place for entry in spec.include) and free:
        made.append(("moved", _sorted(scene, (*things[1:], _with(first, cell=free[-1])))))
    if any(entry.position for entry in spec.include):
        sideways = any(entry.position and entry.position[0].endswith("of") for entry in spec.include)
        made.append(("mirrored", _sorted(scene, tuple(_mirrored(thing, sideways) for thing in things))))
    return made


def _mirrored(thing: Thing, sideways: bool) -> Thing:
    row, column = divmod(thing.cell, 3)
    if sideways:
        return _with(thing, cell=3 * row + 2 - column, dx=-thing.dx)
    return _with(thing, cell=3 * (2 - row) + column, dy=-thing.dy)


def _of_cards(spec: Spec, scene: Scene) -> list[tuple[str, Scene]]:
    cards, made = scene.cards, []
    first, there = cards[0], {placed.card for placed in cards}
    rank, suit = first.card[:-1], first.card[-1]
    if all(entry.card for entry in spec.include if entry.kind == CARD):
        for name, others in (
            ("other suit", [f"{rank}{one}" for one in SUITS]), ("other rank", [f"{one}{suit}" for one in RANKS])
        ):  # fmt: skip
            card = next(card for card in others if card not in there)
            made.append((name, _with(scene, cards=(_with(first, card=card), *cards[1:]))))
    free = [cell for cell in range(SLOTS) if cell not in {placed.cell for placed in cards}]
    if free:
        spare = next(card for card in DECK if card not in there)
        more = (*cards, Placed(card=spare, cell=free[0]))
        made.append(("one more", _with(scene, cards=tuple(sorted(more, key=lambda placed: placed.cell)))))
    made.append(("one less", _with(scene, cards=cards[1:])))
    if all(entry.place for entry in spec.include) and len(cards) > 1:
        second = cards[1]
        swapped = (_with(first, card=second.card), _with(second, card=first.card), *cards[2:])
        made.append(("moved", _with(scene, cards=swapped)))
    return made


def _changed(scene: Scene, by_cell: dict[int, Thing]) -> Scene:
    return _with(scene, things=tuple(by_cell.get(thing.cell, thing) for thing in scene.things))


def _sorted(scene: Scene, things: tuple[Thing, ...]) -> Scene:
    return _with(scene, things=tuple(sorted(things, key=lambda thing: thing.cell)))
