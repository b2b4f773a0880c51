"""The roles of the laboratory: who holds the rules, who judges, who chooses, and who can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

import numpy as np

from athanor.core.history import History
from athanor.core.records import Completion, Decision, Message, Sampling, Step, Task, Turn, Unreadable, Verdict

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)
O_contra = TypeVar("O_contra", contravariant=True)
A = TypeVar("A")


class Environment(Protocol[S, O_co, A]):
    """Rules. It keeps no progress: state goes in and comes out, and every method is pure."""

    @property
    def name(self) -> str: ...

    @property
    def action_type(self) -> type[A]:
        """The record an action is read back as from a stored turn."""
        ...

    @property
    def splits(self) -> tuple[str, ...]: ...

    def tasks(self, split: str, seed: int) -> Iterator[Task]:
        """The tasks of a split, in an order fixed by the seed; may be endless. UsageError on an unknown split."""
        ...

    def start(self, task: Task) -> S: ...

    def observe(self, state: S) -> O_co: ...

    def step(self, state: S, action: A | Unreadable) -> Step[S]: ...


class Verifier(Protocol[S_contra, A]):
    """The judge of one transition."""

    def verify(self, task: Task, before: S_contra, action: A | Unreadable, after: S_contra) -> Verdict: ...

    def gold(self, task: Task) -> A:
        """An action that passes from the task's start."""
        ...


class Agent(Protocol[O_contra, A]):
    """A chooser. It keeps no progress either: the history of the episode is an argument."""

    @property
    def name(self) -> str: ...

    async def act(self, observation: O_contra, history: History[A], rng: np.random.Generator) -> Decision[A]: ...


class Backend(Protocol):
    """A model that can be asked."""

    @property
    def name(self) -> str: ...

    @property
    def slots(self) -> int:
        """How many requests it can usefully work on at once."""
        ...

    async def complete(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        """Answer once. BackendError if it cannot this time, UsageError if it never will as asked."""
        ...

    async def close(self) -> None: ...


class Dialogue(Protocol[O_contra, A]):
    """Text, and pictures, as a skin on a typed environment."""

    def rules(self) -> str:
        """The system message: what the game is and how to answer."""
        ...

    def say(self, observation: O_contra, last: Turn[A] | None) -> str:
        """The user message of a turn, after the last one. Without a last turn it tells all a newcomer needs."""
        ...

    def show(self, observation: O_contra, last: Turn[A] | None) -> tuple[bytes, ...]:
        """The pictures beside that message, as PNG files; none where words tell all."""
        ...

    def recall(self, observation: O_contra, history: History[A]) -> str:
        """One user message that states the present and sums the past up."""
        ...

    def echo(self, turn: Turn[A]) -> str:
        """The assistant message by which a past turn is remembered: its answer, without the reasoning."""
        ...

    def hear(self, reply: str, observation: O_contra, cut: bool = False) -> A | Unreadable:
        """Read an action from a reply; never evaluates it and never raises. `cut`: whether the bound on tokens ended
        the reply, so that its end may be half a name or half a thought."""
        ...

    def grammar(self, observation: O_contra) -> str:
        """GBNF grammar of the answers that are legal now."""
        ...
