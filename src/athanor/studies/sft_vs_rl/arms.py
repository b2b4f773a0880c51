"""What is trained in the study: its settings, and the arms that follow from one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from athanor.core.errors import UsageError
from athanor.models.policy.transformer import Policy
from athanor.training.costs import affordable_steps, planned
from athanor.training.optimizers import Rates
from athanor.training.rl import RL
from athanor.training.sft import SFT

REFERENCE_RL, REFERENCE_SFT = "grpo", "sft"
"""The two arms whose difference is the study's answer."""
MAIN = ("sft", "sft, fresh hands", "dft", "sft on own answers", "grpo", "ppo")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to post-train."""

    name: str
    config: RL | SFT
    about: str
    of: str = ""
    """The main arm of which this one is a lever: what it is compared with. Empty for main arms."""
    first: SFT | None = None
    """What the policy is fine-tuned on before `config`, as the publication does before RL."""

    @property
    def supervised(self) -> bool:
        return isinstance(self.config, SFT)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A size of the study."""

    bases: tuple[str, ...]
    """Names of base policies that come with the package."""
    seeds: int
    """Trainings of each main arm from each base."""
    lever_seeds: int
    """Trainings of each lever, from the first base alone; 0 trains none."""
    steps: int
    """Of reinforcement; supervised arms have as many as cost the same."""
    arms: tuple[str, ...] = MAIN
    """Names of the main arms that are trained."""
    each: int
    """Hands of each multiset that policies are tried on, at most."""
    about: str
    only: tuple[str, ...] = ()
    """Names of the arms, levers among them, that are trained, with the main arms that levers change; empty, all."""


SETTINGS: dict[str, Setting] = {
    "smoke": Setting(bases=("base-points-1",), seeds=2, lever_seeds=0, steps=2, arms=("sft", "grpo"), each=1,
                     about="two arms of two steps: that everything runs, in under a minute"),
    "quick": Setting(bases=("base-points-1",), seeds=2, lever_seeds=0, steps=25, arms=("sft", "grpo"), each=2,
                     about="two arms, two seeds, in five minutes on two cores"),
    "laptop": Setting(bases=("base-points-1", "base-points-2"), seeds=4, lever_seeds=2, steps=40, each=4,
                      about="every arm, four seeds on two bases, one to two hours on two cores"),
}  # fmt: skip


def arms(setting: Setting, policy: Policy) -> tuple[Arm, ...]:
    """Every arm of a setting, each with as many steps as cost what the reference's reinforcement costs, sampling and
    the measured divergence included."""
    grpo = RL(steps=setting.steps)
    flop = planned(policy, grpo)

    def matched(config: SFT) -> SFT:
        return replace(config, steps=affordable_steps(policy, config, flop))

    def held(config: RL) -> RL:
        return replace(config, steps=affordable_steps(policy, config, flop), budget=flop)

    main = [arm for arm in _main(grpo, matched, held) if arm.name in (MAIN if setting.only else setting.arms)]
    return _chosen((*main, *(_levers(grpo, matched, held) if setting.lever_seeds else ())), setting.only)


def _chosen(every: tuple[Arm, ...], only: tuple[str, ...]) -> tuple[Arm, ...]:
    """The arms of these names, and those that they change; all where none is named. UsageError for another name."""
    by = {arm.name: arm for arm in every}
    if unknown := [name for name in only if name not in by]:
        raise UsageError(
            f"--arms has {' '.join(map(repr, unknown))}, names of {' '.join(map(repr, by))} were expected"
            f"{'' if any(arm.of for arm in every) else ' (levers take --lever-seeds)'}"
        )
    kept = {*only, *(by[name].of for name in only)}
    return tuple(arm for arm in every if not only or arm.name in kept)


def _main(grpo: RL, matched: Callable[[SFT], SFT], held: Callable[[RL], RL]) -> tuple[Arm, ...]:
    sft = matched(SFT())
    return (
        Arm(name="sft", config=sft, about="one canonical solution of each of 1,000 hands"),
        Arm(name="sft, fresh hands", config=replace(sft, hands=0, solutions="random"),
            about="new hands at every step, a random solution each"),
        Arm(name="dft", config=replace(sft, loss="dft"), about="each token's loss times its own probability"),
        Arm(name="sft on own answers", config=matched(replace(sft, solutions="own")),
            about="right answers that the base itself wrote to 1,000 hands, 8 tries each"),
        Arm(name="grpo", config=grpo, about="64 hands, 8 answers each, no divergence term"),
        Arm(name="ppo", config=held(replace(grpo, algorithm="ppo", epochs=4)),
            about="a critic in place of the group, four passes over each batch with clipped ratios, as published"),
    )  # fmt: skip


def _levers(grpo: RL, matched: Callable[[SFT], SFT], held: Callable[[RL], RL]) -> tuple[Arm, ...]:
    """One thing changed at a time: what may move supervised learning or reinforcement. All cost the same, but for what
    comes before reinforcement."""
    sft = matched(SFT())
    rollouts = grpo.steps * grpo.prompts * grpo.samples
    warm, long = replace(sft, steps=max(1, sft.steps // 8)), replace(sft, steps=2 * sft.steps)
    return (
        Arm(name="sft, low rate", config=replace(sft, rates=Rates(adamw=1e-4)), about="a fifth of the rate", of="sft"),
        Arm(name="sft, KL", config=matched(replace(sft, kl=1.0)), of="sft",
            about="held near the base by the divergence"),
        Arm(name="sft, many rules", config=replace(sft, rules="many"), of="sft",
            about="prompt diversity: J, Q and K mean numbers of 1 to 10, drawn anew for every hand"),
        Arm(name="sft, all solutions", config=replace(sft, solutions="all"), of="sft",
            about="every solution of each hand"),
        Arm(name="sft, two turns", config=matched(replace(sft, turns=2)), of="sft",
            about="half of the answers put a wrong one right"),
        Arm(name="sft on as many own answers", of="sft on own answers",
            config=matched(replace(sft, solutions="own", hands=rollouts // sft.tries)),
            about="right ones among as many answers as reinforcement samples: matched by rollouts"),
        Arm(name="grpo, KL", config=held(replace(grpo, kl=0.1)), of="grpo",
            about="held near the base by the divergence"),
        Arm(name="grpo, 3 rounds", config=held(replace(grpo, rounds=3)), of="grpo",
            about="two further attempts, at equal compute"),
        Arm(name="grpo, 5 rounds", config=held(replace(grpo, rounds=5)), of="grpo",
            about="four further attempts, at equal compute"),
        Arm(name="w-reinforce", config=replace(grpo, algorithm="w-reinforce"), of="grpo",
            about="wrong answers suppressed, right ones reinforced at a tenth"),
        Arm(name="grpo after sft", config=grpo, first=warm, of="grpo", about="after an eighth of the sft arm's steps"),
        Arm(name="grpo after long sft", config=grpo, first=long, of="grpo", about="after twice the sft arm's steps"),
    )  # fmt: skip


def points(config: RL | SFT) -> tuple[int, ...]:
    """Steps after which a run is tried: a third, two thirds, and the end."""
    return tuple(sorted({max(1, round(config.steps * share)) for share in (1 / 3, 2 / 3, 1.0)}))
