"""Can one model see and draw? Small unified models are trained in every arm and tried on the same tasks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import process_time

from athanor.analysis.trials import Measured, Shown
from athanor.core.disk import write_atomically
from athanor.core.errors import Stopped, UsageError
from athanor.core.progress import progress
from athanor.core.seeds import digest
from athanor.models.unified import checkpoints
from athanor.models.unified.unified import Unified, understanding
from athanor.studies.folder import begin
from athanor.studies.see_and_draw import trial
from athanor.studies.see_and_draw.arms import (
    DRAWS,
    FOUNDATION,
    GUIDANCE,
    SEES,
    SEES_CODES,
    SETTINGS,
    SWEEP,
    SWEPT,
    Arm,
    Setting,
    arms,
    recipe_of,
    taught,
)
from athanor.studies.see_and_draw.consistency import of_own
from athanor.studies.see_and_draw.tasks import Many, Tasks, tasks
from athanor.training.unified.drawing_run import Execution, reinforce
from athanor.training.unified.rejection import fine_tune
from athanor.training.unified.run import CARD, MODEL, train

KIND = "study see-and-draw"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the study is asked to do."""

    setting: str
    seed: int
    processes: int
    """Trainings at once, each on one thread; 0 is one for each core."""
    seeds: int | None = None
    """Trainings of each arm; those of the setting, if not given."""
    arms: tuple[str, ...] = ()
    """Names of those that are trained; those of the setting, if none is given."""

    @property
    def sizes(self) -> Setting:
        """UsageError if there is no setting of this name."""
        if self.setting not in SETTINGS:
            raise UsageError(f"setting {self.setting!r} is not one of {', '.join(SETTINGS)}; pass one of them")
        usual = SETTINGS[self.setting]
        seeds = usual.seeds if self.seeds is None else self.seeds
        return replace(usual, seeds=seeds, arms=self.arms or usual.arms)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training, and the trial of what came out."""

    arm: Arm
    setting: str
    number: int
    """Of the seed, from 0."""
    seed: int
    """Of the training: the same for all arms of a number, so that they begin alike and are taught the same."""
    study: int
    """The study's own seed, from which the tasks of trials follow."""
    out: Path
    first: Path | None
    """Where what it begins from is trained."""


def name_of(arm: str, number: int) -> str:
    """The folder of a training.

    >>> name_of("grpo, t2i-r1", 0)
    'grpo-t2i-r1-0'
    """
    return f"{arm.replace(', ', '-').replace(' ', '-').replace(':', '-')}-{number}"


def jobs(asked: Asked, folder: Path) -> list[Job]:
    """Every training of a setting, one seed after the other, so that an early stop leaves whole pairs."""
    every = arms(asked.sizes)
    return [
        Job(
            arm=arm, setting=asked.setting, number=number, seed=digest(asked.seed, "training", number) % 2**31,
            study=asked.seed, out=folder / "runs" / name_of(arm.name, number),
            first=folder / "runs" / name_of(arm.begins, number) if arm.begins else None,
        )
        for number in range(asked.sizes.seeds) for arm in every
    ]  # fmt: skip


def prepare(asked: Asked, folder: Path) -> None:
    """Begin the study's folder, or see that the one that is there is of the same study."""
    config, sizes = {"setting": asked.setting, "seed": asked.seed}, asked.sizes
    execution = {"processes": asked.processes, "seeds": sizes.seeds, "arms": sizes.arms}
    begin(folder, KIND, config, execution=execution)


def run(asked: Asked, folder: Path) -> int:
    """Train and try everything that is not there yet; 1 if a training was stopped. Killed, it is gone on with."""
    prepare(asked, folder)
    every = jobs(asked, folder)
    done = {job.out for job in every if finished(job.out)}
    many = asked.processes or len(os.sched_getaffinity(0))
    stopped = 0
    with (
        ProcessPoolExecutor(many, get_context("spawn")) as pool,
        progress(len(every), "training", "see-and-draw", len(done)) as bar,
    ):
        running: dict[Future[str], Job] = {}
        while len(done) < len(every):
            busy = {job.out for job in running.values()}
            for job in ready(every, done, busy)[: many - len(running)]:
                running[pool.submit(train_one, job)] = job
            for one in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(one)
                stopped |= told(job, one.result())
                done.add(job.out)
                bar.update()
    return stopped


def ready(every: Sequence[Job], done: set[Path], busy: set[Path]) -> list[Job]:
    """The trainings that can begin, in their order."""
    return [job for job in every if job.out not in done | busy and (job.first is None or job.first in done)]


def finished(out: Path) -> bool:
    return (out / "done.json").exists()


def told(job: Job, why: str) -> int:
    """Say why a training was stopped; 1 if it was."""
    if why:
        print(f"{job.out.name} was stopped: {why}", file=sys.stderr)
    return int(bool(why))


def train_one(job: Job) -> str:
    """One training with its trial; why it was stopped, if it was. Runs in a process of its own, on one thread."""
    import torch

    torch.set_num_threads(1)
    before, why = process_time(), ""
    try:
        _trained(job)
        seconds = process_time() - before
        _tried(job)
    except Stopped as error:
        why, seconds = str(error), process_time() - before
    for path in job.out.rglob("checkpoint-*.safetensors"):
        path.unlink()
    about = {"stopped": why, "flop": job.arm.flop, "seconds": round(seconds, 1)}
    write_atomically(job.out / "done.json", json.dumps(about).encode())
    return why


def _trained(job: Job) -> None:
    arm, setting = job.arm, SETTINGS[job.setting]
    if job.first is not None and not (job.first / MODEL / "config.json").exists():
        raise Stopped(f"what it begins from, {job.first.name}, was stopped")
    if arm.kind == "stages":
        if (job.out / MODEL / CARD).exists():
            return
        recipe = recipe_of(setting, arm, job.seed)
        train(recipe, job.out, initial=_initial(job), examples=taught, measured=False)
        return
    assert job.first is not None
    if arm.kind == "grpo" and arm.rl is not None:
        how = Execution(every=max(1, arm.rl.steps // 3), each=0)
        reinforce(arm.rl, job.first / MODEL, job.out, job.seed, how, resume=True)
    elif arm.own is not None:
        fine_tune(arm.own, job.first / MODEL, job.out, job.seed, resume=True)


def _initial(job: Job) -> Unified | None:
    """What the stages begin from, images understood as in the arm."""
    if job.first is None:
        return None
    return understanding(checkpoints.read(job.first / MODEL), job.arm.understanding)


def guidances(arm: str, compared: float = GUIDANCE) -> tuple[float, ...]:
    """The weights of guidance that an arm is tried at, where arms are compared at one."""
    return tuple(sorted({*SWEEP, compared})) if arm in SWEPT else (1.0, compared)


@cache
def tasks_of(setting: str, seed: int) -> Tasks:
    """What every model of a study is tried on."""
    sizes = SETTINGS[setting]
    many = Many(prompts=sizes.prompts, questions=sizes.questions, pictures=sizes.pictures)
    return tasks(many, sizes.style, seed, sizes.shape.seen_size)


def _tried(job: Job) -> None:
    """Try the model that came out, and keep what it drew first."""
    import torch

    if (job.out / "trial.jsonl").exists():
        return
    those, arm = tasks_of(job.setting, job.study), job.arm.name
    unified = checkpoints.read(job.out / MODEL, dtype=torch.float32)
    if arm == FOUNDATION:
        trial.write(job.out, trial.of_tokenizer(unified, those, job.study), [])
        return
    trial.write(job.out, *try_model(
        unified, those, job.number, guidances(arm), draws=arm not in (SEES, SEES_CODES), answers=arm != DRAWS
    ))  # fmt: skip


def try_model(
    unified: Unified, those: Tasks, number: int, weights: Sequence[float], *, shown: float = GUIDANCE,
    temperature: float = 1.0, draws: bool = True, answers: bool = True,
) -> tuple[list[Measured], list[Shown]]:  # fmt: skip
    """All measures of a model that has learned to draw, to answer, or both; and drawings to be looked at.

    `weights`: of guidance. Drawings are shown, and asked about, at `shown` or else at the last of them.
    """
    measured: list[Measured] = []
    kept: list[Shown] = []
    if answers:
        measured.append(trial.of_answers(unified, those))
    if draws:
        measured += trial.of_nats(unified, those)
    for weight in weights if draws else ():
        drawn = trial.draw_all(unified, those, weight, number, temperature)
        measured += trial.of_drawings(drawn, those.wanted, weight)
        if weight == (shown if shown in weights else weights[-1]):
            kept = trial.shown(drawn)
            measured += of_own(unified, drawn, those, number) if answers else []
    return measured, kept
