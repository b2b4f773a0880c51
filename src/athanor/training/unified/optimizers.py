"""The optimizers of a stage: AdamW over its modules, each at its share of the rate, and Muon over matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from athanor.core.errors import DataError
from athanor.models.unified.model import UnifiedModel
from athanor.training.unified.stages import Stage


class StageOptimizers:
    """AdamW over the modules of a stage, each at its share of the rate, and Muon over the backbone's matrices."""

    def __init__(self, model: UnifiedModel, stage: Stage) -> None:
        self.stage = stage
        inner = [w for name, w in model.named_parameters() if stage.muon and "backbone" in stage.trained
                 and name.startswith("backbone.layers.") and w.ndim == 2]  # fmt: skip
        taken = {id(w) for w in inner}
        groups = [
            {"params": [w for w in model.get_submodule(name).parameters() if id(w) not in taken], "share": share,
             "lr": stage.rate * share}
            for name, share in stage.trained.items()
        ]  # fmt: skip
        self.weights = [w for name in stage.trained for w in model.get_submodule(name).parameters()]
        self.adamw = torch.optim.AdamW(groups, stage.rate, stage.betas, weight_decay=stage.weight_decay, fused=True)
        self.muon = Muon(inner, stage.muon) if inner and stage.muon else None

    def step(self, share: float) -> None:
        for group in self.adamw.param_groups:
            group["lr"] = self.stage.rate * group["share"] * share
        self.adamw.step()
        if self.muon is not None:
            self.muon.step(share)
        for weight in self.weights:
            weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """All states by name."""
        velocity = self.muon.velocity if self.muon else []
        return states(self.adamw) | {f"muon.{k}": one for k, one in enumerate(velocity)}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take states back. DataError where they are not those of these parameters."""
        take_states(self.adamw, tensors)
        for k, one in enumerate(self.muon.velocity if self.muon else []):
            kept = tensors.get(f"muon.{k}")
            if kept is None or kept.shape != one.shape:
                raise DataError(_MISFIT)
            one.copy_(kept)


class Muon:
    """Steps of orthogonalised momentum (Jordan et al. 2024), matrices of one shape together, in float32: on a processor
    without half precision PyTorch's own takes a multiple of a pass."""

    def __init__(self, weights: Sequence[Tensor], rate: float, momentum: float = 0.95) -> None:
        self.rate, self.momentum = rate, momentum
        shapes: dict[torch.Size, list[Tensor]] = {}
        for weight in weights:
            shapes.setdefault(weight.shape, []).append(weight)
        self.groups = list(shapes.values())
        self.velocity = [torch.zeros(len(some), *some[0].shape, device=some[0].device) for some in self.groups]

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


_MISFIT = "the checkpoint's states fit no optimizer of this part; go on with a checkpoint of the same recipe"


def states(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The states of an optimizer by name."""
    return {
        f"adamw.{index}.{key}": value.clone()
        for index, held in optimizer.state_dict()["state"].items()
        for key, value in held.items()
    }


def take_states(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimizer its states back. DataError where they are not those of its parameters."""
    whole = optimizer.state_dict()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    found: dict[int, dict[str, Tensor]] = {}
    for full, value in tensors.items():
        if full.startswith("adamw."):
            _, index, key = full.split(".", 2)
            found.setdefault(int(index), {})[key] = value
            if int(index) >= len(weights) or (value.ndim and value.shape != weights[int(index)].shape):
                raise DataError(_MISFIT)
    whole["state"] = found
    optimizer.load_state_dict(whole)
