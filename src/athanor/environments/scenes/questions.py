"""Questions about a scene, in words, with the one right answer.

Every question has one answer whatever is in the picture beside: `the circle` is asked of only where there is one.
Those of DPG-Bench (`propositions.py`) are among them, to be answered with yes or no: whether something is there, and
whether what is said of it holds. In training nothing is asked that names a held-out combination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from athanor.core.errors import UsageError
from athanor.core.records import Record
from athanor.environments.points.cards import DECK, RANKS
from athanor.environments.scenes.layouts import mainly
from athanor.environments.scenes.scene import Placed, Scene, Style, Thing
from athanor.environments.scenes.splits import MOST_COUNTED, Kind, Split, held
from athanor.environments.scenes.words import (
    CARD,
    COLOURS,
    CONVERSE,
    CORNERS,
    NUMBERS,
    PLACES,
    RANK_WORDS,
    RELATIONS,
    SHAPES,
    SUIT_WORDS,
    article,
    card_words,
    plural,
)  # fmt: skip


class Question(Record, kw_only=True):
    """Asked of one picture."""

    kind: str
    """count, color, shape, place, exists, holds, position, size, texture; of cards rank, suit, count, place, exists,
    holds."""
    text: str
    answer: str


Draws = Sequence[float]
"""Uniform numbers in [0, 1), `DRAWS` of them: all chance in a question."""
DRAWS = 9


def ask(scene: Scene, style: Style, split: Split, draws: Draws) -> Question:
    """A question of a random kind. `draws`: DRAWS uniform numbers. UsageError for a scene with nothing in it."""
    if not scene.things and not scene.cards:
        raise UsageError("a scene with nothing in it was given, one with things or cards was expected")
    if scene.cards:
        return CARD_KINDS[_of(tuple(CARD_KINDS), draws[0])](scene, split, draws[1:])
    kinds = list(KINDS)
    kinds += ["size"] if len(style.sizes) > 1 else []
    kinds += ["texture"] if len(style.textures) > 1 else []
    kind = _of(kinds, draws[0])
    if kind in ("size", "texture"):
        return _attribute(scene, kind, draws[1:])
    return KINDS[kind](scene, style, split, draws[1:]) or _count(scene, style, split, draws[1:])


def tells_held(question: str, answer: str) -> bool:
    """Whether a question of these with its answer tells a held-out combination.

    >>> tells_held("what color is the circle?", "red"), tells_held("what color is the thing at the top?", "red")
    (True, False)
    """
    words = [*question.replace("?", "").split(), answer]
    shapes = [shape for word in words for shape in SHAPES if word in (shape, plural(shape))]
    colours = [word for word in words if word in COLOURS]
    if len(shapes) == 2:
        relation = next(relation for relation in RELATIONS if f" {relation} the " in question)
        return held("relation", shapes[0], relation, shapes[1])
    if shapes:
        many = [NUMBERS.index(word) for word in words if word in NUMBERS[2 : MOST_COUNTED + 1]]
        told = [held("pair", shapes[0], colour) for colour in colours] + [held("count", shapes[0], n) for n in many]
        return any(told)
    return any(held("card", card) for card in DECK if f" {card_words(card)}" in question)


def _of(names: Sequence, draw: float):
    return names[int(draw * len(names))]


def _unique(scene: Scene) -> list[Thing]:
    """Things whose shape no other has."""
    shapes = [thing.shape for thing in scene.things]
    return [thing for thing in scene.things if shapes.count(thing.shape) == 1]


def _count(scene: Scene, style: Style, split: Split, draws: Draws) -> Question:
    there, usual = _of(scene.things, draws[1]), draws[2] < 0.8
    shape = there.shape if usual else _of((*style.shapes, CARD), draws[3])
    colour = there.colour if usual else _of(style.colours, draws[3])
    if draws[0] < 0.45:
        many, asked = sum(thing.shape == shape for thing in scene.things), plural(shape)
    elif draws[0] < 0.7:
        many, asked = sum(thing.colour == colour for thing in scene.things), f"{colour} things"
    elif draws[0] < 0.85:
        alike = [thing for thing in scene.things if (thing.shape, thing.colour) == (there.shape, there.colour)]
        many, asked = len(alike), f"{there.colour} {plural(there.shape)}"
    else:
        many, asked = len(scene.things), "things"
    return Question(kind="count", text=f"how many {asked} are there?", answer=NUMBERS[many])


def _named(scene: Scene, draws: Draws) -> tuple[Thing, str]:
    """A thing, and the words that mean it alone: its shape, or its place."""
    unique = _unique(scene)
    if unique and draws[0] < 0.6:
        thing = _of(unique, draws[1])
        return thing, thing.shape
    thing = _of(scene.things, draws[1])
    return thing, f"thing at the {PLACES[thing.cell]}"


def _colour(scene: Scene, style: Style, split: Split, draws: Draws) -> Question:
    thing, name = _named(scene, draws)
    return Question(kind="color", text=f"what color is the {name}?", answer=thing.colour)


def _attribute(scene: Scene, kind: str, draws: Draws) -> Question:
    thing, name = _named(scene, draws)
    return Question(kind=kind, text=f"what {kind} is the {name}?", answer=getattr(thing, kind))


def _shape(scene: Scene, style: Style, split: Split, draws: Draws) -> Question:
    colours = [thing.colour for thing in scene.things]
    unique = [thing for thing in scene.things if colours.count(thing.colour) == 1]
    if unique and draws[0] < 0.6:
        thing = _of(unique, draws[1])
        name = f"{thing.colour} thing"
    else:
        thing = _of(scene.things, draws[1])
        name = f"thing at the {PLACES[thing.cell]}"
    return Question(kind="shape", text=f"what shape is the {name}?", answer=thing.shape)


def _place(scene: Scene, style: Style, split: Split, draws: Draws) -> Question | None:
    found = _alone(scene, draws[0])
    return found and Question(kind="place", text=f"where is the {found[1]}?", answer=PLACES[found[0].cell])


def _alone(scene: Scene, draw: float) -> tuple[Thing, str] | None:
    """A thing, and the words that mean it alone: its shape, with its colour where that is not enough."""
    looks = [(thing.colour, thing.shape) for thing in scene.things]
    unique, shapes = [thing for thing in scene.things if looks.count((thing.colour, thing.shape)) == 1], _unique(scene)
    if not unique:
        return None
    thing = _of(unique, draw)
    return thing, thing.shape if thing in shapes else f"{thing.colour} {thing.shape}"


def _exists(scene: Scene, style: Style, split: Split, draws: Draws) -> Question | None:
    """A shape in a colour, a shape or a colour, of one or of several. Half of what is asked for is there; of shapes in
    colours, half of the rest has a shape and a colour that are, on different things."""
    thing, there, several = _of(scene.things, draws[1]), draws[0] < 0.5, draws[3] < 0.4
    shape, colour = thing.shape, thing.colour
    if draws[2] < 0.5:
        pair = (shape, colour) if there else _absent(scene, style, split, draws[4:])
        if pair is None:
            return None
        shape, colour = pair
    elif draws[2] < 0.85:
        colour = ""
        if not there:
            absent = set(style.shapes) - {one.shape for one in scene.things}
            shape = _of([one for one in (*style.shapes, CARD) if one in absent or one == CARD], draws[4])
    else:
        shape, seen = "thing", {one.colour for one in scene.things}
        if not there and not set(style.colours) - seen:
            return None
        colour = colour if there else _of([one for one in style.colours if one not in seen], draws[4])
    return _is_any(shape, several, there, colour)


def _is_any(noun: str, several: bool, there: bool, adjective: str = "") -> Question:
    name = f"{adjective} {plural(noun) if several else noun}".strip()
    asked = f"are there {name}?" if several else f"is there {article(name)} {name}?"
    return Question(kind="exists", text=asked, answer="yes" if there else "no")


def _absent(scene: Scene, style: Style, split: Split, draws: Draws) -> tuple[str, str] | None:
    """A shape in a colour that is not there, and of which may be spoken."""
    there = {(thing.shape, thing.colour) for thing in scene.things}
    crossed = [(a.shape, b.colour) for a in scene.things for b in scene.things]
    every = [(shape, colour) for shape in style.shapes for colour in style.colours]
    absent = [pair for pair in (crossed if draws[0] < 0.5 else every) if pair not in there]
    absent = absent or [pair for pair in every if pair not in there]
    absent = [pair for pair in absent if not _hidden(split, "pair", *pair)]
    return _of(absent, draws[1]) if absent else None


def _holds(scene: Scene, style: Style, split: Split, draws: Draws) -> Question | None:
    """Whether things have a colour, a size, a texture, a place or a number: half of them do, and half of the rest has
    what another thing has, or is one more or less."""
    values = {"colour": style.colours, "size": style.sizes, "texture": style.textures}
    about = _of(["number", "place", *(name for name, some in values.items() if len(some) > 1)], draws[0])
    if about == "number":
        return _so_many(scene, split, draws[1:])
    if about == "place":
        return _is_at(scene, draws[1:])
    thing = _of(scene.things, draws[2])
    alike = [one for one in scene.things if one.shape == thing.shape]
    value = getattr(thing, about)
    if draws[1] < 0.5:
        near = [getattr(one, about) for one in scene.things] if draws[3] < 0.5 else values[about]
        others = [one for one in near if one != value] or [one for one in values[about] if one != value]
        others = [one for one in others if about != "colour" or not _hidden(split, "pair", thing.shape, one)]
        if not others:
            return None
        value = _of(others, draws[4])
    name = f"is the {thing.shape}" if len(alike) == 1 else f"are the {plural(thing.shape)}"
    return _holding(f"{name} {value}?", all(getattr(one, about) == value for one in alike))


def _holding(asked: str, holds: bool) -> Question:
    return Question(kind="holds", text=asked, answer="yes" if holds else "no")


def _so_many(scene: Scene, split: Split, draws: Draws) -> Question | None:
    """Where nothing is there twice, a number is asked for that does not hold."""
    named = [(one.shape, plural(one.shape), sum(a.shape == one.shape for a in scene.things)) for one in scene.things]
    named += [("", f"{one.colour} things", sum(a.colour == one.colour for a in scene.things)) for one in scene.things]
    named += [("", "things", len(scene.things))] * 2
    several = [one for one in named if one[2] > 1]
    shape, name, many = _of(several if several and draws[0] < 0.7 else named, draws[1])
    asked = many
    if draws[2] < 0.5 or many < 2:
        asked = many + (1 if draws[3] < 0.5 else -1) if draws[4] < 0.7 else 2 + int(draws[5] * 4)
    asked = min(max(asked, 2), len(NUMBERS) - 1)
    if shape and asked <= MOST_COUNTED and _hidden(split, "count", shape, asked):
        return None
    return _holding(f"are there {NUMBERS[asked]} {name}?", asked == many)


def _is_at(scene: Scene, draws: Draws) -> Question | None:
    found = _alone(scene, draws[1])
    if found is None:
        return None
    thing, name = found
    return _at(name, thing.cell, [one.cell for one in scene.things], PLACES, draws)


def _at(name: str, cell: int, taken: Sequence[int], places: Sequence[str], draws: Draws) -> Question:
    """Whether it is at a place: its own in half of the cases, in a quarter that of another, if there is another."""
    asked = cell
    if draws[0] < 0.5:
        near = [one for one in taken if one != cell] if draws[2] < 0.5 else []
        asked = _of(near or [one for one in range(len(places)) if one != cell], draws[3])
    return _holding(f"is the {name} at the {places[asked]}?", asked == cell)


def _position(scene: Scene, style: Style, split: Split, draws: Draws) -> Question | None:
    """Of all things of a shape and all of another: half of the time the relation holds of each with each."""
    cells = {thing.shape: [one.cell for one in scene.things if one.shape == thing.shape] for thing in scene.things}
    pairs = [
        (one, other, relation) for one in cells for other in cells for relation in RELATIONS
        if one != other and all(mainly(relation, a, b) for a in cells[one] for b in cells[other])
    ]  # fmt: skip
    if not pairs:
        return None
    one, other, holds = _of(pairs, draws[0])
    relation, answer = holds, "yes"
    if draws[1] < 0.5:
        relation, answer = CONVERSE[holds] if draws[2] < 0.5 else _across(holds, draws[3]), "no"
    if _hidden(split, "relation", one, relation, other):
        return None
    name = f"is the {one}" if len(cells[one]) == 1 else f"are the {plural(one)}"
    beside = other if len(cells[other]) == 1 else plural(other)
    return Question(kind="position", text=f"{name} {relation} the {beside}?", answer=answer)


def _across(relation: str, draw: float) -> str:
    return _of(RELATIONS[2:] if relation in RELATIONS[:2] else RELATIONS[:2], draw)


def _hidden(split: Split, kind: Kind, *combination: str | int) -> bool:
    return split.part == "train" and kind in split.kinds and held(kind, *combination)


KINDS: dict[str, Callable[[Scene, Style, Split, Draws], Question | None]] = {
    "count": _count, "color": _colour, "shape": _shape, "place": _place, "exists": _exists, "holds": _holds,
    "position": _position,
}  # fmt: skip


def _card(scene: Scene, draws: Draws) -> tuple[Placed, str]:
    """A card, and the words that mean it alone."""
    placed = _of(scene.cards, draws[0])
    return placed, "card" if len(scene.cards) == 1 else f"card at the {CORNERS[placed.cell]}"


def _rank(scene: Scene, split: Split, draws: Draws) -> Question:
    placed, name = _card(scene, draws)
    rank = RANK_WORDS[RANKS.index(placed.card[:-1])]
    return Question(kind="rank", text=f"what is the rank of the {name}?", answer=rank)


def _suit(scene: Scene, split: Split, draws: Draws) -> Question:
    placed, name = _card(scene, draws)
    return Question(kind="suit", text=f"what is the suit of the {name}?", answer=SUIT_WORDS[placed.card[-1]])


def _cards(scene: Scene, split: Split, draws: Draws) -> Question:
    if draws[0] < 0.2:
        noun = _of(("things", *map(plural, SHAPES)), draws[1])
        return Question(kind="count", text=f"how many {noun} are there?", answer=NUMBERS[0])
    return Question(kind="count", text="how many cards are there?", answer=NUMBERS[len(scene.cards)])


def _where(scene: Scene, split: Split, draws: Draws) -> Question:
    placed = _of(scene.cards, draws[0])
    return Question(kind="place", text=f"where is the {card_words(placed.card)}?", answer=CORNERS[placed.cell])


def _is_there(scene: Scene, split: Split, draws: Draws) -> Question:
    """A card by its name, or anything. Half of the cards that are asked for are there; half of those that are not have
    the rank or the suit of one that is."""
    if draws[4] < 0.25:
        noun = CARD if draws[0] < 0.5 else _of(SHAPES, draws[1])
        return _is_any(noun, draws[2] < 0.4, noun == CARD)
    card, there = _of(scene.cards, draws[1]).card, draws[0] >= 0.5
    if not there:
        card = _another(card, scene, split, draws[2:])
    return _is_any(card_words(card), False, there)


def _another(one: str, scene: Scene, split: Split, draws: Draws) -> str:
    """A card that is not there, in half of the cases with the rank or the suit of one that is."""
    there = [placed.card for placed in scene.cards]
    near = [c for c in DECK if (c[:-1] == one[:-1]) != (c[-1] == one[-1])] if draws[0] < 0.5 else DECK
    return _of([c for c in near if c not in there and not _hidden(split, "card", c)], draws[1])


def _card_holds(scene: Scene, split: Split, draws: Draws) -> Question:
    """Whether a card is one, lies at a place, or there are so many: half of the time."""
    placed, name = _card(scene, draws[1:])
    if draws[0] < 0.6:
        card = _another(placed.card, scene, split, draws[3:]) if draws[2] < 0.5 else placed.card
        return _holding(f"is the {name} the {card_words(card)}?", card == placed.card)
    if draws[0] < 0.8:
        name = CARD if len(scene.cards) == 1 and draws[6] < 0.5 else card_words(placed.card)
        return _at(name, placed.cell, [one.cell for one in scene.cards], CORNERS, draws[2:])
    many = len(scene.cards)
    asked = max(many if draws[2] < 0.5 else many + (1 if draws[3] < 0.5 else -1), 2)
    return _holding(f"are there {NUMBERS[asked]} cards?", asked == many)


CARD_KINDS: dict[str, Callable[[Scene, Split, Draws], Question]] = {
    "rank": _rank, "suit": _suit, "count": _cards, "place": _where, "exists": _is_there, "holds": _card_holds,
}  # fmt: skip
