"""Formulas are read by a compiled loop where they are short and right, and it says what the loop to read says."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.agents.points import random_formula
from athanor.core.seeds import stream
from athanor.environments.points import Answer, Exact, judge
from athanor.environments.points.cards import NAMED_VALUES, TENS
from athanor.environments.points.deal import Deal, hands
from athanor.environments.points.formula import LONGEST, MOST, Sum, plain, read, read_by_loop
from athanor.environments.points.state import hand

SIGNS = "0123456789+-*/()  \t\n=.x\x00\x1c×÷−[]{}$\\_e٣²１"
"""What hostile answers are made of: signs of formulas, blanks of several kinds, digits that are none of ours."""
NUMBERS = st.integers(0, 13) | st.integers(0, 10**12)


@st.composite
def formulas(draw: st.DrawFn) -> str:
    """Right ones, of up to eight numbers, some too large, with and without brackets."""
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=8))
    return random_formula(numbers, stream(draw(st.integers(0, 10**6)), "formula"))


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Right ones in which a few signs were left out, put in or changed."""
    signs = list(draw(formulas()))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(signs)))
        kind = draw(st.sampled_from(("in", "out", "other")))
        if kind == "in":
            signs.insert(place, draw(st.sampled_from(SIGNS)))
        elif place < len(signs):
            signs[place : place + 1] = [] if kind == "out" else [draw(st.sampled_from(SIGNS))]
    return "".join(signs)


ANSWERS = formulas() | damaged() | st.text(SIGNS, max_size=60) | st.text(max_size=40)


@settings(max_examples=250, deadline=None)
@given(ANSWERS)
def test_both_loops_say_the_same_of_every_answer(text):
    assert read(text) == read_by_loop(text)
    assert read(plain(text)) == read_by_loop(plain(text))


@settings(max_examples=200, deadline=None)
@given(formulas())
def test_the_value_is_the_one_of_exact_fractions(text):
    found = read(text)
    if not isinstance(found, Sum):
        return
    try:
        exact = eval(text.replace("/", "*Fraction(1)/"), {"Fraction": Fraction})
    except ZeroDivisionError:
        exact = None
    assert (None if found.value is None else Fraction(*found.value)) == exact


def test_verdicts_are_those_that_the_loop_to_read_gives(monkeypatch):
    rng, found = stream(1, "wrong"), []
    for rule in (TENS, NAMED_VALUES):
        for number, cards in zip(range(200), hands(Deal(), rule, 24, None, stream(1, rule.name)), strict=False):
            dealt = hand(cards, rule, 24)
            text = random_formula(dealt.values, rng)
            text = (text, f"{text})", text.replace("(", "", 1), f"{text}=24", text.replace("1", "7"))[number % 5]
            gold = Exact().gold(dealt)
            assert gold is not None
            found += [(dealt, Answer(formula=text, numbers=dealt.values)), (dealt, gold)]
    ours = [Exact(hint=True).judge(*one) for one in found]
    assert {one.kind for one in ours} == {"solved", "value", "numbers", "form"}
    monkeypatch.setattr(judge, "read", read_by_loop)
    assert [Exact(hint=True).judge(*one) for one in found] == ours


@pytest.mark.parametrize(
    "text",
    [
        "+".join(["1"] * (MOST + 1)), "(" * 60 + "1" + ")" * 60, "(" * 60 + "1", "1" * 400, "1+" * 199 + "1",
        "999999999*999999999*999999999", "1000000000+1", "0*(1/0)", "1/(2-2)", "0/5", "7", "", " ", "(", ")", "1 2",
        "1\n+2", "1+2\x00", "1+٣", "((1+2)*3", "1-(2-(3-(4-(5-6))))", "000000001+1", "0000000001+1",
        "x" * (LONGEST + 1),
    ],
)  # fmt: skip
def test_the_ends_of_what_is_compiled(text):
    assert read(text) == read_by_loop(text)
