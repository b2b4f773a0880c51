"""A prompt in words, read into what it asks for."""

from __future__ import annotations

import re

from athanor.core.errors import UsageError
from athanor.environments.points.cards import RANKS
from athanor.environments.scenes.spec import GENEVAL, MEANT, Entry, Spec, checked, counting
from athanor.environments.scenes.words import (
    CARD,
    COLOURS,
    CORNERS,
    NUMBERS,
    PLACES,
    RANK_WORDS,
    SHAPES,
    SIZES,
    SUIT_WORDS,
    TEXTURES,
    plural,
)  # fmt: skip

LONGEST = 2_000
"""Characters of a prompt that are read."""


def _any(*words: str) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_NOUNS = {shape: shape for shape in (*SHAPES, CARD)} | {plural(shape): shape for shape in (*SHAPES, CARD)}
_SUITS = {word: suit for suit, word in SUIT_WORDS.items()}
_COUNTS = {"a": 1, "an": 1, "the": 1} | {word: k for k, word in enumerate(NUMBERS)} | {str(k): k for k in range(10)}
_WHERE = rf"(?: (?:at|in|on) the (?P<place>{_any(*PLACES)}))?"
_CARD = re.compile(rf"(?:(?:the|a|an) )?(?P<rank>{_any(*RANK_WORDS)}) of (?P<suit>{_any(*_SUITS)}){_WHERE}(?= |$)")
_THING = re.compile(
    rf"(?:(?P<count>{_any(*_COUNTS)}) )?(?:(?P<size>{_any(*SIZES)}) )?(?:(?P<texture>{_any(*TEXTURES)}) )?"
    rf"(?:(?P<colour>{_any(*COLOURS)}) )?(?P<noun>{_any(*_NOUNS)}){_WHERE}(?= |$)"
)
_LEAD = re.compile(r"(?:(?:draw|show) )?(?:(?:a|an|the) (?:photo|picture|image) (?:of|with) )?")
_JOINT = re.compile(rf" (?:(?P<relation>{_any(*MEANT, 'on the left of', 'on the right of')})|, and|,|and) ")


def read(text: str) -> Spec:
    """What a prompt asks for. UsageError that names what was not understood.

    >>> read("two red circles left of a blue square").include[1].position
    ('left of', 0)
    """
    said = " ".join(re.sub(r"[,]", " , ", text[: LONGEST + 1].lower().strip(" .!\n\t")).split())
    if not said:
        raise UsageError("the prompt is empty; things were expected, such as two red circles left of a blue square")
    if len(text) > LONGEST:
        raise UsageError(
            f"the prompt has {len(text):,} characters, {LONGEST:,} at most were expected; pass a shorter one"
        )
    lead = _LEAD.match(said)
    at, entries, relation = lead.end() if lead else 0, [], None
    while True:
        entry, at = _entry(said, at)
        entries.append(entry)
        if at == len(said):
            break
        joint = _JOINT.match(said, at)
        if joint is None or (joint["relation"] and entries[1:]) or relation:
            raise _unclear(said, at)
        at, relation = joint.end(), joint["relation"]
    if relation:
        entries = [entries[1], _beside(entries[0], MEANT[relation.replace("on the", "to the")])]
    return checked(_tagged(tuple(entries), said))


def _entry(said: str, at: int) -> tuple[Entry, int]:
    found = _CARD.match(said, at)
    if found:
        card = f"{RANKS[RANK_WORDS.index(found['rank'])]}{_SUITS[found['suit']]}"
        return Entry(kind=CARD, card=card, place=_place(found, CORNERS)), found.end()
    found = _THING.match(said, at)
    if found is None:
        raise _unclear(said, at)
    count, kind = _COUNTS[found["count"] or "a"], _NOUNS[found["noun"]]
    entry = Entry(
        kind=kind, count=count, colour=found["colour"], size=found["size"], texture=found["texture"],
        place=_place(found, CORNERS if kind == CARD else PLACES),
    )  # fmt: skip
    return entry, found.end()


def _place(found: re.Match[str], places: tuple[str, ...]) -> str | None:
    place = found["place"]
    if place is not None and place not in places:
        raise UsageError(f"a card at the {place} was asked for, one of {', '.join(places)} was expected")
    return place


def _beside(entry: Entry, relation: str) -> Entry:
    """The first of two entries, with its relation to the other one, which is told after it and stands before it."""
    return Entry(
        kind=entry.kind, count=entry.count, colour=entry.colour, size=entry.size, texture=entry.texture,
        place=entry.place, card=entry.card, position=(relation, 0),
    )  # fmt: skip


def _tagged(entries: tuple[Entry, ...], said: str) -> Spec:
    """With the category that the entries have."""
    first, more = entries[0], entries[1:]
    plain = all(e.size is None and e.texture is None and e.place is None for e in entries)
    coloured, one = [e.colour is not None for e in entries], all(e.count == 1 for e in entries)
    related = any(e.position for e in entries)
    if all(e.kind == CARD for e in entries):
        tag = "cards"
    elif not plain:
        tag = "dense"
    elif not more and first.count > 1 and not coloured[0]:
        return Spec(tag="counting", include=entries, exclude=counting(first.kind, first.count).exclude, prompt=said)
    elif not more and one:
        tag = "colors" if coloured[0] else "single_object"
    elif len(entries) == 2 and one and first.kind != more[0].kind and not any(coloured):
        tag = "position" if related else "two_object"
    else:
        apart = len(entries) == 2 and one and all(coloured) and not related and first.kind != more[0].kind
        tag = "color_attr" if apart else "mixed"
    assert tag in GENEVAL or tag in ("cards", "mixed", "dense")
    return Spec(tag=tag, include=entries, prompt=said)


def _unclear(said: str, at: int) -> UsageError:
    rest = " ".join(said[at:].split()[:6])
    return UsageError(
        f"{rest!r} was not understood in {said[:80]!r}; shapes ({', '.join(SHAPES)}), with a number, size, texture, "
        "colour and place before or after them, joined by `and`, or two of them by `left of`, `right of`, `above` or "
        "`below`, or cards such as `the queen of hearts` were expected"
    )
