from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

from athanor.analysis.regressions import Group, frame, group
from athanor.analysis.settings import (
    PER_UNIT,
    baseline_of,
    final_inventory,
    inventory_growth,
    models_of,
    random_inventory,
    random_preferences,
    temperature_regression,
)
from athanor.analysis.weights import TOGETHER
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.environments.alchemy import RULES
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import simulate
from athanor.values.tables import PairValues

WORLD = TableArrays(table("generated:opaque:3"))
TRUE = PairValues.true(WORLD)
HOT = {"cold": 0.0, "warm": 0.5, "hot": 1.0}


def players(name: str, temperature: float | None, seed: int, *, turns: int = 40, never: bool = True) -> Group:
    played = simulate(WORLD, RULES["strict"], np.full(12, turns), seed, never_repeats=never)
    return group(name, played, TRUE, seed=seed, temperature=temperature)


@pytest.fixture(scope="module")
def arms() -> list[Group]:
    """Memoryless players said to be cold, never-repeating ones said to be hot, and some without a temperature."""
    made = [players(name, t, k, never=t > 0.4) for k, (name, t) in enumerate(HOT.items())]
    return [*made, players("o1", None, 9)]


def named(found: tuple[Estimate, ...], group: str = TOGETHER) -> dict[str, Estimate]:
    return {e.name: e for e in found if e.group == group}


def test_preferences_that_rise_with_temperature_are_found_and_who_has_none_is_named(arms: list[Group]):
    found = temperature_regression(arms, 0, empowerment="true_empowerment", nagq=0, threads=1)
    fixed = named(found)
    assert set(fixed) == {
        "weight of true_empowerment (at temperature 0)", "weight of uncertainty (at temperature 0)",
        "weight of temperature (alone; a coin decides, so about 0)",
        "weight of true_empowerment (per unit of temperature)", "weight of uncertainty (per unit of temperature)",
    }  # fmt: skip
    assert fixed["weight of uncertainty (per unit of temperature)"].low > 0
    assert fixed["weight of uncertainty (at temperature 0)"].low < 0.1
    assert {e.excluded for e in found} == {12}
    assert all("; left out, having no temperature: o1" in e.method for e in found)
    assert {e.group for e in found} == {TOGETHER, *HOT}


def test_an_arms_weight_is_the_one_at_its_own_temperature(arms: list[Group]):
    found = temperature_regression(arms, 0, empowerment="true_empowerment", nagq=0, threads=1)
    hot = named(found, "hot")
    assert set(hot) == {"weight of true_empowerment (at temperature 1)", "weight of uncertainty (at temperature 1)"}
    own = hot["weight of uncertainty (at temperature 1)"]
    assert own.n == 12
    at_0, by_1 = (named(found)[f"weight of uncertainty ({kind})"] for kind in ("at temperature 0", PER_UNIT))
    assert own.value == pytest.approx(at_0.value + by_1.value, abs=0.1)  # their own deviations beside
    assert own.high - own.low < (at_0.high - at_0.low) + (by_1.high - by_1.low)
    alone = random_preferences(arms[2], arms, 0, empowerment="true_empowerment", nagq=0, threads=1)
    (fitted,) = [e for e in alone if "uncertainty" in e.name]
    assert own.low < fitted.value < own.high
    cold = named(found, "cold")["weight of uncertainty (at temperature 0)"]
    assert cold.value == pytest.approx(at_0.value, abs=0.1)


def test_the_published_variant_lets_effects_of_temperature_differ_between_players_and_says_they_cannot_be_told(
    arms: list[Group],
):
    found = temperature_regression(arms[:3], 0, variant="published", empowerment="true_empowerment", nagq=0, threads=1)
    assert "weight of uncertainty (per unit of temperature), as published" in named(found, "hot")
    assert "weight of uncertainty (at temperature 1)" in named(found, "hot")
    assert all(e.excluded == 0 for e in found)


def test_random_players_have_weights_of_the_same_unit(arms: list[Group]):
    """In deviations of all groups, as theirs, and not of themselves."""
    columns = [frame([arms[2]], 0, scale=scale).columns["uncertainty"] for scale in ((), arms)]
    wide = frame(arms, 0).columns["uncertainty"][-24 * 40 : -12 * 40]
    assert np.std(columns[0], ddof=1) == pytest.approx(1)
    assert np.std(columns[1]) == pytest.approx(np.std(wide), rel=0.01)


def test_temperatures_that_do_not_differ_and_values_that_are_not_there_are_refused(arms: list[Group]):
    with pytest.raises(UsageError, match="1 temperatures are known among 2 groups"):
        temperature_regression([arms[0], arms[3]], 0)
    with pytest.raises(UsageError, match="'empowerment' is not one of uncertainty"):
        temperature_regression(arms, 0)


@pytest.fixture(scope="module")
def models() -> tuple[list[Group], list[str]]:
    """Model `a` at two temperatures with 40 turns each; `b` at one with 80, so with more; and one without."""
    made = [players("a cold", 0.0, 1), players("a hot", 1.0, 2), players("b hot", 1.0, 3, turns=80)]
    return [*made, players("o1", None, 4)], ["a", "a", "b", "o1"]


def test_final_inventories_are_geometric_ratios_of_the_groups_means(models: tuple[list[Group], list[str]]):
    groups, of = models
    found = named(final_inventory(groups, models=of, baseline="a"))
    cold, hot, b = (one.games.owned_after[one.games.choices.starts[1:] - 1].mean() for one in groups[:3])
    values = {name.removeprefix("log final inventory: "): e.value for name, e in found.items()}
    assert values == pytest.approx(
        {"model a": log(cold), "temperature": log(hot / cold), "model b": log(b) - log(hot / cold)}
    )
    one = found["log final inventory: temperature"]
    assert one.low < 0 < one.high
    assert (one.n, one.excluded) == (36, 12)
    assert "after 40 to 80 turns" in one.method
    assert "baseline a" in one.method
    assert "left out, having no temperature: o1" in one.method


def test_the_published_growth_has_terms_of_the_turn_and_says_what_its_intervals_take_for_granted(
    models: tuple[list[Group], list[str]],
):
    groups, of = models
    growth = named(inventory_growth(groups, models=of, baseline="a", threads=1))
    assert [name.removeprefix("log inventory: ") for name in growth] == [
        "model a", "model b", "temperature", "trial", "model b:trial", "temperature:trial",
    ]  # fmt: skip
    assert growth["log inventory: trial"].low > 0
    assert growth["log inventory: trial"].n == 36
    assert "as if a player's inventories were independent" in growth["log inventory: trial"].method


def test_a_baseline_at_one_temperature_and_groups_without_a_model_are_refused(models: tuple[list[Group], list[str]]):
    groups, of = models
    with pytest.raises(UsageError, match="'b' was seen at 1 temperatures.*pass --baseline with one of: a"):
        final_inventory(groups, models=of, baseline="b")
    with pytest.raises(UsageError, match="'z' was seen at 0 temperatures"):
        baseline_of(groups, of, "z")
    with pytest.raises(UsageError, match="no model was seen at two temperatures \\(a cold at 0; a hot at 1; b"):
        baseline_of(groups, ["a cold", "a hot", "b", "o1"])
    with pytest.raises(UsageError, match="2 models were named for 4 groups"):
        inventory_growth(groups, models=of[:2], baseline="a")


@pytest.mark.parametrize(
    ("name", "temperature", "model", "expected"),
    [
        ("both agent, T=1", 1.0, None, "both agent"),
        ("m, reasoning, T=0.3, 96 tokens", 0.3, "m.gguf", "m, reasoning, 96 tokens"),
        ("m, T=1 (atelier, strict rules)", 1.0, "m", "m (atelier, strict rules)"),
        ("my run", 0.3, "m", "m"),
        ("random", None, None, "random"),
        ("m, T=1", 10.0, None, "m, T=1"),
    ],
)
def test_models_are_named_without_their_temperature(name, temperature, model, expected):
    (found,) = models_of([replace(players("x", None, 0), name=name, temperature=temperature, model=model)])
    assert found == expected


def test_the_baseline_is_the_first_model_at_two_temperatures(models: tuple[list[Group], list[str]]):
    groups, of = models
    assert baseline_of(groups[::-1], of[::-1]) == "a"


def test_random_players_have_the_inventory_of_random_players(models: tuple[list[Group], list[str]]):
    groups, _ = models
    games = groups[0].games
    at_mean, trial, final = random_inventory("random", games, groups, threads=1)
    last = games.owned_after[games.choices.starts[1:] - 1]
    assert final.value == pytest.approx(log(last.mean()))
    assert final.low < final.value < final.high
    assert trial.low > 0
    assert (at_mean.name, at_mean.group) == ("log inventory: at the mean turn", "random")
