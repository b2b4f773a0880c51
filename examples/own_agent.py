"""An agent of your own is a name and one method; here, one that always uses its newest element."""

import asyncio

from athanor.core.play import Planned, play
from athanor.core.records import Decision
from athanor.core.seeds import below
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.worlds import table


class Newest:
    name = "newest"

    async def act(self, observation, history, rng):
        elements = observation.combinable
        return Decision(action=Pair(first=elements[-1], second=elements[below(rng, len(elements))]))


world = Alchemy(table=table("generated:opaque:7"), rules=RULES["strict"])
planned = Planned(key="0000", task=next(world.tasks("open", seed=0)))
episode = asyncio.run(play(world, Discovery(environment=world), Newest(), planned, seed=0, turns=200))
print(f"{episode.total:.0f} discoveries in {len(episode.turns)} turns")
