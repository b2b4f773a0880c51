"""Fits against an independent program and dense algebra; what the diagnostics say; groups' coefficients."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from athanor.analysis.glmm import Fit, fit, optimum
from athanor.analysis.glmm.freedom import between
from athanor.analysis.glmm.laplace import Laplace
from athanor.analysis.glmm.result import fixed_effect
from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from tests.analysis.glmm.simulated import FORMULA, designed, joint_covariance, simulate

DATA = simulate()
N = len(DATA["y"])
RNG = stream(0, "tests of fits")


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(FORMULA, DATA, threads=1)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
@pytest.mark.parametrize("nagq", [0, 1])
def test_it_agrees_with_mixedlm(family, nagq):
    import mixedlm

    data = simulate(family)
    families = {"binomial": mixedlm.families.Binomial(), "poisson": mixedlm.families.Poisson()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = mixedlm.glmer(FORMULA, pd.DataFrame(data), family=families[family], nAGQ=nagq)
    ours = fit(FORMULA, data, family, nagq=nagq, threads=1)
    assert ours.diagnostics.converged
    assert ours.deviance <= theirs.AIC() - 2 * 6 + 0.01
    assert ours.aic == pytest.approx(theirs.AIC(), abs=0.01)
    assert ours.bic == pytest.approx(theirs.BIC(), abs=0.01)
    se = np.sqrt(np.diag(theirs.vcov()))
    assert np.abs((np.array([e.value for e in ours.fixed]) - np.array(list(theirs.fixef().values()))) / se).max() < 0.02
    assert np.array([e.se_schur for e in ours.fixed]) == pytest.approx(se, rel=0.01)


def test_threads_change_nothing_to_the_last_bit():
    data = simulate(groups=300, rows=60)
    one, three = (fit(FORMULA, data, nagq=0, threads=threads) for threads in (1, 3))
    assert one.deviance == three.deviance
    assert one.fixed == three.fixed
    assert np.array_equal(one.groups.covariances, three.groups.covariances)


def test_the_order_of_rows_the_units_and_the_centre_of_a_predictor_do_not_matter(fitted):
    order = RNG.permutation(N)
    moved = {name: column[order] for name, column in DATA.items()}
    moved["x"] = 1000 * moved["x"] + 50_000
    other = fit(FORMULA, moved, threads=1)
    assert other.deviance == pytest.approx(fitted.deviance, abs=1e-5)
    assert 1000 * other.fixed[1].value == pytest.approx(fitted.fixed[1].value, abs=1e-4)
    assert other.diagnostics.converged
    assert not other.diagnostics.singular


def test_a_warm_start_on_some_groups_ends_at_the_same_place(fitted, monkeypatch):
    monkeypatch.setattr(optimum, "SAMPLE", 10)
    other = fit(FORMULA, DATA, threads=1)
    assert other.deviance == pytest.approx(fitted.deviance, abs=1e-5)
    assert [e.value for e in other.fixed] == pytest.approx([e.value for e in fitted.fixed], abs=1e-4)
    assert [e.se for e in other.fixed] == pytest.approx([e.se for e in fitted.fixed], rel=1e-3)


@pytest.mark.parametrize("nagq", [0, 1])
def test_a_column_that_runs_away_in_the_groups_of_the_warm_start_does_not_in_all(nagq, monkeypatch):
    rare = np.zeros(N)
    for y in (0, 1):  # both responses, in groups that an evenly spaced sample of ten does not hold
        rare[np.flatnonzero((DATA["y"] == y) & np.isin(DATA["player"], (1, 2, 5, 6)))[:5]] = 1.0
    in_sample = np.flatnonzero((DATA["y"] == 1) & (DATA["player"] == 0))[:2]
    rare[in_sample] = 1.0
    cold = fit("y ~ x + w + (1 + x | player)", {**DATA, "w": rare}, nagq=nagq, threads=1)
    monkeypatch.setattr(optimum, "SAMPLE", 10)
    warm = fit("y ~ x + w + (1 + x | player)", {**DATA, "w": rare}, nagq=nagq, threads=1)
    assert warm.diagnostics.converged
    assert warm.deviance == pytest.approx(cold.deviance, abs=1e-4)
    assert warm.fixed[2].value == pytest.approx(cold.fixed[2].value, abs=1e-2)


def test_standard_errors_with_the_covariance_estimated_are_those_of_the_dense_hessian(fitted):
    laplace = Laplace(designed(DATA, "binomial"), threads=1)
    lower = np.tril_indices(2)
    factor = np.linalg.cholesky(np.array(fitted.random.covariance))
    centre = np.append(factor[lower], [e.value for e in fitted.fixed])

    def value(parameters: np.ndarray) -> float:
        factor = np.zeros((2, 2))
        factor[lower] = parameters[:3]
        return laplace.deviance(factor, parameters[3:])[0]

    h, k = 2e-3 * np.eye(6), range(6)
    hessian = [
        [(value(centre + h[i] + h[j]) - value(centre + h[i] - h[j]) - value(centre - h[i] + h[j])
          + value(centre - h[i] - h[j])) / 1.6e-5 for j in k] for i in k
    ]  # fmt: skip
    expected = np.sqrt(np.diag(np.linalg.inv(hessian) * 2))[3:]
    assert [e.se_hessian for e in fitted.fixed] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_conditional_covariances_and_sums_are_those_of_dense_algebra(family):
    data = simulate(family, groups=8, rows=10)
    result, d = fit(FORMULA, data, family, nagq=0, threads=1), designed(data, family)
    beta = np.array([e.value for e in result.fixed])
    joint = joint_covariance(d, np.array(result.random.covariance), beta, result.groups.modes)
    held = joint.covariance[:3, :3]
    assert np.diag(held) == pytest.approx([e.se_schur**2 for e in result.fixed], rel=1e-5)
    values, covariances = replace(result, fixed_covariance=held).coefficients()
    assert values == pytest.approx(result.groups.modes + beta[:2])
    for g in range(8):
        block = joint.of_group(g)
        given_beta = np.linalg.inv(np.linalg.inv(block)[3:, 3:])
        assert result.groups.covariances[g] == pytest.approx(given_beta, rel=1e-4)
        add = np.hstack([np.eye(2, 3), np.eye(2)])
        assert covariances[g] == pytest.approx(add @ block @ add.T, rel=1e-4)


def test_group_means_are_of_sums_and_every_standard_error_belongs_to_its_own_column(fitted):
    """The published analysis averaged deviations, and read the intercept's variance as the first predictor's."""
    deviation = fitted.groups.modes[:, 1].mean()
    mean = {e.name: e for e in fitted.mean_coefficients(name="all")}["x"]
    assert abs(deviation) < 0.02
    assert mean.value == pytest.approx(fitted.fixed[1].value + deviation)
    assert (mean.n, mean.unit, mean.group) == (40, "player", "all")
    _, covariances = fitted.coefficients()
    one = fitted.mean_coefficients([3])
    half = 1.959964 * np.sqrt(np.diag(covariances[3]))
    assert [(e.high - e.low) / 2 for e in one] == pytest.approx(half, rel=1e-6)
    published_x = np.sqrt(fitted.groups.covariances[:, 0, 0]).mean()
    exact_x = np.sqrt(fitted.groups.covariances[:, 1, 1]).mean()
    assert abs(published_x / exact_x - 1) > 0.05


def test_a_mean_over_groups_has_the_variance_of_dense_algebra():
    data = simulate(groups=8, rows=10)
    result, d = fit(FORMULA, data, nagq=0, threads=1), designed(data, "binomial")
    beta = np.array([e.value for e in result.fixed])
    joint = joint_covariance(d, np.array(result.random.covariance), beta, result.groups.modes)
    result = replace(result, fixed_covariance=joint.covariance[:3, :3])
    chosen = [1, 4, 6]
    add = np.zeros((2, 3 + 16))
    add[:, :3] = np.eye(2, 3)
    for g in chosen:
        add[:, 3 + 2 * g : 5 + 2 * g] = np.eye(2) / 3
    expected = 1.959964 * np.sqrt(np.diag(add @ joint.covariance @ add.T))
    halves = [(e.high - e.low) / 2 for e in result.mean_coefficients(chosen)]
    assert halves == pytest.approx(expected, rel=1e-4)
    add = add[1] + 0.7 * np.eye(3 + 16)[2]  # the last fixed effect has no random one
    sum_of_two = result.combination({result.fixed[1].name: 1.0, result.fixed[2].name: 0.7}, chosen, name="sum")
    assert sum_of_two.value == pytest.approx(beta[1] + 0.7 * beta[2] + result.groups.modes[chosen, 1].mean())
    half = 1.959964 * np.sqrt(add @ joint.covariance @ add)
    assert (sum_of_two.high - sum_of_two.low) / 2 == pytest.approx(half, rel=1e-4)


def test_a_label_that_is_no_group_and_a_term_of_no_model_are_refused(fitted):
    with pytest.raises(UsageError, match="99 is not one of the 40 groups of player"):
        fitted.mean_coefficients([99])
    with pytest.raises(UsageError, match="the term 'z' is not one of Intercept, x"):
        fitted.combination({"z": 1.0}, name="z")


def test_estimates_carry_level_unit_and_method(fitted):
    estimate = fitted.estimates()[1]
    assert (estimate.name, estimate.n, estimate.unit, estimate.level) == ("x", 40, "player", 0.95)
    assert estimate.method == ("fixed effect, binomial mixed model, Laplace nAGQ=1, Wald (Hessian), Student t on 39")
    assert fitted.estimates()[2].method.endswith("Wald (Hessian)")  # t varies within groups and has no random effect
    assert estimate.low < estimate.value < estimate.high


def test_an_unknown_variance_gives_no_interval():
    effect = fixed_effect("x", 1.0, None, None, 0.95)
    assert (effect.se, effect.z, effect.p, effect.low, effect.high) == (None,) * 5


def test_an_effect_that_groups_tell_has_the_interval_of_a_mean_over_groups():
    """By hand: with the sum S of squares of ten groups, maximum likelihood gives a mean the error sqrt(S) / 10, where
    Student has sqrt(S / 90)."""
    effect = fixed_effect("x", 1.0, None, 0.1**2, 0.95, groups=10, between=1)
    half = 2.262157 * 0.1 * np.sqrt(10 / 9)
    assert (effect.se, effect.z, effect.df) == (0.1, pytest.approx(10), 9)
    assert (effect.low, effect.high) == pytest.approx((1 - half, 1 + half))
    at_the_edge = fixed_effect("x", half, None, 0.1**2, 0.95, groups=10, between=1)
    assert at_the_edge.p == pytest.approx(0.05)
    within = fixed_effect("x", 1.0, None, 0.1**2, 0.95, groups=10)
    assert (within.df, within.high) == (None, pytest.approx(1 + 1.959964 * 0.1))
    none_left = fixed_effect("x", 1.0, None, 0.1**2, 0.95, groups=2, between=2)
    assert (none_left.se, none_left.df, none_left.p, none_left.low, none_left.high) == (0.1, None, None, None, None)


def test_what_groups_tell_is_counted_for_each_random_effect():
    """g is constant in groups, so it and the intercept share one, g:x and x the other; t varies in all."""
    g = (DATA["player"] % 3).astype(float)
    made = designed({**DATA, "g": g}, "binomial", "y ~ x + t + g + x:g + (1 + x | player)")
    counts = dict(zip((made.names[k] for k in made.fixed), between(made).tolist(), strict=True))
    assert counts == {"Intercept": 2, "x": 2, "t": 0, "g": 2, "x:g": 2}
    made = designed({**DATA, "g": g}, "binomial", "y ~ -1 + x + g + (1 | player)")
    assert between(made).tolist() == [0, 1]


def test_more_effects_than_groups_can_tell_have_no_interval_and_say_so():
    few = {name: values[DATA["player"] < 2] for name, values in DATA.items()}
    few["g"] = few["player"].astype(float)
    result = fit("y ~ x + g + (1 | player)", few, threads=1)
    assert [effect.low is None for effect in result.fixed] == [True, False, True]
    assert any("no interval of Intercept, g: 2 groups are no more than" in note for note in result.diagnostics.notes)


def test_a_fit_without_fault_has_nothing_to_note(fitted):
    assert fitted.diagnostics.converged
    assert fitted.diagnostics.notes == ()


def test_a_variance_of_zero_is_named():
    alternating = np.arange(N)[np.argsort(np.argsort(DATA["player"], kind="stable"))] % 2
    result = fit("y ~ x + (1 | player)", {**DATA, "y": alternating}, threads=1)
    assert result.diagnostics.singular
    assert result.diagnostics.converged
    assert any("the variance of Intercept between groups is zero" in note for note in result.diagnostics.notes)


def test_a_correlation_of_one_is_named():
    rng = stream(0, "tied")
    player, x = np.repeat(np.arange(60), 20), rng.normal(size=1200)
    b = rng.normal(size=60)[player]
    y = rng.random(1200) < 1 / (1 + np.exp(-b - 0.8 * b * x))
    result = fit("y ~ x + (1 + x | player)", {"y": y, "x": x, "player": player}, threads=1)
    assert result.diagnostics.singular
    assert result.random.correlation[1][0] == pytest.approx(1.0, abs=1e-5)
    assert any("correlation of Intercept and x is +1" in note for note in result.diagnostics.notes)
    assert all(e.se_hessian is not None for e in result.fixed)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_separation_is_named(family):
    never = ((DATA["y"] == 0) & (DATA["x"] > 0)).astype(float)
    result = fit("y ~ w + (1 | player)", {**DATA, "w": never}, family, threads=1)
    assert not result.diagnostics.converged
    assert any("separation: the coefficient of w has run away" in note for note in result.diagnostics.notes)


def test_groups_of_one_row_are_counted():
    alone = np.where(np.arange(N) == 0, 99, DATA["player"])
    result = fit("y ~ x + (1 | player)", {**DATA, "player": alone}, threads=1)
    assert "1 of 41 groups have a single row" in result.diagnostics.notes


def test_a_search_that_was_cut_short_says_so(monkeypatch):
    monkeypatch.setattr(optimum.optimize, "minimize", lambda *_, **__: None)
    diagnostics = fit(FORMULA, DATA, threads=1).diagnostics
    assert not diagnostics.converged
    assert "too large for a minimum" in diagnostics.notes[0]


@pytest.mark.slow
@pytest.mark.parametrize("groups", [20, 60])
def test_intervals_cover_as_often_as_they_say(groups):
    """400 simulations: between 93% and 97% of the 95% intervals hold the true value."""
    held = []
    for seed in range(400):
        result = fit(FORMULA, simulate(groups=groups, seed=seed), threads=1)
        held.append([e.low < truth < e.high for e, truth in zip(result.fixed, (-0.4, 0.5, 0.2), strict=True)])
    assert np.all((np.mean(held, axis=0) > 0.93) & (np.mean(held, axis=0) < 0.97)), np.mean(held, axis=0)
