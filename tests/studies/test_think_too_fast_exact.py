"""Numbers that need no model are computed as published, and what is so by construction is counted apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as with_fields

from athanor.analysis.arms import World
from athanor.analysis.construction import BY_CONSTRUCTION
from athanor.analysis.weights import Options
from athanor.core.errors import DataError
from athanor.core.records import Estimate
from athanor.environments.alchemy import worlds
from athanor.models.backends import BackendConfig
from athanor.reports.think_too_fast import LEADING, _answer, _comparisons
from athanor.studies.think_too_fast import arms as planning
from athanor.studies.think_too_fast import exact
from athanor.studies.think_too_fast.arms import SETTINGS, arms
from athanor.studies.think_too_fast.claims import compare
from athanor.studies.think_too_fast.comparisons import comparisons, needs_no_model
from athanor.studies.think_too_fast.headlines import _CLAIMS, headlines
from athanor.studies.think_too_fast.places import Place, places_of
from athanor.studies.think_too_fast.published import GAME, NEVER, ORACLE, PUBLISHED, RANDOM, Published
from athanor.studies.think_too_fast.study import setting_of
from tests.conftest import shared


def estimate(name: str, value: float, low: float | None, high: float | None, group: str = "g") -> Estimate:
    return Estimate(
        name=name, value=value, low=low, high=high, level=None if low is None else 0.95, n=9, unit="episodes",
        method="m", group=group,
    )  # fmt: skip


def published(quantity: str, of: str) -> Published:
    return next(one for one in PUBLISHED if (one.quantity, one.of) == (quantity, of))


def baseline(agent: str, world: World) -> Any:
    manifest = SimpleNamespace(config={"agent": agent, "rules": world.rules})
    return SimpleNamespace(
        name=f"{agent} ({world.name})", short=agent, baseline=agent, world=world, n=0, run=SimpleNamespace(
            manifest=manifest
        ),
    )  # fmt: skip


HERE = World(table="atelier@0", rules="strict", split="open", turns=20)
THERE = World(table=f"{GAME}@1", rules="pan2025", split="open", turns=500)


def two_places(*found: Estimate) -> tuple[Place, ...]:
    every = [baseline(agent, world) for world in (THERE, HERE) for agent in ("random", "random-never-repeat", "oracle")]
    return places_of(every, found, [], {"atelier": "predicted", GAME: exact.EMPOWERMENT})


def test_the_published_games_of_those_who_need_no_model_are_played_where_their_table_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def played(setting: str) -> list[tuple[str, str, str, int, int]]:
        planned = arms(SETTINGS[setting], tmp_path, "m", BackendConfig(), 1, lambda table: "true")
        return [(p.table, p.rules, p.agent, p.episodes, p.turns) for p in planned if p.table == GAME]

    monkeypatch.setattr(planning, "is_here", lambda name: name == GAME)
    assert played("laptop") == [
        (GAME, "pan2025", "random", 400, 500), (GAME, "pan2025", "random-never-repeat", 400, 500),
        (GAME, "pan2025", "oracle", 4, 500),
    ]  # fmt: skip
    assert played("smoke") == []
    assert played("laptop")[:2] == [row for row in played("paper") if row[2].startswith("random")]
    monkeypatch.setattr(planning, "is_here", lambda name: False)
    assert played("laptop") == []


def test_a_damaged_table_of_the_game_is_refused_before_anything_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(worlds, "data_folder", lambda: tmp_path)
    monkeypatch.setitem(SETTINGS, "short", replace(SETTINGS["laptop"], worlds=(("atelier", "strict"),)))
    assert setting_of("short").exact
    (tmp_path / f"{GAME}.json").write_text("{}")
    with pytest.raises(DataError, match="fetch it again"):
        setting_of("short")
    monkeypatch.setitem(SETTINGS, "short", replace(SETTINGS["short"], exact=False))
    setting_of("short")


def test_a_number_that_needs_no_model_is_ours_of_the_game_itself_and_the_other_worlds_stand_behind():
    name = "final inventory"
    places = two_places(
        *(estimate(name, value, value - 1, value + 1, f"{agent} ({world.name})")
          for world, values in ((HERE, (11, 12, 30)), (THERE, (38.6, 48.3, 506)))
          for agent, value in zip(("random", "random-never-repeat", "oracle"), values, strict=True))
    )  # fmt: skip
    assert [place.table for place in places] == ["atelier", GAME]
    assert exact.place_of(places) is places[1]
    rows = {(row.published.quantity, row.published.of): row for row in comparisons("laptop", "m", places)}
    never = rows[name, NEVER]
    assert never.ours is not None
    assert (never.ours.value, never.another, never.interval, never.direction) == (48.3, (), "agrees", "no direction")
    assert [(one.world, one.ours and one.ours.value) for one in never.elsewhere] == [("atelier, strict rules", 12)]
    assert (rows[name, RANDOM].direction, rows[name, RANDOM].interval) == ("agrees", "agrees")
    assert (rows[name, ORACLE].direction, rows[name, ORACLE].interval) == ("by construction", "cannot tell")
    alone = {(row.published.quantity, row.published.of): row for row in comparisons("laptop", "m", places[:1])}
    assert alone[name, NEVER].another == ("another world", "other rules", "another number of turns")


def test_as_many_numbers_are_told_to_be_lacking_as_the_table_would_bring():
    places = two_places()
    free = [one for one in PUBLISHED if needs_no_model(one)]
    assert exact.lacking(SETTINGS["laptop"], places[:1]) == len(free) == 21
    assert exact.lacking(SETTINGS["laptop"], places) == exact.lacking(SETTINGS["paper"], places[:1]) == 0
    assert {one.of for one in free} == {RANDOM, NEVER, ORACLE, "random agent"}
    assert "empowerment" not in {one.quantity for one in free}  # it takes a model of word vectors

    def said(lacking: int) -> str:
        found: Any = SimpleNamespace(
            comparisons=comparisons("laptop", "m", places[:1]), places=places[:1], lacking=lacking
        )
        return " ".join(words for words, _ in _comparisons(found).words)

    assert "21 numbers need no model, only the game's own table, which was not fetched" in said(21)
    assert "Run `athanor fetch little-alchemy-2`, then this study again with --resume" in said(21)
    assert "athanor fetch" not in said(0)


@pytest.mark.parametrize(
    ("quantity", "of", "mine"),
    [
        ("share success-existing", NEVER, (0.0, 0.0, 0.02)),
        ("share failure-existing", NEVER, (0.0, 0.0, 0.02)),
        ("final inventory", ORACLE, (30, 29, 31)),
        ("uncertainty", "uncertainty agent", (30, 20, 40)),
        ("empowerment", "empowerment agent", (3, 2, 4)),
        ("usage: usage % at ln(1 + children) = 0", "people", (5, 3, 8)),
        ("trials in all", "people, memory logs", (9, None, None)),
    ],
)
def test_a_direction_that_follows_from_what_a_number_is_neither_agrees_nor_differs(quantity, of, mine):
    one = published(quantity, of)
    line = estimate(quantity, 0.1 if quantity.startswith("share") else 12, *((0.05, 0.2) if of == NEVER else (11, 13)))
    found = compare(one, estimate(quantity, *mine), line)
    assert found.direction == "by construction"
    assert found.why.startswith("It is by construction: ")


def test_what_contradicts_its_construction_differs_and_what_has_none_is_compared():
    contrary = compare(published("uncertainty", "uncertainty agent"), estimate("uncertainty", -3, -4, -2), None)
    assert contrary.direction == "differs"
    other = compare(published("uncertainty", "empowerment agent"), estimate("uncertainty", 3, 2, 4), None)
    assert other.direction == "agrees"
    slope = compare(published("usage: usage % by ln(1 + children)", "people"), estimate("usage", 3, 2, 4), None)
    assert slope.direction == "agrees"
    share = compare(published("share invalid", "gpt-4o"), estimate("share invalid", 0.1, 0.0, 0.2), None)
    assert share.direction == "no direction"


def test_a_published_number_without_an_interval_agrees_where_ours_has_it_in_it_and_is_else_not_told():
    one = published("share failure-new", RANDOM)
    assert compare(one, estimate(one.quantity, 0.53, 0.52, 0.54), None).interval == "agrees"
    assert compare(one, estimate(one.quantity, 0.50, 0.49, 0.51), None).interval == "cannot tell"
    never = published("share success-existing", NEVER)
    zero = with_fields(estimate(never.quantity, 0.0, None, None), method=f"{BY_CONSTRUCTION}: it never does")
    found = compare(never, zero, estimate(never.quantity, 0.1, 0.05, 0.2))
    assert (found.direction, found.interval) == ("by construction", "agrees")


def test_a_world_without_a_model_says_nothing_of_claims_that_are_not_tested_there():
    places = two_places()
    found = headlines(places)
    assert {one.verdict for one in found} == {"not tested here"}
    usage = estimate("usage: r of usage and children", 0.1, -0.01, 0.2, "random-never-repeat (simulated)")
    there = replace(places[1], by={(usage.group, usage.name): usage})
    told = [one for one in headlines((places[0], there)) if one.elsewhere]
    assert [one.claim for one in told] == ["Random players use what is new whatever it opens up."]


def test_the_page_begins_with_the_question_and_the_verdicts_that_answer_it():
    assert set(LEADING) <= {claim for claim, _, _ in _CLAIMS}
    found: Any = SimpleNamespace(headlines=headlines(two_places()), places=two_places())
    answer = _answer(found)
    assert answer.question == "Do language models think too fast to explore?"
    assert answer.said.startswith("Whether thinking before they answer helps was not tested here. What three claims")
    assert [point.partition(".")[0] + "." for point in answer.points] == list(LEADING)
    assert all("Not tested here." in point for point in answer.points)


@pytest.mark.slow
def test_the_published_numbers_that_need_no_model_come_out_as_they_were_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Weights and usage of random players on the official table: no interval differs from the published one."""
    source = shared("little-alchemy-2-official.json")
    monkeypatch.setattr(worlds, "data_folder", lambda: tmp_path / "data")
    setting = SETTINGS["laptop"]
    assert exact.numbers(setting, two_places()[1].arms, Options(seed=1)) == ()
    worlds.store(GAME, source.read_bytes(), str(source))
    found = exact.numbers(setting, two_places()[1].arms, Options(seed=1))
    assert exact.numbers(setting, two_places()[0].arms, Options(seed=1)) == ()
    assert exact.numbers(replace(setting, exact=False), two_places()[1].arms, Options(seed=1)) == ()
    first, game = two_places()
    game = Place(
        name=game.name,
        table=GAME,
        arms=game.arms,
        by={(e.group, e.name): e for e in found},
        empowerment=game.empowerment,
    )
    rows = [row for row in comparisons("laptop", "m", (first, game)) if row.ours is not None]
    assert len(rows) == 6
    assert not any(row.another for row in rows)
    assert Counter(row.interval for row in rows) == {"agrees": 5, "cannot tell": 1}
