"""athanor train base-points: the small policy from which post-training on points begins."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from athanor.core.errors import UsageError
from athanor.core.lines import refuse_taken


@dataclass(frozen=True, kw_only=True)
class Config:
    """Train a small policy on GeneralPoints, from which post-training begins; under an hour on one core."""

    out: Path
    """The folder to make: manifest.json, model.safetensors, log.jsonl, checkpoints."""
    seed: int = 1
    """All randomness follows from it."""
    steps: int = 3_000
    """Batches of 256 sequences; the learning rate falls to zero over the last two thirds."""
    device: str = "cpu"
    """Where it is trained: cpu, or cuda."""
    threads: int = 1
    """Threads of PyTorch on a CPU."""
    resume: bool = False
    """Go on with the training in --out; on a CPU the result is the same, bit for bit, as without the interruption."""


def run(config: Config) -> int:
    """Train, and print the path of the policy."""
    import torch

    from athanor.training.base_points import Recipe, train

    if config.steps < 1 or config.threads < 1:
        raise UsageError(
            f"--steps {config.steps} and --threads {config.threads} were given, 1 or more were expected; pass such"
        )
    refuse_taken(config.out, resume=config.resume, work="the training")
    torch.set_num_threads(config.threads)
    execution = {"device": config.device, "threads": config.threads, "command": shlex.join(["athanor", *sys.argv[1:]])}
    train(Recipe(seed=config.seed, steps=config.steps), config.out, device=config.device, execution=execution)
    print((config.out / "model.safetensors").resolve(), file=sys.stdout)
    return 0
