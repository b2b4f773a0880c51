"""The three networks as published: dense layers over the two vectors, one after the other (Brändle et al. 2023).

Sizes, losses, steps, oversampling and the softmax are theirs. Keras' defaults come with them: Glorot weights, zero
biases, Adam with epsilon 1e-7. Vectors are standardised over the rows learned from, before oversampling. Probabilities
of success are those of oversampled data, where every second pair makes something, so they are far too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from athanor.models.meaning.fitting import Compute, Training, fit, linear, oversampled
from athanor.models.meaning.folds import Folds
from athanor.models.meaning.lessons import Lessons, Rows, generator

HELD = 0.2
"""Share of the pairs not tested that are set aside for validation, and not learned from."""

SMALL = Training(batch=32, steps=3000, epsilon=1e-7)
"""Of the link and the empowerment network: 100 epochs of 30 steps."""

ELEMENT_EPOCHS, WIDE = 15, 1024


class Dense(nn.Module):
    """Dense layers over the concatenated vectors of an ordered pair, with ReLU between them."""

    vectors: Tensor

    def __init__(self, vectors: Tensor, widths: Sequence[int], draw: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors)
        self.first = linear(2 * vectors.shape[1], widths[0], draw, "glorot")
        self.rest = nn.ModuleList(linear(wide, out, draw, "glorot") for wide, out in pairwise(widths))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Float["rows width"]"""
        if len(first) > len(self.vectors):  # each half once for every element is then less work than for every pair
            left, right = self.first.weight.chunk(2, dim=1)
            hidden = (self.vectors @ left.T)[first] + (self.vectors @ right.T)[second] + self.first.bias
        else:
            hidden = self.first(torch.cat([self.vectors[first], self.vectors[second]], dim=1))
        for layer in self.rest:
            hidden = layer(F.relu(hidden))
        return hidden


@dataclass(frozen=True)
class Networks:
    """The networks of one fold. A pair's answer is the mean of those for its two orders."""

    link: Dense
    element: Dense
    direct: Dense
    targets: Tensor
    """Float["elements dims"]: the elements' vectors at length 1."""

    def success(self, first: Tensor, second: Tensor) -> Tensor:
        return self._both(lambda a, b: torch.sigmoid(self.link(a, b).squeeze(1)), first, second)

    def results(self, first: Tensor, second: Tensor) -> Tensor:
        return self._both(lambda a, b: softmax_of_z(F.normalize(self.element(a, b)) @ self.targets.T), first, second)

    def empowerment(self, first: Tensor, second: Tensor) -> Tensor:
        return self._both(lambda a, b: F.relu(self.direct(a, b).squeeze(1)), first, second)

    @staticmethod
    def _both(ask, first: Tensor, second: Tensor) -> Tensor:
        return (ask(first, second) + ask(second, first)) / 2


def softmax_of_z(similarity: Tensor) -> Tensor:
    """Float["pairs elements"]: the softmax of each row's z-scores (population standard deviation, temperature 1)."""
    centred = similarity - similarity.mean(dim=1, keepdim=True)
    spread = centred.square().mean(dim=1, keepdim=True).sqrt()
    return torch.softmax(centred / spread.clamp(min=1e-12), dim=1)


def fit_networks(lessons: Lessons, folds: Folds, fold: int, seed: int, compute: Compute) -> Networks:
    """Fit the networks of a fold on the pairs it learns from."""
    learned = folds.learned[fold]
    draws = {name: generator(seed, "brandle2023", fold, name) for name in ("link", "element", "direct")}
    targets = F.normalize(torch.from_numpy(lessons.vectors)).to(compute.device, compute.dtype)

    link = lessons.links(learned).both_orders()
    link_net = _net(lessons, link, (16, 1), draws["link"])
    drawn, _ = oversampled(link, 0.5, draws["link"])
    fit(link_net, drawn, _cross_entropy, SMALL, compute, draws["link"])

    element = lessons.results(learned).both_orders()
    element_net = _net(lessons, element, (WIDE, WIDE, targets.shape[1]), draws["element"])
    how = replace(SMALL, steps=ELEMENT_EPOCHS * -(-len(element.first) // SMALL.batch))

    def miss(said: Tensor, made: Tensor) -> Tensor:
        return -F.cosine_similarity(said, targets[made]).mean()

    fit(element_net, element, miss, how, compute, draws["element"])

    direct = lessons.empowerment(learned).both_orders()
    direct_net = _net(lessons, direct, (16, 1), draws["direct"])
    fit(direct_net, direct, _square, SMALL, compute, draws["direct"])
    return Networks(link_net, element_net, direct_net, targets)


def _net(lessons: Lessons, rows: Rows, widths: tuple[int, ...], draw: torch.Generator) -> Dense:
    return Dense(torch.from_numpy(lessons.standardised(rows)), widths, draw)


def _cross_entropy(said: Tensor, success: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(said.squeeze(1), success)


def _square(said: Tensor, empowerment: Tensor) -> Tensor:
    return F.mse_loss(F.relu(said.squeeze(1)), empowerment)
