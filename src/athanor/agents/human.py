"""A person at the terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from athanor.core.history import History
from athanor.core.protocols import Dialogue
from athanor.core.records import Decision, Unreadable

O = TypeVar("O")  # noqa: E741
A = TypeVar("A")


@dataclass(frozen=True, kw_only=True)
class Human(Generic[O, A]):
    """Shows the same messages that a model gets, on standard error, and reads an answer from standard input.

    An episode's first turn in this process, the first of all or the first after `--resume`, shows the rules, the
    present and what was tried; `list` or `?` shows the latter two again. An answer that cannot be read is asked for
    again and costs nothing. `quit` (or the end of input) stops the run, which `--resume` goes on with.
    """

    dialogue: Dialogue[O, A]
    hear: Callable[[str, O], A | Unreadable]
    """Reads what was typed."""
    shows: str
    """What `list` shows, in words."""
    form: str
    """What is to be typed, in words."""
    name: str = "human"
    _shown: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    """Episodes that this process has introduced; nothing that is chosen depends on them."""

    async def act(self, observation: O, history: History[A], rng: np.random.Generator) -> Decision[A]:
        print(f"\n[turn {len(history) + 1}]", file=sys.stderr)
        if history.episode in self._shown:
            print(self.dialogue.say(observation, history[-1] if history else None), file=sys.stderr)
        else:
            self._shown.add(history.episode)
            words = f"(list or ? shows {self.shows}; quit stops, and the run can be resumed)"
            print(self.dialogue.rules(), words, self.dialogue.recall(observation, history), sep="\n", file=sys.stderr)
        while True:
            print("> ", end="", file=sys.stderr, flush=True)
            reply = await asyncio.to_thread(sys.stdin.readline)
            word = reply.strip().casefold()
            if not reply or word == "quit":
                raise KeyboardInterrupt
            if word in ("list", "?"):
                print(self.dialogue.recall(observation, history), file=sys.stderr)
                continue
            action = self.hear(reply, observation)
            if not isinstance(action, Unreadable):
                return Decision(action=action)
            print(f"{action.unreadable}; type {self.form}", file=sys.stderr)
