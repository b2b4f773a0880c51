"""A prompt as questions with dependencies, in the form of DPG-Bench, and their exact answers about a picture.

Hu et al. 2024 (ELLA) ask a model of images each question, and count a question as answered no where one that it depends
on was: whether the circle is red is not asked of a picture without a circle. Here the exact judge answers.
"""

from __future__ import annotations

from athanor.core.records import Record
from athanor.environments.scenes.rules import assigned, relations
from athanor.environments.scenes.seeing import Found, Sight
from athanor.environments.scenes.spec import Entry, Spec
from athanor.environments.scenes.words import NUMBERS, article, card_words, plural


class Proposition(Record, kw_only=True):
    """One question about a prompt's picture, to be answered with yes."""

    id: int
    """From 1, in the order of the prompt."""
    parents: tuple[int, ...]
    """Propositions that have to hold for this one to be asked; they come before it."""
    broad: str
    """entity, attribute, relation or other."""
    detailed: str
    """whole; color, size, texture, other; spatial; count."""
    content: str
    """For example `color (circle, red)`."""
    question: str
    entry: int
    """Index of the entry that it is about."""
    field: str
    """What decides it: `there`, `count`, `position`, or a field of what was found."""
    value: str = ""


def propositions(spec: Spec) -> tuple[Proposition, ...]:
    """All that a prompt says, one at a time.

    >>> two = Entry(kind="circle", colour="red", count=2)
    >>> [one.question for one in propositions(Spec(tag="mixed", include=(two,)))]
    ['are there circles?', 'are the circles red?', 'are there two circles?']
    """
    made: list[Proposition] = []
    whole: dict[int, int] = {}
    for index, entry in enumerate(spec.include):
        name, is_ = _name(entry), "is" if entry.count == 1 else "are"
        asked = f"is there {article(name)} {name}?" if entry.count == 1 else f"are there {name}?"
        whole[index] = len(made) + 1
        rows = [("entity", "whole", f"whole ({name})", asked, "there", "")]
        for detailed, field in (("color", "colour"), ("size", "size"), ("texture", "texture")):
            value = getattr(entry, field)
            if value:
                rows.append(
                    ("attribute", detailed, f"{detailed} ({name}, {value})", f"{is_} the {name} {value}?", field, value)
                )
        if entry.card:
            card = f"the {card_words(entry.card)}"
            rows.append(("attribute", "other", f"other (card, {card})", f"is the card {card}?", "card", entry.card))
        if entry.place:
            rows.append(("relation", "spatial", f"spatial ({name}, at the {entry.place})",
                         f"{is_} the {name} at the {entry.place}?", "place", entry.place))  # fmt: skip
        if entry.count > 1:
            many = NUMBERS[entry.count]
            rows.append(("other", "count", f"count ({name} == {many})", f"are there {many} {name}?", "count", ""))
        for row in rows:
            parents = () if row[4] == "there" else (whole[index],)
            made.append(_proposition(len(made) + 1, parents, index, row))
    for index, entry in enumerate(spec.include):
        if entry.position:
            relation, to = entry.position
            name, other, is_ = _name(entry), _name(spec.include[to]), "is" if entry.count == 1 else "are"
            row = ("relation", "spatial", f"spatial ({name}, {other}, {relation})",
                   f"{is_} the {name} {relation} the {other}?", "position", relation)  # fmt: skip
            made.append(_proposition(len(made) + 1, (whole[index], whole[to]), index, row))
    return tuple(made)


def _name(entry: Entry) -> str:
    return entry.kind if entry.count == 1 else plural(entry.kind)


def _proposition(
    number: int, parents: tuple[int, ...], entry: int, row: tuple[str, str, str, str, str, str]
) -> Proposition:
    broad, detailed, content, question, field, value = row
    return Proposition(id=number, parents=parents, broad=broad, detailed=detailed, content=content, question=question,
                       entry=entry, field=field, value=value)  # fmt: skip


def answers(spec: Spec, sight: Sight) -> dict[int, bool]:
    """Whether each proposition holds of a picture, by id; without regard to its parents."""
    groups = assigned(spec, sight.found)
    return {one.id: _holds(one, spec, groups, sight) for one in propositions(spec)}


def _holds(one: Proposition, spec: Spec, groups: list[list[Found]], sight: Sight) -> bool:
    entry, ours = spec.include[one.entry], groups[one.entry]
    if one.field == "there" or not ours:
        return bool(ours)
    if one.field == "count":
        alike = [other for other in spec.include if other.kind == entry.kind]
        many = sum(found.kind == entry.kind for found in sight.found)
        return len(ours) == entry.count and many == sum(other.count for other in alike)
    if one.field == "position" and entry.position:
        theirs = groups[entry.position[1]]
        return bool(theirs) and all(one.value in relations(a.box, b.box) for a in ours for b in theirs)
    return all(getattr(found, one.field) == one.value for found in ours)


def dpg(spec: Spec, sight: Sight) -> float:
    """Share of a prompt's questions that are answered yes, those without their parents as no: 0 to 1."""
    held = answers(spec, sight)
    for one in propositions(spec):  # parents come before their children, so zeros cascade
        held[one.id] = held[one.id] and all(held[parent] for parent in one.parents)
    return sum(held.values()) / len(held)


def rows(item: str, spec: Spec) -> tuple[dict[str, str], ...]:
    """A prompt's lines in DPG-Bench's table, by its columns."""
    return tuple(
        {
            "item_id": item, "text": spec.prompt, "keywords": "", "proposition_id": str(one.id),
            "dependency": ",".join(map(str, one.parents)) or "0", "category_broad": one.broad,
            "category_detailed": one.detailed, "tuple": f"{one.broad} - {one.content}",
            "question_natural_language": f"{one.question[0].upper()}{one.question[1:]}",
        }
        for one in propositions(spec)
    )  # fmt: skip
