"""athanor train encoder: the encoder of a unified model, on pictures and captions of one's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from athanor.core.errors import UsageError
from athanor.core.lines import refuse_launcher, refuse_taken
from athanor.core.options import refuse_outside

MANY = math.inf
RANGES = {
    "steps": (1, MANY), "batch": (2, MANY), "rate": (1e-12, MANY), "share": (1e-6, 1), "muon": (1e-12, MANY),
    "every": (1, MANY), "threads": (1, MANY),
}  # fmt: skip
LONGEST = 64
"""Tokens that are read of a caption, as SigLIP's."""
KEPT = 0.05
"""Share of the rate for an encoder that has learned, as in the third stage of the default recipe."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Train the encoder of a unified model to tell captions apart: shards of one's own, scenes, or both."""

    out: Path
    """The folder to make: manifest.json, logs.jsonl, tensorboard/, checkpoints, and the model in model/."""
    init: Path | None = None
    """The folder of a unified model, whose encoder is trained; the rest keeps every bit."""
    shape: Literal["tiny", "janus-1.3b", "janus-pro-1b", "janus-pro-7b"] | None = None
    """In place of --init, an encoder of this shape with new weights, which reads the words of scenes alone."""
    data: tuple[Path, ...] = ()
    """Shards in WebDataset's convention, of pictures with captions: .tar files, or folders that have some."""
    held: tuple[Path, ...] = ()
    """Shards to measure on; left out, a twentieth of the pairs of --data, which is then not learned."""
    scenes: float = 0.0
    """Share of the pairs that the generator of scenes makes; 1 needs no data."""
    steps: int = 1_000
    """The rate falls to the end of these."""
    batch: int = 64
    """Pairs of a step: each picture is told from so many captions."""
    rate: float = 1e-3
    """Learning rate of what reads the captions, which is new and thrown away afterwards."""
    muon: float | None = None
    """Learning rate of Muon, for the matrices of both towers' blocks, such as 0.01; left out, AdamW has them."""
    share: float | None = None
    """Of the rates, for the encoder; left out, 1 with --shape, 0.05 with --init."""
    seed: int = 1
    """All randomness follows from it."""
    every: int = 250
    """Steps between two measures, each with a checkpoint; of few steps there are four."""
    device: str = "auto"
    """Where it is trained: cpu, cuda, mps; auto is the first GPU, else the CPU."""
    threads: int = 2
    """Threads of PyTorch on a CPU."""
    resume: bool = False
    """Go on with the training in --out; on a CPU the result is the same, bit for bit, as without the interruption."""


def run(config: Config) -> int:
    """Train, and print the path of the model."""
    import torch

    from athanor.models.backends.pretrained import device_of
    from athanor.training.unified.encoder import EncoderRecipe
    from athanor.training.unified.own import Own, train_encoder

    refuse_outside(config, RANGES)
    if (config.init is None) == (config.shape is None):
        raise UsageError("one of --init and --shape was expected; pass a model's folder, or a shape for new weights")
    device = device_of(config.device)
    refuse_launcher("the training of a part")
    refuse_taken(config.out, resume=config.resume, work="a training")
    torch.set_num_threads(config.threads)
    share = config.share if config.share is not None else 1.0 if config.init is None else KEPT
    recipe = EncoderRecipe(
        steps=config.steps, batch=config.batch, rate=config.rate, muon=config.muon, share=share, longest=LONGEST,
    )  # fmt: skip
    own = Own(
        seed=config.seed, init=config.init, shape=config.shape or "tiny", data=config.data, held=config.held,
        scenes=config.scenes, every=config.every,
    )  # fmt: skip
    print(train_encoder(own, recipe, config.out, device=device, resume=config.resume).resolve())
    return 0
