"""What a fit says: effects with their uncertainty, the groups, the likelihood, and in words how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from athanor.analysis.glmm.design import Floats
from athanor.core.errors import UsageError
from athanor.core.records import Estimate, Record


class FixedEffect(Record, kw_only=True, omit_defaults=False):
    """A coefficient on the scale of the link (log odds, or log of the mean count). Unknown is None."""

    name: str
    value: float
    se: float | None
    """Standard error behind z, p and the interval: `se_hessian` where it is known, else `se_schur`."""
    se_schur: float | None
    """With the covariance of the random effects held at its estimate, as lme4's `vcov(use.hessian=FALSE)`."""
    se_hessian: float | None
    """With the covariance estimated too, from the Hessian of the deviance, as lme4's `vcov(use.hessian=TRUE)`."""
    z: float | None
    """Value by `se`."""
    df: float | None
    """Degrees of freedom of the Student's t behind p and the interval, a mean over groups; None: the normal's."""
    p: float | None
    """Two-sided, of Wald's test that the coefficient is 0."""
    low: float | None
    high: float | None


class RandomEffects(Record, kw_only=True):
    """The covariance of the random effects between groups, in the order of `names`."""

    names: tuple[str, ...]
    covariance: tuple[tuple[float, ...], ...]
    sd: tuple[float, ...]
    correlation: tuple[tuple[float | None, ...], ...]
    """None beside a standard deviation of zero."""


class Diagnostics(Record, kw_only=True, omit_defaults=False):
    """Whether the numbers can be trusted, and in `notes` why, one sentence each."""

    converged: bool
    singular: bool
    gradient: float
    """Largest derivative of the deviance, in coordinates whose unit is about one standard error."""
    evaluations: int
    failed: int
    """Groups whose conditional mode was not found at the optimum."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """The random effects of every group."""

    labels: NDArray[Any]
    """["groups"]"""
    sizes: NDArray[np.int64]
    """Int["groups"]: rows."""
    modes: Floats
    """Float["groups q"]: conditional modes of the random effects, deviations from the fixed effects."""
    covariances: Floats
    """Float["groups q q"]: their covariance given data, fixed effects and covariance parameters (lme4's condVar)."""
    responses: Floats
    """Float["groups q p"]: derivative of the modes in the fixed effects."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A fitted model."""

    formula: str
    family: str
    nagq: int
    level: float
    n: int
    """Rows."""
    unit: str
    """The column that groups."""
    fixed: tuple[FixedEffect, ...]
    fixed_covariance: Floats | None
    """Float["p p"]: of the fixed effects, of the kind behind `FixedEffect.se`; None if unknown."""
    random: RandomEffects
    groups: Groups
    loglik: float
    """Laplace approximation with all constants, as lme4's logLik."""
    deviance: float
    """-2 loglik."""
    aic: float
    bic: float
    """With the number of rows, as lme4."""
    diagnostics: Diagnostics

    def estimates(self) -> tuple[Estimate, ...]:
        """The fixed effects as estimates over groups."""
        n = len(self.groups.labels)
        return tuple(
            Estimate(
                name=effect.name, value=effect.value, low=effect.low, high=effect.high, level=self.level, n=n,
                unit=self.unit, method=self._method("fixed effect", effect.se_hessian is not None, effect.df),
            )
            for effect in self.fixed
        )  # fmt: skip

    def coefficients(self) -> tuple[Floats, Floats | None]:
        """Fixed plus random effect of every group and random-effects term, Float["groups q"], and covariances.

        The covariances, Float["groups q q"], join what is unknown of the modes given the fixed effects with what is
        unknown of the fixed effects, which also move the modes. A term without a fixed effect counts as fixed at 0.
        """
        groups, loading = self.groups, self._loading()
        values = groups.modes + loading @ self._beta()
        if self.fixed_covariance is None:
            return values, None
        moved = loading + groups.responses
        return values, groups.covariances + moved @ self.fixed_covariance @ moved.swapaxes(1, 2)

    def mean_coefficients(self, labels: Sequence[Any] | None = None, *, name: str = "") -> tuple[Estimate, ...]:
        """Fixed plus random effects averaged over some groups (all by default), one estimate a term.

        Of the groups there are, not of those one might draw: with all of them it is about the fixed effect, with less
        uncertainty. `name` is written into `Estimate.group`. UsageError for a label that is no group.
        """
        return tuple(self.combination({term: 1.0}, labels, name=term, group=name) for term in self.random.names)

    def combination(
        self, weights: Mapping[str, float], labels: Sequence[Any] | None = None, *, name: str, group: str = ""
    ) -> Estimate:
        """A weighted sum of coefficients by term, each fixed plus random effect averaged over some groups (or all).

        Terms without a random effect have only the fixed one, and the reverse. The interval is from the joint
        covariance of all of them, the modes moving along with the fixed effects. UsageError for a label that is no
        group and a term that is none of the model's.
        """
        names, groups, chosen = [effect.name for effect in self.fixed], self.groups, self._positions(labels)
        if unknown := [term for term in weights if term not in (*names, *self.random.names)]:
            raise UsageError(f"the term {unknown[0]!r} is not one of {', '.join(names)}; pass one of the model's terms")
        fixed = np.array([weights.get(term, 0.0) for term in names])
        random = np.array([weights.get(term, 0.0) for term in self.random.names])
        value, half = float(random @ groups.modes[chosen].mean(axis=0) + fixed @ self._beta()), None
        if self.fixed_covariance is not None:
            moved = fixed + random @ groups.responses[chosen].mean(axis=0)
            own = groups.covariances[chosen].sum(axis=0) / len(chosen) ** 2
            variance = random @ own @ random + moved @ self.fixed_covariance @ moved
            half = quantile(self.level) * float(np.sqrt(variance))
        what = "fixed plus random effects, mean over groups"
        return Estimate(
            name=name, value=value, low=None if half is None else value - half,
            high=None if half is None else value + half, level=self.level, n=len(chosen), unit=self.unit, group=group,
            method=self._method(what if len(weights) == 1 else f"weighted sum of {what}", self._known()),
        )  # fmt: skip

    def contrast(self, weights: Mapping[str, float], name: str) -> FixedEffect:
        """A weighted sum of fixed effects by term, with its error from their covariance, tested against 0.

        Where the values of groups tell some of them, interval and p are Student's with the fewest degrees of freedom
        among them; where one's interval is unknown, so is this. UsageError for a term that is none of the model's.
        """
        effects = {effect.name: effect for effect in self.fixed}
        if unknown := [term for term in weights if term not in effects]:
            raise UsageError(
                f"the term {unknown[0]!r} is not one of {', '.join(effects)}; pass one of the model's terms"
            )
        chosen, groups = [effects[term] for term in weights], len(self.groups.labels)
        row, variance = np.array([weights.get(term, 0.0) for term in effects]), None
        if self.fixed_covariance is not None and all(effect.low is not None for effect in chosen):
            variance = float(row @ self.fixed_covariance @ row)
        schur, hessian = (None, variance) if self._known() else (variance, None)
        between = max((groups - int(effect.df) for effect in chosen if effect.df is not None), default=0)
        return fixed_effect(name, float(row @ self._beta()), schur, hessian, self.level, groups=groups, between=between)

    def _positions(self, labels: Sequence[Any] | None) -> NDArray[np.int64]:
        if labels is None:
            return np.arange(len(self.groups.labels))
        place = {label: k for k, label in enumerate(self.groups.labels.tolist())}
        unknown = [label for label in labels if label not in place]
        if unknown or not len(labels):
            what = f"{unknown[0]!r} is not one of the {len(place)} groups" if unknown else "no group was named"
            raise UsageError(f"{what} of {self.unit}; give labels such as {next(iter(place))!r}")
        return np.array([place[label] for label in dict.fromkeys(labels)])

    def _beta(self) -> Floats:
        return np.array([effect.value for effect in self.fixed])

    def _loading(self) -> Floats:
        """Float["q p"]: 1 where a random-effects term and a fixed effect have the same column."""
        return np.array([[float(term == effect.name) for effect in self.fixed] for term in self.random.names])

    def _known(self) -> bool:
        return all(effect.se_hessian is not None for effect in self.fixed)

    def _method(self, what: str, hessian: bool, df: float | None = None) -> str:
        kind = "Hessian" if hessian else "covariance held fixed"
        t = "" if df is None else f", Student t on {df:g}"
        return f"{what}, {self.family} mixed model, Laplace nAGQ={self.nagq}, Wald ({kind}){t}"


def quantile(level: float) -> float:
    """The two-sided normal quantile: 1.96 at 95%."""
    return float(special.ndtri(0.5 + level / 2))


def fixed_effect(
    name: str,
    value: float,
    schur: float | None,
    hessian: float | None,
    level: float,
    *,
    groups: int = 0,
    between: int = 0,
) -> FixedEffect:
    """A fixed effect with Wald's z, p and interval from its variances, of which None is unknown.

    `between`: of how many fixed effects that the values of `groups` groups tell it is one (`freedom.between`). If of
    any, it is much like a coefficient of a regression over groups, and its interval is that of one: Student's t with
    `groups - between` degrees of freedom, and the standard error that maximum likelihood makes too small, for it
    divides squares by all groups, times the square root of groups / (groups - between). Unknown where none are left.
    Otherwise the normal's. Source of the degrees of freedom: Elff et al. 2021, British Journal of Political Science
    51(1), 412-426.
    """
    se_schur, se_hessian = (None if v is None else float(np.sqrt(v)) for v in (schur, hessian))
    se, free = se_schur if se_hessian is None else se_hessian, groups - between
    df = float(free) if between and free > 0 else None
    z = p = low = high = None
    if se is not None:
        z = value / se
    if se is not None and z is not None and (df is not None or not between):
        wider = 1.0 if df is None else float(np.sqrt(groups / df))
        half = wider * se * (quantile(level) if df is None else float(special.stdtrit(df, 0.5 + level / 2)))
        tail = special.ndtr(-abs(z)) if df is None else special.stdtr(df, -abs(z) / wider)
        p, low, high = float(2 * tail), value - half, value + half
    return FixedEffect(
        name=name, value=value, se=se, se_schur=se_schur, se_hessian=se_hessian, z=z, df=df, p=p, low=low, high=high
    )


def random_effects(names: tuple[str, ...], factor: Floats) -> RandomEffects:
    """The covariance L L' with its standard deviations and correlations."""
    covariance = factor @ factor.T
    sd = np.sqrt(np.diag(covariance))
    known = np.outer(sd, sd) > 0
    correlation = np.divide(covariance, np.outer(sd, sd), out=np.zeros_like(covariance), where=known)
    return RandomEffects(
        names=names,
        covariance=tuple(map(tuple, covariance.tolist())),
        sd=tuple(sd.tolist()),
        correlation=tuple(
            tuple(float(np.clip(r, -1, 1)) if k else None for r, k in zip(*row, strict=True))
            for row in zip(correlation, known, strict=True)
        ),
    )
