"""Lessons are a function of seed and index, and never tell what is held out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from athanor.core.errors import UsageError
from athanor.environments.scenes.reading import read
from athanor.environments.scenes.seeing import see
from athanor.environments.scenes.splits import combinations_of, held, told_held
from athanor.training.unified.lessons import Example, Mixed
from athanor.training.unified.scenes import Scenes


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
    told = [one.prompt for one in examples if one.prompt and told_held(read(one.prompt))]
    assert not told
    counts = Counter(one.category for one in examples)
    assert {"single_object", "color_attr", "cards", "blank cards", "dense"} <= set(counts)
    held_pairs = {combination for combination in combinations_of("pair") if held("pair", *combination)}
    shown = {
        (thing.kind, thing.colour)
        for one in examples if one.category == "single_object" and one.picture is not None
        for thing in see(one.picture).found
    }  # fmt: skip
    assert shown & held_pairs


def test_no_question_and_no_text_tells_what_is_held_out() -> None:
    for use in ("understanding", "text"):
        for one in Scenes(seed=1).take(use, 0, 600):  # type: ignore[arg-type]
            assert one.questions
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
