"""Linear and log-linear regression of a few rows on a few columns, and a correlation, with their uncertainty."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from athanor.analysis.intervals import LEVEL
from athanor.core.errors import DataError
from athanor.values.arrays import Floats

STEPS, TOLERANCE, NOTHING = 100, 1e-12, 1e-9
"""Newton steps at most, the Newton decrement at which a maximum is found, and a mean that is on its way to 0."""


def least_squares(design: Floats, response: Floats) -> tuple[Floats, Floats]:
    """Coefficients and their standard errors, both Float["columns"], for rows that are independent and alike.

    `design`: Float["rows columns"]. NaN for all where columns depend on each other or rows are too few (the errors
    need one more row than columns).
    """
    rows, columns = design.shape
    solved = np.linalg.lstsq(design, response, rcond=None)
    beta: Floats = np.asarray(solved[0], dtype=np.float64)
    if solved[2] < columns:
        return np.full(columns, np.nan), np.full(columns, np.nan)
    if rows == columns:
        return beta, np.full(columns, np.nan)
    residual = response - design @ beta
    spread = residual @ residual / (rows - columns)
    return beta, np.sqrt(spread * np.diag(np.linalg.inv(design.T @ design)))


def pearson(x: Floats, y: Floats, level: float = LEVEL) -> tuple[float, float | None, float | None]:
    """The correlation of two columns with Fisher's interval; NaN where one does not vary.

    Without an interval for fewer than four rows, or where the points lie on a line.

    >>> pearson(np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 4.0]))
    (1.0, None, None)
    """
    dx, dy = x - x.mean(), y - y.mean()
    size = math.sqrt(float(dx @ dx) * float(dy @ dy))
    r = float(np.clip(dx @ dy / size, -1.0, 1.0)) if size > 0 else math.nan
    if len(x) < 4 or not abs(r) < 1:
        return r, None, None
    half = float(special.ndtri(0.5 + level / 2)) / math.sqrt(len(x) - 3)
    return r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def log_linear(design: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Coefficients of log(mean) = design @ beta by Poisson pseudo-likelihood, and their robust covariance.

    `design`: Float["rows columns"], rows independent. The mean alone is assumed: the sandwich, with the correction
    rows / (rows - columns), holds for counts that vary less or more than Poisson's (Gourieroux, Monfort and Trognon
    1984). The covariance is NaN where no row is left over. DataError for columns that depend on each other and for
    a mean that runs off to 0.
    """
    rows, columns = design.shape
    if np.linalg.matrix_rank(design) < columns:
        raise DataError(f"the {columns} columns of {rows} counts depend on each other; ask for fewer terms")
    beta: Floats = np.asarray(np.linalg.lstsq(design, np.log(counts + 0.5), rcond=None)[0], dtype=np.float64)
    for _ in range(STEPS):
        mean = np.exp(design @ beta)
        bread = np.linalg.inv(design.T @ (mean[:, None] * design))
        slope = design.T @ (counts - mean)
        if slope @ bread @ slope < TOLERANCE and mean.min() > NOTHING:
            break
        beta = beta + bread @ slope
    else:
        raise DataError(f"the mean of some of {rows} counts runs off to 0; leave out the group whose counts are all 0")
    if rows == columns:
        return beta, np.full((columns, columns), np.nan)
    scores = design * (counts - mean)[:, None]
    return beta, bread @ (scores.T @ scores) @ bread * rows / (rows - columns)
