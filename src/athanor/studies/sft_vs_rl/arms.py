"""What is trained in the study: its settings, and the arms that follow from one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch

from athanor.environments.points import tokens
from athanor.models.policy.transformer import Policy
from athanor.training.ledger import training_flop
from athanor.training.optimizers import Rates
from athanor.training.rl import RL
from athanor.training.rollouts import Rollout, generation_flop, turns_of
from athanor.training.sft import SFT

REFERENCE_RL, REFERENCE_SFT = "grpo", "sft"
"""The two arms whose difference is the study's answer."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to post-train."""

    name: str
    config: RL | SFT
    about: str
    lever: bool = False
    """Whether it is one of the main arms with one thing changed; those are trained from fewer seeds."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A size of the study."""

    bases: tuple[str, ...]
    """Names of base policies that come with the package."""
    seeds: int
    """Trainings of each main arm from each base."""
    lever_bases: int
    """Bases from which levers are trained, the first ones."""
    steps: int
    """Of reinforcement; supervised arms have as many as cost the same."""
    arms: tuple[str, ...] | None
    """Names of the arms that are trained; None is all."""
    each: int
    """Hands of each multiset that policies are tried on."""
    about: str


SETTINGS: dict[str, Setting] = {
    "smoke": Setting(bases=("base-points-1",), seeds=2, lever_bases=0, steps=2, arms=("sft", "grpo"), each=1,
                     about="two arms of two steps: that everything runs, in under a minute"),
    "quick": Setting(bases=("base-points-1",), seeds=2, lever_bases=0, steps=40, arms=("sft", "grpo"), each=4,
                     about="two arms, two seeds, in five minutes on two cores"),
    "laptop": Setting(bases=("base-points-1", "base-points-2"), seeds=4, lever_bases=1, steps=70, arms=None, each=6,
                      about="every arm, four seeds on two bases, within an hour on two cores"),
}  # fmt: skip


def arms(setting: Setting, policy: Policy) -> tuple[Arm, ...]:
    """Every arm of a setting, supervised ones with as many steps as cost what the reference's reinforcement costs."""
    grpo = RL(steps=setting.steps)
    flop = setting.steps * step_flop(policy, grpo)
    sft = SFT()
    matched = replace(sft, steps=max(1, round(flop / training_flop(policy, sft.rows, tokens.PROMPT + tokens.ANSWER))))
    own = replace(matched, solutions="own")
    mild = Rates(adamw=1e-4)
    every = (
        Arm(name="sft", config=matched, about="one canonical solution of each of 1,000 hands"),
        Arm(name="sft, fresh hands", config=replace(matched, hands=0, solutions="random"),
            about="new hands at every step, a random solution each"),
        Arm(name="dft", config=replace(matched, loss="dft"), about="each token's loss times its own probability"),
        Arm(name="sft on own answers", config=own, about="right answers that the base itself wrote"),
        Arm(name="grpo", config=grpo, about="64 hands, 8 answers each, no divergence term"),
        Arm(name="ppo", config=replace(grpo, algorithm="ppo", epochs=1), about="a critic in place of the group"),
        Arm(name="sft, low rate", config=replace(matched, rates=mild), about="a fifth of the rate", lever=True),
        Arm(name="sft, KL", config=replace(matched, kl=1.0), about="held near the base by the divergence", lever=True),
        Arm(name="grpo, KL", config=replace(grpo, kl=0.1), about="held near the base by the divergence", lever=True),
        Arm(name="grpo, 3 rounds", config=replace(grpo, rounds=3, steps=max(1, setting.steps // 2)),
            about="trained with two further attempts after feedback", lever=True),
        Arm(name="w-reinforce", config=replace(grpo, algorithm="w-reinforce"),
            about="wrong answers suppressed, right ones reinforced at a tenth", lever=True),
    )  # fmt: skip
    return tuple(arm for arm in every if setting.arms is None or arm.name in setting.arms)


@cache
def _shape(samples: int, prompts: int) -> Rollout:
    """Episodes of one turn, all taken: what a step of reinforcement generates."""
    episodes, length = samples * prompts, tokens.PROMPT + tokens.ANSWER
    written = torch.zeros(episodes, length, dtype=torch.bool)
    written[:, tokens.PROMPT :] = True
    zeros = torch.zeros(episodes, 1, dtype=torch.long)
    return Rollout(torch.zeros(episodes, length), written, turns_of(1), torch.zeros(1), zeros, zeros > 0, samples)


def step_flop(policy: Policy, config: RL) -> float:
    """Operations of one step of reinforcement with single answers: generating, and learning from all of it."""
    episodes = config.prompts * config.samples
    learned = training_flop(policy, episodes, tokens.PROMPT + tokens.ANSWER) * config.epochs
    return generation_flop(policy, _shape(config.samples, config.prompts)) + learned


def points(config: RL | SFT) -> tuple[int, ...]:
    """Steps after which a run is tried: a third, two thirds, and the end."""
    return tuple(sorted({max(1, round(config.steps * share)) for share in (1 / 3, 2 / 3, 1.0)}))
