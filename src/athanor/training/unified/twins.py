"""Pictures with descriptions that come in twins, which differ in one word.

Among descriptions of any other pictures a picture's own is found by colours and places alone: an encoder taught so
tells nine retrievals in ten right, and cannot tell a star from a cross. Twins differ in a shape, a colour, a rank or a
suit, so that nothing else tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from athanor.core.errors import UsageError
from athanor.core.seeds import digest, stream
from athanor.environments.points.cards import RANKS
from athanor.environments.scenes.batches import batch
from athanor.environments.scenes.drawing import render, roughen
from athanor.environments.scenes.prompts import describe
from athanor.environments.scenes.scene import STYLES, Scene, Style, grids
from athanor.environments.scenes.spec import tell
from athanor.environments.scenes.splits import split_of
from athanor.environments.scenes.words import SUIT_WORDS
from athanor.training.unified.lessons import Example, Use
from athanor.training.unified.scenes import PLAIN, Scenes
from athanor.training.unified.veils import veiled

COARSE = 0.25
"""Probability that twins differ in a colour, or a suit; otherwise in a shape, or a rank."""
PATIENCE = 100
"""Changes that are tried before a scene is left without one."""


@dataclass(frozen=True, kw_only=True)
class Twins:
    """Examples of scenes to be told apart by their descriptions: each scene is followed by its twin."""

    scenes: Scenes
    name: str = "twins"

    def take(self, use: Use, index: int, size: int) -> Sequence[Example]:
        """As `Examples.take`, of what is to be understood. An odd one out has no twin. UsageError for other uses."""
        if use != "understanding":
            raise UsageError(f"twins for {use!r} were asked for, they are there for understanding alone")
        style, seed = STYLES[self.scenes.style], self.scenes.seed
        source, rng = self.scenes.source(self.scenes.asked, split_of("all")), stream(seed, "twins", index)
        some = batch(source, digest(seed, "twins"), index, (size + 1) // 2)
        every = [one for scene in some.scenes for one in twins(scene, style, rng)][:size]
        images = roughen(render(grids([scene for scene, _ in every]), self.scenes.pixels), style, rng)
        return [
            Example(picture=image, text=text, category="twins") for image, (_, text) in zip(images, every, strict=True)
        ]


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
        card = rank + tuple(SUIT_WORDS)[rng.integers(4)] if coarse else RANKS[rng.integers(len(RANKS))] + suit
        if any(placed.card == card for placed in scene.cards):
            return scene
        cards = list(scene.cards)
        cards[at] = msgspec.structs.replace(cards[at], card=card)
        return msgspec.structs.replace(scene, cards=tuple(cards))
    at, things = int(rng.integers(len(scene.things))), list(scene.things)
    new = {"colour": colours[rng.integers(len(colours))]} if coarse else {"shape": shapes[rng.integers(len(shapes))]}
    things[at] = msgspec.structs.replace(things[at], **new)
    return msgspec.structs.replace(scene, things=tuple(things))
