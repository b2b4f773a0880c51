"""Questions about a scene, in words, with the one right answer.

Every question has one answer whatever is in the picture beside: `the circle` is asked of only where there is one.
In training nothing is asked that names a held-out combination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from athanor.core.errors import UsageError
from athanor.core.records import Record
from athanor.environments.points.cards import DECK, RANKS
from athanor.environments.scenes.layouts import mainly
from athanor.environments.scenes.scene import Placed, Scene, Style, Thing
from athanor.environments.scenes.splits import MOST_COUNTED, Split, held
from athanor.environments.scenes.words import (
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
    """count, color, shape, place, exists, position, size, texture; of cards rank, suit, count, place, exists."""
    text: str
    answer: str


Draws = Sequence[float]
"""Uniform numbers in [0, 1), `DRAWS` of them: all chance in a question."""
DRAWS = 8


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
    if question.startswith("how many"):
        many = NUMBERS.index(answer)
        return bool(shapes) and 2 <= many <= MOST_COUNTED and held("count", shapes[0], many)
    if shapes and colours:
        return held("pair", shapes[0], colours[0])
    return any(held("card", card) for card in DECK if f" {card_words(card)}" in question)


def _of(names: Sequence, draw: float):
    return names[int(draw * len(names))]


def _unique(scene: Scene) -> list[Thing]:
    """Things whose shape no other has."""
    shapes = [thing.shape for thing in scene.things]
    return [thing for thing in scene.things if shapes.count(thing.shape) == 1]


def _count(scene: Scene, style: Style, split: Split, draws: Draws) -> Question:
    there = _of(scene.things, draws[1])
    if draws[0] < 0.5:
        shape = there.shape if draws[2] < 0.8 else _of(style.shapes, draws[3])
        many, asked = sum(thing.shape == shape for thing in scene.things), plural(shape)
    elif draws[0] < 0.8:
        colour = there.colour if draws[2] < 0.8 else _of(style.colours, draws[3])
        many, asked = sum(thing.colour == colour for thing in scene.things), f"{colour} things"
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
    looks = [(thing.colour, thing.shape) for thing in scene.things]
    unique, shapes = [thing for thing in scene.things if looks.count((thing.colour, thing.shape)) == 1], _unique(scene)
    if not unique:
        return None
    thing = _of(unique, draws[0])
    name = thing.shape if thing in shapes else f"{thing.colour} {thing.shape}"
    return Question(kind="place", text=f"where is the {name}?", answer=PLACES[thing.cell])


def _exists(scene: Scene, style: Style, split: Split, draws: Draws) -> Question | None:
    """Half of what is asked for is there; half of the rest has a shape and a colour that are, on different things."""
    there = {(thing.shape, thing.colour) for thing in scene.things}
    if draws[0] < 0.5:
        thing = _of(scene.things, draws[1])
        shape, colour, answer = thing.shape, thing.colour, "yes"
    else:
        crossed = [(a.shape, b.colour) for a in scene.things for b in scene.things]
        every = [(shape, colour) for shape in style.shapes for colour in style.colours]
        absent = [pair for pair in (crossed if draws[1] < 0.5 else every) if pair not in there]
        absent = absent or [pair for pair in every if pair not in there]
        absent = [pair for pair in absent if not _hidden(split, "pair", *pair)]
        if not absent:
            return None
        (shape, colour), answer = _of(absent, draws[2]), "no"
    return Question(kind="exists", text=f"is there {article(colour)} {colour} {shape}?", answer=answer)


def _position(scene: Scene, style: Style, split: Split, draws: Draws) -> Question | None:
    unique = _unique(scene)
    pairs = [
        (a, b, relation) for a in unique for b in unique for relation in RELATIONS
        if a is not b and mainly(relation, a.cell, b.cell)
    ]  # fmt: skip
    if not pairs:
        return None
    one, other, holds = _of(pairs, draws[0])
    relation, answer = holds, "yes"
    if draws[1] < 0.5:
        relation, answer = CONVERSE[holds] if draws[2] < 0.5 else _across(holds, draws[3]), "no"
    if _hidden(split, "relation", one.shape, relation, other.shape):
        return None
    return Question(kind="position", text=f"is the {one.shape} {relation} the {other.shape}?", answer=answer)


def _across(relation: str, draw: float) -> str:
    return _of(RELATIONS[2:] if relation in RELATIONS[:2] else RELATIONS[:2], draw)


def _hidden(split: Split, kind: str, *combination: str) -> bool:
    return split.part == "train" and kind in split.kinds and held(kind, *combination)  # pyright: ignore[reportArgumentType]


KINDS: dict[str, Callable[[Scene, Style, Split, Draws], Question | None]] = {
    "count": _count, "color": _colour, "shape": _shape, "place": _place, "exists": _exists, "position": _position,
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
    return Question(kind="count", text="how many cards are there?", answer=NUMBERS[len(scene.cards)])


def _where(scene: Scene, split: Split, draws: Draws) -> Question:
    placed = _of(scene.cards, draws[0])
    return Question(kind="place", text=f"where is the {card_words(placed.card)}?", answer=CORNERS[placed.cell])


def _is_there(scene: Scene, split: Split, draws: Draws) -> Question:
    """Half of what is asked for is there; half of what is not has the rank or the suit of one that is."""
    there, one = [placed.card for placed in scene.cards], _of(scene.cards, draws[1]).card
    card, answer = one, "yes"
    if draws[0] < 0.5:
        near = [c for c in DECK if (c[:-1] == one[:-1]) != (c[-1] == one[-1])] if draws[2] < 0.5 else DECK
        absent = [c for c in near if c not in there and not _hidden(split, "card", c)]
        card, answer = _of(absent, draws[3]), "no"
    words = card_words(card)
    return Question(kind="exists", text=f"is there {article(words)} {words}?", answer=answer)


CARD_KINDS: dict[str, Callable[[Scene, Split, Draws], Question]] = {
    "rank": _rank, "suit": _suit, "count": _cards, "place": _where, "exists": _is_there,
}  # fmt: skip
