"""Drawings to be looked at, category by category, with the checker's verdict under each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from athanor.analysis.trials import Shown
from athanor.environments.scenes.spec import CATEGORIES
from athanor.reports.page import Chapter, Picture

CALLED = {
    "single_object": "one thing", "two_object": "two things", "counting": "counting", "colors": "colours",
    "position": "position", "color_attr": "two colours", "cards": "cards", "mixed": "groups",
    "dense": "everything told",
}  # fmt: skip
"""Categories of prompts in words."""


def called(category: str) -> str:
    return CALLED.get(category, category)


def gallery(
    drawings: Mapping[str, Sequence[Shown]], *, name: str = "drawings", title: str = "What is drawn", note: str = "",
    most: int = 6,
) -> Chapter:  # fmt: skip
    """A chapter with the drawings of each model, by its name; of each category the first `most`, models one below the
    other. What was drawn is not chosen: it is what came first."""
    known = {one.category for those in drawings.values() for one in those}
    order = [*(category for category in CATEGORIES if category in known), *sorted(known - set(CATEGORIES))]
    rows = [
        (f"{called(category)}: {model}" if len(drawings) > 1 else called(category), tuple(map(_picture, mine)))
        for category in order for model, those in drawings.items()
        if (mine := [one for one in those if one.category == category][:most])
    ]  # fmt: skip
    verdicts = [one.good for _, row in rows for one in row]
    said = f"{sum(verdicts)} of these {len(verdicts)} drawings are right; the exact checker's verdict is under each."
    return Chapter(name=name, title=title, gallery=tuple(rows), note=f"{said} {note}".strip())


def _picture(one: Shown) -> Picture:
    return Picture(one.png, one.prompt, one.reason, one.passed)
