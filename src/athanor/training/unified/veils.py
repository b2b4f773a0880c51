"""Prompts that leave words out, so that they tell no held-out combination of what their picture shows.

`a red thing` and `a star` each tell one side of a red star, `a queen` and `a card of hearts` each one of a card. A
model that never learned what is red but circles takes red for a property of circles: codes of a red star are then never
right after the word red, and the harder it is trained, the surer it is of that.

`a red thing and a star` tells more than it says: the star is another thing, so it is not red. Where all prompts with
both words are such, a model learns that where both are, no star is red, and draws `a red star and a blue ring` with the
colours exchanged. So the words of a held-out combination do not stand in one prompt, of whatever they are said.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from athanor.environments.points.cards import RANKS
from athanor.environments.scenes.spec import Entry, Spec, phrase
from athanor.environments.scenes.splits import held, told_held
from athanor.environments.scenes.words import CARD, RANK_WORDS, SUIT_WORDS, article

THING = "thing"
"""The word for a shape that is not named."""


def veiled(spec: Spec, rng: np.random.Generator, often: float, *, apart: bool = True) -> list[str]:
    """Words for each entry, as few left out as it takes, at random; and with the probability `often` one that need not
    be. `apart`: whether it takes that words of a held-out combination are not said of different things either.

    >>> one = Spec(tag="cards", include=(Entry(kind="card", card="QH"),))
    >>> sorted({veiled(one, np.random.default_rng(seed), 0.5)[0] for seed in range(30)})
    ['a card of hearts', 'a queen', 'the queen of hearts']
    """
    out: list[set[str]] = [{_any(entry, rng)} if rng.random() < often else set() for entry in spec.include]
    while _telling(spec, out):
        k = int(rng.integers(len(out)))
        out[k].add(_any(spec.include[k], rng))
    while apart and (found := crossings(spec, out)):
        k, word = found[int(rng.integers(len(found)))][int(rng.integers(2))]
        out[k].add(word)
    return [_words(entry, left) for entry, left in zip(spec.include, out, strict=True)]


def crossings(spec: Spec, out: Sequence[set[str]]) -> list[tuple[tuple[int, str], tuple[int, str]]]:
    """The words of held-out combinations that are said of two different entries, each as an entry's number and what is
    said of it. `out`: what is left out of each entry."""
    left = [_said(entry, those) for entry, those in zip(spec.include, out, strict=True)]
    found: list[tuple[tuple[int, str], tuple[int, str]]] = []
    for i, one in enumerate(left):
        for j, other in enumerate(left):
            if i == j:
                continue
            if "shape" in one and "colour" in other and held("pair", one["shape"], other["colour"]):
                found.append(((i, "shape"), (j, "colour")))
            if "rank" in one and "suit" in other and held("card", one["rank"] + other["suit"]):
                found.append(((i, "rank"), (j, "suit")))
    return found


def _said(entry: Entry, out: set[str]) -> dict[str, str]:
    """What is said of an entry, by what can be left out."""
    said = {"shape": entry.kind if entry.kind != CARD else None, "colour": entry.colour}
    said |= {"rank": entry.card[:-1], "suit": entry.card[-1]} if entry.card else {}
    return {name: value for name, value in said.items() if value and name not in out}


def _any(entry: Entry, rng: np.random.Generator) -> str:
    """Something of an entry that can be left out."""
    if entry.kind == CARD:
        return ("rank", "suit")[rng.integers(2)]
    return ("shape", "colour")[rng.integers(2)] if entry.colour else "shape"


def _telling(spec: Spec, out: list[set[str]]) -> bool:
    """Whether what is left tells a held-out combination."""
    left = msgspec.structs.replace(
        spec, include=tuple(_seen(entry, those) for entry, those in zip(spec.include, out, strict=True))
    )
    return any(THING not in combination for _, combination in told_held(left))


def _seen(entry: Entry, out: set[str]) -> Entry:
    """An entry without what is left out."""
    changed: dict[str, str | None] = {}
    if out & {"rank", "suit"}:
        changed["card"] = None
    if "shape" in out:
        changed["kind"] = THING
    if "colour" in out:
        changed["colour"] = None
    return msgspec.structs.replace(entry, **changed)


def _words(entry: Entry, out: set[str]) -> str:
    if entry.kind != CARD or len(out) != 1 or entry.card is None:
        return phrase(_seen(entry, out))
    rank, where = RANK_WORDS[RANKS.index(entry.card[:-1])], f" at the {entry.place}" if entry.place else ""
    said = f"{article(rank)} {rank}" if "suit" in out else f"a {CARD} of {SUIT_WORDS[entry.card[-1]]}"
    return said + where
