"""SFT memorizes, RL generalizes? Policies are post-trained in every arm and tried on the same hands."""

from __future__ import annotations

import json
import os
import shlex
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from athanor.core.disk import write_atomically
from athanor.core.errors import Stopped, UsageError
from athanor.core.progress import progress
from athanor.core.seeds import digest
from athanor.models.policy.embedded import path_of
from athanor.models.policy.transformer import Policy
from athanor.studies.folder import begin
from athanor.studies.sft_vs_rl.arms import SETTINGS, Arm, Setting, arms, points
from athanor.training.checkpoint import read_policy, write_policy
from athanor.training.evaluate import (
    CONDITIONS,
    ON_THE_WAY,
    PLAYS,
    SHARPER,
    Solved,
    arithmetic,
    evaluate,
    line,
    pass_at,
    tried,
)
from athanor.training.post import load_trained, post_train
from athanor.training.sft import SFT

KIND = "study sft-vs-rl"
POLICY = "model.safetensors"
"""A trained policy in its folder, in half precision."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the study is asked to do."""

    setting: str
    seed: int
    processes: int
    """Trainings at once, each on one thread; 0 is one for each core."""
    bases: tuple[str, ...] = ()
    """Base policies, by a name of the package or by path; empty takes the setting's."""
    seeds: int | None = None
    """Trainings of each main arm from each base; None takes the setting's."""
    lever_seeds: int | None = None
    """Trainings of each lever, likewise."""
    only: tuple[str, ...] = ()
    """Names of the arms that are trained; empty, the setting's."""

    @property
    def sizes(self) -> Setting:
        """The setting with what is asked for in place of its own. UsageError if there is none of this name."""
        if self.setting not in SETTINGS:
            raise UsageError(f"setting {self.setting!r} is not one of {', '.join(SETTINGS)}; pass one of them")
        setting = SETTINGS[self.setting]
        seeds = setting.seeds if self.seeds is None else self.seeds
        levers = setting.lever_seeds if self.lever_seeds is None else self.lever_seeds
        setting = replace(setting, seeds=seeds, lever_seeds=min(seeds, levers), only=self.only)
        if not self.bases:
            return setting
        named: dict[str, str] = {}
        for base in self.bases:
            if (other := named.setdefault(base_name(base), base)) != base:
                raise UsageError(
                    f"--bases has {other} and {base}, which are both called {base_name(base)!r}, bases of different "
                    "names were expected; rename a file, or the folder that it is in"
                )
        if len(named) < len(self.bases):
            raise UsageError(f"--bases names a policy twice ({', '.join(self.bases)}); pass each once")
        return replace(setting, bases=self.bases)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training."""

    arm: Arm
    base: str
    seed: int
    number: int
    """Of the seed, from 0."""
    out: Path
    each: int


def jobs(asked: Asked, folder: Path) -> list[Job]:
    """Every training of a setting; the main arms first, one seed after the other, so that an early stop has pairs."""
    setting = asked.sizes
    every = {base: arms(setting, base_policy(base)) for base in setting.bases}
    found = []
    for lever in (False, True):
        for number in range(setting.lever_seeds if lever else setting.seeds):
            for base in setting.bases[:1] if lever else setting.bases:
                for arm in every[base]:
                    if bool(arm.of) == lever:
                        name = f"{arm.name.replace(', ', '-').replace(' ', '-')}-{base_name(base)}-{number}"
                        seed = seed_of(asked.seed, base, number)
                        found.append(Job(arm=arm, base=base, seed=seed, number=number, each=setting.each,
                                         out=folder / "runs" / name))  # fmt: skip
    return found


def base_name(base: str) -> str:
    """What a base is called in folders, seeds and scores: its file's name, or that of the folder that `train
    base-points` made.

    >>> base_name("base-points-1"), base_name("bases/mine.safetensors"), base_name("bases/second/model.safetensors")
    ('base-points-1', 'mine', 'second')
    """
    path = Path(base)
    return path.resolve().parent.name if path.name == "model.safetensors" else path.stem


def seed_of(seed: int, base: str, number: int) -> int:
    """The seed of trainings of one number from a base: all arms deal and are tried alike."""
    return digest(seed, base_name(base), number) % 2**31


def base_policy(name: str) -> Policy:
    """A base policy, by a name of the package or by path."""
    return read_policy(path_of(name))[0]


def prepare(asked: Asked, folder: Path) -> None:
    """Begin the study's folder, or see that the one that is there is of the same study from the same bases."""
    hashes = {base_name(base): sha256(path_of(base).read_bytes()).hexdigest() for base in asked.sizes.bases}
    config = {"setting": asked.setting, "seed": asked.seed}
    begin(folder, KIND, config, execution=told_of(asked), hashes=hashes)


def told_of(asked: Asked) -> dict[str, Any]:
    """What may differ where a study is gone on with."""
    setting = asked.sizes
    return {
        "processes": asked.processes, "command": command_line(), "seeds": setting.seeds,
        "lever_seeds": setting.lever_seeds, "arms": list(setting.only),
    }  # fmt: skip


def command_line() -> str:
    """What was typed, for the page; empty where it was not this program."""
    words = sys.argv[1:]
    return shlex.join(["athanor", *words]) if words[:2] == ["study", "sft-vs-rl"] else ""


def run(asked: Asked, folder: Path) -> int:
    """Train and try everything that is not there yet; 1 if a training was stopped. Killed, it is gone on with."""
    setting, every = asked.sizes, jobs(asked, folder)
    prepare(asked, folder)
    waiting = [job for job in every if not (job.out / "done.json").exists()]
    bases = [base for base in setting.bases if not base_scores(folder, base).exists()]
    stopped = 0
    with (
        ProcessPoolExecutor(asked.processes or len(os.sched_getaffinity(0)), get_context("spawn")) as pool,
        progress(len(every), "training", "sft-vs-rl", len(every) - len(waiting)) as bar,
    ):
        tried = [pool.submit(try_base, base, setting, asked.seed, base_scores(folder, base)) for base in bases]
        running = {pool.submit(train_one, job): job for job in waiting}
        for one in as_completed(running):
            stopped |= told(running[one], one.result())
            bar.update()
        for one in tried:
            one.result()
    return stopped


def told(job: Job, why: str) -> int:
    """Say why a training was stopped; 1 if it was."""
    if why:
        print(f"{job.out.name} was stopped: {why}", file=sys.stderr)
    return int(bool(why))


def train_one(job: Job) -> str:
    """One training with its scores; why it was stopped, if it was. Runs in a process of its own, on one thread."""
    import torch

    torch.set_num_threads(1)
    config, why = job.arm.config, ""
    try:
        start = path_of(job.base) if job.arm.first is None else _first(job, job.arm.first)
        post_train(config, start, job.out, job.seed, points=points(config),
                   score=partial(tried, each=job.each, seed=job.seed, last=config.steps))  # fmt: skip
        policy = read_policy(start)[0]
        load_trained(policy, job.out)
        write_policy(job.out / POLICY, policy, {"base": base_name(job.base), "arm": job.arm.name}, torch.float16)
    except Stopped as error:
        why = str(error)
    write_atomically(job.out / "done.json", json.dumps({"stopped": why}).encode())
    return why


def _first(job: Job, config: SFT) -> Path:
    """The policy that fine-tuning before the training proper gives, trained in a folder inside the run's."""
    out = job.out / "first"
    if not (out / POLICY).exists():
        post_train(config, path_of(job.base), out, job.seed, points=(), score=lambda run, step: [])
        policy = base_policy(job.base)
        load_trained(policy, out)
        write_policy(out / POLICY, policy, {"after": str(config)})
    return out / POLICY


def base_scores(folder: Path, base: str) -> Path:
    return folder / "bases" / f"{base_name(base)}.jsonl"


def try_base(base: str, setting: Setting, seed: int, path: Path) -> None:
    """A base itself, as often as there are trainings to set beside it, with lower temperatures as a control."""
    import torch

    torch.set_num_threads(1)
    policy, lines = base_policy(base), []
    for name, condition in CONDITIONS.items():
        for play in (*PLAYS, *SHARPER):
            if play.rounds > 1 and name not in ON_THE_WAY:
                continue
            solved: Solved | None = None
            for number in range(setting.seeds):
                if solved is None or play.temperature:  # greedy plays are all alike
                    solved = evaluate(policy, condition, play, seed_of(seed, base, number), setting.each)
                lines.append({"number": number, **line(name, play, solved, 0.0, 0)})
        if name in ON_THE_WAY:
            for number in range(setting.seeds):
                drawn = pass_at(policy, condition, seed_of(seed, base, number))
                lines.append({"number": number, "condition": name, "pass": drawn})
    lines.append({"condition": "arithmetic", "share": arithmetic(policy, seed)})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, b"".join(json.dumps(line).encode() + b"\n" for line in lines))
