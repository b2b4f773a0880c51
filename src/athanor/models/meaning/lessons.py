"""What networks learn from: the pairs of a world as index tensors, and batches of them in a seeded order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from athanor.core.seeds import stream
from athanor.models.meaning.embeddings import Vectors
from athanor.values.arrays import Bools, Floats, Longs, TableArrays
from athanor.values.tables import true_empowerment


@dataclass(frozen=True)
class Rows:
    """Ordered pairs with what is to be learned of each."""

    first: Longs
    """Int["rows"]: an element."""
    second: Longs
    label: NDArray[Any]
    """["rows"]: whether it makes something, what (an element), or how empowering that is."""

    def both_orders(self) -> Rows:
        """Every pair as (a, b) and as (b, a); a self-pair once."""
        other = self.first != self.second
        return Rows(
            np.concatenate([self.first, self.second[other]]),
            np.concatenate([self.second, self.first[other]]),
            np.concatenate([self.label, self.label[other]]),
        )

    def __getitem__(self, kept: Longs) -> Rows:
        return Rows(self.first[kept], self.second[kept], self.label[kept])


@dataclass(frozen=True)
class Lessons:
    """A world, and the vectors of its elements' names."""

    world: TableArrays
    vectors: Vectors
    """Float["elements dims"]"""

    def links(self, kept: Bools) -> Rows:
        """The pairs among `kept`, each with whether it makes something."""
        return self._rows(np.flatnonzero(kept), (self.world.recipe >= 0).astype(np.float32))

    def results(self, kept: Bools) -> Rows:
        """The pairs among `kept` that make something with each of their results, one row a result."""
        recipe = self.world.recipe
        pairs = np.flatnonzero(kept & (recipe >= 0))
        lists = [self.world.results[number] for number in recipe[pairs]]
        low, high = self.world.low_high
        rows = np.repeat(pairs, [len(made) for made in lists])
        return Rows(low[rows], high[rows], np.concatenate([np.zeros(0, np.int32), *lists]).astype(np.int64))

    def empowerment(self, kept: Bools) -> Rows:
        """The pairs among `kept` that make something, each with its true empowerment.

        As published, that counts children over the whole table: those that pairs not in `kept` make are in the label.
        """
        return self._rows(np.flatnonzero(kept & (self.world.recipe >= 0)), self._empowerment.astype(np.float32))

    def standardised(self, rows: Rows) -> Vectors:
        """The vectors with mean 0 and standard deviation 1 in every dimension, over both ends of the given rows.

        Elements that are in no row have no part in it. A dimension without spread is left unscaled.
        """
        uses = np.bincount(np.concatenate([rows.first, rows.second]), minlength=self.world.n).astype(np.float64)
        share = uses / uses.sum()
        centred = self.vectors - share @ self.vectors
        spread = np.sqrt(share @ centred**2)
        return (centred / np.where(spread > 1e-12, spread, 1.0)).astype(np.float32)

    @cached_property
    def _empowerment(self) -> Floats:
        return true_empowerment(self.world)

    def _rows(self, pairs: Longs, labels: NDArray[np.float32]) -> Rows:
        low, high = self.world.low_high
        return Rows(low[pairs], high[pairs], labels[pairs])


def generator(seed: int, *names: str | int) -> torch.Generator:
    """A torch generator on the CPU by name, as `stream` gives numpy's; what is drawn is the same on every device."""
    return torch.Generator().manual_seed(int(stream(seed, "meaning", *names).integers(2**63)))


def batches(rows: int, size: int, steps: int, draw: torch.Generator) -> Iterator[Tensor]:
    """Row numbers for each step, from pass after pass over all rows, each in a new order; its last may be short."""
    left = torch.zeros(0, dtype=torch.int64)
    for _ in range(steps):
        if not len(left):
            left = torch.randperm(rows, generator=draw)
        batch, left = left[:size], left[size:]
        yield batch
