"""Supervised fine-tuning by `trl`, held near the model as it was, or its divergence from it measured."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from athanor.adapters.trl.divergence import Divergence, tell
from athanor.adapters.trl.reference import Reference
from athanor.training import losses

trl: Any = import_module("trl")


class Taught(trl.SFTTrainer):
    """`hold` or `measure` is called once, before training."""

    _reference: Reference | None = None
    _divergence: Divergence | None = None
    _kl = 0.0

    def hold(self, reference: Reference, kl: float) -> None:
        """`kl`: weight of the divergence from the reference."""
        self._reference, self._kl = reference, kl
        reference.prepare(self)

    def measure(self, divergence: Divergence) -> None:
        self._divergence = divergence
        divergence.reference.prepare(self)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if self._reference is None:
            self._measured(model, dict(inputs))
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:]
        mask = labels != -100
        ours = _logits(model, inputs, mask)
        with torch.no_grad(), self._reference.of(self) as base:
            theirs = _logits(base, inputs, mask)
        logprobs = losses.token_logprobs(ours, labels[mask])
        each = -logprobs if self.args.loss_type == "nll" else -logprobs.detach().exp() * logprobs
        apart = losses.exact_kl(ours, theirs)
        count = mask.sum() if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
        loss = (each.sum() + self._kl * apart.sum()) / count.clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        right = (ours.argmax(-1) == labels[mask]).float()
        tell(self, apart.detach())
        tell(self, logprobs.detach() - losses.token_logprobs(theirs, labels[mask]), "gain")
        told = {"entropy": losses.entropy(ours.detach()), "mean_token_accuracy": right}
        for name, values in told.items():
            self._metrics["train"][name].append(self._mean(values))
        self._total_train_tokens += int(self.accelerator.gather_for_metrics(inputs["attention_mask"].sum()).sum())
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        return loss

    @torch.no_grad()
    def _measured(self, model: Any, inputs: dict[str, Any]) -> None:
        """The divergence of a pass that is due, and by how much likelier the taught tokens became; nothing is learned
        from either."""
        if self._divergence is None:
            return
        self._divergence.begin_pass(self)
        if self._divergence.due:
            labels = inputs["labels"][:, 1:]
            mask = labels != -100
            ours = _logits(model, inputs, mask)
            with self._divergence.reference.of(self) as base:
                theirs = _logits(base, inputs, mask)
            tell(self, losses.exact_kl(ours, theirs))
            ours, theirs = (losses.token_logprobs(one, labels[mask]) for one in (ours, theirs))
            tell(self, ours - theirs, "gain")

    def _mean(self, values: Tensor) -> float:
        """Over the values of all processes."""
        both = self.accelerator.reduce(torch.stack([values.sum(), values.new_tensor(float(len(values)))]), "sum")
        return float(both[0] / both[1].clamp(min=1))


def _logits(model: Any, inputs: Mapping[str, Any], mask: Tensor) -> Tensor:
    """Float["tokens vocabulary"], where `mask` counts."""
    seen = {name: value for name, value in inputs.items() if name != "labels"} | {"use_cache": False}
    return model(**seen).logits[:, :-1][mask].float()
