"""Worlds that no model has seen: drawn at random to given statistics, and known worlds under other names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.alchemy.loaders import DATA
from athanor.environments.alchemy.statistics import closure, gini, statistics, uses
from athanor.environments.alchemy.table import Gift, Table, ordered

Naming = Literal["words", "opaque"]


@dataclass(frozen=True, kw_only=True)
class WorldSpec:
    """The statistics of a world to be drawn. The defaults are those of Little Alchemy 2 (720 elements)."""

    elements: int = 720
    base: int = 4
    pairs: int = 3308
    """Distinct pairs that make something."""
    two_results: int = 130
    """Pairs with two results."""
    three_results: int = 7
    """Pairs with three."""
    self_pairs: int = 137
    """Pairs of an element with itself."""
    finals: int = 185
    """Elements in no recipe as an ingredient."""
    generations: tuple[int, ...] = (10, 13, 12, 29, 44, 35, 22, 70, 127, 108, 88, 61, 49, 33, 10, 5)
    """New elements in each generation after the base, without gifts; stretched to the number of elements."""
    gini: float = 0.58
    """Skew of the number of successful pairs per combinable element."""
    size_gifts: tuple[int, ...] = (50, 100, 150, 150, 150, 300)
    set_gifts: tuple[tuple[int, int], ...] = ((5, 16), (5, 12), (5, 15))
    """(elements needed, elements in the set) of each gift by set."""


def spec_of(table: Table) -> WorldSpec:
    """The statistics of a table, as the specification of worlds like it."""
    count = statistics(table)
    sizes = count.pairs_by_results
    return WorldSpec(
        elements=count.elements,
        base=len(table.base),
        pairs=count.pairs,
        two_results=sizes.get("2", 0),
        three_results=sizes.get("3", 0),
        self_pairs=count.self_pairs,
        finals=count.finals,
        generations=tuple(len(generation) for generation in closure(table, "none")[1:]),
        gini=count.uses_gini,
        size_gifts=tuple(gift.size for gift in table.gifts if gift.size),
        set_gifts=tuple((gift.count, len(gift.of)) for gift in table.gifts if gift.count),
    )


def generate(spec: WorldSpec, seed: int, naming: Naming) -> Table:
    """A world with the statistics of `spec`, drawn by `seed`.

    Exact: elements, base, pairs, pairs by number of results, self-pairs, finals, generations without gifts.
    Within a few hundredths: the Gini coefficient of uses. UsageError if the statistics contradict one another.
    """
    _check(spec)
    names = make_names(spec.elements, seed, naming)
    best, low, high = None, 0.0, 3.0
    for _ in range(10):  # the skew of uses rises with the spread of the elements' log-normal popularity
        spread = (low + high) / 2
        results = _Draw(spec, stream(seed, "world"), spread).results()
        table = _table(spec, names, results, seed, naming)
        error = gini(list(uses(table).values())) - spec.gini
        if best is None or abs(error) < best[0]:
            best = (abs(error), table)
        low, high = (low, spread) if error > 0 else (spread, high)
    assert best is not None
    return best[1]


def rename(table: Table, seed: int) -> Table:
    """The same world under opaque names: equal in structure, with nothing for a model's knowledge to hold on to.

    The notes, which may name what was left out or merged, stay behind.
    """
    new = dict(zip(table.elements, make_names(len(table.elements), seed, "opaque"), strict=True))
    index = table.index
    return replace(
        table,
        name=f"renamed-{seed}-{table.name}",
        elements=tuple(new[e] for e in table.elements),
        base=tuple(new[e] for e in table.base),
        results={
            ordered(new[a], new[b]): tuple(new[e] for e in sorted(made, key=index.__getitem__))
            for (a, b), made in table.results.items()
        },
        gifts=tuple(
            Gift(element=new[g.element], size=g.size, count=g.count, of=tuple(new[e] for e in g.of))
            for g in table.gifts
        ),
        notes=(),
    )  # fmt: skip


def make_names(count: int, seed: int, naming: Naming) -> tuple[str, ...]:
    """Distinct names in a random order: everyday nouns, or pronounceable words of no language."""
    rng = stream(seed, "names", naming)
    if naming == "words":
        words = everyday_words()
        if count > len(words):
            raise UsageError(
                f"{count} elements were asked for, {len(words)} everyday words are there; use opaque names"
            )
        return tuple(words[i] for i in rng.permutation(len(words))[:count])
    taken = set(everyday_words())
    found: dict[str, None] = {}
    onsets, vowels, codas = (
        ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "dr", "kl", "pl", "tr"],
        "aeiou",
        ["", "", "n", "r", "x"],
    )
    while len(found) < count:
        syllables = 2 + (rng.random() < 0.4)
        word = "".join(
            onsets[int(rng.integers(len(onsets)))] + vowels[int(rng.integers(len(vowels)))] for _ in range(syllables)
        ) + codas[int(rng.integers(len(codas)))]  # fmt: skip
        if word not in taken:
            found[word] = None
    return tuple(found)


@cache
def everyday_words() -> tuple[str, ...]:
    """The bundled nouns, sorted."""
    return tuple((DATA / "words.txt").read_text(encoding="utf-8").split())


def _check(spec: WorldSpec) -> None:
    inner = spec.elements - spec.finals
    needed = spec.elements - spec.base
    capacity = spec.pairs + spec.two_results + 2 * spec.three_results
    wrong = [
        (spec.base < 1, f"{spec.base} base elements, at least 1 is needed"),
        (inner < spec.base + len(spec.generations) - 1, f"{spec.finals} finals leave too few combinable elements"),
        (not spec.generations or min(spec.generations) < 1, "every generation needs at least one element"),
        (needed < len(spec.generations), f"{needed} elements cannot fill {len(spec.generations)} generations"),
        (spec.self_pairs > inner, f"{spec.self_pairs} self-pairs among {inner} combinable elements"),
        (spec.pairs > inner * (inner + 1) // 4, f"{spec.pairs} pairs are more than half of those possible"),
        (capacity < needed, f"{capacity} results cannot make {needed} elements"),
        (spec.two_results + spec.three_results > spec.pairs, "more pairs with several results than pairs"),
        (2 * spec.pairs < inner, f"{spec.pairs} pairs cannot use {inner} combinable elements"),
        (not 0 < spec.gini < 1, f"a Gini coefficient of {spec.gini}, between 0 and 1 was expected"),
    ]
    for is_wrong, what in wrong:
        if is_wrong:
            raise UsageError(f"no world has these statistics: {what}; change the specification")


class _Draw:
    """One draw of recipes over element numbers 0 to n - 1, ordered by generation."""

    def __init__(self, spec: WorldSpec, rng: np.random.Generator, spread: float) -> None:
        self.spec, self.rng = spec, rng
        self.level = self._levels()
        self.inner = self._inner()
        """Combinable elements, in order of generation."""
        weight = np.exp(spread * rng.standard_normal(len(self.inner)))
        inner_levels = self.level[self.inner]
        self.last = [int(np.searchsorted(inner_levels, g, side="right")) for g in range(int(self.level.max()) + 1)]
        self.cumulative = np.cumsum(weight)

    def results(self) -> dict[tuple[int, int], tuple[int, ...]]:
        """Every pair with its results."""
        spec, rng = self.spec, self.rng
        made: dict[tuple[int, int], list[int]] = {}
        order = [*range(spec.base), *rng.permutation(self.inner[spec.base :]).tolist()]  # base elements first
        selfs = set(order[: spec.self_pairs])
        for element in range(spec.base, spec.elements):  # one recipe from the generation just before: exact depth
            pair = self._defining(element, made, selfs) or self._shared(element, made)
            made.setdefault(pair, []).append(element)
        for element in sorted(selfs - {a for a, b in made if a == b}):
            made[element, element] = [self._result(element, element)]
        used = {e for pair in made for e in pair}
        for element in [int(e) for e in self.inner if e not in used]:
            self._add(made, element)
        while len(made) < spec.pairs:
            self._add(made, None)
        self._several(made)
        return {pair: tuple(sorted(results)) for pair, results in made.items()}

    def _levels(self) -> np.ndarray:
        """Generation of each element; the shape of `spec.generations`, stretched, every one at least one element."""
        shape = np.asarray(self.spec.generations, dtype=float)
        needed = self.spec.elements - self.spec.base
        counts = np.maximum(1, np.floor(shape / shape.sum() * needed)).astype(int)
        while counts.sum() != needed:
            share = counts / counts.sum() - shape / shape.sum()
            share[counts == 1] = -1 if counts.sum() < needed else -np.inf
            counts[np.argmin(share) if counts.sum() < needed else np.argmax(share)] += (
                1 if counts.sum() < needed else -1
            )
        return np.repeat(np.arange(len(counts) + 1), [self.spec.base, *counts])

    def _inner(self) -> np.ndarray:
        """Combinable elements: all of the base, at least one of each generation but the last, the rest at random."""
        depth = int(self.level.max())
        keep = set(range(self.spec.base))
        keep |= {int(self.rng.choice(np.flatnonzero(self.level == g))) for g in range(1, depth)}
        others = np.array([e for e in range(self.spec.elements) if e not in keep])
        more = self.spec.elements - self.spec.finals - len(keep)
        return np.array(sorted([*keep, *self.rng.choice(others, size=more, replace=False).tolist()]))

    def _one(self, low: int, high: int) -> int:
        """A combinable element of the generations low to high, by popularity."""
        start = self.last[low - 1] if low else 0
        stop = self.last[high]
        before = self.cumulative[start - 1] if start else 0.0
        drawn = before + self.rng.random() * (self.cumulative[stop - 1] - before)
        return int(self.inner[min(int(np.searchsorted(self.cumulative, drawn, side="right")), stop - 1)])

    def _defining(
        self, element: int, made: dict[tuple[int, int], list[int]], selfs: set[int]
    ) -> tuple[int, int] | None:
        """A new pair whose later ingredient is of the generation just before the element's."""
        level = int(self.level[element])
        for _ in range(200):
            first, second = self._one(level - 1, level - 1), self._one(0, level - 1)
            pair = (min(first, second), max(first, second))
            if pair not in made and (first != second or first in selfs):
                return pair
        before = self.inner[: self.last[level - 1]].tolist()
        late = before[self.last[level - 2] if level > 1 else 0 :]
        pairs = [(min(a, b), max(a, b)) for a in late for b in before if a != b or a in selfs]
        free = [pair for pair in pairs if pair not in made]
        return free[int(self.rng.integers(len(free)))] if free else None

    def _shared(self, element: int, made: dict[tuple[int, int], list[int]]) -> tuple[int, int]:
        """A pair that makes something else already, when the generation before has no pair left."""
        level = int(self.level[element])
        found = [p for p, r in made.items() if max(self.level[p[0]], self.level[p[1]]) == level - 1 and len(r) < 3]
        if not found:
            raise UsageError(
                f"no world has these statistics: generation {level} has more elements than the one before has pairs; "
                "change the specification"
            )
        return found[int(self.rng.integers(len(found)))]

    def _result(self, first: int, second: int) -> int:
        """A result that the two may have: of their next generation at the latest, and no base element."""
        level = min(int(max(self.level[first], self.level[second])) + 1, int(self.level.max()))
        stop = int(np.searchsorted(self.level, level, side="right"))
        while True:
            result = int(self.rng.integers(self.spec.base, stop))
            if result not in (first, second):
                return result

    def _add(self, made: dict[tuple[int, int], list[int]], element: int | None) -> None:
        """One more pair, of two different elements, that makes something; with the given element if any."""
        depth = int(self.level.max())
        while True:
            first = element if element is not None else self._one(0, depth)
            second = self._one(0, depth)
            pair = (min(first, second), max(first, second))
            if first != second and pair not in made:
                made[pair] = [self._result(*pair)]
                return

    def _several(self, made: dict[tuple[int, int], list[int]]) -> None:
        """Further results, until as many pairs as asked for have two and three."""
        spec, pairs = self.spec, list(made)
        have = {size: sum(len(results) == size for results in made.values()) for size in (2, 3)}
        if have[3] > spec.three_results or have[2] > spec.two_results + spec.three_results - have[3]:
            raise UsageError(
                "no world has these statistics: too few pairs with several results for its generations; "
                "change the specification"
            )
        order = self.rng.permutation(len(pairs))
        for size, wanted in ((3, spec.three_results), (2, spec.two_results)):
            for position in order:
                if sum(len(results) == size for results in made.values()) >= wanted:
                    break
                pair = pairs[position]
                if size == 2 and len(made[pair]) != 1:
                    continue
                if size == 3 and len(made[pair]) == 3:
                    continue
                while len(made[pair]) < size:
                    result = self._result(*pair)
                    if result not in made[pair]:
                        made[pair].append(result)


def _table(
    spec: WorldSpec, names: tuple[str, ...], results: dict[tuple[int, int], tuple[int, ...]], seed: int, naming: Naming
) -> Table:
    rng = stream(seed, "gifts")
    makeable = np.arange(spec.base, spec.elements)
    gifts = [int(e) for e in rng.choice(makeable, size=len(spec.size_gifts) + len(spec.set_gifts), replace=False)]
    by_size = [Gift(element=names[e], size=size) for e, size in zip(gifts, spec.size_gifts, strict=False)]
    by_set = [
        Gift(element=names[e], count=count, of=tuple(names[i] for i in rng.choice(makeable, size=of, replace=False)))
        for e, (count, of) in zip(gifts[len(by_size) :], spec.set_gifts, strict=True)
    ]
    return Table(
        name=f"generated-{naming}-{seed}",
        elements=names,
        base=names[: spec.base],
        results={
            ordered(names[a], names[b]): tuple(names[e] for e in made) for (a, b), made in sorted(results.items())
        },
        gifts=(*by_size, *by_set),
    )
