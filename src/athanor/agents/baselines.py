"""Players that know nothing of what words mean: the least that an exploring model must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from athanor.agents.choosing import choose, compiled_choose_sum, standardised
from athanor.agents.explored import explored
from athanor.core.history import History
from athanor.core.records import Decision, Turn
from athanor.environments.alchemy.state import Pair, Sight
from athanor.environments.alchemy.table import Names, ordered
from athanor.values import formulas


def no_pairs() -> set[Names]:
    """The summary of an empty past: no pair was tried."""
    return set()


def add_pair(tried: set[Names], turn: Turn[Pair]) -> None:
    """Note the pair of a turn as tried."""
    action = turn.action
    if isinstance(action, Pair):
        tried.add(ordered(action.first, action.second))


def draw(elements: tuple[str, ...], rng: np.random.Generator) -> Pair:
    """Two independent uniform draws: each unordered pair twice as likely as each self-pair."""
    n = len(elements)
    first, second = divmod(int(rng.random() * n * n), n)
    return Pair(first=elements[first], second=elements[second])


@dataclass(frozen=True)
class Random:
    """Memoryless: two independent uniform draws a turn."""

    name: str = "random"

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        return Decision(action=draw(observation.combinable, rng))


@dataclass(frozen=True)
class RandomNeverRepeat:
    """Draws as `Random` does and rejects what was tried (Brändle et al. 2023, their base agent).

    When rejection is hopeless it chooses among what is left with the same probabilities; when nothing is left it
    repeats.
    """

    name: str = "random-never-repeat"

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        tried = history.fold(no_pairs, add_pair)
        elements = observation.combinable
        n, random = len(elements), rng.random
        for _ in range(64):
            i, j = divmod(int(random() * n * n), n)
            first, second = elements[i], elements[j]
            if ordered(first, second) not in tried:
                return Decision(action=Pair(first=first, second=second))
        left = untried(elements, tried)
        if not left:
            return Decision(action=draw(elements, rng))
        weights = np.array([1.0 if first == second else 2.0 for first, second in left])
        first, second = left[int(rng.choice(len(left), p=weights / weights.sum()))]
        return Decision(action=Pair(first=first, second=second))


def untried(elements: tuple[str, ...], tried: set[Names]) -> list[Names]:
    """The unordered pairs of these elements, self-pairs included, that were not tried."""
    pairs = ((first, second) for i, first in enumerate(elements) for second in elements[i:])
    return [pair for pair in pairs if ordered(*pair) not in tried]


@dataclass(frozen=True)
class Uncertainty:
    """Chooses elements it has used little (count-based): the `cbu` agent of Brändle et al. 2023.

    A pair is worth the sum of its elements' uncertainties (a self-pair twice its element's). The choice is a softmax
    over all pairs not tried, their values z-scored over those pairs and divided by the temperature. When nothing is
    left it repeats.
    """

    name: str = "uncertainty"
    temperature: float = 0.1

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        elements = observation.combinable
        n = len(elements)
        past = explored(history, n)
        if past.tried == n * (n + 1) // 2:
            return Decision(action=draw(elements, rng))
        worth, untried = formulas.uncertainty(past.turns, past.uses[:n]), past.untried[:n, :n]
        at = rng.random()
        one, other = compiled_choose_sum()(worth, untried, self.temperature, at)
        if one < 0:
            low, high = untried.nonzero()
            chosen = choose(standardised(worth[low] + worth[high]) / self.temperature, at)
            one, other = low[chosen], high[chosen]
        first, second = ordered(elements[one], elements[other])
        return Decision(action=Pair(first=first, second=second))
