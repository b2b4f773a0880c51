"""The Laplace deviance against a second implementation, an integral, and finite differences of itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from athanor.analysis.glmm.laplace import Criterion, Laplace
from tests.analysis.glmm.simulated import BETA, FACTOR, designed, loss, plain_deviance, simulate

FAMILIES = pytest.mark.parametrize("family", ["binomial", "poisson"])
LOWER = np.tril_indices(2)


@FAMILIES
def test_the_deviance_is_that_of_a_plain_second_implementation(family):
    d = designed(simulate(family, groups=12, rows=8), family)
    value, _, _, failed = Laplace(d, threads=1).deviance(FACTOR, BETA)
    assert value == pytest.approx(plain_deviance(d, FACTOR, BETA), abs=1e-6)
    assert failed == 0


@FAMILIES
def test_without_random_effects_it_is_the_deviance_of_the_plain_model(family):
    d = designed(simulate(family), family)
    value = Laplace(d, threads=1).deviance(np.zeros((2, 2)), BETA)[0]
    parts = (loss(d, g, BETA @ d.matrix[d.fixed, d.starts[g] : d.starts[g + 1]]) for g in range(d.groups))
    assert value == pytest.approx(sum(parts), rel=1e-12)


@FAMILIES
def test_it_approaches_the_integral_as_groups_grow(family):
    grid = np.linspace(-5, 5, 1001)
    normal = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])

    def error(rows: float) -> float:
        d = designed(simulate(family, groups=5, rows=rows), family, "y ~ x + (1 | player)")
        beta, sd = BETA[:2], 0.5
        exact = 0.0
        for g in range(d.groups):
            fixed = beta @ d.matrix[d.fixed, d.starts[g] : d.starts[g + 1]]
            logs = np.array([-loss(d, g, fixed + sd * u) / 2 for u in grid])
            exact -= 2 * logsumexp(logs, b=normal)
        return abs(Laplace(d, threads=1).deviance(np.array([[sd]]), beta)[0] - exact) / d.groups

    assert error(1600) < min(1e-3, error(100) / 6)


@FAMILIES
@pytest.mark.parametrize("nagq", [0, 1])
def test_the_adjoint_gradient_is_that_of_finite_differences(family, nagq):
    d = designed(simulate(family, groups=15, rows=12), family)
    criterion = Criterion(Laplace(d, threads=1), nagq, BETA)
    parameters = np.append(FACTOR[LOWER], BETA) if nagq else FACTOR[LOWER]
    gradient, h = criterion(parameters).gradient, 1e-4
    steps = h * np.eye(len(parameters))
    differences = [(criterion(parameters + s).value - criterion(parameters - s).value) / (2 * h) for s in steps]
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-5)


def test_the_sign_of_a_column_of_the_factor_changes_nothing():
    d = designed(simulate(), "binomial")
    values = [Laplace(d, threads=1).deviance(FACTOR * signs, BETA)[0] for signs in ([1, 1], [-1, 1], [1, -1])]
    assert values == pytest.approx([values[0]] * 3, rel=1e-12)


@FAMILIES
def test_modes_are_found_from_a_start_that_overflows(family):
    d = designed(simulate(family), family)
    laplace = Laplace(d, threads=1)
    value = laplace.deviance(FACTOR, BETA)[0]
    laplace.modes[:] = 3000.0
    again, _, _, failed = laplace.deviance(FACTOR, BETA)
    assert failed == 0
    assert again == pytest.approx(value, rel=1e-11)


def test_settled_fixed_effects_have_no_score_left():
    d = designed(simulate("poisson"), "poisson")
    laplace = Laplace(d, threads=1)
    beta, _ = laplace.settle(FACTOR, np.zeros(3))
    information = laplace.information(FACTOR, beta)
    assert information.gain @ np.linalg.solve(information.schur, information.gain) < 1e-14
