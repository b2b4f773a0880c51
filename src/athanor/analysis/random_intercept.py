"""Linear regression with a random intercept for each group, by restricted maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from athanor.core.errors import DataError
from athanor.values.arrays import Floats

WIDEST = 1e3
"""Deviation between groups by that within, at most."""


@dataclass(frozen=True)
class Intercepts:
    """A fit of y = X beta + u(group) + e with normal u and e."""

    beta: Floats
    """Float["columns"]"""
    covariance: Floats
    """Float["columns columns"]: of beta if the model holds, as lmer's."""
    robust: Floats
    """Float["columns columns"]: the sandwich over groups, with G / (G - 1): whatever the errors of a group are like."""
    within: float
    """Deviation of e."""
    between: float
    """Deviation of u."""
    groups: int


def random_intercept(design: Floats, response: Floats, group: NDArray[np.integer]) -> Intercepts:
    """Fit by REML. `design`: Float["rows columns"], `group`: Int["rows"], any numbers.

    The likelihood is profiled over the ratio of the two deviations (Bates et al. 2015, Journal of Statistical Software
    67(1), section 3). DataError for columns that depend on each other, and for fewer than two groups or no row over.
    """
    rows, columns = design.shape
    number = np.unique(group, return_inverse=True)[1]
    sizes = np.bincount(number, minlength=1).astype(np.float64)
    if len(sizes) < 2 or rows <= columns:
        raise DataError(f"{rows} rows of {len(sizes)} groups are too few for {columns} coefficients; pass more")
    if np.linalg.matrix_rank(design) < columns:
        raise DataError(f"the {columns} columns of {rows} rows depend on each other; ask for fewer terms")
    sums = np.stack([np.bincount(number, weights=column) for column in design.T], axis=1)
    total = np.bincount(number, weights=response)

    def solved(ratio: float) -> tuple[Floats, Floats, float]:
        """Coefficients, X'V^-1 X and the weighted squares of what is left, V in units of the variance within."""
        shrink = ratio**2 / (1 + sizes * ratio**2)
        normal = design.T @ design - sums.T @ (shrink[:, None] * sums)
        beta: Floats = np.linalg.solve(normal, design.T @ response - sums.T @ (shrink * total)).astype(np.float64)
        left = response - design @ beta
        per_group = np.bincount(number, weights=left)
        return beta, normal, float(left @ left - shrink @ per_group**2)

    def criterion(ratio: float) -> float:
        _, normal, squares = solved(ratio)
        spread = np.log1p(sizes * ratio**2).sum() + np.linalg.slogdet(normal)[1]
        return float((rows - columns) * np.log(max(squares, 1e-300)) + spread)

    grid = np.concatenate([[0.0], np.geomspace(1e-3, WIDEST, 60)])
    best = int(np.argmin([criterion(ratio) for ratio in grid]))
    low, high = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    near = float(np.asarray(optimize.fminbound(criterion, low, high, xtol=1e-10)))
    ratio = min((float(grid[best]), near), key=criterion)
    beta, normal, squares = solved(ratio)
    variance, bread = squares / (rows - columns), np.linalg.inv(normal)
    left = response - design @ beta
    shrink = ratio**2 / (1 + sizes * ratio**2) * np.bincount(number, weights=left)
    scores = np.stack([np.bincount(number, weights=column * left) for column in design.T], axis=1)
    scores -= shrink[:, None] * sums
    robust = bread @ (scores.T @ scores) @ bread * len(sizes) / (len(sizes) - 1)
    within = float(np.sqrt(variance))
    return Intercepts(
        beta=beta, covariance=variance * bread, robust=robust, within=within, between=ratio * within,
        groups=len(sizes),
    )  # fmt: skip
