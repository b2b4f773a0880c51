"""athanor train unified: a model that sees and draws, from nothing in three stages, or further on own files."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from shutil import which

from athanor.core.errors import UsageError
from athanor.core.lines import refuse_launcher, refuse_taken
from athanor.core.options import changed, option, refuse_idle, refuse_outside
from athanor.training.unified.settings import Lora, Tuning, Work

FEW = 50
"""Prompts of each category at the end of a quick training, at most."""
RANGES = {"length": (1e-4, math.inf), "threads": (1, math.inf), "many": (1, math.inf)}
TUNED = {
    "steps": (1, math.inf), "samples": (1, math.inf), "rows": (1, math.inf), "parts": (1, math.inf),
    "rate": (1e-12, math.inf), "warm": (0, math.inf), "weight_decay": (0, math.inf), "unconditional": (0, 1),
    "window": (1, math.inf),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Train a model that sees and draws, from nothing, in the three stages of Janus-Pro; hours on two cores."""

    out: Path
    """The folder to make: manifest.json, logs.jsonl, tensorboard/, checkpoints, and the model in model/."""
    seed: int = 1
    """All randomness follows from it."""
    quick: bool = False
    """The whole recipe in 15 minutes: a fifteenth of stages II and III, and 50 prompts of each category at the end."""
    length: float = 1.0
    """Steps of every part, as a multiple of the recipe's."""
    many: int = 200
    """Prompts of each category on which the model is scored at the end."""
    init: Path | None = None
    """The folder of a unified model to train further on --tune.data or scenes, such as one of `athanor assemble`."""
    device: str = "auto"
    """Where it is trained: cpu, cuda, mps; auto is the first GPU, else the CPU."""
    threads: int = 2
    """Threads of PyTorch on a CPU."""
    half: bool | None = None
    """Products in bfloat16; left out, where the device is faster at them. With --tune, accelerate says it."""
    compile: bool = False
    """Compile the backbone (on a CPU needs g++): 1.4 times as fast; resumed, the result is equal up to rounding."""
    resume: bool = False
    """Go on with the training in --out; on a CPU the result is the same, bit for bit, as without the interruption."""
    tune: Tuning = field(default_factory=Tuning)
    lora: Lora = field(default_factory=Lora)
    work: Work = field(default_factory=Work)


def run(config: Config) -> int:
    """Train, and print the path of the model; on standard error its scores, with intervals."""
    import torch

    from athanor.analysis.cards import estimates
    from athanor.analysis.exploration import table_text
    from athanor.models.backends.pretrained import device_of
    from athanor.training.precision import halves
    from athanor.training.unified import recipes
    from athanor.training.unified.run import CARD, MODEL, train

    refuse_outside(config, RANGES)
    if config.tune.data or config.tune.scenes == 1:
        return tuned(config)
    if config.tune.stage is not None:
        raise UsageError(f"--tune.stage {config.tune.stage} has nothing to learn; pass --tune.data, or --tune.scenes 1")
    if config.init is not None:
        raise UsageError(
            f"--init {config.init} was given, and nothing that it is to learn; the recipe begins from nothing: pass "
            "--tune.data, or --tune.scenes 1, to train a model further"
        )
    idle = [*changed(config.tune, "tune"), *changed(config.lora, "lora"), *changed(config.work, "work")]
    refuse_idle(idle, "no --tune.data and no --tune.scenes 1")
    device = device_of(config.device)
    if config.compile and device == "cpu" and which(os.environ.get("CXX", "g++")) is None:
        raise UsageError("--compile was given and there is no g++, a C++ compiler was expected; install it, or set CXX")
    refuse_launcher("training from nothing")
    refuse_taken(config.out, resume=config.resume, work="the training")
    torch.set_num_threads(config.threads)
    half = halves(device) if config.half is None else config.half
    recipe = replace(recipes.tiny(config.seed), half=half, compiled=config.compile)
    recipe = (recipe.quick() if config.quick else recipe).longer(config.length)
    recipe = recipe.scored(min(config.many, FEW) if config.quick else config.many)
    train(recipe, config.out, device=device)
    card = json.loads((config.out / MODEL / CARD).read_bytes())
    print(table_text(estimates(card, config.out.name)), file=sys.stderr)
    print((config.out / MODEL).resolve())
    return 0


def tuned(config: Config) -> int:
    """Train the model of --init further on --tune.data or scenes, and print the path of the model."""
    import torch

    from athanor.training.unified.finetune import finetune

    if config.init is None:
        raise UsageError("what to learn was given and no model; pass --init with the folder of one")
    if not config.lora.rank:
        refuse_idle(["--lora.alpha"] if config.lora.alpha is not None else [], "--lora.rank 0")
    plain = {
        one.name: one.default for one in fields(config) if one.name in ("quick", "length", "many", "half", "compile")
    }
    idle = [option(name) for name, value in plain.items() if getattr(config, name) != value]
    refuse_idle(idle, "--tune.data or --tune.scenes 1")
    refuse_outside(config.tune, TUNED, "tune")
    refuse_outside(config.lora, {"rank": (0, math.inf), "alpha": (0, math.inf)}, "lora")
    refuse_outside(config.work, {"every": (1, math.inf), "workers": (0, math.inf), "rows": (1, math.inf)}, "work")
    torch.set_num_threads(config.threads)
    model = finetune(
        config.tune, config.init, config.out, config.seed, config.work, lora=config.lora, device=config.device,
        resume=config.resume,
    )  # fmt: skip
    if os.environ.get("RANK", "0") == "0":  # of the processes that a launcher started, one speaks
        print(model.resolve())
    return 0
