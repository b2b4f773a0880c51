"""A person at the terminal."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

import numpy as np

from athanor.core.history import History
from athanor.core.protocols import Dialogue
from athanor.core.records import Decision, Unreadable
from athanor.environments.alchemy.state import Pair, Sight


@dataclass(frozen=True, kw_only=True)
class Human:
    """Shows the same messages that a model gets, on standard error, and reads an answer from standard input.

    An answer that cannot be read is asked for again and costs nothing. `quit` (or the end of input) stops the
    run, which `--resume` goes on with.
    """

    dialogue: Dialogue[Sight, Pair]
    name: str = "human"

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        if not history:
            print(self.dialogue.rules(), "(quit stops; the run can be resumed)", sep="\n", file=sys.stderr)
        last = history[-1] if history else None
        print(f"\n[turn {len(history) + 1}]", self.dialogue.say(observation, last), file=sys.stderr)
        while True:
            print("> ", end="", file=sys.stderr, flush=True)
            reply = await asyncio.to_thread(sys.stdin.readline)
            if not reply or reply.strip().casefold() == "quit":
                raise KeyboardInterrupt
            action = self.dialogue.hear(reply, observation)
            if not isinstance(action, Unreadable):
                return Decision(action=action)
            print(f"{action.unreadable}; type two elements, like this: first + second", file=sys.stderr)
