"""The difference of the two weights: by another parametrisation, and over simulations whose weights are known."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from athanor.agents.cognitive import Cognitive
from athanor.analysis import contrasts, glmm
from athanor.analysis.choice import choice_between
from athanor.analysis.multiplicity import with_adjusted
from athanor.analysis.random_players import NEVER_REPEATS
from athanor.analysis.reading import readings
from athanor.analysis.regressions import group, regression
from athanor.analysis.weights import ALL, MANY, POOLED, PUBLISHED, SAMPLED, TOGETHER, Options, fitted, weights
from athanor.core.errors import UsageError
from athanor.core.play import Planned, play
from athanor.core.records import Estimate
from athanor.core.seeds import stream
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Choices, Games, replay, simulate
from athanor.values.meaning import pair_values

WORLD = TableArrays(table("generated:opaque:3"))
FIXED = pair_values("true", WORLD)
SLOPES = "decision ~ -1 + empowerment + uncertainty + (1 + empowerment + uncertainty | player)"
INTERCEPTS = "decision ~ -1 + empowerment + uncertainty + (1 | player)"


def drawn(seed: int, weights: tuple[float, float], *, groups: int = 30, rows: int = 40, spread: float = 0.4) -> Any:
    """Choices of players whose two weights vary about these, from correlated values."""
    rng = stream(seed, "contrast", *map(str, weights))
    player = np.repeat(np.arange(groups), rows)
    x = rng.normal(size=(len(player), 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    own = np.array(weights) + spread * rng.normal(size=(groups, 2))
    decision = rng.random(len(player)) < 1 / (1 + np.exp(-(own[player] * x).sum(axis=1)))
    return {
        "decision": decision.astype(float), "empowerment": x[:, 0], "uncertainty": x[:, 1], "player": player,
    }  # fmt: skip


def ends(one: Estimate) -> tuple[float, float]:
    """Those of its interval."""
    assert one.low is not None
    assert one.high is not None
    return one.low, one.high


def value(one: Estimate) -> float:
    assert one.value is not None
    return one.value


def holds(one: Estimate, number: float) -> bool:
    low, high = ends(one)
    return low <= number <= high


def test_it_is_the_coefficient_of_the_model_in_which_it_stands_alone():
    """a x + b z = (a - b) x + b (x + z)."""
    data = drawn(1, (0.7, 0.2), spread=0.0)
    one = glmm.fit(INTERCEPTS, data).contrast(contrasts.WEIGHTS, "d")
    data["uncertainty"] = data["empowerment"] + data["uncertainty"]
    other = glmm.fit(INTERCEPTS, data).fixed[0]
    assert (one.value, one.se, one.low, one.high) == pytest.approx(
        (other.value, other.se, other.low, other.high), abs=1e-5
    )
    assert one.p == pytest.approx(other.p, rel=1e-3)


def test_weights_that_differ_between_players_are_compared_by_students_t_over_players():
    fit = glmm.fit(SLOPES, drawn(2, (0.7, 0.2), groups=8))
    found, p = contrasts.of_fixed_effects(fit, "k", "g")
    assert (fit.contrast(contrasts.WEIGHTS, "d").df, "Student t on 7" in found.method) == (7.0, True)
    assert (found.name, p.name) == contrasts.names("k")
    assert (value(p) < 0.05) == (not holds(found, 0))
    with pytest.raises(UsageError, match="'emp' is not one of empowerment, uncertainty"):
        fit.contrast({"emp": 1.0}, "d")


def test_a_model_without_both_has_none():
    data = drawn(3, (0.7, 0.2))
    fit = glmm.fit("decision ~ -1 + empowerment + (1 | player)", data)
    assert contrasts.of_fixed_effects(fit, "k", "g") == ()
    assert contrasts.of_means(fit, [0], "k", "g") == ()


@pytest.mark.slow
@pytest.mark.parametrize("weights", [(0.5, 0.5), (1.0, 0.2)])
def test_intervals_hold_the_true_difference_and_equal_weights_are_rarely_told_apart(weights: tuple[float, float]):
    held = found = 0
    for seed in range(200):
        one, p = contrasts.of_fixed_effects(glmm.fit(SLOPES, drawn(seed, weights)), "k", "g")
        held += holds(one, weights[0] - weights[1])
        found += value(p) < 0.05
    assert 0.92 <= held / 200 <= 0.98
    assert found / 200 <= 0.08 if weights[0] == weights[1] else found / 200 > 0.8


def sampled(seed: int, weights: tuple[float, float], players: int = 60, turns: int = 20, among: int = 3) -> Any:
    """Choices among pairs whose values lie together, as a choice model of them."""
    rng = stream(seed, "choices", *map(str, weights))
    values = rng.normal(size=(players * turns, among, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    score = values @ np.array(weights) + rng.gumbel(size=values.shape[:2])
    chosen = np.take_along_axis(values, score.argmax(axis=1)[:, None, None], axis=1)
    others = np.argsort(score, axis=1)[:, :-1]
    less = (np.take_along_axis(values, others[..., None], axis=1) - chosen).astype(np.float32)
    games = Choices(np.arange(players + 1) * turns, *rng.integers(9, size=(2, len(less)), dtype=np.int32))
    spread = np.sqrt((less.astype(float) ** 2).mean(axis=(0, 1)))
    return choice_between(games, less, ["empowerment", "uncertainty"]), np.array(weights) * spread


def test_of_choice_models_too():
    held = equal = 0
    for seed in range(150):
        fit, true = sampled(seed, (0.6, 0.3))
        one, _ = contrasts.of_choices(fit, "k", "g")
        held += holds(one, true[0] - true[1])
        fit, true = sampled(seed, (0.5, 0.5 / 0.943))
        equal += value(contrasts.of_choices(fit, "k", "g")[1]) < 0.05
    assert 0.91 <= held / 150 <= 0.985
    assert equal / 150 < 0.12


def by_values(agent: Cognitive, players: int, turns: int) -> Games:
    environment = Alchemy(table=WORLD.table, rules=RULES["strict"])
    task, skin = next(environment.tasks("open", 0)), Discovery(environment=environment)
    pairs: list[Pair] = []
    for k in range(players):
        planned = Planned(key=f"{k:04d}", task=task)
        episode = asyncio.run(play(environment, skin, agent, planned, seed=0, turns=turns))
        pairs += [turn.action for turn in episode.turns if isinstance(turn.action, Pair)]
    first, second = (WORLD.indices([getattr(pair, side) for pair in pairs]) for side in ("first", "second"))
    return replay(WORLD, RULES["strict"], Choices(np.arange(players + 1, dtype=np.int64) * turns, first, second))


def test_of_agents_that_choose_by_both_it_is_the_difference_of_their_weights_and_is_read_out():
    agent = Cognitive(values=FIXED, weights=(("empowerment", 1.0), ("uncertainty", 0.4)), temperature=0.8)
    one = group("g", by_values(agent, 25, 40), FIXED, seed=0, count=SAMPLED)
    found = weights([one], FIXED, regression("recovery"), Options(seed=0))
    rows = {(e.group, e.name): e for e in found}
    for kind in (PUBLISHED, MANY, ALL):
        for name in contrasts.names(kind):
            assert ("g", name) in rows
            assert (NEVER_REPEATS, name) in rows
    difference, p = (rows["g", name] for name in contrasts.names(ALL))
    assert holds(difference, 0.6 / 0.8)
    assert value(p) < 0.001
    (said,) = [line for line in readings(found) if line.startswith("g: ")]
    assert "empowerment weighs more than uncertainty there: the difference is 0." in said
    assert "minus" not in said
    several = [replace(e, group=name) for name in ("g", "h", "i") for e in found if e.group == "g"]
    few = [replace(e, value=0.03 if e.group == "g" else 0.5) if e.name == p.name else e for e in several]
    for those, told in ((several, "than uncertainty there: the difference is 0."), (few, "told among so many tests: ")):
        (adjusted,) = with_adjusted(tuple(those))
        (said,) = [line for line in readings(adjusted) if line.startswith("g: ")]
        assert told in said
        assert "by Holm, among all such differences)" in said


def test_pooled_fits_have_it_over_all_groups_and_for_each():
    groups = [
        group(name, simulate(WORLD, RULES["strict"], np.full(12, 40), k, never_repeats=True), FIXED, seed=0)
        for k, name in enumerate(("a", "b"))
    ]
    found = {(e.group, e.name): e for e in fitted(groups, regression(SLOPES), Options(seed=0), POOLED)}
    for name in (TOGETHER, "a", "b"):
        one, p = (found[name, each] for each in contrasts.names(POOLED))
        assert holds(one, value(one))
        assert (value(p) < 0.05) == (not holds(one, 0))
        assert one.unit == p.unit == "players"
        terms = [value(found[name, f"weight of {term} ({POOLED})"]) for term in contrasts.WEIGHTS]
        assert one.value == pytest.approx(terms[0] - terms[1])


def test_where_nothing_counts_it_is_unknown_like_the_weights():
    silent = group("s", simulate(WORLD, RULES["strict"], np.zeros(3, dtype=np.int64), 0, never_repeats=True), FIXED,
                   seed=0, count=SAMPLED)  # fmt: skip
    found = {e.name: e.value for e in weights([silent], FIXED, regression("recovery"), Options(seed=0))}
    assert all(found[name] is None for kind in (PUBLISHED, MANY, ALL) for name in contrasts.names(kind))
