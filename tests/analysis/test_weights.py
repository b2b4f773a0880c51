from __future__ import annotations

import numpy as np
import pytest

from athanor.analysis.reading import readings, text
from athanor.analysis.regressions import group, regression
from athanor.analysis.weights import (
    ALL,
    MANY,
    MEMORYLESS,
    NEVER_REPEATS,
    NULL,
    PUBLISHED,
    SAMPLED,
    Options,
    named,
    weights,
)
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.environments.alchemy import RULES
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Choices, replay, simulate
from athanor.values.tables import PairValues

WORLD = TableArrays(table("generated:opaque:3"))
TRUE = PairValues.true(WORLD)


def players(name: str, count: int, turns: int = 40, rules: str = "strict", **how: bool):
    games = simulate(WORLD, RULES[rules], np.full(count, turns), len(name), **how)
    return group(name, games, TRUE, seed=0, count=SAMPLED)


@pytest.fixture(scope="module")
def found() -> tuple[Estimate, ...]:
    groups = [players("never", 30, never_repeats=True), players("memoryless", 30, never_repeats=False)]
    return weights(groups, TRUE, regression("uncertainty"), Options(seed=0, nulls=30))


def of(found: tuple[Estimate, ...], group: str, term: str, kind: str) -> Estimate:
    (one,) = [e for e in found if e.group == group and e.name == named(term, kind)]
    return one


def test_every_group_and_both_random_players_have_every_kind_of_weight(found):
    for name in ("never", "memoryless", NEVER_REPEATS, MEMORYLESS):
        for kind in (PUBLISHED, MANY, ALL):
            assert of(found, name, "uncertainty", kind).n == (200 if "simulated" in name else 30)
        assert of(found, name, "self_pair", ALL).value < -0.3
    assert of(found, "never", "uncertainty", NULL).n == 30


def test_a_player_who_does_not_repeat_has_a_published_weight_that_the_other_estimates_explain_away(found):
    never = of(found, "never", "uncertainty", PUBLISHED)
    assert never.low > 0.15
    null, exact = of(found, "never", "uncertainty", NULL), of(found, "never", "uncertainty", ALL)
    assert null.low < never.value < null.high
    assert float(null.method.rpartition("p = ")[2]) > 0.05
    assert exact.low < 0 < exact.high
    memoryless = of(found, "memoryless", "uncertainty", PUBLISHED)
    assert memoryless.low < 0 < memoryless.high


def test_the_words_say_that_the_weight_is_what_not_repeating_gives(found):
    said = readings(found)
    assert "a weight near the first is what not repeating gives" in said[0]
    (never,) = [one for one in said if one.startswith("never:")]
    assert "not to be told from what not repeating gives" in never
    assert "which cannot be told from none" in never
    (memoryless,) = [one for one in said if one.startswith("memoryless:")]
    assert "less than not repeating gives" in memoryless


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
