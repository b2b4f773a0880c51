"""Lessons are a function of seed and index, and never tell what is held out."""

from __future__ import annotations

import re

import numpy as np
import pytest

from athanor.core.errors import UsageError
from athanor.environments.scenes.asking import DESCRIBE
from athanor.environments.scenes.judge import Judge
from athanor.environments.scenes.questions import tells_held
from athanor.environments.scenes.reading import read
from athanor.environments.scenes.scene import Scene
from athanor.environments.scenes.seeing import see
from athanor.environments.scenes.spec import key
from athanor.environments.scenes.splits import Kind, combinations_of, held, told_held
from athanor.environments.scenes.words import NUMBERS, RANK_WORDS, card_words, plural
from athanor.training.unified.lessons import Example, Mixed
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.twins import exchanged


def test_the_same_index_gives_the_same_examples_and_another_gives_others() -> None:
    for use in ("drawing", "understanding", "text", "pictures"):
        one, again, other = (
            Scenes(seed=seed).take(use, index, 6)  # type: ignore[arg-type]
            for seed, index in ((1, 4), (1, 4), (1, 5))
        )
        assert [(a.prompt, a.text, a.questions) for a in one] == [(a.prompt, a.text, a.questions) for a in again]
        for a, b in zip(one, again, strict=True):
            assert (a.picture is None) == (use == "text")
            assert np.array_equal(a.picture, b.picture) if a.picture is not None else b.picture is None
        assert any(
            (a.prompt, a.text) != (b.prompt, b.text) or not np.array_equal(a.picture, b.picture)  # type: ignore[arg-type]
            for a, b in zip(one, other, strict=True)
        )


def test_no_prompt_tells_what_is_held_out_but_pictures_show_it() -> None:
    examples = Scenes(seed=1).take("drawing", 0, 1_500)
    prompts = [one.prompt or "" for one in examples]
    whole = [prompt for prompt in prompts if not PARTIAL.search(prompt)]
    assert not [prompt for prompt in whole if told_held(read(prompt))]
    assert not [prompt for prompt in prompts if TELLING.search(prompt)]
    assert 0 < len(whole) < len(prompts)
    assert {"single_object", "color_attr", "cards", "veiled", "dense"} <= {one.category for one in examples}
    seen = [see(one.picture).found for one in examples if one.category == "veiled" and one.picture is not None]
    pairs = {(thing.kind, thing.colour) for found in seen for thing in found}
    cards = {(thing.card,) for found in seen for thing in found}
    assert {one for one in combinations_of("pair") if held("pair", *one)} <= pairs
    assert {one for one in combinations_of("card") if held("card", *one)} & cards


def _told(kind: Kind) -> str:
    """The held-out combinations of a kind as words, one of them or another."""
    words = {
        "pair": lambda shape, colour: f"{colour} (?:{shape}|{plural(shape)})",
        "count": lambda shape, many: f"{NUMBERS[many]} {plural(shape)}",
        "card": lambda card: f"the {card_words(card)}",
    }[kind]
    return "|".join(words(*one) for one in combinations_of(kind) if held(kind, *one))


TELLING = re.compile("|".join(rf"\b(?:{_told(kind)})\b" for kind in ("pair", "count", "card")))
"""Words that tell a held-out combination of one entry."""
PARTIAL = re.compile(rf"\bthings?\b|\ban? (?:card|{'|'.join(RANK_WORDS)})\b")
"""Words that tell a part of what there is."""


@pytest.mark.parametrize(("category", "least"), [("color_attr", 0.2), ("cards", 0.1)])
def test_prompts_come_beside_those_that_exchanging_their_words_gives(category: str, least: float) -> None:
    def share(paired: bool) -> float:
        """Of prompts, those whose twin is in the same batch."""
        of = Scenes(seed=2, weights=((category, 1.0),), veiled=0.0, dense=0.0, paired=paired)
        examples = [one for one in of.take("drawing", 0, 240) if one.category == category]
        there = {key(read(one.prompt or "")) for one in examples}
        assert not [one.prompt for one in examples if told_held(read(one.prompt or ""))]
        twins = [exchanged(read(one.prompt or ""), Scene()) for one in examples]
        for one in examples:
            assert one.picture is not None
            assert Judge().judged(one.picture, read(one.prompt or "")).passed
        return float(np.mean([twin is not None and key(twin[0]) in there for twin in twins]))

    assert share(True) > share(False) + least


def test_no_question_and_no_text_tells_what_is_held_out() -> None:
    for use in ("understanding", "text"):
        for one in Scenes(seed=1, unnamed=0.3).take(use, 0, 600):  # type: ignore[arg-type]
            assert one.questions
            assert not any(tells_held(*asked) for asked in one.questions if asked.question != DESCRIBE)
            if one.text:
                assert not told_held(read(one.text))


def test_sources_are_mixed_at_their_ratio() -> None:
    class Own:
        name = "own"

        def take(self, use: str, index: int, size: int) -> list[Example]:
            return [Example(prompt=f"mine {index} {k}") for k in range(size)]

    mixed = Mixed(sources=((Scenes(seed=1), 3.0), (Own(), 1.0)), seed=1)
    found = mixed.take("drawing", 0, 400)
    mine = sum((one.prompt or "").startswith("mine") for one in found)
    assert len(found) == 400
    assert 65 <= mine <= 135  # binomial, 400 at 1/4, to 4 standard deviations
    assert [one.prompt for one in mixed.take("drawing", 0, 400)] == [one.prompt for one in found]
    for wrong in ((), ((Own(), -1.0),), ((Own(), 0.0),)):
        with pytest.raises(UsageError, match="weights"):
            Mixed(sources=wrong, seed=1)
