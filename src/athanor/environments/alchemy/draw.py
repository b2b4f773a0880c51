"""One draw of a world's recipes to given statistics, over element numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from athanor.core.errors import UsageError

TRIES = 200
"""Draws by popularity that are rejected before what is left is looked through."""
LARGEST = 100_000
"""Elements of a world, at most."""

Pairs = dict[tuple[int, int], list[int]]


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
    most_children: int = 0
    """Distinct results of all pairs that one element is in, at most; 0 sets no bound. The default does not, so that
    worlds stay what their seeds made them: the most is then 133 to 166, and 83 in Little Alchemy 2."""
    size_gifts: tuple[int, ...] = (50, 100, 150, 150, 150, 300)
    set_gifts: tuple[tuple[int, int], ...] = ((5, 16), (5, 12), (5, 15))
    """(elements needed, elements in the set) of each gift by set."""


def refused(what: str, do: str) -> UsageError:
    """The error that no world is as specified: what was found and expected, and what to change."""
    return UsageError(f"no world has these statistics: {what}; {do}")


def generation_sizes(spec: WorldSpec) -> tuple[int, ...]:
    """New elements in each generation: the shape of `spec.generations`, stretched, every one at least one element."""
    shape = np.asarray(spec.generations, dtype=float)
    needed = spec.elements - spec.base
    counts = np.maximum(1, np.floor(shape / shape.sum() * needed)).astype(int)
    while counts.sum() != needed:  # each step is one nearer, and there is one to take from: see `check`
        share = counts / counts.sum() - shape / shape.sum()
        share[counts == 1] = -1 if counts.sum() < needed else -np.inf
        counts[np.argmin(share) if counts.sum() < needed else np.argmax(share)] += 1 if counts.sum() < needed else -1
    return tuple(counts.tolist())


def check(spec: WorldSpec) -> None:
    """UsageError if the statistics contradict one another at sight."""
    for is_wrong, what, do in (*_sizes(spec), *_recipes(spec)):
        if is_wrong:
            raise refused(what, do)


_Fault = tuple[bool, str, str]
"""Whether it is one, what was found and expected, and what to do."""


def _sizes(spec: WorldSpec) -> Iterator[_Fault]:
    """What can be wrong with the elements and their generations."""
    for name in ("finals", "pairs", "two_results", "three_results", "self_pairs", "most_children"):
        value = getattr(spec, name)
        yield value < 0, f"{name} is {value}, 0 or more was expected", f"raise {name}"
    elements, depth, inner, needed = spec.elements, len(spec.generations), *_counts(spec)
    yield elements > LARGEST, f"elements is {elements}, at most {LARGEST} was expected", "lower elements"
    yield spec.base < 1, f"base is {spec.base}, at least 1 was expected", "raise base"
    least = min(spec.generations, default=0)
    what = f"the smallest generation has {least} elements, at least 1 was expected in one or more of them"
    yield least < 1, what, "name the size of every generation after the base"
    what = f"{spec.finals} finals leave {inner} of {elements} elements to combine, at least "
    what += f"{spec.base + depth - 1} were expected: the base, and one of each generation but the last"
    yield inner < spec.base + depth - 1, what, "lower finals, raise elements, or name fewer generations"
    what = f"{needed} elements beside the base, at least one for each of {depth} generations was expected"
    yield needed < depth, what, "raise elements, or name fewer generations"
    gifts = len(spec.size_gifts) + len(spec.set_gifts)
    what = f"{gifts} gifts, at most the {needed} elements beside the base were expected"
    yield gifts > needed, what, "name fewer gifts"
    sets = [(count, of) for count, of in spec.set_gifts if not 0 < count <= of <= needed]
    what = (
        f"gifts on owning (needed, of) {sets}, 0 < needed <= of <= {needed}, the elements beside the base, was expected"
    )
    yield bool(sets), what, "change set_gifts"


def _recipes(spec: WorldSpec) -> Iterator[_Fault]:
    """What can be wrong with the pairs and their results."""
    inner, needed = _counts(spec)
    pairs, most = spec.pairs, inner * (inner + 1) // 4
    what = f"{spec.self_pairs} self-pairs, at most one for each of {inner} combinable elements was expected"
    yield spec.self_pairs > inner, what, "lower self_pairs or finals"
    what = f"{pairs} pairs, at most {most}, half of those possible, was expected"
    yield pairs > most, what, "lower pairs or finals, or raise elements"
    results = pairs + spec.two_results + 2 * spec.three_results
    what = (
        f"{pairs} pairs have {results} results, at least {needed}, one for each element beside the base, was expected"
    )
    yield results < needed, what, "raise pairs or two_results, or lower elements"
    several = spec.two_results + spec.three_results
    what = f"{several} pairs with several results, at most all {pairs} pairs were expected"
    yield several > pairs, what, "lower two_results or three_results"
    what = f"{pairs} pairs use {2 * pairs} elements at most, all {inner} combinable ones were expected"
    yield 2 * pairs < inner, what, "raise pairs or finals"
    what = f"a Gini coefficient of {spec.gini}, one between 0 and 1 was expected"
    yield not 0 < spec.gini < 1, what, "change gini"


def _counts(spec: WorldSpec) -> tuple[int, int]:
    """The combinable elements, and those beside the base."""
    return spec.elements - spec.finals, spec.elements - spec.base


class Draw:
    """One draw of recipes over element numbers 0 to n - 1, ordered by generation."""

    def __init__(self, spec: WorldSpec, rng: np.random.Generator, spread: float) -> None:
        self.spec, self.rng = spec, rng
        self.level = np.repeat(np.arange(len(spec.generations) + 1), [spec.base, *generation_sizes(spec)])
        self.inner = self._inner()
        """Combinable elements, in order of generation."""
        weight = np.exp(spread * rng.standard_normal(len(self.inner)))
        inner_levels = self.level[self.inner]
        self.last = [int(np.searchsorted(inner_levels, g, side="right")) for g in range(int(self.level.max()) + 1)]
        self.cumulative = np.cumsum(weight)
        self.children: list[set[int]] = [set() for _ in range(spec.elements)]
        """For each element the results so far of all pairs it is in."""

    def results(self) -> dict[tuple[int, int], tuple[int, ...]]:
        """Every pair with its results."""
        spec, rng = self.spec, self.rng
        made: Pairs = {}
        order = [*range(spec.base), *rng.permutation(self.inner[spec.base :]).tolist()]  # base elements first
        selfs = set(order[: spec.self_pairs])
        for element in range(spec.base, spec.elements):  # one recipe from the generation just before: exact depth
            pair = self._defining(element, made, selfs) or self._shared(element, made)
            self._make(made, pair, element)
        for element in sorted(selfs - {a for a, b in made if a == b}):
            result = self._result(element, element) if self._open(element, element) else None
            if result is None:
                what = f"{spec.self_pairs} self-pairs were expected, and one has nothing left to make"
                raise refused(what, f"lower self_pairs{self._children_too()}")
            self._make(made, (element, element), result)
        used = {e for pair in made for e in pair}
        for element in [int(e) for e in self.inner if e not in used]:
            self._add(made, element)
        while len(made) < spec.pairs:
            self._add(made, None)
        self._several(made)
        return {pair: tuple(sorted(results)) for pair, results in made.items()}

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

    def _open(self, first: int, second: int) -> bool:
        """Whether both may have one more child."""
        most = self.spec.most_children
        return not most or (len(self.children[first]) < most and len(self.children[second]) < most)

    def _make(self, made: Pairs, pair: tuple[int, int], result: int) -> None:
        made.setdefault(pair, []).append(result)
        for element in pair:
            self.children[element].add(result)

    def _defining(self, element: int, made: Pairs, selfs: set[int]) -> tuple[int, int] | None:
        """A new pair whose later ingredient is of the generation just before the element's."""
        level = int(self.level[element])
        for _ in range(TRIES):
            first, second = self._one(level - 1, level - 1), self._one(0, level - 1)
            pair = (min(first, second), max(first, second))
            if pair not in made and (first != second or first in selfs) and self._open(*pair):
                return pair
        before = self.inner[: self.last[level - 1]].tolist()
        late = before[self.last[level - 2] if level > 1 else 0 :]
        pairs = [(min(a, b), max(a, b)) for a in late for b in before if a != b or a in selfs]
        free = [pair for pair in pairs if pair not in made and self._open(*pair)]
        return free[int(self.rng.integers(len(free)))] if free else None

    def _shared(self, element: int, made: Pairs) -> tuple[int, int]:
        """A pair that makes something else already, when the generation before has no pair left."""
        level = int(self.level[element])
        found = [
            p for p, r in made.items()
            if max(self.level[p[0]], self.level[p[1]]) == level - 1 and len(r) < 3 and self._open(*p)
        ]  # fmt: skip
        if not found:
            raise self._used_up(level)
        return found[int(self.rng.integers(len(found)))]

    def _used_up(self, level: int) -> UsageError:
        """The error that a generation has more elements than pairs can make."""
        late, before = int((self.level[self.inner] == level - 1).sum()), self.last[level - 1]
        pairs, asked = late * (before - late) + late * (late + 1) // 2, int((self.level == level).sum())
        what = f"{asked} elements were expected in generation {level}, and the {pairs} pairs of {before} combinable "
        what += f"elements that reach it ({late} of them are of the generation before) are used up"
        do = f"make generation {level} smaller, or those before it (the base among them) larger"
        return refused(what, do + self._children_too())

    def _result(self, first: int, second: int, taken: tuple[int, ...] = ()) -> int | None:
        """A result that the two may have beside those taken: of their next generation at the latest, and no base
        element. None if there is no other.
        """
        level = min(int(max(self.level[first], self.level[second])) + 1, int(self.level.max()))
        stop = int(np.searchsorted(self.level, level, side="right"))
        for _ in range(TRIES):
            result = int(self.rng.integers(self.spec.base, stop))
            if result not in (first, second) and result not in taken:
                return result
        left = [e for e in range(self.spec.base, stop) if e not in (first, second) and e not in taken]
        return left[int(self.rng.integers(len(left)))] if left else None

    def _add(self, made: Pairs, element: int | None) -> None:
        """One more pair, of two different elements, that makes something; with the given element if any."""
        depth = int(self.level.max())
        for _ in range(TRIES):
            first = element if element is not None else self._one(0, depth)
            second = self._one(0, depth)
            pair = (min(first, second), max(first, second))
            if first != second and pair not in made and self._open(*pair):
                break
        else:
            pair = self._free(made, element)
        result = self._result(*pair)
        if result is None:
            what = f"{self.spec.pairs} pairs were expected, and one has nothing that it could make"
            raise refused(what, f"lower pairs, or raise elements{self._children_too()}")
        self._make(made, pair, result)

    def _free(self, made: Pairs, element: int | None) -> tuple[int, int]:
        """A uniform pair of two different elements that makes nothing yet; with the given element if any."""
        n = self.spec.elements
        usable = np.zeros(n, dtype=bool)
        usable[[e for e in self.inner.tolist() if self._open(e, e)]] = True
        free = np.triu(np.outer(usable, usable), 1)
        if made:
            free[tuple(np.array(list(made)).T)] = False
        if element is not None:
            free[np.arange(n) != element] &= np.arange(n) == element
        left = np.flatnonzero(free)
        if not len(left):
            what = f"{self.spec.pairs} pairs were expected, and after {len(made)} no two elements are left for another"
            raise refused(what, f"lower pairs, or raise elements{self._children_too()}")
        return divmod(int(left[int(self.rng.integers(len(left)))]), n)

    def _children_too(self) -> str:
        """What else to do where the bound on children may be the cause."""
        most = self.spec.most_children
        return f", or raise most_children (it is {most}; 0 sets no bound)" if most else ""

    def _several(self, made: Pairs) -> None:
        """Further results, until as many pairs as asked for have two and three."""
        spec, pairs = self.spec, list(made)
        have = {size: sum(len(results) == size for results in made.values()) for size in (2, 3)}
        if have[3] > spec.three_results or have[2] > spec.two_results + spec.three_results - have[3]:
            what = f"{spec.two_results} pairs with two results and {spec.three_results} with three were expected, its "
            what += f"generations alone take {have[2]} and {have[3]}"
            raise refused(what, f"raise them, or make its early generations smaller{self._children_too()}")
        order = self.rng.permutation(len(pairs))
        for size, wanted in ((3, spec.three_results), (2, spec.two_results)):
            count = sum(len(results) == size for results in made.values())
            for position in order:
                if count >= wanted:
                    break
                pair = pairs[position]
                if size == 2 and len(made[pair]) != 1:
                    continue
                if size == 3 and len(made[pair]) == 3:
                    continue
                self._fill(made, pair, size)
                count += len(made[pair]) == size

    def _fill(self, made: Pairs, pair: tuple[int, int], size: int) -> None:
        """Results of a pair until there are `size`; none at all if there are too few, or too many children."""
        more: list[int] = []
        while len(made[pair]) + len(more) < size:
            result = self._result(*pair, (*made[pair], *more))
            if result is None:
                return
            more.append(result)
        most = self.spec.most_children
        if not most or all(len(self.children[e].union(more)) <= most for e in pair):
            for result in more:
                self._make(made, pair, result)
