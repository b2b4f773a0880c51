"""Reinforcement by `trl`, with advantages of our own where the method asks for them, and the divergence measured."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from athanor.adapters.trl.divergence import Divergence
from athanor.adapters.trl.rewards import Told
from athanor.adapters.trl.settings import Config
from athanor.training import advantages

trl: Any = import_module("trl")
_Trainer: Any = object
"""What `Watched` stands before, as far as it can be told beforehand."""


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


class Watched(_Trainer):
    """Before a trainer of `trl`: a `Weighing` makes of it another method with its loss, a `Divergence` is measured.
    `weigh_by` and `measure` are called once, before training."""

    _weighing: Weighing | None = None
    _told = Told()
    _divergence: Divergence | None = None

    def weigh_by(self, weighing: Weighing, told: Told) -> None:
        """`told`: what the reward function says of each batch."""
        self._weighing, self._told = weighing, told
        weighing.begin(self)

    def measure(self, divergence: Divergence) -> None:
        """Where the divergence is not in the loss."""
        self._divergence = divergence
        divergence.reference.prepare(self, self.temperature)

    def _get_per_token_logps_and_entropies(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(model, *args, **kwargs)
        if self._divergence is not None and self._divergence.due:
            with torch.no_grad(), self._divergence.reference.of(self) as base:
                plain = {**kwargs, "compute_entropy": False}
                theirs = super()._get_per_token_logps_and_entropies(base, *args, **plain)
            self._divergence.hear(found[0], theirs[0])
        return found

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        made = super()._generate_and_score_completions(inputs)
        if self._weighing is not None:
            self._weighing.weigh(self, made, self._told)
        return made

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        if self._divergence is not None:
            self._divergence.begin_pass(self)
        loss = super()._compute_loss(model, inputs)
        if self._divergence is not None:
            self._divergence.tell(self, learned(inputs))
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


class Reinforced(Watched, trl.GRPOTrainer):
    """GRPO and what shares its loss."""


class LeftOut(Watched, trl.RLOOTrainer):
    """RLOO."""


def learned(inputs: dict[str, Any]) -> Tensor:
    """1 for each token of a batch that is learned from."""
    return inputs["completion_mask"] * inputs.get("tool_mask", inputs["completion_mask"])


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
