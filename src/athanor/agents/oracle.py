"""The greedy player that knows the table: no choice finds more in one turn, but a plan can find more in the end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from athanor.core.history import History
from athanor.core.records import Decision
from athanor.core.seeds import below
from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.state import Pair, Sight
from athanor.environments.alchemy.table import Names


@dataclass(frozen=True)
class Oracle:
    """Combines the owned pair whose results bring the most elements not owned; ties are broken at random.

    Elements that can make more that is new count before those that cannot: of two pairs with equally many new
    results, the one whose results have more children not yet owned. When no pair brings anything new it repeats.

    It looks one turn ahead and at no gift, so it is no upper bound: what it makes early is not given to it later.
    """

    environment: Alchemy
    name: str = "oracle"

    @cached_property
    def _uses(self) -> dict[str, tuple[tuple[Names, tuple[str, ...]], ...]]:
        """The recipes each element is in."""
        found: dict[str, list[tuple[Names, tuple[str, ...]]]] = {e: [] for e in self.environment.table.elements}
        for pair, made in self.environment.table.results.items():
            for element in dict.fromkeys(pair):
                found[element].append((pair, made))
        return {element: tuple(recipes) for element, recipes in found.items()}

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        owned, usable = set(observation.owned), set(observation.combinable)
        at_once = self.environment.rules.results == "all"
        children = self.environment.table.children
        best, value = [], (0, -1)
        for element in observation.combinable:
            for pair, made in self._uses[element]:
                if pair[0] != element or pair[1] not in usable:
                    continue
                new = [e for e in made if e not in owned]
                new = new if at_once else new[:1]
                if not new or (observation.goal and observation.goal not in new):
                    continue
                worth = (len(new), sum(len(children[e] - owned) for e in new))
                if worth > value:
                    best, value = [pair], worth
                elif worth == value:
                    best.append(pair)
        if not best:
            return Decision(action=Pair(first=observation.combinable[0], second=observation.combinable[-1]))
        first, second = best[below(rng, len(best))]
        return Decision(action=Pair(first=first, second=second))
