"""What the study's folder holds, read again, and every estimate that follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from athanor.analysis.multiplicity import ALL_HOLD
from athanor.analysis.trials import Of, Shown, Tried, difference, read, score
from athanor.core.errors import DataError
from athanor.core.lines import read_lines
from athanor.core.records import Estimate
from athanor.environments.scenes.spec import CATEGORIES
from athanor.studies.claims import Claim
from athanor.studies.see_and_draw.arms import (
    BALANCED,
    DRAWS,
    FOUNDATION,
    GUIDANCE,
    LEFT_OUT,
    LONGER,
    OWN,
    REFERENCE,
    RL,
    SEES,
    SEES_CODES,
    SHARED,
    SWEEP,
    UNGUIDED,
    Arm,
)
from athanor.studies.see_and_draw.claims import evidence_together, judged
from athanor.studies.see_and_draw.consistency import (
    ACCEPTED,
    AGREES,
    ALONE,
    AMONG,
    PASSED,
    SAME,
    TOLD,
    TOLD_OWN,
    TOLD_SAME,
    TRULY,
    follows,
)
from athanor.studies.see_and_draw.consistency import OWN as ABOUT_OWN
from athanor.studies.see_and_draw.study import Asked, Job, finished, jobs, name_of
from athanor.studies.see_and_draw.tasks import SEEN, UNSEEN
from athanor.studies.see_and_draw.trial import (
    ANSWERED,
    BLIND,
    CEILING,
    EXCESS,
    GAP,
    OTHERS,
    PROPOSITIONS,
    RIGHT,
    TRUE,
    guided,
)
from athanor.training.unified.run import CARD, MODEL

COMPARED: tuple[tuple[str, str], ...] = (
    (SHARED, REFERENCE), (SEES, REFERENCE), (DRAWS, REFERENCE), (SEES_CODES, SHARED), (LEFT_OUT, REFERENCE),
    (BALANCED, REFERENCE), (LONGER, REFERENCE), (OWN, REFERENCE), (RL, REFERENCE), (UNGUIDED, REFERENCE),
    (OWN, LONGER), (RL, LONGER), (UNGUIDED, LONGER), (RL, OWN), (RL, UNGUIDED),
)  # fmt: skip
"""Arms and what each is compared with."""
CONSISTENCY = (
    ABOUT_OWN, SAME, TOLD_OWN, TOLD_SAME, PASSED, ACCEPTED, AGREES, AMONG,
    *(follows(what, how) for how in (ALONE, TOLD, TRULY) for what in ("picture", "prompt")),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the study found."""

    arms: tuple[Arm, ...]
    """Those that were trained and tried, in order; the foundation first."""
    tried: tuple[Tried, ...]
    estimates: tuple[Estimate, ...]
    claims: tuple[Claim, ...]
    missing: tuple[str, ...]
    """Trainings that are not finished, by name."""
    drawings: dict[str, tuple[Shown, ...]]
    """By arm: the first drawings of the first training."""
    about: str
    """What the models are."""
    style: str
    """Of the pictures."""
    guidance: float
    """At which arms are compared."""
    few: str = ""
    """That the trainings are too short to show anything, in words; empty where they are not."""

    @cached_property
    def by(self) -> dict[tuple[str, str], Estimate]:
        """Estimates by group and name."""
        return {(one.group, one.name): one for one in self.estimates}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of questions, in the order in which they were asked."""
        every = [one.measured[ANSWERED].strata for one in self.tried if ANSWERED in one.measured]
        return tuple(dict.fromkeys(every[0])) if every else ()


class Place(NamedTuple):
    """Where the trial of one training is, or will be."""

    arm: Arm
    number: int
    folder: Path
    """With trial.jsonl and, where anything was drawn, drawings.jsonl."""
    finished: bool
    flop: float = 0.0
    seconds: float = 0.0
    stopped: str = ""


def find(asked: Asked, folder: Path) -> Found:
    """Read everything that is finished. DataError if nothing is."""
    every, setting = jobs(asked, folder), asked.sizes
    about = f"{sized(job.out / MODEL / CARD for job in every)}, trained from nothing: the same questions, another size"
    places = [_place(job) for job in every]
    return found_in(places, folder, about=about, style=setting.style, few=few_of(setting.steps.two))


def sized(cards: Iterable[Path]) -> str:
    """How many parameters models have, as their cards say, who counted them; of those that are there."""
    counts = sorted({json.loads(card.read_bytes())["parameters"] for card in cards if card.exists()})
    if not counts:
        return "of a size that is not known"
    return f"of {' to '.join(f'{count:,}' for count in dict.fromkeys((counts[0], counts[-1])))} parameters"


FEW = 20
"""Steps of stage II below which nothing is learned that a verdict could be about."""


def few_of(steps: int) -> str:
    """Why the verdicts after so many steps of stage II are none; empty where they are."""
    return (
        f"stage II had {steps} step{'' if steps == 1 else 's'} a training, which shows that everything runs: no "
        "verdict below is a result" if steps < FEW else ""
    )  # fmt: skip


def _place(job: Job) -> Place:
    if not finished(job.out):
        return Place(job.arm, job.number, job.out, finished=False)
    told = json.loads((job.out / "done.json").read_bytes())
    return Place(job.arm, job.number, job.out, True, told["flop"], told["seconds"], told["stopped"])


def found_in(
    every: Sequence[Place], folder: Path, *, about: str, style: str, guidance: float = GUIDANCE, few: str = ""
) -> Found:
    """What follows from the trainings that are finished. DataError if none is."""
    there = [one for one in every if one.finished]
    tried = [
        Tried(arm=one.arm.name, number=one.number, measured=read(one.folder / "trial.jsonl"), flop=one.flop,
              seconds=one.seconds, stopped=one.stopped)
        for one in there
    ]  # fmt: skip
    names = {one.arm for one in tried if one.measured}
    if not names - {FOUNDATION}:
        raise DataError(f"{folder} holds no training that was tried; run the study on with --resume")
    mine = {one.arm.name: one.arm for one in every if one.arm.name in names}
    drawings = dict[str, tuple[Shown, ...]]()
    for one in there:
        drawings.setdefault(one.arm.name, tuple(read_lines(one.folder / "drawings.jsonl", Shown)))
    claims = judged(tried, guidance)
    return Found(
        arms=tuple(mine.values()), tried=tuple(tried), claims=tuple(claims), about=about, style=style,
        guidance=guidance, few=few,
        estimates=tuple(_estimates(tried, list(mine), claims, guidance)),
        missing=tuple(name_of(one.arm.name, one.number) for one in every if not one.finished),
        drawings={name: shown for name, shown in drawings.items() if shown},
    )  # fmt: skip


def _estimates(
    tried: Sequence[Tried], names: Sequence[str], claims: Sequence[Claim], guidance: float
) -> Iterator[Estimate]:
    """Everything that is known, each once."""
    told = set[tuple[str, str]]()
    claimed = [each for claim in claims for each in claim.evidence]
    for one in (*_all(tried, names, guidance), *claimed, *_together(tried, guidance)):
        if one.value is not None and (one.group, one.name) not in told:
            told.add((one.group, one.name))
            yield one


def _together(tried: Sequence[Tried], guidance: float) -> Iterator[Estimate]:
    for one in evidence_together(tried, guidance):
        yield replace(one, name=f"{one.name}, {ALL_HOLD}", method=f"Bonferroni's over all claims; {one.method}")


def _all(tried: Sequence[Tried], names: Sequence[str], guidance: float) -> Iterator[Estimate]:
    for name in names:
        for of in _measures(tried, name, guidance):
            yield score(tried, name, of)
        yield from _inside(tried, name, guidance)
        for arm, other in COMPARED:
            if arm == name and other in names:
                for of in _measures(tried, name, guidance):
                    if not of.measure.startswith((OTHERS, PROPOSITIONS, EXCESS)):
                        yield difference(tried, arm, other, of)


def _measures(tried: Sequence[Tried], arm: str, guidance: float) -> Iterator[Of]:
    """What is told of an arm: each measure in all, by part, and by stratum at the reference's guidance."""
    there = {name: one for each in tried if each.arm == arm for name, one in each.measured.items()}
    for weight in SWEEP:
        for measure in (RIGHT, OTHERS, PROPOSITIONS):
            of = Of(guided(measure, weight))
            if of.measure in there:
                yield of
                yield from (
                    of._replace(part=part) for part in (SEEN, UNSEEN) if measure == RIGHT and weight in (1.0, guidance)
                )
                single = measure != OTHERS and weight == guidance
                yield from (of._replace(stratum=name) for name in CATEGORIES if single)
    for measure in (ANSWERED, BLIND, GAP, EXCESS, CEILING, TRUE, *CONSISTENCY):
        if measure in there:
            yield Of(measure)
            strata = tuple(dict.fromkeys(there[measure].strata))
            yield from (Of(measure, name) for name in strata if len(strata) > 1)


def _inside(tried: Sequence[Tried], arm: str, guidance: float) -> Iterator[Estimate]:
    """Differences between measures of one arm, and to what is known without it."""
    yield difference(tried, arm, FOUNDATION, Of(ANSWERED), other_of=Of(BLIND))
    for weight in SWEEP:
        right = Of(guided(RIGHT, weight))
        yield difference(tried, arm, arm, right, other_of=Of(guided(OTHERS, weight)))
        yield difference(tried, arm, FOUNDATION, right, other_of=Of(CEILING))
        if weight != 1.0:
            yield difference(tried, arm, arm, right, other_of=Of(guided(RIGHT, 1.0)))
    yield difference(tried, arm, REFERENCE, Of(guided(RIGHT, 1.0)), other_of=Of(guided(RIGHT, guidance)))
