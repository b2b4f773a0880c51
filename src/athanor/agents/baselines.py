"""Players that know nothing of what words mean: the least that an exploring model must beat."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from athanor.core.history import History
from athanor.core.records import Decision, Turn, Unreadable
from athanor.core.seeds import below
from athanor.environments.alchemy.state import Pair, Sight
from athanor.environments.alchemy.table import Names, ordered


def no_pairs() -> set[Names]:
    """The summary of an empty past: no pair was tried."""
    return set()


def add_pair(tried: set[Names], turn: Turn[Pair]) -> None:
    """Note the pair of a turn as tried."""
    if not isinstance(turn.action, Unreadable):
        tried.add(ordered(turn.action.first, turn.action.second))


def draw(elements: tuple[str, ...], rng: np.random.Generator) -> Pair:
    """Two independent uniform draws: each unordered pair twice as likely as each self-pair."""
    n = len(elements)
    return Pair(first=elements[below(rng, n)], second=elements[below(rng, n)])


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
        for _ in range(64):
            pair = draw(elements, rng)
            if ordered(pair.first, pair.second) not in tried:
                return Decision(action=pair)
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


def no_uses() -> dict[str, int]:
    """The summary of an empty past: nothing was used."""
    return {}


def add_uses(uses: dict[str, int], turn: Turn[Pair]) -> None:
    """Count the elements of a turn; a self-pair counts twice."""
    if not isinstance(turn.action, Unreadable):
        for element in (turn.action.first, turn.action.second):
            uses[element] = uses.get(element, 0) + 1


def uncertainty(uses: int, turns: int) -> float:
    """sqrt(ln T / (1 + uses)), T = 1 + turns so far: how little an element has been used (Pan et al. 2025)."""
    return math.sqrt(math.log(1 + turns) / (1 + uses)) if turns else 0.0


@dataclass(frozen=True)
class Uncertainty:
    """Chooses the two elements it has used least (count-based), by a softmax over elements' uncertainty.

    Pair values are sums of element values (self-pairs twice the element's). Over all pairs of n elements, a softmax
    of such sums needs no list of pairs: the two elements are drawn independently. Values are z-scored over the
    elements before they are divided by the temperature (Brändle et al. 2023 z-score them over the pairs).
    Tried pairs are rejected.
    """

    name: str = "uncertainty"
    temperature: float = 0.1

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        uses = history.fold(no_uses, add_uses)
        tried = history.fold(no_pairs, add_pair)
        elements = observation.combinable
        values = np.array([uncertainty(uses.get(element, 0), len(history)) for element in elements])
        weights = softmax(values, self.temperature)
        cumulative = np.cumsum(weights)
        for _ in range(64):
            drawn = np.minimum(np.searchsorted(cumulative, rng.random(2)), len(elements) - 1)
            pair = ordered(elements[drawn[0]], elements[drawn[1]])
            if pair not in tried:
                return Decision(action=Pair(first=pair[0], second=pair[1]))
        left = untried(elements, tried)
        if not left:
            return Decision(action=draw(elements, rng))
        index = {element: position for position, element in enumerate(elements)}
        log_weights = np.log(np.maximum(weights, 1e-300))
        logs = np.array([log_weights[index[a]] + log_weights[index[b]] + (a != b) * math.log(2) for a, b in left])
        chances = np.exp(logs - logs.max())
        first, second = left[int(rng.choice(len(left), p=chances / chances.sum()))]
        return Decision(action=Pair(first=first, second=second))


def softmax(values: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of z-scored values (population deviation; constant values give the uniform distribution)."""
    spread = values.std()
    scaled = (values - values.mean()) / (spread * temperature) if spread > 0 else np.zeros_like(values)
    weights = np.exp(scaled - scaled.max())
    return weights / weights.sum()
