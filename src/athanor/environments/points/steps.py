"""Solutions as three steps of whole numbers, `10 - 4 = 6`, `3 + 1 = 4`, `6 * 4 = 24`: all of them, for every hand.

The larger number of a step comes first, so that no result is negative; a division is a step where it leaves no
remainder. What no such steps solve (8/(3-8/3)) has no row here, though the exact solver and the judges know it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
from numba import njit

CARDS = 4
HIGHEST = 13
"""Of a hand's numbers."""
LARGEST = 199
"""Of a step's results."""
OPERATORS = "+-*/"


@dataclass(frozen=True, kw_only=True)
class StepTable:
    """Every way to combine four numbers of 1 to HIGHEST in three steps, sorted by hand and then by what it makes."""

    rows: np.ndarray
    """UInt8["ways 12"]: three times larger number, operator, smaller number, result."""
    starts: np.ndarray
    """Int["hands LARGEST+2"]: rows of hand h that make t are starts[h, t] to starts[h, t + 1]."""
    hand_of: np.ndarray
    """Int["14 14 14 14"]: the hand of four numbers in ascending order, -1 where they are not."""

    def hands(self, values: np.ndarray) -> np.ndarray:
        """Int["hands"]: the hand of each row of numbers, Int["hands 4"] in any order."""
        a, b, c, d = np.sort(values, axis=1).T
        return self.hand_of[a, b, c, d]

    def count(self, hands: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Int["hands"]: ways to make each target."""
        return self.starts[hands, targets + 1] - self.starts[hands, targets]

    def ways(self, values: Sequence[int], target: int) -> np.ndarray:
        """UInt8["ways 12"]: all ways of one hand."""
        hand = int(self.hands(np.array([values]))[0])
        return self.rows[self.starts[hand, target] : self.starts[hand, target + 1]]


@cache
def step_table() -> StepTable:
    """The table; made once, in about a second, 40 MB."""
    hands = np.array(list(combinations_with_replacement(range(1, HIGHEST + 1), CARDS)), dtype=np.int64)
    hand_of = np.full((HIGHEST + 1,) * CARDS, -1, dtype=np.int64)
    hand_of[tuple(hands.T)] = np.arange(len(hands))
    rows, owner = _all_ways(hands)
    keys = owner.astype(np.int64) * (LARGEST + 1) + rows[:, 11]
    order = np.argsort(keys, kind="stable")
    bounds = np.searchsorted(keys[order], np.arange(len(hands) * (LARGEST + 1) + 1))
    starts = np.empty((len(hands), LARGEST + 2), dtype=np.int64)
    starts[:, :-1] = bounds[:-1].reshape(len(hands), -1)
    starts[:, -1] = bounds[LARGEST + 1 :: LARGEST + 1]
    return StepTable(rows=rows[order], starts=starts, hand_of=hand_of)


@njit(cache=True)
def _result(high, operator, low):
    """What a step makes; -1 if it is none."""
    if operator == 0:
        made = high + low
    elif operator == 1:
        made = high - low
    elif operator == 2:
        made = high * low
    else:
        made = high // low if low > 0 and high % low == 0 else -1
    return made if made <= LARGEST else -1


@njit(cache=True)
def _all_ways(hands):
    """UInt8["ways 12"] and the hand of each; the same steps are written once, whichever equal cards they take."""
    rows = np.empty((len(hands) * 1200, 12), np.uint8)
    owner = np.empty(len(hands) * 1200, np.int32)
    count = 0
    seen = np.zeros((40, 6), np.int64)
    for h in range(len(hands)):
        four = hands[h]
        firsts = 0
        for i in range(4):
            for j in range(i):
                high, low = max(four[i], four[j]), min(four[i], four[j])
                for op in range(4):
                    made = _result(high, op, low)
                    rest = np.empty(3, np.int64)
                    k = 0
                    for m in range(4):
                        if m not in (i, j):
                            rest[k] = four[m]
                            k += 1
                    rest[2] = made
                    twice = made < 0
                    for s in range(firsts):
                        twice |= seen[s, 0] == high and seen[s, 1] == op and seen[s, 2] == low
                    if twice:
                        continue
                    seen[firsts, 0], seen[firsts, 1], seen[firsts, 2] = high, op, low
                    firsts += 1
                    count = _last_two(rest, high, op, low, rows, owner, count, h)
    return rows[:count], owner[:count]


@njit(cache=True)
def _last_two(three, high, op, low, rows, owner, count, h):
    """Write every second and third step after a first one."""
    for skip in range(3):
        one, other, third = three[(skip + 1) % 3], three[(skip + 2) % 3], three[skip]
        twice = False
        for before in range(skip):  # the same pair was taken with an equal number
            a, b = three[(before + 1) % 3], three[(before + 2) % 3]
            twice |= min(a, b) == min(one, other) and max(a, b) == max(one, other)
        if twice:
            continue
        high2, low2 = max(one, other), min(one, other)
        for op2 in range(4):
            made2 = _result(high2, op2, low2)
            if made2 < 0:
                continue
            high3, low3 = max(made2, third), min(made2, third)
            for op3 in range(4):
                made3 = _result(high3, op3, low3)
                if made3 < 0:
                    continue
                row = rows[count]
                row[0], row[1], row[2], row[3] = high, op, low, _result(high, op, low)
                row[4], row[5], row[6], row[7] = high2, op2, low2, made2
                row[8], row[9], row[10], row[11] = high3, op3, low3, made3
                owner[count] = h
                count += 1
    return count
