"""The optimizers of a policy as one: Muon for matrices where asked, AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import Tensor, nn

from athanor.core.errors import DataError, Stopped, UsageError
from athanor.core.options import option, refuse_outside
from athanor.training.muon import Muon


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Learning rates at the full schedule; in post-training they stay as they are."""

    adamw: float
    """Of all weights that Muon does not change."""
    muon: float | None = None
    """Of the matrices inside the blocks; None leaves them to AdamW."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's."""
    weight_decay: float = 0.0
    """Of both."""


def refuse_rates(rates: Rates, group: str = "rates") -> None:
    """UsageError naming the first option of a group, for example `sft.rates`, that is no rate."""
    refuse_outside(rates, dict.fromkeys(("adamw", "muon", "weight_decay"), (0, inf)), group)
    if not all(0 <= beta < 1 for beta in rates.betas):
        first, second = rates.betas
        raise UsageError(
            f"{option('betas', group)} {first:g} {second:g} was given, two numbers from 0 to below 1 were expected; "
            "pass such numbers"
        )


class Optimizers:
    """Muon and AdamW over the parameters of one module."""

    def __init__(self, module: nn.Module, rates: Rates) -> None:
        refuse_rates(rates)
        inner = [w for name, w in module.named_parameters() if w.ndim == 2 and "blocks." in name]
        inner = inner if rates.muon is not None else []
        others = [w for w in module.parameters() if not any(w is one for one in inner)]
        adamw = torch.optim.AdamW(others, rates.adamw, rates.betas, weight_decay=rates.weight_decay, fused=True)
        self._named: dict[str, torch.optim.Optimizer] = {"adamw": adamw}
        if inner and rates.muon is not None:
            self._named["muon"] = Muon(inner, rates.muon, weight_decay=rates.weight_decay)
        self._rates = {"adamw": rates.adamw, "muon": rates.muon or 0.0}

    def step(self, share: float = 1.0) -> None:
        """One step at a share of the full rates; gradients are gone afterwards."""
        for name, one in self._named.items():
            for group in one.param_groups:
                group["lr"] = self._rates[name] * share
            one.step()
            one.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """All states by name, to be written into a checkpoint."""
        return states(**self._named)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take states back. DataError where they are not those of these parameters."""
        take_states(tensors, **self._named)


def states(**optimizers: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The states of optimizers, each under its name, to be written into a checkpoint."""
    return {
        f"{name}.{index}.{key}": value.clone()
        for name, one in optimizers.items()
        for index, held in one.state_dict()["state"].items()
        for key, value in held.items()
    }


def take_states(tensors: Mapping[str, Tensor], **optimizers: torch.optim.Optimizer) -> None:
    """Give optimizers their states back. DataError where they are not those of their parameters."""
    for name, one in optimizers.items():
        whole = one.state_dict()
        found: dict[int, dict[str, Tensor]] = {}
        for full, value in tensors.items():
            if full.startswith(f"{name}."):
                _, index, key = full.split(".", 2)
                found.setdefault(int(index), {})[key] = value
        weights = [weight for group in one.param_groups for weight in group["params"]]
        for index, held in found.items():
            if index >= len(weights) or any(v.ndim and v.shape != weights[index].shape for v in held.values()):
                raise DataError(
                    f"the checkpoint's state {index} of {name} fits no parameter; go on with the checkpoint of the "
                    "same architecture and settings"
                )
        whole["state"] = found
        one.load_state_dict(whole)


def clip(parameters: Iterable[Tensor], most: float) -> float:
    """Scale gradients to a norm of at most `most`; the norm before."""
    return float(nn.utils.clip_grad_norm_(list(parameters), most))


def refuse_lost(norm: float, step: int) -> None:
    """Stopped, before weights are changed, where the norm of the gradients is not finite."""
    if not isfinite(norm):
        raise Stopped(f"the loss or its gradient is not finite at step {step}; train at a lower rate")


def warm_hold_decay(step: int, steps: int, *, hold: float = 0.35, warm: int = 20) -> float:
    """Share of the full rate: a short rise, then constant for the first part, then down to zero in a line.

    >>> [round(warm_hold_decay(step, 100), 2) for step in (0, 20, 34, 99)]
    [0.05, 1.0, 1.0, 0.02]
    """
    rise = min(1.0, (step + 1) / warm)
    begun = hold * steps
    return rise * (1.0 if step < begun else (steps - step) / (steps - begun))
