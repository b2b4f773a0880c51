"""Reinforcement by the GRPO of `trl`, with advantages of our own where the method asks for them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from athanor.adapters.trl.rewards import Told
from athanor.adapters.trl.settings import Config
from athanor.training import advantages

trl: Any = import_module("trl")


class Weighing(Protocol):
    """How much better than expected each episode went."""

    def begin(self, trainer: Any) -> None:
        """Before training."""

    def weigh(self, trainer: Any, made: dict[str, Any], told: Told) -> None:
        """Put `advantages` into a batch that was sampled and judged, and what `loss` needs."""

    def loss(self, trainer: Any, inputs: dict[str, Any]) -> Tensor | None:
        """What is added to the policy's loss, from what the policy computed in the pass just done."""

    def save(self, folder: Path) -> None:
        """Write what has to be there when training is gone on with."""

    def load(self, folder: Path) -> None: ...


class Reinforced(trl.GRPOTrainer):
    """GRPO, or with a `Weighing` another method with its loss. `weigh_by` is called once, before training."""

    _weighing: Weighing | None = None
    _told = Told()

    def weigh_by(self, weighing: Weighing, told: Told) -> None:
        """`told`: what the reward function says of each batch."""
        self._weighing, self._told = weighing, told
        weighing.begin(self)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        made = super()._generate_and_score_completions(inputs)
        if self._weighing is not None:
            self._weighing.weigh(self, made, self._told)
        return made

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        loss = super()._compute_loss(model, inputs)
        more = None if self._weighing is None else self._weighing.loss(self, inputs)
        return loss if more is None else loss + more / self.current_gradient_accumulation_steps

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        if self._weighing is not None and self.args.should_save:
            self._weighing.save(Path(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if self._weighing is not None and checkpoint is not None:
            self._weighing.load(Path(checkpoint))


class Signed:
    """Right episodes at a weight, wrong ones at -1, whatever the others of a hand did: w-reinforce."""

    def __init__(self, positive: float) -> None:
        self._positive = positive

    def begin(self, trainer: Any) -> None: ...

    def weigh(self, trainer: Any, made: dict[str, Any], told: Told) -> None:
        passed = torch.tensor(told.passed, device=made["advantages"].device)
        made["advantages"] = advantages.signed(passed, positive=self._positive)

    def loss(self, trainer: Any, inputs: dict[str, Any]) -> Tensor | None:
        return None

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None: ...


def weighing_of(config: Config) -> Weighing | None:
    """The advantages of a method; None where they are those of `trl`."""
    if config.method == "ppo":
        from athanor.adapters.trl.critic import ByCritic

        return ByCritic(config)
    return Signed(0.1) if config.method == "w-reinforce" else None
