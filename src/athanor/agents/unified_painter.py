"""A unified model as a painter: it draws what the prompt says, and another picture at every attempt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from athanor.core.errors import UsageError
from athanor.core.history import History
from athanor.core.records import Decision
from athanor.core.seeds import below
from athanor.environments.scenes import Asked, Picture, picture
from athanor.environments.scenes.drawing import SMALLEST

if TYPE_CHECKING:
    from athanor.models.unified.drawing import Drawing
    from athanor.models.unified.unified import Unified

SEEDS = 2**53
"""Numbers that a picture may follow from."""


@dataclass(frozen=True, kw_only=True)
class UnifiedPainter:
    """Draws with a unified model. It is told no verdict: what it draws follows from the prompt, the episode and the
    attempt. UsageError if its pictures are too small to be judged."""

    unified: Unified
    how: Drawing
    name: str = "unified"

    def __post_init__(self) -> None:
        side = self.unified.model.config.tokenizer.image_size
        if side < SMALLEST:
            raise UsageError(
                f"the model draws pictures of {side} pixels a side, {SMALLEST} or more were expected, which can be "
                "judged; pass another --model"
            )

    def refuse(self, prompts: Iterable[str]) -> None:
        """UsageError if a prompt cannot be written in the model's words or is too long."""
        for prompt in prompts:
            self.unified.layout.prompt(prompt)

    async def act(self, observation: Asked, history: History[Picture], rng: np.random.Generator) -> Decision[Picture]:
        from athanor.models.unified.drawing import draw
        from athanor.models.unified.pictures import to_images

        drawn = draw(self.unified, [observation.prompt], [below(rng, SEEDS)], self.how)
        (image,) = to_images(drawn.pixels[0])
        return Decision(action=picture(np.asarray(image)))
