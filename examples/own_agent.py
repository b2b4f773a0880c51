"""An agent of your own is a name and one method; here, one that never repeats and trusts what has made much so far."""

import asyncio
from collections import Counter
from itertools import combinations_with_replacement

from athanor.agents.baselines import RandomNeverRepeat
from athanor.core.play import Planned, play
from athanor.core.records import Decision
from athanor.core.seeds import below
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.worlds import table


class Trusting:
    name = "trusting"

    async def act(self, observation, history, rng):
        tried = {frozenset((turn.action.first, turn.action.second)) for turn in history}
        uses = Counter(e for turn in history for e in (turn.action.first, turn.action.second))
        made = Counter(e for turn in history if turn.verdict.passed for e in (turn.action.first, turn.action.second))
        trust = {element: (1 + made[element]) / (1 + uses[element]) for element in observation.combinable}
        pairs = [p for p in combinations_with_replacement(observation.combinable, 2) if frozenset(p) not in tried]
        most = max(trust[a] * trust[b] for a, b in pairs)
        best = [(a, b) for a, b in pairs if trust[a] * trust[b] == most]
        first, second = best[below(rng, len(best))]
        return Decision(action=Pair(first=first, second=second))


world = Alchemy(table=table("atelier"), rules=RULES["strict"])
for agent in (Trusting(), RandomNeverRepeat()):
    planned = Planned(key="0000", task=next(world.tasks("open", seed=0)))
    episode = asyncio.run(play(world, Discovery(environment=world), agent, planned, seed=0, turns=200))
    print(f"{agent.name}: {episode.total:.0f} discoveries in {len(episode.turns)} turns")
