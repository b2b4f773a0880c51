"""The policy: a decoder-only transformer small enough to be trained, and trained again, on a laptop.

Pre-normalised blocks (RMSNorm) of causal self-attention and a ReLU network four times as wide, learned
positions, an output layer of its own. Embeddings of numbers begin as Fourier features, so that the order of numbers is
there to be read from the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from athanor.core.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """The shape of a policy."""

    vocabulary: int
    context: int = 96
    """Tokens of a sequence, at most."""
    width: int = 128
    layers: int = 4
    heads: int = 4
    numbers: int = 0
    """The first so many tokens are the numbers 0, 1, ..., whose embeddings begin as Fourier features."""
    first: int = 0
    """Tokens before the first turn, where there are turns."""
    turn: int = 0
    """Tokens of a turn: a token's position is then its place in its turn and the turn's number, each with an embedding,
    so that what one turn has learned serves the next. 0: every position has an embedding of its own."""

    def __post_init__(self) -> None:
        if self.turn and (self.context - self.first) % self.turn:
            raise UsageError(
                f"a context of {self.context} was given, {self.first} and whole turns of {self.turn} were expected"
            )


class Attention(nn.Module):
    """Causal self-attention; queries, keys and values come from one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Float["batch seq width"] to the same."""
        batch, length, width = x.shape
        q, k, v = self.into(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before_attention = nn.RMSNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads)
        self.before_network = nn.RMSNorm(width, elementwise_affine=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.before_attention(x))
        return x + self.network(self.before_network(x))

    def network(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)))


class Policy(nn.Module):
    """Tokens in, logits of the next ones out."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Embedding(config.first + config.turn or config.context, config.width)
        turns = (config.context - config.first) // config.turn if config.turn else None
        self.turns = nn.Embedding(turns, config.width) if turns else None
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.last = nn.RMSNorm(config.width, elementwise_affine=False)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)

    @property
    def layers(self) -> tuple[Block, ...]:
        """The blocks, typed."""
        return tuple(cast("Block", block) for block in self.blocks)

    def begin(self, generator: torch.Generator) -> Policy:
        """Draw the first weights; the same generator gives the same ones."""
        config = self.config
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.ndim < 2:
                    continue
                scale = 0.02 if name.startswith(("tokens", "positions", "turns")) else 1 / sqrt(weight.shape[1])
                if name.endswith(("out.weight", "down.weight")):
                    scale /= sqrt(2 * config.layers)
                weight.normal_(0, scale, generator=generator)
            if config.numbers:
                self.tokens.weight[: config.numbers] += 0.02 * fourier(config.numbers, config.width)
        return self

    def places(self) -> Tensor:
        """Float["context width"]: what is added to a token at each position."""
        config = self.config
        if self.turns is None:
            return self.positions.weight
        after = torch.arange(config.context - config.first, device=self.positions.weight.device)
        turns = self.positions.weight[config.first + after % config.turn] + self.turns.weight[after // config.turn]
        return torch.cat([self.positions.weight[: config.first], turns])

    def hidden(self, tokens: Tensor) -> Tensor:
        """Float["batch seq width"], normalised, of Int["batch seq"]."""
        x = self.tokens(tokens) + self.places()[: tokens.shape[1]]
        for block in self.layers:
            x = block(x)
        return self.last(x)

    def forward(self, tokens: Tensor) -> Tensor:
        """Float["batch seq vocabulary"]: logits of the token after each."""
        return self.head(self.hidden(tokens))

    def matrix_parameters(self) -> int:
        """Parameters that every token is multiplied with: all but the tables that are looked up."""
        looked = ("tokens", "positions", "turns")
        matrices = [weight for name, weight in self.named_parameters() if not name.startswith(looked)]
        return sum(weight.numel() for weight in matrices if weight.ndim > 1)


def fourier(numbers: int, width: int) -> Tensor:
    """Float["numbers width"]: sines and cosines of each number, with periods from 2 to four times the largest."""
    periods = torch.logspace(1, 2, width // 2, base=2.0)
    periods = 2 * (2 * numbers) ** ((periods - periods[0]) / (periods[-1] - periods[0]))
    angles = 2 * pi * torch.arange(numbers)[:, None] / periods
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width] * sqrt(2)
