"""Agents that choose by what a pair is worth to them: one value or a weighted sum, and a softmax."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from athanor.agents.baselines import draw
from athanor.agents.choosing import choose, standardised
from athanor.agents.explored import Explored, Memory, candidates, element_value, explored
from athanor.core.errors import UsageError
from athanor.core.history import History
from athanor.core.records import Decision
from athanor.environments.alchemy.state import Pair, Sight
from athanor.values.arrays import Bools, Floats, pair_number
from athanor.values.formulas import PAST
from athanor.values.tables import (
    LIVE,
    PairValues,
    true_empowerment_local,
    true_empowerment_new,
    true_success_new,
)

LARGEST = 1e100
"""Of a weight. Much smaller ones choose the best pair just as surely."""


TEMPERATURE = 0.1
"""Of the softmax where none is given; that of the published agents (Brändle et al. 2023)."""


@dataclass(frozen=True, kw_only=True)
class CognitiveOptions:
    """How the agent `cognitive` chooses; its temperature is --temperature (0.1 if left out)."""

    weights: str = "empowerment=1"
    """Values with weights, e.g. uncertainty=1,empowerment=0.5; docs/values.md has their names, and so has the error."""
    pair_values: str = "true"
    """Values of pairs: true (of the table itself), or a folder made by `athanor train empowerment`."""
    memory: Memory = "tried"
    """Pairs tried before: all candidates (none), none (tried), or one more after every fifth turn (forgetful)."""


def weights_of(text: str) -> tuple[tuple[str, float], ...]:
    """Weights as they are written on the command line. UsageError for anything else.

    >>> weights_of("uncertainty=1, recency=-0.5")
    (('uncertainty', 1.0), ('recency', -0.5))
    """
    found = []
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not (name and equals and math.isfinite(weight)):
            raise UsageError(
                f"the weight {part!r} is not NAME=NUMBER; pass for example --weights uncertainty=1,value=0.5"
            )
        if abs(weight) > LARGEST:
            raise UsageError(f"the weight {part!r} is beyond {LARGEST:g}, where sums overflow; pass a smaller one")
        if name in (other for other, _ in found):
            raise UsageError(f"{name} has two weights in {text!r}; pass --weights with one of each")
        found.append((name, weight))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Cognitive:
    """Chooses pairs by their worth (Brändle et al. 2023, their models of players).

    Each value is z-scored over the candidate pairs; the softmax is over their weighted sum, divided by the temperature.
    A candidate is any pair of what can be combined that its `memory` does not leave out (`explored.candidates`). When
    nothing is left it repeats at random.
    """

    values: PairValues
    """The world, and the values of its pairs that do not change."""
    weights: tuple[tuple[str, float], ...]
    """Names of values (of the past, live, or in `values`) with their weights."""
    temperature: float = TEMPERATURE
    memory: Memory = "tried"
    name: str = field(default="cognitive")

    def __post_init__(self) -> None:
        known = (*PAST, *LIVE, *self.values.values)
        for name, _ in self.weights:
            if name not in known:
                raise UsageError(f"the value {name!r} is not one of {', '.join(known)}; pass those with --weights")
        if not self.weights:
            raise UsageError(
                f"no value was given to choose by, some of {', '.join(known)} were expected; pass --weights"
            )
        if not self.temperature > 0:
            raise UsageError(f"--temperature {self.temperature} was given, more than 0 was expected; pass 0.1, say")

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        elements = observation.combinable
        n = len(elements)
        past = explored(history, n)
        low, high = candidates(self.memory, history, n).nonzero()
        if not len(low):
            return Decision(action=draw(elements, rng))
        worth = np.zeros(len(low))
        for name, weight in self.weights:
            worth += weight * standardised(self._worth(name, past, observation, low, high))
        chosen = choose(worth / self.temperature, rng.random())
        return Decision(action=Pair(first=elements[low[chosen]], second=elements[high[chosen]]))

    def _worth(self, name: str, past: Explored, seen: Sight, low: np.ndarray, high: np.ndarray) -> Floats:
        """Float["candidates"]: one value of each candidate pair, given by the positions of its elements."""
        n = len(seen.combinable)
        if name in PAST:
            element = element_value(name, past, n)
            return element[low] + element[high]
        indices = self.values.world.indices(seen.combinable)
        numbers = pair_number(indices[low], indices[high])
        if name in self.values.values:
            return self.values.values[name][numbers]
        return self._live(name, seen)[numbers]

    def _live(self, name: str, seen: Sight) -> Floats:
        world, owned = self.values.world, self._mask(seen.owned)
        match name:
            case "true_success_new":
                return true_success_new(world, owned)
            case "true_empowerment_new":
                return true_empowerment_new(world, owned)
            case _:
                return true_empowerment_local(world, owned, self._mask(seen.combinable))

    def _mask(self, names: tuple[str, ...]) -> Bools:
        mask = np.zeros(self.values.world.n, dtype=np.bool_)
        mask[self.values.world.indices(names)] = True
        return mask
