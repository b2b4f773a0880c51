"""A person at the terminal."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field

import numpy as np

from athanor.core.history import History
from athanor.core.protocols import Dialogue
from athanor.core.records import Decision, Unreadable
from athanor.environments.alchemy.state import Pair, Sight

_WORDS = "(list or ? shows what you own and have tried; quit stops, and the run can be resumed)"


@dataclass(frozen=True, kw_only=True)
class Human:
    """Shows the same messages that a model gets, on standard error, and reads an answer from standard input.

    An episode's first turn in this process, the first of all or the first after `--resume`, shows the rules, what is
    owned and what was tried; `list` or `?` shows the latter two again. An answer that cannot be read is asked for
    again and costs nothing. `quit` (or the end of input) stops the run, which `--resume` goes on with.
    """

    dialogue: Dialogue[Sight, Pair]
    name: str = "human"
    _shown: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    """Episodes that this process has introduced; nothing that is chosen depends on them."""

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        print(f"\n[turn {len(history) + 1}]", file=sys.stderr)
        if history.episode in self._shown:
            print(self.dialogue.say(observation, history[-1] if history else None), file=sys.stderr)
        else:
            self._shown.add(history.episode)
            print(self.dialogue.rules(), _WORDS, self.dialogue.recall(observation, history), sep="\n", file=sys.stderr)
        while True:
            print("> ", end="", file=sys.stderr, flush=True)
            reply = await asyncio.to_thread(sys.stdin.readline)
            word = reply.strip().casefold()
            if not reply or word == "quit":
                raise KeyboardInterrupt
            if word in ("list", "?"):
                print(self.dialogue.recall(observation, history), file=sys.stderr)
                continue
            action = self.dialogue.hear(reply, observation)
            if not isinstance(action, Unreadable):
                return Decision(action=action)
            print(f"{action.unreadable}; type two elements, like this: first + second", file=sys.stderr)
