"""Muon: steps of orthogonalised momentum (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


class Muon(torch.optim.Optimizer):
    """Muon over matrices, those of one shape together, in the precision of their gradients.

    Steps are those of `torch.optim.Muon` up to rounding: that one goes to bfloat16, in which a processor without
    instructions for it multiplies thirty times more slowly than in float32.
    """

    def __init__(
        self, weights: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float, *, momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step of all weights that have a gradient."""
        if closure is not None:
            raise NotImplementedError("Muon evaluates nothing again; call step() without a closure")
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes.setdefault(weight.shape, []).append(weight)
            for alike in shapes.values():
                self._step(alike, **{name: group[name] for name in ("lr", "momentum", "weight_decay")})

    def _step(self, weights: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        grads = [weight.grad for weight in weights if weight.grad is not None]
        for weight in weights:
            if "momentum_buffer" not in self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        velocity = [self.state[weight]["momentum_buffer"] for weight in weights]
        for one, grad in zip(velocity, grads, strict=True):
            one.lerp_(grad, 1 - momentum)
        update = orthogonal(torch.stack(grads).lerp(torch.stack(velocity), momentum))
        rows, columns = weights[0].shape
        for weight, one in zip(weights, update, strict=True):
            weight.mul_(1 - lr * weight_decay).sub_(one, alpha=lr * max(1.0, rows / columns) ** 0.5)


def orthogonal(x: Tensor, steps: int = 5) -> Tensor:
    """Float["matrices rows columns"]: each matrix with its singular values brought near 1 (quintic Newton-Schulz)."""
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x + torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315) @ x
    return x.mT if tall else x
