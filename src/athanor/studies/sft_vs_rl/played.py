"""The runs of the study at the published size, read into what its findings are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from athanor.analysis.generalization import Key, Score, Trained
from athanor.analysis.points import read_run
from athanor.analysis.spending import Spent, spent, weights
from athanor.analysis.tables import Run
from athanor.core.errors import DataError
from athanor.studies.carrying_out import Step, finished
from athanor.studies.sft_vs_rl.findings import Cost, Found, Rounds, Shown, found
from athanor.studies.sft_vs_rl.plan import TRIALS, Plan, arm_of, keys_of, policies, run_of, steps, trial_of, ways_of
from athanor.studies.sft_vs_rl.sized import INIT, ROUNDS

Hands = dict[str, tuple[Path, tuple[str, ...]]]
"""By condition: the run that was read first, and its hands as they were dealt."""


SEEN = (
    "What the model had seen of each rule before is not known: that of a language model's training data is not told. "
    "Under each, J, Q and K mean what the prompt says."
)


def find_played(plan: Plan, folder: Path) -> Found:
    """Read everything that is finished. DataError if nothing is, or if two policies did not play the same hands."""
    every = {step.out: step for step in steps(plan, folder)}
    hands: Hands = {}
    trained = [one for arm, number in policies(plan) if (one := _read(plan, folder, arm, number, every, hands))]
    costs = tuple(_cost(folder, one) for one in trained if one.number is not None)
    unfinished = tuple(step.name for step in every.values() if not finished(folder, step))
    spending: dict[tuple[str, int | None], Cost] = {(cost.arm, cost.number): cost for cost in costs}
    trained = [_with_cost(one, spending.get((one.arm, one.number))) for one in trained]
    made = found(
        trained, shown(plan), bases=(plan.model,), missing=unfinished, start=INIT, rl=plan.method, costs=costs,
        matched=not plan.sft_steps, about=f"{Path(plan.model).name}, with the preset of the published training",
        folder=folder, tried={name: TRIALS[name].about for name in plan.conditions}, pictures=bool(plan.look),
    )  # fmt: skip
    return replace(made, seen=SEEN, rounds=rounds_of(plan), first=first_of(plan))


def shown(plan: Plan) -> tuple[Shown, ...]:
    """The arms in words."""
    given = "; a number of steps that was given" if plan.sft_steps else ""
    return tuple(
        Shown(arm.name, arm.about + (given if arm.supervised and arm.name != INIT else ""), arm.supervised, arm.of)
        for arm in plan.planned
    )


def rounds_of(plan: Plan) -> Rounds:
    """The arms that differ in their rounds of verification, by how many they have in training."""
    named = {k: f"{plan.method}, {k} round{'s' if k > 1 else ''}" for k in ROUNDS}
    return Rounds(dict(sorted({**named, plan.rounds: plan.method}.items())), INIT)


def first_of(plan: Plan) -> tuple[str, ...]:
    """The arms that differ in what comes before reinforcement."""
    return f"{plan.method}, no init", plan.method, f"{plan.method} after sft"


def _read(
    plan: Plan, folder: Path, arm: str, number: int | None, every: dict[str, Step], hands: Hands
) -> Trained | None:
    """One policy with its finished trials; None where there are none, or its training is not finished."""
    if number is not None and not finished(folder, every[str(run_of(folder, arm, number))]):
        return None
    scores: dict[Key, dict[int, Score]] = {}
    for condition in plan.conditions:
        for how in ways_of(arm):
            out = trial_of(folder, arm, number, condition, how)
            if finished(folder, every[str(out)]):
                run = read_run(out)
                _same(run, condition, plan.episodes, hands)
                for key in keys_of(condition, how):
                    scores[key] = {0: score_of(run, key.rounds)}
    kind = "" if number is None else "supervised" if arm_of(plan, arm).supervised else "reinforced"
    return Trained(arm=arm, base=plan.model, number=number, scores=scores, kind=kind) if scores else None


def score_of(run: Run, rounds: int) -> Score:
    """What a run solved within some rounds, by multisets of numbers in the order of their names. What is recognised are
    the cards of hands in pictures, else the numbers."""
    episodes = run.episodes
    _, owner = np.unique(np.array(episodes["numbers"].to_pylist()), return_inverse=True)
    passed = np.array([within is not None and within <= rounds for within in episodes["solved"].to_pylist()], float)
    read = _first_said(run, "cards" if run.manifest.config.get("look") else "numbers")
    right = np.array([bool(read.get(key)) for key in episodes["episode"].to_pylist()], float)
    each = np.bincount(owner)
    return Score(np.bincount(owner, passed) / each, np.bincount(owner, right) / each)


def _first_said(run: Run, what: str) -> dict[str, bool | None]:
    """By episode: whether the first answer told the hand's cards, or numbers, right; None where it told none."""
    columns = (run.turns[name].to_pylist() for name in ("episode", "turn", what))
    return {episode: said for episode, turn, said in zip(*columns, strict=True) if turn == 0}


def _same(run: Run, condition: str, episodes: int, hands: Hands) -> None:
    """DataError unless the run played all of the hands that the others of its condition played, in the same order."""
    ends, tasks = run.episodes["end"].to_pylist(), tuple(map(str, run.episodes["task"].to_pylist()))
    broken = sum(end in (None, "error") for end in ends)
    if len(ends) != episodes or broken:
        raise DataError(
            f"{run.path} has {len(ends)} hands of which {broken} did not end well, {episodes} whole ones were "
            "expected; remove it with its file in done/ and go on with --resume"
        )
    first, theirs = hands.setdefault(condition, (run.path, tasks))
    if tasks != theirs:
        place = next(k for k, (one, other) in enumerate(zip(tasks, theirs, strict=True)) if one != other)
        raise DataError(
            f"{run.path} and {first} did not play the same hands (hand {place} is {tasks[place]} and {theirs[place]}), "
            "which a comparison needs; remove the one that is wrong with its file in done/ and go on with --resume"
        )


def _cost(folder: Path, one: Trained) -> Cost:
    assert one.number is not None
    run = run_of(folder, one.arm, one.number)
    told: Spent = spent(run)
    return Cost(one.arm, one.number, told, told.operations * weights(run / "final"))


def _with_cost(one: Trained, cost: Cost | None) -> Trained:
    if cost is None:
        return one
    return replace(one, flop={0: cost.operations}, episodes={0: cost.spent.sampled})
