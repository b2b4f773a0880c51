"""A world of seven elements and runs in it, made quickly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from athanor.agents.baselines import Random, RandomNeverRepeat
from athanor.core.history import History
from athanor.core.play import Planned, play
from athanor.core.records import Completion, Decision, Unreadable
from athanor.core.store import Manifest, RunFolder
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Gift, Pair, Sight, Table

TABLE = Table(
    name="tiny",
    elements=("water", "fire", "earth", "steam", "mud", "brick", "luck"),
    base=("water", "fire", "earth"),
    results={
        ("fire", "water"): ("steam",),
        ("earth", "water"): ("mud",),
        ("fire", "mud"): ("brick",),
        ("luck", "luck"): ("water",),
    },
    gifts=(Gift(element="luck", size=5),),
)

Said = Pair | Unreadable | Exception


def pair(text: str) -> Pair:
    first, second = text.split(" + ")
    return Pair(first=first, second=second)


@dataclass(frozen=True)
class Scripted:
    """Says what it was given, episode after episode; an exception is raised."""

    script: tuple[tuple[Said, ...], ...]
    reply: str = "I choose {}."
    known: bool = True
    cut: tuple[int, ...] = ()
    """The turns whose answer the token bound cuts."""
    said: tuple[int, ...] = (7,)
    """Tokens of the answers, turn by turn and from the first again; an episode later, shifted by one."""
    name: str = "language"

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        said = self.script[int(history.episode)][len(history)]
        if isinstance(said, Exception):
            raise said
        if not self.known:
            return Decision(action=said, completion=Completion(text=self.reply.format(said), model="fake"))
        prompt = 100 + 10 * len(history)
        completion = Completion(
            text=self.reply.format(said), model="fake", prompt_tokens=prompt, cached_tokens=prompt - 30,
            completion_tokens=self.said[(len(history) + int(history.episode)) % len(self.said)], cost=0.001,
            finish="length" if len(history) in self.cut else "stop",
        )  # fmt: skip
        return Decision(action=said, completion=completion)


def script(*episodes: Sequence[Said]) -> Scripted:
    return Scripted(tuple(tuple(episode) for episode in episodes))


HAND = (
    pair("water + fire"),  # success-new: steam
    pair("fire + water"),  # success-existing, repeated
    pair("water + water"),  # failure-new
    Unreadable(unreadable="no pair"),  # invalid: unreadable
    pair("fire + brick"),  # invalid: unowned
    pair("earth + water"),  # success-new: mud, and the gift of luck
)
"""Six turns with known categories; under strict rules the inventory goes 4, 4, 4, 4, 4, 6."""


def run(
    path: Path, agent: Any, *, episodes: int, turns: int = 6, rules: str = "strict", label: str = "",
    table: Table = TABLE, split: str = "open", tasks: int = 1,
    extra: dict[str, Any] | None = None, execution: dict[str, Any] | None = None,
) -> Path:  # fmt: skip
    """A whole run folder. `tasks`: the first so many of the split are played in turn, again and again."""
    environment = Alchemy(table=table, rules=RULES[rules])
    config = {"environment": "alchemy", "table": table.name, "rules": rules, "agent": agent.name, "turns": turns}
    manifest = Manifest(
        kind="play alchemy", config={**config, "episodes": episodes, "seed": 0, **(extra or {})}, build="0",
        versions={"athanor-lab": "0"}, hashes={"table": table.digest}, label=label or agent.name, created="",
        execution=execution or {},
    )  # fmt: skip
    folder: RunFolder[Pair] = RunFolder.create(path, manifest)
    several = list(islice(environment.tasks(split, 0), tasks))

    async def everything() -> None:
        for i in range(episodes):
            planned = Planned(key=f"{i:04d}", task=several[i % len(several)])
            await play(
                environment, Discovery(environment=environment), agent, planned, seed=0, turns=turns, sink=folder
            )

    asyncio.run(everything())
    folder.close()
    return path


def baselines(path: Path, *, episodes: int = 3, rules: str = "strict") -> list[Path]:
    return [run(path / agent.name, agent, episodes=episodes, rules=rules) for agent in (Random(), RandomNeverRepeat())]
