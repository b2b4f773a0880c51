"""A language model as an agent: it is told the game in words and its answer is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from athanor.core.history import History
from athanor.core.protocols import Backend, Dialogue
from athanor.core.records import Completion, Decision, Message, Record, Sampling, Unread, Unreadable
from athanor.core.seeds import below
from athanor.models.backends.thoughts import part_thoughts

O = TypeVar("O")  # noqa: E741
A = TypeVar("A")

WITHHELD: dict[str, Unread] = {"content_filter": "filtered", "refusal": "refused"}
"""How a completion ends in which there is no answer to be read, and whose doing that is."""


class Memory(Record, kw_only=True):
    """How much of the past a model is shown."""

    kind: Literal["whole", "window", "tried"] = "whole"
    """All turns as a conversation; the latest turns as a conversation; or one message that sums the past up."""
    window: int = 50
    """Turns shown at most with `window`. Old ones are dropped in blocks of half a window, so that the prompt's
    beginning stays the same, and cached, for many turns."""

    def first(self, turns: int) -> int:
        """Index of the first turn shown when `turns` have been played."""
        if self.kind == "whole" or turns <= self.window:
            return 0
        block = max(1, self.window // 2)
        return -(-(turns - self.window) // block) * block


@dataclass(frozen=True, kw_only=True)
class Language(Generic[O, A]):
    """Asks a backend, once a turn. The conversation is a function of the history alone."""

    backend: Backend
    dialogue: Dialogue[O, A]
    max_tokens: int
    memory: Memory = field(default_factory=Memory)
    temperature: float | None = None
    top_p: float | None = None
    constrained: bool = False
    """Whether decoding is constrained to the answers that are legal now."""
    top_logprobs: int = 0
    reasoning_effort: str | None = None

    @property
    def name(self) -> str:
        return f"{self.backend.name}{', constrained' if self.constrained else ''}"

    async def act(self, observation: O, history: History[A], rng: np.random.Generator) -> Decision[A]:
        sampling = Sampling(
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=below(rng, 2**31),
            grammar=self.dialogue.grammar(observation) if self.constrained else None,
            top_logprobs=self.top_logprobs,
            reasoning_effort=self.reasoning_effort,
            conversation=history.episode,
        )
        completion = part_thoughts(await self.backend.complete(self.messages(observation, history), sampling))
        return Decision(action=self._read(completion, observation), completion=completion)

    def _read(self, completion: Completion, observation: O) -> A | Unreadable:
        """The action in an answer. One that was withheld or refused is not read: what is left of it is no choice."""
        if completion.finish in WITHHELD:
            what = f"it ended as {completion.finish!r}" + (f" with {completion.text[:80]!r}" if completion.text else "")
            return Unreadable(unreadable=what, cause=WITHHELD[completion.finish])
        action = self.dialogue.hear(completion.text, observation, completion.finish == "length")
        if isinstance(action, Unreadable):
            return Unreadable(unreadable=action.unreadable + self._why(completion))
        return action

    def _why(self, completion: Completion) -> str:
        """What the completion itself says about why nothing could be read."""
        if completion.finish != "length":
            return ""
        thought = not completion.text and (completion.reasoning or completion.reasoning_tokens)
        return f"{'; the model was still reasoning' if thought else ''}; it was cut at {self.max_tokens} tokens"

    def messages(self, observation: O, history: History[A]) -> tuple[Message, ...]:
        """What the model is shown: the rules, the remembered past, and the present."""
        system = Message(role="system", text=self.dialogue.rules())
        if self.memory.kind == "tried":
            pictures = self.dialogue.show(observation, None)
            return (system, Message(role="user", text=self.dialogue.recall(observation, history), images=pictures))
        said = [system]
        last: Any = None
        for turn in history[self.memory.first(len(history)) :]:
            said.append(self._told(turn.observation, last))
            said.append(Message(role="assistant", text=self.dialogue.echo(turn)))
            last = turn
        said.append(self._told(observation, last))
        return tuple(said)

    def _told(self, observation: O, last: Any) -> Message:
        """The message of a turn, with its pictures."""
        return Message(
            role="user", text=self.dialogue.say(observation, last), images=self.dialogue.show(observation, last)
        )
