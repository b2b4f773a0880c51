from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as with_fields

from athanor.agents.asking import sampling_of
from athanor.agents.registry import LanguageOptions
from athanor.analysis.arms import World
from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS
from athanor.analysis.weights import PUBLISHED as PUBLISHED_WEIGHT
from athanor.analysis.weights import TOGETHER, named
from athanor.cli import main
from athanor.core.errors import StoreError, UsageError
from athanor.core.records import Estimate
from athanor.environments.alchemy import worlds
from athanor.environments.alchemy.worlds import table
from athanor.models.backends import BackendConfig
from athanor.models.backends.openai_wire import request_body
from athanor.reports.think_too_fast import _lacking, _more, page
from athanor.studies.think_too_fast import arms as planning
from athanor.studies.think_too_fast import procedures
from athanor.studies.think_too_fast.arms import SETTINGS, Asking, arms
from athanor.studies.think_too_fast.claims import compare, interval
from athanor.studies.think_too_fast.comparisons import _subject, comparisons, is_model
from athanor.studies.think_too_fast.headlines import headlines
from athanor.studies.think_too_fast.how import How, another_world, apart
from athanor.studies.think_too_fast.places import Place, places_of
from athanor.studies.think_too_fast.published import (
    CATEGORIES,
    NAMES,
    NEVER,
    ORACLE,
    PUBLISHED,
    RANDOM,
    Published,
)
from athanor.studies.think_too_fast.study import Asked, Found, _varied, analyse, run


def published(quantity: str, value: float, **more) -> Published:
    return Published(quantity=quantity, of="someone", value=value, source="a test", **more)


def ours(value: float, low: float | None, high: float | None) -> Estimate:
    return Estimate(name="o", value=value, low=low, high=high, level=0.95, n=9, unit="players", method="m")


def test_a_published_interval_is_made_from_what_the_source_gives():
    assert interval(published("uncertainty", 0.5, spread=0.1, kind="se")) == pytest.approx((0.304, 0.696))
    low, high = interval(published("uncertainty", 0.5, spread=0.1, kind="sd", n=4))
    assert (high - low) / 2 == pytest.approx(3.182 * 0.1 / 2, rel=1e-3)
    assert interval(published("uncertainty", 0.5, spread=0.1, kind="sd")) == (0.5, 0.5)
    assert interval(published("uncertainty", 0.5)) == (0.5, 0.5)
    assert interval(published("share success-new", 0.01, spread=0.1, kind="sd", n=4))[0] == 0
    low, high = interval(published("usage: r of usage and children", 0.0418, kind="r", n=334))
    assert (low, high) == pytest.approx((-0.0658, 0.1485), abs=1e-3)


@pytest.mark.parametrize(
    ("value", "mine", "direction", "overlap"),
    [
        (0.4, (0.5, 0.3, 0.7), "agrees", "agrees"),
        (0.4, (0.9, 0.8, 1.0), "agrees", "differs"),
        (0.4, (-0.5, -0.7, -0.3), "differs", "differs"),
        (0.4, (0.1, -0.5, 0.7), "cannot tell", "agrees"),
        (0.4, (0.5, None, None), "cannot tell", "cannot tell"),
    ],
)
def test_a_weight_is_compared_by_its_sign_and_its_interval(value, mine, direction, overlap):
    found = compare(published("uncertainty", value, spread=0.05, kind="se"), ours(*mine), None)
    assert (found.direction, found.interval, found.sure) == (direction, overlap, True)


def test_a_published_number_without_an_interval_is_never_sure():
    found = compare(published("uncertainty", 0.4), ours(0.5, 0.3, 0.7), None)
    assert (found.direction, found.sure, found.interval) == ("agrees", False, "agrees")
    assert found.why == "Both are positive. The published number stands without an interval, so that this is not sure."


def test_the_interval_of_a_stand_in_neither_agrees_nor_differs_and_its_direction_is_compared():
    one = published("uncertainty", 0.4, spread=0.05, kind="se")
    for mine in ((0.4, 0.3, 0.5), (9.0, 8.0, 10.0)):
        found = compare(one, ours(*mine), None, another=("another model",))
        assert (found.direction, found.interval, found.another) == ("agrees", "not comparable", ("another model",))
    silent = compare(one, None, None, incomparable="none of the 2 arms made a valid attempt")
    assert (silent.direction, silent.interval, silent.ours) == ("not comparable", "not comparable", None)
    assert silent.why == "Not comparable: none of the 2 arms made a valid attempt."


@pytest.mark.parametrize(
    ("value", "mine", "direction"),
    [
        (35, (10, 9, 11), "agrees"),
        (177, (10, 9, 11), "differs"),
        (177, (30, 29, 31), "agrees"),
        (35, (20, 10, 30), "cannot tell"),
    ],
)  # fmt: skip
def test_an_inventory_is_compared_by_whether_it_beats_never_repeating_at_random(value, mine, direction):
    random = ours(20, 19, 21)
    assert compare(published("final inventory", value), ours(*mine), random).direction == direction


def test_a_published_share_that_cannot_be_told_from_that_of_the_random_player_has_no_side():
    engineered = next(one for one in PUBLISHED if (one.of, one.quantity) == ("gpt-4o, engineered", "share success-new"))
    found = compare(engineered, ours(0.5, 0.4, 0.6), ours(0.1, 0.09, 0.11))
    assert found.direction == "cannot tell"
    assert found.why == (
        "The published number cannot be told from that of random players who never repeat a pair (11.6%)."
    )


def test_what_was_not_played_is_said_and_never_agrees():
    found = compare(published("uncertainty", 0.2), None, None, missing="no people here")
    assert (found.direction, found.interval) == ("not computed", "not computed")
    assert found.why == "Not computed here: no people here."


def test_what_is_unknown_is_said_in_words():
    apart = with_fields(ours(0.0, None, None), value=None, method="Laplace; 1e3 [-2, 3] says nothing: separated")
    found = compare(published("uncertainty", 0.2), apart, None)
    assert found.direction == "not computed"
    assert found.why.startswith("Not computed here: our estimate has no bounds, for the choices of too few turns are")
    few = compare(published("uncertainty", 0.2), with_fields(apart, method="one player"), None)
    assert few.why == "Not computed here: it cannot be estimated (one player)."


def test_repeats_are_read_against_the_player_who_repeats_by_chance_and_a_line_has_no_direction():
    chance = ours(0.05, 0.04, 0.06)
    one = published("share success-existing", 0.176, spread=0.01, kind="sd", n=5)
    found = compare(one, ours(0.5, 0.4, 0.6), chance)
    assert (found.direction, found.interval) == ("agrees", "differs")
    assert (
        found.why == "The published number lies above that of memoryless random players (7.1%), ours above theirs here."
    )
    line = with_fields(published("share success-existing", 0.071), of=RANDOM)
    assert compare(line, ours(0.5, 0.4, 0.6), chance).direction == "no direction"
    nothing = compare(published("uncertainty", 0.004, spread=0.0045, kind="se"), ours(0.4, 0.3, 0.5), None)
    assert (nothing.direction, nothing.interval) == ("cannot tell", "differs")


def test_a_weight_says_in_what_it_was_made_otherwise():
    one = next(one for one in PUBLISHED if (one.of, one.quantity) == ("llama-3.1-8b, T=1", "uncertainty"))
    mine = How(table="atelier", turns="20", fit="the arm alone", nagq="1", scaled="the arm", formula=one.how.formula)
    said = apart(one.how, mine)
    for told in (
        "table: “atelier” here, “little-alchemy-2” there", "fit: “the arm alone” here, “pooled over all models, then",
        "nAGQ: “1” here, “0” there", "scaled over: “the arm” here, “all models” there",
    ):  # fmt: skip
        assert told in said
    assert "formula" not in said
    assert list(another_world(one.how, mine)) == ["another world", "another number of turns"]


def test_a_published_number_is_there_once_and_says_where_it_stands():
    keys = [(one.quantity, one.of) for one in PUBLISHED]
    assert len(keys) == len(set(keys)) == 148
    for one in PUBLISHED:
        assert one.source.startswith(("Pan et al. 2025, ", "Brändle et al. 2023, ", "derived from ", "re-analysis: "))


def test_the_five_categories_of_every_player_are_all_their_trials():
    for of in dict.fromkeys(
        one.of for one in PUBLISHED if one.quantity.startswith("share ") and "player" not in one.of
    ):
        shares = [one.value for one in PUBLISHED if one.of == of and one.quantity.removeprefix("share ") in CATEGORIES]
        assert len(shares) == 5
        assert sum(shares) == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize(
    ("model", "of"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"), ("deepseek-reasoner", "deepseek-r1"), ("o1-2024-12-17", "o1"),
        ("/models/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama-3.1-8b"), ("gpt-4o-mini", None), ("o1-mini", None),
        ("smollm2-135m-instruct", None), ("deepseek-r1-distill-llama-8b", None),
    ],
)  # fmt: skip
def test_a_model_is_the_published_one_by_its_whole_name(model: str, of: str | None):
    assert [name for name in NAMES if is_model(name, model)] == ([of] if of else [])


class Unhashable(SimpleNamespace):
    """Like an arm, which has tables in it and is no key."""

    __hash__ = None


def arm(model: str, temperature: float | None, *, valid: int = 3, condition: str = "base", **more: Any) -> Any:
    """An arm of six turns, `valid` of them no invalid answers."""
    config = {"agent": "language", "condition": condition, "model": model, "temperature": temperature}
    config |= {"constrained": False, **more}
    world = World(table="atelier@0", rules="strict", split="open", turns=20)
    invalid = np.array([0.0] * valid + [1.0] * (6 - valid))
    return Unhashable(
        name=f"{model}, {temperature}", short=model, n=3, baseline=None, world=world,
        run=SimpleNamespace(manifest=SimpleNamespace(config=config)), turns_with=lambda column, value: invalid,
    )  # fmt: skip


def place(arms: list[Any], *found: Estimate, table: str = "atelier") -> Place:
    by = {(one.group, one.name): one for one in found}
    return Place(name=f"{table}, strict rules", table=table, arms=tuple(arms), by=by, empowerment="")


def test_of_several_models_in_a_folder_a_published_number_is_set_beside_its_own():
    ours = [arm("gpt-4o-2024-08-06", 1.0), arm("zeta", 1.5), arm("llama-3.1-8b", 0.7)]
    one = next(each for each in PUBLISHED if each.of == "gpt-4o" and each.quantity == "final inventory")

    def found(arms: list[Any], model: str = "zeta") -> tuple[tuple[str, ...], bool]:
        subject = _subject(one, model, arms, {})
        return subject.groups, subject.same

    assert found(ours) == (("gpt-4o-2024-08-06, 1.0", "gpt-4o-2024-08-06"), True)
    assert found(ours[1:]) == (("zeta, 1.5", "zeta"), False)  # the model asked for stands in
    assert found(ours[1:], "eta") == ((), False)


def test_an_arm_without_a_valid_attempt_does_not_stand_in_and_where_none_has_one_that_is_said():
    one = next(each for each in PUBLISHED if each.of == "gpt-4o" and each.quantity == "final inventory")
    able, silent = arm("zeta", 0.3), arm("zeta", 1.0, valid=0)
    assert _subject(one, "zeta", [able, silent], {}).groups == ("zeta, 0.3", "zeta")
    assert (_subject(one, "zeta", [silent], {}).groups, _subject(one, "zeta", [silent], {}).silent) == ((), 1)
    (row,) = [one for one in comparisons("laptop", "zeta", [place([silent])]) if one.published == one.published
              and (one.published.of, one.published.quantity) == ("gpt-4o", "final inventory")]  # fmt: skip
    assert row.why == (
        "Not comparable: the only arm that could stand in made no valid attempt: all of its answers were invalid."
    )
    itself = arm("gpt-4o", 1.0, valid=0)
    assert _subject(one, "zeta", [itself, able], {}).groups == ("gpt-4o, 1.0", "gpt-4o")  # its own failure counts


def weight(name: str, value: float, low: float, high: float, group: str = "m") -> Estimate:
    return Estimate(
        name=name, value=value, low=low, high=high, level=0.95, n=5, unit="players", method="m", group=group
    )


def told(claim: str, arms: list[Any], *found: Estimate) -> tuple[str, str]:
    (one,) = [one for one in headlines([place(arms, *found)]) if claim in one.claim]
    return one.verdict, one.said


def test_every_claim_has_a_verdict_and_without_estimates_none_is_tested():
    found = headlines([place([arm("m", 1.0)])])
    assert {one.verdict for one in found} == {"not tested here"}
    assert all(one.said and not one.sure for one in found)
    for claim in ("but o1 weigh empowerment less", "rises with its temperature", "o1 has the highest",
                  "do not beat a random player who never", "o1 and R1 beat"):  # fmt: skip
        assert len([one for one in found if claim in one.claim]) == 1


def test_a_claim_on_temperature_holds_fails_or_cannot_be_told_by_its_interval():
    name = "weight of uncertainty (per unit of temperature)"
    for interval_, verdict in (((0.1, 0.9), "holds here"), ((-0.9, -0.1), "does not hold here"),
                               ((-0.1, 0.9), "cannot tell")):  # fmt: skip
        value = sum(interval_) / 2
        assert told("rises with its", [arm("m", 1.0)], weight(name, value, *interval_, group=TOGETHER))[0] == verdict


def test_that_models_do_not_beat_random_players_fails_only_by_a_difference_that_holds_among_all():
    name, claim = "final inventory minus random-never-repeat", "do not beat a random player who never"
    better, group = weight(name, 5, 1, 9, "m, 1.0"), "m, 1.0"
    wide = weight(f"{name}, all together", 5, -2, 12, group)
    assert told(claim, [arm("m", 1.0)], better, wide)[0] == "cannot tell"
    assert told(claim, [arm("m", 1.0)], better, weight(wide.name, 5, 0.5, 9.5, group))[0] == "does not hold here"
    worse = weight(name, -5, -9, -1, group)
    assert told(claim, [arm("m", 1.0)], worse)[0] == "holds here"
    assert told(claim, [arm("m", 1.0)], worse, weight(wide.name, -5, -11, 1, group))[0] == "cannot tell"
    assert told(claim, [arm("m", 1.0, valid=0)], worse)[0] == "not tested here"  # it never made an attempt
    assert told("o1 and R1 beat", [arm("m", 1.0)], worse) == ("not tested here", "Neither o1 nor R1 plays here.")
    mine = weight(name, 50, 40, 60, "o1, None")
    assert told("o1 and R1 beat", [arm("o1", None)], mine)[0] == "holds here"


def test_that_o1_has_the_highest_weights_takes_intervals_above_those_of_every_other_model():
    name = named("uncertainty", PUBLISHED_WEIGHT)
    both = [arm("o1", None), arm("m", 1.0)]
    first, other = weight(name, 3, 2.5, 3.5, "o1"), weight(name, 1, 0.5, 1.5, "m")
    assert told("o1 has the highest", both, first, other)[0] == "holds here"
    assert told("o1 has the highest", both, first, weight(name, 2, 0, 4, "m"))[0] == "cannot tell"
    assert told("o1 has the highest", both, first, weight(name, 4, 3.9, 4.1, "m"))[0] == "does not hold here"
    higher = weight(name, 4, 3.55, 4.45, "m")
    assert told("o1 has the highest", both, first, higher)[0] == "cannot tell"  # not by both intervals at once
    assert told("o1 has the highest", both, first, weight(name, 3.1, 0, 6.2, "m"))[0] == "cannot tell"
    assert told("o1 has the highest", both, other)[0] == "not tested here"


def test_each_arm_beside_people_counts_by_the_interval_that_holds_for_all_of_them():
    name, arms_ = named("empowerment", PUBLISHED_WEIGHT), [arm("m", 1.0), arm("n", 1.0), arm("p", 1.0)]
    for one in arms_:
        one.world = with_fields(one.world, table="little-alchemy-2@0")

    def said(*found: Estimate) -> str:
        (one,) = [
            one for one in headlines([place(arms_, *found, table="little-alchemy-2")]) if "than people do" in one.claim
        ]
        return one.verdict

    low = [weight(name, 0.0, -0.1, 0.1, group) for group in "mn"]
    assert said(*low, weight(name, 0.0, -0.1, 0.1, "p")) == "holds here"
    assert said(*low, weight(name, 0.6, 0.42, 0.78, "p")) == "holds for some here"  # above people by itself only
    assert said(*low, weight(name, 0.9, 0.75, 1.05, "p")) == "mixed here"
    assert said(*low, weight(name, 0.2, 0.03, 0.37, "p")) == "holds for some here"  # below people by itself only
    high = [weight(name, 0.9, 0.75, 1.05, group) for group in "mnp"]
    assert said(*high) == "does not hold here"
    assert said(*high[:2], weight(name, 0.2, 0.03, 0.37, "p")) == "does not hold for some here"


def test_never_repeating_and_repeating_by_chance_that_cannot_be_told_apart_are_no_refutation():
    name, claim = named("uncertainty", PUBLISHED_WEIGHT), "Never repeating a pair gives"
    chance = weight(name, 0.0, -0.1, 0.1, MEMORYLESS)
    for interval_, verdict in (((0.3, 0.5), "holds here"), ((-0.5, 0.9), "cannot tell"),
                               ((-0.6, -0.4), "does not hold here")):  # fmt: skip
        mine = weight(name, sum(interval_) / 2, *interval_, NEVER_REPEATS)
        assert told(claim, [arm("m", 1.0)], mine, chance)[0] == verdict


def test_the_engineered_prompt_is_placed_by_intervals_that_hold_among_all_comparisons_and_by_every_arm():
    one, claim = arm("m", 1.0, condition="engineered"), "The engineered prompt lies"
    names = [f"final inventory minus {agent}" for agent in ("random", "random-never-repeat")]
    raw = weight(names[0], 5, 1, 9, one.name), weight(names[1], -5, -9, -1, one.name)
    wide = [with_fields(each, name=f"{each.name}, all together") for each in raw]
    assert told(claim, [one], *raw, *wide)[0] == "holds here"
    wide[0] = with_fields(wide[0], low=-1, high=11)
    assert told(claim, [one], *raw, *wide)[0] == "cannot tell"
    wide[0] = with_fields(wide[0], value=-5, low=-9, high=-1)
    assert told(claim, [one], *raw, *wide)[0] == "does not hold here"


def test_a_claim_says_how_the_control_world_stands():
    name, control = "weight of uncertainty (per unit of temperature)", "generated-opaque-1"
    mine, its = weight(name, 0.5, 0.1, 0.9, TOGETHER), weight(name, -0.5, -0.9, -0.1, TOGETHER)
    both = [place([arm("m", 1.0)], mine), place([arm("m", 1.0)], its, table=control)]
    found = headlines(both)
    (one,) = [one for one in found if "rises with its" in one.claim]
    ((there,), verdict) = one.elsewhere, one.verdict
    assert (verdict, there.verdict) == ("holds here", "does not hold here")
    assert there.world == "generated-opaque-1, strict rules, the control, where names say nothing"
    assert there.said.startswith("A unit of temperature adds -0.50")
    assert [len(each.elsewhere) for each in found if "People use at once" in each.claim] == [0]  # nothing to add


def test_a_published_number_has_the_control_worlds_beside_ours():
    one = arm("gpt-4o", 1.0)
    other = arm("gpt-4o", 1.0)
    other.name, other.world = "gpt-4o, there", with_fields(one.world, table="generated-opaque-1@0")
    mine = weight("final inventory", 9, 8, 10, one.name), weight("final inventory", 5, 4, 6, other.name)
    places = places_of([other, one], mine, (), {"atelier": "learned", "generated-opaque-1": "the table's own"})
    assert [each.table for each in places] == ["atelier", "generated-opaque-1"]  # as the setting has them
    rows = comparisons("laptop", "gpt-4o", places)
    (row,) = [each for each in rows if (each.published.of, each.published.quantity) == ("gpt-4o", "final inventory")]
    assert row.ours is not None
    assert (row.ours.value, [beside.ours and beside.ours.value for beside in row.elsewhere]) == (9, [5])
    assert row.elsewhere[0].world.startswith("generated-opaque-1, strict rules, the control")


def test_a_model_that_refuses_a_temperature_is_sent_none_and_its_arm_says_so(tmp_path: Path):
    planned = arms(SETTINGS["paper"], tmp_path, "o1-2024-12-17", BackendConfig(), 1, lambda table: "true")
    asked = [play for play in planned if play.agent == "language"]
    assert [play.label for play in asked] == [
        "o1-2024-12-17, base, no temperature", "o1-2024-12-17, engineered, no temperature",
    ]  # fmt: skip
    for play in asked:
        sampling = sampling_of(play.language, 100)
        assert sampling.temperature is None
        assert "temperature" not in request_body(sampling, "max_completion_tokens", "")
    warm = arms(SETTINGS["paper"], tmp_path, "gpt-4o", BackendConfig(), 1, lambda table: "true")
    assert {play.language.temperature for play in warm if play.agent == "language"} == {0.0, 0.3, 0.7, 1.0}


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_arm_of_a_setting_has_a_folder_and_a_name_of_its_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(planning, "is_here", lambda name: False)
    planned = list(arms(SETTINGS[name], tmp_path, "m", BackendConfig(), 1, lambda table: "true"))
    assert len({play.out for play in planned}) == len(planned)
    labels = [(play.table, play.label or play.agent) for play in planned]
    assert len(set(labels)) == len(labels)
    assert all(play.turns == SETTINGS[name].turns and play.resume for play in planned)


def test_the_cognitive_agents_choose_by_the_values_that_their_choices_are_read_by(tmp_path: Path):
    planned = arms(SETTINGS["laptop"], tmp_path, "m", BackendConfig(), 1, lambda table: f"values of {table}")
    given = {(play.table, play.cognitive.pair_values) for play in planned if play.agent == "cognitive"}
    assert given == {(table, f"values of {table}") for table, _ in SETTINGS["laptop"].worlds}


def test_the_regression_on_temperature_is_of_ways_of_asking_that_were_tried_at_several():
    both = [arm("m", 0.3), arm("m", 1.0)]
    asked = [*both, arm("m", 1.0, condition="reasoning"), arm("o1", None)]
    for k, one in enumerate(asked):
        one.short = str(k)
    groups: Any = [
        SimpleNamespace(
            name=one.short, temperature=one.run.manifest.config["temperature"], games=SimpleNamespace(pool=[1])
        )
        for one in asked
    ]
    assert [one.name for one in _varied(groups, asked)] == ["0", "1", "3"]


def test_the_page_says_that_a_model_without_a_temperature_is_left_out_of_the_regression_on_it():
    found: Any = SimpleNamespace(arms=(arm("o1, base, no temperature", None), arm("m", 1.0)), worlds=())
    for one in found.arms:
        one.asked = True
    (said, _), *_ = _more(found).words
    assert said.startswith("o1, base, no temperature: no temperature is sent, for the model's server refuses one")


def test_the_page_says_that_budgets_of_reasoning_are_not_tested_where_they_do_not_vary():
    def said(*budgets: int) -> list[str]:
        thinking = [arm("m", 1.0, condition="reasoning", max_tokens=budget) for budget in budgets]
        found: Any = SimpleNamespace(arms=(arm("m", 1.0), *thinking), worlds=())
        for one in found.arms:
            one.asked = True
        return [each for each, _ in _more(found).words]

    assert said(50, 1000) == []
    (one,) = said(96)
    assert one.startswith(
        "Not tested here is whether a larger budget of reasoning discovers more: asking for a thought"
    )
    assert "of at most 96 tokens is set beside answering at once, over 3 episodes" in one
    assert one.endswith("The setting paper has budgets of 50, 1,000 and 4,000 tokens.")
    assert "no arm is asked to reason aloud" in said()[0]


def test_numbers_without_ours_are_counted_by_their_reasons():
    rows = comparisons("laptop", "m", [place([arm("m", 1.0)])])
    lead, points = _lacking(SimpleNamespace(comparisons=rows)).words[0]  # pyright: ignore[reportArgumentType]
    assert lead.startswith(f"{len(rows)} numbers have none of ours beside them")
    assert sum(int(one.partition(":")[0]) for one in points) == len(rows)
    assert "12: it needs sparse autoencoders, and the laboratory has none yet." in points
    assert sum("it is of people" in one for one in points) == 1


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The smoke setting with a scripted model that cannot be constrained."""
    free = (LanguageOptions(max_tokens=12, temperature=0.3), LanguageOptions(max_tokens=12, temperature=1.0))
    ways = (*free, replace(free[1], condition="reasoning"))
    tiny = replace(SETTINGS["smoke"], arms=tuple(Asking(options=one, episodes=2) for one in ways))
    monkeypatch.setitem(SETTINGS, "tiny", tiny)
    monkeypatch.setattr(procedures, "RANDOM_PLAYERS", 20)
    first = next(arms(tiny, tmp_path, "m", BackendConfig(), 1, lambda table: "true"))
    a, b, c, _ = table(first.table).base
    script = tmp_path / "script.json"
    replies = [f"{a} + {b}", f"{b} + {c}", f"{a} + {a}", f"{c} + {c}", "I do not know"]
    script.write_text(json.dumps({"replies": replies}))
    backend = replace(BackendConfig(), backend="scripted")
    return Asked(
        setting="tiny", model=str(script), backend=backend, seed=1, pair_values="true", nulls=0, threads=1,
        allow_excluded=1.0,
    )  # fmt: skip


@pytest.mark.slow
def test_the_study_plays_analyses_compares_and_goes_on_where_it_was(asked: Asked, tmp_path: Path):
    out = tmp_path / "study"
    assert run(asked, out) == 0
    before = {path: path.read_bytes() for path in out.glob("runs/*/turns.jsonl")}
    assert len(before) == 9
    assert run(asked, out) == 0
    assert {path: path.read_bytes() for path in out.glob("runs/*/turns.jsonl")} == before
    found = analyse(asked, out)
    assert len(found.comparisons) == len(PUBLISHED)
    assert (out / "headlines.jsonl").read_bytes().count(b"\n") == len(found.headlines) > 15
    lacking = [one for one in found.comparisons if one.direction == "not computed"]
    assert {one.published.of for one in found.comparisons if one.published.of.startswith("people")} <= {
        one.published.of for one in lacking
    }
    assert all(one.why.startswith("Not computed here: ") for one in lacking)
    assert all(one.why[0].isupper() and one.why.endswith(".") for one in found.comparisons)
    assert all(one.another for one in found.comparisons if one.ours)
    assert {one.interval for one in found.comparisons if one.ours} <= {"not comparable", "not computed"}
    beside = {one.published.of for one in found.comparisons if one not in lacking}
    assert {"gpt-4o", "o1", "llama-3.1-8b, T=1", "random agent", RANDOM, NEVER, ORACLE} <= beside
    names = {one.name for one in found.estimates()}
    assert {"final inventory", "final inventory, reasoning minus base", "weight of uncertainty (published)"} <= names
    assert (out / "comparisons.jsonl").read_bytes().count(b"\n") == len(PUBLISHED)
    text = page(found, out).read_text()
    assert "a weight near the first is what not repeating gives" in text
    assert "Published numbers beside ours" in text
    assert "Published numbers without ours" in text
    assert "What was said in words" in text
    assert "How they differ: table: “generated-opaque-1” here, “little-alchemy-2” there" in text
    assert "not comparable: another model, another world, other rules and another number of turns" in text
    assert '<td class="name">11.6% [11.5%, 11.7%]</td>' in text
    assert (out / "figures" / "weights.svg").exists()


def test_a_group_that_plays_in_two_worlds_is_told_apart_among_the_estimates():
    both, alone = weight("w", 1, 0, 2, "m"), weight("w", 1, 0, 2, "n")
    found = Found(
        arms=(), exploration=(), worlds=(("here", (both, alone)), ("there", (both,))), comparisons=(), headlines=(),
        places=(),
    )  # fmt: skip
    assert [one.group for one in found.estimates()] == ["m (here)", "n", "m (there)"]


def test_a_folder_of_something_else_or_of_another_setting_is_refused(asked: Asked, tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="already holds something"):
        run(asked, tmp_path / "full")
    run(asked, tmp_path / "study")
    with pytest.raises(UsageError, match="seed was 1 and is now 2"):
        run(replace(asked, seed=2), tmp_path / "study")
    with pytest.raises(UsageError, match="'huge' is not one of smoke"):
        run(replace(asked, setting="huge"), tmp_path / "other")


def test_a_study_that_cannot_be_made_is_refused_and_leaves_nothing_behind(asked: Asked, tmp_path: Path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "study"):
        with pytest.raises(StoreError, match="cannot create .*; pass an --out that can be written"):
            run(asked, out)
    monkeypatch.setattr(worlds, "data_folder", lambda: tmp_path / "none")
    with pytest.raises(UsageError, match="table little-alchemy-2 is not here"):
        run(replace(asked, setting="paper"), tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
def test_the_smoke_setting_runs_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["study", "think-too-fast", "--setting", "smoke", "--nulls", "20", "--out", str(tmp_path / "s"), "--json"])
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    assert any(one["name"] == "weight of uncertainty (all pairs, repeats and doubles apart)" for one in found)
    assert (tmp_path / "s" / "report.html").exists()
