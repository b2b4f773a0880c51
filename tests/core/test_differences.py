"""What an error says of settings that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from athanor.core.differences import refuse_differences
from athanor.core.errors import UsageError
from athanor.core.store import Manifest


def made(**config: object) -> Manifest:
    return Manifest(
        kind="test", config=config, build="1", versions={}, hashes={}, label="test", created="2026-01-01T00:00:00+00:00"
    )  # fmt: skip


def told(was: Manifest, now: Manifest) -> str:
    with pytest.raises(UsageError) as found:
        refuse_differences(Path("out"), was, now)
    return str(found.value)


def test_of_groups_and_of_lists_only_what_differs_is_told():
    stages = [{"name": "I", "steps": 3, "dose": {"ratio": [1, 0, 3]}}, {"name": "II", "steps": 9}]
    other = [{"name": "I", "steps": 3, "dose": {"ratio": [1, 2, 3]}}, {"name": "II", "steps": 8}]
    said = told(made(seed=1, recipe={"stages": stages}), made(seed=1, recipe={"stages": other}))
    assert (
        "settings: recipe.stages.1.dose.ratio.2 was 0 and is now 2; recipe.stages.2.steps was 9 and is now 8;" in said
    )
    refuse_differences(Path("out"), made(stages=stages), made(stages=stages))


def test_lists_of_other_lengths_and_long_texts_are_cut_around_the_difference():
    said = told(made(names=["a"] * 200), made(names=["a"] * 100 + ["b"]))
    assert len(said) < 500
    assert "'b'" in said
    assert "names was ['a'] and is now ['a', 'b']" in told(made(names=["a"]), made(names=["a", "b"]))
