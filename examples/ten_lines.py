"""A small language model explores the bundled world, in ten lines."""

import asyncio

from athanor.agents.language import Language, Memory
from athanor.core.play import Planned, play
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.text import AlchemyDialogue
from athanor.environments.alchemy.worlds import table
from athanor.models.backends.llamacpp import SMOLLM2, LlamaConfig, LlamaCpp

world = Alchemy(table=table("atelier"), rules=RULES["strict"])
dialogue = AlchemyDialogue(environment=world)
model = LlamaCpp(SMOLLM2, LlamaConfig(slots=1))
agent = Language(
    backend=model, dialogue=dialogue, memory=Memory(kind="tried"), temperature=1.0, max_tokens=16, constrained=True
)
planned = Planned(key="0000", task=next(world.tasks("open", seed=0)))
episode = asyncio.run(play(world, Discovery(environment=world), agent, planned, seed=0, turns=10))
for turn in episode.turns:
    print(turn.index, turn.verdict.reason)
print(f"{episode.total:.0f} discoveries, {episode.end}")
