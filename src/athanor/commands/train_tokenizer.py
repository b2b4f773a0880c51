"""athanor train tokenizer: the visual tokenizer of a unified model, on pictures of one's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from athanor.core.errors import UsageError
from athanor.core.lines import refuse_launcher, refuse_taken
from athanor.core.options import refuse_outside

MANY = math.inf
RANGES = {"steps": (1, MANY), "batch": (1, MANY), "rate": (1e-12, MANY), "every": (1, MANY), "threads": (1, MANY)}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Train the visual tokenizer of a unified model on pictures: shards of one's own, scenes, or both."""

    out: Path
    """The folder to make: manifest.json, logs.jsonl, tensorboard/, checkpoints, and the model in model/."""
    init: Path | None = None
    """The folder of a unified model, whose visual tokenizer is trained; the rest keeps every bit."""
    shape: Literal["tiny", "janus-1.3b", "janus-pro-1b", "janus-pro-7b"] | None = None
    """In place of --init, a tokenizer of this shape with new weights, beside the smallest language model."""
    data: tuple[Path, ...] = ()
    """Shards in WebDataset's convention: .tar files, or folders that have some."""
    held: tuple[Path, ...] = ()
    """Shards to measure on; left out, a twentieth of the pictures of --data, which is then not learned."""
    scenes: float = 0.0
    """Share of the pictures that the generator of scenes makes; 1 needs no data."""
    steps: int = 2_000
    """The rate falls to the end of these."""
    batch: int = 32
    """Pictures of a step."""
    rate: float | None = None
    """Learning rate; left out, 2e-3 where codes are new, else 1e-4."""
    codes: Literal["new", "kept"] | None = None
    """Begin with new codes, or go on from those that are there; left out, kept with --init."""
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


WARM = 100
"""Steps without a codebook, where codes are new, but for a tenth of the steps at most."""


def run(config: Config) -> int:
    """Train, and print the path of the model."""
    import torch

    from athanor.models.backends.pretrained import device_of
    from athanor.training.unified.own import Own, train_tokenizer
    from athanor.training.unified.tokenizer import TokenizerRecipe

    refuse_outside(config, RANGES)
    if (config.init is None) == (config.shape is None):
        raise UsageError("one of --init and --shape was expected; pass a model's folder, or a shape for new weights")
    kept = (config.codes or ("new" if config.init is None else "kept")) == "kept"
    if kept and config.init is None:
        raise UsageError("--codes kept was given with --shape, whose codes are random; leave it out, or pass --init")
    device = device_of(config.device)
    refuse_launcher("the training of a part")
    refuse_taken(config.out, resume=config.resume, work="a training")
    torch.set_num_threads(config.threads)
    recipe = TokenizerRecipe(
        steps=config.steps, batch=config.batch, rate=config.rate or (1e-4 if kept else 2e-3), kept=kept,
        warm=min(WARM, config.steps // 10),
    )  # fmt: skip
    own = Own(
        seed=config.seed, init=config.init, shape=config.shape or "tiny", data=config.data, held=config.held,
        scenes=config.scenes, every=config.every,
    )  # fmt: skip
    print(train_tokenizer(own, recipe, config.out, device=device, resume=config.resume).resolve())
    return 0
