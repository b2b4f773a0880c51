"""How a number was made, of the ways in which it can be: what two numbers that are set side by side differ in."""

from __future__ import annotations

from collections.abc import Iterator

from athanor.core.records import Record


class How(Record, kw_only=True):
    """The ways of making a number. Empty: the question does not arise, or the source does not say."""

    table: str = ""
    rules: str = ""
    turns: str = ""
    asked: str = ""
    """How a model was asked: condition, temperature, bound, constraint."""
    fit: str = ""
    """Whether a regression was fitted to one arm alone or pooled over several."""
    formula: str = ""
    nagq: str = ""
    """Points of the quadrature in the mixed model: 0 as published, 1 for the full Laplace approximation."""
    scaled: str = ""
    """Over what a value's standard deviation is one."""
    empowerment: str = ""
    """Where the empowerment of a pair comes from."""


WORLD = {"table": "another world", "rules": "other rules", "turns": "another number of turns"}
"""The ways that make a number one of something else, and what is then said."""
_CALLED = {"nagq": "nAGQ", "scaled": "scaled over", "empowerment": "values of empowerment"}


def another_world(theirs: How, ours: How) -> Iterator[str]:
    """What our number is of another of than the published one, so that their intervals cannot agree or differ.

    >>> list(another_world(How(table="a", turns="500"), How(table="a", turns="20")))
    ['another number of turns']
    """
    for way, said in WORLD.items():
        if getattr(theirs, way) and getattr(ours, way) and getattr(theirs, way) != getattr(ours, way):
            yield said


def apart(theirs: How, ours: How) -> str:
    """In words, each way in which two numbers differ; what the source does not say is told as such.

    >>> apart(How(fit="pooled over all models", nagq="0"), How(fit="the arm alone", nagq="0", asked="T=1"))
    'asked: “T=1” here, not said there; fit: “the arm alone” here, “pooled over all models” there'
    """
    said = []
    for way in How.__struct_fields__:
        there, here = getattr(theirs, way), getattr(ours, way)
        if here and there != here:
            said.append(f"{_CALLED.get(way, way)}: “{here}” here, {f'“{there}” there' if there else 'not said there'}")
    return "; ".join(said)
