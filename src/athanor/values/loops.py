"""The loops over logged turns, compiled: millions of turns in seconds. Plain arrays in, plain arrays out."""

from __future__ import annotations

import numpy as np
from numba import njit

from athanor.values import formulas

uncertainty = njit(formulas.uncertainty)
recency = njit(formulas.recency)
gain_brandle2023 = njit(formulas.gain_brandle2023)
gain_pan2025 = njit(formulas.gain_pan2025)


@njit(cache=True)
def pair_of(first, second):
    low, high = min(first, second), max(first, second)
    return np.int64(high) * (high + 1) // 2 + low


@njit(cache=True)
def _earned(known, owned, gifts, kind, earned):
    """Write the gifts that an inventory has earned and does not hold, and give their number."""
    element, size, count, starts, items = gifts
    found = 0
    for g in range(len(element)):
        if known[element[g]] or kind == 0:
            continue
        enough = size[g] > 0 and owned >= size[g]
        if not enough and kind == 2 and count[g] > 0:
            held = 0
            for k in range(starts[g], starts[g + 1]):
                held += known[items[k]]
            enough = held >= count[g]
        if enough:
            earned[found] = element[g]
            found += 1
    return found


@njit(cache=True)
def _join(element, known, all_owned, owned, order, pool, final, finals_combine):
    """Add one element to an inventory; the new sizes of what is owned and of what can be combined."""
    known[element] = True
    all_owned[owned] = element
    if finals_combine or not final[element]:
        order[pool] = element
        pool += 1
    return owned + 1, pool


@njit(cache=True)
def _refusal(first, second, known, final, ownership, finals_combine):
    """Position of the reason in `games.CAUSES`, 0 if the pair is an attempt."""
    if first < 0 or second < 0:
        return 1
    if not ownership:
        return 0
    if not known[first] or not known[second]:
        return 2
    if not finals_combine and (final[first] or final[second]):
        return 3
    return 0


@njit(cache=True)
def _settle(inventory, due, dues, known, all_owned, order, final, finals_combine):
    """Give what is due."""
    owned, pool = inventory
    for k in range(dues):
        if not known[due[k]]:
            owned, pool = _join(due[k], known, all_owned, owned, order, pool, final, finals_combine)
    return owned, pool


REPLAYED, MEMORYLESS, NEVER_REPEAT = 0, 1, 2
"""Who chooses: the arrays of choices, or a random player that fills them."""
PATIENCE = 64
"""Draws that a random choice rejects before it looks through what is left."""


@njit(cache=True)
def _draw(order, pool, tried, policy, rng):
    """Two independent uniform draws from what can be combined; one who never repeats rejects pairs tried before."""
    a, b = order[int(rng.random() * pool)], order[int(rng.random() * pool)]
    if policy == MEMORYLESS or not tried[pair_of(a, b)]:
        return a, b
    for _ in range(PATIENCE):
        i, j = int(rng.random() * pool), int(rng.random() * pool)
        if not tried[pair_of(order[i], order[j])]:
            return order[i], order[j]
    left = 0
    for i in range(pool):
        for j in range(pool):
            left += not tried[pair_of(order[i], order[j])]
    place = int(rng.random() * left)
    for i in range(pool):
        for j in range(pool):
            if not tried[pair_of(order[i], order[j])]:
                if place == 0:
                    return order[i], order[j]
                place -= 1
    return a, b


@njit(cache=True)
def _play(lo, hi, first, second, granted, policy, rng, table, gifts, flags, out, scratch):
    """One player's game; the number of combinable elements at its end, which lie in scratch's order."""
    base, final, recipe, starts, items = table
    ownership, finals_combine, one, kind, timing = flags
    refused, success, repeated, gained, pool_before, owned_before, pool_after, owned_after = out
    known, all_owned, order, due, tried = scratch
    inventory = (0, 0)
    for element in base:
        inventory = _join(element, known, all_owned, inventory[0], order, inventory[1], final, finals_combine)
    dues = _earned(known, inventory[0], gifts, kind, due)
    while timing == 0 and dues:
        inventory = _settle(inventory, due, dues, known, all_owned, order, final, finals_combine)
        dues = _earned(known, inventory[0], gifts, kind, due)
    for t in range(lo, hi):
        if granted[t] and ownership:
            for element in (first[t], second[t]):
                if element >= 0 and not known[element]:
                    inventory = _join(
                        element, known, all_owned, inventory[0], order, inventory[1], final, finals_combine
                    )
                    dues = _earned(known, inventory[0], gifts, kind, due)
        begun = inventory[0]
        if timing == 2 and dues:
            inventory = _settle(inventory, due, dues, known, all_owned, order, final, finals_combine)
            dues = _earned(known, inventory[0], gifts, kind, due)
        owned_before[t], pool_before[t] = inventory
        owned_after[t], pool_after[t] = inventory
        if policy != REPLAYED:
            first[t], second[t] = _draw(order, inventory[1], tried, policy, rng)
        a, b = first[t], second[t]
        refused[t] = _refusal(a, b, known, final, ownership, finals_combine)
        if refused[t]:
            gained[t] = inventory[0] - begun
            continue
        number = pair_of(a, b)
        repeated[t] = tried[number]
        tried[number] = True
        news = 0
        if recipe[number] >= 0:
            success[t] = True
            for k in range(starts[recipe[number]], starts[recipe[number] + 1]):
                if not known[items[k]] and not (one and news):
                    inventory = _join(
                        items[k], known, all_owned, inventory[0], order, inventory[1], final, finals_combine
                    )
                    news += 1
        if news or dues:
            dues = _earned(known, inventory[0], gifts, kind, due)
            while timing != 2 and dues:
                inventory = _settle(inventory, due, dues, known, all_owned, order, final, finals_combine)
                dues = _earned(known, inventory[0], gifts, kind, due)
                if timing == 1:
                    break
        gained[t] = inventory[0] - begun
        owned_after[t], pool_after[t] = inventory
    return inventory


@njit(cache=True)
def _append(whole, used, items, count):
    """A growing array with more items in it, and how many they are now."""
    if used + count > len(whole):
        grown = np.empty(2 * len(whole) + count, np.int32)
        grown[:used] = whole[:used]
        whole = grown
    whole[used : used + count] = items[:count]
    return whole, used + count


@njit(cache=True, nogil=True)
def games(players, first, second, granted, policy, rng, table, gifts, flags, out, ends, holds):
    """Every player's game: the choices replayed, or chosen here by another policy with the generator `rng`.

    `granted`: Bool["turns"], whose elements are taken as owned. Fills the arrays of `out`, `ends` and `holds`; gives
    the players' orders, one after the other, of what they could combine (as `ends` has it) and of all that they owned
    (as `holds` has it).
    """
    n, recipe = len(table[1]), table[2]
    known, all_owned, order = np.zeros(n, np.bool_), np.empty(n, np.int32), np.empty(n, np.int32)
    due, tried = np.empty(len(gifts[0]), np.int32), np.zeros(len(recipe), np.bool_)
    scratch = known, all_owned, order, due, tried
    orders, used = np.empty(16 * len(players) + n, np.int32), 0
    founds, held = np.empty(16 * len(players) + n, np.int32), 0
    for p in range(len(players) - 1):
        lo, hi = players[p], players[p + 1]
        owned, pool = _play(lo, hi, first, second, granted, policy, rng, table, gifts, flags, out, scratch)
        orders, used = _append(orders, used, order, pool)
        founds, held = _append(founds, held, all_owned, owned)
        ends[p + 1], holds[p + 1] = used, held
        for k in range(owned):
            known[all_owned[k]] = False
        for t in range(lo, hi):
            if first[t] >= 0 and second[t] >= 0:
                tried[pair_of(first[t], second[t])] = False
    return orders[:used].copy(), founds[:held].copy()


@njit(cache=True)
def note(a, b, t, gain, uses, last, worth):
    """Note a turn: both elements were used, at turn t, and gained what the turn gave."""
    for element in (a, b):
        uses[element] += 1
        last[element] = t
        for rule in range(len(gain)):
            worth[rule, element] += gain[rule]


@njit(cache=True, nogil=True)
def element_values(players, first, second, success, repeated, gained, pairs, elements, codes, out):
    """Values that depend on the past, of given pairs at every turn, read before the turn's own update.

    `pairs`: Int["turns pairs 2"]. `codes`: Int["codes"], which values: positions in `formulas.PAST`, and the one behind
    them for whether the pair was tried. Fills `out`: Float["codes turns pairs"].
    """
    tried = np.zeros(elements * (elements + 1) // 2, np.bool_)
    uses, last, worth = np.zeros(elements), np.full(elements, -1, np.int64), np.zeros((2, elements))
    gain = np.empty(2)
    for p in range(len(players) - 1):
        lo = players[p]
        for t in range(lo, players[p + 1]):
            now = t - lo
            for c in range(len(codes)):
                for k in range(pairs.shape[1]):
                    a, b = pairs[t, k, 0], pairs[t, k, 1]
                    if codes[c] == 4:
                        out[c, t, k] = tried[pair_of(a, b)]
                    else:
                        out[c, t, k] = of_element(codes[c], a, now, uses, last, worth)
                        out[c, t, k] += of_element(codes[c], b, now, uses, last, worth)
            gain[0] = gain_brandle2023(gained[t], success[t], repeated[t])
            gain[1] = gain_pan2025(gained[t], success[t], repeated[t])
            note(first[t], second[t], now, gain, uses, last, worth)
            tried[pair_of(first[t], second[t])] = True
        for t in range(lo, players[p + 1]):
            tried[pair_of(first[t], second[t])] = False
            for e in (first[t], second[t]):
                uses[e], last[e], worth[0, e], worth[1, e] = 0.0, -1, 0.0, 0.0


@njit(cache=True)
def of_element(code, e, now, uses, last, worth):
    """One value of `formulas.PAST`, by its position, of one element."""
    if code == 0:
        return uncertainty(now, uses[e])
    if code == 1:
        return recency(now, now if last[e] < 0 else now - 1 - last[e])
    return worth[code - 2, e]


@njit(cache=True)
def unordered(k):
    """The two places of pair number k, low and high: the inverse of `pair_of`."""
    high = int((np.sqrt(8.0 * k + 1.0) - 1.0) / 2.0)
    while high * (high + 1) // 2 > k:
        high -= 1
    while (high + 1) * (high + 2) // 2 <= k:
        high += 1
    return k - high * (high + 1) // 2, high


@njit(cache=True)
def _marked(order, pool, mark, wanted, rng):
    """A uniform unordered pair of what can be combined whose mark is as wanted; -1, -1 if there is none.

    `mark`: Bool["all-pairs"], by pair of elements.
    """
    pairs, left = pool * (pool + 1) // 2, 0
    for _ in range(PATIENCE):
        i, j = unordered(int(rng.random() * pairs))
        if mark[pair_of(order[i], order[j])] == wanted:
            return order[i], order[j]
    for k in range(pairs):
        i, j = unordered(k)
        left += mark[pair_of(order[i], order[j])] == wanted
    place = int(rng.random() * left)
    for k in range(pairs):
        i, j = unordered(k)
        if mark[pair_of(order[i], order[j])] == wanted:
            if place == 0:
                return order[i], order[j]
            place -= 1
    return -1, -1


@njit(cache=True, nogil=True)
def matched(order, starts, pools, success, makes, rng, out):
    """Fill `out`: Int["turns count 2"] with uniform unordered pairs that succeed or fail as each turn's choice did."""
    for t in range(len(pools)):
        for k in range(out.shape[1]):
            out[t, k, 0], out[t, k, 1] = _marked(order[starts[t] :], pools[t], makes, success[t], rng)
