"""From networks to values: every pair asked of the networks that never saw it, and what follows for empowerment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
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
from athanor.values.arrays import Floats, Longs, TableArrays
from athanor.values.meaning import Predictions
from athanor.values.tables import PairValues

RecipeName = Literal["exact", "brandle2023"]


@dataclass(frozen=True)
class Recipe:
    """How networks are fitted, and how what they say is counted."""

    held: float
    fit: Callable[[Lessons, Folds, int, int, Compute], Predictor]
    counting: Callable[[int], Expected | Thresholded]


RECIPES: dict[RecipeName, Recipe] = {
    "exact": Recipe(exact.HELD, exact.fit_networks, Expected),
    "brandle2023": Recipe(brandle2023.HELD, brandle2023.fit_networks, Thresholded),
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
        return _predicted(Asked(world, parts, networks, compute.device), lessons, chosen.counting(world.n), bar.update)


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

    def mean(self, pairs: Longs, ask: Callable[[Predictor, Tensor, Tensor], Tensor]) -> Tensor:
        """What the networks say of each pair, the mean over the folds that test it, on the CPU."""
        low, high = (torch.from_numpy(ends[pairs]) for ends in self.world.low_high)
        total: Tensor | None = None
        for network, tested in zip(self.networks, self.folds.tested[:, pairs], strict=True):
            rows = torch.from_numpy(np.flatnonzero(tested))
            if len(rows):
                with torch.inference_mode():
                    said = ask(network, low[rows].to(self.device), high[rows].to(self.device)).float().cpu()
                total = torch.zeros(len(pairs), *said.shape[1:]) if total is None else total
                total[rows] += said
        assert total is not None
        times = torch.from_numpy(self._times[pairs])
        return total / times.reshape(-1, *[1] * (total.ndim - 1))

    def results(self, pairs: Longs) -> Tensor:
        """Float["pairs elements"]: the probability of each element to be what a pair makes."""
        return self.mean(pairs, lambda net, a, b: net.results(a, b))

    @cached_property
    def _times(self) -> np.ndarray:
        return self.folds.tested.sum(axis=0).astype(np.float32)


def _predicted(
    asked: Asked, lessons: Lessons, counting: Expected | Thresholded, done: Callable[[], object]
) -> Predictions:
    world = asked.world
    success, direct = (np.zeros(len(world.recipe)) for _ in range(2))
    rank, chance = (np.zeros(len(world.results.items)) for _ in range(2))
    kept: list[Tensor] = []
    for pairs, low, high in asked.chunks():
        success[pairs] = asked.mean(pairs, lambda net, a, b: net.success(a, b)).numpy()
        direct[pairs] = asked.mean(pairs, lambda net, a, b: net.empowerment(a, b)).numpy()
        results = asked.results(pairs)
        counting.add(low, high, torch.from_numpy(success[pairs]).float(), results)
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
    low, high = world.low_high
    unit = lessons.vectors / np.linalg.norm(lessons.vectors, axis=1, keepdims=True)
    similarity = (unit @ unit.T)[low, high].astype(np.float64)
    fixed = {"similarity": similarity, "success": success, "empowerment_direct": direct}
    return Predictions(PairValues(world, {**fixed, **values}), elements, rank, chance)


def _judge(world: TableArrays, pairs: Longs, results: Tensor, rank: Floats, chance: Floats) -> None:
    """Write the rank and the probability of each true result of these pairs; equals share their mean rank."""
    starts = world.results.starts
    for row in np.flatnonzero(world.recipe[pairs] >= 0):
        recipe = world.recipe[pairs[row]]
        for place in range(starts[recipe], starts[recipe + 1]):
            said, own = results[row], results[row, world.results.items[place]]
            rank[place] = 0.5 + float((said > own).sum()) + float((said == own).sum()) / 2
            chance[place] = float(own)
