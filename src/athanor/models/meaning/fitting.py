"""The loop in which every network of meaning is fitted, and layers drawn from a named generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import torch
from torch import Tensor, nn

from athanor.core.errors import DataError, UsageError
from athanor.models.meaning.lessons import Rows, batches


class Predictor(Protocol):
    """The networks of one fold. Elements are Int["pairs"] on any device; answers lie where the networks do."""

    def success(self, first: Tensor, second: Tensor) -> Tensor:
        """Float["pairs"]: the probability that a pair makes something."""
        ...

    def results(self, first: Tensor, second: Tensor) -> Tensor:
        """Float["pairs elements"]: if it does, the probability of each element to be what it makes."""
        ...

    def empowerment(self, first: Tensor, second: Tensor) -> Tensor:
        """Float["pairs"]: if it does, how many distinct results can be made with what it makes."""
        ...


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Where networks live, and in which numbers."""

    device: str = "cpu"
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch has no one error for it
            what = str(error).partition("\n")[0]
            raise UsageError(f"the device {self.device!r} cannot be used ({what}); pass --device cpu") from error


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is fitted, with Adam."""

    batch: int
    """Rows of a step."""
    steps: int
    rate: float = 1e-3
    decay: float = 0.0
    """Decoupled weight decay (AdamW); with it the rate falls to zero over the steps as half a cosine."""
    epsilon: float = 1e-8


Loss = Callable[[Tensor, Tensor], Tensor]
"""From what the network says of some rows and their labels to one number."""


def linear(inputs: int, outputs: int, draw: torch.Generator, kind: Literal["glorot", "he"]) -> nn.Linear:
    """A dense layer with uniform weights of that kind and zero biases; torch's own generator is not touched."""
    layer = cast(nn.Linear, nn.utils.skip_init(nn.Linear, inputs, outputs))
    if kind == "glorot":
        nn.init.xavier_uniform_(layer.weight, generator=draw)
    else:
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=draw)
    nn.init.zeros_(layer.bias)
    return layer


def fit(net: nn.Module, rows: Rows, loss: Loss, how: Training, compute: Compute, draw: torch.Generator) -> None:
    """Fit a network to rows in place, and leave it fit to be asked. DataError if there are none."""
    if not len(rows.first):
        raise DataError("a fold has no pair that makes something to learn from; pass fewer --folds or another --seed")
    net.to(compute.device, compute.dtype).train()
    first, second, label = (torch.from_numpy(part).to(compute.device) for part in (rows.first, rows.second, rows.label))
    label = label.to(compute.dtype) if label.is_floating_point() else label
    parameters = list(net.parameters())
    optimizer = torch.optim.AdamW(parameters, how.rate, eps=how.epsilon, weight_decay=how.decay, fused=True)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, how.steps) if how.decay else None
    for batch in batches(len(first), how.batch, how.steps, draw):
        batch = batch.to(compute.device)
        optimizer.zero_grad(set_to_none=True)
        loss(net(first[batch], second[batch]), label[batch]).backward()
        optimizer.step()
        if falling:
            falling.step()
    net.eval().requires_grad_(False)


def oversampled(rows: Rows, share: float, draw: torch.Generator) -> tuple[Rows, float]:
    """Rows with successes drawn with replacement until they are `share` of all, and how many times more they became.

    Failures stay as they are. Without a success, or where the share is reached, nothing changes.
    """
    success = torch.from_numpy(rows.label > 0)
    yes, no = torch.nonzero(success).squeeze(1), torch.nonzero(~success).squeeze(1)
    wanted = round(len(no) * share / (1 - share))
    if not len(yes) or wanted <= len(yes):
        return rows, 1.0
    drawn = yes[torch.randint(len(yes), (wanted,), generator=draw)]
    return rows[torch.cat([no, drawn]).numpy()], wanted / len(yes)
