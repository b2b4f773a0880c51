from __future__ import annotations

import numpy as np
import pytest

from athanor.core.errors import DataError
from athanor.environments.alchemy.table import Table
from athanor.values import tables
from athanor.values.arrays import TableArrays, pair_number
from athanor.values.tables import PairValues

# x + y makes p and q; p + x makes r; q + x makes r and s; q + q makes y; r, s make nothing.
WORLD = TableArrays(Table(
    name="w", elements=("x", "y", "p", "q", "r", "s"), base=("x", "y"),
    results={("x", "y"): ("p", "q"), ("p", "x"): ("r",), ("q", "x"): ("r", "s"), ("q", "q"): ("y",)},
))  # fmt: skip
X, Y, P, Q, R, S = range(6)


def at(values, first: int, second: int) -> float:
    return float(values[pair_number(np.array(first), np.array(second))])


def owned(*elements: int):
    mask = np.zeros(6, dtype=bool)
    mask[list(elements)] = True
    return mask


def test_true_empowerment_is_the_union_of_what_the_results_can_make():
    values = tables.true_empowerment(WORLD)
    assert at(values, X, Y) == 3  # p and q together: r, s and y; r counts once
    assert at(values, Q, Q) == 2  # y makes p and q
    assert at(values, P, X) == 0
    assert at(values, X, X) == 0
    assert at(tables.true_success(WORLD), Q, X) == 1
    assert at(tables.true_success(WORLD), X, X) == 0


def test_the_precomputed_table_has_minus_one_where_nothing_is_made():
    values = tables.true_empowerment_or_failure(WORLD)
    assert at(values, X, X) == -1
    assert at(values, P, X) == 0
    assert at(values, X, Y) == 3


def test_outgoing_combinations_count_recipes_in_place_of_results():
    values = tables.true_empowerment_outgoing(WORLD)
    assert at(values, X, Y) == 3  # p + x, q + x, q + q
    assert at(values, Q, Q) == 1  # x + y


def test_the_dynamic_variants_count_only_what_is_not_owned():
    have = owned(X, Y, P, R)
    assert at(tables.true_success_new(WORLD, have), X, Y) == 1
    assert at(tables.true_success_new(WORLD, have), P, X) == 0
    assert at(tables.true_empowerment_new(WORLD, have), X, Y) == 1  # of q's r, s, y only s is new; p is owned
    assert at(tables.true_empowerment_new(WORLD, have), Q, Q) == 0


def test_the_local_variant_counts_what_can_be_made_at_once():
    have = owned(X, Y)
    assert at(tables.true_empowerment_local(WORLD, have, have), X, Y) == 2  # r and s; y is owned
    assert at(tables.true_empowerment_local(WORLD, owned(X), owned(Y)), X, Y) == 1  # without x only q + q: y
    assert at(tables.true_empowerment_local(WORLD, owned(X, Y, Q), owned(X, Y, Q)), X, Y) == 1  # p + x; q is owned


def test_values_of_another_size_or_not_finite_are_refused():
    with pytest.raises(DataError, match=r"shape \(3,\), \(21,\) was expected"):
        PairValues(WORLD, {"similarity": np.zeros(3)})
    with pytest.raises(DataError, match="not finite for 1 pairs"):
        PairValues(WORLD, {"similarity": np.append(np.zeros(20), np.nan)})
