"""Intervals against scipy and against numbers worked out by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from athanor.analysis.intervals import AMOUNT, SHARE, band, bounds, clustered, difference, mean


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


@pytest.mark.parametrize(("passed", "n"), [(0, 3), (0, 20), (3, 10), (10, 10), (50, 120)])
def test_the_interval_of_a_share_of_yes_or_no_episodes_is_clopper_and_pearsons(passed: int, n: int) -> None:
    found = mean([1.0] * passed + [0.0] * (n - passed), within=SHARE)
    expected = stats.binomtest(passed, n).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert "Gaffke" in found.method


@pytest.mark.parametrize("seed", range(4))
def test_the_interval_of_a_share_is_near_the_quantiles_of_randomly_weighted_means(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.beta(0.7, 2.0, size=(3, 6, 15, 40)[seed])
    weights = rng.dirichlet(np.ones(len(shares) + 1), size=200_000)
    low = np.quantile(weights @ np.append(shares, 0.0), 0.025)
    high = np.quantile(weights @ np.append(shares, 1.0), 0.975)
    found = mean(shares.tolist(), within=SHARE)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03)


@pytest.mark.parametrize("n", [3, 5, 20, 100])
@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
def test_the_interval_of_a_share_holds_the_true_share_often_enough(n: int, p: float) -> None:
    rng = np.random.default_rng(n)
    for between in (np.full((n, 2000), p), rng.beta(p, 1 - p, (n, 2000)), rng.random((n, 2000)) < p):
        low, high = bounds(rng.binomial(20, between) / 20)
        assert ((low <= p) & (p <= high)).mean() >= 0.93


def test_a_share_that_is_the_same_in_all_episodes_has_an_interval_of_a_width_that_their_number_warrants() -> None:
    widths = []
    for n in (2, 3, 20, 500):
        found = mean([1.0] * n, within=SHARE)
        assert found.high == 1.0
        assert found.low == pytest.approx(0.025 ** (1 / n))
        widths.append(found.high - (found.low or 0.0))
    assert widths == sorted(widths, reverse=True)


def test_an_amount_is_never_less_than_nothing_and_the_method_says_so() -> None:
    found = mean([0.0, 2.0, 0.0], within=AMOUNT)
    assert found.low == 0.0
    assert found.high is not None
    assert found.high > 2.0
    assert "clipped at 0" in found.method


def test_amounts_that_are_all_the_same_have_no_interval_and_the_method_says_why() -> None:
    for within in (AMOUNT, (4.0, math.inf)):
        found = mean([0.1] * 7, within=within)
        assert (found.value, found.low, found.high) == (pytest.approx(0.1), None, None)
        assert "the same in all 7, so its spread is unknown" in found.method
    assert mean([0.3, 0.1 + 0.2], within=AMOUNT).low is None  # apart by rounding alone


def test_an_amount_that_starts_at_four_has_an_interval_from_four_and_the_method_says_so() -> None:
    found = mean([4.0, 4.0, 5.0], within=(4.0, math.inf))
    assert found.low == 4.0
    assert "clipped at 4" in found.method


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


def test_a_difference_of_constants_has_no_interval() -> None:
    found = difference([5.0, 5.0], [3.0, 3.0, 3.0])
    assert (found.value, found.low, found.high) == (2.0, None, None)
    assert "the same" in found.method


def test_a_constant_side_takes_over_the_other_sides_spread_and_the_method_says_so() -> None:
    theirs = draws(50, 3)
    for found, sign in ((difference([5.0] * 3, theirs), 1), (difference(theirs, [5.0] * 3), -1)):
        half = stats.t.ppf(0.975, 2) * np.std(theirs, ddof=1) * math.sqrt(1 / 3 + 1 / 50)
        centre = sign * (5.0 - np.mean(theirs))
        assert (found.low, found.high) == pytest.approx((centre - half, centre + half))
        assert "spread taken from the other" in found.method


@pytest.mark.parametrize("within", [AMOUNT, (0.0, 9.0)])
def test_a_band_is_the_interval_of_each_column_over_its_known_rows(within: tuple[float, float]) -> None:
    matrix = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan], [8.0, np.nan, np.nan]])
    points = band(matrix, [0, 1, 2], within=within)
    whole = mean([1.0, 3.0, 8.0], within=within)
    assert len(points) == 2
    assert (points[0].value, points[0].low, points[0].high) == pytest.approx((whole.value, whole.low, whole.high))
    assert (points[1].value, points[1].low, points[1].high, points[1].n) == (2.0, None, None, 1)


def test_no_bound_is_ever_nan() -> None:
    found = [mean(draws(n, n, scale)) for n in range(5) for scale in (0.0, 1e-12, 1e9)]
    found += [mean([share] * n, within=SHARE) for n in range(5) for share in (0.0, 1e-300, 0.5, 1 - 1e-16, 1.0)]
    bounds = [bound for interval in found for bound in (interval.value, interval.low, interval.high)]
    assert not any(bound is not None and math.isnan(bound) for bound in bounds)


@pytest.mark.parametrize(("yes", "n"), [(0, 12), (1, 12), (7, 12), (12, 12), (30, 400)])
def test_shares_of_clusters_of_one_have_clopper_and_pearsons_interval(yes: int, n: int) -> None:
    found = clustered([1.0] * yes + [0.0] * (n - yes), list(range(n)), within=SHARE)
    exact = stats.binomtest(yes, n).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-6)
    assert (found.value, found.n) == (yes / n, n)


def test_values_that_are_alike_within_clusters_count_as_their_clusters() -> None:
    values, clusters = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0], list(range(10))
    once = clustered(values, clusters, within=SHARE)
    often = clustered(values * 30, clusters * 30, within=SHARE)
    naive = clustered(values * 30, list(range(300)), within=SHARE)
    assert often.n == once.n == 10
    assert 0 < once.low - often.low < 0.05  # a little wider: the variance of ten clusters is itself not known well
    assert 0 < often.high - once.high < 0.1
    assert naive.high - naive.low < (often.high - often.low) / 3


def test_the_robust_interval_of_amounts_is_worked_out_by_hand() -> None:
    found = clustered([1.0, 2.0, 6.0], [0, 0, 1])  # mean 3; sums of deviations -3 and 3; variance 2 / 1 * 18 / 9 = 4
    assert (found.value, found.n) == (3.0, 2)
    assert (found.low, found.high) == pytest.approx((3 - 2 * 12.706205, 3 + 2 * 12.706205), abs=1e-5)
    assert clustered([1.0, 2.0, 6.0], [0, 0, 1], within=AMOUNT).low == 0.0


def test_clusters_that_cannot_tell_their_spread_have_no_interval() -> None:
    for values, clusters, within in (([], [], SHARE), ([1.0, 0.0], [5, 5], SHARE), ([2.0, 2.0], [1, 2], AMOUNT)):
        found = clustered(values, clusters, within=within)
        assert (found.low, found.high) == (None, None)
        assert "no interval" in found.method or "known for none" in found.method
    none = clustered([0.0] * 6, [0, 0, 1, 1, 2, 2], within=SHARE)
    assert (none.low, none.high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 3)))


def test_intervals_over_clusters_hold_where_those_over_values_do_not() -> None:
    rng = np.random.default_rng(0)
    held = {"clusters": 0, "values": 0}
    for _ in range(400):
        clusters = rng.integers(0, 60, 300)
        values = (rng.random(60) < 0.3).astype(float)[clusters]  # the same in all of a cluster
        for name, of in (("clusters", clusters), ("values", np.arange(300))):
            found = clustered(values.tolist(), of.tolist(), within=SHARE)
            held[name] += (found.low or 0.0) <= 0.3 <= (found.high or 0.0)
    assert held["clusters"] >= 370
    assert held["values"] < 300
