"""The exact judge, the published one, and every difference between them."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from athanor.core.errors import DataError
from athanor.core.play import catch_up
from athanor.core.records import Task, Unreadable
from athanor.environments.points import REWARDS, Answer, Chu2025, Exact, Grade, Points, rule
from athanor.environments.points.cards import cards_of
from athanor.environments.points.checks import complaints
from athanor.environments.points.chu2025 import float_value, listed_solutions, written
from athanor.environments.points.state import hand
from athanor.environments.points.text import PointsDialogue


def judged(judge, cards: str, text: str, told: str = "10"):
    environment = Points(rule=rule(told), judge=judge)
    dealt = hand(cards_of(cards), environment.rule, 24)
    action = PointsDialogue().hear(text, environment.observe(dealt))
    return Grade(environment=environment).verdict(environment.step(dealt, action).state)


def said(formula: object, cards=("4", "3", "2", "K"), numbers=(4, 3, 2, 10)) -> str:
    return json.dumps({"cards": list(cards), "number": list(numbers), "formula": formula})


EXACT = [
    ("4*3+2+10=24", "solved", 5),
    ("4*3+2+10", "solved", 5),
    (" ( 4 * 3 ) + 2 + 10 ", "solved", 5),
    ("4×3+2+10 = 24", "solved", 5),
    ("4*3+2+10=25", "solved", 5),  # what is said to the right of the equals sign is not the formula
    ("4+3+2+10", "value", -1),
    ("10/(4-4)*3", "numbers", -2),
    ("4*3+2+13", "numbers", -2),
    ("4*6", "numbers", -2),
    ("4*3+2+10+0", "numbers", -2),
    ("4*3+2+K", "form", -3),
    ("-4*3+2+10", "form", -3),
    ("4**3+2-10", "form", -3),
    ("4*3+2+10)", "form", -3),
    ("(4*3+2+10", "form", -3),
    ("4*3+2+", "form", -3),
    ("4 3 2 10", "form", -3),
    ("", "form", -3),
    ("__import__('os')", "form", -3),
    ("4.0*3+2+10", "form", -3),
]


@pytest.mark.parametrize(("formula", "kind", "reward"), EXACT)
def test_the_exact_judge_gives_one_class_and_its_reward(formula, kind, reward):
    verdict = judged(Exact(), "4,3,2,K", said(formula))
    assert (verdict.parts["class"], verdict.reward, verdict.passed) == (kind, reward, kind == "solved")
    assert reward == REWARDS[kind]
    assert verdict.reason


def test_division_by_zero_makes_no_value_and_no_crash():
    verdict = judged(Exact(), "4,4,2,K", said("10/(4-4)+2"))
    assert (verdict.parts["class"], verdict.parts["value"]) == ("value", None)
    assert "divides by zero" in verdict.reason


def test_cards_count_only_where_they_are_shown_as_a_picture():
    wrong = said("4*3+2+10", cards=("4", "3", "2", "Q"))
    assert judged(Exact(), "4,3,2,K", wrong).passed
    assert judged(Exact(), "4,3,2,K", wrong).parts["cards"] is False
    seen = judged(Exact(vision=True), "4,3,2,K", wrong)
    assert (seen.parts["class"], seen.reward) == ("cards", -1.5)
    assert judged(Exact(vision=True), "4,3,2,K", said("4*3+2+10")).passed
    assert not judged(Exact(vision=True), "4,3,2,K", "4*3+2+10").passed  # nothing was told of the cards


def test_no_reason_tells_of_a_solution_unless_asked():
    plain, hinted = (judged(Exact(hint=hint), "4,3,2,K", said("10*3-4+2")) for hint in (False, True))
    assert "solution" not in plain.reason
    assert "a solution begins with 10*3-" in hinted.reason


# What differs from the published judge, one by one; the numbers are those of the specification's table of defects.
DIFFERENCES = {
    "B1 floats lose 8/(3-8/3)": ("3,3,8,8", said("8/(3-8/3)", "3388", (3, 3, 8, 8)), 5, 0, "FLOAT_MISS"),
    "B2 penalties add up": ("4,3,2,K", said("++7"), -3, -6 - 4, "SEQ_OP"),
    "B2 one foreign number costs twice": ("4,3,2,K", said("4*3+2+9"), -2, -4, "NUM_INVALID"),
    "B4 a number as the formula": ("4,3,2,K", said(24), -2, -3, "ILLEGAL_CHAR"),
    "B6 blanks": ("4,3,2,K", said("4 * 3 + 2 + 10"), 5, -3, "ILLEGAL_CHAR"),
    "an open bracket that begins a solution": ("4,3,2,K", said("(10*2+4)*(3"), -3, None, None),
    "a bare formula": ("4,3,2,K", "4*3+2+10", 5, -3, "ILLEGAL_CHAR"),
    "JSON with the cards": ("4,3,2,K", said("4*3+2+10"), 5, 5, "OK"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_where_the_judges_differ(name):
    cards, text, exact, published, kind = DIFFERENCES[name]
    assert judged(Exact(), cards, text).reward == exact
    if published is not None:
        verdict = judged(Chu2025(), cards, text)
        assert (verdict.reward, verdict.parts["class"]) == (published, kind)


def test_b3_published_vision_finds_every_card_wrong_in_json():
    assert judged(Chu2025(vision=True), "4,3,2,K", said("4*3+2+10")).parts["class"] == "VISION"
    assert judged(Exact(vision=True), "4,3,2,K", said("4*3+2+10")).passed
    dealt = hand(cards_of("4,3,2,K"), rule("10"), 24)
    assert judged(Chu2025(vision=True), "4,3,2,K", written(dealt, "4*3+2+10")).passed
    digits = '"cards": [4, 3, 2, 5], "formula": "5*4+3+2=24"'  # digits alone, unquoted
    assert judged(Chu2025(vision=True), "4,3,2,5", digits).reward == -1.5
    assert judged(Chu2025(vision=True), "4,3,2,K", digits.replace("5]", "K]")).parts["class"] != "VISION"


def test_b7_the_attempt_after_the_last_graded_one_costs_1_unread():
    environment = Points(judge=Chu2025(rounds=2))
    state = hand(cards_of("4,3,2,K"), environment.rule, 24)
    right, wrong = (Answer(formula=f, text=said(f)) for f in ("4*3+2+10", "4+3+2+10"))
    for _ in range(2):
        state = environment.step(state, wrong).state
    after = environment.step(state, right)
    verdict = Grade(environment=environment).verdict(after.state)
    assert (verdict.parts["class"], verdict.reward, after.terminated) == ("STEP_LIMIT", -1, False)
    state = hand(cards_of("4,3,2,K"), environment.rule, 24)
    for _ in range(7):
        state = Points().step(state, wrong).state
    assert Points().step(state, right).terminated


def test_published_classes_and_their_rewards():
    def of(text, cards="4,3,2,K"):
        verdict = judged(Chu2025(), cards, said(text))
        return verdict.reward, verdict.parts["classes"]

    assert of("4*3+2+10") == (5, ["OK"])
    assert of("4+3+2+10") == (-1, ["WRONG_VALUE"])
    assert of("4*3+2") == (-2, ["NUM_MISSING"])
    assert of("4*3+2+10+10") == (-2, ["NUM_OVERUSED"])
    assert of("4*3+2+11") == (-4, ["NUM_INVALID", "NUM_MISSING"])
    assert of("4*3+2*(10)") == (-1, ["WRONG_VALUE"])
    assert of("4(3)+2+10") == (-3, ["SEQ_OPEN"])
    assert of("4*3+2+10)") == (-3, ["UNMATCHED_CLOSE"])
    assert of("4*3+2+()10") == (-6, ["SEQ_CLOSE", "SEQ_NUM"])
    assert of("4*3+2+010")[1] == ["WRONG_VALUE"]  # a leading zero is no number of Python's
    assert of("2*(10-3+4)+0")[0] < 0
    begun = next(one for one in listed_solutions((4, 3, 2, 10), 24) if one.endswith(")"))
    assert of(begun[:-1]) == (1, ["PARTIAL"])


def test_the_published_list_of_solutions_has_its_known_sizes():
    known = {(1, 2, 3, 4): 314, (2, 3, 4, 10): 94, (6, 6, 6, 6): 12, (4, 5, 7, 10): 6, (1, 5, 5, 5): 2, (3, 3, 8, 8): 1}
    assert {values: len(listed_solutions(values, 24)) for values in known} == known


@pytest.mark.parametrize(("told", "strings", "wrong"), [("10", 59_940, 248), ("11-12-13", 72_287, 113)])
def test_strings_that_floats_judge_wrong(told, strings, wrong):
    from itertools import combinations_with_replacement

    from athanor.environments.points.chu2025 import _TOKEN

    values = [tuple(rule(told).values[rank] for rank in row) for row in combinations_with_replacement(range(13), 4)]
    listed = [formula for one in values for formula in listed_solutions(one, 24)]
    assert len(listed) == strings
    assert sum(float_value(_TOKEN.findall(formula)) != 24 for formula in listed) == wrong


def test_both_judges_hold_from_both_sides():
    for judge in (Exact(), Exact(vision=True), Chu2025(), Chu2025(vision=True)):
        for told in ("10", "11-12-13", "3-5-7"):
            tried, found = complaints(Points(rule=rule(told), judge=judge), seed=1)
            assert tried > 100
            assert found == ()


def test_a_hand_that_floats_lose_has_no_gold_under_the_published_judge():
    dealt = hand(cards_of("3,3,8,8"), rule("10"), 24)
    assert Chu2025().gold(dealt) is None
    assert Exact().gold(dealt)
    task = Task(
        environment="points",
        split="all",
        key="x",
        content={"cards": ["3S", "3H", "8S", "8H"], "rule": "10", "target": 24},
    )
    with pytest.raises(DataError, match="cannot be passed"):
        Grade(environment=Points(judge=Chu2025())).gold(task)


CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large)
PIECES = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["{", "}", '"formula":', "formula:", "[", "]", "+", "-", "*", "/", "(", ")", "=", "24", "10", "4",
                     "3", "2", "K", '"cards": [', "\\frac{", "\\boxed{", "```json", "\n", " ", "²", "٣", "9" * 5000,
                     "(" * 3000, "__class__", "1e9", "0x18"]),
)  # fmt: skip


def fuzzed(text: str) -> None:
    """Each of four judges: no crash, no reward above the best, passed only with the hand's numbers."""
    dealt = hand(cards_of("4,3,2,K"), rule("10"), 24)
    for judge in (Exact(), Exact(vision=True), Chu2025(), Chu2025(vision=True)):
        environment = Points(judge=judge)
        action = PointsDialogue().hear(text, environment.observe(dealt))
        after = environment.step(dealt, action)
        verdict = Grade(environment=environment).verdict(after.state)
        assert verdict.reward <= 5
        assert after.terminated == verdict.passed
        if verdict.passed and isinstance(action, Answer):
            digits = sorted("".join(c if c.isdigit() else " " for c in action.formula.split("=")[0]).split())
            assert digits == ["10", "2", "3", "4"]


@settings(max_examples=500, deadline=None, suppress_health_check=CHECKS)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_fuzzed_answers_never_crash_and_pass_only_if_right(text):
    fuzzed(text)


@pytest.mark.slow
@settings(max_examples=6_000, deadline=None, suppress_health_check=CHECKS)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_so_do_24_000_judgements_of_6_000_more(text):
    fuzzed(text)


def test_an_answer_of_two_megabytes_is_judged_in_little_time():
    from time import perf_counter

    for text in ("(" * 2_000_000, '{"formula": "' + "1+" * 1_000_000 + '"}', "{" * 1_000_000, "9" * 2_000_000,
                 '"cards": [' * 200_000, "formula: " * 250_000, "\\frac{" * 300_000, "[" * 1_000_000):  # fmt: skip
        begun = perf_counter()
        for judge in (Exact(), Chu2025(vision=True), Chu2025()):
            assert not judged(judge, "4,3,2,K", text).passed
        assert perf_counter() - begun < 5


def test_a_stored_answer_replays():
    environment = Points()
    task = next(environment.tasks("test", 3))
    gold = Grade(environment=environment).gold(task)
    state, _, over = catch_up(environment, task, "0", ())
    assert not over
    assert environment.step(state, gold).terminated
    assert not environment.step(state, Unreadable(unreadable="cut")).terminated
