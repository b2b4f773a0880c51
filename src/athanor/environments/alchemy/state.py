"""What a game of alchemy is at a moment, what is seen of it, and what can be done."""

from __future__ import annotations

from typing import Any

from athanor.core.records import Record


class Pair(Record, kw_only=True):
    """Combine two elements; the order does not matter."""

    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.first} + {self.second}"


class Inventory(Record, kw_only=True):
    """The state of a game."""

    owned: tuple[str, ...]
    """In discovery order, base and final elements included."""
    known: frozenset[str]
    """The same as a set."""
    combinable: tuple[str, ...]
    """Those that the rules let a player combine, in discovery order."""
    tried: Any
    """The alphabetical pairs combined so far: the keys of an `immutables.Map`, so that adding one does not copy it."""
    gifts: tuple[str, ...] = ()
    """Elements received as gifts, in order."""
    due: tuple[str, ...] = ()
    """Gifts earned and not yet given, under rules that give them later."""
    goal: str = ""
    """The element to be made; empty in open-ended play."""


class Sight(Record, kw_only=True):
    """What a player sees."""

    owned: tuple[str, ...]
    combinable: tuple[str, ...]
    goal: str = ""
