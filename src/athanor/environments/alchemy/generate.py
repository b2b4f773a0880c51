"""Worlds that no model has seen: drawn at random to given statistics, and known worlds under other names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache, lru_cache
from typing import Literal

import numpy as np

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.alchemy.draw import Draw, WorldSpec, check, generation_sizes, refused
from athanor.environments.alchemy.loaders import DATA
from athanor.environments.alchemy.statistics import closure, gini, statistics, uses
from athanor.environments.alchemy.table import Gift, Table, ordered

Naming = Literal["words", "opaque"]

GINI_TOLERANCE = 0.05


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
        most_children=count.most_children[0][1],
        size_gifts=tuple(gift.size for gift in table.gifts if gift.size),
        set_gifts=tuple((gift.count, len(gift.of)) for gift in table.gifts if gift.count),
    )


@lru_cache(maxsize=8)
def generate(spec: WorldSpec, seed: int, naming: Naming) -> Table:
    """A world with the statistics of `spec`, drawn by `seed`.

    Exact: elements, base, pairs, pairs by number of results, self-pairs, finals, generations without gifts, and no
    element has more than `most_children`. Within GINI_TOLERANCE: the Gini coefficient of uses. UsageError with the gap
    if the statistics contradict one another or the draws of this seed do not reach them.
    """
    check(spec)
    names = make_names(spec.elements, seed, naming)
    best, low, high = None, 0.0, 3.0
    failure: UsageError | None = None
    for _ in range(10):  # the skew of uses rises with the spread of the elements' log-normal popularity
        spread = (low + high) / 2
        try:
            results = Draw(spec, stream(seed, "world"), spread).results()
            table = _table(spec, names, results, seed, naming)
            _refuse_gap(spec, table)
        except UsageError as error:  # less skew leaves more pairs to choose from
            failure, high = error, spread
            continue
        error = gini(list(uses(table).values())) - spec.gini
        if best is None or abs(error) < abs(best[0]):
            best = (error, table)
        low, high = (low, spread) if error > 0 else (spread, high)
    if best is None:
        raise failure or refused("no draw was made", "try another seed")
    if abs(best[0]) > GINI_TOLERANCE:
        what = f"a Gini coefficient of {spec.gini:.2f} was expected, the nearest found is {spec.gini + best[0]:.2f}"
        raise refused(what, "change gini, or the number of pairs")
    return best[1]


def _refuse_gap(spec: WorldSpec, table: Table) -> None:
    """UsageError if anything that must be exact is not."""
    sizes = Counter(len(made) for made in table.results.values())
    generations = [len(generation) for generation in closure(table, "none")]
    wanted = {
        "pairs": (spec.pairs, len(table.results)),
        "pairs with two results": (spec.two_results, sizes[2]),
        "pairs with three results": (spec.three_results, sizes[3]),
        "self-pairs": (spec.self_pairs, sum(first == second for first, second in table.results)),
        "finals": (spec.finals, len(table.finals)),
        "generations": ([spec.base, *generation_sizes(spec)], generations),
    }
    gaps = [
        f"{asked} {what} were expected, {found} came out" for what, (asked, found) in wanted.items() if asked != found
    ]
    most = max(map(len, table.children.values()))
    if spec.most_children and most > spec.most_children:
        gaps.append(f"at most {spec.most_children} children of an element were expected, {most} came out")
    if gaps:
        raise refused("; ".join(gaps), "ask for what came out, or try another seed")


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
