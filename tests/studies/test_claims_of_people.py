"""Claims about people have verdicts by the logs that are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from athanor.analysis.exploration import FINAL
from athanor.analysis.regressions import group
from athanor.analysis.weights import named
from athanor.core.records import Estimate
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.worlds import table
from athanor.studies.think_too_fast import people as of_people
from athanor.studies.think_too_fast.claims_of_people import (
    most_below_people,
    people_by_both,
    people_go_on,
    people_use,
    people_who_stay,
)
from athanor.studies.think_too_fast.people import People, stayed
from athanor.studies.think_too_fast.procedures import PEOPLE
from athanor.studies.think_too_fast.verdicts import Run
from athanor.values.arrays import TableArrays
from athanor.values.games import simulate
from athanor.values.meaning import pair_values

ME = "people, raw"


def number(name: str, value: float, half: float, group: str = ME) -> Estimate:
    low, high = value - half, value + half
    return Estimate(
        name=name, value=value, low=low, high=high, level=0.95, n=900, unit="players", method="m", group=group
    )


def of(*found: Estimate, arms: tuple[Any, ...] = (), mine: tuple[Estimate, ...] = ()) -> Run:
    people = People(names=(ME,), estimates=found)
    return Run(arms=arms, by={(one.group, one.name): one for one in mine}, table="t", turns=100, people=people)


@pytest.mark.parametrize("claim", [people_by_both, people_go_on, people_use, people_who_stay, most_below_people])
def test_without_logs_nothing_is_tested_and_without_numbers_neither(claim: Any):
    verdict, said, _ = claim(Run(arms=(), by={}, table="t"))
    assert (verdict, "--people" in said) == ("not tested here", True)
    verdict, said, _ = claim(of())
    assert (verdict, "--people" in said) == ("not tested here", False)


@pytest.mark.parametrize(
    ("empowerment", "uncertainty", "verdict"),
    [(0.4, 0.2, "holds here"), (0.2, 0.4, "does not hold here"), (0.21, 0.2, "cannot tell"),
     (0.4, -0.2, "does not hold here"), (0.4, 0.01, "cannot tell")],
)  # fmt: skip
def test_people_explore_by_both_where_both_are_above_zero_and_one_above_the_other(empowerment, uncertainty, verdict):
    both = (
        number(named("empowerment", PEOPLE.kind), empowerment, 0.03),
        number(named("uncertainty", PEOPLE.kind), uncertainty, 0.03),
    )
    assert people_by_both(of(*both))[0] == verdict


@pytest.mark.parametrize(
    ("claim", "name"), [(people_go_on, "stopping: empowerment"), (people_use, "usage: r of usage and children")]
)
def test_a_number_decides_by_its_interval(claim: Any, name: str):
    for value, verdict in ((0.4, "holds here"), (-0.4, "does not hold here"), (0.1, "cannot tell")):
        assert claim(of(number(name, value, 0.2)))[0] == verdict


def test_a_claim_holds_outright_only_if_it_does_for_every_group_of_people():
    name = "stopping: empowerment"
    one = number(name, 0.4, 0.1)
    for other, verdict in ((0.4, "holds here"), (-0.4, "mixed here"), (0.0, "holds for some here")):
        people = People(names=(ME, "people, other"), estimates=(one, number(name, other, 0.1, "people, other")))
        assert people_go_on(Run(arms=(), by={}, table="t", people=people))[0] == verdict
    assert people_go_on(of(one))[0] == "holds here"
    assert people_go_on(of())[0] == "not tested here"


def test_who_stays_is_held_against_twice_the_mean_of_all():
    for long, verdict in ((110.0, "holds here"), (80.0, "does not hold here"), (100.0, "cannot tell")):
        found = number(FINAL, long, 4, stayed(ME)), number(FINAL, 50, 1)
        assert people_who_stay(of(*found))[0] == verdict


def arm(name: str, model: str, condition: str = "base") -> Any:
    config = {"agent": "language", "condition": condition, "model": model}
    turns = np.zeros(1)
    return SimpleNamespace(
        name=name, run=SimpleNamespace(manifest=SimpleNamespace(config=config)), turns_with=lambda *_: turns
    )


def test_models_are_held_against_people_who_play_as_long():
    theirs = number("inventory after 100 turns, still playing", 40, 2)
    swift, slow = (arm("a", "m"), arm("b", "m"), arm("c", "m")), arm("o", "o1")
    low, high = [number(FINAL, 20, 2, name) for name in "abc"], number(FINAL, 60, 2, "o")

    def verdict(arms: tuple[Any, ...], *mine: Estimate) -> str:
        return most_below_people(of(theirs, arms=arms, mine=mine))[0]

    assert verdict((*swift, slow), *low, high) == "holds here"
    assert verdict((*swift, slow), *low, number(FINAL, 20, 2, "o")) == "does not hold here"
    assert verdict((*swift, slow), *low, number(FINAL, 41, 2, "o")) == "cannot tell"
    assert verdict(swift, *low) == "holds here"
    assert "half of the claim" in most_below_people(of(theirs, arms=swift, mine=tuple(low)))[1]
    more = [number(FINAL, 60, 2, name) for name in "ab"]
    assert verdict(swift, *more, low[2]) == "does not hold here"
    assert verdict(swift, low[0], number(FINAL, 41, 2, "b"), number(FINAL, 41, 2, "c")) == "cannot tell"


def test_those_who_come_to_500_trials_are_counted_up_to_there():
    world = TableArrays(table("atelier"))
    lengths = np.array([600, 501, 500, 40])
    games = simulate(world, RULES["brandle2023"], lengths, 1, never_repeats=True)
    one = group(ME, games, pair_values("true", world), seed=1)
    found = {(e.group, e.name): e for e in of_people._staying(one)}
    final = found[stayed(ME), FINAL]
    owned = [games.owned_after[(games.choices.player == p) & (games.choices.turn <= 500)][-1] for p in (0, 1)]
    assert (final.value, final.n) == (pytest.approx(np.mean(owned)), 2)
    shares = [e.value for (whose, name), e in found.items() if name.startswith("share") and whose == stayed(ME)]
    assert len(shares) == 4
    assert sum(share or 0.0 for share in shares) == pytest.approx(1)
    assert people_of_500(People(names=(ME,))) == (stayed(ME),)


def people_of_500(people: People) -> tuple[str, ...]:
    return people.called("people, 500 trials")
