"""What the study's folder holds, read again, and every estimate that follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from athanor.analysis.generalization import (
    BASE,
    Key,
    Trained,
    difference,
    kept,
    read_trained,
    recognition,
    score,
)
from athanor.core.errors import DataError
from athanor.core.records import Estimate
from athanor.studies.sft_vs_rl.arms import REFERENCE_RL, REFERENCE_SFT, Arm, arms
from athanor.studies.sft_vs_rl.study import Asked, base_policy, base_scores, jobs
from athanor.training.evaluate import CONDITIONS, ON_THE_WAY, PLAYS, SHARPER

SAMPLED, GREEDY = (Key("", play.temperature, 1) for play in PLAYS[:2])
"""Ways to play: at temperature 1, and greedily."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the study found."""

    bases: tuple[str, ...]
    arms: tuple[Arm, ...]
    """Those that were trained, in order."""
    trained: tuple[Trained, ...]
    """Trainings, and trials of the bases under the arm BASE."""
    estimates: tuple[Estimate, ...]
    missing: int
    """Trainings that are not finished."""

    @property
    def by(self) -> dict[tuple[str, str], Estimate]:
        """Estimates by group and name."""
        return {(one.group, one.name): one for one in self.estimates}


def find(asked: Asked, folder: Path) -> Found:
    """Read everything that is finished. DataError if nothing is."""
    setting = asked.sizes
    every = jobs(asked, folder)
    trained = [
        read_trained(path, BASE, base, number)
        for base in setting.bases if (path := base_scores(folder, base)).exists() for number in range(setting.seeds)
    ]  # fmt: skip
    missing = 0
    for job in every:
        if (job.out / "done.json").exists():
            stopped = json.loads((job.out / "done.json").read_bytes())["stopped"]
            if (job.out / "scores.jsonl").exists():
                trained.append(read_trained(job.out / "scores.jsonl", job.arm.name, job.base, job.number, stopped))
        else:
            missing += 1
    names = {one.arm for one in trained}
    mine = tuple(arm for arm in arms(setting, base_policy(setting.bases[0])) if arm.name in names)
    if not mine or BASE not in names:
        raise DataError(f"{folder} holds no finished training; run the study on with --resume")
    return Found(
        bases=setting.bases, arms=mine, trained=tuple(trained), missing=missing,
        estimates=tuple(_estimates(trained, mine, setting.bases)),
    )  # fmt: skip


def _estimates(trained: Sequence[Trained], mine: Sequence[Arm], bases: Sequence[str]) -> Iterator[Estimate]:
    keys = [Key(name, play.temperature, 1) for name in CONDITIONS for play in PLAYS[:2]]
    rounds = [Key(name, play.temperature, play.rounds) for name in ON_THE_WAY for play in PLAYS if play.rounds > 1]
    for name in (BASE, *(arm.name for arm in mine)):
        for key in (*keys, *rounds):
            yield score(trained, name, key)
        yield from (recognition(trained, name, key) for key in keys)
        yield kept(trained, name)
    for play in SHARPER:
        for condition in CONDITIONS:
            yield score(trained, BASE, Key(condition, play.temperature, 1))
    names = {arm.name for arm in mine}
    for arm in mine:
        against = [BASE, *(name for name in (REFERENCE_SFT, arm.of) if name in names and name != arm.name)]
        for other in dict.fromkeys(against):
            yield from (difference(trained, arm.name, other, key) for key in (*keys, *rounds))
        yield from _sharpened(trained, arm)
    if {REFERENCE_RL, REFERENCE_SFT} <= names:
        for base in bases:
            yield from (difference(trained, REFERENCE_RL, REFERENCE_SFT, key, base=base) for key in keys)


def _sharpened(trained: Sequence[Trained], arm: Arm) -> Iterator[Estimate]:
    """An arm at temperature 1 against its base at lower ones, which no training was needed for."""
    for condition in CONDITIONS:
        for temperature in (*(play.temperature for play in SHARPER), 0.0):
            key, other = Key(condition, 1.0, 1), Key(condition, temperature, 1)
            yield difference(trained, arm.name, BASE, key, other_key=other)
