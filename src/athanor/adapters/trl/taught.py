"""Supervised fine-tuning by `trl`, held near the model as it was."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from athanor.adapters.trl.reference import Reference
from athanor.training import losses

trl: Any = import_module("trl")


class Taught(trl.SFTTrainer):
    """`hold` is called once, before training."""

    _reference: Reference | None = None
    _kl = 0.0

    def hold(self, reference: Reference | None, kl: float) -> None:
        """`kl`: weight of the divergence from the reference; 0 leaves the loss to `trl`."""
        self._reference, self._kl = reference, kl
        if reference is not None:
            reference.prepare(self)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if not self._kl:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:]
        mask = labels != -100
        ours, theirs = self._logits(model, inputs, mask)
        logprobs = losses.token_logprobs(ours, labels[mask])
        each = -logprobs if self.args.loss_type == "nll" else -logprobs.detach().exp() * logprobs
        apart = losses.exact_kl(ours, theirs)
        count = mask.sum() if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
        loss = (each.sum() + self._kl * apart.sum()) / count.clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        right = (ours.argmax(-1) == labels[mask]).float()
        told = {"entropy": losses.entropy(ours.detach()), "mean_token_accuracy": right, "kl": apart.detach()}
        for name, values in told.items():
            self._metrics["train"][name].append(self._mean(values))
        self._total_train_tokens += int(self.accelerator.gather_for_metrics(inputs["attention_mask"].sum()).sum())
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return loss

    def _logits(self, model: Any, inputs: Any, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Float["tokens vocabulary"] of the policy, and of the model as it was, where `mask` counts."""
        assert self._reference is not None
        seen = {name: value for name, value in inputs.items() if name != "labels"} | {"use_cache": False}
        ours = model(**seen).logits[:, :-1][mask].float()
        with torch.no_grad(), self._reference.of(self) as base:
            theirs = base(**seen).logits[:, :-1][mask].float()
        return ours, theirs

    def _mean(self, values: Tensor) -> float:
        """Over the values of all processes."""
        both = self.accelerator.reduce(torch.stack([values.sum(), values.new_tensor(float(len(values)))]), "sum")
        return float(both[0] / both[1].clamp(min=1))
