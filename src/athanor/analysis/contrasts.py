"""Whether empowerment weighs more than uncertainty in one and the same regression: their difference, tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from scipy import special

from athanor.analysis import glmm
from athanor.analysis.choice import ChoiceFit
from athanor.analysis.glmm.result import quantile
from athanor.analysis.intervals import LEVEL, t_quantile
from athanor.analysis.measurable import measurable
from athanor.core.records import Estimate

MINUS = "empowerment minus uncertainty"
"""What stands in the place of a term in the names of these estimates."""
WEIGHTS = {"empowerment": 1.0, "uncertainty": -1.0}


def names(kind: str) -> tuple[str, str]:
    """Of the difference and of its p-value.

    >>> names("published")
    ('weight of empowerment minus uncertainty (published)', 'p of empowerment minus uncertainty (published)')
    """
    return f"weight of {MINUS} ({kind})", f"p of {MINUS} ({kind})"


def of_fixed_effects(fit: glmm.Fit, kind: str, group: str) -> tuple[Estimate, ...]:
    """The difference of the two fixed effects and its p-value; nothing where the model has not both.

    Its error is from their covariance, so that it is small where they are known to lie together. Wald's test, with
    Student's t where the values of the groups tell them (`Fit.contrast`).
    """
    if not WEIGHTS.keys() <= {effect.name for effect in fit.fixed}:
        return ()
    found = fit.contrast(WEIGHTS, MINUS)
    t = "" if found.df is None else f", Student t on {found.df:g}"
    one = Estimate(
        name=names(kind)[0], value=found.value, low=found.low, high=found.high,
        level=None if found.low is None else fit.level, n=len(fit.groups.labels), unit="players", group=group,
        method=f"difference of fixed effects, {fit.family} mixed model, Laplace nAGQ={fit.nagq}, Wald{t}",
    )  # fmt: skip
    return _with_p(one, found.p, kind)


def of_means(
    fit: glmm.Fit, players: Sequence[Any], kind: str, group: str, weights: Mapping[str, float] = WEIGHTS
) -> tuple[Estimate, ...]:
    """The same of the mean coefficients of some groups of the fit, and its p-value by Wald's test."""
    if not weights.keys() <= {*(effect.name for effect in fit.fixed), *fit.random.names}:
        return ()
    one = replace(fit.combination(weights, players, name=names(kind)[0], group=group), unit="players")
    p = None
    if one.value is not None and one.low is not None and one.high is not None and one.high > one.low:
        error = (one.high - one.low) / 2 / quantile(fit.level)
        p = float(2 * special.ndtr(-abs(one.value) / error))
    return _with_p(one, p, kind)


def of_choices(fit: ChoiceFit, kind: str, group: str, level: float = LEVEL) -> tuple[Estimate, ...]:
    """The same of a choice model: the error is from the covariance that is robust to dependence within players, the
    p-value from Student's t with a degree of freedom less than players."""
    if not WEIGHTS.keys() <= set(fit.terms):
        return ()
    chosen = np.array([WEIGHTS.get(term, 0.0) for term in fit.terms])
    kept = chosen != 0
    value = float(chosen[kept] @ fit.told[kept])
    error = p = None
    if fit.cluster_covariance is not None and not np.isnan(value):
        error = float(np.sqrt(chosen[kept] @ fit.cluster_covariance[np.ix_(kept, kept)] @ chosen[kept]))
    if error:
        p = float(2 * special.stdtr(fit.players - 1, -abs(value) / error))
    half = None if error is None else t_quantile(fit.players - 1, level) * error
    one = Estimate(
        name=names(kind)[0], value=None if np.isnan(value) else value, low=None if half is None else value - half,
        high=None if half is None else value + half, level=None if half is None else level, n=fit.players,
        unit="players", method="; ".join([f"difference in a {fit.method}", *fit.warnings]), excluded=fit.excluded,
        group=group,
    )  # fmt: skip
    return _with_p(one, p, kind)


def _with_p(one: Estimate, p: float | None, kind: str) -> tuple[Estimate, Estimate]:
    """The estimate, unknown where it says nothing, and its p-value, unknown with it."""
    told = measurable(one)
    known = None if told.value is None else p
    return told, replace(told, name=names(kind)[1], value=known, low=None, high=None, level=None)
