from __future__ import annotations

import numpy as np
import pytest

from athanor.analysis import glmm
from athanor.analysis.regressions import REGRESSIONS, Regression, frame, group, regression
from athanor.core.errors import UsageError
from athanor.environments.alchemy import RULES
from athanor.environments.alchemy.loaders import load
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Choices, replay, simulate
from athanor.values.tables import PairValues
from tests.conftest import shared

WORLD = TableArrays(table("generated:opaque:3"))
TRUE = PairValues.true(WORLD)


def players(name: str, count: int = 8, turns: int = 40, *, never_repeats: bool = True):
    games = simulate(WORLD, RULES["strict"], np.full(count, turns), len(name), never_repeats=never_repeats)
    return group(name, games, TRUE, seed=0)


def test_the_frame_has_each_turn_once_scaled_and_signed_by_a_coin():
    one, other = players("one"), players("another", never_repeats=False)
    made = frame([one, other], 0)
    assert made.groups == {"one": range(8), "another": range(8, 16)}
    assert len(made.labels) == len(set(made.labels)) == 16
    decision = made.columns["decision"]
    assert 0.4 < decision.mean() < 0.6
    for name in ("uncertainty", "recency", "trial", "inventory"):
        assert made.columns[name].mean() == pytest.approx(0, abs=1e-12)
        assert made.columns[name].std(ddof=1) == pytest.approx(1)
    delta = np.concatenate(
        [g.values().chosen("uncertainty") - g.values().compared("uncertainty")[:, 0] for g in (one, other)]
    )
    signed = np.where(decision == 1, delta, -delta)
    assert np.corrcoef(signed, made.columns["uncertainty"])[0, 1] == pytest.approx(1)
    idle = np.concatenate([g.values().chosen("recency") - g.values().compared("recency")[:, 0] for g in (one, other)])
    assert np.corrcoef(np.where(decision == 1, idle, -idle), made.columns["recency"])[0, 1] == pytest.approx(1)


def test_draws_depend_on_the_seed_and_the_name_and_on_nothing_else():
    games = simulate(WORLD, RULES["strict"], np.full(3, 20), 0, never_repeats=True)
    same, again = (group("a", games, TRUE, seed=1).values().compared("recency") for _ in range(2))
    assert (same == again).all()
    assert (same != group("b", games, TRUE, seed=1).values().compared("recency")).any()
    assert (same != group("a", games, TRUE, seed=2).values().compared("recency")).any()


def test_turns_that_the_rules_refuse_are_left_out_and_counted():
    first, second = np.array([0, -1, 0], np.int32), np.array([1, 0, WORLD.n - 1], np.int32)
    games = replay(WORLD, RULES["strict"], Choices(np.array([0, 3]), first, second))
    made = group("g", games, TRUE, seed=0, excluded=4)
    assert len(made.games.pool) == 1
    assert made.excluded == 6


def test_a_column_that_never_varies_is_zero_and_named():
    first = np.zeros(4, np.int32)
    games = replay(WORLD, RULES["strict"], Choices(np.array([0, 2, 4]), first, first))
    made = frame([group("g", games, PairValues(WORLD, {"flat": np.ones(len(WORLD.recipe))}), seed=0)], 0)
    assert "flat" in made.constant
    assert (made.columns["flat"] == 0).all()


def test_temperature_is_a_column_only_where_every_group_knows_it():
    games = simulate(WORLD, RULES["strict"], np.full(3, 20), 0, never_repeats=True)
    warm = [group(name, games, TRUE, seed=0, temperature=t) for name, t in (("a", 0.0), ("b", 1.0))]
    assert set(np.sign(frame(warm, 0).columns["temperature"])) == {-1, 1}
    assert "temperature" not in frame([*warm, group("o1", games, TRUE, seed=0)], 0).columns


@pytest.mark.parametrize("name", list(REGRESSIONS))
def test_every_published_regression_can_be_fitted(name: str):
    wanted = REGRESSIONS[name]
    assert wanted.terms
    more = TRUE.with_values(empowerment=TRUE.values["true_empowerment"], success=TRUE.values["true_success"])
    games = simulate(WORLD, RULES["strict"], np.full(10, 30), 0, never_repeats=True)
    made = frame([group("g", games, more, seed=0)], 0, wanted.terms)
    fit = glmm.fit(wanted.formula, made.columns, nagq=0, threads=1)
    assert {effect.name for effect in fit.fixed} >= set(wanted.terms)


def test_a_word_that_is_no_regression_is_refused_and_a_formula_is_taken():
    with pytest.raises(UsageError, match="'emp' is not one of uncertainty, recovery, main"):
        regression("emp")
    own = regression("decision ~ -1 + recency + value:trial + (1 | player)")
    assert own.terms == ("recency", "value")
    assert Regression(formula="decision ~ -1 + trial + (1 | player)", source="").terms == ()
    assert regression("decision ~ scale(value) * recency + (1 + value | player)").terms == ("value", "recency")
    with pytest.raises(UsageError, match="the response of .* is 'empowerment'"):
        regression("empowerment ~ uncertainty + (1 | player)")


@pytest.mark.parametrize(("never_repeats", "expected"), [(True, 0.467), (False, 0.0)])
def test_random_players_have_the_weights_of_uncertainty_that_not_repeating_gives(never_repeats: bool, expected: float):
    """On the official table under brandle2023, 2,000 players of 200 turns: 0.467 and 0.00, each within 0.02.

    Brändle et al. 2023 published 0.456 (standard error 0.005) for their random agent, which does not repeat.
    """
    world = TableArrays(load(shared("little-alchemy-2-official.json")))
    games = simulate(world, RULES["brandle2023"], np.full(2000, 200), 1, never_repeats=never_repeats)
    made = frame([group("random", games, PairValues(world), seed=1)], 1)
    fit = glmm.fit(REGRESSIONS["uncertainty"].formula, made.columns)
    (weight,) = fit.estimates()
    assert weight.value == pytest.approx(expected, abs=0.02)
    assert weight.high - weight.low < 0.02


def test_values_that_only_agents_know_and_several_together_have_names():
    assert regression("true-empowerment-local").terms == ("true_empowerment_local",)
    assert not regression("true-empowerment-or-failure").published
    triple = regression("brandle-success-uncertainty-recency")
    assert triple.terms == ("success", "uncertainty", "recency")
    assert triple.published
    assert regression("brandle-empowerment-uncertainty-inventory").words == ("empowerment", "uncertainty", "inventory")
