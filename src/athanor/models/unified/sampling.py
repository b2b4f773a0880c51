"""The distribution that codes and words are drawn from, written once: to draw from it and to score what was drawn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from athanor.core.errors import DataError, UsageError


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a token is chosen from its logits. UsageError for a value out of range."""

    temperature: float = 1.0
    """0 takes the likeliest."""
    top_k: int | None = None
    """Only the k likeliest; None for all."""
    top_p: float | None = None
    """Only the fewest likeliest that together have this probability; None for all."""

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UsageError(f"temperature is {self.temperature}, 0 or more was expected; 0 takes the likeliest")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k is {self.top_k}, 1 or more was expected; leave it out to keep all")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"top_p is {self.top_p}, more than 0 and at most 1 was expected; leave it out to keep all")


def guided(conditional: Tensor, unconditional: Tensor, weight: float) -> Tensor:
    """Float["... tokens"]: u + weight (c - u) of two logits; c at weight 1, u at 0 (Ho and Salimans 2022)."""
    return unconditional + weight * (conditional - unconditional)


def refuse_infinite(logits: Tensor) -> None:
    """DataError for logits that are not finite, from which nothing can be drawn."""
    if not bool(torch.isfinite(logits).all()):
        raise DataError(
            "the model gives logits that are not finite: its weights, or how its images are prepared, are broken, or "
            "its precision is too low; copy the checkpoint again, or run it in float32"
        )


def log_probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """Float["... tokens"], nats: the distribution that is drawn from, -inf where nothing can be drawn.

    Temperature comes first, then the k likeliest, then the least mass; at temperature 0 the likeliest has it all.
    """
    logits = logits.float()
    if sampling.temperature == 0:
        best = logits.argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter(-1, best, 0.0)
    if sampling.temperature != 1:
        logits = logits / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    logprobs = logits.log_softmax(-1)
    if sampling.top_p is None or sampling.top_p == 1:
        return logprobs
    ordered, at = logprobs.sort(-1, descending=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    dropped = (before >= sampling.top_p).scatter(-1, at, before >= sampling.top_p)
    return logprobs.masked_fill(dropped, -torch.inf).log_softmax(-1)


def drawn(logits: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
    """Int["rows"]: where each row's number, Float["rows"] from 0 to 1, falls among its summed probabilities.

    `logits` is Float["rows tokens"]. A row's token depends on its own logits and number alone.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    return drawn_from(log_probabilities(logits, sampling), uniforms)


def drawn_from(logprobs: Tensor, uniforms: Tensor) -> Tensor:
    """Int["rows"]: as `drawn`, of what `log_probabilities` gives, Float["rows tokens"]."""
    summed = logprobs.exp().to(uniforms.dtype).cumsum(-1)
    whole = summed[:, -1:]
    at = torch.minimum(uniforms[:, None] * whole, torch.nextafter(whole, torch.zeros_like(whole)))
    return torch.searchsorted(summed, at, right=True)[:, 0]
