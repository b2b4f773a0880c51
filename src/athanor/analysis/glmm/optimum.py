"""The minimum of the Laplace deviance: a start on some of the groups, then L-BFGS in well-scaled coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, optimize

from athanor.analysis.glmm.design import Design, Floats
from athanor.analysis.glmm.laplace import NAGQ, Criterion, Laplace, Point

SAMPLE, RATIO = 1500, 4
"""Groups of the warm start, and how many times as many there must be for it to be worth its while."""
START = 0.5
"""Standard deviation of every random effect at the start, on the scale of the linear predictor."""
STEP = 1e-2
"""Half the width of the Hessian's central differences, in units of a coordinate's standard error."""
FLAT = 1e-4
"""Curvature, relative to the largest in scaled coordinates, below which a direction counts as flat."""
BENT = 1e-2
"""Downward curvature, relative to the largest upward, that is taken seriously: where a covariance is singular there
are double wells a thousandth of a deviance deep between which the search need not choose."""
NEAR, CLOSE = 0.02, 1e-3
"""Gradients in scaled coordinates at which the first search and the last one end: the parameters are then within
about this many standard errors of the minimum."""
ROUNDS = 6
"""Times the Hessian is taken anew because the search has moved away from where it was taken."""


@dataclass(frozen=True, kw_only=True)
class Hessian:
    """Second derivatives of the criterion in coordinates xi, parameters = root xi."""

    root: Floats
    matrix: Floats
    answers: Floats
    """Float["p coordinates"]: derivative of the fixed effects (they follow the covariance at nAGQ=0)."""


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """Where the search ended, and what is known of its surroundings."""

    laplace: Laplace
    parameters: Floats
    factor: Floats
    """Float["q q"]: lower triangular with a diagonal that is not negative."""
    point: Point
    hessian: Hessian
    evaluations: int
    gradient: float
    """Largest derivative of the deviance in coordinates whose unit is about one standard error."""


def optimum(design: Design, nagq: NAGQ, threads: int) -> Optimum:
    """The minimum of a design's Laplace deviance."""
    (theta, root), spent = crude(design, nagq), 0
    laplace = Laplace(design, threads)
    if design.groups >= RATIO * SAMPLE:
        part = _search(Laplace(design.sample(SAMPLE), threads), nagq, theta, root, NEAR)
        theta, spent = part.parameters[: len(theta)], part.evaluations
        root = whiten(part.hessian) * np.sqrt(SAMPLE / design.groups)
        found = _search(laplace, nagq, theta, root, CLOSE)
    else:
        found = _search(laplace, nagq, theta, root, NEAR)
    return replace(found, evaluations=found.evaluations + spent)


def crude(design: Design, nagq: NAGQ) -> tuple[Floats, Floats]:
    """Starting values of the covariance parameters, and coordinates in which steps of 1 are about standard errors."""
    lower = np.tril_indices(design.q)
    scaling = design.scaling(np.arange(design.q))
    moves = [np.outer(scaling[:, j], np.eye(design.q)[k])[lower] for j, k in zip(*lower, strict=True)]
    random = START / np.sqrt(2 * design.groups) * np.stack(moves, axis=1)
    fixed = np.sqrt(START**2 / design.groups + 4 / design.n) * design.scaling(design.fixed)
    root = np.asarray(linalg.block_diag(random, fixed)) if nagq else random
    return START * scaling[lower], root


def _search(laplace: Laplace, nagq: NAGQ, theta: Floats, root: Floats, close: float) -> Optimum:
    """Minimise, take the Hessian, and go on in the coordinates it whitens until it was taken at the minimum.

    Fixed effects start anew at those of all rows: some groups can lack what keeps a coefficient from running away.
    """
    q, p = laplace.design.q, len(laplace.design.fixed)
    factor = np.zeros((q, q))
    factor[np.tril_indices(q)] = theta
    beta, _ = laplace.settle(factor, np.zeros(p))
    criterion = Criterion(laplace, nagq, beta)
    parameters = minimise(criterion, np.append(theta, beta) if nagq else theta, root, close)
    hessian = differentiate(criterion, parameters, root)
    for _ in range(ROUNDS):
        root = whiten(hessian)
        before, start = parameters, _off_the_saddle(criterion, parameters, hessian)
        parameters = minimise(criterion, start, root, CLOSE)
        if np.abs(np.linalg.lstsq(root, parameters - before)[0]).max() < NEAR:
            break
        hessian = differentiate(criterion, parameters, root)
    point = criterion(parameters)
    factor, _ = criterion.split(parameters)
    signs = np.where(np.diag(factor) < 0, -1.0, 1.0)  # of columns of L: the deviance is the same for either
    factor *= signs
    laplace.modes *= signs
    return Optimum(
        laplace=laplace, parameters=parameters, factor=factor, point=point, hessian=hessian,
        evaluations=criterion.evaluations, gradient=float(np.abs(root.T @ point.gradient).max()),
    )  # fmt: skip


def _off_the_saddle(criterion: Criterion, parameters: Floats, hessian: Hessian) -> Floats:
    """A lower point one step along the direction that curves down the most, if one does; else where we are.

    Where the diagonal of L has a zero the deviance has no slope in it, by symmetry, whether or not it is lower beside.
    """
    values, vectors = linalg.eigh(hessian.matrix)
    if values[0] >= -BENT * max(1.0, values[-1]):
        return parameters
    step = hessian.root @ vectors[:, 0]
    return min((parameters, parameters + step, parameters - step), key=lambda at: criterion(at).value)


def minimise(criterion: Criterion, start: Floats, root: Floats, close: float) -> Floats:
    """Parameters at the minimum, by L-BFGS in the coordinates xi of parameters = start + root xi."""
    base = criterion(start).value
    best, least = start, base

    def value_and_gradient(xi: Floats) -> tuple[float, Floats]:
        nonlocal best, least
        parameters = start + root @ xi
        point = criterion(parameters)
        if not np.isfinite(point.value) or not np.isfinite(point.gradient).all():
            return np.inf, np.zeros(len(xi))
        if point.value < least:
            best, least = parameters, point.value
        return point.value - base, root.T @ point.gradient

    options = {"maxcor": 30, "gtol": close, "ftol": 1e-13, "maxiter": 500, "maxls": 30}
    optimize.minimize(value_and_gradient, np.zeros(len(start)), jac=True, method="L-BFGS-B", options=options)
    return best


def differentiate(criterion: Criterion, parameters: Floats, root: Floats) -> Hessian:
    """Central differences of the exact gradient along the columns of `root`.

    The second evaluation of a pair starts at the first one's modes mirrored, which are right to second order.
    """
    count = len(parameters)
    matrix, answers = np.empty((count, count)), []
    criterion(parameters)
    modes, reached = criterion.laplace.modes.copy(), criterion.laplace.modes
    for k in range(count):
        ahead = criterion(parameters + STEP * root[:, k])
        reached[:] = 2 * modes - reached
        behind = criterion(parameters - STEP * root[:, k])
        reached[:] = modes
        matrix[:, k] = root.T @ (ahead.gradient - behind.gradient) / (2 * STEP)
        answers.append((ahead.beta - behind.beta) / (2 * STEP))
    return Hessian(root=root, matrix=(matrix + matrix.T) / 2, answers=np.stack(answers, axis=1))


def whiten(hessian: Hessian) -> Floats:
    """A root in whose coordinates the Hessian is 2, so that one unit is one standard error.

    Directions that curve down or not at all keep, as a guess, the scale they had.
    """
    values, vectors = linalg.eigh(hessian.matrix)
    scale = np.where(values > FLAT * max(1.0, values[-1]), np.sqrt(2.0 / np.maximum(values, 1e-300)), 1.0)
    return hessian.root @ vectors * scale
