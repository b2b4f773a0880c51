"""What a hand of points is at a moment, what is seen of it, and what an answer says."""

from __future__ import annotations

from typing import Any

from athanor.core.records import Record
from athanor.environments.points.cards import Rule, values_of


class Answer(Record, kw_only=True):
    """A formula for a hand, with what else was said of it."""

    formula: str
    """As it was written; what follows an equals sign included."""
    cards: tuple[str, ...] | None = None
    """Ranks, as they were recognised; None if they were not said."""
    numbers: tuple[int, ...] | None = None
    """Values, as they were recognised; None if they were not said."""
    text: str = ""
    """The whole answer: the published verifier reads it in its own way. Empty where no text was written."""


class Judgement(Record, kw_only=True):
    """What an answer to a hand is."""

    kind: str
    """A class of the judge."""
    reward: float
    passed: bool
    reason: str
    parts: dict[str, Any] = {}
    """More of it, as JSON values."""


class Hand(Record, kw_only=True):
    """The state of a hand."""

    cards: tuple[str, ...]
    """With suits, as dealt."""
    values: tuple[int, ...]
    """The numbers to be combined, in the order of the cards."""
    rule: Rule
    target: int
    attempts: int = 0
    """Answers given so far."""
    judged: Judgement | None = None
    """What the last answer was."""


def hand(cards: tuple[str, ...], rule: Rule, target: int) -> Hand:
    """A hand as it is dealt."""
    return Hand(cards=cards, values=values_of(cards, rule), rule=rule, target=target)


class Seen(Record, kw_only=True):
    """What a player sees."""

    cards: tuple[str, ...]
    rule: Rule
    target: int
