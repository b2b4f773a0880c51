"""Pictures with descriptions that come in twins, which differ in one word.

Among descriptions of any other pictures a picture's own is found by colours and places alone: an encoder taught so
tells nine retrievals in ten right, and cannot tell a star from a cross. Twins differ in a shape, a colour, a rank or a
suit, so that nothing else tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from athanor.environments.points.cards import RANKS
from athanor.environments.scenes.prompts import describe
from athanor.environments.scenes.scene import Scene, Style
from athanor.environments.scenes.spec import LEADS, Spec, tell
from athanor.environments.scenes.words import SUIT_WORDS
from athanor.training.unified.veils import veiled

COARSE = 0.25
"""Probability that twins differ in a colour, or a suit; otherwise in a shape, or a rank."""
PATIENCE = 100
"""Changes that are tried before a scene is left without one."""
PLAIN = LEADS.index("")
"""The wording without a lead."""


def twins(scene: Scene, style: Style, rng: np.random.Generator) -> list[tuple[Scene, str]]:
    """A scene, and the same with one word changed, each with a description that tells nothing that is held out: words
    are left out where it takes that. The scene twice, where no change was found that shows in words."""
    one = scene, _told(scene, style, rng)
    for _ in range(PATIENCE):
        made = _changed(scene, style.shapes, style.colours, rng)
        told = _told(made, style, rng)
        if told != one[1] and made != scene:
            return [one, (made, told)]
    return [one, one]


def exchanged(spec: Spec, scene: Scene) -> tuple[Spec, Scene] | None:
    """The same words in another order: with the colours of the two shapes that are told exchanged, or the suits of the
    two cards, and so in the scene. None where it is not two with a colour each, or two cards, that differ in both.

    >>> from athanor.environments.scenes.scene import Thing
    >>> from athanor.environments.scenes.spec import Entry
    >>> a, b = Entry(kind="star", colour="red"), Entry(kind="ring", colour="blue")
    >>> things = Thing(shape="star", colour="red", cell=0), Thing(shape="ring", colour="blue", cell=4)
    >>> spec, scene = exchanged(Spec(tag="color_attr", include=(a, b)), Scene(things=things))
    >>> tell(spec), [thing.colour for thing in scene.things]
    ('a photo of a blue star and a red ring', ['blue', 'red'])
    """
    if len(spec.include) != 2:
        return None
    one, other = spec.include
    if one.card and other.card:
        return _dealt_anew(spec, scene, one.card, other.card)
    if not one.colour or not other.colour:
        return None
    if one.kind == other.kind or one.colour == other.colour:
        return None
    now = {one.kind: other.colour, other.kind: one.colour}
    things = tuple(msgspec.structs.replace(thing, colour=now[thing.shape]) for thing in scene.things)
    entries = tuple(msgspec.structs.replace(entry, colour=now[entry.kind]) for entry in spec.include)
    return msgspec.structs.replace(spec, include=entries), msgspec.structs.replace(scene, things=things)


def _dealt_anew(spec: Spec, scene: Scene, one: str, other: str) -> tuple[Spec, Scene] | None:
    """With the suits of two cards exchanged."""
    if one[:-1] == other[:-1] or one[-1] == other[-1]:
        return None
    now = {one: one[:-1] + other[-1], other: other[:-1] + one[-1]}
    cards = tuple(msgspec.structs.replace(placed, card=now[placed.card]) for placed in scene.cards)
    entries = tuple(msgspec.structs.replace(entry, card=now[str(entry.card)]) for entry in spec.include)
    return msgspec.structs.replace(spec, include=entries), msgspec.structs.replace(scene, cards=cards)


def _told(scene: Scene, style: Style, rng: np.random.Generator) -> str:
    spec = describe([scene], style)[0]
    return tell(spec, PLAIN, veiled(spec, rng, 0.0, apart=False))


def _changed(scene: Scene, shapes: Sequence[str], colours: Sequence[str], rng: np.random.Generator) -> Scene:
    """With another shape, colour, rank or suit of one thing, drawn at random; it may be the one that was there."""
    coarse = rng.random() < COARSE
    if scene.cards:
        at = int(rng.integers(len(scene.cards)))
        rank, suit = scene.cards[at].card[:-1], scene.cards[at].card[-1]
        card = rank + tuple(SUIT_WORDS)[int(rng.integers(4))] if coarse else RANKS[int(rng.integers(len(RANKS)))] + suit
        if any(placed.card == card for placed in scene.cards):
            return scene
        cards = list(scene.cards)
        cards[at] = msgspec.structs.replace(cards[at], card=card)
        return msgspec.structs.replace(scene, cards=tuple(cards))
    at, things = int(rng.integers(len(scene.things))), list(scene.things)
    new = (
        {"colour": colours[int(rng.integers(len(colours)))]}
        if coarse
        else {"shape": shapes[int(rng.integers(len(shapes)))]}
    )
    things[at] = msgspec.structs.replace(things[at], **new)
    return msgspec.structs.replace(scene, things=tuple(things))
