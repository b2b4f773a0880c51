"""Derive an episode's states and verdicts again, and try verifiers from both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from athanor.core.protocols import Environment, Verifier
from athanor.core.records import Episode, Record, Task, Turn, Unreadable, Verdict
from athanor.core.store import EpisodeLine

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
    """Something stored that the rules do not give again."""

    episode: str
    turn: int | None
    """None where it is of the whole episode."""
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
    found, derived = check_turns(environment, verifier, episode.task, episode.key, episode.turns)
    terminated = bool(derived) and derived[-1].terminated
    if (episode.end == "terminated") != terminated and episode.end != "error":
        what = f"stored end {episode.end}, but the rules say terminated is {terminated}"
        found += (Difference(episode=episode.key, turn=None, what=what),)
    return found


def check_turns(
    environment: Environment[S, O, A], verifier: Verifier[S, A], task: Task, key: str, turns: Sequence[Turn[A]]
) -> tuple[tuple[Difference, ...], tuple[Replayed, ...]]:
    """Where stored turns differ from what the rules give, and what those give."""
    found: list[Difference] = []
    terminated = False
    again = tuple(replay(environment, verifier, task, [turn.action for turn in turns]))
    for position, (stored, derived) in enumerate(zip(turns, again, strict=True)):
        if stored.index != position:
            found.append(Difference(episode=key, turn=position, what=f"stored as turn {stored.index}"))
        if stored.verdict != derived.verdict:
            what = f"stored verdict {stored.verdict}, derived {derived.verdict}"
            found.append(Difference(episode=key, turn=position, what=what))
        if terminated:
            found.append(Difference(episode=key, turn=position, what="played after the task had ended"))
        terminated = derived.terminated
    return tuple(found), again


def check_ending(
    stored: EpisodeLine, derived: Sequence[Replayed], *, task: Task, agent: str, seed: int, most: int
) -> tuple[Difference, ...]:
    """Where a stored ending differs from what its turns give and from how its run says that it was played.

    `derived`: the episode's turns, derived again. `most`: the turns that an episode may have.
    """
    counted = stored.turns if stored.end == "error" else len(derived)  # more are there while a failed one is played on
    over = bool(derived) and derived[-1].terminated
    end = "terminated" if over else "truncated" if len(derived) >= most else "unfinished"
    told = {"turns": stored.turns, "return": stored.total, "agent": stored.agent, "seed": stored.seed}
    found = {
        "turns": counted, "return": sum(turn.verdict.reward for turn in derived[:counted]), "agent": agent, "seed": seed
    }  # fmt: skip
    if stored.end != "error":
        told["end"], found["end"] = stored.end, end
    wrong = [f"stored {name} {told[name]}, {found[name]} was derived" for name in told if told[name] != found[name]]
    wrong += [] if stored.task == task else [f"stored task {stored.task}, the run's is {task}"]
    return tuple(Difference(episode=stored.episode, turn=None, what=what) for what in wrong)


def validate(
    environment: Environment[S, O, A],
    verifier: Verifier[S, A],
    tasks: Sequence[Task],
    *,
    constant: A | None,
    echoed: Sequence[A | Unreadable],
) -> tuple[Complaint, ...]:
    """Try a verifier from both sides on every task; the complaints, empty when it holds.

    Gold must pass. One constant action, an empty answer, the prompt echoed back (`echoed`, one per task: what
    the dialogue hears in its own words) and another task's gold must fail. A task on which the constant or the
    other gold happens to *be* its gold is left out of that trial. `constant` is None where every action does something.
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
        trials += [("constant", constant, False)] if constant is not None and constant != gold else []
        trials += [("another task's gold", other, False)] if other != gold else []
        for answer, action, expected in trials:
            after = environment.step(start, action).state
            verdict = verifier.verify(task, start, action, after)
            if verdict.passed is not expected:
                complaints.append(Complaint(task=task.key, answer=answer, expected=expected, verdict=verdict))
    return tuple(complaints)
