"""What a user should know of a fit before believing it, in words."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from athanor.analysis.glmm.design import Design, Floats
from athanor.analysis.glmm.optimum import BENT, CLOSE, FLAT, Optimum
from athanor.analysis.glmm.result import Diagnostics, FixedEffect

NONE = 1e-3
"""Standard deviation of a random effect, or a combination of them, in the linear predictor that is told to be zero."""
TIED = 0.9995
"""Absolute correlation that is told to be 1."""
EXPLODED = 12.0
"""What a coefficient does to the linear predictor of a logit model that no data identify: odds of 160,000."""
VAGUE = 10.0
"""Standard error, in the same unit, of a coefficient that the data say nothing about."""
SHIFT = 0.01
"""Standard errors that a flat direction of the Hessian may move a fixed effect and still be passed over."""


def fixed_covariances(optimum: Optimum, schur: Floats, nagq: int) -> tuple[Floats | None, Floats | None, str]:
    """Covariance of the fixed effects with the random effects' covariance held fixed, and with it estimated too.

    The second inverts the Hessian of the deviance; at nAGQ=0, where the Hessian is that of the covariance parameters
    alone, it adds to the first how the fixed effects follow them. What is not identified is None, and said in words.
    """
    held = _inverse(schur)
    if held is None:
        return None, None, "the fixed effects are not identified (their information is singular): no standard errors"
    hessian = optimum.hessian
    values, vectors = linalg.eigh(hessian.matrix)
    largest = max(values[-1], 1.0)
    if values[0] < -BENT * largest:
        return held, None, (
            "the deviance curves down in some direction, so the end of the search is not a minimum; standard errors "
            "are those with the covariance held fixed"
        )  # fmt: skip
    flat = values <= FLAT * largest
    shift = np.abs(hessian.answers @ vectors[:, flat]) / np.sqrt(np.diag(held))[:, None]
    moves = hessian.answers @ (vectors[:, ~flat] * np.sqrt(2.0 / values[~flat]))
    whole = moves @ moves.T + (0.0 if nagq else held)
    if (shift > SHIFT).any() or (np.diag(whole) < np.diag(held) / 2).any():
        return held, None, (
            "the deviance is flat in a direction that involves fixed effects; standard errors are those with the "
            "covariance held fixed"
        )  # fmt: skip
    return held, whole, ""


def _inverse(matrix: Floats) -> Floats | None:
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    try:
        root = linalg.cho_factor(matrix / np.outer(scale, scale))
    except (linalg.LinAlgError, ValueError):
        return None
    inverse = linalg.cho_solve(root, np.eye(len(matrix))) / np.outer(scale, scale)
    return inverse if np.isfinite(inverse).all() else None


def diagnose(design: Design, optimum: Optimum, fixed: tuple[FixedEffect, ...], doubt: str) -> Diagnostics:
    """The diagnostics of a fit; `doubt` is what was found of its standard errors."""
    singular = _singular(design, optimum.factor)
    exploded = _exploded(design, optimum.factor, fixed)
    small, failed = optimum.gradient <= 10 * CLOSE, optimum.point.failed
    notes = [] if small else [
        f"the search ended after {optimum.evaluations} evaluations with a gradient of {optimum.gradient:.1e} "
        "(units of one standard error), too large for a minimum: simplify the random effects",
    ]  # fmt: skip
    if failed:
        notes.append(f"step failure: the conditional modes of {failed} of {design.groups} groups were not found")
    notes += [f"singular fit: {what}; a simpler random-effects term fits as well" for what in singular]
    notes += [f"separation: {what}; its value and standard error mean nothing" for what in exploded]
    if doubt:
        notes.append(doubt)
    if crowded := [one.name for one in fixed if one.se is not None and one.low is None]:
        notes.append(
            f"no interval of {', '.join(crowded)}: {design.groups} groups are no more than the effects that they tell"
        )
    if single := int((design.sizes == 1).sum()):
        notes.append(f"{single} of {design.groups} groups have a single row")
    return Diagnostics(
        converged=small and not failed and not exploded and not doubt, singular=bool(singular),
        gradient=optimum.gradient, evaluations=optimum.evaluations, failed=failed, notes=tuple(notes),
    )  # fmt: skip


def _singular(design: Design, factor: Floats) -> list[str]:
    """Which variance is zero, which correlation is one, or that some combination has no variance."""
    names, q = design.names, design.q
    scaling = design.scaling(np.arange(q))
    if linalg.svdvals(linalg.solve_triangular(scaling, factor, lower=True))[-1] >= NONE:
        return []
    sd = np.sqrt((factor**2).sum(axis=1))
    alive = np.flatnonzero(sd * _own(scaling) >= NONE)
    found = [f"the variance of {names[j]} between groups is zero" for j in range(q) if j not in alive]
    if not len(alive):
        return found
    correlation = (factor @ factor.T / np.outer(sd, sd).clip(1e-300))[np.ix_(alive, alive)]
    pairs = [(j, k) for j in range(len(alive)) for k in range(j) if abs(correlation[j, k]) > TIED]
    for j, k in pairs:
        sign = "+" if correlation[j, k] > 0 else "-"
        found.append(f"the correlation of {names[alive[k]]} and {names[alive[j]]} is {sign}1")
    return found or ["a combination of the random effects has no variance between groups"]


def _own(scaling: Floats) -> Floats:
    """Root mean square of the part of each column that the others do not explain: the unit of its coefficient."""
    return 1.0 / np.sqrt((scaling**2).sum(axis=1))


def _exploded(design: Design, factor: Floats, fixed: tuple[FixedEffect, ...]) -> list[str]:
    """Coefficients and variances that run away, as where a column tells the responses apart."""
    found = []
    for effect, unit in zip(fixed, _own(design.scaling(design.fixed)), strict=True):
        vague = effect.se is not None and effect.se * unit > VAGUE
        if vague or (not design.poisson and abs(effect.value) * unit > EXPLODED):
            found.append(f"the coefficient of {effect.name} has run away to {effect.value:.3g}")
    sd = np.sqrt((factor**2).sum(axis=1)) * _own(design.scaling(np.arange(design.q)))
    found += [f"the variance of {design.names[j]} between groups has run away" for j in np.flatnonzero(sd > EXPLODED)]
    return found
