"""The visual tokenizer's training: reconstruct pictures through a codebook that follows the latents.

MSE + L1 and the commitment loss move the network; the codes are exponential means of the latents that chose them (van
den Oord et al. 2017, appendix A.1). Codes begin from latents spread by k-means++ after some steps without a codebook,
and codes that nothing chooses begin again from latents that are far from theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from athanor.core.seeds import stream
from athanor.models.unified.visual_tokenizer import VisualTokenizer
from athanor.training.optimizers import clip, refuse_lost, states, take_states


@dataclass(frozen=True, kw_only=True)
class TokenizerRecipe:
    """How the visual tokenizer is trained."""

    steps: int
    batch: int = 32
    """Pictures of a step."""
    rate: float = 2e-3
    warm: int = 100
    """Steps without a codebook."""
    decay: float = 0.98
    """Of the exponential means, a step."""
    l1: float = 0.5
    """Weight of the absolute error beside the squared one."""
    reseed: int = 20
    """Steps between two looks for codes that nothing chooses."""
    kept: bool = False
    """Whether the codes that are there are gone on from: none begins anew, and no step is without a codebook."""


class TokenizerTrainer:
    """Trains a tokenizer in place."""

    def __init__(self, tokenizer: VisualTokenizer, recipe: TokenizerRecipe, seed: int) -> None:
        self.tokenizer, self.recipe, self.seed = tokenizer, recipe, seed
        codebook = tokenizer.quantize.embedding.weight
        codebook.requires_grad_(False)
        self.counts, self.sums = torch.zeros(len(codebook), device=codebook.device), torch.zeros_like(codebook)
        if recipe.kept:
            self.counts, self.sums = torch.ones_like(self.counts), tokenizer.quantize.table().detach().clone()
        self.optimizer = torch.optim.AdamW(
            [w for w in tokenizer.parameters() if w.requires_grad], recipe.rate, (0.9, 0.95), weight_decay=0, fused=True
        )

    def step(self, step: int, pixels: Tensor) -> dict[str, float]:
        """One step on Float["batch 3 size size"], -1 to 1; `step` from 0."""
        recipe, model = self.recipe, self.tokenizer
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate * min(1, (step + 1) / 20) * min(1.0, max(0.02, 2 * (1 - step / recipe.steps)))
        latents = model.latents(pixels)
        if step < recipe.warm and not recipe.kept:
            made, commitment = model.paint(F.normalize(latents, dim=1)), latents.new_zeros(())
            found = {}
        else:
            places = F.normalize(latents.detach().permute(0, 2, 3, 1), dim=-1).flatten(0, 2)
            if step == recipe.warm and not recipe.kept:
                self._begin(places)
            quantised = model.quantize(latents)
            made, commitment = model.paint(quantised.latents), quantised.commitment
            self._follow(step, places, quantised.codes.flatten())
            found = {"commitment": float(commitment.detach()), "codes": float(len(quantised.codes.unique()))}
        square, absolute = F.mse_loss(made, pixels), F.l1_loss(made, pixels)
        (square + recipe.l1 * absolute + commitment).backward()
        refuse_lost(clip(model.parameters(), 1.0), step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {"mse": float(square.detach()), "l1": float(absolute.detach()), **found}

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on beside the weights."""
        return {"counts": self.counts, "sums": self.sums, **states(adamw=self.optimizer)}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take that back."""
        self.counts.copy_(tensors["counts"])
        self.sums.copy_(tensors["sums"])
        take_states(tensors, adamw=self.optimizer)

    @torch.no_grad()
    def _begin(self, places: Tensor) -> None:
        """k-means++: each code is a latent, chosen with a probability that grows with the squared distance."""
        rng = stream(self.seed, "codebook")
        chosen = spread(places, len(self.counts), rng)
        self.tokenizer.quantize.embedding.weight.copy_(chosen)
        self.counts.fill_(1.0)
        self.sums.copy_(chosen)

    @torch.no_grad()
    def _follow(self, step: int, places: Tensor, codes: Tensor) -> None:
        decay = self.recipe.decay
        many = torch.zeros_like(self.counts).index_add_(0, codes, torch.ones(len(codes), device=codes.device))
        summed = torch.zeros_like(self.sums).index_add_(0, codes, places)
        met = many > 0
        self.counts.mul_(decay).add_(many, alpha=1 - decay)
        # a code that the batch did not choose keeps its direction: its sum fades as its count does
        self.sums.mul_(decay).add_(summed, alpha=1 - decay)
        weight = self.tokenizer.quantize.embedding.weight
        weight[met] = F.normalize(self.sums[met], dim=-1)
        if self.recipe.kept:
            return
        if (step - self.recipe.warm) % self.recipe.reseed == self.recipe.reseed - 1 and step < 0.7 * self.recipe.steps:
            dead = torch.nonzero(self.counts < 1e-2)[:, 0]
            if len(dead):
                table = self.tokenizer.quantize.table()
                far = 1 - (places @ table.t()).amax(-1)
                rng = stream(self.seed, "reseed", step)
                chosen = spread(places, len(dead), rng, far)
                weight[dead], self.sums[dead], self.counts[dead] = chosen, chosen, 1.0


def spread(places: Tensor, many: int, rng: np.random.Generator, far: Tensor | None = None) -> Tensor:
    """Float["many size"]: of latents of unit length, ones that are far from each other and, by `far`, from others."""
    apart = places.new_ones(len(places)) if far is None else far.clone()
    chosen = []
    for _ in range(many):
        summed = apart.clamp_min(1e-9).double().cumsum(0)
        at = int(torch.searchsorted(summed, float(rng.random()) * float(summed[-1])))
        one = places[min(at, len(places) - 1)]
        chosen.append(one)
        apart = torch.minimum(apart, 1 - places @ one)
    return torch.stack(chosen)
