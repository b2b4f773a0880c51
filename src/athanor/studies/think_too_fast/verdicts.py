"""What is said of a claim: verdicts, what they are given on, and intervals in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from athanor.analysis.arms import Arm
from athanor.core.records import Estimate
from athanor.studies.think_too_fast.comparisons import is_model, made_an_attempt
from athanor.studies.think_too_fast.people import NOBODY, People
from athanor.studies.think_too_fast.published import REASONING

Verdict = Literal[
    "holds here", "holds for some here", "mixed here", "does not hold for some here", "does not hold here",
    "cannot tell", "not tested here",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Run:
    """What claims are tested on: one world's arms of models, and its estimates by group and name."""

    arms: tuple[Arm, ...]
    by: Mapping[tuple[str, str], Estimate]
    table: str
    turns: int = 0
    """Turns of an episode, at most."""
    people: People = NOBODY
    """Whose logs were given, of this world."""


Answer = tuple[Verdict, str, str]
"""A verdict, what tells it, and how sure it is."""


def judged(holds: bool, against: bool) -> Verdict:
    """The verdict where a claim holds, where its contrary does, and where neither can be told."""
    return "holds here" if holds else "does not hold here" if against else "cannot tell"


def over_arms(holds: int, against: int, arms: int) -> Verdict:
    """The verdict on a claim about every arm, where it surely holds for some and its contrary does for others.

    The same is asked of both sides: all arms tell it outright; some, and none to the contrary, tell it for some.

    >>> over_arms(3, 0, 3), over_arms(1, 0, 3), over_arms(1, 1, 3), over_arms(0, 0, 3)
    ('holds here', 'holds for some here', 'mixed here', 'cannot tell')
    """
    if holds and against:
        return "mixed here"
    if holds:
        return "holds here" if holds == arms else "holds for some here"
    if against:
        return "does not hold here" if against == arms else "does not hold for some here"
    return "cannot tell"


def able(run: Run) -> list[Arm]:
    """The arms of models that made a valid attempt: others say nothing about exploring."""
    return [arm for arm in run.arms if made_an_attempt(arm)]


def reasons(arm: Arm) -> bool:
    """Whether an arm thinks before it answers: it is asked to, or its model always does."""
    config = arm.run.manifest.config
    return config["condition"] == "reasoning" or any(is_model(name, config["model"]) for name in REASONING)


def arms_in_words(number: int) -> str:
    """A number of arms."""
    return "1 arm" if number == 1 else f"{number} arms"


def rest_in_words(number: int) -> str:
    """Of how many arms something cannot be told, as the end of a sentence; empty where there is none."""
    return f"; of {number} it cannot be told" if number else ""


def at_once(number: int) -> str:
    """How sure so many intervals are."""
    if number == 1:
        return "One 95% interval."
    return f"95% intervals that hold for {'both' if number == 2 else f'all {number}'} at once (Bonferroni)."


def by_sign(one: Estimate) -> Verdict:
    """Whether a difference is above zero."""
    return judged(side_of_zero(one) == 1, side_of_zero(one) == -1)


def side_of_zero(one: Estimate) -> Literal[1, -1, 0]:
    """On which side of zero an interval lies; 0 where it has zero in it or is unknown."""
    if one.low is None or one.high is None or one.low <= 0 <= one.high:
        return 0
    return 1 if one.low > 0 else -1


def lies_above(one: Estimate, other: Estimate) -> bool:
    """Whether the whole interval of one is above that of the other; not where one is unknown."""
    return one.low is not None and other.high is not None and one.low > other.high


def span_in_words(numbers: Sequence[int]) -> str:
    """The least and the greatest of rising numbers."""
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
