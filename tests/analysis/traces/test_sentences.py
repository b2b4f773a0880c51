"""The splitter, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.analysis.traces import gold, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I own fire. I want steam.", ["I own fire.", "I want steam."]),
        ("so water fails. then fire?", ["so water fails.", "then fire?"]),
        ("Really?! yes! no", ["Really?!", "yes!", "no"]),
        ("It is hot, e.g. fire, i.e. not water, vs. earth.", ["It is hot, e.g. fire, i.e. not water, vs. earth."]),
        ("Things like E.g. Fire stay.", ["Things like E.g. Fire stay."]),
        ("fire, water etc. and more", ["fire, water etc. and more"]),
        ("fire, water etc. More later.", ["fire, water etc.", "More later."]),
        ("A chance of 0.5 or 1.25 is fine.", ["A chance of 0.5 or 1.25 is fine."]),
        ("I have 12. Then 13.", ["I have 12.", "Then 13."]),
        ("Options: 1. water 2. fire", ["Options: 1. water 2. fire"]),
        ("water + fire -> steam\nmud + fire -> brick", ["water + fire -> steam", "mud + fire -> brick"]),
        ("water + fire -> steam. Good.", ["water + fire -> steam.", "Good."]),
        ("Ideas:\n- a + b\n* c + d\n• sand\n1. ink\n2) pen", ["Ideas:", "a + b", "c + d", "sand", "ink", "pen"]),
        ("## Plan\n> Be bold.\n---\n```\n", ["Plan", "Be bold."]),
        ("Hmm... maybe water. Hmm... Water!", ["Hmm... maybe water.", "Hmm...", "Water!"]),
        ("Well… perhaps not.", ["Well… perhaps not."]),
        ('He said "stop." Then (it failed.) Next.', ['He said "stop."', "Then (it failed.)", "Next."]),
        ("**Fire is hot.** Water is not.", ["**Fire is hot.**", "Water is not."]),
        ("The U.S. is big. Fine.", ["The U.S. is big.", "Fine."]),
        ("I will choose water.txt or not", ["I will choose water.txt or not"]),
        ("水和火。试试！好", ["水和火。", "试试！", "好"]),
        ("  \n\t\n ... !? -- \n", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_text_is_cut_where_a_reader_would_cut_it(text: str, expected: list[str]) -> None:
    assert list(sentences(text)) == expected


def test_the_gold_passages_are_cut_into_the_sentences_they_were_written_as() -> None:
    for line in gold().values():
        assert sentences(" ".join(line.sentences)) == line.sentences


@given(st.text(alphabet=st.sampled_from("aB1 .!?…。\n\t\"')*-#+,:e.g"), max_size=200) | st.text(max_size=100))
def test_cutting_loses_no_letter_and_cutting_again_changes_nothing(text: str) -> None:
    found = sentences(text)
    letters = "".join(c for c in text if c.isalpha())
    assert "".join(c for part in found for c in part if c.isalpha()) == letters
    assert all(any(c.isalnum() for c in part) for part in found)


@pytest.mark.parametrize("unit", [".", "a. ", "- ", "1. ", "(", '."', "\n", "a.b", "…x"])
def test_a_long_hostile_text_is_cut_in_linear_time_and_loses_nothing(unit: str) -> None:
    text = unit * (100_000 // len(unit))  # quadratic cutting would take minutes
    assert sum(c.isalpha() for part in sentences(text) for c in part) == sum(map(str.isalpha, text))
