"""Losses as functions of log-probabilities. All means are over the tokens or turns that the mask counts."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Estimator = Literal["k1", "k2", "k3"]
Level = Literal["token", "turn"]


def token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Float["... "], in nats: of each token under the logits beside it, Float["... vocabulary"]."""
    return logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(-1)


def mean(values: Tensor, mask: Tensor) -> Tensor:
    """Over the entries that the mask counts; the others may be anything, NaN too, and give no gradient."""
    return torch.where(mask, values, 0.0).sum() / mask.sum()


def nll(logprobs: Tensor, mask: Tensor) -> Tensor:
    """Negative log-likelihood: supervised fine-tuning."""
    return -mean(logprobs, mask)


def dft(logprobs: Tensor, mask: Tensor) -> Tensor:
    """Each token's loss times its own probability, which passes no gradient (Wu et al. 2025, equation 9)."""
    return -mean(logprobs.detach().exp() * logprobs, mask)


def kl(logprobs: Tensor, reference: Tensor, estimator: Estimator) -> Tensor:
    """Estimates of KL(policy || reference) in nats, one a token sampled from the policy (Schulman 2020).

    k1 is unbiased and may be negative; k2 is half the square, biased; k3 is unbiased and never negative. Means over
    samples; for what they are as a loss see `kl_loss`.
    """
    apart = reference - logprobs
    match estimator:
        case "k1":
            return -apart
        case "k2":
            return apart.square() / 2
        case _:
            return apart.exp() - 1 - apart


def kl_loss(logprobs: Tensor, reference: Tensor, ratio: Tensor, estimator: Estimator) -> Tensor:
    """A loss whose gradient is that of KL(policy || reference) in expectation, whichever policy near by had sampled.

    `ratio`: of the probability of each token to that when it was sampled. It passes a gradient with k1 and k3, which
    alone would have none and that of the reversed divergence; with k2, whose gradient is right, it only weighs.
    """
    weight = ratio.detach() if estimator == "k2" else ratio
    return (weight * kl(logprobs, reference, estimator)).mean()


def exact_kl(logits: Tensor, reference: Tensor) -> Tensor:
    """KL(policy || reference) of each position, in nats, over the whole vocabulary."""
    ours, theirs = logits.log_softmax(-1), reference.log_softmax(-1)
    return (ours.exp() * (ours - theirs)).sum(-1)


def entropy(logits: Tensor) -> Tensor:
    """Of each position, in nats."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).sum(-1)


def clipped(
    logprobs: Tensor,
    old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    turns: Tensor,
    *,
    level: Level,
    low: float = 0.2,
    high: float = 0.2,
) -> tuple[Tensor, Tensor]:
    """The clipped surrogate of PPO, and the share of ratios that were clipped (Schulman et al. 2017, equation 7).

    `logprobs`, `old`, `mask`: Float and Bool["episodes seq"]; `turns`: Int["episodes seq"], the turn that a token
    belongs to; `advantages`: Float["episodes turns"]. `level` token: one ratio a token. turn: one ratio a turn, the
    product over its tokens, as in Chu et al. 2025.
    """  # fmt: skip
    apart = torch.where(mask, logprobs - old, 0.0)
    places = turns.clamp(min=0)
    if level == "turn":
        apart = torch.zeros_like(advantages).scatter_add(1, places, apart)
        counted = torch.zeros_like(advantages).scatter_add(1, places, mask.to(apart.dtype)) > 0
        gain = advantages
    else:
        counted, gain = mask, advantages.gather(1, places)
    ratio = apart.exp()
    held = ratio.clamp(1 - low, 1 + high)
    loss = -mean(torch.minimum(ratio * gain, held * gain), counted)
    return loss, mean(((ratio * gain) > (held * gain)).to(apart.dtype), counted).detach()


def value_loss(
    values: Tensor, returns: Tensor, mask: Tensor, *, old: Tensor | None = None, clip: float = 0.2
) -> Tensor:
    """Half the squared error of the values; with `old` ones, the worse of it and that of values held within `clip`."""
    error = (values - returns).square()
    if old is not None:
        held = old + (values - old).clamp(-clip, clip)
        error = torch.maximum(error, (held - returns).square())
    return mean(error, mask) / 2


def distance(module: nn.Module, reference: nn.Module) -> Tensor:
    """Squared L2 distance of the weights of two modules."""
    pairs = zip(module.parameters(), reference.parameters(), strict=True)
    return torch.stack([(one - other.detach()).square().sum() for one, other in pairs]).sum()
