"""Whether what was found is what was asked for: GenEval's rules as published, and strict ones."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

import numpy as np
from scipy.optimize import linear_sum_assignment

from athanor.core.records import Record
from athanor.environments.scenes.scene import Scene, centre
from athanor.environments.scenes.seeing import Found, Sight
from athanor.environments.scenes.spec import Entry, Spec, phrase
from athanor.environments.scenes.words import CARD, CORNERS, FINE, PLACES, SIZES

Box = tuple[float, float, float, float]
MARGIN = 0.1
"""Share of the two boxes' sizes together by which their middles must be farther apart on an axis to count on it."""
SIDEWAYS = 0.5
"""Share of the distance that must lie along an axis for the relation to hold."""
STRAY = 0.005
"""Share of the picture that may be neither background nor a thing, under the strict rules."""

NEVER = 1_000
"""Cost of giving a thing to an entry of another class."""


class Fact(Record, kw_only=True):
    """One thing that a specification asks for, and whether it is so."""

    rule: str
    """`present`, `count`, `color`, `size`, `texture`, `place`, `card`, `position`, `exclude`, `nothing else`."""
    entry: int
    """Index of the entry; of `exclude`, among those; -1 for `nothing else`."""
    held: bool
    told: str
    """What was asked for, and what was found."""


def relations(box: Box, reference: Box) -> tuple[str, ...]:
    """In which relations a box is to a reference; two may hold at once, or none (GenEval's rule).

    >>> relations((0.0, 0.4, 0.2, 0.6), (0.6, 0.4, 0.8, 0.6))
    ('left of',)
    """
    off = [(box[k] + box[k + 2] - reference[k] - reference[k + 2]) / 2 for k in (0, 1)]
    sizes = [box[k + 2] - box[k] + reference[k + 2] - reference[k] for k in (0, 1)]
    moved = [max(abs(o) - MARGIN * s, 0.0) * (1 if o > 0 else -1) for o, s in zip(off, sizes, strict=True)]
    far = hypot(*off)
    if all(abs(one) < 1e-3 for one in moved) or far == 0:
        return ()
    right, down = moved[0] / far, moved[1] / far
    return tuple(
        name for name, holds in (
            ("left of", right < -SIDEWAYS), ("right of", right > SIDEWAYS),
            ("above", down < -SIDEWAYS), ("below", down > SIDEWAYS),
        ) if holds
    )  # fmt: skip


def sight_of(scene: Scene) -> Sight:
    """What there is to be found in a scene, from its truth and not from a picture."""
    found = []
    for thing in scene.things:
        (x, y), radius = centre(thing.cell, thing.dx, thing.dy), SIZES[thing.size] / FINE
        found.append(Found(
            kind=thing.shape, box=(x - radius, y - radius, x + radius, y + radius), confidence=1.0,
            colour=thing.colour, size=thing.size, texture=thing.texture, place=PLACES[thing.cell],
        ))  # fmt: skip
    for placed in scene.cards:
        x, y = centre(placed.cell, placed.dx, placed.dy, 2)
        found.append(Found(
            kind=CARD, box=(x - 0.15, y - 0.21, x + 0.15, y + 0.21), confidence=1.0, card=placed.card,
            place=CORNERS[placed.cell],
        ))  # fmt: skip
    return Sight(found=tuple(found))


_TOLD = (("color", "colour"), ("size", "size"), ("texture", "texture"), ("place", "place"), ("card", "card"))


def _asked(entry: Entry) -> list[tuple[str, str, str]]:
    """(rule, field of Found, value) of the attributes that an entry asks for."""
    return [(rule, field, value) for rule, field in _TOLD if (value := getattr(entry, field)) is not None]


def lenient(spec: Spec, sight: Sight) -> tuple[Fact, ...]:
    """GenEval's rules: of each class the `count` most confident things are looked at; more do no harm unless they are
    excluded. Where a class is asked for in several entries, which GenEval's prompts never do, an entry looks at the
    things that have what it asks for first."""
    facts: list[Fact] = []
    matched: list[list[Found] | None] = []
    several = len({entry.kind for entry in spec.include}) < len(spec.include)
    for index, entry in enumerate(spec.include):
        ours = [one for one in sight.found if one.kind == entry.kind]
        if several:
            ours.sort(key=lambda one: -sum(getattr(one, field) == value for _, field, value in _asked(entry)))
        looked = ours[: entry.count]
        mine = [Fact(rule="present", entry=index, held=len(looked) == entry.count,
                     told=f"{phrase(entry)}: {len(ours)} of the class found")]  # fmt: skip
        if mine[0].held:
            for rule, field, value in _asked(entry):
                have = [str(getattr(one, field)) for one in looked]
                mine.append(Fact(rule=rule, entry=index, held=have.count(value) >= entry.count,
                                 told=f"{phrase(entry)}: {', '.join(have)} found"))  # fmt: skip
        if all(fact.held for fact in mine) and entry.position is not None:
            mine.append(
                _position(index, entry, looked, matched[entry.position[1]] if entry.position[1] < index else None)
            )
        facts += mine
        matched.append(looked if all(fact.held for fact in mine) else None)
    for index, entry in enumerate(spec.exclude):
        many = sum(one.kind == entry.kind for one in sight.found)
        facts.append(Fact(rule="exclude", entry=index, held=many < entry.count,
                          told=f"fewer than {phrase(entry)}: {many} found"))  # fmt: skip
    return tuple(facts)


def _position(index: int, entry: Entry, ours: Sequence[Found], theirs: Sequence[Found] | None) -> Fact:
    relation, _ = entry.position or ("", 0)
    if theirs is None:
        return Fact(rule="position", entry=index, held=False, told=f"{relation}: what it is to be beside was not found")
    wrong = [found for one in ours for other in theirs if relation not in (found := relations(one.box, other.box))]
    have = " and ".join(wrong[0]) or "no relation" if wrong else relation
    return Fact(rule="position", entry=index, held=not wrong, told=f"{relation}: {have} found")


def strict(spec: Spec, sight: Sight) -> tuple[Fact, ...]:
    """What was asked for and nothing else: everything found is given to one entry whose attributes it has, each entry
    gets as many as it asks for, relations hold between all pairs, and the rest of the picture is background."""
    groups = assigned(spec, sight.found)
    facts: list[Fact] = []
    for index, (entry, ours) in enumerate(zip(spec.include, groups, strict=True)):
        many = sum(one.kind == entry.kind for one in sight.found)
        wanted = sum(other.count for other in spec.include if other.kind == entry.kind)
        facts.append(Fact(rule="present", entry=index, held=len(ours) == entry.count,
                          told=f"{phrase(entry)}: {len(ours)} found"))  # fmt: skip
        facts.append(Fact(rule="count", entry=index, held=many == wanted,
                          told=f"{wanted} of the class {entry.kind}: {many} found"))  # fmt: skip
        for rule, field, value in _asked(entry):
            have = [str(getattr(one, field)) for one in ours]
            facts.append(Fact(rule=rule, entry=index, held=bool(have) and have.count(value) == len(have),
                              told=f"{phrase(entry)}: {', '.join(have) or 'nothing'} found"))  # fmt: skip
        if entry.position is not None:
            facts.append(_position(index, entry, ours, (groups[entry.position[1]] or None) if ours else None))
    extra = len(sight.found) - sum(map(len, groups))
    clean = extra == 0 and sight.unclear == 0 and sight.stray <= STRAY
    told = f"nothing else: {extra} more, {sight.unclear} unclear, {100 * sight.stray:.1f}% stray"
    return (*facts, Fact(rule="nothing else", entry=-1, held=clean, told=told))


def assigned(spec: Spec, found: Sequence[Found]) -> list[list[Found]]:
    """Things by entry: so that as few attributes in all as can be are wrong and, among things that fit several entries,
    those that lie farthest in an entry's relation are its own."""
    groups: list[list[Found]] = [[] for _ in spec.include]
    wanted = [index for index, entry in enumerate(spec.include) for _ in range(entry.count)]
    cost = np.full((len(wanted), len(found)), float(NEVER))
    for row, index in enumerate(wanted):
        entry = spec.include[index]
        for column, one in enumerate(found):
            if one.kind == entry.kind:
                wrong = sum(getattr(one, field) != value for _, field, value in _asked(entry))
                cost[row, column] = wrong + 0.01 * _lean(entry, one)
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] < NEVER / 2:
            groups[wanted[row]].append(found[column])
    return groups


def _lean(entry: Entry, one: Found) -> float:
    """How little a thing lies in the direction that an entry's relation names, -2 to 2."""
    if entry.position is None:
        return 0.0
    x, y = one.box[0] + one.box[2], one.box[1] + one.box[3]
    return {"left of": x, "right of": -x, "above": y, "below": -y}[entry.position[0]]
