"""How an answer is read: JSON first, then fields that look like it, then a formula on a line. Nothing is evaluated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from athanor.core.records import Unreadable
from athanor.environments.points.cards import read_rank
from athanor.environments.points.formula import LONGEST
from athanor.environments.points.lines import formula_of
from athanor.environments.points.state import Answer

READ = 8_000
"""Characters of an answer that are read at each of its ends."""
MOST = 20
"""JSON objects, fields, or lines that are tried, at most, from the end."""

_FLAT = re.compile(r"\{[^{}]{1,2000}\}")
_NAMED = r"\b(?:formula|equation|expression|solution|answer)\b[\"'*_`]{0,3}\s{0,3}[:=]\s{0,3}([^\n]{1,500})"
_FORMULA = re.compile(_NAMED, re.I)
_LIST = r"[\"'*_`]{0,3}\b%s\b[\"'*_`]{0,3}\s{0,3}[:=]\s{0,3}\[([^\]\n]{0,200})\]"
_CARDS, _NUMBERS = re.compile(_LIST % "cards?", re.I), re.compile(_LIST % "numbers?", re.I)
_RUN = re.compile(r"[\d(\[][\d\s+\-*/()\[\]×·⋅∗÷∕−–＋－＊／（）]{2,200}")
_OPERATOR = re.compile(r"[+*/×·⋅∗÷∕−–＋＊／-]")
_QUOTES = " \t\r\"'`_"
_EMPHASIS = re.compile(r"^\*{1,3}(?=[\s\"'`])")
_FENCE = re.compile(r"```[a-zA-Z]{0,10}")


def read(reply: str) -> Answer | Unreadable:
    """The formula of a reply, with the cards and the numbers where they are told; the last one where there are many.

    >>> read('{"cards": ["A", "3"], "number": [1, 3], "formula": "1+3=4"}').formula
    '1+3=4'
    >>> read("So the answer is (10 - 4) * (3 + 1) = 24.").formula
    '(10 - 4) * (3 + 1) = 24'
    """
    text = _ends(reply)
    if not text.strip():
        return Unreadable(unreadable="the answer is empty")
    for found in _objects(text):
        if formula := _text(_get(found, "formula", "equation", "expression", "solution", "answer")):
            return _answer(formula, _get(found, "cards", "card"), _get(found, "number", "numbers"), reply)
    formula = _field(text) or _line(text)
    if not formula:
        return Unreadable(unreadable="no formula was found")
    return _answer(formula, _items(_CARDS, text), _items(_NUMBERS, text), reply)


def without_formula(reply: str) -> Answer:
    """A reply in which no formula was found, with what it says of the cards and the numbers.

    >>> without_formula('{"cards": ["A", "king"]}').cards, without_formula("cards: [2, 3]").cards
    (('A', 'K'), ('2', '3'))
    """
    text = _ends(reply)
    for found in _objects(text):
        cards, numbers = _get(found, "cards", "card"), _get(found, "number", "numbers")
        if cards is not None or numbers is not None:
            return _answer("", cards, numbers, reply)
    return _answer("", _items(_CARDS, text), _items(_NUMBERS, text), reply)


def _ends(reply: str) -> str:
    """The part of a reply that is read."""
    return reply if len(reply) <= 2 * READ else f"{reply[:READ]}\n{reply[-READ:]}"


def unfinished(formula: str, reply: str, target: int) -> bool:
    """Whether a formula that was read in a reply that was cut may have gone on: it stands at the very end, and does not
    yet say that it makes the target.

    >>> unfinished("(10 - 4) * (3", "So (10 - 4) * (3", 24), unfinished("4 * 6 = 24", "So 4 * 6 = 24", 24)
    (True, False)
    """
    said = "".join(formula.split())
    return "".join(f"{reply[-READ:]}".rstrip(" ").split(" ")).endswith(said) and not said.endswith(f"={target}")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text, the whole of it first, then flat ones from the last on."""
    for part in (text.strip(), *(found.group() for found in reversed(list(_FLAT.finditer(text))[-MOST:]))):
        try:
            value: Any = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _get(found: dict[str, Any], *names: str) -> Any:
    lower = {str(key).strip().casefold(): value for key, value in found.items()}
    return next((lower[name] for name in names if name in lower), None)


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _answer(formula: str, cards: Any, numbers: Any, reply: str) -> Answer:
    return Answer(formula=formula.strip()[: 2 * LONGEST], cards=_ranks(cards), numbers=_whole(numbers), text=reply)


def _ranks(items: Any) -> tuple[str, ...] | None:
    """Ranks of a list of names; None if nothing was told. A name that means no card is kept as it is."""
    if isinstance(items, str):
        items = [item for item in re.split(r"[,;]", items.strip("[]()")) if item.strip()]
    if not isinstance(items, list) or len(items) > 52:
        return None
    return tuple(read_rank(item) or str(item)[:20] for item in items)


def _whole(items: Any) -> tuple[int, ...] | None:
    """Whole numbers of a list; None if nothing was told, or anything but whole numbers."""
    if isinstance(items, str):
        items = re.split(r"[,;]", items.strip("[]()"))
    if not isinstance(items, list) or len(items) > 52:
        return None
    texts = [str(item).strip() for item in items]
    return tuple(map(int, texts)) if all(re.fullmatch(r"[0-9]{1,9}", text) for text in texts) else None


def _items(pattern: re.Pattern[str], text: str) -> list[str] | None:
    found = list(pattern.finditer(text))
    return [item.strip(" \"'") for item in found[-1][1].split(",") if item.strip()] if found else None


def _field(text: str) -> str:
    """What follows the last `formula:` that has a number."""
    for found in reversed(list(_FORMULA.finditer(text))[-MOST:]):
        rest = (
            _EMPHASIS.sub("", found[1].lstrip(_QUOTES)).strip(_QUOTES).rstrip(f",{_QUOTES}").split('"')[0].split("'")[0]
        )
        if (stars := re.search(r"\*+$", rest)) and stars[0] in text[: found.start()].rpartition("\n")[2]:
            rest = rest[: stars.start()]
        if any(sign.isdigit() for sign in rest):
            return formula_of(rest, first=True) or rest
    return ""


def _line(text: str) -> str:
    """The last formula on the last line that has one."""
    lines = reversed(_FENCE.sub(" ", text).split("\n")[-MOST * 5 :])
    return next((found for line in lines if (found := formula_of(line))), "")
