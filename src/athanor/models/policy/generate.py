"""Sampling from a policy, many prompts at once, with the keys and values of the past kept.

Samples of one prompt share its keys and values: they are evaluated once, and attended to as one matrix by all samples
of the prompt together. What is kept of a sample's own tokens is a few rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from athanor.models.policy.transformer import Policy


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """What was written after each prompt."""

    tokens: Tensor
    """Int["prompts samples length"]."""
    logprobs: Tensor
    """Float["prompts samples length"]: of each token at the temperature of sampling, in nats; at 1 where that was 0."""


@torch.no_grad()
def sample(
    policy: Policy, prompts: Tensor, samples: int, length: int, *, temperature: float, generator: torch.Generator
) -> Sampled:
    """`length` tokens after each prompt, Int["prompts seq"] all of one length, `samples` times; temperature 0 takes the
    likeliest."""
    count, width, heads = len(prompts), policy.config.width, policy.config.heads
    seq, size = prompts.shape[1], width // heads
    tokens = torch.empty(count, samples, length, dtype=torch.long, device=prompts.device)
    logprobs = torch.empty(count, samples, length, device=prompts.device)
    past, x = _prompted(policy, prompts)
    places = policy.places()
    own = [x.new_empty(2, count * samples, heads, length, size) for _ in policy.layers]
    logits = policy.head(policy.last(x[:, -1]))[:, None].expand(-1, samples, -1).reshape(count * samples, -1)
    for step in range(length):
        drawn, logprob = _draw(logits, temperature, generator)
        tokens[:, :, step], logprobs[:, :, step] = drawn.view(count, samples), logprob.view(count, samples)
        if step == length - 1:
            break
        x = policy.tokens.weight[drawn] + places[seq + step]
        for block, (k, v), kept in zip(policy.layers, past, own, strict=True):
            made = block.attention.into(block.before_attention(x)).view(-1, 3, heads, size)
            kept[0, :, :, step], kept[1, :, :, step] = made[:, 1], made[:, 2]
            x = x + block.attention.out(_attend(made[:, 0], k, v, kept[:, :, :, : step + 1], samples))
            x = x + block.network(block.before_network(x))
        logits = policy.head(policy.last(x))
    return Sampled(tokens=tokens, logprobs=logprobs)


def _prompted(policy: Policy, prompts: Tensor) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Keys and values of every layer, Float["prompts heads seq size"], and what comes out of the last block."""
    count, seq = prompts.shape
    heads = policy.config.heads
    x = policy.tokens(prompts) + policy.places()[:seq]
    past = []
    for block in policy.layers:
        q, k, v = block.attention.into(block.before_attention(x)).view(count, seq, 3, heads, -1).permute(2, 0, 3, 1, 4)
        past.append((k.contiguous(), v.contiguous()))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + block.attention.out(mixed.transpose(1, 2).reshape(count, seq, -1))
        x = x + block.network(block.before_network(x))
    return past, x


def _attend(q: Tensor, k: Tensor, v: Tensor, own: Tensor, samples: int) -> Tensor:
    """Float["rows width"] from one query a row, Float["rows heads size"]: over the prompt, which rows of `samples`
    share, and over the row's own past, Float["2 rows heads steps size"]."""
    rows, heads, size = q.shape
    count, seq = rows // samples, k.shape[2]
    q = q * (1 / sqrt(size))
    grouped = q.view(count, samples, heads, size).transpose(1, 2)
    shared = (grouped @ k.transpose(2, 3)).transpose(1, 2).reshape(rows, heads, seq)
    mine = (own[0] @ q[..., None])[..., 0]
    weights = torch.cat([shared, mine], dim=2).softmax(2)
    told = weights[:, :, :seq].view(count, samples, heads, seq).transpose(1, 2) @ v
    mixed = told.transpose(1, 2).reshape(rows, heads, size) + (weights[:, :, None, seq:] @ own[1])[:, :, 0]
    return mixed.reshape(rows, heads * size)


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One token a row, Int["rows"], where a uniform number falls among the summed probabilities, and its
    log-probability."""
    logits = logits if temperature in (0, 1) else logits / temperature
    logprobs = logits.log_softmax(-1)
    if temperature == 0:
        drawn = logits.argmax(-1)
    else:
        summed = logprobs.exp().cumsum(-1)
        at = torch.rand(len(logits), 1, generator=generator, device=logits.device) * summed[:, -1:]
        drawn = torch.searchsorted(summed, at, right=True)[:, 0].clamp(max=logits.shape[1] - 1)
    return drawn, logprobs.gather(1, drawn[:, None])[:, 0]
