from __future__ import annotations

import numpy as np
import pytest

from athanor.analysis.usage import finds, immediate_usage, usage_table
from athanor.core.errors import UsageError
from athanor.environments.alchemy import RULES, Table
from athanor.environments.alchemy.loaders import load
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Games, simulate
from tests.analysis.test_stopping import DOT, INK, LINE, PEN, TEXT, games
from tests.conftest import shared

LUCK = 6


def by_name(played: Games, **how):
    return {(e.name.partition(", often")[0], e.unit): e for e in immediate_usage(played, seed=0, **how)}


def test_a_find_is_used_when_the_very_next_turn_combines_it(small: Table):
    played = games(
        small,
        [(INK, PEN), (DOT, PEN), (LINE, LINE), (TEXT, INK)],
        [(INK, INK), (INK, PEN), (TEXT, PEN), (LINE, DOT)],  # text is not owned: refused, and so no turn
    )
    made = finds(played)
    assert made.player.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert made.element.tolist() == [LINE, DOT, LUCK, TEXT, LINE, DOT, LUCK]
    assert made.used.tolist() == [False, True, False, True, True, True, False]
    assert made.turn.tolist() == [0, 0, 0, 2, 1, 1, 1]
    assert made.last == 1
    rows = {row["element"]: row for row in usage_table(played).to_pylist()}
    assert list(rows) == ["line", "dot", "text", "luck"]
    assert rows["line"] == {
        "element": "line", "children": 1, "found": 2, "used": 1, "usage": 0.5, "mean_turn": 0.5, "mean_inventory": 2.0,
    }  # fmt: skip


def test_finds_before_a_turn_that_was_left_out_are_not_the_next_ones(small: Table):
    played = games(small, [(INK, PEN), (INK, PEN), (LINE, DOT)])
    assert not finds(played).used.any()
    assert finds(played.first_tries()).used.tolist() == [True, True, False]
    assert finds(played.keep(np.array([True, True, False]))).element.tolist() == [LINE, DOT, LUCK]


def test_gifts_given_unseen_are_found_in_no_turn(small: Table):
    played = games(small, [(INK, PEN), (INK, PEN), (LINE, LINE), (INK, INK), (INK, INK)], rules="pan2025")
    assert finds(played).element.tolist() == [LINE, DOT, TEXT]
    assert played.owned[-1] == 6


def test_too_few_elements_and_too_few_players_are_said(small: Table):
    with pytest.raises(UsageError, match="3 elements with children were found; at least 8"):
        immediate_usage(games(small, [(INK, PEN), (INK, INK)]), seed=0)
    world = TableArrays(table("generated:opaque:3"))
    alone = by_name(simulate(world, RULES["brandle2023"], np.array([400]), 0, never_repeats=True), enough=1)
    r = alone["r of usage and children", "players"]
    assert (r.low, r.level, r.n) == (None, None, 1)
    assert "no interval, there are no resamples of players" in r.method
    rare = by_name(simulate(world, RULES["brandle2023"], np.full(3, 400), 0, never_repeats=True))
    assert rare["usage % by children", "players"].value is None
    assert "elements were found often; at least 8" in rare["usage % by children", "players"].method


def test_players_drawn_to_children_show_it_and_the_two_kinds_of_interval_name_themselves():
    world = TableArrays(table("generated:opaque:3"))
    played = simulate(world, RULES["brandle2023"], np.full(60, 120), 0, never_repeats=True)
    rows, found = played.joined()
    drawn = rows[(world.children.lengths[found] > np.median(world.children.lengths[found])) & (rows % 120 < 119)]
    last = dict(zip(rows.tolist(), found.tolist(), strict=True))
    for row in drawn.tolist():
        played.choices.first[row + 1] = last[row]
    numbers = by_name(played, resamples=50)
    slope, honest = (numbers["usage % by ln(1 + children)", unit] for unit in ("elements", "players"))
    assert 0 < slope.low < slope.value
    assert 0 < honest.low < honest.value < honest.high
    assert "published" in slope.method
    assert "50 resamples of players" in honest.method
    r = numbers["r of usage and children", "elements"]
    assert r.low < r.value < r.high
    assert by_name(played, resamples=50) == numbers
    assert len({one.name for one in numbers.values()}) == len(numbers)


def test_random_players_give_the_numbers_of_the_published_random_agent():
    """1000 never-repeating players of 1000 turns, 5 seeds: r 0.042, 6.33 + 0.70 ln(1 + children) over 334 elements.

    Over 20 seeds the deviations are 0.045, 1.16, 0.58 and 4.8; the published agent lies within one of each mean.
    Source: Brändle et al. 2023, ImmediateUsage figure.
    """
    world = TableArrays(load(shared("little-alchemy-2-official.json")))
    names = ("r of usage and children", "usage % at ln(1 + children) = 0", "usage % by ln(1 + children)")
    found = []
    for seed in range(5):
        numbers = by_name(
            simulate(world, RULES["brandle2023"], np.full(1000, 1000), seed, never_repeats=True), resamples=2
        )
        found.append([*(numbers[name, "elements"].value for name in names), numbers[names[0], "elements"].n])
    distance = np.abs(np.mean(found, axis=0) - [0.0418, 6.33, 0.70, 334])
    assert (distance < 2.5 * np.array([0.045, 1.16, 0.58, 4.8])).all()
