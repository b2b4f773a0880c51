"""The likelihood of choices among all pairs that could be combined, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from athanor.values.loops import gain_brandle2023, gain_pan2025, note, pair_of, recency, uncertainty

TRIED, SELF, FIXED = 4, 5, 6
"""Codes of terms: below TRIED those of `formulas.PAST`; TRIED and SELF are 1 for a pair combined before, and for one of
an element with itself, else 0; from FIXED on they number the values of pairs that do not change."""

COUNTED, ABSENT, FORBIDDEN, ALONE = 0, 1, 2, 3
"""What becomes of a turn: it counts; or an element of the choice could not be combined, or the pair was tried and tried
ones are no candidates, or there was no other candidate."""
FATES = 4


@njit(cache=True)
def _elements(n, now, order, uses, last, worth, out):
    """Write the values of the past of the first n combinable elements: Float["4 n"]."""
    for i in range(n):
        e = order[i]
        out[0, i] = uncertainty(now, uses[e])
        out[1, i] = recency(now, now if last[e] < 0 else now - 1 - last[e])
        out[2, i] = worth[0, e]
        out[3, i] = worth[1, e]


@njit(cache=True)
def _candidates(n, order, tried, forbidden, open_):
    """Mark the pairs of n elements that are candidates, and give their number."""
    count, k = 0, 0
    for j in range(n):
        for i in range(j + 1):
            open_[k] = not (forbidden and tried[pair_of(order[i], order[j])])
            count += open_[k]
            k += 1
    return count


@njit(cache=True)
def _design(n, order, codes, fixed, elements, tried, open_, columns):
    """Write Float["terms pairs"]: the terms of all pairs of n elements, z-scored over the candidates but for the marks.

    Pairs are numbered as everywhere, by their places in the order of discovery.
    """
    for c in range(len(codes)):
        code, total, squares, count, k = codes[c], 0.0, 0.0, 0, 0
        for j in range(n):
            for i in range(j + 1):
                if code < TRIED:
                    value = elements[code, i] + elements[code, j]
                elif code == TRIED:
                    value = 1.0 if tried[pair_of(order[i], order[j])] else 0.0
                elif code == SELF:
                    value = 1.0 if i == j else 0.0
                else:
                    value = fixed[code - FIXED, pair_of(order[i], order[j])]
                columns[c, k] = value
                if open_[k]:
                    total += value
                    squares += value * value
                    count += 1
                k += 1
        if code in (TRIED, SELF):
            continue
        mean = total / count
        variance = squares / count - mean * mean
        scale = 1.0 / np.sqrt(variance) if variance > 1e-12 * max(1.0, mean * mean) else 0.0
        for k in range(n * (n + 1) // 2):
            columns[c, k] = (columns[c, k] - mean) * scale


@njit(cache=True)
def _turn(pairs, chosen, open_, columns, beta, weights, means, gradient, hessian):
    """Add one turn's gradient and information; its log-likelihood. Pairs that are not `open_` are no candidates."""
    terms, best = len(beta), -np.inf
    for k in range(pairs):
        if not open_[k]:
            continue
        logit = 0.0
        for c in range(terms):
            logit += beta[c] * columns[c, k]
        weights[k] = logit
        best = max(best, logit)
    total = 0.0
    means[:] = 0.0
    at_choice = weights[chosen] - best
    for k in range(pairs):
        if open_[k]:
            weights[k] = np.exp(weights[k] - best)
            total += weights[k]
            for c in range(terms):
                means[c] += weights[k] * columns[c, k]
    for c in range(terms):
        means[c] /= total
        gradient[c] += columns[c, chosen] - means[c]
    for k in range(pairs):
        if open_[k]:
            share = weights[k] / total
            for c in range(terms):
                left = share * (columns[c, k] - means[c])
                for d in range(c + 1):
                    hessian[c, d] += left * (columns[d, k] - means[d])
    return at_choice - np.log(total)


@njit(cache=True, nogil=True)
def likelihood(span, games, order, codes, fixed, forbidden, beta, elements, out):
    """Log-likelihood of the choices of the players span[0] to span[1] - 1, with its gradient and information.

    `games`: starts, first, second, success, repeated, gained, pool; `order`: starts and items of the players' elements
    in discovery order; `codes`: Int["terms"]; `fixed`: Float["fixed all-pairs"]; `forbidden`: whether pairs tried are
    no candidates. Fills `out` by player: log-likelihood, Float["players terms"] gradient, Float["players terms terms"]
    information (lower triangle), and Int["players FATES"], how many turns counted, or why not: only those do whose
    choice was a candidate among at least two.
    """
    starts, first, second, success, repeated, gained, pool = games
    values, gradients, hessians, fates = out
    uses, last, worth, gain = np.zeros(elements), np.full(elements, -1, np.int64), np.zeros((2, elements)), np.empty(2)
    place, tried = np.full(elements, -1, np.int64), np.zeros(elements * (elements + 1) // 2, np.bool_)
    widest = 0
    for t in range(starts[span[0]], starts[span[1]]):
        widest = max(widest, pool[t])
    most = widest * (widest + 1) // 2
    by_element, columns = np.empty((4, widest)), np.empty((len(codes), most))
    weights, means, open_ = np.empty(most), np.empty(len(codes)), np.ones(most, np.bool_)
    for p in range(span[0], span[1]):
        mine = order[1][order[0][p] : order[0][p + 1]]
        for i in range(len(mine)):
            place[mine[i]] = i
        for t in range(starts[p], starts[p + 1]):
            n, now, a, b = pool[t], t - starts[p], first[t], second[t]
            i, j = min(place[a], place[b]), max(place[a], place[b])
            pairs, chosen = n * (n + 1) // 2, j * (j + 1) // 2 + i
            candidates = _candidates(n, mine, tried, forbidden, open_)
            if i < 0 or j >= n:
                fates[p, ABSENT] += 1
            elif not open_[chosen]:
                fates[p, FORBIDDEN] += 1
            elif candidates < 2:
                fates[p, ALONE] += 1
            else:
                _elements(n, now, mine, uses, last, worth, by_element)
                _design(n, mine, codes, fixed, by_element, tried, open_, columns)
                turn = _turn(pairs, chosen, open_, columns, beta, weights, means, gradients[p], hessians[p])
                values[p] += turn
                fates[p, COUNTED] += 1
            gain[0] = gain_brandle2023(gained[t], success[t], repeated[t])
            gain[1] = gain_pan2025(gained[t], success[t], repeated[t])
            note(a, b, now, gain, uses, last, worth)
            tried[pair_of(a, b)] = True
        for t in range(starts[p], starts[p + 1]):
            tried[pair_of(first[t], second[t])] = False
            for e in (first[t], second[t]):
                uses[e], last[e], worth[0, e], worth[1, e] = 0.0, -1, 0.0, 0.0
        for i in range(len(mine)):
            place[mine[i]] = -1
