"""What the study's folder holds, read again, and every estimate that follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from athanor.analysis.generalization import (
    BASE,
    Key,
    Trained,
    difference,
    kept,
    misreasoned,
    passed_more,
    passed_within,
    read_trained,
    recognised_more,
    recognition,
    score,
)
from athanor.analysis.spending import Spent
from athanor.analysis.training_logs import Logged, read_logged
from athanor.core.errors import DataError
from athanor.core.records import Estimate
from athanor.studies.claims import Claim
from athanor.studies.sft_vs_rl.arms import REFERENCE_RL, REFERENCE_SFT, Setting, arms
from athanor.studies.sft_vs_rl.claims import claims
from athanor.studies.sft_vs_rl.known import knows_rule, seen_by
from athanor.studies.sft_vs_rl.study import Asked, base_policy, base_scores, jobs
from athanor.training.evaluate import CONDITIONS, PLAYS, SHARPER


class Shown(NamedTuple):
    """An arm in words."""

    name: str
    about: str
    supervised: bool
    of: str = ""
    """The main arm of which this one is a lever; empty for main arms."""


class Rounds(NamedTuple):
    """The ablation of verification rounds."""

    arms: dict[int, str]
    """By how many there are in training."""
    against: str
    """The arm whose score is taken away."""


LAPTOP_ROUNDS = Rounds({1: REFERENCE_RL, 3: "grpo, 3 rounds", 5: "grpo, 5 rounds"}, BASE)


LAPTOP_CONDITIONS: Mapping[str, str] = {name: condition.about for name, condition in CONDITIONS.items()}


class Cost(NamedTuple):
    """What one training cost, where its log tells."""

    arm: str
    number: int
    spent: Spent
    operations: float
    """Of the whole model."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the study found."""

    bases: tuple[str, ...]
    arms: tuple[Shown, ...]
    """Those that were trained, in order."""
    trained: tuple[Trained, ...]
    """Trainings, and trials of the bases under the arm BASE."""
    estimates: tuple[Estimate, ...]
    missing: tuple[str, ...]
    """What is not finished, by name: trainings, or steps."""
    about: str
    """What the policies are."""
    start: str = BASE
    """The arm from which fine-tuning and reinforcement begin."""
    rl: str = REFERENCE_RL
    """The reinforced arm whose difference from fine-tuning is the study's answer."""
    matched: bool = True
    """Whether supervised arms have as many steps as cost what that arm cost."""
    costs: tuple[Cost, ...] = ()
    seen: str = ""
    """What the bases had seen of each rule before post-training, in words."""
    logs: tuple[Logged, ...] = ()
    """Of trainings that were not stopped."""
    rounds: Rounds = LAPTOP_ROUNDS
    tried: Mapping[str, str] = field(default_factory=lambda: LAPTOP_CONDITIONS)
    """Every condition that policies may be tried in, in order, and what it is."""
    pictures: bool = False
    """Whether hands were shown in pictures: then what is recognised are the cards, else the numbers."""
    first: tuple[str, ...] = (REFERENCE_RL, "grpo after sft", "grpo after long sft")
    """Arms that differ in what comes before reinforcement."""
    known: bool = False
    """Whether they had learned hands under the rule of the published shift."""
    few: str = ""
    """That the trainings are too short to show anything, in words; empty where they are not."""

    @cached_property
    def by(self) -> dict[tuple[str, str], Estimate]:
        """Estimates by group and name."""
        return {(one.group, one.name): one for one in self.estimates}

    @cached_property
    def claims(self) -> list[Claim]:
        """Those for which there are estimates, each with its verdicts."""
        return claims(self.by, self.trained, start=self.start, rl=self.rl, matched=self.matched, known=self.known)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Those that policies were tried in, in their order."""
        tried = {key.condition for one in self.trained for key in one.scores}
        return tuple(name for name in self.tried if name in tried)


def find(asked: Asked, folder: Path) -> Found:
    """Read everything that is finished of a study of the project's own policies. DataError if nothing is."""
    setting = asked.sizes
    every = jobs(asked, folder)
    trained = [
        read_trained(path, BASE, base, number)
        for base in setting.bases if (path := base_scores(folder, base)).exists() for number in range(setting.seeds)
    ]  # fmt: skip
    missing, logs, kinds = [], [], ("reinforced", "supervised")
    for job in every:
        if (job.out / "done.json").exists():
            stopped = json.loads((job.out / "done.json").read_bytes())["stopped"]
            kind, scores = kinds[job.arm.supervised], job.out / "scores.jsonl"
            trained.append(
                read_trained(scores, job.arm.name, job.base, job.number, stopped, kind)
                if scores.exists() or not stopped
                else Trained(arm=job.arm.name, base=job.base, number=job.number, scores={}, stopped=stopped, kind=kind)
            )
            if not stopped and (job.out / "log.jsonl").exists():
                logs.append(read_logged(job.out / "log.jsonl", job.arm.name, job.base, job.number))
        else:
            missing.append(job.out.name)
    shown = [Shown(a.name, a.about, a.supervised, a.of) for a in arms(setting, base_policy(setting.bases[0]))]
    about = "a policy of under a million parameters: the same question, another model"
    made = found(trained, shown, bases=setting.bases, missing=tuple(missing), about=about, folder=folder)
    return replace(
        made, logs=tuple(logs), seen=seen_by(setting.bases), known=knows_rule(setting.bases), few=few_of(setting)
    )


FEW = 10
"""Steps of reinforcement below which nothing is learned that a verdict could be about."""


def few_of(setting: Setting) -> str:
    """Why a setting's verdicts are none; empty where they are."""
    return (
        f"reinforcement had {setting.steps} steps a training, which shows that everything runs: no verdict below is "
        "a result" if setting.steps < FEW else ""
    )  # fmt: skip


def found(
    trained: Sequence[Trained], shown: Sequence[Shown], *, bases: tuple[str, ...], missing: tuple[str, ...], about: str,
    folder: Path, start: str = BASE, rl: str = REFERENCE_RL, matched: bool = True, costs: tuple[Cost, ...] = (),
    tried: Mapping[str, str] = LAPTOP_CONDITIONS, pictures: bool = False,
) -> Found:  # fmt: skip
    """What follows from trainings, wherever they were read from. DataError without any, or without their base."""
    names = {one.arm for one in trained}
    mine = tuple(arm for arm in shown if arm.name in names)
    if not mine or BASE not in names:
        raise DataError(f"{folder} holds no finished training; run the study on with --resume")
    return Found(
        bases=bases, arms=mine, trained=tuple(trained), missing=missing, about=about, start=start, rl=rl,
        matched=matched, costs=costs, tried=tried, pictures=pictures,
        estimates=(*_estimates(trained, mine, bases, start, rl, list(tried)),
                   *(_seeing(trained, mine, start, list(tried)) if pictures else ())),
    )  # fmt: skip


def keys_tried(trained: Sequence[Trained], order: list[str]) -> tuple[list[Key], list[Key]]:
    """What single answers were tried in, at temperature 1 and greedily, and what several rounds were. `order`: of the
    conditions."""
    tried = {key for one in trained for key in one.scores}
    keys = [Key(name, play.temperature, 1) for name in order for play in PLAYS[:2]]
    rounds = sorted((key for key in tried if key.rounds > 1), key=lambda key: order.index(key.condition))
    return [key for key in keys if key in tried], rounds


def _estimates(
    trained: Sequence[Trained], mine: Sequence[Shown], bases: Sequence[str], start: str, rl: str, order: list[str]
) -> Iterator[Estimate]:
    keys, rounds = keys_tried(trained, order)
    for name in (BASE, *(arm.name for arm in mine)):
        for key in (*keys, *rounds):
            yield score(trained, name, key)
        yield from (recognition(trained, name, key) for key in keys)
        if any(one.arithmetic is not None for one in trained):
            yield kept(trained, name)
    sharper = [
        key for play in SHARPER for name in order
        if any((key := Key(name, play.temperature, 1)) in one.scores for one in trained)
    ]  # fmt: skip
    yield from (score(trained, name, key) for name in dict.fromkeys((BASE, start)) for key in sharper)
    names = {BASE, *(arm.name for arm in mine)}
    yield from _passes(trained, mine)
    for arm in mine:
        for other in dict.fromkeys((start, BASE, REFERENCE_SFT, arm.of)):
            if other in names and other != arm.name:
                yield from (difference(trained, arm.name, other, key) for key in (*keys, *rounds))
        yield from _sharpened(trained, arm.name, start, [*sharper, *keys])
    if {rl, REFERENCE_SFT} <= names and len(bases) > 1:
        for base in bases:
            yield from (difference(trained, rl, REFERENCE_SFT, key, base=base) for key in keys)


def _seeing(trained: Sequence[Trained], mine: Sequence[Shown], start: str, order: list[str]) -> Iterator[Estimate]:
    """Of hands in pictures: how much of what was not solved was read right, and who reads better."""
    keys, _ = keys_tried(trained, order)
    names = [BASE, *(arm.name for arm in mine)]
    for name in names:
        yield from (misreasoned(trained, name, key) for key in keys)
    for arm in mine:
        for other in dict.fromkeys((start, BASE, REFERENCE_SFT)):
            if other in names and other != arm.name:
                yield from (recognised_more(trained, arm.name, other, key) for key in keys)


def _passes(trained: Sequence[Trained], mine: Sequence[Shown]) -> Iterator[Estimate]:
    """What one of k samples solves, and how much more than of the base."""
    ks = {name: one.passes[name].ks for one in trained for name in CONDITIONS if name in one.passes}
    for name, many in ks.items():
        for k in many:
            for arm in (BASE, *(arm.name for arm in mine)):
                yield passed_within(trained, arm, name, k)
                if arm != BASE:
                    yield passed_more(trained, arm, BASE, name, k)


def _sharpened(trained: Sequence[Trained], arm: str, start: str, lower: Sequence[Key]) -> Iterator[Estimate]:
    """An arm at temperature 1 against where it begins at lower ones, which no training was needed for."""
    for other in lower:
        if other.temperature < 1 and arm != start:
            key = Key(other.condition, 1.0, 1)
            yield difference(trained, arm, start, key, other_key=other)
