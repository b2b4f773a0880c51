"""Which of several pairs an answer chooses, where it is easily misread; and what is left of an answer that was cut."""

from __future__ import annotations

import pytest

from athanor.core.records import Unreadable
from athanor.environments.alchemy import RULES, Alchemy, Pair, Table
from athanor.environments.alchemy.text import AlchemyDialogue

BASE = (
    *("water", "fire", "earth", "air", "mud", "sun", "life", "sea", "sky", "stone", "lava", "plant", "tube"),
    *("sea lion", "house", "kart"),
)
WORLD = Table(name="w", elements=(*BASE, "steam", "planet"), base=BASE, results={("fire", "water"): ("steam",)})
GAME = Alchemy(table=WORLD, rules=RULES["pan2025"])
SIGHT = GAME.observe(GAME.start(next(GAME.tasks("open", 0))))


def heard(reply: str, condition="base", answer="name", cut=False) -> Pair | Unreadable:
    return AlchemyDialogue(environment=GAME, condition=condition, answer=answer).hear(reply, SIGHT, cut)


def pair(reply: str, *options) -> str | None:
    found = heard(reply, *options)
    return str(found) if isinstance(found, Pair) else None


CHOSEN = [
    ("Recall: water + fire = steam. Proposed: mud + fire", "mud + fire"),
    ("water + fire gives steam. mud + fire", "mud + fire"),
    ("water + fire works. mud + fire", "mud + fire"),
    ("water + fire makes steam. I think mud + sun would be good.", "mud + sun"),
    ("Since earth + water = mud, and mud + fire = brick, I'll attempt mud + sun.", "mud + sun"),
    ("Attempt mud + sun", "mud + sun"),
    ("Looking at what worked (water + fire) and what failed (air + air): water + stone", "water + stone"),
    ("Life + Fire? No: life + earth.", "life + earth"),
    ("Life + Fire? No, life + earth.", "life + earth"),
    ("I'll do sea + sky now. Next turn I will try fire + water.", "sea + sky"),
    ("So the pair: sea + sky. If that fails, I will try fire + water next.", "sea + sky"),
    ("I choose sea + sky; if it doesn't work, I'll try fire + water.", "sea + sky"),
    ("For my next turn, I will combine sea + sky", "sea + sky"),
    ("Next turn I will try fire + water.", "fire + water"),
    ("[INST] water + fire [/INST]", "water + fire"),
    ("lava + water # new", "lava + water"),
    ("lava + water // not tried", "lava + water"),
    ("Sky + Sea -- this should produce a horizon", "sky + sea"),
    ("Answer: (stone) + (fire)", "stone + fire"),
    ("mud combined with fire", "mud + fire"),
    ("I'll combine water with itself", "water + water"),
    ("No repeats: sea + sky", "sea + sky"),
    ("earth + fire works", "earth + fire"),
    ("earth + fire works well.", "earth + fire"),
    ("water + fire = steam", "water + fire"),
    ("mud + sun = brick\nReason: water + fire makes steam, as heat dries.", "mud + sun"),
    ("sea + sky = horizon? Yes.", "sea + sky"),
]


@pytest.mark.parametrize("condition", ["base", "reasoning"])
@pytest.mark.parametrize(("reply", "expected"), CHOSEN)
def test_a_pair_told_with_its_result_or_kept_for_later_goes_behind_the_choice(reply, expected, condition):
    assert pair(reply, condition) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("test tube + fire", "test tube + fire"),
        ("I try test tube + fire", "test tube + fire"),
        ("go kart + fire", "go kart + fire"),
        ("I test tube + fire", "tube + fire"),
        ("Let's go kart + fire", "kart + fire"),
    ],
)
def test_a_word_of_choosing_that_begins_a_name_cuts_no_name(reply, expected):
    assert pair(reply) == expected


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("sea + sky or fire + water", "several pairs and no choice among them"),
        ("What about sea + sky or fire + water?", "several pairs and no choice among them"),
        ("I like the sea.", "no two elements joined by + were found"),
        ("Avoid repeats: sea + sky", "none is chosen"),
    ],
)
def test_the_reason_is_true_to_what_was_found(reply, reason):
    found = heard(reply)
    assert isinstance(found, Unreadable)
    assert reason in found.unreadable


CUT = [
    ("base", "water + fire", "water + fire"),
    ("base", "I combine the water + the plant", "water + plant"),
    ("base", "water and plant", "water + plant"),
    ("base", "water + fire, because it mak", "water + fire"),
    ("base", "water + sea.", "water + sea"),
    ("base", "water + sea\n", "water + sea"),
    ("base", "**water + sea**", "water + sea"),
    ("base", "water + sea", None),
    ("base", "water + plan", None),
    ("base", "water and pla", None),
    ("base", "water\npla", None),
    ("base", "Element 1: water\nElement 2: pla", None),
    ("base", "plant + hous", None),
    ("base", "plant + a-", None),
    ("base", f"plant + {'la' * 500}", None),
    ("base", "water +", None),
    ("base", "Answer: water + fire +", None),
    ("base", "water + fire = ste", "water + fire"),
    ("base", '{"first": "water", "second": "pla', None),
    ("reasoning", "I could consider earth + air, which might produce dust; but also mud + fire, which", None),
    ("reasoning", "Maybe earth + air. I will combine mud + fire. But then", None),
    ("reasoning", "Options:\n- earth + air\n- mud + fire\n- wat", None),
    ("reasoning", "So the answer might be mud + fire, or", None),
    ("reasoning", "water + pla", None),
    ("reasoning", "plant + hous", None),
    ("reasoning", "Answer: sea + sky\nWait, no.\nAnswer: mud + su", None),
    ("reasoning", "Earlier water + fire worked, and", None),
    ("reasoning", "I think so.\nAnswer: mud + fire", "mud + fire"),
    ("reasoning", "I think so.\nAnswer: mud + sea", None),
    ("reasoning", "I think so.\n**Answer:** mud + sea\n\nThis is bec", "mud + sea"),
    ("reasoning", "I think so.\nAnswer:\nmud + sea\n\nThis is bec", "mud + sea"),
    ("reasoning", "<answer>mud + sea</answer> as it", "mud + sea"),
    ("reasoning", "\\boxed{mud + sea} as it", "mud + sea"),
    ("reasoning", "I think so.\n\nmud + fire\n\nThis is bec", "mud + fire"),
    ("reasoning", "I think so.\n\nNext: **mud + fire**\n\nThis is bec", "mud + fire"),
]


@pytest.mark.parametrize(("condition", "reply", "expected"), CUT)
def test_of_an_answer_that_was_cut_only_a_finished_pair_counts(condition, reply, expected):
    assert pair(reply, condition, "name", True) == expected


@pytest.mark.parametrize("reply", ["water + pla", "I could consider earth + air, which", "water + sea"])
def test_the_reason_says_that_the_answer_was_cut(reply):
    found = heard(reply, "reasoning", cut=True)
    assert isinstance(found, Unreadable)
    assert "was cut" in found.unreadable


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("2 + 1", None), ("2 + 1\n", "fire + water"), ("1 + 2", "water + fire"), ("1 + 12", "water + plant")],
)
def test_a_number_at_the_cut_counts_if_no_longer_one_begins_with_it(reply, expected):
    assert pair(reply, "base", "number", True) == expected
