"""Intervals against scipy and against numbers worked out by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from athanor.analysis.intervals import AMOUNT, SHARE, band, difference, mean, wilson


def draws(n: int, seed: int, scale: float = 1.0) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(3.0, scale) for _ in range(n)]


@pytest.mark.parametrize("n", [2, 3, 10, 400])
def test_the_interval_of_a_mean_is_students(n: int) -> None:
    values = draws(n, n)
    found = mean(values)
    low, high = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert "Student t" in found.method


def test_two_values_give_the_interval_worked_out_by_hand() -> None:
    found = mean([1.0, 3.0])  # mean 2, standard error 1, quantile of one degree of freedom 12.706
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2 - 12.706205, 2 + 12.706205), abs=1e-6)


def test_one_value_has_no_interval_and_none_has_no_value() -> None:
    one, none = mean([5.0]), mean([])
    assert (one.value, one.low, one.high, one.n) == (5.0, None, None, 1)
    assert (none.value, none.low, none.high, none.n) == (None, None, None, 0)
    assert "no interval" in one.method


def test_a_share_is_clipped_and_the_method_says_so() -> None:
    found = mean([0.0, 1.0, 0.0], within=SHARE)
    assert (found.low, found.high) == (0.0, 1.0)
    assert "clipped to [0, 1]" in found.method


def test_an_amount_is_never_less_than_nothing_and_the_method_says_so() -> None:
    found = mean([0.0, 2.0, 0.0], within=AMOUNT)
    assert found.low == 0.0
    assert found.high is not None
    assert found.high > 2.0
    assert "clipped at 0" in found.method


def test_a_constant_has_an_interval_equal_to_itself_without_rounding_and_the_method_says_so() -> None:
    found = mean([0.1] * 7)
    assert (found.value, found.low, found.high) == (0.1, 0.1, 0.1)
    assert "the same in all" in found.method


@pytest.mark.parametrize(("n", "m", "scale"), [(2, 2, 1.0), (10, 4, 5.0), (30, 30, 0.2)])
def test_the_interval_of_a_difference_is_welchs(n: int, m: int, scale: float) -> None:
    ours, theirs = draws(n, 1), draws(m, 2, scale)
    found = difference(ours, theirs)
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-10)
    assert found.n == n + m


def test_a_difference_with_one_episode_on_a_side_has_no_interval() -> None:
    found = difference([5.0], [1.0, 2.0])
    assert (found.value, found.low, found.high) == (3.5, None, None)
    assert difference([], [1.0]).value is None


def test_a_difference_of_constants_has_no_width() -> None:
    found = difference([5.0, 5.0], [3.0, 3.0, 3.0])
    assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize(("passed", "n"), [(0, 10), (3, 10), (10, 10), (50, 120)])
def test_the_interval_of_a_proportion_is_wilsons(passed: int, n: int) -> None:
    found = wilson(passed, n)
    expected = stats.binomtest(passed, n).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert wilson(0, 0).value is None


def test_a_band_is_the_interval_of_each_column_over_its_known_rows() -> None:
    matrix = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan], [8.0, np.nan, np.nan]])
    points = band(matrix, [0, 1, 2])
    whole = mean([1.0, 3.0, 8.0])
    assert len(points) == 2
    assert (points[0].value, points[0].low, points[0].high) == pytest.approx((whole.value, whole.low, whole.high))
    assert (points[1].value, points[1].low, points[1].high, points[1].n) == (2.0, None, None, 1)


def test_no_bound_is_ever_nan() -> None:
    found = [mean(draws(n, n, scale)) for n in range(5) for scale in (0.0, 1e-12, 1e9)]
    bounds = [bound for interval in found for bound in (interval.value, interval.low, interval.high)]
    assert not any(bound is not None and math.isnan(bound) for bound in bounds)
