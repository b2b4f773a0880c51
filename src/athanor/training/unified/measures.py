"""What a loss hides, measured on pictures that are never trained on.

The nats of a picture less the exact entropy of the scene given its prompt: what there is still to learn, by category.
The nats under another prompt of the category less those under its own: whether the prompt is followed at all. And
questions answered, by kind: right where every token of the answer is the likeliest, as a greedy answer has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from athanor.core.seeds import digest
from athanor.environments.scenes.batches import Source, batch, entropies
from athanor.environments.scenes.drawing import SMALLEST
from athanor.environments.scenes.scene import STYLES
from athanor.environments.scenes.spec import CATEGORIES
from athanor.environments.scenes.splits import split_of
from athanor.models.unified.layout import Sample, collate
from athanor.models.unified.losses import token_losses
from athanor.models.unified.unified import Unified
from athanor.training.unified.lessons import Example, Exchange
from athanor.training.unified.scores import Score
from athanor.training.unified.teaching import conversation, drawings, pixels_of

ROWS = 64
"""Rows of a pass."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Held:
    """Examples that are measured again and again: pictures of the split `test`, with prompts and questions."""

    drawing: tuple[Example, ...]
    understanding: tuple[Example, ...]


def held(seed: int, each: int, style: str, pixels: int = SMALLEST) -> Held:
    """So many pictures of each category, of so many pixels a side."""
    source = Source(style=STYLES[style], split=split_of("test"), pixels=pixels)
    drawing: list[Example] = []
    asked: list[Example] = []
    for category in CATEGORIES:
        some = batch(replace(source, weights=((category, 1.0),)), digest(seed, "measured", category), 0, each)
        drawing += [
            Example(picture=image, prompt=prompt, category=category, entropy=nats)
            for image, prompt, nats in zip(some.images, some.captions, entropies(source, some), strict=True)
        ]
        asked += [
            Example(picture=image, questions=(Exchange(one.text, one.answer),), category=one.kind)
            for image, one in zip(some.images, some.questions, strict=True)
        ]
    return Held(drawing=tuple(drawing), understanding=tuple(asked))


def drawing_measures(unified: Unified, examples: Sequence[Example]) -> dict[str, float]:
    """`excess CATEGORY`, `gap CATEGORY` and `gap`, in nats a picture."""
    turned = list(examples)
    for category in dict.fromkeys(one.category for one in examples):
        rows = [k for k, one in enumerate(examples) if one.category == category]
        for k, other in zip(rows, rows[1:] + rows[:1], strict=True):
            turned[k] = replace(examples[k], prompt=examples[other].prompt)
    own, others = (picture_nats(unified, drawings(unified, some)) for some in (examples, turned))
    found: dict[str, float] = {}
    for category in dict.fromkeys(one.category for one in examples):
        rows = [k for k, one in enumerate(examples) if one.category == category]
        over = [own[k] - nats for k in rows if (nats := examples[k].entropy) is not None]
        if over:
            found[f"excess {category}"] = float(np.mean(over))
        found[f"gap {category}"] = float(np.mean(others[rows] - own[rows]))
    return {**found, "gap": float(np.mean(others - own))}


@torch.no_grad()
def picture_nats(unified: Unified, samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Float["samples"]: nats of all codes of each drawing."""
    found = np.zeros(len(samples))
    for rows in _ordered(samples):
        one = collate([[samples[k]] for k in rows]).to(unified.device)
        nats, _ = token_losses(unified.model, unified.model.hidden(one), one)
        found[rows] = nats.view(len(rows), -1).sum(1).cpu().numpy()
    return found


@torch.no_grad()
def answer_measures(unified: Unified, examples: Sequence[Example]) -> list[Score]:
    """Right answers by kind of question."""
    pixels = pixels_of([one.picture for one in examples if one.picture is not None])
    samples = [conversation(unified.layout, one, image) for one, image in zip(examples, pixels, strict=True)]
    right = np.zeros(len(samples), bool)
    for rows in _ordered(samples):
        one = collate([[samples[k]] for k in rows]).to(unified.device)
        likeliest = unified.model.text_logits(unified.model.hidden(one)).argmax(-1)
        right[rows] = ((likeliest == one.targets) | (one.targets < 0)).all(1).cpu().numpy()
    kinds = sorted({one.category for one in examples})
    mine = {kind: [right[k] for k, one in enumerate(examples) if one.category == kind] for kind in kinds}
    return [Score(of="answered", name=kind, right=int(sum(got)), n=len(got)) for kind, got in mine.items()]


def _ordered(samples: Sequence[Sample]) -> Iterator[list[int]]:
    """Indices of samples, those of about one length together."""
    order = sorted(range(len(samples)), key=lambda k: len(samples[k]))
    for first in range(0, len(order), ROWS):
        yield order[first : first + ROWS]
