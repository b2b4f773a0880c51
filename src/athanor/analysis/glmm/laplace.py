"""The Laplace approximation of a whole model: kernels over blocks of groups, in threads, summed in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import gammaln

from athanor.analysis.glmm import kernels
from athanor.analysis.glmm.design import Design, Floats

NAGQ = Literal[0, 1]

BLOCK = 4096
"""Rows after which a block of groups ends. Results depend on it in the last digits; they do not on the threads."""
TASKS = 4
"""Tasks a thread and pass, so that no thread waits long for the last one."""
SETTLED = 1e-8
"""The squared Newton decrement (deviance) of the fixed effects given the covariance before the last step: after it
their error, in standard errors, is of the order of this number, as Newton's method squares the error."""
TRIALS = 60
"""Newton steps, and halvings of each, after which fixed effects are taken as they are."""


@dataclass(frozen=True, kw_only=True)
class Information:
    """What one pass at fixed parameters says of fixed effects and modes."""

    penalised: float
    """Deviance plus |u|^2 at the modes, without constants."""
    gain: Floats
    """Float["p"]: X'(y - mean), the score of the fixed effects."""
    schur: Floats
    """Float["p p"]: their information with the modes profiled out."""
    shifts: Floats
    """Float["groups q p"]: minus du/dbeta."""
    spreads: Floats
    """Float["groups q q"]: covariance of u given data and parameters."""
    turn: Floats
    """Float["p q(q+1)/2"]: derivative in L of the penalised deviance's gradient in the fixed effects."""
    failed: int

    def solve(self, right: Floats) -> Floats:
        """schur^-1 right, the shortest solution where fixed effects are not identified; NaN where they overflow."""
        if not np.isfinite(self.schur).all() or not np.isfinite(right).all():
            return np.full_like(right, np.nan)
        return np.asarray(np.linalg.lstsq(self.schur, right)[0], np.float64)


@dataclass(frozen=True, kw_only=True)
class Point:
    """The criterion at a vector of parameters."""

    value: float
    """Laplace deviance, -2 log-likelihood with its constants."""
    gradient: Floats
    beta: Floats
    """Float["p"]: part of the parameters (nAGQ=1) or what maximises the penalised likelihood given them (nAGQ=0)."""
    failed: int
    """Groups whose mode was not found."""


class Laplace:
    """Deviance of a design as a function of covariance factor and fixed effects.

    Holds the modes of the last evaluation, where the next one's Newton iterations start: a value depends on the
    history by less than the inner tolerance, never on the number of threads.
    """

    def __init__(self, design: Design, threads: int) -> None:
        self.design, self._threads = design, threads
        self.modes = np.zeros((design.groups, design.q))
        cuts = np.searchsorted(design.starts, np.arange(0, design.n, BLOCK))
        self._cuts = np.unique(np.append(cuts, design.groups))
        self._constant = float(2.0 * gammaln(design.response + 1.0).sum()) if design.poisson else 0.0

    def deviance(self, factor: Floats, beta: Floats) -> tuple[float, Floats, Floats, int]:
        """The deviance, its derivatives in the lower triangle of L and in beta, and how many modes were not found."""
        d = self.design
        wide, blocks = d.widen(beta), len(self._cuts) - 1
        values, failed = np.zeros(blocks), np.zeros(blocks, np.int64)
        d_factor, d_beta = np.zeros((blocks, d.q, d.q)), np.zeros((blocks, d.columns))

        def block(b: int) -> None:
            values[b], failed[b] = kernels.deviance(
                d.matrix, d.response, d.starts, self._cuts[b], self._cuts[b + 1], d.poisson, wide, factor,
                self.modes, d_factor[b], d_beta[b],
            )  # fmt: skip

        self._run(block)
        lower = d_factor.sum(axis=0)[np.tril_indices(d.q)]
        value = float(values.sum()) + self._constant
        return value, lower, d_beta.sum(axis=0)[d.fixed], int(failed.sum())

    def information(self, factor: Floats, beta: Floats) -> Information:
        """Score and information of the fixed effects with the modes profiled out."""
        d = self.design
        wide, p, blocks = d.widen(beta), len(d.fixed), len(self._cuts) - 1
        values, failed = np.zeros(blocks), np.zeros(blocks, np.int64)
        gain, schur, turn = np.zeros((blocks, p)), np.zeros((blocks, p, p)), np.zeros((blocks, p, d.q, d.q))
        shifts, spreads = np.empty((d.groups, d.q, p)), np.empty((d.groups, d.q, d.q))

        def block(b: int) -> None:
            values[b], failed[b] = kernels.information(
                d.matrix, d.response, d.starts, self._cuts[b], self._cuts[b + 1], d.poisson, wide, factor, d.fixed,
                self.modes, shifts, spreads, (gain[b], schur[b], turn[b]),
            )  # fmt: skip

        self._run(block)
        lower = schur.sum(axis=0)
        whole = lower + np.tril(lower, -1).T
        return Information(
            penalised=float(values.sum()), gain=gain.sum(axis=0), schur=whole, shifts=shifts, spreads=spreads,
            turn=turn.sum(axis=0)[:, *np.tril_indices(d.q)], failed=int(failed.sum()),
        )  # fmt: skip

    def settle(self, factor: Floats, beta: Floats) -> tuple[Floats, Information]:
        """The fixed effects that, with the modes, maximise the penalised likelihood at a given covariance.

        Newton's method with halving on the convex profile over the modes, from `beta`.
        """
        here = self.information(factor, beta)
        for _ in range(TRIALS):
            step = here.solve(here.gain)
            before, size, there = self.modes.copy(), 1.0, here
            self.modes -= here.shifts @ step
            if not here.gain @ step > SETTLED:
                return beta + step, here
            for _ in range(TRIALS):
                there = self.information(factor, beta + size * step)
                if there.penalised <= here.penalised + kernels.SLACK * (1.0 + abs(here.penalised)):
                    break
                size *= 0.5
                self.modes[:] = before - size * (here.shifts @ step)
            beta, here = beta + size * step, there
        return beta, here

    def _run(self, block: Callable[[int], None]) -> None:
        """Call `block` for every block of groups, several at a time: the kernels release Python's lock."""
        blocks = len(self._cuts) - 1
        if self._threads == 1 or blocks == 1:
            for b in range(blocks):
                block(b)
            return
        size = -(-blocks // (TASKS * self._threads))
        tasks = [range(b, min(b + size, blocks)) for b in range(0, blocks, size)]

        def several(task: range) -> None:
            for b in task:
                block(b)

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(several, tasks))


class Criterion:
    """What is minimised: a function of one vector of parameters with an exact gradient.

    Parameters are the lower triangle of L by rows and, for nAGQ=1, the fixed effects. The diagonal of L is free in
    sign: the deviance is even in each column of L, so a covariance that is singular lies inside the domain and not on
    its edge. For nAGQ=0 the fixed effects are those of `Laplace.settle`, as lme4 has it; how they follow the
    covariance (implicit differentiation) completes the gradient, and says where the next search for them starts.
    """

    def __init__(self, laplace: Laplace, nagq: NAGQ, beta: Floats) -> None:
        self.laplace, self.nagq, self.beta = laplace, nagq, beta
        self.evaluations = 0
        self._tangent: tuple[Floats, Floats] | None = None

    def split(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Covariance factor and fixed effects; for nAGQ=0 the latter from the last evaluation."""
        q = self.laplace.design.q
        count = q * (q + 1) // 2
        factor = np.zeros((q, q))
        factor[np.tril_indices(q)] = parameters[:count]
        return factor, (parameters[count:].copy() if self.nagq else self.beta)

    def __call__(self, parameters: Floats) -> Point:
        self.evaluations += 1
        factor, beta = self.split(parameters)
        if self.nagq:
            value, lower, d_beta, failed = self.laplace.deviance(factor, beta)
            return Point(value=value, gradient=np.concatenate([lower, d_beta]), beta=beta, failed=failed)
        if self._tangent is not None:
            beta = beta + self._tangent[1] @ (parameters - self._tangent[0])
        beta, information = self.laplace.settle(factor, beta)
        value, lower, d_beta, failed = self.laplace.deviance(factor, beta)
        follow = -information.solve(information.turn) / 2.0
        if np.isfinite(value):
            self.beta, self._tangent = beta, (parameters, follow)
        return Point(value=value, gradient=lower + d_beta @ follow, beta=beta, failed=failed)
