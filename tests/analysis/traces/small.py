"""Labellers that answer what they are told to, and runs with traces."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from athanor.analysis.traces import LABELS, Label, LabelFile, Labelled, Labeller, Passage, label_all
from athanor.core.history import History
from athanor.core.records import Completion, Decision, Message, Sampling
from athanor.environments.alchemy import Pair, Sight
from tests.analysis.small import run

Reply = Callable[[list[int], int], str]
"""From the numbers asked about and the number of the request (from 0) to an answer."""


def right(numbers: list[int], request: int) -> str:
    """Every sentence labelled, by its number."""
    return "\n".join(f"{n}: {LABELS[n % 7]}" for n in numbers)


@dataclass
class Puppet:
    """A backend that answers by a function of what it is asked about. An exception is raised."""

    reply: Callable[[list[int], int], str | Exception] = right
    name: str = "puppet"
    slots: int = 1
    asked: list[tuple[tuple[Message, ...], Sampling]] = field(default_factory=list)

    async def complete(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        self.asked.append((messages, sampling))
        await asyncio.sleep(0)
        numbers = [int(n) for n in re.findall(r"^\[(\d+)\] ", messages[1].text, re.MULTILINE)]
        answer = self.reply(numbers, len(self.asked) - 1)
        if isinstance(answer, Exception):
            raise answer
        return Completion(
            text=answer, model="puppet-1", prompt_tokens=100, completion_tokens=10, cost=0.25, seconds=0.5
        )

    async def close(self) -> None: ...


def passage(sentences: int = 3, key: str = "p", episode: str = "e") -> Passage:
    return Passage(key=key, episode=episode, turn=0, sentences=tuple(f"Thought {i + 1}." for i in range(sentences)))


def labelled(*labels: Label | None, key: str = "p", episode: str = "e", cut: bool = False, **other: Any) -> Labelled:
    sentences = tuple(f"Thought {i + 1}." for i in range(len(labels)))
    return Labelled(passage=key, episode=episode, sentences=sentences, labels=labels, cut=cut, **other)


def label(backend: Any, of: Passage, **options: Any) -> Labelled:
    return asyncio.run(Labeller(backend=backend, **options).label(of))


def into(path: Path, backend: Any, passages: Sequence[Passage], concurrency: int = 1) -> dict[str, Labelled]:
    with LabelFile(path) as file:
        return asyncio.run(label_all(passages, Labeller(backend=backend), file, concurrency=concurrency))


@dataclass(frozen=True)
class Thinker:
    """An agent that thinks three sentences aloud, or in the dark, before it chooses."""

    hidden: bool = False
    finish: str = "stop"
    thought: str = "I want much. Water flows. I choose water + fire."
    name: str = "language"

    async def act(self, observation: Sight, history: History[Pair], rng: Any) -> Decision[Pair]:
        completion = Completion(
            text="water + fire" if self.hidden else self.thought, reasoning=self.thought if self.hidden else "",
            model="fake", completion_tokens=30, finish=self.finish,
        )  # fmt: skip
        return Decision(action=Pair(first="water", second="fire"), completion=completion)


def thinking(path: Path, agent: Any = None, condition: str = "reasoning", episodes: int = 2, turns: int = 2) -> Path:
    return run(path, agent or Thinker(), episodes=episodes, turns=turns, extra={"condition": condition})
