"""The loops over rows, compiled: the mode of every group, the Laplace deviance with its gradient, the information.

Notation, for one group: rows `x` (all columns) of which the first q are `z`; eta = x'beta + z'b with b = L u, L the
lower-triangular factor of the covariance and u standard normal; mean, weight: inverse link and its derivative;
score = Z'(y - mean); cross = Z'WZ; H = I + L' cross L, half the Hessian of the penalised deviance in u.

Every kernel works on the groups `first:last`, writes what belongs to a group into its row, and adds the rest into
arrays of its caller, so that sums are taken in one order whatever the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

STEPS = 200
"""Newton steps and halvings of a group's mode together; a group that needs more is counted as failed."""
DECREMENT = 1e-11
"""A mode is found when its squared Newton decrement, in units of the deviance, is below this. The last step, of up to
3e-6 standard deviations, is taken without looking at the rows again: deviance and score follow it to first order."""
SLACK = 1e-12
"""Relative rise of a deviance that is taken for rounding."""
BATCH = 512
"""Factors of 1 + exp(-|eta|) <= 2 multiplied before one logarithm is taken: a product below 2**512 cannot overflow."""


@njit(cache=True, nogil=True)
def _combine(columns, lo, hi, coefficients, out):
    """The linear combination of the first len(coefficients) columns, of rows lo:hi, added to `out`."""
    for j in range(len(coefficients)):
        column, coefficient = columns[j, lo:hi], coefficients[j]
        for i in range(hi - lo):
            out[i] += coefficient * column[i]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _dot(a, b):
    """The inner product, in whatever order fills the vector registers."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True)
def _logit(response, eta, mean, weight):
    """Mean and weight of 0/1 responses; the log-likelihood times -1."""
    loss, product = 0.0, 1.0
    for i in range(len(response)):
        e = np.exp(-abs(eta[i]))
        inverse = 1.0 / (1.0 + e)
        mean[i] = inverse if eta[i] > 0 else e * inverse
        weight[i] = e * inverse * inverse
        product *= 1.0 + e
        loss += max(eta[i], 0.0) - response[i] * eta[i]
        if i % BATCH == BATCH - 1:
            loss += np.log(product)
            product = 1.0
    return loss + np.log(product)


@njit(cache=True, nogil=True)
def _log(response, eta, mean, weight):
    """Mean and weight of counts; the log-likelihood times -1, without log(response!)."""
    loss = 0.0
    for i in range(len(response)):
        mean[i] = weight[i] = np.exp(eta[i])
        loss += mean[i] - response[i] * eta[i]
    return loss


@njit(cache=True, nogil=True)
def _respond(columns, response, lo, hi, poisson, effects, scratch):
    """Mean, weight, score and cross at given random effects b; the group's deviance without constants."""
    offset, eta, mean, weight, score, cross = scratch
    n, q = hi - lo, len(effects)
    eta, mean, weight = eta[:n], mean[:n], weight[:n]
    eta[:] = offset[:n]
    _combine(columns, lo, hi, effects, eta)
    y = response[lo:hi]
    loss = _log(y, eta, mean, weight) if poisson else _logit(y, eta, mean, weight)
    for i in range(n):
        eta[i] = y[i] - mean[i]
    for j in range(q):
        score[j] = _dot(columns[j, lo:hi], eta)
    for j in range(q):
        column = columns[j, lo:hi]
        for i in range(n):
            eta[i] = weight[i] * column[i]
        for k in range(j + 1):
            cross[j, k] = cross[k, j] = _dot(columns[k, lo:hi], eta)
    return 2.0 * loss


@njit(cache=True, nogil=True)
def _product(factor, u, effects):
    """b = L u."""
    for j in range(len(u)):
        total = 0.0
        for k in range(j + 1):
            total += factor[j, k] * u[k]
        effects[j] = total


@njit(cache=True, nogil=True)
def _transposed(factor, v, out):
    """L'v."""
    q = len(v)
    for j in range(q):
        total = 0.0
        for k in range(j, q):
            total += factor[k, j] * v[k]
        out[j] = total


@njit(cache=True, nogil=True)
def _cholesky(factor, cross, root):
    """The lower Cholesky factor of H = I + L' cross L. H is at least I, so there is no pivot to fear."""
    q = len(cross)
    for j in range(q):
        for k in range(j + 1):
            total = 1.0 if j == k else 0.0
            for a in range(j, q):
                inner = 0.0
                for b in range(k, q):
                    inner += cross[a, b] * factor[b, k]
                total += factor[a, j] * inner
            for a in range(k):
                total -= root[j, a] * root[k, a]
            root[j, k] = np.sqrt(total) if j == k else total / root[k, k]


@njit(cache=True, nogil=True)
def _solve(root, v):
    """Overwrite v with the solution of H x = v."""
    q = len(v)
    for j in range(q):
        for k in range(j):
            v[j] -= root[j, k] * v[k]
        v[j] /= root[j, j]
    for j in range(q - 1, -1, -1):
        for k in range(j + 1, q):
            v[j] -= root[k, j] * v[k]
        v[j] /= root[j, j]


@njit(cache=True, nogil=True)
def _mode(columns, response, lo, hi, poisson, factor, u, scratch, small):
    """Newton's method with halving on a group's u, in place; penalised deviance, and whether the mode was found.

    Leaves scratch and the root of H as they are one step before the mode, and that step in `small[1]`.
    """
    effects, step, trial, root = small
    score, cross = scratch[4], scratch[5]
    q = len(u)
    _product(factor, u, effects)
    value = _respond(columns, response, lo, hi, poisson, effects, scratch) + np.sum(u * u)
    if not np.isfinite(value):
        u[:] = 0.0
        effects[:] = 0.0
        value = _respond(columns, response, lo, hi, poisson, effects, scratch)
    steps = 0
    while steps < STEPS:
        _cholesky(factor, cross, root)
        _transposed(factor, score, step)
        step -= u
        trial[:] = step
        _solve(root, step)
        if not np.sum(trial * step) > DECREMENT:
            u += step
            return value, np.isfinite(value)
        size, reached = 1.0, value
        while steps < STEPS:
            steps += 1
            for j in range(q):
                trial[j] = u[j] + size * step[j]
            _product(factor, trial, effects)
            reached = _respond(columns, response, lo, hi, poisson, effects, scratch) + np.sum(trial * trial)
            if reached <= value + SLACK * (1.0 + abs(value)):
                break
            size *= 0.5
        u[:] = trial
        value = reached
    _cholesky(factor, cross, root)
    step[:] = 0.0
    return value, False


@njit(cache=True, nogil=True)
def _scratch(starts, first, last, q):
    """Work space for the longest of some groups: offset, eta, mean, weight, score, cross; and four small arrays."""
    longest = 0
    for g in range(first, last):
        longest = max(longest, starts[g + 1] - starts[g])
    rowwise = np.empty((4, longest))
    scratch = (rowwise[0], rowwise[1], rowwise[2], rowwise[3], np.empty(q), np.empty((q, q)))
    return scratch, (np.empty(q), np.empty(q), np.empty(q), np.empty((q, q)))


@njit(cache=True, nogil=True)
def _inverse(factor, root, inverse, covariance):
    """inverse = L H^-1, covariance = L H^-1 L' (of the random effects given the data); the log determinant of H."""
    q = len(root)
    column = np.empty(q)
    logdet = 0.0
    for j in range(q):
        logdet += 2.0 * np.log(root[j, j])
        column[:] = 0.0
        column[j] = 1.0
        _solve(root, column)
        for k in range(q):
            total = 0.0
            for a in range(k + 1):
                total += factor[k, a] * column[a]
            inverse[k, j] = total
    for j in range(q):
        for k in range(q):
            total = 0.0
            for a in range(k + 1):
                total += inverse[j, a] * factor[k, a]
            covariance[j, k] = total
    return logdet


@njit(cache=True, nogil=True)
def _slope(columns, lo, hi, poisson, covariance, scratch, slope):
    """d(log det H)/d(eta) of every row: d(weight)/d(eta) times z'(L H^-1 L')z."""
    n, q = hi - lo, len(covariance)
    mean, weight, work = scratch[2][:n], scratch[3][:n], scratch[1][:n]
    slope[:] = 0.0
    for j in range(q):
        work[:] = 0.0
        _combine(columns, lo, hi, covariance[j, :j], work)
        column, half = columns[j, lo:hi], 0.5 * covariance[j, j]
        for i in range(n):
            slope[i] += 2.0 * (work[i] + half * column[i]) * column[i]
    for i in range(n):
        slope[i] *= weight[i] if poisson else weight[i] * (1.0 - 2.0 * mean[i])


@njit(cache=True, nogil=True)
def deviance(columns, response, starts, first, last, poisson, beta, factor, modes, d_factor, d_beta):
    """Laplace deviance of groups first:last without constants, and the number of modes not found.

    Adds the derivatives in L and beta, exact at the mode: the mode moves with the parameters, which is accounted
    for by one adjoint solve a group (a = H^-1 L'Z's with s = d(log det H)/d(eta)). `modes` is where Newton starts,
    and is overwritten.
    """
    q = factor.shape[0]
    scratch, small = _scratch(starts, first, last, q)
    offset, eta, mean, weight, score, cross = scratch
    step, root = small[1], small[3]
    inverse, covariance, rise = np.empty((q, q)), np.empty((q, q)), np.empty((q, q))
    adjoint, through, lifted, moment = np.empty(q), np.empty(q), np.empty(q), np.empty(len(beta))
    slopes = np.empty(len(offset))
    total, failed = 0.0, 0
    for g in range(first, last):
        lo, hi, u = starts[g], starts[g + 1], modes[g]
        offset[: hi - lo] = 0.0
        _combine(columns, lo, hi, beta, offset)
        value, found = _mode(columns, response, lo, hi, poisson, factor, u, scratch, small)
        failed += not found
        total += value + _inverse(factor, root, inverse, covariance)
        slope, moved = slopes[: hi - lo], eta[: hi - lo]
        _slope(columns, lo, hi, poisson, covariance, scratch, slope)
        for j in range(q):
            through[j] = _dot(columns[j, lo:hi], slope)
        _transposed(factor, through, adjoint)
        total += _dot(adjoint, step)
        _solve(root, adjoint)
        _product(factor, adjoint, lifted)
        moved[:] = 0.0
        _combine(columns, lo, hi, lifted, moved)
        for i in range(hi - lo):
            slope[i] -= 2.0 * (response[lo + i] - mean[i]) + weight[i] * moved[i]
        for j in range(len(beta)):
            moment[j] = _dot(columns[j, lo:hi], slope)
            d_beta[j] += moment[j]
        for j in range(q):
            for k in range(q):
                rise[j, k] = 0.0
                for a in range(q):
                    rise[j, k] += cross[j, a] * inverse[a, k]
                d_factor[j, k] += moment[j] * u[k] + 2.0 * rise[j, k] + score[j] * adjoint[k]
    return total, failed


@njit(cache=True, nogil=True)
def _outer(columns, lo, hi, fixed, weight, work, schur, mixed):
    """Add X'WX of rows lo:hi into the lower triangle of `schur`; write X'WZ into `mixed`, Float["p q"]."""
    for j in range(len(fixed)):
        x = columns[fixed[j], lo:hi]
        for i in range(hi - lo):
            work[i] = weight[i] * x[i]
        for k in range(j + 1):
            schur[j, k] += _dot(columns[fixed[k], lo:hi], work)
        for k in range(mixed.shape[1]):
            mixed[j, k] = _dot(columns[k, lo:hi], work)


@njit(cache=True, nogil=True)
def _bend(factor, shift, mixed, u, score, cross, turn):
    """Add d^2(penalised deviance, u profiled out)/d(beta_j)d(L) of one group into `turn`, for one fixed effect j."""
    q = len(u)
    lifted = np.empty(q)
    _product(factor, shift, lifted)
    for j in range(q):
        left = mixed[j] - _dot(cross[j], lifted)
        for k in range(q):
            turn[j, k] += 2.0 * (left * u[k] + score[j] * shift[k])


@njit(cache=True, nogil=True)
def information(columns, response, starts, first, last, poisson, beta, factor, fixed, modes, shifts, spreads, sums):
    """Penalised deviance at the modes; fills how modes answer to fixed effects, and how sure they are.

    `fixed`: which columns are the fixed effects, p of them. `shifts`: Float["groups q p"], H^-1 L'Z'WX (du/dbeta is
    its negative). `spreads`: Float["groups q q"], H^-1. Adds into `sums`: the score of the fixed effects X'(y - mean);
    their information with the modes profiled out, X'WX - X'WZ L H^-1 L' Z'WX (lower triangle); and Float["p q q"],
    the derivative in L of the penalised deviance's gradient in the fixed effects.
    """
    gain, schur, turn = sums
    q, p = factor.shape[0], len(fixed)
    scratch, small = _scratch(starts, first, last, q)
    offset, work, mean, weight, score, cross = scratch
    step, root, column = small[1], small[3], np.empty(q)
    mixed, projected = np.empty((p, q)), np.empty((p, q))
    total, failed = 0.0, 0
    for g in range(first, last):
        lo, hi, u = starts[g], starts[g + 1], modes[g]
        offset[: hi - lo] = 0.0
        _combine(columns, lo, hi, beta, offset)
        value, found = _mode(columns, response, lo, hi, poisson, factor, u, scratch, small)
        failed += not found
        total += value
        for i in range(hi - lo):
            work[i] = response[lo + i] - mean[i]
        for j in range(p):
            gain[j] += _dot(columns[fixed[j], lo:hi], work)
        _outer(columns, lo, hi, fixed, weight, work, schur, mixed)
        for j in range(p):
            _transposed(factor, mixed[j], projected[j])
            gain[j] -= _dot(projected[j], step)
            column[:] = projected[j]
            _solve(root, column)
            shifts[g, :, j] = column
            for k in range(j + 1):
                schur[j, k] -= _dot(column, projected[k])
            _bend(factor, column, mixed[j], u, score, cross, turn[j])
        for j in range(q):
            column[:] = 0.0
            column[j] = 1.0
            _solve(root, column)
            spreads[g, j] = column
    return total, failed
