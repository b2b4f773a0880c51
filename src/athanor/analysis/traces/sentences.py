"""A reasoning trace cut into sentences: small, deterministic, and the same on every machine.

A line break always ends a sentence, because models write lists and sums (`water + fire -> steam`) a line each. The
published study cut with NLTK's Punkt, which runs on over line breaks, so its counts of list-like traces are lower.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

NEVER = frozenset(("e.g", "i.e", "eg", "ie", "mr", "mrs", "ms", "dr", "vs", "cf", "approx", "fig", "eq", "resp"))
"""Abbreviations after which a period does not end a sentence."""

SELDOM = frozenset(("etc", "al", "no", "incl", "min", "max"))
"""Those after which it does so only before a capital letter."""

_STOP = re.compile(r"[.!?…]+[\"'”’»)\]*_`]*|[。！？]+[\"”’」』）]*")  # no look-ahead: a run of dots stays linear
_MARKER = re.compile(r"\s*(?:(?:[-*•–—#>]+|\(?\d{1,3}[.)])\s+)*")
_WORD = re.compile(r"[^\s(\[\"'“‘*_`]*\Z")
_LONGEST_WORD = 24
"""Characters before a period that are looked at."""


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, without the marks of lists and headings; what holds no letter or digit is left out.

    Time grows linearly with the text, whatever it holds.

    >>> sentences("I own 4 things, e.g. fire. Next: 0.5 or so?\\n- water + fire -> steam")
    ('I own 4 things, e.g. fire.', 'Next: 0.5 or so?', 'water + fire -> steam')
    """
    parts = (part.strip() for line in text.splitlines() for part in _parts(line))
    return tuple(part for part in parts if any(c.isalnum() for c in part))


def _parts(line: str) -> Iterator[str]:
    marker = _MARKER.match(line)
    start = marker.end() if marker else 0
    for stop in _STOP.finditer(line, start):
        if _ends(line, start, stop):
            yield line[start : stop.end()]
            start = stop.end()
    yield line[start:]


def _ends(line: str, start: int, stop: re.Match[str]) -> bool:
    """Whether a sentence ends at this punctuation."""
    mark, after = stop.group(), line[stop.end() : stop.end() + 2]
    if mark[0] in "。！？":
        return True
    if not after[:1].isspace():
        return not after
    if mark[0] in "!?":
        return True
    word = _WORD.search(line[max(start, stop.start() - _LONGEST_WORD) : stop.start()])
    before = word.group().casefold() if word else ""
    if before in NEVER:
        return False
    goes_on = after[1:].islower()
    open_ended = mark[:2] == ".." or mark[0] == "…" or "." in before or before.isdigit() or before in SELDOM
    return not (goes_on and open_ended)
