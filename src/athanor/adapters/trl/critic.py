"""PPO for `trl`: a critic that tells how an episode will go, answer by answer, and advantages from what it told.

The critic reads what the policy computes at the token before each answer, and its loss goes back into the policy, as in
Chu et al. 2025. It has an optimizer of its own, so that it is a plain module however the model is parted or adapted.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from athanor.adapters.trl.reference import plain
from athanor.adapters.trl.rewards import Told
from athanor.adapters.trl.settings import Config, given
from athanor.core.seeds import digest
from athanor.training import advantages, losses

WIDTHS = (1_024, 512)
"""Of the critic's layers between the model's width and a number, as in the published code (section 3.2)."""
FILE = "critic.pt"


def critic_of(width: int, seed: int) -> nn.Sequential:
    """A critic at its start, the same in every process."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(digest(seed, "critic") % 2**31)
        layers: list[nn.Module] = []
        for one, other in pairwise((width, *WIDTHS)):
            layers += [nn.Linear(one, other), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(WIDTHS[-1], 1))


class ByCritic(TrainerCallback):
    """Advantages by generalised estimation over an episode's answers, whitened over the batch."""

    def __init__(self, config: Config) -> None:
        self._options, self._seed, self._norm = config.critic, config.seed, config.optim.clip_norm
        self._adam = {"betas": given(config.optim.betas), "eps": given(config.optim.epsilon)}
        self._first = given(config.optim.learning_rate)
        self._heard: list[Tensor] = []
        """What the critic told in the last pass of the policy, a batch each: Float["rows seq"]."""

    def begin(self, trainer: Any) -> None:
        model = plain(trainer.model)
        self._critic = critic_of(model.config.get_text_config().hidden_size, self._seed).to(trainer.accelerator.device)
        rate = self._first if self._options.rate is None else self._options.rate
        self._optimizer = torch.optim.AdamW(self._critic.parameters(), lr=rate, weight_decay=0.0, **self._adam)
        self._rate, self._accelerator = rate, trainer.accelerator
        model.base_model.register_forward_hook(self._hear)
        trainer.add_callback(self)

    def _hear(self, module: nn.Module, asked: Any, made: Any) -> None:
        hidden = made.last_hidden_state
        with torch.autocast(hidden.device.type, enabled=False):
            self._heard.append(self._critic(hidden.float())[..., 0])

    def weigh(self, trainer: Any, made: dict[str, Any], told: Told) -> None:
        values = self._told_by_critic(trainer, made)
        written = made["completion_mask"] * made.get("tool_mask", made["completion_mask"])
        turns = turns_of(written)
        before = made["prompt_ids"].shape[1] - 1
        starts, taken = starts_of(turns, max(map(len, told.worths)))
        rewards = _padded(told.worths, starts)
        values = values.gather(1, starts + before)
        found, returns = advantages.gae(
            rewards, values, taken, gamma=given(self._options.gamma), lam=given(self._options.lam)
        )
        found = self._whitened(found, taken)
        made["advantages"] = torch.where(turns >= 0, found.gather(1, turns.clamp(min=0)), 0.0)
        made |= {"starts": starts + before, "taken": taken, "returns": returns, "values": values}

    def _told_by_critic(self, trainer: Any, made: dict[str, Any]) -> Tensor:
        """Float["episodes seq"], before any pass that learns; the pictures of hands go with the tokens."""
        seen = {name: made[name] for name in PICTURES if name in made}
        rows = torch.cat([made["prompt_ids"], made["completion_ids"]], dim=1)
        mask = torch.cat([made["prompt_mask"], made["completion_mask"]], dim=1)
        size, kept = trainer.args.per_device_train_batch_size, made["completion_ids"].shape[1]
        self._heard.clear()
        with torch.no_grad():
            trainer._get_per_token_logps_and_entropies(trainer.model, rows, mask, kept, batch_size=size, **seen)
        told = torch.cat(self._heard)
        self._heard.clear()
        return told

    def loss(self, trainer: Any, inputs: dict[str, Any]) -> Tensor | None:
        values = self._heard[0].gather(1, inputs["starts"])
        taken = inputs["taken"]
        self._heard.clear()
        if not taken.any():
            return 0.0 * values.sum()
        apart = losses.value_loss(values, inputs["returns"], taken, old=inputs["values"])
        trainer._metrics["train"]["value_loss"].append(float(apart.detach()))
        return self._options.weight * apart

    def _whitened(self, found: Tensor, taken: Tensor) -> Tensor:
        """Less the mean and over the spread of the answers of all processes."""
        some = found[taken]
        sums = self._accelerator.reduce(torch.stack([some.sum(), some.square().sum(), taken.sum().float()]), "sum")
        count = sums[2].clamp(min=2)
        mean = sums[0] / count
        spread = ((sums[1] - count * mean.square()) / (count - 1)).clamp(min=0).sqrt()
        return torch.where(taken, (found - mean) / (spread + 1e-5), 0.0)

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, lr_scheduler: Any = None, **kwargs: Any
    ) -> None:
        """The critic's own step, at its rate times what the schedule leaves of the policy's."""
        share = lr_scheduler.get_last_lr()[0] / self._first if lr_scheduler is not None and self._first else 1.0
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * share
        for weight in self._critic.parameters():
            if weight.grad is not None:
                weight.grad = self._accelerator.reduce(weight.grad, "mean")
        nn.utils.clip_grad_norm_(self._critic.parameters(), self._norm)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def save(self, folder: Path) -> None:
        torch.save({"critic": self._critic.state_dict(), "optimizer": self._optimizer.state_dict()}, folder / FILE)

    def load(self, folder: Path) -> None:
        told = torch.load(folder / FILE, map_location=self._accelerator.device, weights_only=True)
        self._critic.load_state_dict(told["critic"])
        self._optimizer.load_state_dict(told["optimizer"])


PICTURES = ("pixel_values", "image_grid_thw", "pixel_attention_mask", "spatial_shapes", "image_sizes", "token_type_ids",
            "mm_token_type_ids", "image_position_ids", "num_images", "num_tiles")  # fmt: skip
"""What `trl` keeps of a batch's pictures."""


def turns_of(written: Tensor) -> Tensor:
    """Int["episodes tokens"]: the answer that each written token belongs to, -1 for the others.

    `written`: 1 for tokens of the model, 0 for what it was told and after the end.

    >>> turns_of(torch.tensor([[1, 1, 0, 0, 1, 0]])).tolist()
    [[0, 0, -1, -1, 1, -1]]
    """
    mine = written > 0
    begins = mine & ~torch.nn.functional.pad(mine, (1, 0))[:, :-1]
    return torch.where(mine, begins.cumsum(1) - 1, -1)


def starts_of(turns: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Int["episodes turns"], the place of each answer's first token, and Bool["episodes turns"], whether it is there.

    >>> starts_of(torch.tensor([[0, 0, -1, 1]]), 3)
    (tensor([[0, 3, 0]]), tensor([[ True,  True, False]]))
    """
    each = turns[:, None, :] == torch.arange(most, device=turns.device)[None, :, None]
    return each.int().argmax(-1), each.any(-1)


def _padded(worths: list[Any], like: Tensor) -> Tensor:
    """Float["episodes turns"], 0 where no answer was given."""
    rows = torch.zeros(like.shape, device=like.device)
    for row, one in enumerate(worths):
        rows[row, : len(one)] = torch.tensor(one, device=like.device)
    return rows
