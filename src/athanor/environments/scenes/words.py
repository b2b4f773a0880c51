"""What scenes are made of, by name: shapes, colours, sizes, textures, places, relations, cards, and the words for them.

All text that is generated is made of `WORDS`, so that a small model can do with one token a word.
"""

from __future__ import annotations

from athanor.environments.points.cards import RANKS

SHAPES = ("circle", "square", "triangle", "cross", "ring", "star")
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (235, 20, 20),
    "orange": (255, 140, 0),
    "yellow": (255, 245, 30),
    "green": (20, 170, 40),
    "blue": (20, 40, 235),
    "purple": (190, 20, 235),
    "black": (5, 5, 5),
    "white": (252, 252, 252),
}
"""RGB. Chosen around the mid-grey background so that every mixture of a colour with it is nearest to one of the two:
a soft edge is never taken for a third colour (a test tries all mixtures)."""
COLOUR_NAMES = tuple(COLOURS)
SIZES = {"small": 4.0, "large": 6.0}
"""Radius of a thing in units of a `FINE`th of the picture's side."""
SIZE_NAMES = tuple(SIZES)
TEXTURES = ("plain", "striped", "spotted")
FINE = 48
"""Places are told in this many steps of the picture's side: one pixel of the smallest picture."""

PLACES = (
    "top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"
)  # fmt: skip
"""The nine cells of things, row by row."""
CORNERS = ("top left", "top right", "bottom left", "bottom right")
"""The four cells of cards."""
RELATIONS = ("left of", "right of", "above", "below")
CONVERSE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RANK_WORDS = ("ace", *NUMBERS[2:], "ten", "jack", "queen", "king")
SUIT_WORDS = {"S": "spades", "H": "hearts", "D": "diamonds", "C": "clubs"}
CARD = "card"
"""The class of a playing card among the classes of things."""


def plural(shape: str) -> str:
    """
    >>> plural("cross"), plural("star")
    ('crosses', 'stars')
    """
    return f"{shape}es" if shape.endswith("s") else f"{shape}s"


def article(word: str) -> str:
    """The indefinite article before a word."""
    return "an" if word[0] in "aeiou" else "a"


def card_words(card: str) -> str:
    """
    >>> card_words("QH")
    'queen of hearts'
    """
    return f"{RANK_WORDS[RANKS.index(card[:-1])]} of {SUIT_WORDS[card[-1]]}"


_OTHER = (
    "photo picture image draw show of a an the and at in on to left right above below over under top bottom middle , ? "
    ". how many what which where is are there color shape size texture rank suit card cards thing things yes no "
    "nothing describe small large plain striped spotted not"
)
WORDS = tuple(dict.fromkeys(
    (*_OTHER.split(), *SHAPES, *map(plural, SHAPES), *COLOURS, *NUMBERS, *RANK_WORDS, *SUIT_WORDS.values())
))  # fmt: skip
"""Every word and sign of prompts, captions, questions and answers, lower case."""
