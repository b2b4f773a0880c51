"""What training has cost so far: real operations, with the past kept in generation."""

from __future__ import annotations

from dataclasses import dataclass

from athanor.models.policy.transformer import Policy


@dataclass(kw_only=True)
class Ledger:
    """Counts of a run. Operations count 2 a multiply-add, attention included."""

    episodes: int = 0
    """Played by the policy."""
    tokens_generated: int = 0
    tokens_trained: int = 0
    """Tokens of sequences that gradients went through, prompts included, once a pass."""
    flop_generated: float = 0.0
    flop_trained: float = 0.0
    barren: int = 0
    """Last steps of reinforcement whose rewards all agreed."""

    @property
    def flop(self) -> float:
        return self.flop_generated + self.flop_trained

    def generated(self, tokens: int, episodes: int, flop: float) -> None:
        self.tokens_generated += tokens
        self.episodes += episodes
        self.flop_generated += flop

    def trained(self, tokens: int, flop: float) -> None:
        self.tokens_trained += tokens
        self.flop_trained += flop


def training_flop(policy: Policy, rows: int, length: int, told: int) -> float:
    """Operations of one forward and backward pass over sequences (Kaplan et al. 2020, with causal attention), of whose
    tokens so many go through the head: those whose next token is learned or looked at."""
    config, head = policy.config, policy.head.weight.numel()
    attention = 2 * config.layers * config.width * length  # half of 2 * 2 * length: a token sees those before it
    return 3.0 * (rows * length * (2 * (policy.matrix_parameters() - head) + attention) + 2 * told * head)
