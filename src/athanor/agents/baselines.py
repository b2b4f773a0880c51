"""Players that know nothing of what words mean: the least that an exploring model must beat."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from athanor.core.history import History
from athanor.core.records import Decision, Turn
from athanor.environments.alchemy.state import Pair, Sight
from athanor.environments.alchemy.table import Names, ordered

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]


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
class Explored:
    """What was used and tried, by position among the combinable elements (they keep theirs: new ones come last)."""

    positions: dict[str, int] = field(default_factory=dict)
    uses: array[float] = field(default_factory=lambda: array("d"))
    """How often each element was used; a self-pair counts twice."""
    untried: bytearray = field(default_factory=bytearray)
    """1 for each pair not tried, else 0; the pair of positions i <= j is number j (j + 1) / 2 + i, as in `pairs_of`."""


def add_explored(explored: Explored, turn: Turn[Pair]) -> None:
    """Note the elements that a turn offered, and the pair it took."""
    positions, action = explored.positions, turn.action
    for element in turn.observation.combinable[len(positions) :]:
        positions[element] = len(positions)
        explored.uses.append(0)
        explored.untried.extend(bytes([1]) * len(positions))
    if isinstance(action, Pair) and action.first in positions and action.second in positions:
        one, other = positions[action.first], positions[action.second]
        explored.uses[one] += 1
        explored.uses[other] += 1
        low, high = (one, other) if one <= other else (other, one)
        explored.untried[high * (high + 1) // 2 + low] = 0


def pairs_of(n: int) -> tuple[Positions, Positions]:
    """The two positions of each unordered pair of n elements, in an order that more elements only append to."""
    high, low = _triangle(1 << n.bit_length())
    return low[: n * (n + 1) // 2], high[: n * (n + 1) // 2]


@lru_cache(maxsize=4)
def _triangle(n: int) -> tuple[Positions, Positions]:
    return np.tril_indices(n)


def uncertainty(uses: Floats, turns: int) -> Floats:
    """sqrt(ln T / (1 + uses)), T = 1 + turns so far: how little each element has been used (Pan et al. 2025)."""
    return np.sqrt(math.log(1 + turns) / (1.0 + uses))


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
        explored = history.fold(Explored, add_explored)
        elements = observation.combinable
        low, high = pairs_of(len(elements))
        uses = np.frombuffer(explored.uses + array("d", [0.0] * (len(elements) - len(explored.uses))))
        untried = explored.untried + bytes([1]) * (len(low) - len(explored.untried))
        left = np.frombuffer(untried, dtype=bool).nonzero()[0]
        if not len(left):
            return Decision(action=draw(elements, rng))
        low, high, worth = low[left], high[left], uncertainty(uses, len(history))
        cumulative = softmax(worth[low] + worth[high], self.temperature).cumsum()
        chosen = int(cumulative.searchsorted(rng.random() * float(cumulative[-1]), "right"))
        chosen = min(chosen, len(left) - 1)
        first, second = ordered(elements[low[chosen]], elements[high[chosen]])
        return Decision(action=Pair(first=first, second=second))


def softmax(values: Floats, temperature: float) -> Floats:
    """Weights of a softmax of z-scored values, the largest 1 (population deviation; constant values weigh the same)."""
    centred = values - values.sum() / len(values)
    spread = math.sqrt(centred @ centred / len(values))
    return np.exp((centred - centred.max()) / (spread * temperature or 1.0))
