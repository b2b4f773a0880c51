"""The optimizers of a stage: AdamW over its modules, each at its share of the rate, and Muon over matrices."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from athanor.models.unified.model import UnifiedModel
from athanor.training.muon import Muon
from athanor.training.optimizers import states, take_states
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
        self.named: dict[str, torch.optim.Optimizer] = {"adamw": self.adamw}
        if inner and stage.muon:
            self.named["muon"] = Muon(inner, stage.muon)

    def step(self, share: float) -> None:
        for group in self.adamw.param_groups:
            group["lr"] = self.stage.rate * group["share"] * share
        for group in self.named["muon"].param_groups if "muon" in self.named else ():
            group["lr"] = (self.stage.muon or 0.0) * share
        for one in self.named.values():
            one.step()
        for weight in self.weights:
            weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """All states by name."""
        return states(**self.named)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take states back. DataError where they are not those of these parameters."""
        take_states(tensors, **self.named)
