"""Trials of all arms with made-up scores, so that what follows from them can be tried without a training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from athanor.analysis.trials import Measured, Shown
from athanor.core.seeds import stream
from athanor.environments.scenes.drawing import draw, png
from athanor.environments.scenes.scene import Scene
from athanor.environments.scenes.spec import CATEGORIES
from athanor.studies.see_and_draw import trial
from athanor.studies.see_and_draw.arms import (
    DRAWS,
    FOUNDATION,
    GUIDANCE,
    RL,
    SEES,
    SEES_CODES,
    SETTINGS,
    SHARED,
    WHOLE,
    Arm,
)
from athanor.studies.see_and_draw.consistency import (
    ACCEPTED,
    AGREES,
    ALONE,
    AMONG,
    OWN,
    PASSED,
    POOLED,
    SAME,
    TOLD,
    TOLD_OWN,
    TOLD_SAME,
    TRULY,
    follows,
)
from athanor.studies.see_and_draw.study import Asked, guidances, jobs
from athanor.studies.see_and_draw.tasks import SEEN, UNSEEN
from athanor.studies.see_and_draw.trial import guided

KINDS = ("count", "color", "exists")
ITEMS = 24
CONSISTENT = {
    OWN: 0.6, SAME: 0.7, TOLD_OWN: 0.5, TOLD_SAME: 0.55, PASSED: 0.4, ACCEPTED: 0.5, AGREES: 0.6, AMONG: 0.55,
    follows("picture", ALONE): 0.6, follows("prompt", ALONE): 0.3, follows("picture", TOLD): 0.3,
    follows("prompt", TOLD): 0.6, follows("picture", TRULY): 0.8, follows("prompt", TRULY): 0.1,
}  # fmt: skip


def measured(of: str, share: float, strata: tuple[str, ...], *names: str | int, nats: bool = False) -> Measured:
    """Two dozen items of each stratum, with so many right about."""
    rng = stream(0, of, *names)
    rows = [(stratum, k) for stratum in strata for k in range(ITEMS)]
    tops = rng.normal(share, 1.0, len(rows)) if nats else rng.random(len(rows)) < share
    return Measured(
        of=of, items=tuple(f"{stratum} {k}" for stratum, k in rows), strata=tuple(stratum for stratum, _ in rows),
        parts=tuple(UNSEEN if k % 3 == 0 else SEEN for _, k in rows), tops=tuple(map(float, tops)),
        bottoms=(1.0,) * len(rows), share=not nats,
    )  # fmt: skip


def of_arm(arm: str, number: int) -> list[Measured]:
    """Reinforcement draws well, codes are understood badly, all else is alike."""
    if arm == FOUNDATION:
        bounds = {trial.CEILING: 0.9, trial.TRUE: 1.0}
        return [*(measured(of, share, CATEGORIES, number) for of, share in bounds.items()),
                measured(trial.BLIND, 0.3, KINDS, number)]  # fmt: skip
    found = []
    if arm != DRAWS:
        found.append(measured(trial.ANSWERED, 0.3 if arm in (SHARED, SEES_CODES) else 0.7, KINDS, arm, number))
    if arm in (SEES, SEES_CODES):
        return found
    found += [measured(trial.GAP, 6.0, CATEGORIES, arm, number, nats=True),
              measured(trial.EXCESS, 2.0, CATEGORIES, arm, number, nats=True)]  # fmt: skip
    for weight in guidances(arm):
        share = 0.75 if arm == RL else 0.3 + 0.1 * (weight == GUIDANCE)
        found += [measured(guided(of, weight), right, CATEGORIES, arm, number) for of, right in (
            (trial.RIGHT, share), (trial.OTHERS, 0.1), (trial.PROPOSITIONS, 0.6))]  # fmt: skip
    if arm != DRAWS:
        found += [measured(of, share, (POOLED,), arm, number) for of, share in CONSISTENT.items()]
    return found


def shown() -> list[Shown]:
    image = png(draw(Scene()))
    return [Shown(category=name, prompt=f"{name} {k}", png=image, passed=not k, reason="made up")
            for name in CATEGORIES for k in range(2)]  # fmt: skip


def write(arm: Arm, number: int, folder: Path) -> None:
    """A finished trial."""
    folder.mkdir(parents=True)
    trial.write(folder, of_arm(arm.name, number), shown() if arm.name not in (FOUNDATION, SEES, SEES_CODES) else [])
    (folder / "done.json").write_text(json.dumps({"stopped": "", "flop": 1e12, "seconds": 60.0}))


def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the smallest setting have every arm."""
    monkeypatch.setitem(SETTINGS, "smoke", replace(SETTINGS["smoke"], seeds=5, arms=WHOLE))


def study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Every arm's trials under the smallest setting."""
    whole(monkeypatch)
    asked = Asked(setting="smoke", seed=1, processes=1)
    for job in jobs(asked, folder):
        write(job.arm, job.number, job.out)
    return asked
