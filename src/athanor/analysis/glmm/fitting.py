"""The one call: a formula and data in, a fit out."""

from __future__ import annotations

import os
from typing import get_args

import numpy as np

from athanor.analysis.glmm.data import Data, Family, design
from athanor.analysis.glmm.design import Design
from athanor.analysis.glmm.diagnostics import diagnose, fixed_covariances
from athanor.analysis.glmm.formula import parse
from athanor.analysis.glmm.freedom import between
from athanor.analysis.glmm.laplace import NAGQ, Information
from athanor.analysis.glmm.optimum import Optimum, optimum
from athanor.analysis.glmm.result import Fit, Groups, fixed_effect, random_effects
from athanor.core.errors import UsageError


def fit(
    formula: str, data: Data, family: Family = "binomial", *, nagq: NAGQ = 1, level: float = 0.95,
    threads: int | None = None,
) -> Fit:  # fmt: skip
    """Fit a generalized linear mixed model by maximum likelihood under the Laplace approximation.

    `formula`: as lme4's, with exactly one random-effects term, `y ~ x + (1 + x | id)`; its effects are correlated.
    `data`: columns by name (arrays, a pyarrow Table or a pandas frame). `family`: "binomial" (logit link, responses 0
    and 1) or "poisson" (log link). `nagq`: 1 optimises fixed effects and covariance together; 0 finds the fixed
    effects with the modes, by penalised likelihood, inside the search over the covariance (lme4's nAGQ=0: biased
    towards 0). `level`: of the intervals. `threads`: all cores this process may use by default; the result does not
    depend on it, to the last bit.

    UsageError for what cannot be asked, DataError for data that cannot be fitted; what is doubtful about a fit is told
    in its `diagnostics`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> player = np.repeat(np.arange(50), 20)
    >>> x = rng.normal(size=1000)
    >>> y = rng.random(1000) < 1 / (1 + np.exp(-0.5 * x - rng.normal(size=50)[player]))
    >>> fit("y ~ x + (1 | player)", {"y": y, "x": x, "player": player}).diagnostics.converged
    True
    """
    _refuse(family=(family, get_args(Family)), nagq=(nagq, get_args(NAGQ)))
    if not 0 < level < 1:
        raise UsageError(f"level is {level}; a confidence level lies between 0 and 1, such as 0.95")
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    parsed = parse(formula)
    made = design(parsed, data, family)
    found = optimum(made, nagq, threads or _cores())
    information = found.laplace.information(found.factor, found.point.beta)
    return _fit(formula, parsed.group, made, found, information, nagq, level)


def _fit(
    formula: str, unit: str, design: Design, found: Optimum, information: Information, nagq: int, level: float
) -> Fit:
    held, whole, doubt = fixed_covariances(found, information.schur, nagq)
    told_by = between(design)
    fixed = tuple(
        fixed_effect(
            design.names[j], float(found.point.beta[k]), None if held is None else held[k, k],
            None if whole is None else whole[k, k], level, groups=design.groups, between=int(told_by[k]),
        )
        for k, j in enumerate(design.fixed)
    )  # fmt: skip
    factor, deviance = found.factor, found.point.value
    size = len(design.fixed) + design.q * (design.q + 1) // 2
    groups = Groups(
        labels=design.labels, sizes=design.sizes, modes=found.laplace.modes @ factor.T,
        covariances=factor @ information.spreads @ factor.T, responses=-factor @ information.shifts,
    )  # fmt: skip
    return Fit(
        formula=formula, family="poisson" if design.poisson else "binomial", nagq=nagq, level=level, n=design.n,
        unit=unit, fixed=fixed, fixed_covariance=held if whole is None else whole,
        random=random_effects(design.names[: design.q], factor), groups=groups,
        loglik=-deviance / 2, deviance=deviance, aic=deviance + 2 * size,
        bic=deviance + size * float(np.log(design.n)), diagnostics=diagnose(design, found, fixed, doubt),
    )  # fmt: skip


def _refuse(**choices: tuple[object, tuple[object, ...]]) -> None:
    for name, (value, known) in choices.items():
        if value not in known:
            raise UsageError(f"{name} {value!r} is not one of {', '.join(map(repr, known))}")


def _cores() -> int:
    """Cores this process may run on (Linux knows of limits), or that there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
