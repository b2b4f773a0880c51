"""athanor train policy: post-training of the small policy on GeneralPoints, supervised or by reinforcement."""

from __future__ import annotations

import math
import shlex
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from athanor.core.errors import UsageError
from athanor.core.lines import refuse_taken
from athanor.core.options import changed, refuse_idle, refuse_outside
from athanor.training.optimizers import refuse_rates
from athanor.training.rl import GROUPED, RL
from athanor.training.sft import SFT

MANY = math.inf
RANGES = {
    "steps": (1, MANY), "prompts": (1, MANY), "samples": (1, MANY), "rounds": (1, 10), "temperature": (0.01, 100),
    "epochs": (1, MANY), "clip": (0, MANY), "kl": (0, MANY), "entropy": (0, MANY),
    "gamma": (0, 1), "lam": (0, 1), "critic": (0, MANY), "budget": (0, MANY),
}  # fmt: skip
SFT_RANGES = {
    "steps": (1, MANY), "rows": (1, MANY), "hands": (0, MANY), "kl": (0, MANY), "l2": (0, MANY), "tries": (1, MANY),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Post-train a small policy on GeneralPoints; a minute or two on one core with the defaults."""

    out: Path
    """The folder to make: manifest.json, log.jsonl, scores.jsonl, checkpoints, model.safetensors."""
    method: Literal["sft", "rl"]
    """Supervised fine-tuning on solutions, or reinforcement by a verifier; the algorithm is --rl.algorithm."""
    base: str = "base-points-1"
    """The policy to begin from: base-points-1 or -2, a model.safetensors, or a checkpoint of such a training."""
    seed: int = 1
    """All randomness follows from it."""
    every: int = 20
    """Steps between checkpoints, each with its scores on hands of the parts `train`, `test` and `base`."""
    each: int = 4
    """Hands of each multiset of numbers that are played for a score, at most."""
    device: str = "cpu"
    """Where it is trained: cpu, or cuda."""
    threads: int = 1
    """Threads of PyTorch on a CPU."""
    resume: bool = False
    """Go on with the training in --out; on a CPU the result is the same, bit for bit, as without the interruption."""
    rl: RL = field(default_factory=RL)
    sft: SFT = field(default_factory=SFT)


def run(config: Config) -> int:
    """Train, and print the path of the policy."""
    import torch

    from athanor.models.policy.embedded import path_of
    from athanor.training import checkpoint
    from athanor.training.evaluate import tried
    from athanor.training.post import load_trained, post_train

    idle = changed(config.sft, "sft") if config.method == "rl" else changed(config.rl, "rl")
    refuse_idle(idle, f"--method {config.method}")
    refuse_outside(config.rl, RANGES, "rl")
    refuse_outside(config.sft, SFT_RANGES, "sft")
    refuse_rates(config.rl.rates, "rl.rates")
    refuse_rates(config.sft.rates, "sft.rates")
    if config.rl.samples < 2 and config.rl.algorithm in GROUPED:
        raise UsageError(
            f"--rl.algorithm {config.rl.algorithm} compares samples of a hand; pass --rl.samples 2 or more"
        )
    if min(config.every, config.each, config.threads) < 1:
        raise UsageError(
            f"--every {config.every}, --each {config.each} and --threads {config.threads} were given, 1 or more of "
            "each were expected; pass such numbers"
        )
    refuse_taken(config.out, resume=config.resume, work="the training")
    base, science = path_of(config.base), config.rl if config.method == "rl" else config.sft
    torch.set_num_threads(config.threads)
    score = partial(tried, each=config.each, seed=config.seed, last=science.steps)
    points = range(config.every, science.steps + 1, config.every)
    execution = {"base": config.base, "every": config.every, "each": config.each, "device": config.device,
                 "threads": config.threads, "command": shlex.join(["athanor", *sys.argv[1:]])}  # fmt: skip
    post_train(science, base, config.out, config.seed, points=points, score=score, device=config.device, show=True,
               execution=execution)  # fmt: skip
    policy, _ = checkpoint.read_policy(base, config.device)
    load_trained(policy, config.out)
    checkpoint.write_policy(config.out / "model.safetensors", policy, {"base": config.base, "method": config.method})
    print((config.out / "model.safetensors").resolve())
    return 0
