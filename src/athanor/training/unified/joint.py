"""One step of a stage: all tasks, their means summed, gradients in the modules of the table and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from time import process_time

import torch

from athanor.models.unified.config import Mean
from athanor.models.unified.layout import TASKS
from athanor.models.unified.losses import shares, token_losses
from athanor.models.unified.model import Batch, UnifiedModel
from athanor.models.unified.unified import Unified
from athanor.training.compiled import Compiled
from athanor.training.optimizers import clip, refuse_lost
from athanor.training.precision import mixed
from athanor.training.unified.lessons import Examples
from athanor.training.unified.optimizers import StageOptimizers
from athanor.training.unified.stages import Stage
from athanor.training.unified.teaching import learned, lesson, passes


def module_of(name: str) -> str:
    """The module of a parameter."""
    return name.split(".")[0]


def freeze(model: UnifiedModel, stage: Stage) -> None:
    """Let exactly the parameters of a stage's modules have gradients. The codebook follows no gradient anywhere."""
    for name, weight in model.named_parameters():
        weight.requires_grad_(module_of(name) in stage.trained)


class Trainer:
    """Trains a model through one stage, in place."""

    def __init__(
        self, unified: Unified, stage: Stage, examples: Examples, seed: int, *, half: bool = False,
        compiled: bool = False,
    ) -> None:  # fmt: skip
        """`half`: products in bfloat16. `compiled`: the backbone's layers."""
        self.unified, self.stage, self.examples, self.seed, self.half = unified, stage, examples, seed, half
        freeze(unified.model, stage)
        self.optimizers = StageOptimizers(unified.model, stage)
        self.compiled = Compiled(unified.model.backbone.layers if compiled else ())

    def step(self, step: int) -> dict[str, float]:
        """Step `step`, from 0; nats a token of each task, and what it cost."""
        begun = process_time()
        unified, stage = self.unified, self.stage
        samples = lesson(unified, self.examples, stage.dose, self.seed, step)
        taught = process_time()
        batches = [batch.to(unified.device) for batch in passes(samples, stage.dose)]
        with mixed(unified.device, self.half), self.compiled.on():
            nats = backward(unified.model, batches, stage.mean)
            norm = clip(self.optimizers.weights, stage.clip)
            refuse_lost(norm, step)
            self.optimizers.step(stage.share(step))
        tokens = sum(int((batch.segments > 0).sum()) for batch in batches)
        return {
            **{name: value for name, value in zip(TASKS, nats, strict=True) if value is not None}, "norm": norm,
            "tokens": float(tokens), "padding": 1 - tokens / sum(batch.tokens.numel() for batch in batches),
            "teaching_seconds": taught - begun, "step_seconds": process_time() - begun,
        }  # fmt: skip


def backward(model: UnifiedModel, batches: Sequence[Batch], mean: Mean = "task") -> list[float | None]:
    """Gradients of a stage's loss over batches of one pass each; nats a token of each task, None where there is none of
    it. As `losses.total`, in parts."""
    whole = learned(batches)
    every = shares(whole, mean)
    summed = [0.0] * len(TASKS)
    for batch in batches:
        hidden = model.hidden(batch)
        nats, tasks = token_losses(model, hidden, batch)
        weights = torch.tensor(every, device=nats.device)[tasks]
        if nats.requires_grad:  # text alone passes through nothing that learns in stage I
            (nats * weights).sum().backward()
        for k in range(len(TASKS)):
            summed[k] += float(nats.detach()[tasks == k].sum())
    return [total / n if n else None for total, n in zip(summed, whole, strict=True)]
