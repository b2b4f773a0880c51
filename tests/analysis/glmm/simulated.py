"""Data drawn from a mixed model, and the model's deviance written once more, plainly, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import expit, gammaln

from athanor.analysis.glmm.data import Family, design
from athanor.analysis.glmm.design import Design
from athanor.analysis.glmm.formula import parse
from athanor.core.seeds import stream

FORMULA = "y ~ x + t + (1 + x | player)"
BETA = np.array([-0.4, 0.5, 0.2])
FACTOR = np.array([[0.7, 0.0], [0.2, 0.4]])


def simulate(family: Family = "binomial", *, groups: int = 40, rows: float = 30.0, seed: int = 0) -> dict[str, Any]:
    """Columns y, x, t and player of ragged groups (one to about three times `rows`), shuffled."""
    rng = stream(seed, "mixed model", family, groups)
    sizes = 1 + rng.poisson(rows * rng.gamma(4.0, 0.25, size=groups))
    player = rng.permutation(np.repeat(np.arange(groups), sizes))
    x, t = rng.normal(size=len(player)), rng.uniform(-1, 1, size=len(player))
    b = rng.normal(size=(groups, 2)) @ FACTOR.T
    eta = BETA @ np.stack([np.ones(len(x)), x, t]) + b[player, 0] + b[player, 1] * x
    y = rng.poisson(np.exp(eta)) if family == "poisson" else (rng.random(len(x)) < expit(eta)).astype(int)
    return {"y": y, "x": x, "t": t, "player": player}


def designed(data: dict[str, Any], family: Family, formula: str = FORMULA) -> Design:
    return design(parse(formula), data, family)


def loss(d: Design, g: int, eta: np.ndarray) -> float:
    """-2 log-likelihood of a group's responses given its linear predictor, with all constants."""
    y = d.response[d.starts[g] : d.starts[g + 1]]
    if d.poisson:
        return float(2 * (np.exp(eta) - y * eta + gammaln(y + 1)).sum())
    return float(2 * (np.logaddexp(0, eta) - y * eta).sum())


def plain_deviance(d: Design, factor: np.ndarray, beta: np.ndarray) -> float:
    """The Laplace deviance by a general minimiser for every group's mode and a dense determinant."""
    total = 0.0
    for g in range(d.groups):
        part = d.matrix[:, d.starts[g] : d.starts[g + 1]]
        fixed, z = beta @ part[d.fixed], part[: d.q].T
        mode = optimize.minimize(
            lambda u, g=g, fixed=fixed, z=z: loss(d, g, fixed + z @ factor @ u) + u @ u,
            np.zeros(d.q), method="BFGS", options={"gtol": 1e-6},
        )  # fmt: skip
        mean = (np.exp if d.poisson else expit)(fixed + z @ factor @ mode.x)
        weight = mean if d.poisson else mean * (1 - mean)
        total += mode.fun + np.linalg.slogdet(np.eye(d.q) + factor.T @ (z.T * weight) @ z @ factor)[1]
    return total


@dataclass(frozen=True)
class Joint:
    """The inverse of half the penalised deviance's dense Hessian in (beta, b of group 0, b of group 1, ...)."""

    covariance: np.ndarray
    p: int
    q: int

    def of_group(self, g: int) -> np.ndarray:
        """Float["p+q p+q"]: covariance of the fixed effects and a group's random effects."""
        chosen = np.r_[: self.p, self.p + g * self.q : self.p + (g + 1) * self.q]
        return self.covariance[np.ix_(chosen, chosen)]


def joint_covariance(d: Design, covariance: np.ndarray, beta: np.ndarray, modes: np.ndarray) -> Joint:
    """What is unknown of all effects given the covariance of the random effects, without any block structure."""
    p, q = len(d.fixed), d.q
    z = np.zeros((d.n, d.groups * q))
    for g in range(d.groups):
        z[d.starts[g] : d.starts[g + 1], g * q : (g + 1) * q] = d.matrix[:q, d.starts[g] : d.starts[g + 1]].T
    x = d.matrix[d.fixed].T
    mean = (np.exp if d.poisson else expit)(x @ beta + z @ modes.ravel())
    weight = mean if d.poisson else mean * (1 - mean)
    both = np.hstack([x, z])
    precision = (both.T * weight) @ both
    precision[p:, p:] += np.kron(np.eye(d.groups), np.linalg.inv(covariance))
    return Joint(np.linalg.inv(precision), p, q)
