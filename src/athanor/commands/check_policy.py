"""athanor check policy: what a small policy solves, before anything is trained from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from athanor.core.errors import UsageError
from athanor.core.records import Estimate


@dataclass(frozen=True, kw_only=True)
class Config:
    """Play every condition of `study sft-vs-rl` with a small policy, as the study does; a minute on one core."""

    policy: str = "base-points-1"
    """A policy of the package, or a file that `train base-points` or `train policy` wrote."""
    seed: int = 1
    """All randomness follows from it."""
    each: int = 6
    """Hands of each multiset of numbers, at most."""
    threads: int = 1
    """Threads of PyTorch on a CPU."""
    json: bool = False
    """Print JSON on standard output instead of text."""


def run(config: Config) -> int:
    """Print how the policy was made and what it solves."""
    import torch

    from athanor.models.policy.embedded import path_of
    from athanor.training.checkpoint import read_policy

    if min(config.each, config.threads) < 1:
        raise UsageError(f"--each {config.each}, --threads {config.threads}: 1 or more was expected; pass such numbers")
    torch.set_num_threads(config.threads)
    policy, about = read_policy(path_of(config.policy))
    made = {name: about[name] for name in ("step", "tokens", "flop", "cpu_seconds") if name in about}
    made["parameters"] = sum(weight.numel() for weight in policy.parameters())
    found = list(scores(policy, config.seed, config.each))
    if config.json:
        told = {"policy": config.policy, **made, "estimates": found}
        print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        return 0
    print(f"{config.policy}: {', '.join(f'{name} {value:,.4g}' for name, value in made.items())}")
    for one in found:
        between = "" if one.low is None or one.high is None else f"[{100 * one.low:.1f}, {100 * one.high:.1f}]"
        print(f"  {one.name:34} {100 * (one.value or 0):5.1f}% {between:13} {one.n} {one.unit}")
    return 0


ROUNDS = (2, 3, 5, 10)
"""Answers to a hand, at most."""


def scores(policy: Any, seed: int, each: int) -> Iterator[Estimate]:
    """Shares of hands solved with their intervals over multisets: at the first answer, within several that are each
    told what was wrong before; then single steps of arithmetic told right."""
    from athanor.environments.points import tokens
    from athanor.training.evaluate import CONDITIONS, ON_THE_WAY, PLAYS, Play, arithmetic

    for name, condition in CONDITIONS.items():
        for play in PLAYS[:2]:
            yield _share(policy, name, condition, play, seed, each)
    fits = (policy.config.context - tokens.PROMPT - tokens.ANSWER) // tokens.TURN + 1
    for name in ON_THE_WAY:
        for rounds in ROUNDS:
            if rounds <= fits:
                yield _share(policy, name, CONDITIONS[name], Play(1.0, rounds), seed, each)
    yield Estimate(
        name="arithmetic, greedy", value=arithmetic(policy, seed), low=None, high=None, level=None, n=2_000,
        unit="single steps", method="share of single steps told right",
    )  # fmt: skip


def _share(policy: Any, name: str, condition: Any, play: Any, seed: int, each: int) -> Estimate:
    """The share of a condition's hands that is solved."""
    from athanor.analysis.intervals import SHARE, mean
    from athanor.training.evaluate import evaluate

    solved = evaluate(policy, condition, play, seed, each)
    told = mean((solved.solved / solved.hands).tolist(), within=SHARE, unit="multisets")
    how = "greedy" if play.temperature == 0 else f"temperature {play.temperature:g}"
    within = "" if play.rounds == 1 else f", {play.rounds} answers"
    return Estimate(
        name=f"{name}{within}, {how}", value=told.value, low=told.low, high=told.high, level=told.level, n=told.n,
        unit="multisets", method=told.method,
    )  # fmt: skip
