"""How much of a scene its prompt leaves open: exactly, in nats; and one scene that fits, drawn uniformly.

The loss of a model of pictures given prompts, in nats a picture, cannot fall below this where every scene has its own
picture and its own codes; what is above it is what the model has still to learn. Grain and shade are left out: they
are noise, whose entropy a tokenizer drops or not.
"""

from __future__ import annotations

from math import log

import numpy as np

from athanor.core.errors import UsageError
from athanor.environments.points.cards import DECK
from athanor.environments.scenes.layouts import Layouts, corners, layouts, mainly
from athanor.environments.scenes.scene import CARD_ROOM, CELLS, SLOTS, Placed, Scene, Style, Thing, refuse
from athanor.environments.scenes.spec import Entry, Spec, checked
from athanor.environments.scenes.splits import Split, allowed
from athanor.environments.scenes.words import CARD, CORNERS, PLACES

TRIES = 20_000
"""Random places that are tried for specifications whose arrangements are not listed."""


def entropy(spec: Spec, style: Style, split: Split) -> float | None:
    """Nats of the scene given the prompt, as `sample.realise` and `scene_for` draw it; None where several readings of
    the prompt fit one scene, so that there is no closed form.

    >>> from athanor.environments.scenes.splits import split_of
    >>> one = Spec(tag="colors", include=(Entry(kind="star", colour="red"),))
    >>> round(entropy(one, Style(), split_of("all")), 3)  # nine cells
    2.197
    """
    ways = _ways(spec)
    if ways is None or _ambiguous(spec):
        return None
    total = log(len(ways)) + log(len(style.backgrounds))
    for entry in spec.include:
        most = min(style.jitter, CARD_ROOM) if entry.kind == CARD else style.jitter
        total += entry.count * 2 * log(2 * most + 1)
        if entry.kind != CARD:
            total += 0.0 if entry.colour else log(len(allowed(split, entry.kind, style.colours)))
            total += 0.0 if entry.size else log(len(style.sizes))
            total += 0.0 if entry.texture else log(len(style.textures))
        elif entry.card is None:
            return None
    return total


def scene_for(spec: Spec, style: Style, split: Split, rng: np.random.Generator) -> Scene:
    """A scene that fits, uniformly over all that do where their entropy is known. UsageError if none was found."""
    refuse(style)
    checked(spec)
    ways = _ways(spec)
    if ways is None:
        owner = _found(spec, rng)
    elif len(ways):
        owner = ways[rng.integers(len(ways))].tolist()
    else:
        raise _nowhere(spec)
    background = int(rng.choice(style.backgrounds))
    if spec.include[0].kind == CARD:
        return Scene(cards=_cards(spec, style, owner, rng), background=background)
    looks = [
        (
            entry.colour or str(rng.choice(allowed(split, entry.kind, style.colours) or style.colours)),
            entry.size or str(rng.choice(style.sizes)), entry.texture or str(rng.choice(style.textures)),
        )
        for entry in spec.include
    ]  # fmt: skip
    things = []
    for cell, group in enumerate(owner):
        if group >= 0:
            colour, size, texture = looks[group]
            dx, dy = rng.integers(-style.jitter, style.jitter + 1, 2).tolist()
            shape = spec.include[group].kind
            things.append(Thing(shape=shape, colour=colour, cell=cell, size=size, texture=texture, dx=dx, dy=dy))
    return Scene(things=tuple(things), background=background)


def _cards(spec: Spec, style: Style, owner: list[int], rng: np.random.Generator) -> tuple[Placed, ...]:
    most = min(style.jitter, CARD_ROOM)
    told = [entry.card for entry in spec.include]
    spare = [str(card) for card in rng.permutation([card for card in DECK if card not in told])]
    found = []
    for cell, group in enumerate(owner):
        if group >= 0:
            dx, dy = rng.integers(-most, most + 1, 2).tolist()
            found.append(Placed(card=told[group] or spare.pop(), cell=cell, dx=dx, dy=dy))
    return tuple(found)


def _ways(spec: Spec) -> Layouts | None:
    """Every arrangement as the entry that has each cell, [ways 9 or 4]; None where they are not listed."""
    entries, carded = spec.include, spec.include[0].kind == CARD
    places = CORNERS if carded else PLACES
    if all(entry.place and entry.count == 1 for entry in entries) and not any(entry.position for entry in entries):
        at = [places.index(entry.place or "") for entry in entries]
        owner = [at.index(cell) if cell in at else -1 for cell in range(len(places))]
        return np.array([owner] if len(set(at)) == len(at) else np.empty((0, len(places))), np.int8)
    if any(entry.place for entry in entries) or len(entries) > 2:
        return None
    if carded:
        related = any(entry.position for entry in entries) or any(entry.count > 1 for entry in entries)
        return None if related else corners(len(entries))
    last = entries[len(entries) - 1]
    if last.position is not None and len(entries) == 2:
        ways = layouts(last.count, entries[0].count, last.position[0])
        return np.where(ways >= 0, 1 - ways, ways).astype(np.int8)
    if any(entry.position for entry in entries):
        return None
    return layouts(*(entry.count for entry in entries))


def _ambiguous(spec: Spec) -> bool:
    """Whether a thing of one entry might be taken for one of another."""

    def alike(a: Entry, b: Entry) -> bool:
        return a.kind == b.kind and not any(
            x and y and x != y
            for x, y in (
                (a.colour, b.colour),
                (a.size, b.size),
                (a.texture, b.texture),
                (a.place, b.place),
                (a.card, b.card),
            )
        )

    return any(alike(a, b) for k, a in enumerate(spec.include) for b in spec.include[:k])


def _found(spec: Spec, rng: np.random.Generator) -> list[int]:
    """An arrangement by trying: the entry that has each cell."""
    carded = spec.include[0].kind == CARD
    places, slots = (CORNERS, SLOTS) if carded else (PLACES, CELLS)
    fixed = {places.index(entry.place): k for k, entry in enumerate(spec.include) if entry.place}
    loose = [
        k for k, entry in enumerate(spec.include)
        for _ in range(entry.count - (1 if entry.place else 0))
    ]  # fmt: skip
    if len(fixed) < sum(bool(entry.place) for entry in spec.include) or any(
        entry.place and entry.count > 1 for entry in spec.include
    ):
        raise _nowhere(spec)
    free = [cell for cell in range(slots) if cell not in fixed]
    for _ in range(TRIES):
        owner = [fixed.get(cell, -1) for cell in range(slots)]
        for cell, entry in zip(rng.permutation(free).tolist(), loose, strict=False):
            owner[cell] = entry
        if _related(spec, owner, 2 if carded else 3):
            return owner
    raise _nowhere(spec)


def _related(spec: Spec, owner: list[int], across: int) -> bool:
    """Whether every relation that is asked for holds between the cells."""

    def cells(group: int) -> list[int]:
        return [cell // across * 3 + cell % across for cell, who in enumerate(owner) if who == group]

    return all(
        mainly(entry.position[0], a, b)
        for k, entry in enumerate(spec.include) if entry.position
        for a in cells(k) for b in cells(entry.position[1])
    )  # fmt: skip


def _nowhere(spec: Spec) -> UsageError:
    return UsageError(
        f"no arrangement of {spec.prompt or 'what was asked for'!r} was found on three by three cells (cards: two by "
        "two), one thing a cell; ask for fewer things, or for other places"
    )
