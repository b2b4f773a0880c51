"""What a model is told and shown, and how its answer is read."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from athanor.core.history import History
from athanor.core.records import Completion, Turn, Unreadable, Verdict
from athanor.environments.points import Answer, Points, rule
from athanor.environments.points.answers import read
from athanor.environments.points.cards import DECK, cards_of
from athanor.environments.points.drawing import LOOKS, Look, draw
from athanor.environments.points.judge import Exact
from athanor.environments.points.state import hand
from athanor.environments.points.text import PointsDialogue

HEARD = {
    '{"cards": ["4","3","2","K"], "number": [4,3,2,10], "formula": "4*3+2+10=24"}': "4*3+2+10=24",
    '```json\n{"cards": ["4"], "number": [4], "formula": "4*3+2+10"}\n```': "4*3+2+10",
    "{'cards': ['4'], 'number': [4], 'formula': '4*3+2+10=24',}": "4*3+2+10=24",
    'First {"formula": "1+1"} no. {"formula": "4*3+2+10"}': "4*3+2+10",
    '{"formula": "4*3+2+10"': "4*3+2+10",
    "**Formula:** `4*3 + 2 + 10 = 24`": "4*3 + 2 + 10 = 24",
    "**Formula: 4*3 + 2 + 10**": "4*3 + 2 + 10",
    "**Formula:** 4*3 + 2 + 10": "4*3 + 2 + 10",
    "Formula: **4*3 + 2 + 10**": "4*3 + 2 + 10",
    "Let me think. 4*3 = 12, and 12 + 2 + 10 = 24.\nFormula: 4*3+2+10": "4*3+2+10",
    "So (10 - 4) * (2 + 3) is 30, no.\n4 * 3 + 2 + 10 = 24": "4 * 3 + 2 + 10 = 24",
    "\\boxed{4 \\times 3 + 2 + 10}": "(4 * 3 + 2 + 10)",
    "4 × 3 + 2 + 10 = 24": "4 × 3 + 2 + 10 = 24",
    "4 x 3 + 2 + 10 = 24": "4 * 3 + 2 + 10 = 24",
    "4 * 3 + 2 + 10 = 12 + 12 = 24": "4 * 3 + 2 + 10 = 24",
    "24 = 4 * 3 + 2 + 10.": "4 * 3 + 2 + 10",
    "**4 * 3 + 2 + 10 = 24**": "4 * 3 + 2 + 10 = 24",
    "So the answer is **4 * 3 + 2 + 10**!": "4 * 3 + 2 + 10",
    "- 4 * 3 + 2 + 10": "4 * 3 + 2 + 10",
    "1) 4 * 3 + 2 + 10": "4 * 3 + 2 + 10",
    "I found it - 4 * 3 + 2 + 10, which is right": "4 * 3 + 2 + 10",
    "Formula: 4*3+2+10, since 4*3 = 12": "4*3+2+10",
}


@pytest.mark.parametrize("reply", HEARD)
def test_a_formula_is_heard_in_whatever_dress(reply):
    found = read(reply)
    assert isinstance(found, Answer)
    assert "".join(found.formula.split()) == "".join(HEARD[reply].split())
    assert found.text == reply


DAMAGED = [
    "-4*3+2+10=24", "0.4*3+2+10", "7^4*3+2+10", "1e4*3+2+10", "7%4*3+2+10", "5!4*3+2+10", "sqrt4*3+2+10", "x4*3+2+10",
    "4*3+2+10^2", "4*3+2+10.5", "4*3+2+10!", "4*3+2+10%", "4*3+2+10²", "sqrt(4)*3+2+10", "√4*3+2+10", "K*4*3+2+10",
    "K - 4*3+2+10", "4*3+2+10 mod 7", "4*3+2+10 ^ 2",
]  # fmt: skip


@pytest.mark.parametrize("formula", DAMAGED)
@pytest.mark.parametrize("reply", ["{}", "Formula: {}", '"formula": "{}",', "The answer is {}", "It is:\n{}\n"])
def test_what_belongs_to_a_formula_is_read_with_it_and_judged_as_in_json(reply, formula):
    dealt = hand(cards_of("4,3,2,K"), rule("10"), 24)
    as_json = Exact().judge(dealt, read(json.dumps({"formula": formula})))
    as_text = Exact().judge(dealt, read(reply.replace("{}", formula)))
    assert (as_text.kind, as_json.kind) == ("form", "form")


def test_a_sign_more_anywhere_in_a_right_formula_passes_in_text_only_where_it_does_in_json():
    dealt = hand(cards_of("4,3,2,K"), rule("10"), 24)
    for formula in ("4*3+2+10", "(4*3)+(10+2)", "10 + 4 * 3 + 2"):
        for at in range(len(formula) + 1):
            for sign in "-+*/^.!%,√a0()":
                changed = formula[:at] + sign + formula[at:]
                in_json = Exact().judge(dealt, read(json.dumps({"formula": changed}))).passed
                for reply in ("It is {} here", "{}", "formula: {}", "It is {}=24"):
                    passed = Exact().judge(dealt, read(reply.replace("{}", changed))).passed
                    ends = at == len(formula) and sign in ".,"  # the end of a sentence
                    assert passed <= in_json or ends, (reply, changed)


@pytest.mark.parametrize("reply", ["", "  \n", "I cannot solve this.", "{}", "[]", "null", "24", '{"formula": null}'])
def test_no_formula_is_found_where_there_is_none(reply):
    assert isinstance(read(reply), Unreadable)


def test_cards_and_numbers_are_heard():
    found = read('{"Cards": ["4", 3, "two", "King"], "numbers": ["4", 3, 2, 10], "Formula": "4*3+2+10"}')
    assert isinstance(found, Answer)
    assert (found.cards, found.numbers) == (("4", "3", "two", "K"), (4, 3, 2, 10))
    found = read("cards: [4, 3, 2, K]\nnumber: [4, 3, 2, x]\nformula: 4*3+2+10")
    assert isinstance(found, Answer)
    assert (found.cards, found.numbers) == (("4", "3", "2", "K"), None)


def test_the_prompt_tells_the_rule_the_cards_and_the_form():
    seen = Points().observe(hand(cards_of("4,3H,2,K"), rule("11-12-13"), 30))
    said = PointsDialogue().say(seen, None)
    assert "4, 3, 2, K" in said
    assert "K as 13" in said
    assert "makes 30" in said
    assert isinstance(PointsDialogue().hear(f"{PointsDialogue().rules()}\n{said}", seen), Answer | Unreadable)
    printed = PointsDialogue(printed=True).say(seen, None)
    assert "4, 3, 2, 13" in printed
    assert "K" not in printed.replace("JSON", "")
    shown = PointsDialogue(look=LOOKS["plain"]).say(seen, None)
    assert "picture" in shown
    assert "4, 3, 2, K" not in shown


@pytest.mark.parametrize(
    ("reply", "formula"),
    [
        ("So (10 - 4) * (3", ""),
        ('{"cards": ["4"], "formula": "(10-4)*3+2', ""),
        ("So 4 * 3 + 2 + 1", ""),
        ("So 4 * 3 + 2 + 10 = 24", "4 * 3 + 2 + 10 = 24"),
        ("So 4 * 3 + 2 + 10\nThis is", "4 * 3 + 2 + 10"),
        ('{"formula": "4*3+2+10=24"}', "4*3+2+10=24"),
    ],
)
def test_a_formula_that_was_cut_is_not_read_as_a_finished_one(reply, formula):
    seen = Points().observe(hand(cards_of("4,3,2,K"), rule("10"), 24))
    found = PointsDialogue().hear(reply, seen, cut=True)
    assert isinstance(found, Answer)
    assert (found.formula, found.text) == (formula, reply)


def test_a_second_turn_tells_what_was_wrong():
    seen = Points().observe(hand(cards_of("4,3,2,K"), rule("10"), 24))
    verdict = Verdict(reward=-1, passed=False, reason="the formula makes 19, not 24")
    turn = Turn(index=0, observation=seen, action=Answer(formula="4+3+2+10"), verdict=verdict,
                completion=Completion(text="4+3+2+10", model="m"))  # fmt: skip
    assert "makes 19" in PointsDialogue().say(seen, turn)
    assert PointsDialogue().echo(turn) == "4+3+2+10"
    past = History[Answer]("0")
    past.append(turn)
    assert "4+3+2+10" in PointsDialogue().recall(seen, past)
    assert PointsDialogue(look=LOOKS["plain"]).show(seen, turn) == ()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "large" else name for name in LOOKS]
)
def test_every_card_has_a_picture_of_its_own(name):
    look = LOOKS[name]
    faces = {draw((card,), look) for card in DECK}
    assert len(faces) == len(DECK)
    with Image.open(io.BytesIO(draw(("AS", "10H", "QD", "7C"), look))) as picture:
        assert picture.size == (look.size, look.size)
        assert picture.mode == "RGB"
        assert picture.getpixel((0, 0)) == look.back


def test_pictures_are_the_same_each_time_and_follow_the_order():
    cards = ("AS", "10H", "QD", "7C")
    assert draw(cards, LOOKS["scatter"]) == draw(cards, LOOKS["scatter"])
    assert draw(cards, LOOKS["plain"]) != draw(cards[::-1], LOOKS["plain"])
    for count in (1, 2, 3, 5, 6):
        for look in LOOKS.values():
            assert draw(DECK[:count], look)


def test_cards_do_not_touch():
    for look in LOOKS.values():
        plain = Look(
            **{name: getattr(look, name) for name in ("size", "filled", "layout")},
            face=(255, 255, 255),
            back=(0, 0, 255),
        )
        with Image.open(io.BytesIO(draw(("8S", "8C", "9S", "9C"), plain))) as picture:
            pixels = picture.load()
            assert pixels
            edge = [pixels[k, side] for k in range(look.size) for side in (0, look.size - 1)]
            assert set(edge) == {(0, 0, 255)}
