"""The generator of scenes as a source of examples.

What is held out (`environments.scenes.splits`) is told in no prompt, question or text of training. It is shown all the
same, under prompts that leave words out (`a star`, `a red thing`, `a queen`; `veils.py`): codes that were never drawn
could not be drawn, whatever the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from athanor.core.errors import UsageError
from athanor.core.seeds import digest, stream
from athanor.environments.scenes.asking import DESCRIBE
from athanor.environments.scenes.batches import Batch, Source, batch, entropies
from athanor.environments.scenes.drawing import SMALLEST, Images, render, roughen
from athanor.environments.scenes.prompts import describe
from athanor.environments.scenes.questions import DRAWS, ask, tells_held
from athanor.environments.scenes.sample import dense
from athanor.environments.scenes.scene import CELLS, SLOTS, STYLES, Grids, Scene, empty, grids
from athanor.environments.scenes.spec import CATEGORIES, WORDINGS, Spec, tell
from athanor.environments.scenes.splits import KINDS, Kind, Split, split_of, told_held
from athanor.environments.scenes.words import NUMBERS
from athanor.training.unified.lessons import Example, Exchange, Use
from athanor.training.unified.twins import PLAIN, exchanged, twins
from athanor.training.unified.veils import crossings, veiled

Weights = tuple[tuple[str, float], ...]
EVENLY: Weights = tuple((category, 1.0) for category in CATEGORIES)
COLOURLESS = ("single_object", "two_object", "counting", "position")
"""Categories whose prompts name no colour: their pictures show the colours that are never told, too."""
WHOLE = ("single_object", "dense")
"""Categories of which nothing can be left out: one has one word, the other all of them."""
DECKED = 0.8
"""Probability of a card in each corner of a busy picture."""


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Examples of scenes."""

    seed: int
    style: str = "aligned"
    """Of `environments.scenes.STYLES`."""
    weights: Weights = EVENLY
    """How often each category comes among prompts to draw."""
    asked: Weights = EVENLY
    """How often each comes among pictures to understand, and among texts."""
    dense: float = 0.3
    """Share of the prompts of other categories that are told densely instead: everything with its place."""
    veiled: float = 0.5
    """Share of the prompts that leave words out, so that their pictures may show what is held out (`veils.py`)."""
    left_out: float = 0.5
    """Of these, the probability that an entry that need not leave a word out does."""
    paired: bool = False
    """Whether prompts whose colours can be exchanged (`twins.exchanged`) come beside the prompts that then result."""
    questions: int = 4
    """About one picture, at most."""
    unnamed: float = 0.0
    """Share of the pictures to understand that may show what is held out, under questions that do not tell it."""
    described: float = 0.0
    """Share of the pictures to understand that are to be described, too, after the questions."""
    pixels: int = SMALLEST
    name: str = "scenes"

    def take(self, use: Use, index: int, size: int) -> Sequence[Example]:
        """As `Examples.take`."""
        makers: Mapping[Use, Callable[[int, int], Sequence[Example]]] = {
            "drawing": self._drawing, "understanding": self._understanding, "text": self._text,
            "pictures": self._pictures, "captions": self._captions,
        }  # fmt: skip
        if use not in makers:
            raise UsageError(f"examples for {use!r} were asked for, one of {', '.join(makers)} was expected")
        return makers[use](index, size)

    def _source(self, weights: Weights, split: Split) -> Source:
        return Source(style=STYLES[self.style], split=split, pixels=self.pixels, weights=weights)

    def _drawing(self, index: int, size: int) -> list[Example]:
        colourless: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "pair")
        parts: tuple[tuple[Weights, Split], ...] = (
            (tuple((name, w) for name, w in self.weights if name not in COLOURLESS), split_of("train")),
            (tuple((name, w) for name, w in self.weights if name in COLOURLESS), split_of("train", colourless)),
            (tuple((name, w) for name, w in self.weights if name not in WHOLE), split_of("all")),
        )
        rng = stream(self.seed, "drawing", index)
        summed = np.array([sum(w for _, w in weights) for weights, _ in parts])
        summed *= np.array([1 - self.veiled, 1 - self.veiled, self.veiled])
        found: list[Example] = []
        for k, ((weights, split), n) in enumerate(zip(parts, rng.multinomial(size, _shares(summed)), strict=True)):
            if n:
                source = self._source(weights, split)
                some = batch(source, digest(self.seed, "drawing", k), index, int(n))
                some = self._paired(source, some, rng) if self.paired else some
                found += self._veiled(some, rng) if k == 2 else self._told(source, some, rng)
        return [found[k] for k in rng.permutation(size).tolist()]

    def _paired(self, source: Source, some: Batch, rng: np.random.Generator) -> Batch:
        """Every second one of those whose colours can be exchanged gives way to the twin of the one before it."""
        kinds = source.split.kinds if source.split.part == "train" else ()
        made: dict[int, tuple[Spec, Scene]] = {}
        for category in dict.fromkeys(some.categories):
            those = [k for k, one in enumerate(some.categories) if one == category]
            for first, second in zip(those[::2], those[1::2], strict=False):
                twin = exchanged(some.specs[first], some.scenes[first])
                if twin is not None and not any(kind in kinds for kind, _ in told_held(twin[0])):
                    made[second] = twin
        if not made:
            return some
        specs, scenes, captions, full = list(some.specs), list(some.scenes), list(some.captions), list(some.dense)
        for k, (spec, scene) in made.items():
            way = int(rng.integers(WORDINGS))
            specs[k], scenes[k], captions[k] = spec, scene, tell(spec, way)
            full[k] = tell(describe([scene], source.style)[0], way)
        images = some.images.copy()
        those_made = render(grids([scene for _, scene in made.values()]), self.pixels)
        images[list(made)] = roughen(those_made, source.style, rng)
        return replace(some, images=images, specs=specs, scenes=scenes, captions=captions, dense=full)

    def _told(self, source: Source, some: Batch, rng: np.random.Generator) -> list[Example]:
        """By their prompts, or densely. What is held out is told in neither: where no colour is told, its picture may
        show one that must not be, and is not told densely. Where words of a held-out combination are said of different
        things, some are left out."""
        densely = rng.random(len(some)) < self.dense
        nats = entropies(source, some)
        found: list[Example] = []
        for k, (image, spec) in enumerate(zip(some.images, some.specs, strict=True)):
            if densely[k] and "pair" in source.split.kinds:
                found.append(Example(picture=image, prompt=some.dense[k], category="dense", entropy=0.0))
            elif spec.tag != "dense" and crossings(spec, [set() for _ in spec.include]):
                found.append(self._with_left_out(image, spec, rng, 0.0))
            else:
                prompt, category = some.captions[k], some.categories[k]
                found.append(Example(picture=image, prompt=prompt, category=category, entropy=nats[k]))
        return found

    def _veiled(self, some: Batch, rng: np.random.Generator) -> list[Example]:
        """By words that tell nothing that is held out, whatever the picture shows."""
        return [
            self._with_left_out(image, spec, rng, self.left_out)
            for image, spec in zip(some.images, some.specs, strict=True)
        ]

    def _with_left_out(self, image: Images, spec: Spec, rng: np.random.Generator, often: float) -> Example:
        way, words = int(rng.integers(WORDINGS)), veiled(spec, rng, often)
        return Example(picture=image, prompt=tell(spec, way, words), category="veiled")

    def _understanding(self, index: int, size: int) -> list[Example]:
        source, rng = self._source(self.asked, split_of("train")), stream(self.seed, "asked", index)
        unnamed = int(rng.binomial(size, self.unnamed))
        found = self._unnamed(source, index, unnamed, rng) if unnamed else []
        if unnamed == size:
            return found
        some = batch(source, digest(self.seed, "understanding"), index, size - unnamed)
        told = [tell(spec, PLAIN) for spec in describe(some.scenes, source.style)]
        more = [(Exchange(DESCRIBE, one),) if rng.random() < self.described else () for one in told]
        return found + [
            Example(picture=image, questions=(*self._asked(scene, source, rng), *last), text=full, category=category)
            for image, scene, full, category, last in zip(
                some.images, some.scenes, some.dense, some.categories, more, strict=True
            )
        ]

    def _unnamed(self, source: Source, index: int, size: int, rng: np.random.Generator) -> list[Example]:
        """Pictures of everything, with questions that tell nothing that is held out: there is always one of number."""
        some = batch(replace(source, split=split_of("all")), digest(self.seed, "unnamed"), index, size)
        found: list[Example] = []
        for image, scene, category in zip(some.images, some.scenes, some.categories, strict=True):
            asked = [
                ask(scene, source.style, source.split, row) for row in rng.random((self.questions, DRAWS)).tolist()
            ]
            told = dict.fromkeys(Exchange(one.text, one.answer) for one in asked)
            kept = tuple(one for one in told if not tells_held(*one))
            found.append(Example(picture=image, questions=kept or (_number(scene),), category=category))
        return found

    def _captions(self, index: int, size: int) -> list[Example]:
        """Pictures of everything with dense descriptions, each followed by its twin (`twins.py`)."""
        source, rng = self._source(self.asked, split_of("all")), stream(self.seed, "twins", index)
        some = batch(source, digest(self.seed, "twins"), index, (size + 1) // 2)
        every = [one for scene in some.scenes for one in twins(scene, source.style, rng)][:size]
        images = roughen(render(grids([scene for scene, _ in every]), self.pixels), source.style, rng)
        return [
            Example(picture=image, prompt=text, category="captions")
            for image, (_, text) in zip(images, every, strict=True)
        ]

    def _asked(self, scene: Scene, source: Source, rng: np.random.Generator) -> tuple[Exchange, ...]:
        """Questions about a scene, each once."""
        drawn = [ask(scene, source.style, source.split, row) for row in rng.random((self.questions, DRAWS)).tolist()]
        return tuple(dict.fromkeys(Exchange(one.text, one.answer) for one in drawn))

    def _text(self, index: int, size: int) -> list[Example]:
        """A dense description, which says what a picture would show, and questions that it answers."""
        source = self._source(self.asked, split_of("train"))
        some, rng = batch(source, digest(self.seed, "text"), index, size), stream(self.seed, "asked text", index)
        return [
            Example(text=f"{full}.", questions=self._asked(scene, source, rng), category=category)
            for scene, full, category in zip(some.scenes, some.dense, some.categories, strict=True)
        ]

    def _pictures(self, index: int, size: int) -> list[Example]:
        """Busy pictures without words, with everything that there is: one to nine things, or up to four cards."""
        style, rng = STYLES[self.style], stream(self.seed, "pictures", index)
        carded = empty(size // 3)
        order = np.argsort(rng.random((len(carded), 52)), 1)[:, :SLOTS]
        carded.card[:] = np.where(rng.random(order.shape) < DECKED, order, -1)
        things = dense(style, split_of("all"), rng, size - len(carded), fewest=1, most=CELLS)
        both = Grids(**{f.name: np.concatenate([getattr(things, f.name), getattr(carded, f.name)])
                        for f in fields(Grids)})  # fmt: skip
        return [Example(picture=image) for image in roughen(render(both, self.pixels), style, rng)]


def _number(scene: Scene) -> Exchange:
    """How many there are of everything."""
    kind = "cards" if scene.cards else "things"
    return Exchange(f"how many {kind} are there?", NUMBERS[len(scene.cards) or len(scene.things)])


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    if weights.sum() <= 0:
        raise UsageError("no category of prompts to draw has a weight above 0; pass weights with one")
    return weights / weights.sum()
