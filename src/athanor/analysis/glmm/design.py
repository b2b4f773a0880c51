"""The model's arrays: one matrix of columns shared by fixed and random effects, its rows sorted by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Design:
    """Rows of one group lie together. The first q columns are the random effects'; `fixed` says which are fixed."""

    matrix: Floats
    """Float["columns n"]: every column of X and Z once, each contiguous."""
    response: Floats
    """Float["n"]"""
    starts: NDArray[np.int64]
    """Int["groups+1"]: group g has the rows starts[g]:starts[g + 1]."""
    labels: NDArray
    """["groups"]: what the data call the groups."""
    names: tuple[str, ...]
    """Of the columns."""
    q: int
    """Random effects a group."""
    fixed: NDArray[np.int64]
    """Int["p"]: the columns with a fixed effect, in the formula's order."""
    poisson: bool
    """Poisson with log link; otherwise binomial with logit link and responses 0 and 1."""

    @property
    def n(self) -> int:
        return len(self.response)

    @property
    def groups(self) -> int:
        return len(self.starts) - 1

    @property
    def columns(self) -> int:
        return len(self.matrix)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Int["groups"]: rows of each group."""
        return np.diff(self.starts)

    def widen(self, beta: Floats) -> Floats:
        """Fixed effects as coefficients of all columns, 0 where there is none."""
        wide = np.zeros(self.columns)
        wide[self.fixed] = beta
        return wide

    def gram(self, chosen: NDArray[np.int64]) -> Floats:
        """Float["chosen chosen"]: mean products of some of the columns."""
        return (self.matrix @ self.matrix.T)[np.ix_(chosen, chosen)] / self.n

    def scaling(self, chosen: NDArray[np.int64]) -> Floats:
        """Lower triangular C with C'gram C = I: coefficients C v move the linear predictor by |v| (root mean square).

        Wherever columns are centred and whatever their units are, coefficients in this basis are alike.
        """
        gram = self.gram(chosen)
        size = np.sqrt(np.diag(gram))
        root = np.linalg.cholesky(np.linalg.inv(gram / np.outer(size, size)))
        return root / size[:, None]

    def sample(self, groups: int) -> Design:
        """The design of that many groups, evenly spaced over all."""
        chosen = np.unique(np.linspace(0, self.groups - 1, groups).astype(np.int64))
        sizes = self.sizes[chosen]
        rows = np.repeat(self.starts[chosen] - np.append(0, np.cumsum(sizes)[:-1]), sizes) + np.arange(sizes.sum())
        return Design(
            matrix=np.take(self.matrix, rows, axis=1), response=self.response[rows],
            starts=np.append(0, np.cumsum(sizes)),
            labels=self.labels[chosen], names=self.names, q=self.q, fixed=self.fixed, poisson=self.poisson,
        )  # fmt: skip
