"""Choices drawn by given weights in the place of those made, and the score of every draw, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from athanor.values.full_choice import _close, _columns, _forget, _grow
from athanor.values.live import reveal
from athanor.values.loops import gain_brandle2023, gain_pan2025, note, pair_of


@njit(cache=True)
def _weigh(pairs, tried, double, open_, columns, scale, beta, alike, weights):
    """Number the pairs of the same two marks in `alike`, and sum their weights up in `weights`; how many they are.

    `columns`: those of the values that `beta` weighs, then those of the marks.
    """
    terms, count, best = len(beta), 0, -np.inf
    for k in range(pairs):
        if open_[k] > 0.0 and columns[terms, k] == tried and columns[terms + 1, k] == double:
            weight = 0.0
            for c in range(terms):
                weight += beta[c] * scale[c] * columns[c, k]
            alike[count], weights[count] = k, weight
            best = max(best, weight)
            count += 1
    total = 0.0
    for m in range(count):
        total += np.exp(weights[m] - best)
        weights[m] = total
    return count


@njit(cache=True)
def _score(count, chosen, columns, scale, alike, weights, means, rng, observed, drawn, information):
    """Add one turn's score of the pair chosen and of as many pairs drawn as `drawn` has rows, and its information."""
    terms, total = len(observed), weights[count - 1]
    means[:], before = 0.0, 0.0
    for m in range(count):
        share, before = (weights[m] - before) / total, weights[m]
        for c in range(terms):
            means[c] += share * scale[c] * columns[c, alike[m]]
    before = 0.0
    for m in range(count):
        share, before = (weights[m] - before) / total, weights[m]
        for c in range(terms):
            off = scale[c] * columns[c, alike[m]] - means[c]
            for d in range(terms):
                information[c, d] += share * off * (scale[d] * columns[d, alike[m]] - means[d])
    for c in range(terms):
        observed[c] += scale[c] * columns[c, chosen] - means[c]
    for s in range(len(drawn)):
        m = min(np.searchsorted(weights[:count], rng.random() * total, side="right"), count - 1)
        for c in range(terms):
            drawn[s, c] += scale[c] * columns[c, alike[m]] - means[c]


@njit(cache=True, nogil=True)
def scores(games, order, found, codes, fixed, lists, forbidden, used, beta, rng, out):
    """The scores of choices, made and drawn by the weights `beta` among pairs alike, and their information.

    Alike are pairs of which both had been tried or neither, and both are of an element with itself or neither.
    Arguments as `full_choice.likelihood` has them; `beta` weighs all `codes` but the last two, which are the marks
    TRIED and SELF. Fills `out`: Float["terms"], the score of the choices made; Float["draws terms"], those of the
    draws; Float["terms terms"], the information of one draw. Gives the number of turns that count: those whose choice
    was a candidate.
    """
    starts, first, second, success, repeated, gained, pool, owned = games
    observed, drawn, information = out
    elements, terms = len(lists[3][0]) - 1, len(codes)
    past = np.zeros(elements), np.full(elements, -1, np.int64), np.zeros((2, elements))
    uses, last, worth = past
    gain, place, tried = np.empty(2), np.full(elements, -1, np.int64), np.zeros(len(lists[0]), np.bool_)
    known, usable, seen = np.zeros(elements, np.bool_), np.zeros(elements, np.bool_), np.zeros(elements, np.int64)
    widest, stamp, turns = 0, 0, 0
    for t in range(len(pool)):
        if used[t]:
            widest = max(widest, pool[t])
    most = widest * (widest + 1) // 2
    columns, open_, makes = np.empty((terms, most)), np.empty(most), np.empty(most, np.int64)
    by_element, scale, means = np.empty(widest), np.empty(terms), np.empty(terms)
    alike, weights = np.empty(most, np.int64), np.empty(most)
    for p in range(len(starts) - 1):
        mine = order[1][order[0][p] : order[0][p + 1]]
        width, many, have, can = 0, 0, 0, 0
        for i in range(len(mine)):
            place[mine[i]] = i
        for t in range(starts[p], starts[p + 1]):
            n, now, a, b = pool[t], t - starts[p], first[t], second[t]
            i, j = min(place[a], place[b]), max(place[a], place[b])
            chosen = j * (j + 1) // 2 + i
            if used[t]:
                many = _grow(width, n, mine, codes, fixed, lists[0], tried, forbidden, columns, open_, makes, many)
                have = reveal(found[1], found[0][p], have, owned[t], known)
                can = reveal(order[1], order[0][p], can, n, usable)
                width, pairs, candidates = n, n * (n + 1) // 2, 0.0
                for k in range(pairs):
                    candidates += open_[k]
                if i >= 0 and j < n and open_[chosen] > 0.0 and candidates > 1.0:
                    live = makes, many, known, usable, lists, seen, stamp
                    stamp = _columns(n, now, mine, codes, past, live, columns, open_, candidates, by_element, scale)
                    count = _weigh(pairs, repeated[t], i == j, open_, columns, scale, beta, alike, weights)
                    _score(count, chosen, columns, scale, alike, weights, means, rng, observed, drawn, information)
                    turns += 1
            gain[0] = gain_brandle2023(gained[t], success[t], repeated[t])
            gain[1] = gain_pan2025(gained[t], success[t], repeated[t])
            note(a, b, now, gain, uses, last, worth)
            tried[pair_of(a, b)] = True
            if i >= 0 and j < width:
                _close(chosen, codes, forbidden, columns, open_)
        _forget(starts[p], starts[p + 1], first, second, tried, uses, last, worth)
        place[mine], known[found[1][found[0][p] : found[0][p + 1]]], usable[mine] = -1, False, False
    return turns
