"""Derive an episode's states and verdicts again, and try verifiers from both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from athanor.core.protocols import Environment, Verifier
from athanor.core.records import Episode, Record, Task, Unreadable, Verdict

S = TypeVar("S")
O = TypeVar("O")  # noqa: E741
A = TypeVar("A")


class Replayed(Record, kw_only=True):
    """One turn, derived again."""

    index: int
    before: Any
    action: Any
    after: Any
    verdict: Verdict
    terminated: bool


class Difference(Record, kw_only=True):
    """A stored turn that the rules do not give again."""

    episode: str
    turn: int
    what: str


class Complaint(Record, kw_only=True):
    """An answer on which a verifier did not say what it must."""

    task: str
    answer: str
    """`gold`, `constant`, `empty`, `echoed` or `another task's gold`."""
    expected: bool
    verdict: Verdict


def replay(
    environment: Environment[S, O, A], verifier: Verifier[S, A], task: Task, actions: Sequence[A | Unreadable]
) -> Iterator[Replayed]:
    """Each turn of a list of actions, from the task's start."""
    state = environment.start(task)
    for index, action in enumerate(actions):
        step = environment.step(state, action)
        verdict = verifier.verify(task, state, action, step.state)
        yield Replayed(
            index=index,
            before=state,
            action=action,
            after=step.state,
            verdict=verdict,
            terminated=step.terminated,
        )
        state = step.state


def check_episode(
    environment: Environment[S, O, A], verifier: Verifier[S, A], episode: Episode[A]
) -> tuple[Difference, ...]:
    """Where the stored verdicts, order or end of an episode differ from what the rules give; empty if nowhere."""
    found: list[Difference] = []
    terminated = False
    again = replay(environment, verifier, episode.task, [turn.action for turn in episode.turns])
    for position, (stored, derived) in enumerate(zip(episode.turns, again, strict=True)):
        if stored.index != position:
            found.append(Difference(episode=episode.key, turn=position, what=f"stored as turn {stored.index}"))
        if stored.verdict != derived.verdict:
            what = f"stored verdict {stored.verdict}, derived {derived.verdict}"
            found.append(Difference(episode=episode.key, turn=position, what=what))
        if terminated:
            found.append(Difference(episode=episode.key, turn=position, what="played after the task had ended"))
        terminated = derived.terminated
    if (episode.end == "terminated") != terminated and episode.end != "error":
        what = f"stored end {episode.end}, but the rules say terminated is {terminated}"
        found.append(Difference(episode=episode.key, turn=len(episode.turns), what=what))
    return tuple(found)


def validate(
    environment: Environment[S, O, A],
    verifier: Verifier[S, A],
    tasks: Sequence[Task],
    *,
    constant: A,
    echoed: Sequence[A | Unreadable],
) -> tuple[Complaint, ...]:
    """Try a verifier from both sides on every task; the complaints, empty when it holds.

    Gold must pass. One constant action, an empty answer, the prompt echoed back (`echoed`, one per task: what
    the dialogue hears in its own words) and another task's gold must fail. A task on which the constant or the
    other gold happens to *be* its gold is left out of that trial.
    """
    golds = [verifier.gold(task) for task in tasks]
    complaints: list[Complaint] = []
    for position, (task, gold) in enumerate(zip(tasks, golds, strict=True)):
        start = environment.start(task)
        other = golds[(position + 1) % len(golds)]
        trials: list[tuple[str, A | Unreadable, bool]] = [
            ("gold", gold, True),
            ("empty", Unreadable(unreadable="the answer is empty"), False),
            ("echoed", echoed[position], False),
        ]
        trials += [("constant", constant, False)] if constant != gold else []
        trials += [("another task's gold", other, False)] if other != gold else []
        for answer, action, expected in trials:
            after = environment.step(start, action).state
            verdict = verifier.verify(task, start, action, after)
            if verdict.passed is not expected:
                complaints.append(Complaint(task=task.key, answer=answer, expected=expected, verdict=verdict))
    return tuple(complaints)
