"""What people type, beside what is told and asked in training: questions put in its words, prompts it never has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from athanor.core.errors import UsageError
from athanor.environments.scenes.reading import read
from athanor.environments.scenes.splits import MOST_COUNTED
from athanor.environments.scenes.words import (
    COLOURS,
    NUMBERS,
    PLACES,
    RANK_WORDS,
    RELATIONS,
    SHAPES,
    SIZES,
    SUIT_WORDS,
    TEXTURES,
    plural,
)  # fmt: skip

FORMS = (
    "how many circles are there?", "what color is the circle?", "what shape is the red thing?", "where is the circle?",
    "is there a red circle?", "is the circle red?", "is the circle left of the square?",
    "what is the rank of the card?",
)  # fmt: skip
"""Some of the forms that are taught."""
DESCRIBE = "describe the picture"
"""Asks for everything that is there."""
_SAME = (
    (r"\bcolour(s?)\b", r"color\1"), (r"^(what|where) ?'s\b", r"\1 is"),
    (r"^which (color|shape|size|texture)\b", r"what \1"),
    (r"^how many ([a-z ]+?)(?: do you see| can you see| are in the (?:picture|image|photo))?$", r"how many \1"),
    (r"^(how many (?:(?! are there).)+)$", r"\1 are there"), (r"^do you see ((?:a|an|the) .+)$", r"is there \1"),
)  # fmt: skip
"""Patterns of other ways to ask, and what they become, one after the other."""

_DESCRIBE = re.compile(
    r"describe(?: (?:it|this|(?:this|the) (?:picture|image|photo|scene)))?"
    r"|what (?:do|can) you see|what is (?:there|in (?:this|the) (?:picture|image|photo))"
)


def worded(question: str) -> str | None:
    """A question as it is asked in training, capitals, marks and some other ways to ask passed over; None where
    nothing like it is.

    >>> worded("How many circles"), worded("which colour is the star?"), worded("is it art?")
    ('how many circles are there?', 'what color is the star?', None)
    """
    text = " ".join(question.lower().split()).strip(" ?.!")
    if _DESCRIBE.fullmatch(text):
        return DESCRIBE
    for pattern, become in _SAME:
        text = re.sub(pattern, become, text)
    return f"{text}?" if _taught().fullmatch(text) else None


def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(words)})"


@cache
def _taught() -> re.Pattern[str]:
    """What `questions.ask` asks, without the mark at the end."""
    shape, shapes, colour = _any(SHAPES), _any(map(plural, SHAPES)), _any(COLOURS)
    place, relation = _any(sorted(PLACES, key=len, reverse=True)), _any(RELATIONS)
    card = f"{_any(RANK_WORDS)} of {_any(SUIT_WORDS.values())}"
    thing, things = f"(?:(?:{colour} )?{shape}|{colour} thing)", f"(?:(?:{colour} )?{shapes}|{colour} things)"
    named, held = f"the (?:{shape}|thing at the {place})", f"the card(?: at the {place})?"
    value = _any([*COLOURS, *SIZES, *TEXTURES])
    return re.compile("|".join((
        f"how many (?:{things}|things|cards) are there", f"what (?:color|size|texture) is {named}",
        f"what shape is the (?:{colour} thing|thing at the {place})",
        f"where is the (?:(?:{colour} )?{shape}|card|{card})", f"is there an? (?:{thing}|card|{card})",
        f"are there (?:{things}|cards)", f"are there {_any(NUMBERS[2:])} (?:{shapes}|{colour} things|things|cards)",
        f"is the {shape} {value}|are the {shapes} {value}",
        f"is the (?:(?:{colour} )?{shape}|card|{card}) at the {place}",
        f"(?:is the {shape}|are the {shapes}) {relation} the (?:{shape}|{shapes})",
        f"what is the (?:rank|suit) of {held}", f"is {held} the {card}",
    )))  # fmt: skip


def untaught(prompt: str) -> str:
    """What in a prompt a training on aligned scenes never tells, in words; empty where it is one of its prompts.

    >>> untaught("two red circles"), untaught("a small star")
    ('', 'sizes and textures')
    """
    try:
        entries = read(prompt).include
    except UsageError:
        return "what describes no scene"
    if any(entry.size or entry.texture for entry in entries):
        return "sizes and textures"
    if any(entry.count > MOST_COUNTED for entry in entries):
        return f"more than {NUMBERS[MOST_COUNTED]} of a kind"
    if len(entries) > 2 and not all(entry.place or entry.card for entry in entries):
        return "more than two kinds of things without their places"
    return ""
