"""Pictures with their prompts, captions, questions and answers, thousands a second: what a small model trains on.

Batch `index` of a source is a function of the seed and the index alone, so that training goes on after an interruption
with the batches that it would have had, and several processes can take turns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.scenes.drawing import SMALLEST, Images, render, roughen
from athanor.environments.scenes.entropy import entropy
from athanor.environments.scenes.prompts import describe, drawn
from athanor.environments.scenes.questions import DRAWS, Question, ask
from athanor.environments.scenes.scene import STYLES, Grids, Scene, Style, scenes
from athanor.environments.scenes.spec import CATEGORIES, WORDINGS, Spec, tell
from athanor.environments.scenes.splits import Split, split_of


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where batches come from."""

    style: Style = STYLES["aligned"]
    split: Split = field(default_factory=lambda: split_of("train"))
    pixels: int = SMALLEST
    weights: tuple[tuple[str, float], ...] = tuple((category, 1.0) for category in CATEGORIES)
    """How often each category comes, in proportion; those left out never."""
    wordings: int = WORDINGS
    """Ways in which prompts are told, at random; 1 is GenEval's alone."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures and all that is known about each."""

    images: Images
    """UInt8["batch height width 3"]"""
    captions: list[str]
    """What the picture was drawn from, as a prompt tells it."""
    dense: list[str]
    """Every thing in it, with its attributes and its place."""
    questions: list[Question]
    categories: list[str]
    specs: list[Spec]
    """Without words."""
    scenes: list[Scene]

    def __len__(self) -> int:
        return len(self.captions)


def batch(source: Source, seed: int, index: int, size: int) -> Batch:
    """Batch `index`. UsageError for weights, sizes or pixels that there are not."""
    _refuse(source, size)
    rng = stream(seed, "scenes", index)
    names, weights = zip(*source.weights, strict=True)
    each = rng.multinomial(size, np.array(weights) / sum(weights))
    parts = [
        (name, *drawn(name, source.style, source.split, rng, int(many)))
        for name, many in zip(names, each, strict=True) if many
    ]  # fmt: skip
    order = rng.permutation(size)
    made = _shuffled([grid for _, _, grid in parts], order)
    specs = _permuted([spec for _, some, _ in parts for spec in some], order)
    categories = _permuted([name for name, some, _ in parts for _ in some], order)
    images = roughen(render(made, source.pixels), source.style, rng)
    those = scenes(made)
    ways = rng.integers(0, source.wordings, size).tolist()
    draws = rng.random((size, DRAWS)).tolist()
    return Batch(
        images=images, categories=categories, specs=specs, scenes=those,
        captions=[tell(spec, way) for spec, way in zip(specs, ways, strict=True)],
        dense=[tell(spec, way) for spec, way in zip(describe(those, source.style), ways, strict=True)],
        questions=[ask(scene, source.style, source.split, row) for scene, row in zip(those, draws, strict=True)],
    )  # fmt: skip


def entropies(source: Source, those: Batch) -> list[float | None]:
    """Nats of each scene given its caption: what a loss in nats a picture cannot fall below (see `entropy`)."""
    return [entropy(spec, source.style, source.split) for spec in those.specs]


def _refuse(source: Source, size: int) -> None:
    weights = dict(source.weights)
    if not weights or not set(weights) <= set(CATEGORIES) or min(weights.values()) < 0 or sum(weights.values()) <= 0:
        raise UsageError(
            f"weights {weights} were given, categories of {', '.join(CATEGORIES)} with numbers from 0 on, one of them "
            "above 0, were expected"
        )
    if size < 1 or not 1 <= source.wordings <= WORDINGS:
        raise UsageError(
            f"a batch of {size} with {source.wordings} wordings was asked for, 1 or more with 1 to {WORDINGS} were "
            "expected"
        )


def _shuffled(parts: list[Grids], order: NDArray[np.int64]) -> Grids:
    whole = {f.name: np.concatenate([getattr(part, f.name) for part in parts])[order] for f in fields(Grids)}
    return Grids(**whole)


def _permuted(values: list, order: NDArray[np.int64]) -> list:
    return [values[k] for k in order.tolist()]
