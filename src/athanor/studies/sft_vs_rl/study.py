"""SFT memorizes, RL generalizes? Policies are post-trained in every arm and tried on the same hands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

from athanor.core.build import build_name, versions
from athanor.core.disk import write_atomically
from athanor.core.errors import DataError, UsageError
from athanor.core.progress import progress
from athanor.core.seeds import digest
from athanor.core.store import Manifest, refuse_difference
from athanor.studies.sft_vs_rl.arms import SETTINGS, Arm, Setting, arms, points
from athanor.training.checkpoint import base_policy

KIND = "study sft-vs-rl"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the study is asked to do."""

    setting: str
    seed: int
    processes: int
    """Trainings at once, each on one thread; 0 is one for each core."""


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
    setting = SETTINGS[asked.setting]
    every = arms(setting, base_policy(setting.bases[0]))
    found = []
    for lever in (False, True):
        for number in range(setting.seeds):
            for base in setting.bases[: setting.lever_bases] if lever else setting.bases:
                for arm in every:
                    if arm.lever == lever:
                        name = f"{arm.name.replace(', ', '-').replace(' ', '-')}-{base}-{number}"
                        seed = digest(asked.seed, base, number) % 2**31
                        found.append(Job(arm=arm, base=base, seed=seed, number=number, each=setting.each,
                                         out=folder / "runs" / name))  # fmt: skip
    return found


def run(asked: Asked, folder: Path) -> int:
    """Train and try everything that is not there yet; 1 if a training was stopped. Killed, it is gone on with."""
    if asked.setting not in SETTINGS:
        raise UsageError(f"setting {asked.setting!r} is not one of {', '.join(SETTINGS)}; pass one of them")
    _begin(asked, folder)
    setting = SETTINGS[asked.setting]
    _try_bases(setting, folder, asked.seed)
    waiting = [job for job in jobs(asked, folder) if not (job.out / "done.json").exists()]
    stopped = 0
    processes = asked.processes or len(os.sched_getaffinity(0))
    with (
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
        progress(len(waiting), "training", "sft-vs-rl") as bar,
    ):
        running = {pool.submit(train_one, job): job for job in waiting}
        for one in as_completed(running):
            why = one.result()
            if why:
                stopped = 1
                print(f"{running[one].out.name} was stopped: {why}", file=sys.stderr)
            bar.update()
    return stopped


def train_one(job: Job) -> str:
    """One training with its scores; why it was stopped, if it was. Runs in a process of its own, on one thread."""
    import torch

    from athanor.models.policy.embedded import path_of
    from athanor.training.post import post_train
    from athanor.training.rl import Stopped

    torch.set_num_threads(1)
    why = ""
    try:
        post_train(job.arm.config, path_of(job.base), job.out, job.seed, points=points(job.arm.config),
                   score=partial(_scores, each=job.each, seed=job.seed, last=job.arm.config.steps))  # fmt: skip
    except Stopped as error:
        why = str(error)
    write_atomically(job.out / "done.json", json.dumps({"stopped": why}).encode())
    return why


def _scores(run: Any, step: int, *, each: int, seed: int, last: int) -> list[dict[str, Any]]:
    """Every condition at temperature 1 and greedily; at the end with three rounds too, and what else is still known."""
    from athanor.training.evaluate import CONDITIONS, PLAYS, arithmetic, evaluate

    found = []
    for name, condition in CONDITIONS.items():
        for play in PLAYS:
            if play.rounds == 1 or step == last:
                solved = evaluate(run.policy, condition, play, seed, each)
                found.append(_line(name, play.temperature, play.rounds, solved, run.ledger.flop, run.ledger.episodes))
    if step == last:
        found.append({"condition": "arithmetic", "share": arithmetic(run.policy, seed)})
    return found


def _line(name: str, temperature: float, rounds: int, solved: Any, flop: float, episodes: int) -> dict[str, Any]:
    return {
        "condition": name, "temperature": temperature, "rounds": rounds, "share": solved.share, "flop": flop,
        "episodes": episodes, "hands": solved.hands.tolist(), "solved": solved.solved.tolist(),
    }  # fmt: skip


def _try_bases(setting: Setting, folder: Path, seed: int) -> None:
    """The bases themselves, with the control that lower temperatures are: folder/bases/NAME.jsonl."""
    from athanor.training.evaluate import CONDITIONS, PLAYS, SHARPER, arithmetic, evaluate, pass_at

    for base in setting.bases:
        path = folder / "bases" / f"{base}.jsonl"
        if path.exists():
            continue
        policy, lines = base_policy(base), []
        for name, condition in CONDITIONS.items():
            for play in (*PLAYS, *SHARPER):
                for number in range(setting.seeds):  # as many plays as there are trainings to set beside them
                    solved = evaluate(policy, condition, play, digest(seed, base, number) % 2**31, setting.each)
                    lines.append({"number": number, **_line(name, play.temperature, play.rounds, solved, 0.0, 0)})
            lines.append({"condition": name, "pass": pass_at(policy, condition, seed)})
        lines.append({"condition": "arithmetic", "share": arithmetic(policy, seed)})
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def _begin(asked: Asked, folder: Path) -> None:
    """Write the study's manifest, or see that the one that is there asks for the same."""
    config = {"setting": asked.setting, "seed": asked.seed}
    manifest = Manifest(
        kind=KIND, config=config, execution={"processes": asked.processes}, build=build_name(), versions=versions(),
        hashes={}, label=KIND, created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    path = folder / "manifest.json"
    if path.exists():
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except msgspec.MsgspecError as error:
            raise DataError(f"{path} is not a manifest of this program ({error}); pass another --out") from error
        for what in ("kind", "config"):
            refuse_difference(folder, what, getattr(stored, what), getattr(manifest, what))
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} already holds something, an empty or new folder was expected; pass another --out")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def scores(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of scores."""
    for line in path.read_bytes().splitlines():
        yield json.loads(line)
