"""From probabilities to what an element can lead to: its children and its combinations, counted or expected."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from athanor.values.arrays import Floats, Longs

LINKED = 0.5
"""Predicted success from which on a pair counts as one that makes something (Brändle et al. 2023)."""


class Thresholded:
    """Counts as published: children are the distinct most probable results of the pairs predicted to succeed.

    Element 0 counts like every other; the published code passes over its column, which `empowerment_brandle2023` keeps.
    """

    def __init__(self, n: int) -> None:
        self._made = np.zeros((n, n), dtype=np.bool_)
        self._made_but_first = np.zeros((n, n), dtype=np.bool_)
        self._links = np.zeros(n, dtype=np.int64)

    def add(self, ends: Longs, success: Tensor, results: Tensor) -> None:
        """Take account of pairs of these elements. `success`: Float["pairs"], `results`: Float["pairs elements"]."""
        linked = (success >= LINKED).numpy()
        ends, results = ends[linked], results[torch.from_numpy(linked)]
        self._made[ends, results.argmax(dim=1).numpy()] = True
        self._made_but_first[ends, 1 + results[:, 1:].argmax(dim=1).numpy()] = True
        np.add.at(self._links, ends, 1)

    def elements(self) -> dict[str, Floats]:
        """By the name of the pair value it is for, each Float["elements"]."""
        children, links = self._made.sum(axis=1).astype(np.float64), self._links.astype(np.float64)
        return {
            "empowerment": children,
            "empowerment_combinations": links,
            "binary": (children > 0).astype(np.float64),
            "binary_combinations": (links > 0).astype(np.float64),
            "empowerment_brandle2023": self._made_but_first.sum(axis=1).astype(np.float64),
        }


class Expected:
    """The same as expectations over what the probabilities leave open, without a threshold.

    The expected number of distinct children of e is the sum over elements r of 1 - prod over pairs (e, b) of
    1 - p(e, b) P(r | e, b): pairs are taken as independent, and each to make one thing at most.
    """

    def __init__(self, n: int) -> None:
        self._none = torch.zeros(n, n, dtype=torch.float64)
        self._links = torch.zeros(n, dtype=torch.float64)
        self._no_link = torch.zeros(n, dtype=torch.float64)

    def add(self, ends: Longs, success: Tensor, results: Tensor) -> None:
        """Take account of pairs of these elements. `success`: Float["pairs"], `results`: Float["pairs elements"]."""
        at, success = torch.from_numpy(ends), success.double().clamp(max=1 - 1e-9)
        self._none.index_add_(0, at, torch.log1p(-success[:, None] * results))
        self._no_link.index_add_(0, at, torch.log1p(-success))
        self._links.index_add_(0, at, success)

    def elements(self) -> dict[str, Floats]:
        """By the name of the pair value it is for, each Float["elements"]."""
        some = -torch.expm1(self._no_link)
        return {
            "empowerment": (-torch.expm1(self._none)).sum(dim=1).numpy(),
            "empowerment_combinations": self._links.numpy(),
            "binary": some.numpy(),
        }
