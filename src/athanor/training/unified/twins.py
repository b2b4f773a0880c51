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
from athanor.environments.scenes.spec import LEADS, tell
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


def _told(scene: Scene, style: Style, rng: np.random.Generator) -> str:
    spec = describe([scene], style)[0]
    return tell(spec, PLAIN, veiled(spec, rng, 0.0))


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
