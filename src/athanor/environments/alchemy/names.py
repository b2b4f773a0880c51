"""The names in an answer: what beside a plus may be one, and what it stands for. Nothing is evaluated.

A name is taken as it stands between the plus and the next mark of punctuation. Words around it are passed over only
if they lead up to a name ("I combine the ...") or follow one ("... to make steam"); a name that is no element stays
one that is no element, and is never cut down to one that is. What is longer than a name, or has the words of a
sentence, is no name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from unicodedata import category

from athanor.environments.alchemy.table import EDGES

Known = Callable[[str], str]
"""The element that a cleaned name or number stands for; empty if there is none."""

MOST = 8
"""Pluses of a line, and words that lead up to or follow a name, that are tried, at most: a bound on the time that a
hostile answer takes."""

NAME_WORDS, NAME_CHARACTERS = 4, 60
"""An unknown name has at most so many words, and is kept to so many characters."""

CUT = "␄"
"""Stands at the end of a text that was cut within a word, or after one or a plus. No answer has it: it is a picture."""

BULLET = re.compile(r"^\s*(?:[-*•>]+|\(?\d{1,3}[.)])\s+(?=\S)")
_WIDE = str.maketrans("：，；（）！？。、＋﹢「」『』", ':,;()!?.,++""""')
"""The signs of East Asian text, by what they are."""

_ASIDE = re.compile(r"\([^()]{0,80}\)")
_BOUND = re.compile(r"[.;!?,](?=[\s\"']|$)|:|=|->|→|⇒|[()]|\s(?:[-–—]{1,3}|//|#)\s")
_REMARK = re.compile(r"\s(?://|#)\s.*")
_LEAD = re.compile(
    r"^\s*(?:and|but)\s"
    r"|\b(?:i|we|ll|d|to|will|would|should|could|can|may|might|let['’]?s|me|us|then|now|next|just|and) (?:test|go)\s"
    r"|\b(?:combin(?:e|ed|es|ing)|choos(?:e|ing)|chosen?|pick(?:ing)?|select(?:ing)?|try(?:ing)?|tried"
    r"|testing|mix(?:ing)?|merg(?:e|ing)|us(?:e|ing)|attempt(?:ing)?|add(?:ing)?|consider(?:ed|ing)?|do|answer"
    r"|choice|(?:pair|combination)(?: of)?|is|are|be|with|by|say|think|suggest|propose|about|like|therefore|thus|hence"
    r"|so|then|now|next|but|maybe|perhaps|possibly|probably|earlier|previously|already"
    r"|(?:it|that)['’]s|why (?:not|do(?: not|n['’]t) (?:i|we)))\s"
)
_TAIL = re.compile(
    r"\s(?:to (?:make|get|create|form|produce|see|find|discover|try|obtain)|because|since|as (?:it|they|my|the)"
    r"|so (?:i|we|that)|and (?:see|then|hope)|for (?:my|this|now|the (?:next|first))|in (?:this|order|my)"
    r"|which|that (?:is|could|might|may|would|should|makes)|rather than|it is|(?:has|have) (?:been|not|already)"
    r"|i|we|is|are|was|were|cannot|\w{2,6}n['’]t"
    r"|(?:would|will|should|might|may|could|can|did|does) (?:not|be|make|give|produce|create|form|yield|become|work"
    r"|result|lead|have|also|probably|likely)|looks?|seems?|makes?|gives?|yields?|creates?|produces?|results?|becomes?"
    r"|made|gave|work(?:s|ed)|failed|earlier|before|already|yet"
    r"|again|next|now|please|together|first|instead|too|elements?)\b"
)
_ARTICLE = re.compile(r"^(?:(?:the|an?|some|my|your|our)\s+|(?:two |both )?elements?\s+)+")
_PROSE = re.compile(
    r"i|you|we|it|they|he|she|me|my|your|our|their|its|is|are|was|were|am|be|been|being|have|has|had|do|does|"
    r"did|can|could|will|would|should|may|might|must|shall|not|no|none|nothing|any|every|and|or|but|if|because|"
    r"since|so|that|this|these|those|there|which|what|who|when|why|how|with|without|by|from|already|combine|"
    r"combined|combining|try|tried|trying|joined|make|makes|made|making|get|gets|got|getting|give|gives|given|"
    r"rather|than|work|works|worked|fail|fails|failed|earlier|previously|cannot|elements?|others?|\w+n['’]t|"
    r"(?:it|let|that|there)['’]s|(?:i|we|you|they)['’]\w+"
)
"""Words that a sentence has and an element's name has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """What is named on one side of a plus."""

    text: str
    """An element, or a name that is none."""
    width: int
    """Characters of the line that it takes, counted from the plus."""
    whole: bool
    """Whether nothing but the name is on its side, a heading before a colon aside."""


def plain(text: str) -> str:
    """Text in small letters without pictures and invisible characters, with which models dress names; a plus may be a
    picture."""
    text = text.casefold()
    if text.isascii() and text.isprintable():
        return text
    text = text.translate(_WIDE)
    return "".join(c if c in "\n\t➕" or category(c) not in ("So", "Sk", "Cf", "Cc", "Mn") else " " for c in text)


def left_of(part: str, known: Known) -> Name | None:
    """The name at the end of a part."""
    part = BULLET.sub(_blanks, part)
    name = _left_of(part, _ASIDE.sub(_blanks, part).rstrip(EDGES), known)
    return name or (_left_of(part, part.rstrip(EDGES), known) if ")" in part else None)  # "(ink) + (pen)"


def _left_of(part: str, ended: str, known: Known) -> Name | None:
    if part[len(ended) :].lstrip("\"'`*_ ").startswith(":"):
        return None  # "Combination: +1": a heading is no name
    piece = _BOUND.split(ended)[-1]
    pieces = [ended, piece, *(piece[lead.end() :] for lead in list(_LEAD.finditer(piece))[-MOST:])]
    return _name(pieces, known, side=ended.rpartition(":")[2], gap=len(part) - len(ended))


def right_of(part: str, known: Known) -> Name | None:
    """The name at the start of a part."""
    begun = part.lstrip(EDGES)
    piece = _BOUND.split(begun)[0]
    tails = reversed(list(islice(_TAIL.finditer(piece), MOST)))
    pieces = [begun, piece, *(piece[: tail.start()] for tail in tails)]
    return _name(pieces, known, side=_REMARK.sub("", _ASIDE.sub(" ", begun)), gap=len(part) - len(begun))


def element(piece: str, known: Known) -> str:
    """The element that a piece of text is, with or without an article; empty if it is none."""
    name = clean(piece)
    return known(name) or known(_ARTICLE.sub("", name).strip(EDGES))


def name_of(piece: str, known: Known) -> str:
    """The element that a piece of text is, or the name that is none; empty if it is no name."""
    return element(piece, known) or _unknown(piece)


def only_a_name(part: str, known: Known) -> bool:
    """Whether a part has a name and nothing else."""
    return not _BOUND.search(part.strip(EDGES)) and bool(name_of(part, known))


def clean(piece: str) -> str:
    return " ".join(piece.strip(EDGES).split())


def _name(pieces: list[str], known: Known, *, side: str, gap: int) -> Name | None:
    """The longest piece that is an element; else the shortest as a name that is no element."""
    found = next(((piece, name) for piece in pieces if (name := element(piece, known))), None)
    piece, name = found or (pieces[-1], _unknown(pieces[-1]))
    whole = clean(piece) in (clean(side), clean(pieces[0]))
    return Name(text=name, width=gap + len(piece), whole=whole) if name else None


def _unknown(piece: str) -> str:
    words = _ARTICLE.sub("", clean(piece)).split()
    if not 1 <= len(words) <= NAME_WORDS or any(_PROSE.fullmatch(word.strip(EDGES)) for word in words):
        return ""
    said = " ".join(words)
    name = said[:NAME_CHARACTERS].strip(EDGES)
    if said.endswith(CUT):
        return f"{name.rstrip(CUT)}{CUT}"
    return "" if name in ("a", "an", "the") else name


def _blanks(match: re.Match[str]) -> str:
    """As many blanks as were matched, so that places in a line stay what they are."""
    return " " * len(match.group())
