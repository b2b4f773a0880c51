"""The study at the published size: every command that is run, in order.

From one model, for each seed, the published stages with one thing changed at a time, then reinforcement and what it is
compared with; and a trial of every model that came out, on the same prompts and questions of scenes, by the exact
checker. How long the arms are follows from counted operations, rows taken to be of one length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from athanor.core.seeds import digest
from athanor.models.unified.names import ASSEMBLED
from athanor.studies.carrying_out import Step, finished
from athanor.studies.see_and_draw.arms import (
    BALANCED,
    BEFORE,
    DRAWS,
    FOUNDATION,
    LEFT_OUT,
    LONGER,
    OWN,
    REFERENCE,
    RL,
    SEES,
    SEES_CODES,
    SHARED,
    STYLE,
    UNGUIDED,
    Arm,
)
from athanor.studies.see_and_draw.findings import Found, Place, few_of, found_in
from athanor.studies.see_and_draw.study import guidances, name_of
from athanor.training.unified.recipes import JANUS, JANUS_PRO

ONE, TWO, THREE = JANUS_PRO
PER_ROW = 6
"""Drawings that fill a packed row: 576 codes and a prompt each."""
BATCH = 64
"""Own drawings of a step of learning."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the study at the published size is asked to do."""

    model: str
    """The folder of the model that all arms begin from."""
    data: tuple[str, ...]
    """Shards of training."""
    seed: int
    seeds: int
    length: float = 1.0
    """Of the published steps of each stage."""
    scenes: float = 0.5
    """Share of the examples that the generator of scenes makes."""
    style: str = STYLE
    arms: tuple[str, ...] = ()
    """Names of those that are trained; empty for all."""
    rl_steps: int = 200
    group: tuple[int, int] = (8, 8)
    """Prompts of a step of reinforcement, and images of each."""
    guidance: float = 5.0
    """That reinforcement draws with, and arms are compared at."""
    shared: tuple[str, ...] = ()
    """Further words for every training of stages."""
    reinforced: tuple[str, ...] = ()
    """For reinforcement."""
    trial: tuple[str, ...] = ()
    """For every trial."""
    launch: tuple[str, ...] = ()
    """Words before the command of a training of stages, for example `accelerate launch -m`."""


class Leg(NamedTuple):
    """One stage of an arm."""

    name: str
    words: tuple[str, ...]


class Way(NamedTuple):
    """How an arm is trained."""

    arm: Arm
    legs: tuple[Leg, ...] = ()
    """Empty for arms that reinforce, or learn own drawings."""
    words: tuple[str, ...] = ()
    """Of those."""


def ways(plan: Plan) -> list[Way]:
    """Every arm that is asked for, and those that it begins from, in order."""
    every = [*_stages(plan), *_after(plan)]
    wanted = set(plan.arms or (way.arm.name for way in every))
    for way in reversed(every):
        if way.arm.name in wanted and way.arm.begins:
            wanted.add(way.arm.begins)
    return [way for way in every if way.arm.name in wanted]


def _steps(plan: Plan, steps: float) -> tuple[str, ...]:
    return "--tune.steps", str(max(1, round(plan.length * steps)))


def _leg(plan: Plan, name: str, *more: str, steps: float | None = None) -> Leg:
    usual = {"I": ONE, "II": TWO, "III": THREE}[name].steps
    return Leg(name, ("--tune.stage", f"janus-pro-{name}", *_steps(plan, usual if steps is None else steps), *more))


def _ratio(*shares: float) -> tuple[str, ...]:
    return ("--tune.ratio", *(f"{share:g}" for share in shares))


def _stages(plan: Plan) -> Iterator[Way]:
    codes = ("--tune.understanding", "codes")
    # a step costs its rows, three times where the backbone learns and twice where it does not
    longer = TWO.steps + ONE.steps * (2 * ONE.dose.samples) / (3 * TWO.dose.samples)
    alone = {
        SEES: ((1, 0, 0), (2, 3, 0), (5, 1, 0)), SEES_CODES: ((1, 0, 0), (2, 3, 0), (5, 1, 0)),
        DRAWS: ((0, 0, 3), (0, 3, 5), (0, 1, 4)),
    }  # fmt: skip
    yield Way(Arm(name=FOUNDATION, about=f"the model that all arms begin from: {told_of(plan.model)}", kind="stages"))
    yield _way(BEFORE, "stages I and II", FOUNDATION, _leg(plan, "I"), _leg(plan, "II"))
    yield _way(REFERENCE, "the recipe: then stage III at 5:1:4", BEFORE, _leg(plan, "III"))
    yield _way(SHARED, "understanding by the codes that images are drawn with, in all stages", FOUNDATION,
               *(_leg(plan, name, *codes) for name in ("I", "II", "III")))  # fmt: skip
    yield _way(LEFT_OUT, "stage II longer by what stage I costs", FOUNDATION, _leg(plan, "II", steps=longer),
               _leg(plan, "III"))  # fmt: skip
    yield _way(BALANCED, "stage III at 7:3:10", BEFORE, _leg(plan, "III", *_ratio(*JANUS[-1].dose.ratio)))
    for name, ratios in alone.items():
        how = codes if name == SEES_CODES else ()
        legs = [_leg(plan, stage.name, *_ratio(*ratio), *how, *_fewer(stage.dose.ratio, ratio, stage.dose.samples))
                for stage, ratio in zip(JANUS_PRO, ratios, strict=True)]  # fmt: skip
        yield _way(name, "one task without the other, on as many examples of it", FOUNDATION, *legs)


def told_of(model: str) -> str:
    """What a model was before the first stage, in words."""
    if (Path(model) / ASSEMBLED).exists():
        return "parts trained one by one, adaptors and code head not at all"
    return "not put together here, so that it may have learned all that an arm leaves out"


def _fewer(whole: tuple[float, ...], left: tuple[float, ...], rows: int) -> tuple[str, ...]:
    """So many rows a step that what is left is as much as it was, samples taken to be of one length."""
    return "--tune.rows", str(round(rows * sum(left) / sum(whole)))


def _way(name: str, about: str, begins: str, *legs: Leg) -> Way:
    return Way(Arm(name=name, about=about, kind="stages", begins=begins), legs)


def _after(plan: Plan) -> Iterator[Way]:
    """What costs as much as reinforcement: of each image two branches drawn, and two learned at three passes."""
    prompts, samples = plan.group
    images, drawn = plan.rl_steps * prompts * samples, 2
    again = images * (drawn + 6) / (3 * THREE.dose.samples * PER_ROW)
    once_more = ("--tune.stage", "janus-pro-III", "--tune.steps", str(max(1, round(again))))
    yield _way(LONGER, "stage III once more", REFERENCE, Leg("III-again", once_more))
    group = ("--rl.prompts", str(prompts), "--rl.samples", str(samples), "--rl.guidance", f"{plan.guidance:g}")
    learned = max(1, round(2 * images / BATCH))
    for name, about, steps, more in (
        (OWN, "as many images as grpo samples, those that pass learned", plan.rl_steps,
         ("--method", "own", "--own-steps", str(learned))),
        (RL, "reinforcement by the exact checker, of the guided distribution", plan.rl_steps, ()),
        (UNGUIDED, "drawn with guidance, scored without it", round(plan.rl_steps * 8 / 5), ("--rl.scored", "t2i-r1")),
    ):  # fmt: skip
        arm = Arm(name=name, about=about, kind="rejection" if name == OWN else "grpo", begins=REFERENCE)
        yield Way(arm, words=("--rl.steps", str(steps), *group, *more))


def steps(plan: Plan, folder: Path) -> Iterator[Step]:
    """Every step, one seed after the other, so that an early stop leaves whole pairs."""
    for number in range(plan.seeds):
        for way in ways(plan):
            yield from _trained(plan, folder, way, number)
            yield _trial(plan, folder, way, number)


def _seed(plan: Plan, number: int, leg: str) -> str:
    """Of a stage: the same in all arms of a number, so that they are taught the same."""
    return str(digest(plan.seed, "training", number, leg) % 2**31)


def _trained(plan: Plan, folder: Path, way: Way, number: int) -> Iterator[Step]:
    name = name_of(way.arm.name, number)
    begun = model_of(plan, folder, way.arm.begins, number)
    for leg in way.legs:
        out = folder / "runs" / f"{name}-{leg.name}"
        yield Step(name=out.name, kind="train", out=str(out), command=(
            *plan.launch, "athanor", "train", "unified", "--init", begun, "--tune.data", *plan.data,
            "--tune.scenes", f"{plan.scenes:g}", *leg.words, "--seed", _seed(plan, number, leg.name), *plan.shared,
            "--out", str(out), "--resume",
        ))  # fmt: skip
        begun = str(out / "model")
    if way.words:
        out = folder / "runs" / name
        yield Step(name=name, kind="train", out=str(out), command=(
            "athanor", "train", "drawing", "--model", begun, *way.words, "--seed", _seed(plan, number, "after"),
            *plan.reinforced, "--out", str(out), "--resume",
        ))  # fmt: skip


def model_of(plan: Plan, folder: Path, arm: str, number: int) -> str:
    """The folder of the model that came out of an arm."""
    way = next((way for way in ways(plan) if way.arm.name == arm), None)
    if way is None or arm == FOUNDATION:
        return plan.model
    name = name_of(arm, number)
    return str(folder / "runs" / (f"{name}-{way.legs[-1].name}" if way.legs else name) / "model")


def _trial(plan: Plan, folder: Path, way: Way, number: int) -> Step:
    arm, out = way.arm.name, trial_of(folder, way.arm.name, number)
    tries = {FOUNDATION: "controls", SEES: "understanding", SEES_CODES: "understanding", DRAWS: "drawing"}
    weights = [f"{weight:g}" for weight in guidances(arm, plan.guidance)]
    return Step(name=f"{out.name}-trial", kind="play", out=str(out), command=(
        "athanor", "check", "unified", "--model", model_of(plan, folder, arm, number), "--tries",
        tries.get(arm, "both"), "--number", str(number), "--seed", str(plan.seed), "--style", plan.style,
        "--guidance", *weights, "--shown", f"{plan.guidance:g}", *plan.trial, "--out", str(out), "--resume",
    ))  # fmt: skip


def trial_of(folder: Path, arm: str, number: int) -> Path:
    """The folder of a trial."""
    return folder / "trials" / name_of(arm, number)


def find_played(plan: Plan, folder: Path) -> Found:
    """Read every trial that is finished. DataError if none is."""
    places = [
        Place(way.arm, number, trial_of(folder, way.arm.name, number), finished(folder, step))
        for number in range(plan.seeds) for way in ways(plan)
        if (step := _trial(plan, folder, way, number))
    ]  # fmt: skip
    about = f"trained from {Path(plan.model).name} ({told_of(plan.model)}) at the published size"
    few = few_of(int(_steps(plan, TWO.steps)[1]))
    return found_in(places, folder, about=about, style=plan.style, guidance=plan.guidance, few=few)
