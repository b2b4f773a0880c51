"""Playing cards, and what number each stands for under a rule."""

from __future__ import annotations

import re
from functools import lru_cache

from athanor.core.errors import UsageError
from athanor.core.records import Record

RANKS = ("A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K")
"""In order: the rank at index r stands for r + 1 where no rule says otherwise."""
FACES = ("J", "Q", "K")
SUITS = "SHDC"
"""Spades, hearts, diamonds, clubs."""
DECK = tuple(f"{rank}{suit}" for suit in SUITS for rank in RANKS)
"""The 52 cards, by suit and rank: card i has suit i // 13 and rank i % 13."""
MOST = 1_000
"""The largest value that a rule may give a card."""

_INDEX = {rank: index for index, rank in enumerate(RANKS)} | {card: i % 13 for i, card in enumerate(DECK)}
"""The rank's index of every rank and card."""
_RANK = {card: card[:-1] for card in DECK}
_SPOKEN = {"1": "A", "ACE": "A", "JACK": "J", "QUEEN": "Q", "KING": "K", "T": "10", "11": "J", "12": "Q", "13": "K"}
_RULE = re.compile(r"(\d{1,4})(?:-(\d{1,4})-(\d{1,4}))?")


class Rule(Record, kw_only=True):
    """What J, Q and K count as. An ace counts as 1 and a number card as its number under every rule."""

    jack: int
    queen: int
    king: int

    @property
    def faces(self) -> tuple[int, int, int]:
        return (self.jack, self.queen, self.king)

    @property
    def name(self) -> str:
        """`10` where the three are equal, else `11-12-13`."""
        return str(self.jack) if len(set(self.faces)) == 1 else "-".join(map(str, self.faces))

    def value(self, card: str) -> int:
        """The number that a card (or a rank) stands for."""
        return self.values[_INDEX[card]]

    @property
    def values(self) -> tuple[int, ...]:
        """By the index of the rank."""
        return (*range(1, 11), *self.faces)


def values_of(cards: tuple[str, ...], told: Rule) -> tuple[int, ...]:
    """The numbers that cards (or ranks) stand for, in their order."""
    values = told.values
    return tuple([values[_INDEX[card]] for card in cards])


TENS = Rule(jack=10, queen=10, king=10)
"""The published training rule."""
NAMED_VALUES = Rule(jack=11, queen=12, king=13)
"""The published rule of the shift."""
OTHER_VALUES = Rule(jack=7, queen=8, king=9)
"""Another mapping onto numbers that are computed with under TENS."""


@lru_cache(maxsize=1_000)
def rule(name: str) -> Rule:
    """A rule by its name. UsageError if it is none.

    >>> rule("11-12-13").king
    13
    """
    found = _RULE.fullmatch(name)
    if not found:
        raise UsageError(
            f"rule {name!r} was given, one value for all face cards such as 10, or three such as 11-12-13 for J, Q "
            "and K, was expected; pass --rule with such a name"
        )
    jack, queen, king = (int(part or found[1]) for part in found.groups())
    if not all(1 <= value <= MOST for value in (jack, queen, king)):
        raise UsageError(f"rule {name!r} has a value outside 1 to {MOST}; pass --rule with values in that range")
    return Rule(jack=jack, queen=queen, king=king)


def rank_of(card: str) -> str:
    """The rank of a card, or of a rank itself: what is left without the suit.

    >>> rank_of("10S"), rank_of("K")
    ('10', 'K')
    """
    return _RANK.get(card, card)


def ranks_of(cards: tuple[str, ...]) -> tuple[str, ...]:
    """The ranks of cards, in their order."""
    return tuple(map(_RANK.get, cards, cards))


def read_rank(name: object) -> str | None:
    """The rank that a name in an answer means (`K`, `king`, `10`, `KS`, `Ks`); None if it means none.

    >>> read_rank("queen"), read_rank("10h"), read_rank(7), read_rank("joker")
    ('Q', '10', '7', None)
    """
    if isinstance(name, bool) or not isinstance(name, str | int):
        return None
    word = str(name).strip().upper()[:40]
    word = re.split(r"\s+OF\s+|\s+", word)[0] if not word.isdigit() else word
    word = word.strip("♠♥♦♣♤♡♢♧️'\"[]() ")
    rank = rank_of(word)
    rank = rank if rank in RANKS else _SPOKEN.get(rank, rank)
    return rank if rank in RANKS else None


def cards_of(text: str) -> tuple[str, ...]:
    """Cards written with commas, each a rank (spades then) or a rank with its suit. UsageError on anything else.

    >>> cards_of("4,3H,10,K")
    ('4S', '3H', '10S', 'KS')
    """
    found = []
    for word in text.split(","):
        card = word.strip().upper()
        card = "10" + card[1:] if card[:1] == "T" else card
        card = card if card in DECK else f"{card}S"
        if card not in DECK:
            raise UsageError(
                f"{word.strip()!r} is no card; ranks {', '.join(RANKS)}, each with a suit of S, H, D, C or without, "
                "were expected, joined by commas: pass --cards such as 4,3,2,K or 4H,3S,2D,KC"
            )
        found.append(card)
    return tuple(found)
