"""Every way to make a number of a hand, exactly: searched once for a hand's numbers, then looked up.

All subsets of the cards are combined bottom up, in compiled code over whole numerators and denominators. What hits the
target is written as a formula in one form for all that differ only by the order of terms or factors, by brackets that
change nothing, or by a pair of signs that cancel, such as (a-b)*(c-d) and (b-a)*(d-c).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from athanor.core.errors import UsageError
from athanor.environments.points.formula import Ratio

LARGEST = 6
"""Cards of a hand, at most: six have 7,290,432 formulas before equal ones are told."""
WAYS = (0, 1, 6, 108, 3_240, 136_080, 7_290_432)
"""Formulas of n different numbers, with those of equal form counted apart."""
NUMBER = -1
"""The operator of a row that is one of the hand's numbers."""
OPERATORS = "+*-r/d"
"""In the order in which they are tried; r and d are - and / with their sides changed."""


def solvable(values: Sequence[int], target: int) -> bool:
    """Whether the numbers, each used once, can make the target. UsageError for none, more than LARGEST, or too large.

    >>> solvable((3, 3, 8, 8), 24), solvable((1, 1, 1, 1), 24)
    (True, False)
    """
    return _solvable(_key(values, target), target)


def solutions(values: Sequence[int], target: int) -> tuple[str, ...]:
    """All formulas that make the target, each once, the shortest first. Errors as `solvable`.

    >>> solutions((3, 3, 8, 8), 24)
    ('8/(3-8/3)',)
    """
    return _solutions(_key(values, target), target)


def _key(values: Sequence[int], target: int) -> tuple[int, ...]:
    if not 1 <= len(values) <= LARGEST:
        raise UsageError(f"a hand of {len(values)} cards was given, 1 to {LARGEST} were expected; deal such a hand")
    if (
        min(*values, target) < 0
        or prod(max(value, 2) for value in values) * 2 ** len(values) * max(abs(target), 1) >= 2**62
    ):
        raise UsageError(
            f"the numbers {', '.join(map(str, values))} with the target {target} are too large for an exact search; "
            "take smaller ones, none of them negative"
        )
    return tuple(sorted(values))


@lru_cache(maxsize=200_000)
def _solvable(values: tuple[int, ...], target: int) -> bool:
    return bool(_search(np.array(values, dtype=np.int64), target, np.array(WAYS), 1)[0])


@lru_cache(maxsize=50_000)
def _solutions(values: tuple[int, ...], target: int) -> tuple[str, ...]:
    numbers, ways = np.array(values, dtype=np.int64), np.array(WAYS)
    if len(values) == 1:
        return (str(values[0]),) if values[0] == target else ()
    count = _search(numbers, target, ways, 0)[0]
    if not count:
        return ()
    _, left, right, operator, hits = _search(numbers, target, ways, count)
    trees = _Trees(values, (left.tolist(), right.tolist(), operator.tolist()))
    found = {trees.joined(*hit).text() for hit in hits.tolist()}
    return tuple(sorted(found, key=lambda formula: (len(formula), formula)))


@njit(cache=True)
def _search(values, target, ways, most) -> Any:
    """Hits, and with `most` above 0 the first `most` of them as (left, right, operator) rows, with all that they are
    made of. most = 1 stops at the first hit, which tells whether there is one; most = 0 counts them all."""
    n = len(values)
    full = (1 << n) - 1
    size, offset = np.zeros(full + 1, np.int64), np.zeros(full + 2, np.int64)
    for mask in range(1, full + 1):
        bits = 0
        for k in range(n):
            bits += (mask >> k) & 1
        size[mask] = ways[bits] if mask < full else 0
        offset[mask + 1] = offset[mask] + size[mask]
    total = offset[full]
    num, den = np.zeros(total, np.int64), np.zeros(total, np.int64)
    left, right = np.zeros(total, np.int32), np.zeros(total, np.int32)
    operator, hits = np.zeros(total, np.int8), np.zeros((most, 3), np.int64)
    if n == 1:
        return int(values[0] == target), left, right, operator, hits
    count = 0
    for mask in range(1, full + 1):
        if size[mask] == 1 and mask < full:
            for k in range(n):
                if mask >> k & 1:
                    num[offset[mask]], den[offset[mask]] = values[k], 1
                    left[offset[mask]], operator[offset[mask]] = k, NUMBER
            continue
        at = offset[mask]
        part = (mask - 1) & mask
        while part > mask - part:  # each split of the cards into two once
            other = mask - part
            for i in range(offset[part], offset[part + 1]):
                for j in range(offset[other], offset[other + 1]):
                    a, b, c, d = num[i], den[i], num[j], den[j]
                    for op in range(6):
                        if op == 0:
                            x, y = a * d + c * b, b * d
                        elif op == 1:
                            x, y = a * c, b * d
                        elif op == 2:
                            x, y = a * d - c * b, b * d
                        elif op == 3:
                            x, y = c * b - a * d, b * d
                        elif op == 4:
                            x, y = a * d, b * c
                        else:
                            x, y = c * b, d * a
                        if b == 0 or d == 0:
                            y = 0  # a division by zero stays one
                        if mask < full:
                            num[at], den[at], left[at], right[at], operator[at] = x, y, i, j, op
                            at += 1
                        elif y != 0 and x == target * y:
                            if count < most:
                                hits[count, 0], hits[count, 1], hits[count, 2] = i, j, op
                            count += 1
                            if count == most:
                                return count, left, right, operator, hits
            part = (part - 1) & mask
    return count, left, right, operator, hits


class _Node(NamedTuple):
    """A formula in its one form: a sign, and what it is without it."""

    sign: int
    value: Ratio
    """Not negative."""
    kind: str
    """`number`, `sum` or `product`."""
    parts: tuple[tuple[int, str], ...]
    """Terms or factors in order, with 1, or -1 where one is taken away or divided by."""

    def text(self) -> str:
        """Without the sign."""
        plus, minus = ("+", "-") if self.kind == "sum" else ("*", "/")
        return "".join((plus if power > 0 else minus) + part for power, part in self.parts)[1:]


class _Trees:
    """The formulas of a search, from its rows."""

    def __init__(self, values: tuple[int, ...], rows: tuple[list[int], list[int], list[int]]) -> None:
        self._values, self._rows = values, rows
        self._known: dict[int, _Node] = {}

    def joined(self, left: int, right: int, operator: int) -> _Node:
        sign = OPERATORS[operator]
        if sign in "rd":
            left, right, sign = right, left, {"r": "-", "d": "/"}[sign]
        return (_sum if sign in "+-" else _product)(self._node(left), self._node(right), 1 if sign in "+*" else -1)

    def _node(self, at: int) -> _Node:
        if at not in self._known:
            left, right, operator = (row[at] for row in self._rows)
            if operator == NUMBER:
                value = self._values[left]
                self._known[at] = _Node(1, (value, 1), "number", ((1, str(value)),))
            else:
                self._known[at] = self.joined(left, right, operator)
        return self._known[at]


def _sum(one: _Node, other: _Node, power: int) -> _Node:
    (a, b), (c, d) = one.value, other.value
    value = one.sign * a * d + power * other.sign * c * b
    terms = [(node.sign * way * p, text) for node, way in ((one, 1), (other, power)) for p, text in _terms(node)]
    turned = [(-p, text) for p, text in terms]
    if value < 0 or (value == 0 and max(turned)[0] > 0 and _sorted(turned) < _sorted(terms)):
        return _Node(-1, (-value, b * d), "sum", _sorted(turned))
    return _Node(1, (value, b * d), "sum", _sorted(terms))


def _product(one: _Node, other: _Node, power: int) -> _Node:
    (a, b), (c, d) = one.value, other.value
    value = (a * c, b * d) if power > 0 else (a * d, b * c)
    factors = [(way * p, text) for node, way in ((one, 1), (other, power)) for p, text in _factors(node)]
    return _Node(one.sign * other.sign if value[0] else 1, value, "product", _sorted(factors))


def _terms(node: _Node) -> tuple[tuple[int, str], ...]:
    return ((1, node.text()),) if node.kind == "product" else node.parts


def _factors(node: _Node) -> tuple[tuple[int, str], ...]:
    return ((1, f"({node.text()})"),) if node.kind == "sum" else node.parts


def _sorted(parts: list[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """Those that are added or multiplied first, then by length and spelling, larger numbers before smaller."""
    return tuple(sorted(parts, key=lambda part: (-part[0], -len(part[1]), part[1]), reverse=False))
