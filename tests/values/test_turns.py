from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from athanor.core.errors import DataError, UsageError
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.table import Gift, Table
from athanor.environments.alchemy.worlds import table
from athanor.values import tables
from athanor.values.arrays import TableArrays, pair_number
from athanor.values.games import Choices, replay, simulate
from athanor.values.tables import LIVE, PairValues
from athanor.values.turns import compared_pairs, generator, matched_pairs, turn_values, uniform_pairs

# a + b makes c and gives g (three elements are enough); c + c makes d; d makes nothing more.
SMALL = TableArrays(Table(
    name="small", elements=("a", "b", "c", "d", "g"), base=("a", "b"),
    results={("a", "b"): ("c",), ("c", "c"): ("d",), ("a", "g"): ("b",)}, gifts=(Gift(element="g", size=3),),
))  # fmt: skip
A, B, C, D, G = range(5)


def game(pairs: list[tuple[int, int]], rules: str = "brandle2023"):
    first, second = np.array(pairs, dtype=np.int32).T.copy()
    return replay(SMALL, RULES[rules], Choices(np.array([0, len(pairs)]), first, second))


def test_values_of_a_short_game_are_those_computed_by_hand():
    """a+a fails; a+b makes c (and g comes); a+b again; c+c makes d; read before each turn's own update."""
    games = game([(A, A), (A, B), (B, A), (C, C)])
    assert games.gained.tolist() == [0, 2, 0, 1]
    values = turn_values(games, PairValues.true(SMALL), np.full((4, 1, 2), C, dtype=np.int32))
    l2, l3, l4 = log(2), log(3), log(4)
    assert values.chosen("uncertainty") == pytest.approx([
        0.0,  # nothing was played: all uncertainties are 0
        sqrt(l2 / 3) + sqrt(l2),  # a was used twice (a self-pair), b never
        sqrt(l3 / 2) + sqrt(l3 / 4),  # b once, a three times
        2 * sqrt(l4),  # c never, and a self-pair counts twice
    ])  # fmt: skip
    assert values.chosen("recency") == pytest.approx([
        0.0,
        0 / 2 + 1 / 2,  # a was in the last turn, b never: 1 turn of T = 2
        0.0,  # both were in the last turn
        2 * 3 / 4,  # c never: 3 turns of T = 4, twice
    ])  # fmt: skip
    # Brändle: -1 to a twice; +2 (c and the gift g) to a and b; the repeat gained nothing, -1 to both.
    assert values.chosen("value") == pytest.approx([0.0, -2 + 0, 2 + 0, 0.0])
    # Pan: -1 to a twice; +1 to a and b; the repeat changes nothing.
    assert values.chosen("value_pan2025") == pytest.approx([0.0, -2 + 0, 1 - 1, 0.0])
    assert values.chosen("tried") == pytest.approx([0, 0, 1, 0])
    assert values.chosen("true_success") == pytest.approx([0, 1, 1, 1])
    assert values.chosen("true_empowerment") == pytest.approx([0, 1, 1, 0])  # c can make d; d nothing
    assert values.compared("uncertainty")[:, 0] == pytest.approx([0, 2 * sqrt(l2), 2 * sqrt(l3), 2 * sqrt(l4)])


def test_the_value_after_a_repeat_is_one_less_under_the_rule_of_brandle_and_the_same_under_that_of_pan():
    games = game([(A, B), (A, B), (A, B)])
    values = turn_values(games, PairValues(SMALL), np.zeros((3, 0, 2), dtype=np.int32))
    assert values.chosen("value").tolist() == [0, 4, 2]
    assert values.chosen("value_pan2025").tolist() == [0, 2, 2]


def test_each_player_starts_from_nothing():
    first, second = np.array([(A, B), (A, B)] * 2, dtype=np.int32).T.copy()
    games = replay(SMALL, RULES["brandle2023"], Choices(np.array([0, 2, 4]), first, second))
    values = turn_values(games, PairValues(SMALL), np.zeros((4, 0, 2), dtype=np.int32))
    for name in ("uncertainty", "recency", "value", "value_pan2025", "tried"):
        assert values.chosen(name)[:2].tolist() == values.chosen(name)[2:].tolist()


def test_turns_that_the_rules_refused_must_be_left_out_first():
    games = game([(A, D), (A, B)])
    with pytest.raises(DataError, match="1 turns were refused"):
        turn_values(games, PairValues(SMALL), uniform_pairs(games, 0))
    kept = games.counted()
    assert turn_values(kept, PairValues(SMALL), uniform_pairs(kept, 0)).chosen("tried").tolist() == [0]


def test_uniform_comparisons_come_from_what_could_be_combined_and_self_pairs_half_as_often():
    games = game([(A, A)] * 6000)
    pairs = uniform_pairs(games, 0, 2)
    assert set(np.unique(pairs)) == {A, B}
    assert np.mean(pairs[..., 0] == pairs[..., 1]) == pytest.approx(0.5, abs=0.02)
    assert (uniform_pairs(games, 0) == uniform_pairs(games, 0)).all()
    assert (uniform_pairs(games, 0) != uniform_pairs(games, 1)).any()


def test_matched_comparisons_succeed_when_the_choice_did_and_are_uniform_over_unordered_pairs():
    world = TableArrays(table("generated:opaque:3"))
    games = simulate(world, RULES["strict"], np.full(40, 150), 0, never_repeats=True)
    pairs = matched_pairs(games, 0, 3)
    success = world.recipe[pair_number(pairs[..., 0], pairs[..., 1])] >= 0
    assert (success == games.success[:, None]).all()
    assert games.success.any()
    small = game([(A, A)] * 4000)  # failing pairs of {a, b}: aa, bb
    drawn = matched_pairs(small, 0)[:, 0]
    assert np.mean((drawn == [A, A]).all(axis=1)) == pytest.approx(0.5, abs=0.03)
    assert not ((drawn[:, 0] == A) & (drawn[:, 1] == B)).any()


def test_only_the_values_asked_for_are_computed_and_a_name_of_none_is_refused():
    games = game([(A, A), (A, B)])
    values = turn_values(games, PairValues.true(SMALL), uniform_pairs(games, 0), ["recency", "true_success"])
    assert list(values.values) == ["recency", "true_success"]
    with pytest.raises(UsageError, match="the value 'emp' is not one of uncertainty, recency"):
        turn_values(games, PairValues.true(SMALL), uniform_pairs(games, 0), ["emp"])


@pytest.mark.parametrize("kind", ["uniform", "matched"])
def test_games_by_parts_have_the_draws_and_values_of_the_whole(kind):
    world = TableArrays(table("generated:opaque:3"))
    games = simulate(world, RULES["brandle2023"], np.array([30, 1, 0, 70, 5, 40]), 0, never_repeats=False)
    draw = uniform_pairs if kind == "uniform" else matched_pairs
    fixed, names = PairValues.true(world), ["uncertainty", "value", "tried", "true_empowerment", *LIVE]
    whole = turn_values(games, fixed, draw(games, 5, 3), names)
    rng, parts = generator(kind, 5), list(games.spans(32))
    assert [len(part.pool) for part in parts] == [31, 70, 5, 40]
    made = [turn_values(part, fixed, compared_pairs(kind, part, rng, 3), names) for part in parts]
    for name in names:
        assert (np.concatenate([one.values[name] for one in made]) == whole.values[name]).all(), name


def test_live_values_of_turns_are_those_of_the_tables_of_every_moment():
    """The compiled rendering and that of `values/tables.py`, on a game with gifts and final elements."""
    world = TableArrays(table("generated:opaque:3"))
    games = simulate(world, RULES["brandle2023"], np.array([60, 60]), 3, never_repeats=True)
    pairs = uniform_pairs(games, 1, 40)
    values = turn_values(games, PairValues(world), pairs, LIVE)
    numbers = pair_number(pairs[..., 0], pairs[..., 1])
    some = 0
    for row, player in enumerate(games.choices.player.tolist()):
        owned, usable = np.zeros(world.n, dtype=bool), np.zeros(world.n, dtype=bool)
        owned[games.found[player][: games.owned[row]]] = True
        usable[games.order[player][: games.pool[row]]] = True
        expected = (
            tables.true_success_new(world, owned), tables.true_empowerment_new(world, owned),
            tables.true_empowerment_local(world, owned, usable),
        )  # fmt: skip
        for name, pair_values in zip(LIVE, expected, strict=True):
            assert (values.compared(name)[row] == pair_values[numbers[row]]).all()
            some += int((values.compared(name)[row] > 0).sum())
    assert some > 50
