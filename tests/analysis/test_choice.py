from __future__ import annotations

import asyncio
from math import log

import numpy as np
import pytest

from athanor.agents.cognitive import Cognitive
from athanor.analysis.choice import full_choice, likelihood_ratio, sampled_choice
from athanor.core.errors import DataError, UsageError
from athanor.core.play import Planned, play
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Choices, Games, replay, simulate
from athanor.values.tables import PairValues
from athanor.values.turns import turn_values, uniform_pairs

WORLD = TableArrays(table("generated:opaque:3"))
TRUE = PairValues.true(WORLD)
STRICT = RULES["strict"]


@pytest.fixture(scope="module")
def never_repeats() -> Games:
    return simulate(WORLD, STRICT, np.full(150, 80), 1, never_repeats=True)


def played_by(agent: Cognitive, players: int, turns: int) -> Games:
    environment = Alchemy(table=WORLD.table, rules=STRICT)
    task, judge, pairs = next(environment.tasks("open", 0)), Discovery(environment=environment), []
    for player in range(players):
        planned = Planned(key=f"{player:04d}", task=task)
        episode = asyncio.run(play(environment, judge, agent, planned, seed=0, turns=turns))
        pairs += [(turn.action.first, turn.action.second) for turn in episode.turns]
    first, second = (WORLD.indices([pair[side] for pair in pairs]) for side in (0, 1))
    return replay(WORLD, STRICT, Choices(np.arange(players + 1, dtype=np.int64) * turns, first, second))


def test_an_agents_weights_over_its_temperature_are_recovered():
    weights = (("uncertainty", 1.0), ("true_empowerment", -0.5), ("recency", 0.3))
    games = played_by(Cognitive(values=TRUE, weights=weights, temperature=0.8), players=40, turns=60)
    fit = full_choice(games, TRUE, [name for name, _ in weights], forbid_tried=True, threads=2)
    assert fit.warnings == ()
    for (name, weight), estimate in zip(weights, fit.estimates(level=0.999), strict=True):
        assert estimate.low < weight / 0.8 < estimate.high, name
        assert estimate.high - estimate.low < 0.5


def test_the_weight_of_uncertainty_that_not_repeating_gives_vanishes_beside_a_term_for_repeats(never_repeats: Games):
    values = turn_values(never_repeats, TRUE, uniform_pairs(never_repeats, 0))
    (published,) = sampled_choice(never_repeats, values, ["uncertainty"]).estimates()
    assert published.low > 0.3
    fit = full_choice(never_repeats, TRUE, ["uncertainty", "tried"])
    uncertainty, tried = fit.estimates()
    assert abs(uncertainty.value) < 0.1
    assert uncertainty.low < 0 < uncertainty.high
    assert (tried.value, tried.low) == (None, None)
    assert any("tried separates" in warning for warning in fit.warnings)
    (untried,) = full_choice(never_repeats, TRUE, ["uncertainty"], forbid_tried=True).estimates()
    assert untried.low < 0 < untried.high


def test_a_memoryless_player_has_no_weights():
    games = simulate(WORLD, STRICT, np.full(150, 80), 2, never_repeats=False)
    for estimate in full_choice(games, TRUE, ["uncertainty", "recency", "value", "tried", "self_pair"]).estimates(
        level=0.999
    ):
        expected = -log(2) if estimate.name == "self_pair" else 0.0  # two draws take a self-pair half as often
        assert estimate.low < expected < estimate.high, estimate


def test_first_choices_are_worth_the_logarithm_of_how_many_pairs_there_were():
    games = replay(WORLD, STRICT, Choices(np.array([0, 1, 2]), np.array([0, 0], np.int32), np.array([0, 1], np.int32)))
    base = len(WORLD.base)
    fit = full_choice(games, TRUE, ["tried"])
    assert fit.null == fit.loglik == pytest.approx(2 * log(1 / (base * (base + 1) / 2)))
    assert (fit.turns, fit.excluded) == (2, 0)


def test_gradient_and_information_are_the_derivatives_of_the_likelihood(never_repeats: Games):
    from athanor.analysis import choice

    caught = {}

    def keep(evaluate, terms, method, counts, begin=None):
        caught["evaluate"] = evaluate
        return original(evaluate, terms, method, counts)

    original, choice._fit = choice._fit, keep
    try:
        choice.full_choice(never_repeats, TRUE, ["uncertainty", "true_success"], forbid_tried=True)
        full = caught["evaluate"]
        values = turn_values(never_repeats, TRUE, uniform_pairs(never_repeats, 0, 3))
        choice.sampled_choice(never_repeats, values, ["uncertainty", "true_success"])
    finally:
        choice._fit = original
    for evaluate in (full, caught["evaluate"]):
        at, small = np.array([0.3, -0.2]), 1e-5
        _, gradient, information = (part.copy() for part in evaluate(at))
        for k in range(2):
            step = np.eye(2)[k] * small
            up, down = ([part.copy() for part in evaluate(at + sign * step)] for sign in (1, -1))
            assert (up[0].sum() - down[0].sum()) / (2 * small) == pytest.approx(gradient.sum(axis=0)[k], rel=1e-5)
            slope = (up[1].sum(axis=0) - down[1].sum(axis=0)) / (2 * small)
            assert slope == pytest.approx(-information.sum(axis=0)[k], rel=1e-4)


def test_one_sampled_pair_gives_the_logistic_regression_of_a_coin_flip(never_repeats: Games):
    """Newton's logistic on the signed differences, written out: the flip changes nothing."""
    values = turn_values(never_repeats, TRUE, uniform_pairs(never_repeats, 0))
    fit = sampled_choice(never_repeats, values, ["uncertainty"])
    x = values.chosen("uncertainty") - values.compared("uncertainty")[:, 0]
    sign = np.where(np.random.Generator(np.random.Philox(1)).random(len(x)) < 0.5, 1.0, -1.0)
    delta, y, beta = x * sign / np.sqrt((x**2).mean()), sign > 0, 0.0
    for _ in range(20):
        p = 1 / (1 + np.exp(-beta * delta))
        beta += (delta * (y - p)).sum() / (delta**2 * p * (1 - p)).sum()
    assert fit.beta[0] == pytest.approx(beta)
    assert fit.loglik == pytest.approx(np.log(np.where(y, p, 1 - p)).sum())


def test_more_sampled_pairs_give_narrower_intervals(never_repeats: Games):
    def error(count: int) -> float:
        values = turn_values(never_repeats, TRUE, uniform_pairs(never_repeats, 0, count))
        return float(sampled_choice(never_repeats, values, ["uncertainty"]).cluster_errors[0])

    assert error(20) < 0.85 * error(1)


def test_threads_do_not_change_the_fit(never_repeats: Games):
    one, two = (full_choice(never_repeats, TRUE, ["uncertainty"], threads=n) for n in (1, 2))
    assert one.beta.tolist() == two.beta.tolist()
    assert one.loglik == two.loglik


def test_nested_models_are_compared_and_others_refused(never_repeats: Games):
    small = full_choice(never_repeats, TRUE, ["true_success"], forbid_tried=True)
    large = full_choice(never_repeats, TRUE, ["true_success", "recency"], forbid_tried=True)
    ratio, p = likelihood_ratio(small, large)
    assert ratio == pytest.approx(2 * (large.loglik - small.loglik))
    assert 0.0 < p <= 1.0
    r2, gain, of_gain = large.quality(small)
    assert (r2.value, gain.value, of_gain.value) == (1 - large.loglik / large.null, ratio, p)
    assert (gain.low, gain.n) == (None, 150)
    with pytest.raises(UsageError, match="not nested"):
        likelihood_ratio(large, small)


def test_terms_that_say_nothing_or_are_unknown_are_told(never_repeats: Games):
    flat = TRUE.with_values(flat=np.ones(len(TRUE.values["true_success"])))
    fit = full_choice(never_repeats, flat, ["uncertainty", "flat"], forbid_tried=True)
    assert fit.unknown == {"flat"}
    assert fit.estimates()[0].low is not None
    assert (fit.estimates()[1].value, fit.estimates()[1].low) == (None, None)  # arbitrary, and no 0
    assert np.isnan(fit.told).tolist() == [False, True]
    with pytest.raises(UsageError, match="'emp' is not one of uncertainty, recency"):
        full_choice(never_repeats, TRUE, ["emp"])
    with pytest.raises(DataError, match="refused"):
        full_choice(
            replay(WORLD, STRICT, Choices(np.array([0, 1]), np.array([-1], np.int32), np.array([0], np.int32))),
            TRUE,
            ["value"],
        )


def test_no_more_players_than_terms_leave_the_intervals_unknown():
    """The sandwich of three gradients has no direction left for four terms: an error of nothing would come out."""
    three = simulate(WORLD, STRICT, np.full(3, 80), 1, never_repeats=False)
    terms = ["uncertainty", "recency", "true_empowerment", "similarity"][:3]
    fit = full_choice(three, TRUE, terms, threads=2)
    assert len(fit.terms) >= 3
    assert all(one.low is None and one.value is not None for one in fit.estimates())
    same = Choices(
        np.arange(13) * 80, *(np.tile(part[:80], 12) for part in (three.choices.first, three.choices.second))
    )
    twelve = full_choice(replay(WORLD, STRICT, same), TRUE, terms, threads=2)
    assert all(one.low is None for one in twelve.estimates())  # twelve players, one game
    assert all("1 different games for 3 terms" in one.method for one in twelve.estimates())
    games = replay(WORLD, STRICT, same)
    sampled = sampled_choice(games, turn_values(games, TRUE, uniform_pairs(games, 0, 20)), terms)
    assert all(one.value is not None and one.low is None for one in sampled.estimates())
    seven = simulate(WORLD, STRICT, np.full(12, 80), 1, never_repeats=False)
    assert all(one.low is not None for one in full_choice(seven, TRUE, terms, threads=2).estimates())


def test_live_values_are_terms_among_all_pairs_and_an_agents_weight_is_recovered():
    weights = (("true_empowerment_local", 1.0), ("uncertainty", 0.5))
    games = played_by(Cognitive(values=TRUE, weights=weights, temperature=0.8), players=30, turns=40)
    fit = full_choice(games, TRUE, [name for name, _ in weights], forbid_tried=True)
    for (name, weight), estimate in zip(weights, fit.estimates(level=0.999), strict=True):
        assert estimate.low < weight / 0.8 < estimate.high, name
        assert estimate.low > 0


def test_of_more_pairs_than_may_be_weighed_turns_are_drawn_and_the_method_says_how_many(never_repeats: Games):
    terms = ["uncertainty", "self_pair"]
    whole, less = (full_choice(never_repeats, TRUE, terms, most=most) for most in (1e9, 4e5))
    assert whole.turns == 12_000
    assert 1_000 < less.turns < 8_000
    assert f"in {less.turns} of 12000 turns drawn at random" in less.method
    assert "drawn" not in whole.method
    for all_of_them, some in zip(whole.estimates(), less.estimates(level=0.999), strict=True):
        assert some.low < all_of_them.value < some.high
        assert some.high - some.low > all_of_them.high - all_of_them.low


def test_where_a_fit_begins_does_not_move_its_end(never_repeats: Games, monkeypatch: pytest.MonkeyPatch):
    from athanor.analysis import choice

    terms = ["uncertainty", "value", "self_pair"]
    near = full_choice(never_repeats, TRUE, terms)
    monkeypatch.setattr(choice, "FEWEST", 10**9)
    assert near.beta == pytest.approx(full_choice(never_repeats, TRUE, terms).beta, abs=1e-5)
