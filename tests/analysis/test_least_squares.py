from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from athanor.analysis.least_squares import least_squares, log_linear, pearson
from athanor.core.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=40)
Y = 1 + 0.5 * X + RNG.normal(size=40)


def test_a_line_and_a_correlation_are_those_of_scipy():
    expected = stats.linregress(X, Y)
    beta, errors = least_squares(np.stack([np.ones(40), X], axis=1), Y)
    assert beta == pytest.approx([expected.intercept, expected.slope])
    assert errors == pytest.approx([expected.intercept_stderr, expected.stderr])
    r, low, high = pearson(X, Y, 0.9)
    assert r == pytest.approx(expected.rvalue)
    assert (low, high) == pytest.approx(tuple(stats.pearsonr(X, Y).confidence_interval(0.9)))


def test_what_is_not_defined_is_nan_and_has_no_interval():
    assert np.isnan(least_squares(np.ones((5, 2)), Y[:5])[0]).all()
    assert np.isnan(least_squares(np.ones((1, 1)), Y[:1])[1]).all()
    assert np.isnan(pearson(np.ones(9), Y[:9])[0])
    assert pearson(X[:3], Y[:3])[1:] == (None, None)


def test_means_of_two_groups_are_found_with_the_errors_of_their_own_spread():
    design, counts = np.repeat(np.eye(2), 3, axis=0), np.array([1.0, 2, 3, 10, 20, 30])
    beta, covariance = log_linear(design, counts)
    assert np.exp(beta) == pytest.approx([2, 20])
    # Var(log mean) = sum of squared residuals / (rows mean)^2, times 6 / (6 - 2).
    assert np.diag(covariance) == pytest.approx([2 / 36 * 1.5, 200 / 3600 * 1.5])
    assert covariance[0, 1] == pytest.approx(0)


def test_counts_without_a_finite_mean_and_copied_columns_are_refused():
    with pytest.raises(DataError, match="depend on each other"):
        log_linear(np.ones((4, 2)), np.ones(4))
    with pytest.raises(DataError, match="all 0"):
        log_linear(np.repeat(np.eye(2), 2, axis=0), np.array([0.0, 0, 1, 2]))
