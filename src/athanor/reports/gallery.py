"""Drawings to be looked at, category by category, with the checker's verdict under each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from athanor.analysis.trials import Shown
from athanor.environments.scenes.spec import CATEGORIES
from athanor.environments.scenes.words import NUMBERS, card_words, plural
from athanor.reports.page import Chapter, Compared, Picture

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
    """A chapter with the drawings of each model, by its name: of each category the first `most` prompts, what models
    drew of a prompt side by side. What was drawn is not chosen: it is what came first."""
    every = [one for those in drawings.values() for one in those]
    known = {one.category for one in every}
    shown, verdicts = list[tuple[str, tuple[Compared, ...]]](), list[bool]()
    for category in (*(one for one in CATEGORIES if one in known), *sorted(known - set(CATEGORIES))):
        asked = list(dict.fromkeys(one.prompt for one in every if one.category == category))[:most]
        mine = {
            prompt: [(model, one) for model, those in drawings.items() for one in those
                     if (one.category, one.prompt) == (category, prompt)]
            for prompt in asked
        }  # fmt: skip
        verdicts += [one.passed for those in mine.values() for _, one in those]
        compared = (Compared(prompt, tuple(_picture(*one) for one in those)) for prompt, those in mine.items())
        shown.append((called(category), tuple(compared)))
    said = f"{sum(verdicts)} of these {len(verdicts)} drawings are right; the exact checker's verdict is under each."
    return Chapter(name=name, title=title, gallery=tuple(shown), note=f"{said} {note}".strip())


def _picture(model: str, one: Shown) -> Picture:
    said = "right" if one.passed else f"wrong: {in_words(one.reason)}"
    return Picture(one.png, model, said, one.passed, one.reason)


_REASON = re.compile(r"(?P<rule>[a-z ]+) failed: (?P<asked>.*): (?P<found>.*)")


def in_words(reason: str) -> str:
    """A reason of the checker as one says it; as it is where it is none of the strict rules'.

    >>> in_words("present failed: a yellow cross: 0 found"), in_words("color failed: a red star: blue found")
    ('no yellow cross', 'a red star is blue')
    """
    parts = _REASON.fullmatch(reason)
    if parts is None:
        return reason
    rule, asked, found = parts["rule"], parts["asked"], parts["found"].removesuffix(" found")
    rule, found = ("present", "0") if found == "nothing" else (rule, found)
    try:
        return _SAID[rule](asked, found)
    except (KeyError, ValueError):  # of other rules, or of another version
        return reason


def _number(many: int) -> str:
    return NUMBERS[many] if many < len(NUMBERS) else str(many)


def _clear(found: str) -> str:
    return found.replace("None", "unclear")


def _attribute(asked: str, found: str) -> str:
    return f"{asked} {'are' if asked.split()[0] in NUMBERS else 'is'} {_clear(found)}"


def _present(asked: str, found: str) -> str:
    """`found`: how many there are."""
    first, _, rest = asked.partition(" ")
    many = int(found)
    return f"{_number(many)} of {asked}" if many else f"no {rest if first in (*ARTICLES, *NUMBERS) else asked}"


def _count(asked: str, found: str) -> str:
    wanted, _, kind = asked.partition(" of the class ")
    there = int(found)
    return f"{_number(there)} {kind if there == 1 else plural(kind)} in place of {_number(int(wanted))}"


def _place(asked: str, found: str) -> str:
    return f"{asked} {'lie' if asked.split()[0] in NUMBERS else 'lies'} at the {_clear(found)}"


def _card(asked: str, found: str) -> str:
    return f"{' and '.join(card_words(one) if one != 'None' else 'a card' for one in found.split(', '))} for {asked}"


def _position(asked: str, found: str) -> str:
    if found.startswith("what it is to be beside"):
        return f"what it should be {asked} is not there"
    return f"not {asked}" if found == "no relation" else f"{found}, not {asked}"


def _nothing_else(asked: str, found: str) -> str:
    """`found`: how many things more, how many unclear ones, and how much is neither background nor a thing."""
    more, unclear, stray = (part.split(" ")[0] for part in found.split(", "))
    told = [
        f"{_number(int(n))} {said}"
        for n, said in ((more, "more than asked for"), (unclear, "that cannot be told"))
        if int(n)
    ]
    return ", ".join(told) or f"{stray} of the picture is neither background nor a thing"


ARTICLES = ("a", "an", "the")
_SAID: dict[str, Callable[[str, str], str]] = {
    "present": _present, "count": _count, "color": _attribute, "size": _attribute, "texture": _attribute,
    "place": _place, "card": _card, "position": _position, "nothing else": _nothing_else,
}  # fmt: skip
"""By rule; given what was asked for and what was found."""
