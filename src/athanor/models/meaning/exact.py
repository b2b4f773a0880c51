"""The three networks done right: order cannot matter, and probabilities mean what they say.

An element's vector is encoded once, and a pair is read from sum, absolute difference and product of its two codes. The
result is learned as a choice among all elements (cross-entropy over scaled cosines), empowerment as a count (Poisson
regression). On the pairs held back, success is then calibrated with two numbers and the result with one, so that a
predicted 0.3 comes true three times in ten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize, special
from torch import Tensor, nn
from torch.nn import functional as F

from athanor.models.meaning.fitting import Compute, Training, fit, linear, oversampled
from athanor.models.meaning.folds import Folds
from athanor.models.meaning.lessons import Lessons, Rows, generator
from athanor.values.arrays import Bools, Floats, Longs

HELD = 0.1
"""Share of the pairs not tested that are held back for calibration."""

SUCCESSES = 0.25
"""Share of the link network's rows that make something, after oversampling."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The size of a network, and how it is fitted."""

    code: int
    """Numbers in an element's code."""
    hidden: int
    """Width of the layer over a pair of codes."""
    how: Training
    dropped: float = 0.2
    """Share of the inputs of every layer that a training step leaves out."""


LINK = Plan(code=64, hidden=128, how=Training(batch=512, steps=2000, rate=3e-3, decay=1e-2))
ELEMENT = Plan(code=256, hidden=512, how=Training(batch=128, steps=600, rate=3e-3, decay=1e-2))
DIRECT = Plan(code=256, hidden=256, how=Training(batch=128, steps=400, rate=3e-3, decay=1e-2))


class Symmetric(nn.Module):
    """A pair's answer from the sum, the absolute difference and the product of its elements' codes."""

    vectors: Tensor

    def __init__(self, vectors: Tensor, outputs: int, plan: Plan, draw: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors)
        self.encode = linear(vectors.shape[1], plan.code, draw, "he")
        self.join = linear(3 * plan.code, plan.hidden, draw, "he")
        self.out = linear(plan.hidden, outputs, draw, "he")
        self.scale = nn.Parameter(torch.tensor(20.0))
        """Of cosines, where they are to be chosen among."""
        self.dropped, self.draw = plan.dropped, draw

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Float["rows outputs"]"""
        a, b = self._codes(first, second)
        pair = torch.cat([a + b, (a - b).abs(), a * b], dim=1)
        return self.out(self._drop(F.relu(self.join(self._drop(pair)))))

    def _codes(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of both ends: of every element once, or of every end where those are fewer."""
        if 2 * len(first) < len(self.vectors):
            codes = F.relu(self.encode(self._drop(self.vectors[torch.cat([first, second])])))
            return codes[: len(first)], codes[len(first) :]
        codes = F.relu(self.encode(self._drop(self.vectors)))
        return codes[first], codes[second]

    def _drop(self, values: Tensor) -> Tensor:
        """Dropout from the network's own generator, which torch's layer cannot use."""
        if not self.training:
            return values
        kept = torch.rand(values.shape, generator=self.draw) >= self.dropped
        return values * kept.to(values) / (1 - self.dropped)


@dataclass(frozen=True)
class Networks:
    """The networks of one fold, calibrated on its held-back pairs."""

    link: Symmetric
    element: Symmetric
    direct: Symmetric
    targets: Tensor
    """Float["elements dims"]: the elements' vectors at length 1."""
    slope: float
    shift: float
    """success = sigmoid(slope * logit + shift)"""
    sharpness: float
    """results = softmax(sharpness * logits)"""

    def success(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.sigmoid(self.slope * self.link(first, second).squeeze(1) + self.shift)

    def results(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.softmax(self.sharpness * _choice(self.element, first, second, self.targets), dim=1)

    def empowerment(self, first: Tensor, second: Tensor) -> Tensor:
        return self.direct(first, second).squeeze(1).exp().clamp(max=len(self.targets))


def fit_networks(lessons: Lessons, folds: Folds, fold: int, seed: int, compute: Compute) -> Networks:
    """Fit the networks of a fold on the pairs it learns from, and calibrate them on those it holds back."""
    learned, held = folds.learned[fold], folds.held[fold]
    targets = F.normalize(torch.from_numpy(lessons.vectors)).to(compute.device, compute.dtype)
    link, slope, shift = _link(lessons, learned, held, generator(seed, "exact", fold, "link"), compute)
    element = _element(lessons, learned, targets, generator(seed, "exact", fold, "element"), compute)
    made = lessons.results(held)
    logits = _choice(element, *_tensors(made, compute), targets).double().cpu().numpy()
    direct = _direct(lessons, learned, generator(seed, "exact", fold, "direct"), compute)
    return Networks(link, element, direct, targets, slope, shift, sharpness(logits, made.label))


def platt(logits: Floats, success: Floats, shift: float) -> tuple[float, float]:
    """Slope and shift with which the sigmoid of the logits has the least log loss on these pairs.

    They are drawn to 1 and to the given shift as by one observation each (a normal prior of unit variance on the log
    of the slope and on the shift), so that no data leaves them there. Source: Platt 1999, with his targets' prior
    put on the parameters.
    """

    def loss(at: Floats) -> float:
        z = np.exp(at[0]) * logits + at[1]
        return float((np.logaddexp(0, z) - success * z).sum() + (at[0] ** 2 + (at[1] - shift) ** 2) / 2)

    found = optimize.minimize(loss, np.array([0.0, shift]), method="Nelder-Mead").x
    return float(np.exp(found[0])), float(found[1])


def sharpness(logits: Floats, made: Longs) -> float:
    """The factor on the logits with which their softmax has the least log loss; 1 without rows."""
    rows = np.arange(len(made))

    def loss(log_factor: float) -> float:
        z = np.exp(log_factor) * logits
        return float((special.logsumexp(z, axis=1) - z[rows, made]).sum() + log_factor**2 / 2)

    return float(np.exp(np.asarray(optimize.fminbound(loss, -3, 3)))) if len(rows) else 1.0


def _link(
    lessons: Lessons, learned: Bools, held: Bools, draw: torch.Generator, compute: Compute
) -> tuple[Symmetric, float, float]:
    rows = lessons.links(learned)
    net = _net(lessons, rows, 1, LINK, draw)
    drawn, times = oversampled(rows, SUCCESSES, draw)
    fit(net, drawn, _cross_entropy, LINK.how, compute, draw)
    judged = lessons.links(held)
    logits = net(*_tensors(judged, compute)).squeeze(1).double().cpu().numpy()
    return net, *platt(logits, judged.label.astype(np.float64), -float(np.log(times)))


def _element(lessons: Lessons, learned: Bools, targets: Tensor, draw: torch.Generator, compute: Compute) -> Symmetric:
    rows = lessons.results(learned)
    net = _net(lessons, rows, targets.shape[1], ELEMENT, draw)

    def loss(said: Tensor, made: Tensor) -> Tensor:
        return F.cross_entropy(net.scale * (F.normalize(said) @ targets.T), made)

    fit(net, rows, loss, ELEMENT.how, compute, draw)
    return net


def _direct(lessons: Lessons, learned: Bools, draw: torch.Generator, compute: Compute) -> Symmetric:
    rows = lessons.empowerment(learned)
    net = _net(lessons, rows, 1, DIRECT, draw)
    with torch.no_grad():  # begin near the mean: the answer is a logarithm, and a wild first one would be exponentiated
        net.out.weight *= 0.1
        net.out.bias.fill_(float(np.log(max(rows.label.sum() / max(len(rows.label), 1), 1e-6))))
    fit(net, rows, _poisson, DIRECT.how, compute, draw)
    return net


def _cross_entropy(said: Tensor, success: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(said.squeeze(1), success)


def _poisson(said: Tensor, empowerment: Tensor) -> Tensor:
    return F.poisson_nll_loss(said.squeeze(1), empowerment, log_input=True)


def _net(lessons: Lessons, rows: Rows, outputs: int, plan: Plan, draw: torch.Generator) -> Symmetric:
    return Symmetric(torch.from_numpy(lessons.standardised(rows)), outputs, plan, draw)


def _choice(net: Symmetric, first: Tensor, second: Tensor, targets: Tensor) -> Tensor:
    return net.scale * (F.normalize(net(first, second)) @ targets.T)


def _tensors(rows: Rows, compute: Compute) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(rows.first).to(compute.device), torch.from_numpy(rows.second).to(compute.device)
