"""Requests and answers: good ones, ten kinds of bad ones, and any text at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.analysis.traces.asking import CONTEXT, SHOWN, blocks, grammar, objection, question, read_answer
from athanor.analysis.traces.labels import LABELS

ASKED = range(1, 4)
GOOD = {1: "state_goal", 2: "outcome_prediction", 3: "final_choice"}


@pytest.mark.parametrize(
    "text",
    [
        "1: state_goal\n2: outcome_prediction\n3: final_choice",
        "Sure!\n\n1. state_goal\n2) Outcome prediction\n**3**: `FINAL-CHOICE`\n\nDone.",
        "- Sentence 1: state_goal (the aim)\n- Sentence 2: outcome_prediction\n- [3] = final_choice.",
        '{"1": "state_goal", "2": "outcome_prediction", "3": "final_choice"}',
        '```json\n{"1": "state_goal", "2": "outcome_prediction", "3": "final_choice"}\n```',
        '[{"sentence": 1, "label": "state_goal"}, {"number": 2, "label": "outcome_prediction"}, '
        '{"sentence": 3, "label": "final_choice"}]',
        "<think>1: final_choice\nor not</think>\n3: final_choice\n2: outcome_prediction\n1: state_goal",
    ],
)
def test_an_answer_in_lines_or_json_is_read(text: str) -> None:
    reading = read_answer(text, ASKED)
    assert reading.labels == GOOD
    assert reading.wrong == ()


@pytest.mark.parametrize(
    ("text", "labels", "wrong"),
    [
        ("", {}, "no line"),
        ("I would say they are all state_goal.", {}, "no line"),
        ("state_goal\noutcome_prediction\nfinal_choice", {}, "no line"),
        ("1: state_goal\n3: final_choice", {1, 3}, "sentence 2 has no label"),
        ("1: state_goal\n1: final_choice\n2: outcome_prediction\n3: final_choice", {2, 3}, "1 is labelled 2 times"),
        ("1: state_goal\n2: planning\n3: final_choice", {1, 3}, "'planning', which is not a label"),
        ("1: state_goal or final_choice\n2: outcome_prediction\n3: final_choice", {2, 3}, "which is not a label"),
        ("1: state_goal\n2: final_choice\n3: final_choice\n4: final_choice", {}, "labels sentence 4, the last"),
        ("0: state_goal\n1: outcome_prediction\n2: final_choice", {}, "labels sentence 0"),
        ("1: state_goal\n2: outcome_pred", {1}, "'outcome_pred'"),
        ('{"1": "state_goal", "1": "final_choice", "2": 7}', {}, "1 is labelled 2 times"),
        ('{"1": "state_goal", ', {}, "no line"),
        ("[" * 10_000, {}, "no line"),
        ("1: I own fire.\n2: It may burn.\n3: I choose fire.", {}, "is not a label"),
        ("1: At turn 2: state_goal", {}, "is not a label"),
        ("3: Final choice: water + fire.", {}, "'Final choice: water + fire.', which is not a label"),
    ],
)  # fmt: skip
def test_a_bad_answer_gives_only_what_is_certain_and_says_what_is_wrong(
    text: str, labels: set[int], wrong: str
) -> None:
    reading = read_answer(text, ASKED)
    assert set(reading.labels) == set(labels)
    assert wrong in "; ".join(reading.wrong)


answers = st.lists(
    st.sampled_from(["1", "2", "3", "44", ": ", ". ", "\n", "state_goal", "final choice", "{", "}", "[", '"', ",", "x"])
).map("".join)


documents = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
).map(json.dumps)


@settings(max_examples=100, deadline=None)
@given(st.text() | answers | documents)
def test_no_answer_makes_the_reader_raise_and_a_label_is_always_one_of_seven(text: str) -> None:
    reading = read_answer(text, ASKED)
    assert set(reading.labels.values()) <= set(LABELS)
    assert set(reading.labels) <= set(ASKED)
    assert bool(reading.wrong) == (len(reading.labels) < 3)


@pytest.mark.parametrize("text", ["1" + ")" * 200_000, "1" * 200_000, " " * 200_000 + "1", "1:\n" * 60_000])
def test_a_long_hostile_answer_is_read_in_linear_time_and_gives_nothing(text: str) -> None:
    assert read_answer(text, ASKED).labels == {}  # quadratic reading would take minutes


def test_a_long_passage_is_asked_about_in_blocks_each_with_its_context() -> None:
    sentences = [f"Thought {i}." for i in range(1, 8)]
    assert [list(block) for block in blocks(sentences, 3)] == [[1, 2, 3], [4, 5, 6], [7]]
    text = question(sentences, range(7, 8))[1].text
    assert text.endswith("Label these sentences:\n[7] Thought 7.")
    assert text.count("Thought") == CONTEXT + 1
    assert "context" not in question(sentences, range(1, 4))[1].text


def test_of_an_endless_sentence_the_labeller_sees_both_ends() -> None:
    text = question(["a" * 5000 + " z"], range(1, 2))[1].text
    assert len(text) < SHOWN + 60
    assert text.endswith(" z")


def test_the_second_request_quotes_the_answer_and_names_what_was_wrong() -> None:
    reading = read_answer("1: state_goal\n2: x", ASKED)
    said, asked = objection("1: state_goal\n2: x", reading, [2, 3])
    assert said.role == "assistant"
    assert "sentence 2 is labelled 'x', which is not a label; sentence 3 has no label" in asked.text
    assert "for these sentences only: 2, 3." in asked.text


def test_the_grammar_asks_for_each_sentence_once_in_order() -> None:
    text = grammar([2, 5])
    assert text.startswith('root ::= "2: " label "\\n" "5: " label\n')
    assert all(f'"{label}"' in text for label in LABELS)
