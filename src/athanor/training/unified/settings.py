"""What trainings of a unified model are asked to do. Nothing here loads a model library but torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from athanor.environments.scenes import CATEGORIES
from athanor.models.unified.config import Mean, Understanding
from athanor.models.unified.sampling import Sampling
from athanor.training.losses import Level
from athanor.training.optimizers import Rates

Purpose = Literal["drawing", "understanding", "both"]
Published = Literal["janus-I", "janus-II", "janus-III", "janus-pro-I", "janus-pro-II", "janus-pro-III"]
Schedule = Literal["constant", "cosine", "linear"]


@dataclass(frozen=True, kw_only=True)
class DrawingRL:
    """How drawing is reinforced."""

    algorithm: Literal["grpo", "dr-grpo", "rloo", "reinforce", "positive", "negative", "w-reinforce"] = "grpo"
    steps: int = 100
    prompts: int = 8
    """Different prompts of a step."""
    samples: int = 8
    """Images of each prompt."""
    categories: tuple[str, ...] = CATEGORIES
    """What prompts ask for; they take turns."""
    guidance: float = 5.0
    """Weight of classifier-free guidance that images are drawn with; 1 is none."""
    sampling: Sampling = field(default_factory=Sampling)
    scored: Literal["sampled", "t2i-r1"] = "sampled"
    """What is learned: log-probabilities of what was drawn from or, as in T2I-R1, of the model without guidance."""
    reward: Literal["share", "pass"] = "share"
    """1 for an image that passes, and else a part of it by the share of checks that hold, or nothing."""
    rates: Rates = field(default_factory=lambda: Rates(adamw=1e-4))
    epochs: int = 1
    """Passes over each batch of images."""
    level: Level = "token"
    """Whether probability ratios are of codes or of whole images (turn)."""
    clip: float = 0.2
    kl: float = 0.0
    """Weight of the divergence from the model as it was, by the estimator k3; 0 keeps no copy of it."""
    micro: int = 16
    """Images that gradients are computed of at once; it changes the last bits alone."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank adapters in place of all weights."""

    rank: int = 0
    """0 trains all weights."""
    alpha: float | None = None
    """What is added is scaled by this over the rank; left out, twice the rank."""

    @property
    def scale(self) -> float:
        return (2.0 * self.rank if self.alpha is None else self.alpha) / self.rank


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What is taught, and how."""

    data: tuple[Path, ...] = ()
    """Shards in WebDataset's convention: .tar files, or folders that have some."""
    purpose: Purpose = "both"
    """What examples are for: to draw (picture and caption), to understand (picture, questions and answers), or both."""
    stage: Published | None = None
    """In place of a purpose, a published stage: what it trains, its ratio, rate, steps, and packed rows of a step."""
    ratio: tuple[float, float, float] | None = None
    """Understanding, text, drawing: samples of each; left out, that of the purpose or the stage."""
    understanding: Understanding | None = None
    """How images are understood: by the encoder, or by the codes that they are drawn with; left out, as in --init."""
    steps: int | None = None
    """Left out, 1,000, or those of the stage."""
    samples: int | None = None
    """Of a step, over all processes; left out, 64, or as many as fill the rows of the stage."""
    rows: int | None = None
    """Packed rows of 4,096 tokens of a step, in place of samples: as many samples as fill them on average."""
    parts: int | None = None
    """Parts that a step is computed in, a multiple of the processes, for less memory; left out, as many as these."""
    rate: float | None = None
    """Learning rate; left out, that of the stage, or 4e-5 as in Janus-Pro's third, and 2e-4 for adapters."""
    mean: Mean | None = None
    """Of the loss: over each task's tokens, or over all; left out, over all in a published stage, as published."""
    schedule: Schedule = "constant"
    warm: int = 0
    """Steps in which the rate rises."""
    weight_decay: float = 0.0
    unconditional: float = 0.1
    """Probability that a prompt to draw is replaced by padding, for guidance."""
    encoder: bool = False
    """Train the encoder too, to understand."""
    question: str = ""
    """What captions answer where a picture has no questions, as "Describe it."; empty passes such pictures over."""
    scenes: float = 0.0
    """Share of the examples that the generator of scenes makes; 1 needs no data."""
    window: int = 8
    """Shards that are shuffled together."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """How a fine-tuning is carried out."""

    every: int = 100
    """Steps between checkpoints."""
    held: tuple[Path, ...] = ()
    """Shards whose loss is told with every checkpoint, and that are not learned."""
    workers: int = 0
    """Processes that read and decode beside each that trains."""
    rows: int = 8
    """Rows of a pass."""
    checkpointing: bool = False
    """Compute activations twice in place of keeping them, for less memory; a configuration of FSDP2 has its own."""
    template: Literal["janus-pro", "janus", "words"] | None = None
    """How the model was taught to converse; janus for a released Janus-1.3B, which does not say it itself."""
    layout: Literal["original", "huggingface"] | None = None
    """Of what comes out; left out, that of the model."""
