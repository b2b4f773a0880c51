"""What a prompt asks for, in GenEval's form, and its words: told in several ways, and read back.

The JSON of a `Spec` is a line of GenEval's prompt file (`tag`, `include`, `exclude`, `prompt`; Ghosh et al. 2023), in
which `class` is a shape or `card`, and an entry may have more attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from athanor.core.errors import UsageError
from athanor.core.records import Record
from athanor.environments.points.cards import DECK
from athanor.environments.scenes.scene import CELLS, SLOTS, Scene
from athanor.environments.scenes.words import (
    CARD,
    COLOURS,
    CONVERSE,
    CORNERS,
    NUMBERS,
    PLACES,
    RELATIONS,
    SHAPES,
    SIZES,
    TEXTURES,
    article,
    card_words,
    plural,
)  # fmt: skip

CATEGORIES = (
    "single_object", "two_object", "counting", "colors", "position", "color_attr", "cards", "mixed", "dense"
)  # fmt: skip
"""GenEval's six, then: one or two cards by rank and suit; two groups with a count and maybe a colour and a relation;
every thing with all its attributes and its place."""
GENEVAL = CATEGORIES[:6]


class Entry(Record, kw_only=True):
    """Things of one kind that a picture is to have. None is not asked for."""

    kind: str = msgspec.field(name="class")
    """A shape, or `card`."""
    count: int = 1
    colour: str | None = msgspec.field(default=None, name="color")
    position: tuple[str, int] | None = None
    """A relation, and the index of the earlier entry that it is to."""
    size: str | None = None
    texture: str | None = None
    place: str | None = None
    """One of PLACES; of a card, of CORNERS."""
    card: str | None = None
    """Of DECK."""


class Spec(Record, kw_only=True):
    """What is asked for."""

    tag: str
    """One of CATEGORIES, or another name where a person asks."""
    include: tuple[Entry, ...]
    exclude: tuple[Entry, ...] = ()
    """What is not to be there: so many things of a class, or more. GenEval's counting has them; under the strict rules
    nothing is to be there that was not asked for."""
    prompt: str = ""


LEADS = ("a photo of ", "a picture of ", "an image of ", "draw ", "")
"""How a prompt may begin; the first is GenEval's."""
SAID = (
    {relation: relation for relation in RELATIONS},
    {"left of": "to the left of", "right of": "to the right of", "above": "over", "below": "under"},
)
WORDINGS = len(LEADS) * len(SAID)
MEANT = {said: relation for way in SAID for relation, said in way.items()}


def tell(spec: Spec, wording: int = 0, said: Sequence[str] | None = None) -> str:
    """The prompt of a specification; `wording` from 0 to WORDINGS - 1, 0 GenEval's own. `said`: the words of each entry
    in place of its `phrase`.

    >>> two = Entry(kind="circle", count=2, colour="red", position=("left of", 0))
    >>> tell(Spec(tag="mixed", include=(Entry(kind="square", colour="blue"), two)))
    'a photo of two red circles left of a blue square'
    """
    lead, way = LEADS[wording % len(LEADS)], SAID[wording // len(LEADS) % len(SAID)]
    last, named = spec.include[-1], said or [phrase(entry) for entry in spec.include]
    if last.position is not None and len(spec.include) == 2:
        return f"{lead}{named[-1]} {way[last.position[0]]} {named[last.position[1]]}"
    return lead + (", ".join(named[:-1]) + " and " if len(named) > 1 else "") + named[-1]


def phrase(entry: Entry) -> str:
    """
    >>> phrase(Entry(kind="star", colour="orange", count=2))
    'two orange stars'
    """
    where = "" if entry.place is None else f" at the {entry.place}"
    if entry.kind == CARD:
        return f"the {card_words(entry.card)}{where}" if entry.card else f"{_counted(entry.count, CARD)}{where}"
    said = [word for word in (entry.size, entry.texture, entry.colour) if word]
    return f"{_counted(entry.count, entry.kind, *said)}{where}"


def _counted(count: int, noun: str, *before: str) -> str:
    words = [*before, noun if count == 1 else plural(noun)]
    return " ".join([article(words[0]) if count == 1 else NUMBERS[count], *words])


def described(scene: Scene, *, sizes: bool, textures: bool) -> Spec:
    """The dense specification of a scene: every thing with its attributes and its place."""
    things = tuple([
        Entry(kind=thing.shape, colour=thing.colour, size=thing.size if sizes else None,
              texture=thing.texture if textures else None, place=PLACES[thing.cell])
        for thing in scene.things
    ])  # fmt: skip
    cards = tuple([Entry(kind=CARD, card=placed.card, place=CORNERS[placed.cell]) for placed in scene.cards])
    return Spec(tag="dense", include=(*things, *cards))


def counting(kind: str, count: int, colour: str | None = None) -> Spec:
    """So many and no more, as GenEval's counting asks for it."""
    entry = Entry(kind=kind, count=count, colour=colour)
    return Spec(tag="counting", include=(entry,), exclude=(Entry(kind=kind, count=count + 1),))


def checked(spec: Spec) -> Spec:
    """The same. UsageError if it asks for what no scene can have."""
    for entry in (*spec.include, *spec.exclude):
        known = (
            ("class", entry.kind, (*SHAPES, CARD)), ("color", entry.colour, COLOURS), ("size", entry.size, SIZES),
            ("texture", entry.texture, TEXTURES), ("card", entry.card, DECK),
            ("place", entry.place, CORNERS if entry.kind == CARD else PLACES),
        )  # fmt: skip
        for name, value, names in known:
            if value is not None and value not in names:
                raise UsageError(f"{name} {value!r} was asked for, one of {', '.join(names)} was expected")
        if (entry.kind == CARD) != (entry.card is not None) and entry.kind != CARD:
            raise UsageError(f"a {entry.kind} was asked for that is the card {entry.card}; leave one of them out")
        if not 1 <= entry.count <= CELLS + 1:
            raise UsageError(f"{entry.count} of a kind were asked for, 1 to {CELLS} was expected")
    _fits(spec)
    return spec


def _fits(spec: Spec) -> None:
    many = sum(entry.count for entry in spec.include)
    cards = {entry.kind == CARD for entry in spec.include}
    most = SLOTS if True in cards else CELLS
    if not spec.include or many > most or len(cards) > 1:
        raise UsageError(
            f"{many} things were asked for{', cards among shapes' if len(cards) > 1 else ''}; 1 to {CELLS} shapes or "
            f"1 to {SLOTS} cards were expected"
        )
    for index, entry in enumerate(spec.include):
        if entry.position is not None:
            relation, to = entry.position
            if relation not in RELATIONS or not 0 <= to < len(spec.include) or to == index:
                raise UsageError(
                    f"the position {list(entry.position)} was asked for, one of {', '.join(RELATIONS)} and the index "
                    "of another entry were expected"
                )


def decoded(text: str | bytes) -> Spec:
    """A specification from JSON in GenEval's form. UsageError on anything else."""
    try:
        return checked(msgspec.json.decode(text, type=Spec))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"the specification could not be read ({str(error)[:200]}); one JSON object was expected, such as "
            '{"tag": "colors", "include": [{"class": "circle", "count": 1, "color": "red"}]}'
        ) from error


def key(spec: Spec) -> str:
    """The same for specifications that ask for the same, whatever their words, their order and the side from which a
    relation is told."""

    def bare(entry: Entry) -> str:
        return f"{entry.count} {entry.size} {entry.texture} {entry.colour} {entry.kind} {entry.card} {entry.place}"

    def related(entries: Sequence[Entry]) -> list[str]:
        found = []
        for entry in entries:
            if entry.position is not None:
                relation, to = entry.position
                ends = (bare(entry), relation, bare(entries[to]))
                if relation in ("right of", "below"):
                    ends = (ends[2], CONVERSE[relation], ends[0])
                found.append(" ".join(ends))
        return sorted(found)

    return "; ".join([*sorted(map(bare, spec.include)), *related(spec.include)])
