"""How far a policy has gone from the model that it began as, measured and not learned from.

It is measured in some passes alone, since each is a forward of the model as it was: as `trl` estimates it where it is
in the loss (k3, on the policy's own tokens, at the temperature of sampling), and in fine-tuning over the whole
vocabulary, on the tokens that are taught.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from athanor.adapters.trl.reference import Reference
from athanor.analysis.spending import EVERY
from athanor.training import losses


class Divergence:
    """What a trainer measures as it goes, logged as `kl`, and the share of passes that were measured as `compared`."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self._passes, self._apart = 0, None
        self.due = False
        """Whether the pass that is done now is measured."""

    def begin_pass(self, trainer: Any) -> None:
        """Of one micro-batch."""
        place = self._passes % trainer.current_gradient_accumulation_steps
        self._passes, self._apart = self._passes + 1, None
        self.due = place % EVERY == 0
        trainer._metrics["train"]["compared"].append(float(self.due))

    def hear(self, ours: Tensor, theirs: Tensor) -> None:
        """Log-probabilities of the policy and of the model as it was, Float["rows tokens"], of a pass that is due."""
        self._apart = losses.kl(ours.detach(), theirs, "k3")
        self.due = False

    def tell(self, trainer: Any, mask: Tensor) -> None:
        """Log the mean over the tokens that `mask` counts, of all processes."""
        if self._apart is not None:
            tell(trainer, self._apart[mask > 0])


def tell(trainer: Any, apart: Tensor, name: str = "kl") -> None:
    """Log the mean of a measure, of the tokens of all processes."""
    both = torch.stack([apart.sum(), apart.new_tensor(float(apart.numel()))])
    total, count = trainer.accelerator.reduce(both, "sum")
    trainer._metrics["train"][name].append(float(total / count.clamp(min=1)))
