from __future__ import annotations

import math

import numpy as np
import pytest

from athanor.analysis.survival import Careers, carried_curve, estimates, playing_curve, staying_curve
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.table import Table
from athanor.values.arrays import TableArrays
from athanor.values.games import Choices, replay


def careers(*players: tuple[int, ...], stopped: tuple[bool, ...] | None = None) -> Careers:
    """Players who start with 4 elements and own so many after each turn."""
    return Careers(
        starts=np.concatenate([[0], np.cumsum([len(one) for one in players])]),
        start=np.full(len(players), 4, np.int32),
        turn=np.array([turn for one in players for turn in range(len(one))], np.int32),
        owned=np.array([count for one in players for count in one], np.int32),
        lengths=np.array([len(one) for one in players]),
        stopped=np.array(stopped or [True] * len(players)),
    )


FOUR = careers((5,), (5, 6), (4, 4, 9), (6, 8, 10))


def test_the_mean_of_those_still_playing_counts_nobody_who_stopped():
    curve = playing_curve(FOUR, range(5))
    assert [(p.at, p.value, p.n) for p in curve] == [(0, 4, 4), (1, 5, 4), (2, 6, 3), (3, 9.5, 2)]
    half = 12.706204736 * 0.5  # t with 1 degree of freedom; the standard error of 9 and 10 is 1/2
    assert (curve[3].low, curve[3].high) == pytest.approx((9.5 - half, 9.5 + half))


def test_the_last_inventory_is_carried_forward_for_those_who_stopped():
    curve = carried_curve(FOUR, range(5))
    assert [(p.value, p.n) for p in curve] == [(4, 4), (5, 4), (5.75, 4), (7.5, 4), (7.5, 4)]


def test_without_censoring_the_share_that_goes_on_is_the_plain_share():
    assert [(p.at, p.value, p.n) for p in staying_curve(FOUR)] == [(1, 0.75, 4), (2, 0.5, 3), (3, 0, 2)]


def test_players_who_were_stopped_are_at_risk_until_then_and_no_longer():
    """By hand: of 5, 1 stops after turn 1 (4/5), 1 is stopped after 2, of the 3 left 1 stops after 3 (4/5 * 2/3)."""
    five = careers(*[(4,) * n for n in (1, 2, 3, 4, 4)], stopped=(True, False, True, False, False))
    first, second = staying_curve(five)
    assert (first.value, second.value) == pytest.approx((0.8, 0.8 * 2 / 3))
    assert (second.at, second.n) == (3, 3)
    greenwood = math.sqrt(1 / (5 * 4) + 1 / (3 * 2))
    bound = 1.959963985 * greenwood / abs(math.log(second.value))
    expected = second.value ** math.exp(bound), second.value ** math.exp(-bound)
    assert (second.low, second.high) == pytest.approx(expected)
    assert second.low is not None
    assert second.low < second.value


def test_a_share_of_nobody_has_no_interval():
    last = staying_curve(FOUR)[-1]
    assert (last.value, last.low, last.high) == (0, None, None)


def test_estimates_say_how_many_had_stopped():
    found = {one.name: one for one in estimates(FOUR, [2, 9], "human")}
    playing = found["inventory after 2 turns, still playing"]
    assert (playing.value, playing.n, playing.excluded, playing.group) == (6, 3, 1, "human")
    nobody = found["inventory after 9 turns, still playing"]
    assert (nobody.value, nobody.level, nobody.n, nobody.excluded) == (None, None, 0, 4)
    assert found["share going on after 2 turns"].value == 0.5
    assert found["inventory after 9 turns, last carried forward"].value == 7.5


WORLD = TableArrays(Table(name="w", elements=("a", "b", "c"), base=("a", "b"), results={("a", "b"): ("c",)}))


def test_careers_come_from_replayed_games_and_who_was_cut_off_did_not_stop():
    choices = Choices(
        np.array([0, 0, 2, 3]), np.array([0, 0, 1], np.int32), np.array([0, 1, 2], np.int32),
        cut_off=np.array([False, True, False]),
    )  # fmt: skip
    found = Careers.of(replay(WORLD, RULES["strict"], choices))
    assert found.lengths.tolist() == [2, 1]
    assert found.stopped.tolist() == [False, True]
    assert found.inventory([0, 1, 2]).tolist() == [[2, 2, 3], [2, 2, 2]]


def test_turns_that_count_as_no_attempt_were_played_all_the_same():
    """Of four turns each: the first player's 2nd is refused and 3rd not there, the second's all are unreadable."""
    choices = Choices(
        np.array([0, 3, 3]), np.array([0, 2, 0], np.int32), np.array([0, 2, 1], np.int32),
        np.array([0, 1, 3], np.int32), np.array([4, 4]), np.array([True, True]),
    )  # fmt: skip
    games = replay(WORLD, RULES["strict"], choices)
    for played in (games, games.counted()):
        found = Careers.of(played)
        assert found.lengths.tolist() == [4, 4]
        assert not found.stopped.any()
        assert found.inventory([1, 2, 3, 4, 9]).tolist() == [[2, 2, 2, 3, 3], [2, 2, 2, 2, 2]]
    assert [(p.at, p.n) for p in playing_curve(found, [4])] == [(4, 2)]
    assert not Careers.of(games.of(np.array([False, True]))).owned.size
    assert Careers.of(games.of(np.array([False, True]))).inventory([0, 4]).tolist() == [[2, 2]]
