"""One step of a stage: all tasks, their means summed, gradients in the modules of the table and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from time import process_time

import numpy as np
import torch
from torch import Tensor, nn

from athanor.core.errors import DataError
from athanor.models.unified.layout import TASKS
from athanor.models.unified.losses import token_losses
from athanor.models.unified.model import Batch, UnifiedModel
from athanor.models.unified.unified import Unified
from athanor.training.optimizers import clip
from athanor.training.unified.lessons import Examples
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

    def __init__(self, unified: Unified, stage: Stage, examples: Examples, seed: int) -> None:
        self.unified, self.stage, self.examples, self.seed = unified, stage, examples, seed
        freeze(unified.model, stage)
        self.optimizers = StageOptimizers(unified.model, stage)

    def step(self, step: int) -> dict[str, float]:
        """Step `step`, from 0; nats a token of each task, and what it cost."""
        begun = process_time()
        unified, stage = self.unified, self.stage
        samples = lesson(unified, self.examples, stage.dose, self.seed, step)
        taught = process_time()
        batches = [batch.to(unified.device) for batch in passes(samples, stage.dose)]
        nats = backward(unified.model, batches)
        norm = clip(self.optimizers.weights, stage.clip)
        if not np.isfinite(norm):
            raise DataError(f"the loss or its gradient is not finite at step {step}; train at a lower rate")
        self.optimizers.step(stage.share(step))
        tokens = sum(int((batch.segments > 0).sum()) for batch in batches)
        return {
            **{name: value for name, value in zip(TASKS, nats, strict=True) if value is not None}, "norm": norm,
            "tokens": float(tokens), "padding": 1 - tokens / sum(batch.tokens.numel() for batch in batches),
            "teaching_seconds": taught - begun, "cpu_seconds": process_time() - begun,
        }  # fmt: skip


def backward(model: UnifiedModel, batches: Sequence[Batch]) -> list[float | None]:
    """Gradients of the sum of the tasks' means, over batches of one pass each; nats a token of each task, None where
    there is none of it. As `losses.total`, in parts."""
    whole = learned(batches)
    summed = [0.0] * len(TASKS)
    for batch in batches:
        hidden = model.hidden(batch)
        nats, tasks = token_losses(model, hidden, batch)
        weights = torch.tensor([1 / n if n else 0.0 for n in whole], device=nats.device)[tasks]
        (nats * weights).sum().backward()
        for k in range(len(TASKS)):
            summed[k] += float(nats.detach()[tasks == k].sum())
    return [total / n if n else None for total, n in zip(summed, whole, strict=True)]


class StageOptimizers:
    """AdamW over the modules of a stage, each at its share of the rate, and Muon over the backbone's matrices."""

    def __init__(self, model: UnifiedModel, stage: Stage) -> None:
        self.stage = stage
        inner = [w for name, w in model.named_parameters() if stage.muon and "backbone" in stage.trained
                 and name.startswith("backbone.layers.") and w.ndim == 2]  # fmt: skip
        taken = {id(w) for w in inner}
        groups = [
            {"params": [w for w in _module(model, name).parameters() if id(w) not in taken], "share": share,
             "lr": stage.rate * share}
            for name, share in stage.trained.items()
        ]  # fmt: skip
        self.weights = [w for name in stage.trained for w in _module(model, name).parameters()]
        fused = {"fused": True}
        self.adamw = torch.optim.AdamW(groups, stage.rate, stage.betas, weight_decay=stage.weight_decay, **fused)
        self.muon = Muon(inner, stage.muon) if inner and stage.muon else None

    def step(self, share: float) -> None:
        for group in self.adamw.param_groups:
            group["lr"] = self.stage.rate * group["share"] * share
        self.adamw.step()
        if self.muon is not None:
            self.muon.step(share)
        for weight in self.weights:
            weight.grad = None


class Muon:
    """Steps of orthogonalised momentum (Jordan et al. 2024), matrices of one shape together, in float32: on a processor
    without half precision PyTorch's own takes a multiple of a pass."""

    def __init__(self, weights: Sequence[Tensor], rate: float, momentum: float = 0.95) -> None:
        self.rate, self.momentum = rate, momentum
        shapes: dict[torch.Size, list[Tensor]] = {}
        for weight in weights:
            shapes.setdefault(weight.shape, []).append(weight)
        self.groups = list(shapes.values())
        self.velocity = [torch.zeros(len(some), *some[0].shape) for some in self.groups]

    @torch.no_grad()
    def step(self, share: float) -> None:
        for some, velocity in zip(self.groups, self.velocity, strict=True):
            grad = torch.stack([w.grad for w in some if w.grad is not None])
            velocity.lerp_(grad, 1 - self.momentum)
            update = orthogonal(grad.lerp(velocity, self.momentum))
            rows, columns = some[0].shape
            step = self.rate * share * max(1.0, rows / columns) ** 0.5
            for weight, one in zip(some, update, strict=True):
                weight.sub_(one, alpha=step)


def orthogonal(x: Tensor, steps: int = 5) -> Tensor:
    """Float["matrices rows columns"]: each matrix with its singular values brought near 1 (quintic Newton-Schulz)."""
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315) @ x
    return x.mT if tall else x


def _module(model: UnifiedModel, name: str) -> nn.Module:
    return model.get_submodule(name)
