"""How an answer is read: which of the pairs in it is the choice. Nothing is evaluated.

The rules, in their order:

1. A pair that the answer turns down is not its choice ("cannot combine ...", "not ...", "... failed", "... makes
   nothing"), and neither is one that it lists as past ("Pairs tried: ...", "Success: ...").
2. What is called the answer ("Answer: ...", a box) goes before what is announced ("I will combine ...", "next: ..."),
   that before a line which has nothing but a pair, and that before a pair within a sentence.
3. Of two that stand alike, one of known elements goes before one that names something unknown, and else the first one
   before the others; the last one where the model was asked to think first.
   Lower than that stand a pair that is told with what it makes ("... = steam"), and lower still one in an explanation
   ("Reason: ...") or for a later turn ("If that fails, I will try ...").
4. A pair that is only reported as past ("earlier ... worked") is the choice if it is the only pair in the answer:
   small models tell their turn that way. Several, none of them chosen, are no choice.
5. A chain of three names, or one name and a plus, that stands as an answer would is no choice, and neither is what is
   in the sentences beside it.
6. Where the token bound cut the answer, a pair at the very end is the choice only if its last name is an element and
   the beginning of no longer one. Where the model was asked to think first, the choice must also be called the answer
   or stand on a line of its own: a pair in its thoughts is none.
"""

from __future__ import annotations

import re
from collections.abc import Container

from athanor.core.records import Unreadable
from athanor.environments.alchemy.clauses import Standing
from athanor.environments.alchemy.names import CUT, Known, clean, element, plain
from athanor.environments.alchemy.pairs import (
    PLUS,
    Found,
    called_first_and_second,
    in_json,
    joined_by_plus,
    joined_otherwise,
    lines_of,
    on_two_lines,
)
from athanor.environments.alchemy.state import Pair
from athanor.environments.alchemy.table import EDGES

LONGEST = 4_000
"""Characters of an answer that are read at each of its ends."""

_CUT_OFF = "the answer was cut before its pair was finished"
_UNDECIDED = "the answer was cut before a pair was settled on"

_BLANKS = re.compile(r"[^\S\n]+")
_ANSWER_TAG = re.compile(r"<(?:final[ _]?)?answer>|\\boxed\b")
_NEXT_TAG = re.compile(r"</\w{1,20}>\s*<\w{1,20}>|</(?:final[ _]?)?answer>")
_OPEN_END = re.compile(r"[\w'’‐‑–+➕-][^\S\n]?\Z")
_TAG = re.compile(r"\[/?inst\]|<\|?([^<>\n]{0,40})\|?>|\\(?:text\w*|math\w*)\b|\\(?=[\[\](){}$])")


def read(
    reply: str, known: Known, elements: Container[str], *, last: bool, longer: Known | None = None
) -> Pair | Unreadable:
    """The pair that a reply chooses. `last`: whether its end counts, as the model was asked to think first.
    `longer`: given where the reply was cut, an element that goes on where another ends; empty if there is none.
    """
    text = _undressed(reply, known)
    if longer and _OPEN_END.search(text):
        text, known = text.rstrip() + CUT, _whole(known, longer)
    if not text.strip():
        return Unreadable(unreadable="the answer is empty")
    lines = lines_of(text, known)
    found = [*joined_by_plus(lines, known), *in_json(text, known), *called_first_and_second(lines, known)]
    chosen = _chosen(found, elements, last=last)
    if not chosen:
        said = [line for line in lines if line.text.strip(EDGES)]
        prose = said[-1 if last else 0] if said and not PLUS.search(text) else None
        found += [*on_two_lines(lines, known), *joined_otherwise(lines, known, prose=prose)]
        chosen = _chosen(found, elements, last=last) or _only(found)
    if chosen and chosen.pair and longer:
        if CUT in f"{chosen.pair}":
            return Unreadable(unreadable=_CUT_OFF)
        if last and not chosen.settled:
            return Unreadable(unreadable=_UNDECIDED)
    if chosen and chosen.pair:
        return chosen.pair
    return Unreadable(unreadable=_why(found))


def _whole(known: Known, longer: Known) -> Known:
    """What is known of names where a text ends with `CUT`: the last one counts if no longer element begins with it."""

    def asked(name: str) -> str:
        if not name.endswith(CUT):
            return known(name)
        found = known(clean(name.rstrip(CUT)))
        return "" if found and longer(found) else found

    return asked


def _undressed(reply: str, known: Known) -> str:
    """The ends of a reply in small letters, without tags; one for the answer becomes a word, and so does <element>."""
    text = reply if len(reply) <= 2 * LONGEST else f"{reply[:LONGEST]}\n{reply[-LONGEST:]}"
    text = _NEXT_TAG.sub("\n", _ANSWER_TAG.sub(" answer: ", plain(text)))
    text = _TAG.sub(lambda tag: f" {tag[1]} " if tag[1] and element(tag[1], known) else " ", text)
    return _BLANKS.sub(" ", text)


def _chosen(found: list[Found], elements: Container[str], *, last: bool) -> Found | None:
    """The pair, or the chain, that stands highest."""
    live = [one for one in found if one.standing >= (Standing.ASIDE if one.pair else Standing.ALONE)]
    if not live:
        return None
    live.sort(key=lambda one: one.line)

    def rank(one: Found) -> tuple[Standing, bool]:
        names = (one.pair.first, one.pair.second) if one.pair else ("",)
        return one.standing, all(name in elements or name.endswith(CUT) for name in names)

    best = max(map(rank, live))
    return [one for one in live if rank(one) == best][-1 if last else 0]


def _only(found: list[Found]) -> Found | None:
    """The pair that is reported as past, if the answer has no other."""
    pairs = {frozenset((one.pair.first, one.pair.second)) for one in found if one.pair}
    past = [one for one in found if one.pair and one.standing == Standing.PAST]
    return past[0] if len(pairs) == 1 and past else None


def _why(found: list[Found]) -> str:
    faults = [one.fault for one in found if one.fault]
    if faults or not found:
        return faults[0] if faults else "no two elements joined by + were found"
    return "the pairs in it are a list, told as past or turned down, and none is chosen"
