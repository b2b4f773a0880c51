"""The study at the published size: every command that is run, in order.

From one model, for each seed: a short fine-tuning gives the format (`init`), from which fine-tuning goes on (`sft`) and
reinforcement begins, as in the publication. Reinforcement comes first, since fine-tuning is as long as costs the same.
The model and all that is trained from it play the same hands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from athanor.analysis.generalization import BASE, Key
from athanor.core.seeds import digest
from athanor.studies.carrying_out import Step
from athanor.studies.sft_vs_rl.published import ANSWERS

INIT, SFT = "init", "sft"


class Trial(NamedTuple):
    """Hands that every policy plays."""

    split: str
    shift: str
    rounds: int = 1
    """At temperature 1; the first answers are what a trial of one round would give."""


TRIALS: dict[str, Trial] = {
    "seen": Trial("train", "none"),
    "unseen": Trial("test", "none", ANSWERS),
    "mapping": Trial("test", "mapping"),
    "range": Trial("test", "range"),
    "rule": Trial("test", "rule", ANSWERS),
}
"""By the names of the conditions of the laptop's study."""
HOW = {"sampled": 1.0, "greedy": 0.0}
"""Names of the ways to play, and their temperatures."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the study at the published size is asked to do."""

    model: str
    """A folder in Hugging Face's format, or a name on the hub."""
    method: str
    """Of reinforcement."""
    seed: int
    seeds: int
    """Trainings of each arm."""
    episodes: int
    """Hands of each trial."""
    verifier: str
    """Of training and of play."""
    conditions: tuple[str, ...] = tuple(TRIALS)
    """Those of TRIALS that are played."""
    tokens: int
    """Bound on an answer, in training and in play."""
    init_steps: tuple[str, ...] = ()
    """Words of the command line that say how long each training is; empty takes the preset's."""
    sft_steps: tuple[str, ...] = ()
    """Empty: as many as cost what reinforcement cost."""
    rl_steps: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    """Further words for every training."""
    supervised: tuple[str, ...] = ()
    """For `init` and `sft`."""
    reinforced: tuple[str, ...] = ()
    play: tuple[str, ...] = ()
    """For every trial."""
    launch: tuple[str, ...] = ()
    """Words before the command of a training, for example `torchrun --nproc_per_node 8 -m`."""


def policies(plan: Plan) -> list[tuple[str, int | None]]:
    """Arm and number of the seed of every policy, in the order in which they are there; the base has no number."""
    arms = (INIT, plan.method, SFT)
    return [(BASE, None), *((arm, number) for number in range(plan.seeds) for arm in arms)]


def policy_name(arm: str, number: int | None) -> str:
    return arm if number is None else f"{arm}-{number}"


def run_of(folder: Path, arm: str, number: int) -> Path:
    """The folder of a training."""
    return folder / "runs" / policy_name(arm, number)


def trial_of(folder: Path, arm: str, number: int | None, condition: str, how: str) -> Path:
    """The folder of a trial."""
    return folder / "plays" / policy_name(arm, number) / f"{condition}-{how}"


def keys_of(condition: str, how: str) -> tuple[Key, ...]:
    """The scores that a trial gives: of single answers, and of as many rounds as it has."""
    rounds = TRIALS[condition].rounds if HOW[how] else 1
    return tuple(Key(condition, HOW[how], k) for k in dict.fromkeys((1, rounds)))


def steps(plan: Plan, folder: Path) -> Iterator[Step]:
    """Every step, one seed after the other, so that an early stop leaves whole pairs."""
    for arm, number in policies(plan):
        if number is not None:
            yield _training(plan, folder, arm, number)
        yield from _trials(plan, folder, arm, number)


def _training(plan: Plan, folder: Path, arm: str, number: int) -> Step:
    init, out = run_of(folder, INIT, number), run_of(folder, arm, number)
    begun = plan.model if arm == INIT else str(init / "final")
    method = plan.method if arm == plan.method else "sft"
    part = INIT if arm == INIT else "arms"  # the arms are dealt alike, and not what init saw
    seed = str(digest(plan.seed, part, number) % 2**31)
    words = ["athanor", "train", "points", "--model", begun, "--method", method, "--preset", "chu2025"]
    words += ["--rule", "10", "--split", "train", "--verifier", plan.verifier, "--seed", seed]
    if arm == plan.method:
        words += [*plan.rl_steps, "--rl.max-tokens", str(plan.tokens), *plan.shared, *plan.reinforced]
    else:
        match = ("--match", str(run_of(folder, plan.method, number)))
        words += [*(plan.init_steps if arm == INIT else plan.sft_steps or match), *plan.shared, *plan.supervised]
    command = (*plan.launch, *words, "--out", str(out), "--resume")
    return Step(name=policy_name(arm, number), kind="train", out=str(out), command=command)


def _trials(plan: Plan, folder: Path, arm: str, number: int | None) -> Iterator[Step]:
    model = plan.model if number is None else str(run_of(folder, arm, number) / "final")
    for condition in plan.conditions:
        trial = TRIALS[condition]
        for how, temperature in HOW.items():
            out = trial_of(folder, arm, number, condition, how)
            command = (
                "athanor", "play", "points", "--agent", "language", "--backend", "torch", "--model", model,
                "--temperature", f"{temperature:g}", "--max-tokens", str(plan.tokens), "--shift", trial.shift,
                "--split", trial.split, "--verifier", plan.verifier,
                "--rounds", str(max(key.rounds for key in keys_of(condition, how))), "--episodes", str(plan.episodes),
                "--seed", str(plan.seed), "--label", f"{policy_name(arm, number)}, {how}", *plan.play,
                "--out", str(out), "--resume",
            )  # fmt: skip
            name = f"{policy_name(arm, number)}-{condition}-{how}"
            yield Step(name=name, kind="play", out=str(out), command=command)
