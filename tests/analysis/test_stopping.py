from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest

from athanor.analysis.stopping import (
    MODELS,
    children_joined,
    coefficient,
    rolling_mean,
    stopping,
    stopping_columns,
    stopping_nulls,
)
from athanor.core.errors import DataError, UsageError
from athanor.environments.alchemy import RULES, Table
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Choices, Games, replay, simulate

INK, PEN, LINE, DOT, TEXT = range(5)


def games(small: Table, *players: list[tuple[int, int]], rules: str = "strict") -> Games:
    starts = np.cumsum([0, *map(len, players)]).astype(np.int64)
    first, second = np.array([pair for one in players for pair in one], dtype=np.int32).reshape(-1, 2).T.copy()
    return replay(TableArrays(small), RULES[rules], Choices(starts, first, second))


def ended(played: Games, cut_off: np.ndarray) -> Games:
    """The same games with another word on who was cut off."""
    return replace(played, choices=replace(played.choices, cut_off=cut_off))


def test_a_turn_is_worth_the_children_of_all_that_joined_gifts_included(small: Table):
    # line, dot (one child each), then as gifts fame (final) for both and luck (one child) for five; text has one.
    played = games(small, [(INK, PEN), (LINE, LINE), (LINE, LINE), (TEXT, TEXT)], [(INK, INK)])
    assert children_joined(played).tolist() == [3, 1, 0, 0, 0]
    columns, excluded = stopping_columns(played)
    raw = np.log1p([3, 1, 0, 0, 0])
    assert columns["empowerment"] == pytest.approx((raw - raw.mean()) / raw.std(ddof=1))
    assert columns["going_on"].tolist() == [1, 1, 1, 0, 0]
    assert columns["player"].tolist() == [0, 0, 0, 0, 1]
    assert excluded == 0
    assert columns["trial"] == pytest.approx((np.array([0, 1, 2, 3, 0]) - 1.2) / np.std([0, 1, 2, 3, 0], ddof=1))


def test_a_window_of_two_turns_leaves_out_the_first_of_every_player(small: Table):
    assert rolling_mean(np.array([1.0, 0, 1, 1]), np.array([0, 1, 2, 0]), 2).tolist()[1:3] == [0.5, 0.5]
    columns, excluded = stopping_columns(games(small, [(INK, PEN), (INK, INK), (PEN, PEN)], [(INK, INK)]), window=2)
    assert columns["going_on"].tolist() == [1, 0]
    assert columns["success"] == pytest.approx([0.5 / np.sqrt(0.125) / 2, -0.5 / np.sqrt(0.125) / 2])
    assert excluded == 2
    with pytest.raises(UsageError, match="at least 1"):
        stopping_columns(games(small, [(INK, INK)]), window=0)


def test_a_player_cut_off_stopped_as_published_and_is_censored_when_exact(small: Table):
    played = games(small, [(INK, PEN), (INK, INK)], [(INK, PEN), (PEN, PEN)])
    cut_off = np.array([True, False])
    published, none = stopping_columns(ended(played, cut_off), variant="published")
    exact, one = stopping_columns(ended(played, cut_off), variant="exact")
    assert (published["going_on"].tolist(), none) == ([1, 0, 1, 0], 0)
    assert (exact["going_on"].tolist(), one) == ([1, 1, 0], 1)
    with pytest.raises(DataError, match="2 players and 4 turns have .* 1 ends"):
        ended(played, cut_off[:1])


def test_turns_the_rules_refused_are_no_turns(small: Table):
    columns, excluded = stopping_columns(games(small, [(INK, PEN), (TEXT, TEXT), (INK, INK), (-1, 0)]))
    assert columns["going_on"].tolist() == [1, 0]
    assert excluded == 2


@pytest.fixture(scope="module")
def quitters() -> tuple[Games, np.ndarray]:
    """Players who stop after any turn with probability 1/20, and a limit of 25 turns."""
    lengths = np.random.default_rng(0).geometric(1 / 20, size=800)
    world = TableArrays(table("generated:opaque:3"))
    played = simulate(world, RULES["brandle2023"], np.minimum(lengths, 25), 1, never_repeats=True, cut_off=lengths > 25)
    return played, lengths > 25


def test_the_exact_variant_finds_the_chance_of_going_on_that_the_published_one_understates(
    quitters: tuple[Games, np.ndarray],
):
    played, cut_off = quitters
    truth = log(19)
    found = {
        variant: stopping(played, variant=variant, models=["success"], name="quitters", level=0.999, threads=1)
        for variant in ("published", "exact")
    }
    intercept, success = found["exact"].estimates
    assert (intercept.name, success.name, success.group) == (
        coefficient("success", "Intercept"),
        coefficient("success", "success"),
        "quitters",
    )
    assert intercept.low < truth < intercept.high
    assert success.low < 0 < success.high
    assert "left out" in success.method
    assert "window of 1 turn;" in success.method
    assert success.excluded == cut_off.sum()
    assert found["published"].estimates[0].high < truth
    assert "counts as a stop" in found["published"].estimates[0].method


def test_models_are_ranked_by_aic_and_one_that_cannot_be_fitted_says_why(quitters: tuple[Games, np.ndarray]):
    played, cut_off = quitters
    models = ("empowerment", "success + trial", "success")
    ranked = stopping(played, models=models, nagq=0, threads=1).models.to_pylist()
    aic = [row["aic"] for row in ranked]
    assert aic == sorted(aic)
    assert [row["worse_by"] for row in ranked] == [value - aic[0] for value in aic]
    assert {row["stops"] for row in ranked} == {int((~cut_off).sum())}
    assert all(row["aic"] == pytest.approx(row["deviance"] + 2 * row["parameters"]) for row in ranked)
    doubled = "success + empowerment + success:empowerment"  # here every success is worth the same
    (row,) = stopping(played, models=[doubled], threads=1).models.to_pylist()
    assert row["aic"] is None
    assert "not fitted" in row["notes"]


def test_the_published_models_are_three_by_four():
    assert len(set(MODELS)) == 12
    assert MODELS[2] == "empowerment + success"


def test_players_who_never_stop_are_no_answer(small: Table):
    with pytest.raises(UsageError, match="none of 1 players stopped"):
        stopping(ended(games(small, [(INK, PEN), (INK, INK)]), np.array([True])))


@pytest.mark.slow
def test_stops_dealt_out_at_random_are_the_null_of_stops_that_follow_from_what_happened(
    quitters: tuple[Games, np.ndarray],
):
    """Who stops whatever happened lies within the null; who stops after a failure does not."""
    played, cut_off = quitters
    how = {"model": "success", "threads": 1, "nagq": 0}
    null, p = (e for e in stopping_nulls(played, 40, 0, **how) if "by success" in e.name)
    assert null.low < null.value < null.high
    assert (null.n, null.unit) == (40, "draws")
    assert p.value > 0.02
    rng, lengths = np.random.default_rng(1), []
    for player in range(300):
        success = played.success[played.choices.starts[player] : played.choices.starts[player + 1]]
        stops = (rng.random(len(success)) < 0.2) & ~success
        lengths.append(int(np.argmax(stops)) + 1 if stops.any() else len(success))
    kept = (played.choices.player < 300) & (
        played.choices.turn < np.append(lengths, np.zeros(500))[played.choices.player]
    )
    sulking = played.of(np.arange(800) < 300).keep(kept[played.choices.player < 300])
    sulking = ended(sulking, np.zeros(300, dtype=bool))
    null, p = (e for e in stopping_nulls(sulking, 40, 0, **how) if "by success" in e.name)
    assert abs(null.value) < 0.3
    assert p.value == 1 / 41
    assert "as far from their mean as the observed" in p.method


def test_a_fit_that_runs_away_is_unknown_with_its_reason(quitters: tuple[Games, np.ndarray]):
    """Nobody stops after a success: no finite coefficient is best."""
    played, _ = quitters
    kept = played.of(np.arange(800) < 60)
    last = np.zeros(len(kept.pool), dtype=bool)
    last[kept.choices.starts[1:] - 1] = True
    stubborn = kept.keep(~(last & kept.success))
    stubborn = ended(stubborn, ~np.isin(np.arange(60), kept.choices.player[last & ~kept.success]))
    _, success = stopping(stubborn, models=["success"], threads=1).estimates
    assert (success.value, success.low, success.high, success.level) == (None, None, None, None)
    assert "says nothing: the few players leave it open, or tell the responses apart" in success.method


def test_turns_that_count_as_no_attempt_neither_shorten_a_game_nor_end_it(small: Table):
    """Both were cut off after three turns, of which the second player's last could not be read."""
    choices = Choices(
        np.array([0, 3, 5]), np.array([INK, INK, PEN, INK, PEN]), np.array([PEN, INK, PEN, PEN, PEN]),
        np.array([0, 1, 2, 0, 1]), np.array([3, 3]), np.array([True, True]),
    )  # fmt: skip
    played = replay(TableArrays(small), RULES["strict"], choices)
    columns, _ = stopping_columns(played)
    assert columns["going_on"].tolist() == [1, 1, 1]
    later = replace(played, choices=replace(choices, turn=np.array([0, 1, 2, 0, 2])))
    trial = stopping_columns(later, variant="published")[0]["trial"]
    assert trial == pytest.approx((np.array([0, 1, 2, 0, 2]) - 1) / 1)
