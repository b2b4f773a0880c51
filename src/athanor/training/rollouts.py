"""Hands played by a policy in batches: what it wrote, how likely that was, and how each answer was judged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from athanor.core.errors import UsageError
from athanor.core.seeds import digest
from athanor.environments.points import tokens
from athanor.environments.points.judge import REWARDS
from athanor.environments.points.tokens import CLASSES, Hands
from athanor.models.policy.generate import sample
from athanor.models.policy.transformer import Policy


class Rollout(NamedTuple):
    """Episodes of a batch of hands, `samples` of each hand one after the other."""

    tokens: Tensor
    """Int["episodes seq"]; the prompt, then answers with a token of feedback before each but the first."""
    written: Tensor
    """Bool["episodes seq"]: tokens that the policy chose, of turns that were taken."""
    turns: Tensor
    """Int["seq"]: the turn that a token belongs to, -1 in the prompt."""
    logprobs: Tensor
    """Float["episodes seq"]: of the written tokens when they were sampled, 0 elsewhere."""
    grades: Tensor
    """Int["episodes turns"]: positions in `tokens.CLASSES`, -1 where a turn was not taken."""
    recognised: Tensor
    """Bool["episodes turns"]: whether the numbers were read right."""
    samples: int

    @property
    def taken(self) -> Tensor:
        """Bool["episodes turns"]."""
        return self.grades >= 0

    @property
    def passed(self) -> Tensor:
        """Bool["episodes"]: whether any turn solved the hand."""
        return (self.grades == 0).any(1)

    def rewards(self, kind: str) -> Tensor:
        """Float["episodes turns"]: 1 for a solved hand and 0 else (`binary`), or the exact judge's (`classes`)."""
        of = [float(name == "solved") if kind == "binary" else REWARDS[name] for name in CLASSES]
        worth = torch.tensor([*of, 0.0], device=self.grades.device)
        return worth[self.grades]


def generator_of(policy: Policy, seed: int, *names: str | int) -> torch.Generator:
    """A fresh generator where the policy lives, for this seed and these names."""
    return torch.Generator(policy.head.weight.device).manual_seed(digest(seed, *names) % 2**63)


def refuse_rounds(policy: Policy, rounds: int) -> None:
    """UsageError for more rounds than the policy has positions for."""
    most = (policy.config.context - tokens.PROMPT + 1) // tokens.TURN
    if not 1 <= rounds <= most:
        raise UsageError(f"{rounds} rounds were asked for, the policy has room for 1 to {most}; ask for as many")


def roll(
    policy: Policy, hands: Hands, *, samples: int, rounds: int, temperature: float, generator: torch.Generator
) -> Rollout:
    """Let a policy answer each hand `samples` times, and again after a wrong answer, at most `rounds` times.

    UsageError for more rounds than the policy has positions for.
    """
    refuse_rounds(policy, rounds)
    device = policy.head.weight.device
    asked = torch.from_numpy(tokens.prompts(hands)).to(device)
    every = Hands(*(np.repeat(part, samples, axis=0) for part in hands))
    episodes, seq = len(every.ranks), tokens.PROMPT + rounds * tokens.TURN - 1
    rows = torch.zeros(episodes, seq, dtype=torch.long, device=device)
    logprobs = torch.zeros(episodes, seq, device=device)
    written = torch.zeros(episodes, seq, dtype=torch.bool, device=device)
    grades = torch.full((episodes, rounds), -1, device=device)
    seen = torch.zeros(episodes, rounds, dtype=torch.bool, device=device)
    rows[:, : tokens.PROMPT] = asked.repeat_interleave(samples, 0)
    left = torch.arange(episodes, device=device)
    for turn in range(rounds):
        begun = tokens.PROMPT + turn * tokens.TURN
        if turn:
            rows[left, begun - 1] = tokens.FEEDBACK + grades[left, turn - 1]
        prompts, count = (asked, samples) if turn == 0 else (rows[left, :begun], 1)
        made = sample(policy, prompts, count, tokens.ANSWER, temperature=temperature, generator=generator)
        here = slice(begun, begun + tokens.ANSWER)
        answers = made.tokens.view(-1, tokens.ANSWER)
        rows[left, here], logprobs[left, here] = answers, made.logprobs.view(-1, tokens.ANSWER)
        written[left, here] = True
        some = every.take(left.cpu().numpy())
        graded = tokens.grade(answers.cpu().numpy(), some)
        grades[left, turn] = torch.from_numpy(graded).to(device)
        seen[left, turn] = torch.from_numpy(tokens.recognised(answers.cpu().numpy(), some)).to(device)
        left = left[grades[left, turn] != 0]
        if not len(left):
            break
    return Rollout(rows, written, turns_of(rounds).to(device), logprobs, grades, seen, samples)


def turns_of(rounds: int) -> Tensor:
    """Int["seq"]: the turn of each token of an episode; feedback belongs to the turn that it begins."""
    return torch.cat([
        torch.full((tokens.PROMPT,), -1), torch.zeros(tokens.ANSWER, dtype=torch.long),
        torch.arange(1, rounds).repeat_interleave(tokens.TURN),
    ])  # fmt: skip


def generation_flop(policy: Policy, rollout: Rollout) -> float:
    """Operations of sampling as `roll` does it: a hand is evaluated once for all of its samples, each written token but
    an answer's last once, and before each further turn an episode's whole past."""
    config, head = policy.config, 2.0 * policy.head.weight.numel()
    body = 2.0 * policy.matrix_parameters() - head
    attended = 2.0 * config.layers * config.width  # of a token with one before it and itself; twice where it asks alone
    taken = rollout.taken.sum(0).tolist()
    whole = 0.0
    for turn, episodes in enumerate(taken):
        past = tokens.PROMPT + turn * tokens.TURN
        asked = episodes / rollout.samples if turn == 0 else episodes
        whole += asked * (past * (body + attended * past) + head)
        seen = sum(past + k + 1 for k in range(tokens.ANSWER - 1))
        whole += episodes * ((tokens.ANSWER - 1) * (body + head) + 2 * attended * seen)
    return whole
