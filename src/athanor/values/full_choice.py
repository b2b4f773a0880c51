"""The likelihood of choices, compiled: among all pairs that could be combined, and against pairs that were drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from athanor.values.formulas import PAST
from athanor.values.games import Games
from athanor.values.live import lists_of, live_value, reveal
from athanor.values.loops import gain_brandle2023, gain_pan2025, note, of_element, pair_of
from athanor.values.tables import LIVE as LIVE_NAMES
from athanor.values.tables import PairValues
from athanor.values.turns import MARKS

TRIED, SELF, LIVE, FIXED = 4, 5, 6, 9
"""Codes of terms: below TRIED those of `formulas.PAST`; TRIED and SELF are 1 for a pair combined before, and for one of
an element with itself, else 0; from LIVE on those of `tables.LIVE`, and from FIXED on they number the values of pairs
that do not change."""

COUNTED, ABSENT, FORBIDDEN, ALONE = 0, 1, 2, 3
"""What becomes of a turn: it counts; or an element of the choice could not be combined, or the pair was tried and tried
ones are no candidates, or there was no other candidate."""
FATES = 4
_SUMS = {"reassoc", "contract"}
"""Sums may be taken in another order: the compiler then takes several numbers at once."""


def arguments(games: Games, fixed: PairValues, terms: Sequence[str]) -> tuple[Any, ...]:
    """`games`, `order`, `found`, `codes`, `fixed` and `lists` as `likelihood` takes them."""
    names = [name for name in fixed.values if name in terms]
    codes = np.array([(*PAST, *MARKS, *LIVE_NAMES, *names).index(term) for term in terms])
    stacked = np.stack([fixed.values[name] for name in names]) if names else np.zeros((1, 1))
    data = (
        games.choices.starts, games.choices.first, games.choices.second, games.success, games.repeated, games.gained,
        games.pool, games.owned,
    )  # fmt: skip
    order, found = (games.order.starts, games.order.items), (games.found.starts, games.found.items)
    return data, order, found, codes, stacked, lists_of(games.world)


@njit(cache=True)
def _grow(width, n, mine, codes, fixed, recipe, tried, forbidden, columns, open_, makes, many):
    """Write what does not follow from the turn, for the pairs of more elements; how many pairs make something now."""
    for j in range(width, n):
        for i in range(j + 1):
            k, number = j * (j + 1) // 2 + i, pair_of(mine[i], mine[j])
            open_[k] = 0.0 if forbidden and tried[number] else 1.0
            if recipe[number] >= 0:
                makes[many] = k
                many += 1
            for c in range(len(codes)):
                if codes[c] == TRIED:
                    columns[c, k] = 1.0 if tried[number] else 0.0
                elif codes[c] == SELF:
                    columns[c, k] = 1.0 if i == j else 0.0
                elif codes[c] >= FIXED:
                    columns[c, k] = fixed[codes[c] - FIXED, number]
                else:
                    columns[c, k] = 0.0
    return many


@njit(cache=True)
def _sums_of_two(n, by_element, column):
    """Write the values of all pairs of n elements as sums of theirs."""
    k = 0
    for j in range(n):
        other = by_element[j]
        for i in range(j + 1):
            column[k + i] = by_element[i] + other
        k += j + 1


@njit(cache=True, fastmath=_SUMS)
def _deviation(column, open_, count):
    """One over the standard deviation among the candidates; 0 where there is none."""
    total, squares = 0.0, 0.0
    for k in range(len(column)):
        total += open_[k] * column[k]
        squares += open_[k] * column[k] * column[k]
    mean = total / count
    variance = squares / count - mean * mean
    return 1.0 / np.sqrt(variance) if variance > 1e-12 * max(1.0, mean * mean) else 0.0


@njit(cache=True, fastmath=_SUMS)
def _dot(a, b):
    total = 0.0
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@njit(cache=True)
def _add(factor, column, out):
    for k in range(len(column)):
        out[k] += factor * column[k]


@njit(cache=True)
def _times(a, b, out):
    for k in range(len(a)):
        out[k] = a[k] * b[k]


@njit(cache=True)
def _turn(pairs, chosen, open_, columns, scale, beta, weights, weighed, means, gradient, hessian):
    """Add one turn's gradient and information; its log-likelihood. Pairs that are not `open_` are no candidates.

    Columns are as they are: what z-scoring takes off each cancels, and `scale` is what it multiplies with.
    """
    terms, best, weights = len(beta), -np.inf, weights[:pairs]
    weights[:] = 0.0
    for c in range(terms):
        _add(beta[c] * scale[c], columns[c, :pairs], weights)
    for k in range(pairs):
        if open_[k] > 0.0:
            best = max(best, weights[k])
    at_choice, total = weights[chosen] - best, 0.0
    for k in range(pairs):
        weights[k] = np.exp(weights[k] - best) if open_[k] > 0.0 else 0.0
        total += weights[k]
    for c in range(terms):
        means[c] = _dot(weights, columns[c, :pairs]) / total
        gradient[c] += scale[c] * (columns[c, chosen] - means[c])
    for c in range(terms):
        _times(weights, columns[c, :pairs], weighed[:pairs])
        for d in range(c + 1):
            both = _dot(weighed[:pairs], columns[d, :pairs]) / total
            hessian[c, d] += scale[c] * scale[d] * (both - means[c] * means[d])
    return at_choice - np.log(total)


@njit(cache=True)
def _columns(n, now, mine, codes, past, live, columns, open_, candidates, by_element, scale):
    """Write the columns that follow from the turn, and one over the deviation of all that are z-scored."""
    uses, last, worth = past
    makes, many, known, usable, lists, seen, stamp = live
    pairs = n * (n + 1) // 2
    for c in range(len(codes)):
        scale[c] = 1.0
        if codes[c] < TRIED:
            for i in range(n):
                by_element[i] = of_element(codes[c], mine[i], now, uses, last, worth)
            _sums_of_two(n, by_element, columns[c])
        elif LIVE <= codes[c] < FIXED:
            for m in range(many):
                i, j = _places(makes[m])
                stamp += 1
                made = lists[0][pair_of(mine[i], mine[j])]
                columns[c, makes[m]] = live_value(codes[c] - LIVE, made, known, usable, lists, seen, stamp)
        if codes[c] not in (TRIED, SELF):
            scale[c] = _deviation(columns[c, :pairs], open_[:pairs], candidates)
    return stamp


@njit(cache=True)
def _places(k):
    """The two places of pair number k, low and high."""
    high = int((np.sqrt(8.0 * k + 1.0) - 1.0) / 2.0)
    while high * (high + 1) // 2 > k:
        high -= 1
    while (high + 1) * (high + 2) // 2 <= k:
        high += 1
    return k - high * (high + 1) // 2, high


@njit(cache=True, nogil=True)
def likelihood(span, games, order, found, codes, fixed, lists, forbidden, used, beta, out):
    """Log-likelihood of the choices of the players span[0] to span[1] - 1, with its gradient and information.

    `games`: starts, first, second, success, repeated, gained, pool, owned; `order` and `found`: starts and items of the
    elements that each player could combine, and owned, in discovery order; `codes`: Int["terms"]; `fixed`:
    Float["fixed all-pairs"]; `lists`: those of `live.lists_of`; `forbidden`: whether pairs tried are no candidates;
    `used`: Bool["turns"], which turns are asked. Fills `out` by player: log-likelihood, Float["players terms"]
    gradient, Float["players terms terms"] information (lower triangle), and Int["players FATES"], how many of the turns
    asked counted, or why not: only those do whose choice was a candidate among at least two.
    """
    starts, first, second, success, repeated, gained, pool, owned = games
    values, gradients, hessians, fates = out
    elements, terms = len(lists[3][0]) - 1, len(codes)
    past = np.zeros(elements), np.full(elements, -1, np.int64), np.zeros((2, elements))
    uses, last, worth = past
    gain, place, tried = np.empty(2), np.full(elements, -1, np.int64), np.zeros(len(lists[0]), np.bool_)
    known, usable, seen = np.zeros(elements, np.bool_), np.zeros(elements, np.bool_), np.zeros(elements, np.int64)
    widest, stamp = 0, 0
    for t in range(starts[span[0]], starts[span[1]]):
        if used[t]:
            widest = max(widest, pool[t])
    most = widest * (widest + 1) // 2
    columns, open_, makes, by_element = (
        np.empty((terms, most)),
        np.empty(most),
        np.empty(most, np.int64),
        np.empty(widest),
    )
    weights, weighed, means, scale = np.empty(most), np.empty(most), np.empty(terms), np.empty(terms)
    for p in range(span[0], span[1]):
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
                if i < 0 or j >= n:
                    fates[p, ABSENT] += 1
                elif open_[chosen] == 0.0:
                    fates[p, FORBIDDEN] += 1
                elif candidates < 2.0:
                    fates[p, ALONE] += 1
                else:
                    live = makes, many, known, usable, lists, seen, stamp
                    stamp = _columns(n, now, mine, codes, past, live, columns, open_, candidates, by_element, scale)
                    values[p] += _turn(
                        pairs, chosen, open_, columns, scale, beta, weights, weighed, means, gradients[p], hessians[p]
                    )
                    fates[p, COUNTED] += 1
            gain[0] = gain_brandle2023(gained[t], success[t], repeated[t])
            gain[1] = gain_pan2025(gained[t], success[t], repeated[t])
            note(a, b, now, gain, uses, last, worth)
            tried[pair_of(a, b)] = True
            if i >= 0 and j < width:
                _close(chosen, codes, forbidden, columns, open_)
        _forget(starts[p], starts[p + 1], first, second, tried, uses, last, worth)
        place[mine], known[found[1][found[0][p] : found[0][p + 1]]], usable[mine] = -1, False, False


@njit(cache=True)
def _close(k, codes, forbidden, columns, open_):
    """Note that a pair was tried."""
    if forbidden:
        open_[k] = 0.0
    for c in range(len(codes)):
        if codes[c] == TRIED:
            columns[c, k] = 1.0


@njit(cache=True)
def _forget(lo, hi, first, second, tried, uses, last, worth):
    """Leave no trace of a player."""
    for t in range(lo, hi):
        tried[pair_of(first[t], second[t])] = False
        for e in (first[t], second[t]):
            uses[e], last[e], worth[0, e], worth[1, e] = 0.0, -1, 0.0, 0.0


@njit(cache=True, nogil=True)
def sampled_likelihood(starts, less, scale, beta, out):
    """Log-likelihood of choices against pairs that were drawn, with its gradient and information, player by player.

    `less`: Float["turns pairs terms"], each pair's values less those of the chosen one, to be divided by `scale`.
    Fills `out` as `likelihood` does, without the fates.
    """
    values, gradients, hessians = out
    count, terms = less.shape[1], less.shape[2]
    weights, x, means, both = np.empty(count), np.empty((count, terms)), np.empty(terms), np.empty((terms, terms))
    for p in range(len(starts) - 1):
        for t in range(starts[p], starts[p + 1]):
            top = 0.0
            for s in range(count):
                weights[s] = 0.0
                for c in range(terms):
                    x[s, c] = less[t, s, c] / scale[c]
                    weights[s] += beta[c] * x[s, c]
                top = max(top, weights[s])
            total = np.exp(-top)
            means[:], both[:] = 0.0, 0.0
            for s in range(count):
                weight = np.exp(weights[s] - top)
                total += weight
                for c in range(terms):
                    means[c] += weight * x[s, c]
                    for d in range(c + 1):
                        both[c, d] += weight * x[s, c] * x[s, d]
            values[p] -= top + np.log(total)
            for c in range(terms):
                gradients[p, c] -= means[c] / total
                for d in range(c + 1):
                    hessians[p, c, d] += both[c, d] / total - means[c] / total * means[d] / total
