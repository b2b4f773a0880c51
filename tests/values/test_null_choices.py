from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from athanor.environments.alchemy import RULES
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.full_choice import arguments
from athanor.values.games import Choices, Games, replay, simulate
from athanor.values.null_choices import scores
from athanor.values.tables import PairValues
from athanor.values.turns import MARKS, turn_values

WORLD = TableArrays(table("generated:opaque:3"))
TRUE = PairValues.true(WORLD)
TERMS = ("true_empowerment", "true_success_new", "uncertainty")


@dataclass(frozen=True)
class Scored:
    turns: int
    observed: Any
    drawn: Any
    information: Any


def scored(games: Games, beta: Sequence[float], draws: int = 0, used: Any = None) -> Scored:
    k = len(beta)
    out = np.zeros(k), np.zeros((draws, k)), np.zeros((k, k))
    every = np.ones(len(games.pool), dtype=np.bool_) if used is None else used
    data, order, found, codes, stacked, lists = arguments(games, TRUE, [*TERMS[-k:], *MARKS])
    turns = scores(
        data, order, found, codes, stacked, lists, not games.repeated.any(), every, np.array(beta),
        np.random.default_rng(0), out,
    )  # fmt: skip
    return Scored(turns, *out)


def plainly(games: Games, beta: Sequence[float]) -> tuple[Any, Any]:
    """The score and the information, turn by turn, pair by pair."""
    terms, never = TERMS[-len(beta) :], not games.repeated.any()
    score, information = np.zeros(len(beta)), np.zeros((len(beta), len(beta)))
    for t, pool in enumerate(games.pool):
        player = games.choices.player[t]
        mine = games.order.items[games.order.starts[player] :][:pool]
        pairs = np.array([(mine[i], mine[j]) for j in range(pool) for i in range(j + 1)], dtype=np.int32)
        values = turn_values(games, TRUE, np.broadcast_to(pairs, (len(games.pool), *pairs.shape)), [*terms, *MARKS])
        tried = values.compared("tried")[t]
        open_ = tried == 0 if never else np.ones(len(pairs), dtype=np.bool_)
        z = np.stack([values.compared(term)[t][open_] for term in terms], axis=1)
        deviation = z.std(axis=0)
        centre, scale = z.mean(axis=0), np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0)
        z = (z - centre) * scale
        chosen = (np.array([values.chosen(term)[t] for term in terms]) - centre) * scale
        alike = np.ones(open_.sum(), dtype=np.bool_)
        for mark in MARKS:
            alike &= values.compared(mark)[t][open_] == values.chosen(mark)[t]
        share = np.exp(z[alike] @ beta)
        share /= share.sum()
        mean = share @ z[alike]
        score += chosen - mean
        information += (share[:, None] * (z[alike] - mean)).T @ (z[alike] - mean)
    return score, information


@pytest.mark.parametrize("never_repeats", [True, False])
@pytest.mark.parametrize("beta", [(0.7, -0.4, 0.0), (0.0,)])
def test_the_score_of_the_choices_and_the_information_are_those_of_the_plain_sums(never_repeats, beta):
    games = simulate(WORLD, RULES["strict"], np.full(3, 14), 1, never_repeats=never_repeats)
    assert never_repeats or games.repeated.any()
    found, (score, information) = scored(games, beta), plainly(games, beta)
    assert found.turns == 42
    assert found.observed == pytest.approx(score)
    assert found.information == pytest.approx(information)


@pytest.mark.parametrize("beta", [(0.9, 0.3, 0.0), (0.0, 0.0, 0.0)])
def test_scores_of_draws_have_mean_zero_and_the_information_as_their_variance(beta):
    games = simulate(WORLD, RULES["strict"], np.full(6, 20), 2, never_repeats=False)
    found = scored(games, beta, draws=6000)
    spread = np.sqrt(np.diag(found.information))
    assert found.drawn.mean(axis=0) / spread == pytest.approx(0, abs=4 / np.sqrt(6000))
    assert np.cov(found.drawn.T) / np.outer(spread, spread) == pytest.approx(
        found.information / np.outer(spread, spread), abs=0.08
    )


def test_what_was_no_candidate_and_what_was_not_asked_does_not_count():
    games = simulate(WORLD, RULES["pan2025"], np.full(4, 15), 0, never_repeats=True)
    first = games.choices.first.copy()
    first[games.choices.starts[1:] - 1] = WORLD.n - 1
    ahead = replay(WORLD, RULES["pan2025"], Choices(games.choices.starts, first, games.choices.second))
    assert scored(ahead, (0.0,)).turns == 56
    used = np.arange(60) % 2 == 0
    assert scored(ahead, (0.0,), used=used).turns == 28  # the last turns of two of four players are asked


def test_one_pair_taken_for_ever_leaves_nothing_to_be_drawn():
    same = replay(WORLD, RULES["strict"], Choices(np.array([0, 30]), np.zeros(30, np.int32), np.ones(30, np.int32)))
    found = scored(same, (0.0,), draws=50)
    assert (found.turns, found.information.tolist()) == (30, [[0.0]])
    assert not found.drawn.any()
