"""The three stages as a table: what is trained in each, on what, and how fast.

Published numbers: Janus (Wu et al. 2024, arXiv 2410.13848, table 1) and Janus-Pro (Chen et al. 2025, arXiv 2501.17811,
section 2.2 and table 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Literal

from athanor.core.errors import UsageError
from athanor.models.unified.config import Mean
from athanor.training.unified.scenes import EVENLY, Weights
from athanor.training.unified.teaching import Dose

MODULES = (
    "encoder", "encoder_adaptor", "backbone", "text_head", "code_embedding", "code_adaptor", "code_head",
    "visual_tokenizer",
)  # fmt: skip
"""The parts of a unified model."""
Schedule = Literal["constant", "cosine", "linear"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage. UsageError for a module or a number that there is not."""

    name: str
    steps: int
    dose: Dose
    trained: Mapping[str, float]
    """Modules that learn, each with its share of the learning rate; all others are frozen."""
    rate: float
    """Of AdamW."""
    muon: float | None = None
    """Of Muon, for the backbone's matrices; None leaves them to AdamW."""
    schedule: Schedule = "constant"
    """After the warm-up: constant, or down to nought as half a cosine or in a line."""
    hold: float = 0.0
    """Share of the steps before a line begins to fall."""
    warm: int = 0
    """Steps in which the rate rises from nought."""
    mean: Mean = "task"
    """What the loss is a mean over."""
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    weights: Weights = EVENLY
    """How often each category of scenes comes among prompts to draw."""
    asked: Weights = EVENLY
    """How often each comes among pictures to understand, and among texts."""
    questions: int = 4
    """About a picture or a text, at most."""
    words: float = 0.0
    """Share of the steps, the first ones, in which prompts tell one word of each thing: words before phrases."""
    veiled: float = 0.5
    """Share of prompts to draw that leave words out, and of their entries that need not, after that."""
    paired: bool = False
    """Whether prompts whose colours can be exchanged come beside the prompts that then result."""
    dense: float = 0.3
    """Share of prompts to draw that are told densely."""
    described: float = 0.0
    """Share of pictures to understand that are to be described, after the questions."""
    starts_codes: bool = False
    """Whether the table of codes that the backbone reads begins as the tokenizer's codebook."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.trained if name not in MODULES]
        if unknown or self.steps < 0 or self.rate <= 0 or min(self.trained.values(), default=1.0) <= 0:
            raise UsageError(
                f"the stage {self.name} trains {', '.join(self.trained)} for {self.steps} steps at {self.rate}; "
                f"modules of {', '.join(MODULES)} with shares above 0, steps from 0 on and a rate above 0 were expected"
            )

    @property
    def frozen(self) -> tuple[str, ...]:
        return tuple(name for name in MODULES if name not in self.trained)

    def share(self, step: int) -> float:
        """Of the full rate, at a step from 0."""
        rise = min(1.0, (step + 1) / self.warm) if self.warm else 1.0
        done = step / max(self.steps, 1)
        if self.schedule == "cosine":
            return rise * 0.5 * (1 + cos(pi * done))
        if self.schedule == "linear" and done > self.hold:
            return rise * (1 - done) / (1 - self.hold)
        return rise
