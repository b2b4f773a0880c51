"""Shares that cannot be anything but 0 have no interval and say why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from athanor.agents.baselines import Random, RandomNeverRepeat
from athanor.agents.oracle import Oracle
from athanor.analysis.arms import arms_of
from athanor.analysis.construction import AGAIN, BY_CONSTRUCTION, INVALID, is_by_construction
from athanor.analysis.exploration import estimates, interval_text, table_text
from athanor.analysis.tables import read_run
from athanor.core.records import Estimate
from athanor.environments.alchemy import RULES, Alchemy
from tests.analysis.small import HAND, TABLE, pair, run, script

LEGAL = (pair("water + fire"), pair("fire + water"), pair("water + water"), pair("earth + earth"))
BOUND = {"constrained": True}


def found_in(path: Path) -> dict[str, Estimate]:
    return {e.name: e for e in estimates([read_run(path)])}


def told(found: dict[str, Estimate]) -> set[str]:
    return {name for name, one in found.items() if is_by_construction(one)}


def test_a_grammar_makes_invalid_answers_impossible_and_where_one_was_cut_it_does_not(tmp_path: Path):
    found = found_in(run(tmp_path / "a", script(LEGAL, LEGAL), episodes=2, turns=4, extra=BOUND))
    assert told(found) == set(INVALID)
    invalid = found["share invalid"]
    assert (invalid.value, invalid.low, invalid.high, invalid.level) == (0.0, None, None, None)
    assert invalid.method == f"{BY_CONSTRUCTION}: a grammar lets nothing but legal pairs be answered, and none was cut"
    assert interval_text(invalid) == "by construction"
    assert found["share success-existing"].low is not None  # a model may repeat
    text = table_text(list(found.values()))
    assert [line.split()[-5:-2] for line in text.splitlines() if line.startswith("  share invalid  ")] == [
        ["0.0%", "by", "construction"]
    ]
    cut = replace(script(LEGAL, LEGAL), cut=(2,))
    found = found_in(run(tmp_path / "b", cut, episodes=2, turns=4, extra=BOUND))
    assert not told(found)
    assert found["share invalid"].high == pytest.approx(0.842, abs=1e-3)  # as of two episodes of any kind
    free = found_in(run(tmp_path / "c", script(LEGAL, LEGAL), episodes=2, turns=4))
    assert not told(free)


def test_what_is_not_zero_keeps_its_interval_whatever_binds_the_model(tmp_path: Path):
    found = found_in(run(tmp_path / "a", script(HAND, HAND), episodes=2, extra=BOUND))
    assert found["share invalid"].low is not None
    assert found["share invalid: unreadable"].value == pytest.approx(1 / 6)
    assert "share invalid: unknown" in told(found)


def test_random_players_are_always_legal_and_one_that_never_repeats_has_no_repeats(tmp_path: Path):
    random = told(found_in(run(tmp_path / "r", Random(), episodes=3)))
    assert random == set(INVALID)
    never = told(found_in(run(tmp_path / "n", RandomNeverRepeat(), episodes=3)))
    assert never == {*INVALID, *AGAIN}


def test_an_oracle_whose_games_end_alike_is_one_game_and_its_shares_have_no_interval(tmp_path: Path):
    oracle = Oracle(environment=Alchemy(table=TABLE, rules=RULES["strict"]))
    path = run(tmp_path / "o", oracle, episodes=4, turns=3)
    (arm,) = arms_of([read_run(path)])
    assert arm.one_game
    found = found_in(path)
    share = found["share success-new"]
    assert (share.value, share.low) == (1.0, None)
    assert "one game played several times" in share.method
    assert {"share failure-new", "share failure-existing"} <= told(found)
    (random,) = arms_of([read_run(run(tmp_path / "r", Random(), episodes=4, turns=3))])
    assert not random.one_game
