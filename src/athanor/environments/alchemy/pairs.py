"""The pairs in an answer, in whatever dress a model gives them, each with how it stands there.

Two names joined by a plus are a pair; so are two values of JSON, two that are called the first and the second, and, if
both are elements, two lines of one each and two joined by "and", "with", a comma or another sign. A chain of three
names is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from athanor.environments.alchemy.clauses import Standing, label_of, marked, standing
from athanor.environments.alchemy.names import (
    BULLET,
    MOST,
    Known,
    Name,
    element,
    left_of,
    name_of,
    only_a_name,
    right_of,
)
from athanor.environments.alchemy.state import Pair
from athanor.environments.alchemy.table import EDGES

PLUS = re.compile(r"[+➕]|(?<=\s)plus(?=\s)")

_CHAIN = "more than two names are joined by +"
_SEVERAL = "there are several pairs and no choice among them"
_SIGNS = ("+", "➕")
_WITH = r"(?:(?:combined|mixed|merged|paired|together) )?with"
_JOINER = re.compile(rf"\s(?:and|{_WITH}|&)\s|\s*[,;&/|]\s*")
_SIGN = re.compile(rf"\s(?:and|{_WITH}|x|\*|[-–—])\s|\s*[,;&/|×]\s*")
_WORD = re.compile(rf"\s(?:and|{_WITH}|&)\s")
_OR = re.compile(r"\s(?:or|and|nor|vs\.?|versus)\s")
_ITSELF = re.compile(r"\s*itself\b")
_END = re.compile(r"=|->|→|⇒|\.\s|\bmakes\b|\bto (?:make|get|create)\b")
_ITEM = re.compile(r"\s*(?:[-*•+]|\d{1,3}[.)])\s*")
_OBJECT, _LIST = re.compile(r"\{[^{}]{1,400}\}"), re.compile(r"\[[^\[\]]{1,400}\]")
_FIELD = re.compile(r"[\"'](\w[\w -]{0,40})[\"']\s*:")
_KEY = re.compile(r"first\w*|second\w*|(?:element|ingredient|item|name)?[_ ]?(?:a|b|one|two|1|2)")
_CALLED = re.compile(
    r"\b(?:(first|1st|second|2nd)(?:[ _](?:element|ingredient|item|name))?"
    r"|(?:element|ingredient|item|name)[ _#]{0,2}([ab]|one|two|[0-9]{1,3}))[\"'*_` ]{0,4}(?:[:=]|\bis\b)"
    r"[\"'*_` ]{0,4}([^\n,;.:=+➕]{1,60}?)(?= and (?:the )?(?:second|2nd|element|ingredient|item)\b|[\n,;.:=]|$)"
)
_ORDER = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "a": 1, "b": 2, "one": 1, "two": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an answer under the heading above it."""

    number: int
    text: str
    heading: str = ""
    first: bool = False
    """Whether it is the first one under its heading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A pair, or what stands for one and is none, where it was found."""

    pair: Pair | None
    line: int
    standing: Standing
    fault: str = ""
    """Why it is no pair."""
    settled: bool = True
    """Whether it is called the answer or has a line to itself, so that what comes after would not undo it."""


def lines_of(text: str, known: Known) -> list[Line]:
    """The lines that are not blank. One that a plus ends or begins is joined to what it goes on with."""
    lines: list[Line] = []
    heading, used, listed, gap = "", False, False, False
    for number, line in enumerate(text.split("\n")):
        if not line.strip():
            gap = True
            continue
        if lines and _goes_on(lines[-1].text, line, known):
            last = lines[-1]
            lines[-1] = Line(number=last.number, text=f"{last.text} {line}", heading=last.heading, first=last.first)
            continue
        label = "" if PLUS.search(line) else label_of(line)
        bulleted = bool(BULLET.match(line))
        if label or (used and not bulleted and (listed or gap)):
            heading, used = label, False
        lines.append(Line(number=number, text=line, heading="" if label else heading, first=not used))
        used, listed, gap = used or not label, bulleted, False
    return lines


def joined_by_plus(lines: list[Line], known: Known) -> Iterator[Found]:
    """Pairs that a plus joins, chains of names, and what a plus ends."""
    for line in lines:
        pluses = list(islice(PLUS.finditer(line.text), MOST + 1))
        parts = PLUS.split(line.text) if pluses else []
        if fault := _fault(parts, known):
            alone = all(only_a_name(BULLET.sub("", part), known) for part in parts if part.strip(EDGES))
            meant = _stands(line, pluses[0].start(), len(line.text), alone)
            yield Found(pair=None, line=line.number, standing=meant, fault=fault)
            continue
        for plus, (left, right) in zip(pluses, pairwise(parts), strict=False):
            first, second = left_of(left, known), right_of(right, known)
            if not first or not second:
                if _one_of_several(left, right, known):
                    yield Found(pair=None, line=line.number, standing=Standing.REJECTED, fault=_SEVERAL)
                continue
            alone = first.whole and second.whole and len([p for p in parts if p.strip(EDGES)]) == 2
            found = _found(line, first, second, plus.span(), alone=alone)
            listed = _more(line.text[: plus.start() - first.width], line.text[plus.end() + second.width :], known)
            yield Found(pair=None, line=line.number, standing=found.standing, fault=_CHAIN) if listed else found


def in_json(text: str, known: Known) -> Iterator[Found]:
    """Pairs given as a flat JSON list of two names, or as an object with two values or two that say they are one."""
    for flat in (*_OBJECT.finditer(text), *_LIST.finditer(text)):
        try:
            value: Any = json.loads(flat.group())
        except ValueError:
            continue
        if isinstance(value, dict):
            keyed = [inner for key, inner in value.items() if _KEY.fullmatch(key)]
            value = keyed if len(keyed) == 2 else list(value.values())
        told = [str(inner) for inner in value if isinstance(inner, (str, int))]
        names = [name for name in (name_of(inner, known) for inner in told) if name]
        if len(value) == len(names) == 2:
            fields = _FIELD.findall(text, max(0, flat.start() - 200), flat.start())
            field = fields[-1].replace("_", " ") if fields else ""
            meant = standing("", "", field, alone=True, listing=True)
            line = text.count("\n", 0, flat.start())
            yield Found(pair=Pair(first=names[0], second=names[1]), line=line, standing=meant)


def called_first_and_second(lines: list[Line], known: Known) -> Iterator[Found]:
    """Pairs whose names are called the first and the second, or element 1 and element 2, and no third."""
    called = [
        (line, int(_ORDER.get(word, word)), found)
        for line in lines
        for found in islice(_CALLED.finditer(line.text), MOST)
        for word in [found[1] or found[2]]
    ]
    for place, ((line, one, first), (_, two, second)) in enumerate(pairwise(called)):
        third = place + 2 < len(called) and called[place + 2][1] == 3
        names = [name.text for name in (right_of(found[3], known) for found in (first, second)) if name]
        if (one, two) == (1, 2) and not third and len(names) == 2:
            meant = _stands(line, first.start(), len(line.text), alone=True)
            yield Found(pair=Pair(first=names[0], second=names[1]), line=line.number, standing=meant)


def on_two_lines(lines: list[Line], known: Known) -> Iterator[Found]:
    """Two lines in a row that are an element each, and no third, nor the sign of one that was cut off."""
    run: list[tuple[Line, str]] = []
    for line in [*lines, Line(number=-1, text="")]:
        said = BULLET.sub("", line.text)
        name = element(said if run else said.rpartition(":")[2], known)
        if name:
            run.append((line, name))
            continue
        if len(run) == 2 and not _ITEM.fullmatch(line.text):
            (start, first), (_, second) = run
            meant = _stands(start, start.text.rfind(":") + 1, len(start.text), alone=True, listing=True)
            yield Found(pair=Pair(first=first, second=second), line=start.number, standing=meant)
        run = []


def joined_otherwise(lines: list[Line], known: Known, *, prose: Line | None) -> Iterator[Found]:
    """Two elements joined by "and", "with", a comma or another sign: both must be known, as those join other things
    too. What is neither alone nor chosen counts on the line `prose` only."""
    for line in lines:
        for found in (*_by_sign(line, known), *_by_word(line, known)):
            if line is prose or found.standing >= Standing.ALONE:
                yield found


def _by_sign(line: Line, known: Known) -> Iterator[Found]:
    """A line that has nothing but two elements, its heading aside."""
    start = line.text.rfind(":") + 1
    parts = [part for part in _SIGN.split(BULLET.sub("", line.text[start:])) if part.strip(EDGES)]
    names = [element(part, known) for part in parts] if len(parts) == 2 else [""]
    if all(names):
        meant = _stands(line, start, len(line.text), alone=True, listing=True)
        yield Found(pair=Pair(first=names[0], second=names[1]), line=line.number, standing=meant)


def _by_word(line: Line, known: Known) -> Iterator[Found]:
    """Two elements in a sentence that "and" or "with" joins, or any sign if it is the only one of its line."""
    joined = list(islice(_WORD.finditer(line.text), MOST))
    said = _END.split(line.text)[0]
    signs = islice(_JOINER.finditer(said), MOST)
    only = [sign for sign in signs if said[: sign.start()].strip(EDGES) and said[sign.end() :].strip(EDGES)]
    joined += only if len(only) == 1 else []
    for word in joined:
        left, right = line.text[: word.start()], line.text[word.end() :]
        first, second = left_of(left, known), right_of(right, known)
        if first and (same := _ITSELF.match(right)):
            second = Name(text=first.text, width=same.end(), whole=same.end() == len(right.rstrip(EDGES)))
        if not first or not second or not element(first.text, known) or not element(second.text, known):
            continue
        before = left[: len(left) - first.width]
        if not before.rstrip().endswith(",") and not _more(before, right[second.width :], known):
            yield _found(line, first, second, word.span(), alone=first.whole and second.whole, listing=True)


def _more(before: str, after: str, known: Known) -> bool:
    """Whether a list of elements goes on to the pair, or goes on after it."""
    earlier, later = _JOINER.split(before), _JOINER.split(after, maxsplit=2)
    if len(later) > 1 and not later[0].strip(EDGES) and element(later[1], known):
        return True
    if len(earlier) < 2 or earlier[-1].strip(EDGES):
        return False
    name = left_of(earlier[-2], known) if before.rstrip()[-1:].isalpha() else None  # "and", "with"
    return bool(element(name.text if name else earlier[-2], known))


def _found(
    line: Line, first: Name, second: Name, span: tuple[int, int], *, alone: bool, listing: bool = False
) -> Found:
    start, end = span[0] - first.width, span[1] + second.width
    own = alone and not BULLET.match(line.text)
    settled = own or marked(line.text[:start], line.heading if line.first else "")
    return Found(
        pair=Pair(first=first.text, second=second.text),
        line=line.number,
        standing=_stands(line, start, end, alone, listing),
        settled=settled,
    )


def _stands(line: Line, start: int, end: int, alone: bool, listing: bool = False) -> Standing:
    """The standing of what is between two places of a line. A heading that announces a choice is for its first line."""
    before, after = BULLET.sub("", line.text[:start]), line.text[end:]
    meant = standing(before, after, line.heading, alone=alone, listing=listing)
    if meant > Standing.ALONE and line.heading and not line.first:
        return min(meant, standing(before, after, "", alone=alone, listing=listing))
    return meant


def _one_of_several(left: str, right: str, known: Known) -> bool:
    """Whether a plus would join two elements but for another pair beside: ink + pen or pen + pen."""
    first, second = left_of(_OR.split(left)[-1], known), right_of(_OR.split(right)[0], known)
    return bool(first and second and element(first.text, known) and element(second.text, known))


def _fault(parts: list[str], known: Known) -> str:
    """Why the parts between pluses are no pair: a name stands between two of them, or nothing after the only one."""
    if len(parts) == 2 and not parts[1].strip(EDGES) and left_of(parts[0], known):
        return "nothing stands after the +"
    while len(parts) > 2 and not parts[-1].strip(EDGES):
        parts = parts[:-1]
    while len(parts) > 2 and not parts[0].strip(EDGES):
        parts = parts[1:]
    chained = len(parts) > MOST or any(only_a_name(part, known) for part in parts[1:-1])
    return _CHAIN if chained else ""


def _goes_on(line: str, following: str, known: Known) -> bool:
    """Whether a plus between two lines joins them: it is at the edge of one, and an element is at that of the other."""
    ended, begun = line.rstrip(EDGES), following.lstrip(EDGES)
    if len(parts := PLUS.split(line, maxsplit=MOST + 1)) > MOST:
        return False
    if ended[-1:] in _SIGNS:
        name = right_of(PLUS.split(begun, maxsplit=1)[0], known)
    else:
        name = left_of(parts[-1], known) if begun[:1] in _SIGNS else None
    return bool(name and element(name.text, known))
