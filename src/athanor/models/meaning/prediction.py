"""From networks to values: every pair asked of the networks that never saw it, and what follows for empowerment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from athanor.core.errors import DataError
from athanor.core.progress import progress
from athanor.models.meaning import brandle2023, exact
from athanor.models.meaning.counting import Expected, Thresholded
from athanor.models.meaning.embeddings import Vectors
from athanor.models.meaning.fitting import Compute, Predictor
from athanor.models.meaning.folds import FOLDS, Folds, Split, folds
from athanor.models.meaning.lessons import Lessons
from athanor.values.arrays import Floats, Ints, Longs, TableArrays
from athanor.values.meaning import Predictions
from athanor.values.tables import PairValues

RecipeName = Literal["exact", "brandle2023"]


@dataclass(frozen=True)
class Recipe:
    """How networks are fitted, and how what they say is counted."""

    held: float
    fit: Callable[[Lessons, Folds, int, int, Compute], Predictor]
    counting: Callable[[int], Expected | Thresholded]
    averaged: bool
    """By element: whether what an element leads to is counted on the mean over both folds of its pairs, as published,
    or only on the fold that knows nothing of it. In the other fold its pairs were learned from, and how many of them
    succeed is what is to be predicted."""


RECIPES: dict[RecipeName, Recipe] = {
    "exact": Recipe(exact.HELD, exact.fit_networks, Expected, averaged=False),
    "brandle2023": Recipe(brandle2023.HELD, brandle2023.fit_networks, Thresholded, averaged=True),
}

CHUNK = 8192
"""Pairs asked at once."""

FIT = 10
"""How many chunks of pairs could be asked in the time that fitting a fold takes, about: for the progress bar."""

KEPT = 2**30
"""Bytes of probabilities of results that are kept for the second pass over the pairs; more are asked for again."""


def predict(
    world: TableArrays,
    vectors: Vectors,
    split: Split,
    recipe: RecipeName,
    seed: int,
    *,
    count: int = FOLDS,
    compute: Compute | None = None,
) -> Predictions:
    """Fit networks fold by fold and predict every pair of a world by cross-validation. Takes minutes; shows a bar.

    `vectors`: Float["elements dims"]. Equal arguments give equal values on the same machine and libraries.
    """
    if vectors.shape[:1] != (world.n,):
        raise DataError(f"vectors have shape {vectors.shape}, one row for each of {world.n} elements was expected")
    chosen, compute = RECIPES[recipe], compute or Compute()
    lessons, parts = Lessons(world, vectors), folds(world, split, seed, count, chosen.held)
    chunks = -(-len(world.recipe) // CHUNK)
    with progress(FIT * count + chunks, "part", f"{world.table.name} by {split}, {recipe}") as bar:
        networks: list[Predictor] = []
        for fold in range(count):
            networks.append(chosen.fit(lessons, parts, fold, seed, compute))
            bar.update(FIT)
        return _predicted(Asked(world, parts, networks, compute.device), lessons, chosen, bar.update)


@dataclass(frozen=True)
class Asked:
    """The networks of all folds, each asked only for pairs it is tested on."""

    world: TableArrays
    folds: Folds
    networks: Sequence[Predictor]
    device: str

    def chunks(self) -> Iterator[tuple[Longs, Longs, Longs]]:
        """Numbers of pairs with their elements, some at a time."""
        low, high = self.world.low_high
        for start in range(0, len(low), CHUNK):
            end = min(start + CHUNK, len(low))
            yield np.arange(start, end), low[start:end], high[start:end]

    def both(self, pairs: Longs, ask: Callable[[Predictor, Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """What is said of each pair where its lower element is new, and where its higher one is, on the CPU.

        By pair, and where both elements are new at once, the two are the same.
        """
        first = self._of(pairs, self.folds.low[pairs], ask)
        other = np.flatnonzero(self.folds.low[pairs] != self.folds.high[pairs])
        if not len(other):
            return first, first
        second = first.clone()
        second[torch.from_numpy(other)] = self._of(pairs[other], self.folds.high[pairs[other]], ask)
        return first, second

    def results(self, pairs: Longs) -> Tensor:
        """Float["pairs elements"]: the probability of each element to be what a pair makes, the mean of `both`."""
        return _mean(self.both(pairs, lambda net, a, b: net.results(a, b)))

    def _of(self, pairs: Longs, fold: Ints, ask: Callable[[Predictor, Tensor, Tensor], Tensor]) -> Tensor:
        """What the networks of its fold say of each pair."""
        low, high = (torch.from_numpy(ends[pairs]) for ends in self.world.low_high)
        numbers = [np.flatnonzero(fold == number) for number in range(len(self.networks))]
        said: list[Tensor] = []
        for network, rows in zip(self.networks, numbers, strict=True):
            if len(rows):
                with torch.inference_mode():
                    said.append(ask(network, low[rows].to(self.device), high[rows].to(self.device)).float().cpu())
        order = np.concatenate(numbers)
        return torch.cat(said)[torch.from_numpy(np.argsort(order))]


def _mean(both: tuple[Tensor, Tensor]) -> Tensor:
    return (both[0] + both[1]) / 2


def _predicted(asked: Asked, lessons: Lessons, recipe: Recipe, done: Callable[[], object]) -> Predictions:
    world, counting = asked.world, recipe.counting(asked.world.n)
    success, direct = (np.zeros(len(world.recipe)) for _ in range(2))
    rank, chance = (np.zeros(len(world.results.items)) for _ in range(2))
    kept: list[Tensor] = []
    for pairs, low, high in asked.chunks():
        links = asked.both(pairs, lambda net, a, b: net.success(a, b))
        made = asked.both(pairs, lambda net, a, b: net.results(a, b))
        success[pairs], results = _mean(links).numpy(), _mean(made)
        direct[pairs] = _mean(asked.both(pairs, lambda net, a, b: net.empowerment(a, b))).numpy()
        if recipe.averaged:
            links, made = (_mean(links), _mean(links)), (results, results)
        other = low != high
        counting.add(low, links[0], made[0])
        counting.add(high[other], links[1][other], made[1][other])
        _judge(world, pairs, results, rank, chance)
        if 4 * len(success) * world.n <= KEPT:
            kept.append(results)
        done()
    elements = counting.elements()
    counts = torch.from_numpy(np.stack(list(elements.values()), axis=1)).float()
    expected = np.zeros((len(success), len(elements)))
    for number, (pairs, _, _) in enumerate(asked.chunks()):
        expected[pairs] = ((kept[number] if kept else asked.results(pairs)) @ counts).numpy()
    values = dict(zip(elements, (success[:, None] * expected).T.copy(), strict=True))
    fixed = {"similarity": _similarity(lessons), "success": success, "empowerment_direct": direct}
    return Predictions(PairValues(world, {**fixed, **values}), elements, rank, chance)


def _similarity(lessons: Lessons) -> Floats:
    """Float["pairs"]: the cosine of the two names' vectors."""
    low, high = lessons.world.low_high
    unit = lessons.vectors / np.linalg.norm(lessons.vectors, axis=1, keepdims=True)
    return (unit @ unit.T)[low, high].astype(np.float64)


def _judge(world: TableArrays, pairs: Longs, results: Tensor, rank: Floats, chance: Floats) -> None:
    """Write the rank and the probability of each true result of these pairs; equals share their mean rank."""
    starts = world.results.starts
    for row in np.flatnonzero(world.recipe[pairs] >= 0):
        recipe = world.recipe[pairs[row]]
        for place in range(starts[recipe], starts[recipe + 1]):
            said, own = results[row], results[row, world.results.items[place]]
            rank[place] = 0.5 + float((said > own).sum()) + float((said == own).sum()) / 2
            chance[place] = float(own)
