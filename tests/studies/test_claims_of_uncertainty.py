from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as with_fields

from athanor.analysis.multiplicity import holm_of, with_adjusted
from athanor.analysis.nulls import NULL, p_of
from athanor.analysis.random_players import NEVER_REPEATS
from athanor.analysis.regressions import regression
from athanor.analysis.weights import ALL, OBSERVED, PUBLISHED, Options, named, weights
from athanor.core.records import Estimate
from athanor.studies.think_too_fast.claims_of_uncertainty import driven_by_uncertainty
from athanor.studies.think_too_fast.headlines import headlines
from athanor.studies.think_too_fast.places import Place
from athanor.studies.think_too_fast.verdicts import Answer, Run, over_arms
from tests.analysis.choosing import TRUE, choosing

TEST = p_of("weight of uncertainty")


def arm(short: str) -> Any:
    config = {"agent": "language", "condition": "base", "model": short}
    return SimpleNamespace(
        name=short, short=short, run=SimpleNamespace(manifest=SimpleNamespace(config=config)),
        turns_with=lambda *_: np.zeros(1),
    )  # fmt: skip


def answer(arms: str, *found: Estimate) -> Answer:
    by = {(one.group, one.name): one for one in found}
    return driven_by_uncertainty(Run(arms=tuple(arm(name) for name in arms), by=by, table="t"))


def exact(value: float | None, half: float = 0.1, group: str = "m", why: str = "m") -> Estimate:
    low, high = (None, None) if value is None else (value - half, value + half)
    return Estimate(
        name=named("uncertainty", ALL), value=value, low=low, high=high, level=0.95, n=10, unit="players", method=why,
        group=group,
    )  # fmt: skip


def nulls(observed: float, p: float | None, group: str = "m", why: str = "m") -> tuple[Estimate, ...]:
    numbers = ((named("uncertainty", OBSERVED), observed), (named("uncertainty", NULL), 0.0), (TEST, p))
    return tuple(
        Estimate(name=name, value=value, low=None, high=None, level=None, n=99, unit="draws", method=why, group=group)
        for name, value in numbers
    )


def test_it_takes_the_weight_among_all_pairs_and_null_choices_that_do_not_say_otherwise():
    for value, observed, p, verdict in (
        (0.5, 0.5, 0.01, "holds here"), (-0.5, -0.5, 0.01, "does not hold here"), (0.05, 0.05, 0.01, "cannot tell"),
        (0.5, 0.5, 0.3, "cannot tell"), (0.5, -0.5, 0.01, "cannot tell"),
    ):  # fmt: skip
        assert answer("m", exact(value), *nulls(observed, p))[0] == verdict
    published = with_fields(exact(3.0), name=named("uncertainty", PUBLISHED))
    assert answer("m", published, *nulls(3.0, 0.001))[0] == "not tested here"
    adjusted = with_fields(nulls(0.5, 0.3)[2], name=holm_of(TEST))
    assert answer("m", exact(0.5), *nulls(0.5, 0.01), adjusted)[0] == "cannot tell"


def test_without_null_choices_the_interval_decides_and_the_words_say_why_there_are_none():
    verdict, said, sure = answer("m", exact(0.5))
    assert verdict == "holds here"
    assert "1 weighs uncertainty above zero among all pairs" in said
    assert sure.endswith("Of null choices none were drawn (--nulls).")
    sure = answer("m", exact(0.5), *nulls(0.5, None, why="the reason"))[2]
    assert sure.endswith("Of null choices they tell nothing (the reason).")
    sure = answer("mn", exact(0.5), *nulls(0.5, 0.01), exact(0.5, group="n"))[2]
    assert "say the same of 1 of these 2 (Holm). Of 1 arm none were drawn (--nulls)." in sure


def test_where_it_cannot_be_tested_the_reason_is_that_of_the_estimate():
    verdict, said, sure = answer("m", exact(None, why="conditional logit; 2 different games for 4 terms"))
    assert (verdict, sure) == ("not tested here", "")
    assert said.endswith("with an interval (2 different games for 4 terms).")
    assert answer("m")[1] == "No arm has a weight of uncertainty among all pairs with an interval."


def test_a_weight_that_runs_away_is_told_by_null_choices_alone():
    away = exact(None, why="conditional logit; uncertainty separates the choices: no finite estimate")
    assert answer("m", away, *nulls(1.2, 0.01))[0] == "holds here"
    assert answer("m", away, *nulls(-1.2, 0.01))[0] == "does not hold here"
    assert answer("m", away, *nulls(1.2, 0.3))[0] == answer("m", away)[0] == "cannot tell"
    other = exact(None, why="conditional logit; empowerment separates the choices: no finite estimate")
    assert answer("m", other, *nulls(1.2, 0.01))[0] == "not tested here"


def test_intervals_hold_for_all_arms_at_once_and_one_contrary_arm_makes_it_mixed():
    one = exact(0.11)
    assert answer("m", one)[0] == "holds here"
    assert answer("mn", one, exact(0.5, group="n"))[0] == "holds for some here"
    assert answer("mn", exact(0.5), exact(-0.5, group="n"))[0] == "mixed here"
    verdict, said, _ = answer("mno", exact(0.5), exact(-0.5, group="n"), exact(0.0, group="o"))
    assert verdict == "mixed here"
    assert said.startswith("Of 3 arms 1 weighs uncertainty above zero")
    assert said.endswith("1 below; of 1 it cannot be told.")


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((3, 0, 3), "holds here"), ((1, 0, 3), "holds for some here"), ((0, 3, 3), "does not hold here"),
        ((0, 1, 3), "does not hold for some here"), ((2, 1, 3), "mixed here"), ((0, 0, 3), "cannot tell"),
    ],
)  # fmt: skip
def test_arms_speak_for_a_claim_and_against_it_by_the_same_measure(counts, verdict):
    assert over_arms(*counts) == verdict


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        ({"true_empowerment": 1.0, "temperature": 1.0}, "cannot tell"),
        ({"true_empowerment": 1.0, "temperature": 0.1}, "cannot tell"),
        ({"uncertainty": 1.0, "temperature": 1.0}, "holds here"),
        ({"uncertainty": 1.0, "temperature": 0.1}, "holds here"),
        ({"uncertainty": -1.0, "temperature": 1.0}, "does not hold here"),
    ],
)
def test_who_explores_by_empowerment_alone_does_not_explore_by_uncertainty_and_who_does_does(how, verdict):
    one = choosing("m", turns=30, **how)
    asked = regression("decision ~ -1 + true_empowerment + uncertainty + (1 | player)")
    (found,) = with_adjusted(weights([one], TRUE, asked, Options(seed=0, nulls=200)))
    assert answer("m", *found)[0] == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.1, 0.12, "holds here"), (0.02, 0.14, "holds here"), (-0.05, 0.16, "cannot tell"),
        (0.05, 0.3, "cannot tell"), (0.2, 0.4, "does not hold here"), (-0.4, -0.2, "does not hold here"),
    ],
)  # fmt: skip
def test_that_usage_does_not_follow_children_takes_an_interval_within_what_counts_as_nothing(low, high, verdict):
    one = Estimate(
        name="usage: r of usage and children", value=(low + high) / 2, low=low, high=high, level=0.95, n=300,
        unit="elements", method="m", group=NEVER_REPEATS,
    )  # fmt: skip
    place = Place(name="t", table="t", arms=(), by={(one.group, one.name): one}, empowerment="")
    (said,) = [each for each in headlines([place]) if "whatever it opens up" in each.claim]
    assert said.verdict == verdict
    assert "-0.15 to 0.15" in said.sure
