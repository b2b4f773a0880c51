"""How much better each sample did than expected: what multiplies the gradient of its log-probability."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-4
"""Added to a spread before it is divided by, as in `trl`."""


def grpo(rewards: Tensor, *, scale: bool = True) -> Tensor:
    """Group-relative advantages of rewards, Float["prompts samples"]: less the group's mean, over its spread.

    Without `scale` the spread is left (Dr. GRPO, Liu et al. 2025). A group whose samples all did the same teaches
    nothing. Source: Shao et al. 2024, section 4.1.2; the spread is that of a sample (n - 1), as in `trl`.
    """
    less = rewards - rewards.mean(1, keepdim=True)
    return less / (rewards.std(1, keepdim=True) + EPSILON) if scale else less


def rloo(rewards: Tensor) -> Tensor:
    """Less the mean of the *other* samples of the group: unbiased (Ahmadian et al. 2024). Float["prompts samples"]."""
    return rewards - (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)


def others(rewards: Tensor) -> Tensor:
    """The mean of all *other* rewards of a batch, in the same shape; 0 where there are none."""
    return (rewards.sum() - rewards) / max(1, rewards.numel() - 1)


def reinforce(rewards: Tensor, baseline: float | Tensor) -> Tensor:
    """Less a baseline that does not depend on the sample (Williams 1992)."""
    return rewards - baseline


def signed(passed: Tensor, *, positive: float = 1.0, negative: float = 1.0) -> Tensor:
    """`positive` where a sample passed, minus `negative` where it did not, no baseline.

    positive=1, negative=0 reinforces right samples alone, 0 and 1 suppresses wrong ones alone, 0.1 and 1 is
    W-REINFORCE (Zhu et al. 2025).
    """
    return torch.where(passed, positive, -negative)


def gae(rewards: Tensor, values: Tensor, taken: Tensor, *, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Generalised advantages and returns of turns, each Float["episodes turns"] (Schulman et al. 2016, equation 16).

    `taken`: Bool["episodes turns"], the turns that were played: the first ones of each episode. What follows an
    episode's last turn is worth nothing, since no answer is asked for after the last round: an episode whose hand is
    not solved then has ended, and is not cut short. No advantage reaches over from one episode into another.
    """
    episodes, turns = rewards.shape
    after, advantage, found = rewards.new_zeros(episodes), rewards.new_zeros(episodes), torch.zeros_like(rewards)
    for turn in reversed(range(turns)):
        played = taken[:, turn]
        surprise = rewards[:, turn] + gamma * after - values[:, turn]
        advantage = torch.where(played, surprise + gamma * lam * advantage, advantage)
        after = torch.where(played, values[:, turn], after)
        found[:, turn] = torch.where(played, advantage, 0.0)
    return found, found + values * taken


def whitened(advantages: Tensor, counted: Tensor) -> Tensor:
    """Less the mean and over the spread of the entries that are counted; the others stay zero."""
    some = advantages[counted]
    return torch.where(counted, (advantages - some.mean()) / (some.std() + 1e-5), 0.0)
