from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace as with_fields

from athanor.analysis.choice import LEFT_OUT
from athanor.analysis.multiplicity import holm_of, with_adjusted
from athanor.analysis.nulls import NULL, null_estimates, p_of
from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS
from athanor.analysis.reading import readings, text
from athanor.analysis.regressions import group, regression
from athanor.analysis.weights import (
    ALL,
    MANY,
    OBSERVED,
    ONE,
    POOLED,
    PUBLISHED,
    SAMPLED,
    Options,
    named,
    null_weights,
    weights,
)
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.environments.alchemy import RULES
from athanor.values.games import Choices, replay, simulate
from tests.analysis.choosing import TRUE, WORLD, choosing


def players(name: str, count: int, turns: int = 40, rules: str = "strict", **how: bool):
    games = simulate(WORLD, RULES[rules], np.full(count, turns), len(name), **how)
    return group(name, games, TRUE, seed=0, count=SAMPLED)


@pytest.fixture(scope="module")
def found() -> tuple[Estimate, ...]:
    groups = [players("never", 30, never_repeats=True), players("memoryless", 30, never_repeats=False)]
    return weights(groups, TRUE, regression("uncertainty"), Options(seed=0, nulls=40))


def of(found: tuple[Estimate, ...], group: str, term: str, kind: str) -> Estimate:
    return by_name(found, group, named(term, kind))


def by_name(found: tuple[Estimate, ...], group: str, name: str) -> Estimate:
    (one,) = [e for e in found if e.group == group and e.name == name]
    return one


def test_every_group_and_both_random_players_have_every_kind_of_weight(found):
    for name in ("never", "memoryless", NEVER_REPEATS, MEMORYLESS):
        for kind in (PUBLISHED, MANY, ALL):
            assert of(found, name, "uncertainty", kind).n == (200 if "simulated" in name else 30)
        assert of(found, name, "self_pair", ALL).value < -0.3
    assert of(found, "never", "uncertainty", NULL).n == 40


def test_a_player_who_does_not_repeat_has_a_published_weight_that_the_other_estimates_explain_away(found):
    never = of(found, "never", "uncertainty", PUBLISHED)
    assert never.low > 0.15
    null, exact = of(found, "never", "uncertainty", NULL), of(found, "never", "uncertainty", ALL)
    observed, p = of(found, "never", "uncertainty", OBSERVED), by_name(found, "never", p_of("weight of uncertainty"))
    assert null.low < observed.value < null.high
    assert null.value == pytest.approx(0, abs=0.03)
    assert (observed.low, observed.high) == (None, None)
    assert observed.value == pytest.approx(exact.value, abs=0.03)
    assert 0.05 < p.value <= 1
    assert (p.n, p.unit) == (40, "draws")
    assert exact.low < 0 < exact.high
    memoryless = of(found, "memoryless", "uncertainty", PUBLISHED)
    assert memoryless.low < 0 < memoryless.high


def test_beside_an_unknown_weight_the_words_show_what_null_choices_say_and_the_adjusted_p(found):
    unknown = [
        with_fields(one, value=None, low=None, high=None)
        if (one.group, one.name) == ("never", named("uncertainty", PUBLISHED)) else with_fields(one, method="")
        for one in found
    ]  # fmt: skip
    (adjusted,) = with_adjusted(unknown)
    (said,) = [one for one in readings(adjusted) if one.startswith("never:")]
    p = by_name(found, "never", p_of("weight of uncertainty"))
    holms = by_name(adjusted, "never", holm_of(p_of("weight of uncertainty")))
    assert "is unknown; among all pairs" in said
    assert "; not to be told from what choices give that repeat as it does (p = " in said
    assert f"(p = {p.value:.2g}; {holms.value:.2g} by Holm, among all null tests)" in said


def test_the_words_name_the_values_that_null_choices_keep_and_why_there_are_none():
    keen = choosing("keen", temperature=0.1, true_empowerment=1)
    both = regression("decision ~ -1 + true_empowerment + uncertainty + (1 | player)")
    found = weights([keen], TRUE, both, Options(seed=0, nulls=200))
    (said,) = [one for one in readings(found) if one.startswith("keen:")]
    beside = "repeat as it does and weigh true_empowerment as it does, but not uncertainty (p = "
    assert f"which cannot be told from none; not to be told from what choices give that {beside}" in said
    (curious,) = [
        one for one in readings(weights([choosing("curious", uncertainty=1)], TRUE, both, Options(seed=0, nulls=200)))
        if one.startswith("curious:")
    ]  # fmt: skip
    assert f"; more than what choices give that {beside}0.005)" in curious
    silent = [
        with_fields(one, value=None, method="a reason") if one.name == p_of("weight of uncertainty") else one
        for one in found
    ]
    assert any("; null choices tell nothing (a reason)" in one for one in readings(silent))


def test_the_words_say_that_the_weight_is_what_not_repeating_gives(found):
    said = readings(found)
    assert "a weight near the first is what not repeating gives" in said[0]
    (never,) = [one for one in said if one.startswith("never:")]
    assert "not to be told from what not repeating gives" in never
    assert "which cannot be told from none; not to be told from what choices give that repeat as it does (p = " in never
    (memoryless,) = [one for one in said if one.startswith("memoryless:")]
    assert "; not to be told from what choices give that repeat as it does (p = " in memoryless


def test_who_takes_one_pair_for_ever_leaves_no_choice_to_be_drawn_and_has_no_null_test():
    same = Choices(np.arange(6) * 40, np.zeros(200, np.int32), np.ones(200, np.int32))
    one = group("stuck", replay(WORLD, RULES["strict"], same), TRUE, seed=0, count=SAMPLED)
    found = tuple(null_weights(one, TRUE, regression("uncertainty"), Options(seed=0, nulls=40)))
    observed, null, p = (by_name(found, "stuck", name) for name in (
        named("uncertainty", OBSERVED), named("uncertainty", NULL), p_of("weight of uncertainty")
    ))  # fmt: skip
    assert (observed.value, null.value, p.value) == (None, None, None)
    assert p.method == observed.method
    assert "could have differed in uncertainty: there is nothing to draw anew" in p.method
    assert with_adjusted(found, found) == [found, found]


def test_draws_that_are_all_the_same_are_no_null():
    found = tuple(null_estimates("w", 0.5, np.zeros(60), "m", group="g", excluded=0))
    assert [one.value for one in found] == [None, None]
    assert all("all draws give 0" in one.method for one in found)
    nearly = np.append(np.zeros(99), 1.0)
    null, p = null_estimates("w", 0.5, nearly, "m", group="g", excluded=0)
    assert (null.value, null.low, null.high, p.value) == (0.01, None, None, pytest.approx(2 / 101))


def test_progress_counts_every_fit_and_every_value_that_null_choices_are_drawn_for(monkeypatch):
    bars: list[tuple[int, list[int]]] = []

    class Bar:
        def __init__(self, total: int, unit: str, label: str):
            assert (unit, label) == ("fit", "weights of uncertainty, recency")
            bars.append((total, []))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def update(self, n: int = 1):
            bars[-1][1].append(n)

    monkeypatch.setattr("athanor.analysis.weights.progress", Bar)
    own = regression("decision ~ uncertainty + recency + (1 | player)")
    for nulls in (0, 2):
        weights(
            [players(name, 3, 9, never_repeats=False) for name in ("a", "bc")], TRUE, own, Options(seed=0, nulls=nulls)
        )
    assert [total for total, _ in bars] == [2 * 4, 2 * 4 + 2 * 2]
    assert [sum(done) for _, done in bars] == [2 * 4, 2 * 4 + 2 * 2]


def test_one_player_alone_has_no_published_weight_and_says_why():
    found = weights([players("solo", 1, never_repeats=True)], TRUE, regression("uncertainty"), Options(seed=0))
    one = of(found, "solo", "uncertainty", PUBLISHED)
    assert one.value is None
    assert "at least two" in one.method


def test_a_group_without_a_turn_that_counts_is_unknown_and_not_an_end():
    nothing = replay(WORLD, RULES["strict"], Choices(np.array([0, 1, 2]), np.full(2, -1), np.zeros(2)))
    silent = group("silent", nothing, TRUE, seed=0, count=SAMPLED)
    found = weights(
        [silent, players("never", 10, never_repeats=True)], TRUE, regression("uncertainty"), Options(seed=0)
    )
    for kind in (PUBLISHED, MANY, ALL):
        one = of(found, "silent", "uncertainty", kind)
        assert (one.value, one.excluded) == (None, 2)
    assert of(found, "never", "uncertainty", ALL).value is not None


def test_groups_of_other_rules_or_of_one_name_are_refused():
    one = players("never", 3, never_repeats=True)
    with pytest.raises(UsageError, match="2 worlds and rules"):
        weights(
            [one, players("other", 3, rules="pan2025", never_repeats=True)],
            TRUE,
            regression("uncertainty"),
            Options(seed=0),
        )
    with pytest.raises(UsageError, match="1 different names"):
        weights([one, one], TRUE, regression("uncertainty"), Options(seed=0))
    with pytest.raises(UsageError, match="at least one"):
        weights([], TRUE, regression("uncertainty"), Options(seed=0))


def test_unknown_weights_are_called_unknown():
    one = Estimate(name="w", value=0.5, low=None, high=None, level=None, n=1, unit="players", method="")
    assert text(one) == "0.50 (interval unknown)"


def test_without_null_choices_an_arm_is_set_beside_never_repeating():
    groups = [players("never", 30, never_repeats=True), players("memoryless", 30, never_repeats=False)]
    said = readings(weights(groups, TRUE, regression("uncertainty"), Options(seed=0)))
    assert any(one.startswith("never:") and "not to be told from what not repeating gives" in one for one in said)
    assert any(one.startswith("memoryless:") and "less than not repeating gives" in one for one in said)


def test_each_arm_is_fitted_alone_and_the_pooled_fit_stands_beside_it():
    """Pooled with one that never repeats, a memoryless arm's weight is drawn to the other's; alone it is not."""
    terms = "decision ~ -1 + uncertainty + (1 + uncertainty | player)"
    groups = [players("never", 12, 60, never_repeats=True), players("memoryless", 12, 60, never_repeats=False)]
    found = weights(groups, TRUE, regression(terms), Options(seed=0))
    alone, pooled = (of(found, "memoryless", "uncertainty", kind) for kind in (ONE, f"{ONE}, {POOLED}"))
    assert alone.low < 0 < alone.high
    assert pooled.value > alone.value
    assert of(found, "all groups", "uncertainty", f"{ONE}, {POOLED}").n == 24


def test_a_weight_of_recency_has_one_sign_in_every_estimate():
    own = choosing("own", temperature=0.7, recency=1)
    found = weights([own], TRUE, regression("decision ~ -1 + recency + (1 | player)"), Options(seed=0))
    assert all(of(found, "own", "recency", kind).low > 0 for kind in (ONE, MANY, ALL))


def test_only_a_published_regression_is_called_so(found):
    terms = "decision ~ -1 + uncertainty + (1 | player)"
    own = weights([players("never", 30, never_repeats=True)], TRUE, regression(terms), Options(seed=0))
    assert of(own, "never", "uncertainty", ONE).value == of(found, "never", "uncertainty", PUBLISHED).value
    assert not any("published" in e.name for e in own)
    said = readings(own)
    assert not any("published" in one for one in said)
    assert "a weight of uncertainty against one random pair of 0." in said[0]


def test_the_fit_among_all_pairs_says_how_well_it_predicts_and_what_values_add():
    groups = [choosing("keen", temperature=0.7, uncertainty=1), players("memoryless", 30, never_repeats=False)]
    found = weights(groups, TRUE, regression("uncertainty"), Options(seed=0))
    for one, low, high in (("keen", 0.1, 1.0), ("memoryless", 0.0, 0.02)):
        assert low <= by_name(found, one, f"R2 ({ALL})").value < high
    assert by_name(found, "keen", f"p of the values ({ALL})").value < 1e-6
    assert by_name(found, "memoryless", f"p of the values ({ALL})").value > 0.01
    assert by_name(found, "keen", f"likelihood ratio of the values ({ALL})").value > 20


def test_choices_of_what_is_not_owned_are_counted_and_told():
    """Under pan2025 anything can be combined: a player who jumps ahead chose what was no candidate."""
    games = simulate(WORLD, RULES["pan2025"], np.full(10, 30), 0, never_repeats=True)
    first = games.choices.first.copy()
    first[games.choices.starts[1:] - 1] = WORLD.n - 1
    ahead = replay(WORLD, RULES["pan2025"], Choices(games.choices.starts, first, games.choices.second))
    one = group("ahead", ahead, TRUE, seed=0, count=SAMPLED)
    found = weights([one], TRUE, regression("uncertainty"), Options(seed=0))
    weight = of(found, "ahead", "uncertainty", ALL)
    assert weight.excluded == 10
    assert "turns left out: 10 with an element that was not owned" in weight.method
    assert by_name(found, "ahead", f"{LEFT_OUT}with an element that was not owned ({ALL})").value == 10
    (said,) = [one for one in readings(found) if one.startswith("ahead:")]
    assert "left out of that estimate, are the turns: 10 with an element that was not owned" in said
    assert not any(e.name.startswith(LEFT_OUT) for e in found if e.group == MEMORYLESS)


def test_values_that_follow_what_is_owned_have_every_kind_of_weight():
    terms = "decision ~ -1 + true_empowerment_new + true_empowerment_or_failure + (1 | player)"
    found = weights([players("never", 30, never_repeats=True)], TRUE, regression(terms), Options(seed=0, nulls=10))
    for term in ("true_empowerment_new", "true_empowerment_or_failure"):
        for kind in (ONE, MANY, ALL, OBSERVED):
            assert of(found, "never", term, kind).value is not None


def test_a_formula_without_values_and_a_negative_number_of_draws_are_no_crash():
    one = players("never", 10, never_repeats=True)
    found = weights([one], TRUE, regression("decision ~ trial + (1 | player)"), Options(seed=0, nulls=3))
    assert {e.name for e in found} == {named("Intercept", ONE), named("trial", ONE)}
    with pytest.raises(UsageError, match="-3 null choices"):
        weights([one], TRUE, regression("uncertainty"), Options(seed=0, nulls=-3))
