"""Which hands are dealt, and to which part of the study each belongs.

Hands are parted by the multiset of their numbers alone: whatever the suits, the order, the faces that carry the
numbers or the target, a hand of the test part has numbers that no hand of another part has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import numpy as np

from athanor.core.errors import UsageError
from athanor.core.records import Record
from athanor.environments.points.cards import DECK, SUITS, Rule
from athanor.environments.points.solver import LARGEST, solvable

SHARES = {"base": 0.40, "train": 0.20, "test": 0.40}
"""Of the multisets of numbers: for the base policy, for post-training, and for testing."""
_DECK = np.array(DECK)
BLOCK = 4_096
"""Hands drawn at once."""
PATIENCE = 200
"""Blocks without a hand of the kind asked for after which there is taken to be none."""


class Deal(Record, kw_only=True):
    """How hands are dealt."""

    cards: int = 4
    faces: Literal["any", "some", "none"] = "any"
    """Whether a hand may, must or must not have a J, Q or K."""
    values: Literal["any", "small", "large"] = "any"
    """small: no number above 10; large: at least one."""
    suits: str = SUITS
    """Suits in the deck, as letters: spades, hearts, diamonds, clubs."""
    replacement: bool = False
    """Whether one card may be dealt twice, as in the published code; with faces `some` the published hands then have
    one face card and three cards of any rank."""
    unsolvable: bool = False
    """Whether hands without a solution are dealt too."""


def part_of(values: tuple[int, ...]) -> str:
    """The part of a multiset of numbers: a name of SHARES, by a hash of the numbers in order."""
    text = ",".join(map(str, sorted(values)))
    share = int.from_bytes(hashlib.sha256(f"points:{text}".encode()).digest()[:8], "big") / 2**64
    for name, width in SHARES.items():
        if share < width:
            return name
        share -= width
    return "test"


def hands(deal: Deal, rule: Rule, target: int, part: str | None, rng: np.random.Generator) -> Iterator[tuple[str, ...]]:
    """Hands without end, of one part or (None) of all. UsageError for a deal that cannot be meant or has no hand."""
    _refuse(deal)
    kept = _Kept(deal, rule, target, part)
    barren = 0
    while barren < PATIENCE:
        drawn = _drawn(deal, rng)
        wanted = drawn[kept.of(np.sort(drawn % 13, axis=1))]
        barren = 0 if len(wanted) else barren + 1
        yield from map(tuple, _DECK[wanted].tolist())
    raise UsageError(
        f"no hand of {deal.cards} cards was found in {PATIENCE * BLOCK:,} (faces {deal.faces}, values {deal.values}, "
        f"rule {rule.name}, target {target}, part {part or 'any'}); ask for another kind of hand"
    )


def _refuse(deal: Deal) -> None:
    if not 1 <= deal.cards <= LARGEST:
        raise UsageError(f"{deal.cards} cards were asked for, 1 to {LARGEST} were expected; pass --cards in that range")
    if not deal.suits or set(deal.suits) - set(SUITS) or len(set(deal.suits)) < len(deal.suits):
        raise UsageError(f"suits {deal.suits!r} were given, different letters of {SUITS} were expected; pass such ones")


def _drawn(deal: Deal, rng: np.random.Generator) -> np.ndarray:
    """Int["hands cards"]: indices into DECK."""
    suits = np.array([SUITS.index(suit) for suit in deal.suits]) * 13
    if deal.replacement:
        ranks = rng.integers(0, 13, (BLOCK, deal.cards))
        if deal.faces == "some":
            ranks[:, -1] = rng.integers(10, 13, BLOCK)
            ranks = rng.permuted(ranks, axis=1)
        return suits[rng.integers(0, len(suits), ranks.shape)] + ranks
    drawn = rng.integers(0, 13 * len(suits), (BLOCK, deal.cards))
    ordered = np.sort(drawn, axis=1)
    drawn = drawn[(ordered[:, 1:] != ordered[:, :-1]).all(axis=1)]
    return suits[drawn // 13] + drawn % 13


class _Kept:
    """Which multisets of ranks a deal keeps, found once for each."""

    def __init__(self, deal: Deal, rule: Rule, target: int, part: str | None) -> None:
        self._deal, self._rule, self._target, self._part = deal, rule, target, part
        self._known = np.full(13**deal.cards, -1, dtype=np.int8)
        self._places = 13 ** np.arange(deal.cards)

    def of(self, ranks: np.ndarray) -> np.ndarray:
        """Bool["hands"] from Int["hands cards"], the ranks of each hand in order."""
        keys = ranks @ self._places
        new, first = np.unique(keys[self._known[keys] < 0], return_index=True)
        if len(new):
            rows = ranks[self._known[keys] < 0][first]
            self._known[new] = [self._one(row) for row in rows.tolist()]
        return self._known[keys] == 1

    def _one(self, ranks: list[int]) -> bool:
        deal, values = self._deal, tuple(self._rule.values[rank] for rank in ranks)
        faces = any(rank > 9 for rank in ranks)
        if (deal.faces == "some" and not faces) or (deal.faces == "none" and faces):
            return False
        if deal.values != "any" and (max(values) > 10) != (deal.values == "large"):
            return False
        return (self._part is None or part_of(values) == self._part) and (
            deal.unsolvable or solvable(values, self._target)
        )


@lru_cache(maxsize=64)
def multisets(cards: int) -> tuple[tuple[int, ...], ...]:
    """All multisets of ranks (0 to 12) of a hand that a deck of four suits can deal, 1,820 for four cards."""
    from itertools import combinations_with_replacement

    return tuple(row for row in combinations_with_replacement(range(13), cards) if max(map(row.count, row)) <= 4)
