"""Questions that people type."""

from __future__ import annotations

import pytest

from athanor.environments.scenes.asking import DESCRIBE, FORMS, untaught, worded
from athanor.environments.scenes.batches import Source, batch
from athanor.environments.scenes.scene import STYLES
from athanor.environments.scenes.spec import CATEGORIES


@pytest.mark.parametrize("style", ["aligned", "textured"])
def test_every_question_of_training_is_as_training_asks(style: str):
    asked = {one.text for i in range(4) for one in batch(Source(style=STYLES[style]), 3, i, 2_000).questions}
    assert len(asked) > 700
    assert [text for text in asked if worded(text) != text] == []


@pytest.mark.parametrize(("typed", "asked"), [
    ("how many circles?", "how many circles are there?"), ("How many red things", "how many red things are there?"),
    ("how many stars do you see?", "how many stars are there?"),
    ("how many cards are in the picture?", "how many cards are there?"),
    ("Which colour is the ring?", "what color is the ring?"),
    ("what's the suit of the card", "what is the suit of the card?"),
    ("where's the star ?", "where is the star?"), ("do you see a red star?", "is there a red star?"),
    ("Describe the picture.", DESCRIBE), ("what do you see?", DESCRIBE), ("what is in the image?", DESCRIBE),
])  # fmt: skip
def test_other_ways_to_ask_become_those_of_training(typed: str, asked: str):
    assert worded(typed) == asked


@pytest.mark.parametrize("typed", [
    "", "?", "is it art?", "how many", "what color is the picture?", "how many dogs are there?", "where is it?",
    "is the red left of the blue?", "how many circles are there? how many squares are there?", "is there a thing?",
])  # fmt: skip
def test_what_is_nothing_like_them_is_not_changed(typed: str):
    assert worded(typed) is None


def test_the_forms_that_are_told_are_taught():
    assert [worded(form) for form in FORMS] == list(FORMS)


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_prompt_of_training_is_called_untaught(category: str):
    source = Source(weights=((category, 1.0),))
    told = {prompt for i in range(2) for prompt in batch(source, 5, i, 500).captions}
    assert [prompt for prompt in told if untaught(prompt)] == []


@pytest.mark.parametrize(("prompt", "why"), [
    ("a striped red circle", "textures"), ("five red circles", "more than four"), ("three hearts", "no scene"),
    ("", "no scene"),
    ("a red circle and a blue square and a green star", "places"), ("the the ? zero", "no scene"),
])  # fmt: skip
def test_what_a_prompt_asks_that_training_never_tells(prompt: str, why: str):
    assert why in untaught(prompt)
