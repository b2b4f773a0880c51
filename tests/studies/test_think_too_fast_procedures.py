"""Published numbers are set beside ours by the published procedures, and people's beside people's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from athanor.analysis.groups import Reading
from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS
from athanor.analysis.regressions import REGRESSIONS, Group, group
from athanor.analysis.weights import Options, named
from athanor.core.errors import DataError
from athanor.core.records import Estimate
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.worlds import table
from athanor.studies.think_too_fast import procedures
from athanor.studies.think_too_fast.comparisons import comparisons
from athanor.studies.think_too_fast.people import People, people_of, read_people, together
from athanor.studies.think_too_fast.places import Place
from athanor.studies.think_too_fast.procedures import (
    POOLED,
    RECOVERY,
    REPLICATION,
    as_published,
    procedures_of,
)
from athanor.studies.think_too_fast.published import PUBLISHED, RAW_LOGS, TRIED_ONCE
from athanor.values.arrays import TableArrays
from athanor.values.games import simulate
from athanor.values.meaning import pair_values

WORLD = TableArrays(table("atelier"))
TRUE = pair_values("true", WORLD)
OPTIONS = Options(seed=1)


def players(name: str, seed: int) -> Group:
    games = simulate(WORLD, RULES["strict"], np.full(6, 25), seed, never_repeats=False)
    return group(name, games, TRUE, seed=1)


def nobody(found: Sequence[Estimate] = ()) -> Place:
    """The place of these players, without an arm."""
    by = {(one.group, one.name): one for one in found}
    return Place(name="atelier, strict rules", table="atelier", arms=(), by=by, empowerment="the table's own")


def test_every_published_weight_of_an_agent_is_compared_through_its_own_formula():
    for one in PUBLISHED:
        if one.quantity in ("uncertainty", "empowerment") and one.how.formula:
            first = procedures_of(one.of, one.how, 1)[0]
            assert REGRESSIONS[first.regression].formula == one.how.formula
            assert (str(first.nagq), first.fit, first.scaled) == (one.how.nagq, one.how.fit, one.how.scaled)


def test_models_are_pooled_as_published_beside_our_fits_and_random_players_have_the_published_games(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(procedures, "RANDOM_PLAYERS", 50)
    found = list(as_published([players("a", 1), players("b", 2)], [players("agent", 3)], TRUE, OPTIONS))
    by = {(one.group, one.name): one for one in found}
    for name in ("a", "b"):
        one = by[name, named("uncertainty", POOLED.kind)]
        assert one.value is not None
        assert "nAGQ=0" in one.method
    assert ("agent", named("uncertainty", POOLED.kind)) not in by
    assert by["agent", named("empowerment", RECOVERY.kind)].n == 6
    never, random = (by[who, named("uncertainty", REPLICATION.kind)] for who in (NEVER_REPEATS, MEMORYLESS))
    assert never.low is not None
    assert random.high is not None
    assert never.low > random.high
    rows = comparisons("laptop", "m", [nobody(found)])
    (row,) = [one for one in rows if (one.published.of, one.published.quantity) == ("random agent", "empowerment")]
    assert row.ours == by[NEVER_REPEATS, named("empowerment", RECOVERY.kind)]
    assert "formula" not in row.how
    assert "nAGQ" not in row.how


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of logs of 30 players who play at random and stop by chance."""
    rng = np.random.default_rng(1)
    games = simulate(WORLD, RULES["brandle2023"], rng.integers(5, 60, 30), 1, never_repeats=False)
    names, choices = WORLD.table.elements, games.choices
    lines = ["player,trial,first,second"]
    for row in range(len(choices.turn)):
        first, second = names[choices.first[row]], names[choices.second[row]]
        lines.append(f"{choices.player[row]},{choices.turn[row]},{first},{second}")
    path = tmp_path_factory.mktemp("logs") / "people.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def given(log: Path) -> People:
    reading = Reading(seed=1, table="atelier", rules="brandle2023")
    return together([people_of(one, TRUE, reading, OPTIONS) for one in read_people([log], reading)])


def test_published_numbers_of_people_are_set_beside_the_logs_that_are_given(log: Path):
    people = given(log)
    rows = {
        (one.published.of, one.published.quantity): one
        for one in comparisons("laptop", "m", [nobody()], people=people)
        if one.published.of.startswith("people")
    }  # fmt: skip
    for key in (
        ("people", "uncertainty"), ("people", "empowerment"), ("people", "stopping: success"), ("people", "players"),
        ("people", "share success-new"), (RAW_LOGS, "last trial's number, from 0"), ("people", "final inventory"),
        ("people", "usage: r of usage and children"), ("people", "players with more than 10 elements"),
    ):  # fmt: skip
        row = rows[key]
        assert row.ours is not None, key
        assert row.ours.value is not None, key
        assert "another world" in row.another, key
        assert row.interval == "not comparable", key
    number = rows["people", "players"].ours
    assert number is not None
    assert number.value == 30
    lacking = rows[TRIED_ONCE, "trials in all"]
    assert lacking.ours is None  # these logs have repeated pairs
    assert "the logs that were given" in lacking.why
    without = comparisons("laptop", "m", [nobody()])
    (row,) = [one for one in without if (one.published.of, one.published.quantity) == ("people", "uncertainty")]
    assert row.ours is None
    assert "give their logs with --people" in row.why


def test_the_categories_of_people_are_all_their_turns(log: Path):
    shares = [one.value for one in given(log).estimates if one.name.startswith(("share success", "share failure"))]
    assert len(shares) == 4
    assert sum(share or 0.0 for share in shares) == pytest.approx(1)


def test_logs_of_people_that_do_not_fit_the_table_are_refused(tmp_path: Path):
    (tmp_path / "other.csv").write_text("player,trial,first,second\n0,0,nobody,nothing\n")
    with pytest.raises(DataError, match="so they were played on another table"):
        read_people([tmp_path / "other.csv"], Reading(seed=1, table="atelier", rules="brandle2023", allow=0.1))
