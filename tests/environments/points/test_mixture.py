"""What a base policy learns from: right answers to hands it may see, and nothing of how 24 is made of the others."""

from __future__ import annotations

import numpy as np
import pytest

from athanor.core.seeds import stream
from athanor.environments.points import mixture, tokens
from athanor.environments.points.deal import part_of
from athanor.environments.points.mixture import Mixture
from athanor.environments.points.steps import HIGHEST
from athanor.environments.points.tokens import Hands

ROWS = 512


def rows_of(lesson: mixture.Lesson) -> Hands:
    """The hands that a lesson of answers asks for."""
    asked = lesson.tokens[:, : tokens.PROMPT]
    return Hands(asked[:, 4:8] - tokens.RANK, asked[:, 1:4], asked[:, 8])


def test_every_answer_of_the_mixture_solves_its_hand():
    hands, answered = mixture.problems(stream(1, "m"), ROWS, Mixture())
    assert (tokens.grade(answered, hands) == 0).all()
    assert (hands.targets >= 1).all()
    assert (hands.targets <= 60).all()


@pytest.mark.parametrize("wide", [0.0, 1.0])
def test_the_share_of_24_is_as_asked_for(wide):
    hands, _ = mixture.problems(stream(2, "m"), 4 * ROWS, Mixture(wide=wide, at_24=0.3))
    assert (hands.targets == 24).mean() == pytest.approx(0.3, abs=0.04)


def test_wide_hands_have_a_number_that_no_part_has():
    hands, answered = mixture.problems(stream(3, "m"), ROWS, Mixture(wide=1.0))
    highest = hands.values.max(axis=1)
    assert (highest > HIGHEST).all()
    assert highest.max() == 30
    assert (answered[:, :4] == hands.values).all()


def test_24_is_learned_from_hands_of_the_own_part_alone():
    recipe, seen = Mixture(arithmetic=0.0), set()
    for step in range(8):
        hands = rows_of(mixture.lesson(stream(4, step), ROWS, recipe))
        for values in hands.values[hands.targets == 24]:
            if values.max() <= HIGHEST:
                seen.add(part_of(tuple(values.tolist())))
    assert seen == {"base"}


def test_other_targets_are_learned_from_hands_of_every_part():
    hands, _ = mixture.problems(stream(5, "m"), ROWS, Mixture(wide=0.0))
    others = hands.values[hands.targets != 24]
    assert {part_of(tuple(values.tolist())) for values in others} == {"base", "train", "test"}


def test_a_revision_tells_what_was_wrong_and_learns_only_what_puts_it_right():
    made = mixture.lesson(stream(6, "m"), ROWS, Mixture(arithmetic=0.0, revisions=1.0))
    hands, first, second = rows_of(made), made.tokens[:, 9:25], made.tokens[:, 26:]
    graded = tokens.grade(first, hands)
    assert (graded > 0).all()
    assert (made.tokens[:, 25] == tokens.FEEDBACK + graded).all()
    assert (tokens.grade(second, hands) == 0).all()
    assert not made.learned[:, :26].any()
    assert made.learned[:, 26:].all()


def test_wrong_answers_do_not_give_the_right_one_away_and_fail_in_every_way():
    made = mixture.lesson(stream(9, "m"), ROWS, Mixture(arithmetic=0.0, revisions=1.0, wide=0.0))
    hands, wrong, right = rows_of(made), made.tokens[:, 9:25], made.tokens[:, 26:]
    assert set(tokens.grade(wrong, hands).tolist()) == {1, 2, 3}
    steps = (wrong[:, 4:].reshape(-1, 3, 4) == right[:, 4:].reshape(-1, 3, 4)).all(axis=2)
    fresh = mixture.solutions(stream(10, "m"), hands)[:, 4:].reshape(-1, 3, 4)
    chance = (wrong[:, 4:].reshape(-1, 3, 4) == fresh).all(axis=2)
    assert steps.mean() < chance.mean() + 0.02
    assert steps.mean() < 0.1


def test_more_wrong_answers_come_more_rarely_and_cost_as_many_tokens():
    recipe = Mixture(arithmetic=0.0, revisions=1.0, attempts=9)
    lengths = [mixture.lesson(stream(11, "m", k), 32, recipe) for k in range(60)]
    many = [(one.tokens.shape[1] - 25) // 17 for one in lengths]
    assert set(many) <= set(range(1, 10))
    assert many.count(1) > many.count(2) > many.count(4)
    for one in lengths:
        assert one.tokens.size <= 32 * 42
        assert one.learned.sum(axis=1).tolist() == [16] * len(one.tokens)
        assert (tokens.grade(one.tokens[:, -16:], rows_of(one)) == 0).all()


def test_arithmetic_is_right_and_only_results_are_learned():
    made = mixture.arithmetic(stream(7, "m"), ROWS)
    facts = made.tokens.reshape(-1, 5)
    high, operator, low, result = facts[:, 1], facts[:, 2] - tokens.OPERATOR, facts[:, 3], facts[:, 4]
    right = np.select([operator == 0, operator == 1, operator == 2], [high + low, high - low, high * low], high // low)
    assert (result == right).all()
    assert (high[operator == 3] % low[operator == 3] == 0).all()
    assert (made.learned.sum(axis=1) == 5).all()
    assert made.learned.reshape(-1, 5)[:, 4].all()


@pytest.mark.parametrize(("rules", "meanings"), [("one", {10}), ("many", set(range(1, 11)))])
def test_post_training_deals_unseen_rules_only_where_asked_for_and_none_above_ten(rules, meanings):
    hands = mixture.training_hands(stream(8, "m"), ROWS, rules)
    assert set(np.unique(hands.faces).tolist()) == meanings
    assert {part_of(tuple(values.tolist())) for values in hands.values} == {"train"}
