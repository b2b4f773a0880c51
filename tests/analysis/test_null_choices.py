from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from athanor.analysis.null_choices import NullChoices, null_choices
from athanor.analysis.nulls import NULL, p_of
from athanor.analysis.regressions import group, regression
from athanor.analysis.weights import ALL, OBSERVED, Options, named, null_weights, weights
from athanor.core.errors import DataError
from athanor.core.records import Estimate
from athanor.environments.alchemy import RULES
from athanor.values.games import simulate
from athanor.values.tables import PairValues
from tests.analysis.choosing import TRUE, WORLD, choosing

BOTH = regression("decision ~ -1 + true_empowerment + uncertainty + (1 | player)")
ALONE = regression("decision ~ -1 + uncertainty + (1 | player)")


def told(one, asked=BOTH, nulls: int = 400) -> dict[str, Estimate]:
    return {e.name: e for e in null_weights(one, TRUE, asked, Options(seed=0, nulls=nulls))}


def p(found: dict[str, Estimate], term: str) -> float:
    value = found[p_of(f"weight of {term}")].value
    assert value is not None
    return value


@pytest.mark.parametrize(("temperature", "memory"), [(1.0, "none"), (1.0, "tried"), (0.1, "tried")])
def test_who_chooses_by_empowerment_alone_is_told_from_null_choices_in_empowerment_only(temperature, memory):
    one = choosing("keen", temperature=temperature, memory=memory, true_empowerment=1)
    found = told(one)
    assert p(found, "true_empowerment") < 0.005
    assert p(found, "uncertainty") > 0.05
    null = found[named("uncertainty", NULL)]
    assert null.low < found[named("uncertainty", OBSERVED)].value < null.high
    assert "by the weights fitted without uncertainty (true_empowerment " in null.method


def test_only_the_values_of_the_regression_are_kept_so_that_without_empowerment_it_passes_for_uncertainty():
    one = choosing("keen", temperature=0.1, memory="tried", true_empowerment=1)
    assert p(told(one, ALONE), "uncertainty") < 0.005


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_who_chooses_by_uncertainty_is_told_from_null_choices_in_uncertainty_only(temperature):
    found = told(choosing("curious", temperature=temperature, uncertainty=1))
    assert p(found, "uncertainty") < 0.005
    assert found[named("uncertainty", OBSERVED)].value > found[named("uncertainty", NULL)].high > 0
    assert p(found, "true_empowerment") > 0.05


def test_a_weight_that_runs_away_has_a_null_test_all_the_same():
    one = choosing("cold", temperature=0.02, uncertainty=1)
    every = {e.name: e for e in weights([one], TRUE, BOTH, Options(seed=0, nulls=400)) if e.group == "cold"}
    assert every[named("uncertainty", ALL)].value is None
    assert "uncertainty separates" in every[named("uncertainty", ALL)].method
    assert p(every, "uncertainty") < 0.005
    assert every[named("uncertainty", OBSERVED)].value > 0
    assert every[p_of("weight of true_empowerment")].value is not None


def test_where_all_draws_are_the_same_the_score_says_nothing_either(monkeypatch):
    same = NullChoices(observed=-0.03, drawn=np.full(60, -0.03), turns=9, asked=9, by="uniformly")
    monkeypatch.setattr("athanor.analysis.weights.null_choices", lambda *given, **more: same)
    found = told(choosing("cold", turns=4, count=2, true_empowerment=1), ALONE)
    for name in (named("uncertainty", OBSERVED), named("uncertainty", NULL), p_of("weight of uncertainty")):
        assert found[name].value is None
        assert "all draws give -0.03: nothing in these choices can be drawn anew" in found[name].method


def test_the_draws_follow_from_the_seed_and_are_about_nothing():
    one = choosing("keen", true_empowerment=1)
    assert told(one) == told(one)
    found = null_choices(one.games, TRUE, "uncertainty", ["true_empowerment"], draws=4000, rng=np.random.default_rng(0))
    assert found.drawn.mean() == pytest.approx(0, abs=4 * found.drawn.std() / np.sqrt(4000))
    assert (found.turns, found.asked) == (480, 480)


def test_of_too_many_pairs_some_turns_are_drawn_and_that_is_said():
    one = choosing("curious", uncertainty=1)
    (observed, null, _) = null_weights(one, TRUE, ALONE, Options(seed=0, nulls=50, pairs=8000))
    assert " of 480 turns drawn at random" in observed.method
    assert " of 480 turns drawn at random" in null.method
    assert observed.excluded == 0


def test_a_value_that_copies_others_or_cannot_vary_has_no_null_test_and_says_why():
    one = choosing("keen", true_empowerment=1)
    twice = PairValues(WORLD, {**TRUE.values, "success": TRUE.values["true_success"]})
    games = replace(one, fixed=twice)
    asked = regression("decision ~ -1 + success + true_success + (1 | player)")
    found = {e.name: e for e in null_weights(games, twice, asked, Options(seed=0, nulls=20))}
    for name in (named("success", OBSERVED), named("success", NULL), p_of("weight of success")):
        assert found[name].value is None
        assert "success cannot be told from true_success in these choices" in found[name].method
    stuck = simulate(WORLD, RULES["strict"], np.full(3, 1), 0, never_repeats=True)
    with pytest.raises(DataError, match="nothing to draw anew"):
        null_choices(stuck, TRUE, "uncertainty", [], draws=5, rng=np.random.default_rng(0))


def test_random_players_are_told_from_null_choices_by_chance_only():
    for never in (True, False):
        games = simulate(WORLD, RULES["strict"], np.full(30, 40), 3, never_repeats=never)
        found = told(group("random", games, TRUE, seed=0))
        assert p(found, "uncertainty") > 0.02
        assert p(found, "true_empowerment") > 0.02


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_the_null_test_finds_uncertainty_in_one_of_twenty_who_choose_by_empowerment_alone(temperature):
    """200 groups of 10 players of 20 turns; of the choice among all pairs the interval is held to it too."""
    found = both = 0
    for seed in range(200):
        one = choosing("keen", turns=20, count=10, temperature=temperature, seed=seed, true_empowerment=1)
        small = p(told(one, nulls=199), "uncertainty") < 0.05
        found += small
        if small:
            exact = [
                e for e in weights([one], TRUE, BOTH, Options(seed=0)) if e.name == named("uncertainty", ALL)
                and e.group == "keen"
            ]  # fmt: skip
            both += exact[0].low is not None and not exact[0].low <= 0 <= exact[0].high
    assert 1 <= found <= 19  # 10 are expected, and 3 standard errors are 9
    assert both <= found


@pytest.mark.slow
def test_the_null_test_finds_a_weak_weight_of_uncertainty_beside_one_of_empowerment_nearly_always():
    found = 0
    for seed in range(60):
        one = choosing("mixed", turns=20, count=10, seed=seed, true_empowerment=1, uncertainty=0.3)
        found += p(told(one, nulls=199), "uncertainty") < 0.05
    assert found >= 48
