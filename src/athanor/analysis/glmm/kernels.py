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
DECREMENT = 1e-14
"""A mode is found when its squared Newton decrement, in units of the deviance, is below this."""
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
        for l in range(j + 1):
            cross[j, l] = cross[l, j] = _dot(columns[l, lo:hi], eta)
    return 2.0 * loss


@njit(cache=True, nogil=True)
def _product(factor, u, effects):
    """b = L u."""
    for j in range(len(u)):
        total = 0.0
        for l in range(j + 1):
            total += factor[j, l] * u[l]
        effects[j] = total


@njit(cache=True, nogil=True)
def _transposed(factor, v, out):
    """L'v."""
    q = len(v)
    for j in range(q):
        total = 0.0
        for l in range(j, q):
            total += factor[l, j] * v[l]
        out[j] = total


@njit(cache=True, nogil=True)
def _cholesky(factor, cross, root):
    """The lower Cholesky factor of H = I + L' cross L. H is at least I, so there is no pivot to fear."""
    q = len(cross)
    for j in range(q):
        for l in range(j + 1):
            total = 1.0 if j == l else 0.0
            for a in range(j, q):
                inner = 0.0
                for b in range(l, q):
                    inner += cross[a, b] * factor[b, l]
                total += factor[a, j] * inner
            for a in range(l):
                total -= root[j, a] * root[l, a]
            root[j, l] = np.sqrt(total) if j == l else total / root[l, l]


@njit(cache=True, nogil=True)
def _solve(root, v):
    """Overwrite v with the solution of H x = v."""
    q = len(v)
    for j in range(q):
        for l in range(j):
            v[j] -= root[j, l] * v[l]
        v[j] /= root[j, j]
    for j in range(q - 1, -1, -1):
        for l in range(j + 1, q):
            v[j] -= root[l, j] * v[l]
        v[j] /= root[j, j]


@njit(cache=True, nogil=True)
def _mode(columns, response, lo, hi, poisson, factor, u, scratch, small):
    """Newton's method with halving on a group's u, in place; penalised deviance, and whether the mode was found.

    Leaves scratch and the root of H as they are at the mode.
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
            return value, np.isfinite(value)
        size = 1.0
        while steps < STEPS:
            steps += 1
            for j in range(q):
                trial[j] = u[j] + size * step[j]
            _product(factor, trial, effects)
            reached = _respond(columns, response, lo, hi, poisson, effects, scratch) + np.sum(trial * trial)
            if reached <= value + 1e-12 * (1.0 + abs(value)):
                break
            size *= 0.5
        u[:] = trial
        value = reached
    _cholesky(factor, cross, root)
    return value, False


@njit(cache=True, nogil=True)
def _scratch(starts, first, last, q):
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
        for l in range(q):
            total = 0.0
            for a in range(l + 1):
                total += factor[l, a] * column[a]
            inverse[l, j] = total
    for j in range(q):
        for l in range(q):
            total = 0.0
            for a in range(l + 1):
                total += inverse[j, a] * factor[l, a]
            covariance[j, l] = total
    return logdet


@njit(cache=True, nogil=True)
def _slope(columns, lo, hi, poisson, covariance, pull, scratch, slope):
    """d(log det H)/d(eta) of every row, less the row's `pull`.

    `pull` is a combination of columns whose score is held at zero (fixed effects profiled out), or empty.
    """
    n, q = hi - lo, len(covariance)
    mean, weight, work = scratch[2][:n], scratch[3][:n], scratch[1][:n]
    slope[:] = 0.0
    for j in range(q):
        work[:] = 0.0
        _combine(columns, lo, hi, covariance[j, :j], work)
        column, half = columns[j, lo:hi], 0.5 * covariance[j, j]
        for i in range(n):
            slope[i] += 2.0 * (work[i] + half * column[i]) * column[i]
    work[:] = 0.0
    _combine(columns, lo, hi, pull, work)
    for i in range(n):
        change = 1.0 if poisson else 1.0 - 2.0 * mean[i]
        slope[i] = weight[i] * (change * slope[i] - 2.0 * work[i])


@njit(cache=True, nogil=True)
def deviance(columns, response, starts, first, last, poisson, beta, factor, pull, modes, d_factor, d_beta):
    """Laplace deviance of groups first:last without constants, and the number of modes not found.

    Adds the derivatives in L and beta, exact at the mode: the mode moves with the parameters, which is accounted
    for by one adjoint solve a group (a = H^-1 L'Z's with s = d(log det H)/d(eta)). With a `pull` not of zeros the
    derivative in L is that of deviance - pull'(d penalised deviance / d beta). `modes` is where Newton starts, and
    is overwritten.
    """
    q = factor.shape[0]
    scratch, small = _scratch(starts, first, last, q)
    offset, eta, mean, weight, score, cross = scratch
    root = small[3]
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
        _slope(columns, lo, hi, poisson, covariance, pull, scratch, slope)
        for j in range(q):
            through[j] = _dot(columns[j, lo:hi], slope)
        _transposed(factor, through, adjoint)
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
            for l in range(q):
                rise[j, l] = 0.0
                for a in range(q):
                    rise[j, l] += cross[j, a] * inverse[a, l]
                d_factor[j, l] += moment[j] * u[l] + 2.0 * rise[j, l] + score[j] * adjoint[l]
    return total, failed


@njit(cache=True, nogil=True)
def information(columns, response, starts, first, last, poisson, beta, factor, fixed, modes, shifts, spreads, gain, schur):
    """Penalised deviance at the modes; fills how modes answer to fixed effects, and how sure they are.

    Adds the score of the fixed effects X'(y - mean) into `gain` and their information with the modes profiled out,
    X'WX - X'WZ L H^-1 L' Z'WX, into `schur`. `fixed`: which columns are the fixed effects, p of them.
    `shifts`: Float["groups q p"], H^-1 L'Z'WX (du/dbeta is its negative). `spreads`: Float["groups q q"], H^-1.
    """
    q, p = factor.shape[0], len(fixed)
    scratch, small = _scratch(starts, first, last, q)
    offset, weighted, mean, weight = scratch[:4]
    root, column = small[3], np.empty(q)
    mixed, projected = np.empty((p, q)), np.empty((p, q))
    total, failed = 0.0, 0
    for g in range(first, last):
        lo, hi, u = starts[g], starts[g + 1], modes[g]
        offset[: hi - lo] = 0.0
        _combine(columns, lo, hi, beta, offset)
        value, found = _mode(columns, response, lo, hi, poisson, factor, u, scratch, small)
        failed += not found
        total += value
        work = weighted[: hi - lo]
        for i in range(hi - lo):
            work[i] = response[lo + i] - mean[i]
        for j in range(p):
            gain[j] += _dot(columns[fixed[j], lo:hi], work)
        for j in range(p):
            x = columns[fixed[j], lo:hi]
            for i in range(hi - lo):
                work[i] = weight[i] * x[i]
            for l in range(j + 1):
                schur[j, l] += _dot(columns[fixed[l], lo:hi], work)
            for l in range(q):
                mixed[j, l] = _dot(columns[l, lo:hi], work)
        for j in range(p):
            _transposed(factor, mixed[j], projected[j])
            column[:] = projected[j]
            _solve(root, column)
            shifts[g, :, j] = column
            for l in range(j + 1):
                schur[j, l] -= np.sum(column * projected[l])
        for j in range(q):
            column[:] = 0.0
            column[j] = 1.0
            _solve(root, column)
            spreads[g, j] = column
    return total, failed
