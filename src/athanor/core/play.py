"""The only loop: an agent plays a task in an environment, and a verifier judges each turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeVar

from athanor.core.build import build_name
from athanor.core.errors import StoreError, UsageError
from athanor.core.history import History
from athanor.core.protocols import Agent, Environment, Verifier
from athanor.core.records import Decision, End, Episode, Failure, Record, Task, Turn, Unreadable
from athanor.core.seeds import TurnStreams

S = TypeVar("S")
O = TypeVar("O")  # noqa: E741
A = TypeVar("A")


class Sink(Protocol):
    """Where turns and episodes go as they happen."""

    def turn(self, episode: str, turn: Turn[Any]) -> None: ...

    def episode(self, episode: Episode[Any]) -> None: ...


class Nowhere:
    """A sink that keeps nothing."""

    def turn(self, episode: str, turn: Turn[Any]) -> None: ...

    def episode(self, episode: Episode[Any]) -> None: ...


class Planned(Record, kw_only=True):
    """An episode to be played: its key (unique in the run), its task, and the turns already played before."""

    key: str
    task: Task
    past: tuple[Turn[Any], ...] = ()


def catch_up(
    environment: Environment[S, O, A], task: Task, key: str, past: Sequence[Turn[A]]
) -> tuple[S, History[A], bool]:
    """The state after the turns already played, their history with observations, and whether the task is over."""
    state, history, terminated = environment.start(task), History[A](key), False
    for turn in past:
        history.append(Turn(
            index=turn.index, observation=environment.observe(state), action=turn.action, verdict=turn.verdict,
            completion=turn.completion, seconds=turn.seconds,
        ))  # fmt: skip
        step = environment.step(state, turn.action)
        state, terminated = step.state, step.terminated
    return state, history, terminated


async def play(
    environment: Environment[S, O, A],
    verifier: Verifier[S, A],
    agent: Agent[O, A],
    planned: Planned,
    *,
    seed: int,
    turns: int,
    sink: Sink | None = None,
) -> Episode[A]:
    """Play one episode to its end, at most `turns` turns, and give its record.

    An exception of the agent ends the episode as `error` with its cause, and so does anything it gives that is not a
    decision on an action of the environment. An exception of the environment or the verifier is a bug and propagates,
    as do errors of usage and of the store.
    """
    task, key, sink = planned.task, planned.key, sink or Nowhere()
    streams = TurnStreams(seed, "agent", key)
    state, history, terminated = catch_up(environment, task, key, planned.past)
    failure: Failure | None = None
    actions = (environment.action_type, Unreadable)
    for index in range(len(history), turns):
        if terminated:
            break
        observation = environment.observe(state)
        started = perf_counter()
        try:
            decision: Decision[A] = await agent.act(observation, history, streams.at(index))
            if not isinstance(decision, Decision) or not isinstance(decision.action, actions):
                raise TypeError(_no_decision(decision, actions))
        except (UsageError, StoreError):
            raise
        except Exception as error:
            failure = Failure(kind=type(error).__name__, message=str(error))
            break
        step = environment.step(state, decision.action)
        turn = Turn(
            index=index,
            observation=observation,
            action=decision.action,
            verdict=verifier.verify(task, state, decision.action, step.state),
            completion=decision.completion,
            seconds=perf_counter() - started,
        )
        history.append(turn)
        sink.turn(key, turn)
        state, terminated = step.state, step.terminated
    end: End = "error" if failure else "terminated" if terminated else "truncated"
    episode = Episode(
        key=key,
        task=task,
        agent=agent.name,
        seed=seed,
        build=build_name(),
        turns=tuple(history),
        end=end,
        failure=failure,
    )  # type: ignore[arg-type]
    sink.episode(episode)
    return episode


def _no_decision(given: object, actions: tuple[type, ...]) -> str:
    what = f"a Decision on {given.action!r:.200}" if isinstance(given, Decision) else f"{given!r:.200}"
    names = " or ".join(action.__name__ for action in actions)
    return f"the agent gave {what}, a Decision on a {names} was expected; change what its `act` returns"


async def play_many(
    environment: Environment[S, O, A],
    verifier: Verifier[S, A],
    agent: Agent[O, A],
    plan: Iterable[Planned],
    *,
    seed: int,
    turns: int,
    concurrency: int,
    sink: Sink | None = None,
) -> AsyncIterator[Episode[A]]:
    """Play the planned episodes, at most `concurrency` at once, and give each as it ends.

    When one raises (a bug, or an error of usage or of the store) the others are cancelled and it propagates.
    """
    if concurrency < 1:
        raise UsageError(f"--concurrency {concurrency} was given, 1 or more was expected; pass such a number")
    waiting = iter(plan)
    running: set[asyncio.Task[Episode[A]]] = set()

    def launch() -> bool:
        planned = next(waiting, None)
        if planned is None:
            return False
        one = play(environment, verifier, agent, planned, seed=seed, turns=turns, sink=sink)
        running.add(asyncio.create_task(one))
        return True

    try:
        while len(running) < concurrency and launch():
            pass
        while running:
            ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for one in ended:
                running.discard(one)
                yield one.result()
                launch()
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
