"""Twins differ in one word, show it, and tell nothing that is held out."""

from __future__ import annotations

import numpy as np

from athanor.core.errors import UsageError
from athanor.environments.scenes.reading import read
from athanor.environments.scenes.splits import told_held
from athanor.training.unified.scenes import Scenes

EXAMPLES = Scenes(seed=1).take("captions", 0, 400)


def test_twins_are_other_pictures_under_other_words() -> None:
    pairs = list(zip(EXAMPLES[::2], EXAMPLES[1::2], strict=True))
    assert sum(one.prompt != other.prompt for one, other in pairs) > 0.97 * len(pairs)
    for one, other in pairs:
        assert one.picture is not None
        assert other.picture is not None
        assert (one.prompt == other.prompt) == bool(np.array_equal(one.picture, other.picture))
    whole = [(a.prompt or "", b.prompt or "") for a, b in pairs if "thing" not in f"{a.prompt} {b.prompt}"]
    differing = [
        sum(x != y for x, y in zip(a.split(), b.split(), strict=True))
        for a, b in whole
        if len(a.split()) == len(b.split())
    ]
    assert np.mean([n == 1 for n in differing if n]) > 0.8  # an article may change with its word


def test_descriptions_tell_nothing_that_is_held_out() -> None:
    whole = [one.prompt for one in EXAMPLES if one.prompt and "thing" not in one.prompt and "card" not in one.prompt]
    read_back = 0
    for text in whole:
        try:
            spec = read(text)
        except UsageError:  # a rank alone is no prompt
            continue
        read_back += 1
        assert not told_held(spec), text
    assert read_back > 100


def test_the_same_index_gives_the_same_twins() -> None:
    again = Scenes(seed=1).take("captions", 0, 400)
    assert [one.prompt for one in again] == [one.prompt for one in EXAMPLES]
    assert len(Scenes(seed=1).take("captions", 1, 5)) == 5
