"""Drawings side by side, and what the checker says of them in words."""

from __future__ import annotations

import numpy as np
import pytest

from athanor.analysis.trials import Shown
from athanor.environments.scenes.checks import examples
from athanor.environments.scenes.drawing import draw, png
from athanor.environments.scenes.judge import Judge
from athanor.environments.scenes.prompts import prompts
from athanor.environments.scenes.scene import STYLES, Scene
from athanor.environments.scenes.seeing import see
from athanor.environments.scenes.spec import CATEGORIES
from athanor.environments.scenes.splits import split_of
from athanor.reports.gallery import gallery, in_words
from athanor.reports.page import chapter_of


def shown(category: str, prompt: str, passed: bool = False, reason: str = "present failed: a star: 0 found") -> Shown:
    return Shown(category=category, prompt=prompt, png=png(draw(Scene())), passed=passed, reason=reason)


def test_what_models_drew_of_one_prompt_stands_side_by_side():
    mine = [shown("colors", f"prompt {k}", passed=k == 1) for k in range(3)]
    drawings = {"one": [*mine, shown("counting", "four")], "other": [mine[2], mine[0]]}
    made = gallery(drawings, most=2)
    assert [title for title, _ in made.gallery] == ["counting", "colours"]
    (_, (four,)), (_, (first, second)) = made.gallery
    assert (four.title, first.title, second.title) == ("four", "prompt 0", "prompt 1")
    assert [one.title for one in first.pictures] == ["one", "other"]
    assert [one.title for one in second.pictures] == ["one"]
    assert made.note.startswith("1 of these 4 drawings are right")
    (_, ((asked, pictures), *_)) = chapter_of(made)["gallery"][1]
    assert asked == "prompt 0"
    assert [one["said"] for one in pictures] == ["wrong: no star"] * 2
    assert pictures[0]["whole"] == "present failed: a star: 0 found"  # where it is pointed at


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("present failed: a large striped orange cross at the middle: 0 found",
         "no large striped orange cross at the middle"),
        ("present failed: two purple crosses: 0 found", "no purple crosses"),
        ("present failed: the queen of clubs: 0 found", "no queen of clubs"),
        ("present failed: three crosses: 2 found", "two of three crosses"),
        ("count failed: 2 of the class cross: 3 found", "three crosses in place of two"),
        ("count failed: 2 of the class star: 12 found", "12 stars in place of two"),
        ("color failed: two red stars: red, blue found", "two red stars are red, blue"),
        ("color failed: a red star: None found", "a red star is unclear"),
        ("place failed: a star at the top: left found", "a star at the top lies at the left"),
        ("card failed: the queen of clubs: 10S found", "ten of spades for the queen of clubs"),
        ("position failed: left of: above and right of found", "above and right of, not left of"),
        ("position failed: above: no relation found", "not above"),
        ("position failed: above: what it is to be beside was not found", "what it should be above is not there"),
        ("nothing else failed: nothing else: 1 more, 2 unclear, 0.0% stray",
         "one more than asked for, two that cannot be told"),
        ("nothing else failed: nothing else: 0 more, 0 unclear, 7.3% stray",
         "7.3% of the picture is neither background nor a thing"),
        ("made up", "made up"), ("present failed: strange", "present failed: strange"),
        ("present failed: a star: few found", "present failed: a star: few found"),
    ],
)  # fmt: skip
def test_a_reason_is_told_in_words(reason: str, said: str):
    assert in_words(reason) == said


def test_every_reason_of_the_checker_has_words():
    """Of pictures held against other prompts, and of some with a patch of no thing's colour, whatever fails."""
    style, judge, rules = STYLES["textured"], Judge(), set[str]()
    for category in CATEGORIES:
        specs, pictures, _ = examples(category, style, 4, 3)
        others = prompts(category, style, split_of("all"), np.random.default_rng(1), 12)
        for pixels in map(np.asarray, pictures):
            spoilt = pixels.copy()
            spoilt[:6, :6] = (20, 170, 160)
            for sight in (see(pixels), see(spoilt)):
                for spec in (*specs, *others):
                    judged = judge.weighed(sight, spec)
                    rules |= {fact.rule for fact in judged.facts if not fact.held}
                    for fact in judged.facts:
                        reason = f"{fact.rule} failed: {fact.told}"
                        assert fact.held or "failed" not in in_words(reason), reason
    assert rules == {"present", "count", "color", "size", "texture", "place", "card", "position", "nothing else"}
