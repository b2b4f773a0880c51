"""Players who choose by given values, made quickly."""

from __future__ import annotations

import asyncio

import numpy as np

from athanor.agents.cognitive import Cognitive
from athanor.agents.explored import Memory
from athanor.analysis.regressions import Group, group
from athanor.analysis.weights import SAMPLED
from athanor.core.play import Planned, play
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Choices, replay
from athanor.values.tables import PairValues

WORLD = TableArrays(table("generated:opaque:3"))
TRUE = PairValues.true(WORLD)


def choosing(
    name: str, *, turns: int = 40, count: int = 12, temperature: float = 1.0, memory: Memory = "tried", seed: int = 0,
    **weights: float,
) -> Group:  # fmt: skip
    """Players of so many turns who choose by a softmax of these values."""
    environment = Alchemy(table=WORLD.table, rules=RULES["strict"])
    agent = Cognitive(values=TRUE, weights=tuple(weights.items()), temperature=temperature, memory=memory)
    task, judge = next(environment.tasks("open", 0)), Discovery(environment=environment)

    async def played() -> list[tuple[str, str]]:
        planned = [Planned(key=f"{player:04d}", task=task) for player in range(count)]
        episodes = [await play(environment, judge, agent, one, seed=seed, turns=turns) for one in planned]
        return [(turn.action.first, turn.action.second) for episode in episodes for turn in episode.turns]

    pairs = asyncio.run(played())
    first, second = (WORLD.indices([pair[side] for pair in pairs]) for side in (0, 1))
    games = replay(WORLD, RULES["strict"], Choices(np.arange(count + 1) * turns, first, second))
    return group(name, games, TRUE, seed=seed, count=SAMPLED)
