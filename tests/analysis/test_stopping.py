from __future__ import annotations

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
    published, none = stopping_columns(played, cut_off=cut_off, variant="published")
    exact, one = stopping_columns(played, cut_off=cut_off, variant="exact")
    assert (published["going_on"].tolist(), none) == ([1, 0, 1, 0], 0)
    assert (exact["going_on"].tolist(), one) == ([1, 1, 0], 1)
    with pytest.raises(UsageError, match="1 entries, there are 2 players"):
        stopping_columns(played, cut_off=cut_off[:1])


def test_turns_the_rules_refused_are_no_turns(small: Table):
    columns, excluded = stopping_columns(games(small, [(INK, PEN), (TEXT, TEXT), (INK, INK), (-1, 0)]))
    assert columns["going_on"].tolist() == [1, 0]
    assert excluded == 2


@pytest.fixture(scope="module")
def quitters() -> tuple[Games, np.ndarray]:
    """Players who stop after any turn with probability 1/20, and a limit of 25 turns."""
    lengths = np.random.default_rng(0).geometric(1 / 20, size=800)
    world = TableArrays(table("generated:opaque:3"))
    played = simulate(world, RULES["brandle2023"], np.minimum(lengths, 25), 1, never_repeats=True)
    return played, lengths > 25


def test_the_exact_variant_finds_the_chance_of_going_on_that_the_published_one_understates(
    quitters: tuple[Games, np.ndarray],
):
    played, cut_off = quitters
    truth = log(19)
    found = {
        variant: stopping(
            played, cut_off=cut_off, variant=variant, models=["success"], name="quitters", level=0.999, threads=1
        )
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
    assert success.excluded == cut_off.sum()
    assert found["published"].estimates[0].high < truth
    assert "counts as a stop" in found["published"].estimates[0].method


def test_models_are_ranked_by_aic_and_one_that_cannot_be_fitted_says_why(quitters: tuple[Games, np.ndarray]):
    played, cut_off = quitters
    models = ("empowerment", "success + trial", "success")
    ranked = stopping(played, cut_off=cut_off, models=models, nagq=0, threads=1).models.to_pylist()
    aic = [row["aic"] for row in ranked]
    assert aic == sorted(aic)
    assert [row["worse_by"] for row in ranked] == [value - aic[0] for value in aic]
    assert {row["stops"] for row in ranked} == {int((~cut_off).sum())}
    assert all(row["aic"] == pytest.approx(row["deviance"] + 2 * row["parameters"]) for row in ranked)
    doubled = "success + empowerment + success:empowerment"  # here every success is worth the same
    (row,) = stopping(played, cut_off=cut_off, models=[doubled], threads=1).models.to_pylist()
    assert row["aic"] is None
    assert "not fitted" in row["notes"]


def test_the_published_models_are_three_by_four():
    assert len(set(MODELS)) == 12
    assert MODELS[2] == "empowerment + success"


def test_players_who_never_stop_are_no_answer(small: Table):
    with pytest.raises(DataError, match="none of 1 players stopped"):
        stopping(games(small, [(INK, PEN), (INK, INK)]), cut_off=np.array([True]))


def test_stops_dealt_out_at_random_are_the_null_of_stops_that_follow_from_what_happened(
    quitters: tuple[Games, np.ndarray],
):
    """Who stops whatever happened lies within the null; who stops after a failure does not."""
    played, cut_off = quitters
    how = {"model": "success", "threads": 1, "nagq": 0}
    null, p = (e for e in stopping_nulls(played, 40, 0, cut_off=cut_off, **how) if "by success" in e.name)
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
    null, p = (e for e in stopping_nulls(sulking, 40, 0, cut_off=np.zeros(300, bool), **how) if "by success" in e.name)
    assert abs(null.value) < 0.3
    assert p.value == 1 / 41
    assert "as far from their mean as the observed" in p.method
