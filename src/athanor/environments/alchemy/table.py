"""The table of a world: which elements there are and what each pair of them makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

from athanor.core.errors import DataError
from athanor.core.records import Record

Names = tuple[str, str]

EDGES = " \t\r\n\"'`*_.,:;!?()[]{}<>#$\\~“”‘’«»-–—|•"
"""Characters that do not count at either end of a name: models decorate their answers with them."""


def spelling(name: str) -> str:
    """How a name is recognised in an answer: without case, and without what decorates its ends."""
    return name.casefold().strip(EDGES)


def ordered(first: str, second: str) -> Names:
    """An unordered pair in its one spelling: alphabetical."""
    return (first, second) if first <= second else (second, first)


class Gift(Record, kw_only=True):
    """An element that is given, not made: at an inventory size, or on owning enough of a set."""

    element: str
    size: int = 0
    """Total inventory (base and final elements included) from which it is given; 0 for gifts by set."""
    count: int = 0
    of: tuple[str, ...] = ()
    """Given on owning at least `count` of these."""

    def earned(self, owned: Set[str], *, sets: bool) -> bool:
        """Whether an inventory that lacks the element has earned it; gifts by set only where `sets` says so."""
        if self.element in owned:
            return False
        by_set = sets and self.count and sum(map(owned.__contains__, self.of)) >= self.count
        return bool((self.size and len(owned) >= self.size) or by_set)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A world of elements.

    `results` maps an alphabetical pair to its results, in ascending element index. A table is checked when it
    is made: DataError names the first thing that does not fit.
    """

    name: str
    elements: tuple[str, ...]
    """Every element once; the position is the element's index."""
    base: tuple[str, ...]
    results: dict[Names, tuple[str, ...]]
    gifts: tuple[Gift, ...] = ()
    notes: tuple[str, ...] = ()
    """What the loader left out or merged, in words."""

    def __post_init__(self) -> None:
        known = set(self.elements)
        for what, names in (("element", self.elements), ("base element", self.base)):
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise DataError(f"table {self.name} lists the {what} {twice!r} twice; name every {what} once")
        self._check_names()
        if not self.base:
            raise DataError(f"table {self.name} has no base elements; name at least one to start from")
        if not any(self.results.values()):
            raise DataError(f"table {self.name} has no recipes; say of at least one pair what it makes")
        used = [("base", e) for e in self.base]
        used += [(f"the recipe {a} + {b}", e) for (a, b), made in self.results.items() for e in (a, b, *made)]
        used += [(f"the gift {gift.element}", e) for gift in self.gifts for e in (gift.element, *gift.of)]
        for where, element in used:
            if element not in known:
                raise DataError(
                    f"table {self.name}: {where} names the unknown element {element!r}; add it to the elements"
                )

    def _check_names(self) -> None:
        """DataError on a name that no answer can give: answers are lines of two names joined by a plus sign."""
        spelt: dict[str, str] = {}
        for name in self.elements:
            if name != " ".join(name.split()) or not name.isprintable() or "+" in name or not spelling(name):
                raise DataError(
                    f"table {self.name} has the element {name!r}, a name that an answer can give was expected (letters "
                    "or digits, no plus sign, no line break, no blank at its ends or two in a row); rename it"
                )
            other = spelt.setdefault(spelling(name), name)
            if other != name:
                raise DataError(
                    f"table {self.name} has the elements {other!r} and {name!r}, which an answer cannot tell apart "
                    "(case and signs at the ends do not count); rename one of them"
                )

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of every element."""
        return {element: position for position, element in enumerate(self.elements)}

    @cached_property
    def children(self) -> dict[str, frozenset[str]]:
        """For each element, the distinct results of all pairs it is in."""
        found: dict[str, set[str]] = {element: set() for element in self.elements}
        for pair, made in self.results.items():
            for element in pair:
                found[element].update(made)
        return {element: frozenset(made) for element, made in found.items()}

    @cached_property
    def finals(self) -> frozenset[str]:
        """Elements in no recipe as an ingredient."""
        return frozenset(element for element, made in self.children.items() if not made)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the table says, whatever file or format it came from."""
        content = {
            "elements": self.elements,
            "base": self.base,
            "recipes": sorted([a, b, *made] for (a, b), made in self.results.items()),
            "gifts": [[g.element, g.size, g.count, sorted(g.of)] for g in self.gifts],
        }
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def collect(
    elements: tuple[str, ...], rows: list[tuple[str, str, str]]
) -> tuple[dict[Names, tuple[str, ...]], list[str]]:
    """Rows (ingredient, ingredient, result) as `Table.results`, and the rows that came twice, as text.

    Names that are not elements are kept, for `Table` to complain about.
    """
    index = {element: position for position, element in enumerate(elements)}
    found: dict[Names, set[str]] = {}
    twice: list[str] = []
    for first, second, result in rows:
        made = found.setdefault(ordered(first, second), set())
        if result in made:
            twice.append(f"{first} + {second} -> {result}")
        made.add(result)
    position = {pair: tuple(sorted(made, key=lambda e: index.get(e, -1))) for pair, made in sorted(found.items())}
    return position, twice
