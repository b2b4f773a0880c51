"""What a training will cost, told before it is run: the sums that its ledger will hold in the end."""

from __future__ import annotations

from functools import cache

import torch

from athanor.environments.points import tokens
from athanor.models.policy.transformer import Policy
from athanor.training.ledger import training_flop
from athanor.training.rl import RL
from athanor.training.rollouts import Rollout, generation_flop, turns_of
from athanor.training.sft import MEASURED, SFT

FAILED = 0.6
"""Share of answers after which a further round is expected."""


def planned(policy: Policy, config: RL | SFT) -> float:
    """Operations of a training: what its ledger will say, sampling and measuring the divergence included.

    True of supervised training and of single answers. How often further rounds are taken is known only afterwards: they
    count as if FAILED of all answers were wrong; a budget holds such a training to its operations.
    """
    if isinstance(config, RL):
        return config.steps * _reinforced(policy, config)
    revised = config.steps // 2 if config.turns == 2 else 0
    again = _supervised(policy, config, tokens.TURN) * revised
    return _own(policy, config) + _supervised(policy, config, 0) * (config.steps - revised) + again


def affordable_steps(policy: Policy, config: RL | SFT, flop: float) -> int:
    """As many steps as bring `planned` nearest to so many operations; 1 at least."""
    begun = _own(policy, config) if isinstance(config, SFT) else 0.0
    if isinstance(config, RL):
        each = _reinforced(policy, config)
    else:
        each = (_supervised(policy, config, 0) + _supervised(policy, config, (config.turns - 1) * tokens.TURN)) / 2
    return max(1, round((flop - begun) / each))


def _supervised(policy: Policy, config: SFT, before: int) -> float:
    """Operations of one step on sequences with so many tokens of wrong answers before the right one."""
    length = tokens.PROMPT + before + tokens.ANSWER - 1
    measured = config.rows if config.kl else min(MEASURED, config.rows)
    learned = training_flop(policy, config.rows, length, config.rows * tokens.ANSWER)
    return learned + training_flop(policy, measured, length, measured * tokens.ANSWER) / 3


def _own(policy: Policy, config: SFT) -> float:
    """Operations of the base's own answers, from which the right ones are taken."""
    if config.solutions != "own":
        return 0.0
    return generation_flop(policy, _shape(config.tries, config.hands or 1_000, 1))


def _reinforced(policy: Policy, config: RL) -> float:
    """Operations of one step: sampling, the base's log-probabilities, and learning."""
    episodes, length = config.prompts * config.samples, tokens.PROMPT + config.rounds * tokens.TURN - 2
    sampled, before = 0.0, 0.0
    for turn in range(config.rounds):
        up_to = generation_flop(policy, _shape(config.samples, config.prompts, turn + 1))
        sampled += FAILED**turn * (up_to - before)
        before = up_to
    compared = episodes if config.kl else config.prompts
    answers = sum(FAILED**turn for turn in range(config.rounds))  # of an episode
    learned, measured = (
        training_flop(policy, rows, length, round(rows * answers * tokens.ANSWER)) for rows in (episodes, compared)
    )
    return sampled + measured / 3 + config.epochs * learned


@cache
def _shape(samples: int, prompts: int, rounds: int) -> Rollout:
    """Episodes in which every turn is taken."""
    episodes, turns = samples * prompts, turns_of(rounds)
    length = len(turns)
    written = turns >= 0
    written[tokens.PROMPT + tokens.ANSWER :: tokens.TURN] = False  # what tells of the answer before
    zeros = torch.zeros(episodes, rounds, dtype=torch.long)
    return Rollout(
        torch.zeros(episodes, length),
        written.expand(episodes, length),
        turns,
        torch.zeros(1),
        zeros,
        zeros > 0,
        samples,
    )
