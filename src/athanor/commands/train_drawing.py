"""athanor train drawing: reinforcement of a unified model's drawing, with the judge of scenes as the verifier."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from athanor.core.errors import UsageError
from athanor.core.lines import refuse_launcher
from athanor.core.options import changed, refuse_idle, refuse_outside
from athanor.models.unified.embedded import folder_of
from athanor.training.optimizers import refuse_rates
from athanor.training.unified.settings import DrawingRL, Lora

MANY = math.inf
RANGES = {
    "steps": (1, MANY), "prompts": (1, MANY), "samples": (1, MANY), "guidance": (0, 100), "epochs": (1, MANY),
    "clip": (0, MANY), "kl": (0, MANY), "micro": (1, MANY),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Reinforce what a unified model draws, by an exact judge of its images."""

    out: Path
    """The folder to make: manifest.json, log.jsonl, scores.jsonl, checkpoints, and the trained model in model/."""
    model: Path | None = None
    """The folder of a unified model, in the layout of its release or of transformers; left out, the package's own."""
    method: Literal["reinforce", "own"] = "reinforce"
    """own: draw what --rl would draw in all its steps, and fine-tune on those that pass."""
    own_steps: int = 100
    """Of learning with --method own."""
    seed: int = 1
    """All randomness follows from it."""
    every: int = 20
    """Steps between checkpoints, each with its scores on prompts of the parts `train` and `test`."""
    each: int = 4
    """Prompts of each category and part that are drawn for a score; 0 for none."""
    device: str = "auto"
    """Where it is trained, as torch calls it; auto is the first GPU, else the CPU."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the weights that are trained; in bfloat16 steps of 1e-6 are rounded away."""
    mixed: bool = False
    """Multiply in bfloat16 whatever the weights are."""
    template: Literal["janus-pro", "janus", "words"] | None = None
    """How the model was taught to converse; janus for a released Janus-1.3B, which does not say it itself."""
    threads: int = 1
    """Threads of PyTorch on a CPU."""
    resume: bool = False
    """Go on with the training in --out; on a CPU the result is the same, bit for bit, as without the interruption."""
    rl: DrawingRL = field(default_factory=DrawingRL)
    lora: Lora = field(default_factory=Lora)


def run(config: Config) -> int:
    """Train, and print the folder of the model."""
    import torch

    from athanor.models.backends.pretrained import device_of
    from athanor.training.unified.drawing_run import Execution, reinforce

    refuse_launcher("reinforcement")
    refuse_outside(config.rl, RANGES, "rl")
    refuse_rates(config.rl.rates, "rl.rates")
    if min(config.every, config.threads) < 1 or config.each < 0:
        raise UsageError(
            f"--every {config.every}, --threads {config.threads} and --each {config.each} were given, 1 or more and of "
            "the last 0 or more were expected; pass such numbers"
        )
    torch.set_num_threads(config.threads)
    how = Execution(
        every=config.every, each=config.each, device=device_of(config.device), dtype=getattr(torch, config.dtype),
        mixed=config.mixed, template=config.template,
    )  # fmt: skip
    refuse_outside(config.lora, {"rank": (0, MANY), "alpha": (0, MANY)}, "lora")
    if config.method == "own":
        print(_own(config))
        return 0
    refuse_idle(["--own-steps"] if config.own_steps != Config.own_steps else [], "--method reinforce")
    model = folder_of(config.model)
    print(reinforce(config.rl, model, config.out, config.seed, how, lora=config.lora, resume=config.resume))
    return 0


def _own(config: Config) -> Path:
    """Fine-tune on own right drawings, and give the model's folder."""
    from athanor.models.backends.pretrained import device_of
    from athanor.training.unified.rejection import Rejection, fine_tune

    refuse_outside(config, {"own_steps": (1, MANY)})
    given = {"--every": config.every != 20, "--each": config.each != 4, "--dtype": config.dtype != "float32",
             "--mixed": config.mixed}  # fmt: skip
    learned = ("algorithm", "scored", "reward", "epochs", "level", "clip", "kl")
    given |= {f"--rl.{name}": getattr(config.rl, name) != getattr(DrawingRL(), name) for name in learned}
    refuse_idle([*(name for name, is_given in given.items() if is_given), *changed(config.lora, "lora")],
                "--method own")  # fmt: skip
    return fine_tune(
        Rejection(sampled=config.rl, steps=config.own_steps), folder_of(config.model), config.out, config.seed,
        device=device_of(config.device), template=config.template, resume=config.resume,
    )  # fmt: skip
