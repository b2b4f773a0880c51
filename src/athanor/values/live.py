"""Values of pairs that change with what a player owns: compiled, turn by turn.

`values/tables.py` has the same for all pairs of one moment; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from athanor.values.arrays import TableArrays
from athanor.values.loops import pair_of

SUCCESS_NEW, EMPOWERMENT_NEW, EMPOWERMENT_LOCAL = 0, 1, 2
"""Codes of `tables.LIVE`, in its order."""


def lists_of(world: TableArrays) -> tuple[Any, ...]:
    """What the loops need of a world: pairs to recipes, and recipes and elements to what comes of them."""
    made, children, used = world.results, world.children, world.recipes_with
    return (
        world.recipe, world.ends, (made.starts, made.items), (children.starts, children.items),
        (used.starts, used.items),
    )  # fmt: skip


@njit(cache=True)
def live_value(code, recipe, known, usable, lists, seen, stamp):
    """One value of one pair that makes something.

    `known` and `usable`: Bool["elements"], what is owned and what can be combined. `seen`: Int["elements"], where an
    element that is counted leaves `stamp`, which must be new in each call.
    """
    _, ends, made, children, used = lists
    count = 0
    for k in range(made[0][recipe], made[0][recipe + 1]):
        result = made[1][k]
        if known[result]:
            continue
        if code == SUCCESS_NEW:
            return 1.0
        if code == EMPOWERMENT_NEW:
            for c in range(children[0][result], children[0][result + 1]):
                e = children[1][c]
                if not known[e] and seen[e] != stamp:
                    seen[e] = stamp
                    count += 1
            continue
        for u in range(used[0][result], used[0][result + 1]):
            other = used[1][u]
            a, b = ends[other, 0], ends[other, 1]
            if (a == result or usable[a]) and (b == result or usable[b]):
                for c in range(made[0][other], made[0][other + 1]):
                    e = made[1][c]
                    if not known[e] and seen[e] != stamp:
                        seen[e] = stamp
                        count += 1
    return float(count)


@njit(cache=True)
def reveal(items, start, since, until, mark):
    """Mark the elements of a list from one place to another, and give the latter."""
    for i in range(since, until):
        mark[items[start + i]] = True
    return until


@njit(cache=True, nogil=True)
def live_values(players, pairs, owned, pool, found, order, lists, codes, out):
    """Fill `out`: Float["codes turns pairs"] with values of given pairs, by what was owned before each turn.

    `found` and `order`: starts and items of the elements that each player owned, and could combine, in the order in
    which they came; `owned` and `pool`: how many of them at each turn.
    """
    recipe, n = lists[0], len(lists[3][0]) - 1
    known, usable, seen = np.zeros(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n, np.int64)
    stamp = 0
    for p in range(len(players) - 1):
        have, can = 0, 0
        for t in range(players[p], players[p + 1]):
            have = reveal(found[1], found[0][p], have, owned[t], known)
            can = reveal(order[1], order[0][p], can, pool[t], usable)
            for k in range(pairs.shape[1]):
                made = recipe[pair_of(pairs[t, k, 0], pairs[t, k, 1])]
                for c in range(len(codes)):
                    stamp += 1
                    out[c, t, k] = 0.0 if made < 0 else live_value(codes[c], made, known, usable, lists, seen, stamp)
        for i in range(have):
            known[found[1][found[0][p] + i]] = False
        for i in range(can):
            usable[order[1][order[0][p] + i]] = False
