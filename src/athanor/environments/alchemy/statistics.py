"""What a table is like, in numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np

from athanor.core.records import Record
from athanor.environments.alchemy.table import Table


class Statistics(Record, omit_defaults=False, kw_only=True):
    """Counts of a table. A pair is unordered and may be of one element with itself (a self-pair)."""

    elements: int
    possible_pairs: int
    pairs: int
    """Distinct pairs that make something."""
    success_share: float
    """Of all possible pairs."""
    rows: int
    """Distinct (pair, result) rows."""
    pairs_by_results: dict[str, int]
    self_pairs: int
    finals: int
    """Elements in no recipe as an ingredient."""
    unmakeable: int
    """Elements that no recipe makes."""
    returning_rows: int
    """Rows whose result is one of the ingredients."""
    uses_gini: float
    """Gini coefficient of the number of successful pairs per combinable element: 0 equal, towards 1 skewed."""
    most_children: tuple[tuple[str, int], ...]
    """The ten elements with most distinct results."""
    closures: dict[str, tuple[int, ...]]
    """Cumulative sizes by generation from the base elements, with no gifts, those by size, and all."""
    generations: dict[str, int]
    """Generations until nothing new can be made."""
    unreachable: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]
    digest: str


GIFTS = ("none", "by size", "all")


def statistics(table: Table) -> Statistics:
    """All counts of a table."""
    n = len(table.elements)
    reached = {gifts: closure(table, gifts) for gifts in GIFTS}
    sizes = Counter(len(made) for made in table.results.values())
    makeable = {element for made in table.results.values() for element in made}
    children = sorted(((len(made), e) for e, made in table.children.items()), key=lambda pair: (-pair[0], pair[1]))
    return Statistics(
        elements=n,
        possible_pairs=n * (n + 1) // 2,
        pairs=len(table.results),
        success_share=len(table.results) / (n * (n + 1) // 2),
        rows=sum(len(made) for made in table.results.values()),
        pairs_by_results={str(size): sizes[size] for size in sorted(sizes)},
        self_pairs=sum(first == second for first, second in table.results),
        finals=len(table.finals),
        unmakeable=n - len(makeable),
        returning_rows=sum(element in pair for pair, made in table.results.items() for element in made),
        uses_gini=round(gini(list(uses(table).values())), 4),
        most_children=tuple((element, count) for count, element in children[:10]),
        closures={gifts: tuple(sizes_of(generations)) for gifts, generations in reached.items()},
        generations={gifts: len(generations) - 1 for gifts, generations in reached.items()},
        unreachable={gifts: _left(table, generations) for gifts, generations in reached.items()},
        notes=table.notes,
        digest=table.digest,
    )


def closure(table: Table, gifts: str) -> list[tuple[str, ...]]:
    """Generations of elements: the base, then all that the elements so far make, with the gifts they earn."""
    known = set(table.base)
    generations = [table.base]
    while True:
        new = {e for (a, b), made in table.results.items() if a in known and b in known for e in made} - known
        while earned := _earned(table, known | new, gifts):
            new |= earned
        if not new:
            return generations
        known |= new
        generations.append(tuple(sorted(new, key=table.index.__getitem__)))


def _earned(table: Table, known: set[str], gifts: str) -> set[str]:
    if gifts == "none":
        return set()
    return {gift.element for gift in table.gifts if gift.earned(known, sets=gifts == "all")}


def sizes_of(generations: list[tuple[str, ...]]) -> list[int]:
    """Cumulative numbers of elements."""
    return np.cumsum([len(generation) for generation in generations]).tolist()


def uses(table: Table) -> dict[str, int]:
    """Successful pairs per element, for those that are in any."""
    found: Counter[str] = Counter()
    for pair in table.results:
        found.update(set(pair))
    return dict(found)


def gini(counts: list[int]) -> float:
    """Gini coefficient of non-negative counts."""
    ordered = np.sort(np.asarray(counts, dtype=float))
    n = len(ordered)
    if not n or not ordered.sum():
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def _left(table: Table, generations: list[tuple[str, ...]]) -> tuple[str, ...]:
    reached = {element for generation in generations for element in generation}
    return tuple(element for element in table.elements if element not in reached)
