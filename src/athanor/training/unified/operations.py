"""What a step of a stage costs, so that trainings can be made as dear as each other.

Operations count 2 a multiply-add: of the backbone and the code head over all tokens, and of the encoder; forward once,
backward once through every layer, and once more for layers that learn. The visual tokenizer, which encodes pictures to
draw, and the text head are left out: at the published size together a hundredth, here less.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from athanor.models.unified.layout import TASKS
from athanor.models.unified.unified import Unified
from athanor.training.unified.drawing_rl import forward_flop
from athanor.training.unified.lessons import Examples
from athanor.training.unified.stages import Stage
from athanor.training.unified.teaching import Dose, lesson


class Lengths(NamedTuple):
    """Mean tokens of a sample of each task; 0 where there is none."""

    understanding: float
    text: float
    drawing: float


def lengths(unified: Unified, examples: Examples, many: int = 96) -> Lengths:
    """How long samples are, from the first few."""
    found = lesson(unified, examples, Dose(samples=3 * many, ratio=(1, 1, 1)), 0, 0)
    return Lengths(*(float(np.mean([len(one) for one in task])) for task in found))


def stage_flop(unified: Unified, stage: Stage, long: Lengths) -> float:
    """Operations of one step of a stage."""
    passes = 3.0 if "backbone" in stage.trained else 2.0
    whole = sum(
        passes * forward_flop(unified, 1, round(length)) * many
        for many, length in zip(stage.dose.counts, long, strict=True)
    )
    if unified.model.config.understanding == "encoder":
        seen = stage.dose.counts[TASKS.index("understanding")]
        whole += (3.0 if "encoder" in stage.trained else 1.0) * encoder_flop(unified) * seen
    return whole


def encoder_flop(unified: Unified) -> float:
    """Operations of one pass of the encoder over a picture; a patch attends to all."""
    config = unified.model.config.encoder
    matrices = sum(weight.numel() for weight in unified.model.encoder.parameters() if weight.ndim > 1)
    return config.tokens * (2.0 * matrices + 4.0 * config.layers * config.width * config.tokens)


def reinforcement_flop(unified: Unified, images: int, length: int, *, guided: bool, learned_guided: bool) -> float:
    """Operations of one step of reinforcement: drawing so many images, and one pass of learning from them. `length`:
    tokens of a prompt with its image; `guided`: whether images are drawn in two branches, `learned_guided`: whether
    they are learned so."""
    return drawn_flop(unified, images, length, guided=guided) + 3.0 * (1 + learned_guided) * forward_flop(
        unified, images, length
    )


def drawn_flop(unified: Unified, images: int, length: int, *, guided: bool) -> float:
    """Operations of drawing, the past kept."""
    return forward_flop(unified, images * (1 + guided), length)
