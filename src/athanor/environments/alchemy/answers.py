"""How an answer is read: two names joined by a plus, in whatever dress a model gives them. Nothing is evaluated.

A name is taken as it stands between the plus and the next mark of punctuation. Words around it are passed over only
if they lead up to a name ("I combine the ...") or follow one ("... to make steam"); a name that is no element stays
one that is no element, and is never cut down to one that is. What is longer than a name, or has the words of a
sentence, is no name. A chain of three is no answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any
from unicodedata import category

from athanor.core.records import Unreadable
from athanor.environments.alchemy.state import Pair
from athanor.environments.alchemy.table import EDGES

Known = Callable[[str], str]
"""The element that a cleaned name or number stands for; empty if there is none."""


LONGEST = 4_000
"""Characters of an answer that are read at each of its ends."""

MOST = 8
"""Pluses of a line, phrases such as "Answer:", and words that lead up to or follow a name that are tried, at most: a
bound on the time that a hostile answer takes."""

NAME_WORDS, NAME_CHARACTERS = 4, 60
"""An unknown name has at most so many words, and is kept to so many characters."""

_PLUS = re.compile(r"[+＋﹢➕]|(?<=\s)plus(?=\s)")
_TAG = re.compile(r"<\|?[^<>\n]{0,40}\|?>|\\(?:boxed|text\w*|math\w*)\b|\\(?=[\[\](){}$])")
_MARKER = re.compile(
    r"\b(?:(?:final )?answer|i will choose|i will combine|i choose|my choice|combine)\b(?:\s+is\b)?[\s*_`]*[:=\-]?"
)
_BULLET = re.compile(r"^\s*(?:[-*•>]+|\(?\d{1,3}[.)])\s+(?=\S)")
_ASIDE = re.compile(r"\([^()]{0,80}\)")
_BOUND = re.compile(r"[.;!?,](?=\s|$)|:|=|->|→|⇒|[()]|\s[-–—]\s")
_LEAD = re.compile(
    r"\b(?:combin(?:e|ed|es|ing)|choos(?:e|ing)|chose|pick(?:ing)?|select(?:ing)?|try(?:ing)?|tried|test(?:ing)?"
    r"|mix(?:ing)?|merg(?:e|ing)|us(?:e|ing)|attempt(?:ing)?|add(?:ing)?|answer|choice|(?:pair|combination)(?: of)?"
    r"|is|are|be|with|by|say|go|suggest|propose|about|like|therefore|thus|hence|so|then|now|next|but)\s"
)
_TAIL = re.compile(
    r"\s(?:to (?:make|get|create|form|produce|see|find|discover|try|obtain)|because|since|as (?:it|they|my|the)"
    r"|so (?:i|we|that)|and (?:see|then|hope)|for (?:my|this|now|the (?:next|first))|in (?:this|order|my)"
    r"|which|that (?:is|could|might|may|would|should|makes)|i|we|is|are|would|will|should|might|may|could|can"
    r"|looks?|seems?|makes?|gives?|yields?|creates?|produces?|results?|becomes?"
    r"|again|next|now|please|together|first|instead|too|elements?)\b"
)
_ARTICLE = re.compile(r"^(?:(?:the|an?|some|my|your|our)\s+|(?:two |both )?elements?\s+)+")
_JOINER = re.compile(r"\s(?:and|with|&)\s|\s*[,;&/|]\s*")
_WORD = re.compile(r"\s(?:and|with|&)\s")
_END = re.compile(r"=|->|→|⇒|\.\s|\bmakes\b|\bto (?:make|get|create)\b")
_KEY = re.compile(r"first\w*|second\w*|(?:element|ingredient|item|name)?[_ ]?(?:a|b|one|two|1|2)")
_FLAT = re.compile(r"\{[^{}]{1,400}\}|\[[^\[\]]{1,400}\]")

_PROSE = re.compile(
    r"i|you|we|it|they|he|she|me|my|your|our|their|its|is|are|was|were|am|be|been|being|have|has|had|do|does|"
    r"did|can|could|will|would|should|may|might|must|shall|not|no|none|nothing|any|every|and|or|but|if|because|"
    r"since|so|that|this|these|those|there|which|what|who|when|why|how|with|without|by|from|already|combine|"
    r"combined|combining|try|tried|trying|joined|make|makes|made|making|get|gets|got|getting|give|gives|given|"
    r"rather|than|work|works|worked|fail|fails|failed|\w+n['’]t|(?:it|let|that|there)['’]s|(?:i|we|you|they)['’]\w+"
)
"""Words that a sentence has and an element's name has not."""


def read(reply: str, known: Known, *, last: bool) -> Pair | Unreadable:
    """The first (or last) pair of names in a reply; what follows a phrase such as "Answer:" goes before all else."""
    text = reply if len(reply) <= 2 * LONGEST else f"{reply[:LONGEST]}\n{reply[-LONGEST:]}"
    text = _TAG.sub(" ", _bare(text.casefold()))
    if not text.strip():
        return Unreadable(unreadable="the answer is empty")
    for marker in reversed(list(_MARKER.finditer(text))[-MOST:]):
        pair = _pair(text[marker.end() :], known, last=False)
        if pair:
            return pair
    pair = _pair(text, known, last=last)
    if pair:
        return pair
    chained = any(_chained(_PLUS.split(line), known) for line in text.split("\n"))
    return Unreadable(
        unreadable="more than two names are joined by +" if chained else "no two elements joined by + were found"
    )


def _pair(text: str, known: Known, *, last: bool) -> Pair | None:
    found = [pair for line in text.split("\n") for pair in _joined_by_plus(line, known)]
    found = found or list(_in_json(text, known))
    if not found and not _PLUS.search(text):
        found = list(_joined_otherwise(text, known, last=last))
    return found[-1 if last else 0] if found else None


def _joined_by_plus(line: str, known: Known) -> Iterator[Pair]:
    parts = _PLUS.split(line)
    if _chained(parts, known):
        return
    for left, right in pairwise(parts):
        first, second = _name(_before(left), known), _name(_after(right), known)
        if first and second:
            yield Pair(first=first, second=second)


def _chained(parts: list[str], known: Known) -> bool:
    """Whether a name stands between two pluses, with something on its other sides."""
    while len(parts) > 2 and not parts[-1].strip(EDGES):
        parts = parts[:-1]
    return len(parts) > MOST or any(
        not _BOUND.search(part.strip(EDGES)) and _name([part], known) for part in parts[1:-1]
    )


def _in_json(text: str, known: Known) -> Iterator[Pair]:
    """Pairs given as a flat JSON list of two names, or as an object with two values or two that say they are one."""
    for flat in _FLAT.finditer(text):
        try:
            value: Any = json.loads(flat.group())
        except ValueError:
            continue
        if isinstance(value, dict):
            keyed = [inner for key, inner in value.items() if _KEY.fullmatch(key)]
            value = keyed if len(keyed) == 2 else list(value.values())
        names = [name for name in (_name([str(inner)], known) for inner in value) if name]
        if len(value) == len(names) == 2:
            yield Pair(first=names[0], second=names[1])


def _joined_otherwise(text: str, known: Known, *, last: bool) -> Iterator[Pair]:
    """Two elements joined by "and", "with" or a comma: both must be known, as those join other things too."""
    lines = [line for line in text.split("\n") if line.strip(EDGES)]
    for line in lines[-1:] if last else lines[:1]:
        for joiner in islice(_WORD.finditer(line), MOST):
            left = _before(line[: joiner.start()])
            first = _element([left[0], *left[2:]], known)  # what merely follows a comma is an item of a list
            second = _element(_after(line[joiner.end() :]), known)
            if first and second:
                yield Pair(first=first, second=second)
        parts = [part for part in _JOINER.split(_END.split(line)[0]) if part.strip(EDGES)]
        if len(parts) == 2:
            first, second = _element(_before(parts[0]), known), _element(_after(parts[1]), known)
            if first and second:
                yield Pair(first=first, second=second)


def _before(part: str) -> list[str]:
    """What may be the name at the end of a part, longest first."""
    part = _ASIDE.sub(" ", _BULLET.sub("", part))
    piece = _BOUND.split(part.rstrip(EDGES))[-1]
    return [part, piece, *(piece[lead.end() :] for lead in list(_LEAD.finditer(piece))[-MOST:])]


def _after(part: str) -> list[str]:
    """What may be the name at the start of a part, longest first."""
    piece = _BOUND.split(part.lstrip(EDGES))[0]
    return [part, piece, *(piece[: tail.start()] for tail in reversed(list(islice(_TAIL.finditer(piece), MOST))))]


def _name(pieces: list[str], known: Known) -> str:
    """The element that a piece is; else the shortest piece as a name that is no element; empty if it is none."""
    element = _element(pieces, known)
    if element:
        return element
    words = _ARTICLE.sub("", _clean(pieces[-1])).split()
    if not 1 <= len(words) <= NAME_WORDS or any(_PROSE.fullmatch(word.strip(EDGES)) for word in words):
        return ""
    name = " ".join(words)[:NAME_CHARACTERS].strip(EDGES)
    return "" if name in ("a", "an", "the") else name


def _element(pieces: list[str], known: Known) -> str:
    for piece in pieces:
        name = _clean(piece)
        element = known(name) or known(_ARTICLE.sub("", name).strip(EDGES))
        if element:
            return element
    return ""


def _bare(text: str) -> str:
    """Text without pictures and invisible characters, with which models dress names; a plus may be a picture."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\n\t➕" or category(c) not in ("So", "Sk", "Cf", "Cc", "Mn") else " " for c in text)


def _clean(piece: str) -> str:
    return " ".join(piece.strip(EDGES).split())
