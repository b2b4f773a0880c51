"""The formula of a line of text: where it begins and ends, told so that nothing of it is left out.

A run of numbers, signs and brackets is a formula only as a whole. What is glued to it or joined to it by a sign of
arithmetic (`-2 + 2`, `2^2 + 2`, `sqrt(2) + 2`) is kept with it, so that reading says what is wrong with it: the same
formula in JSON and in text is judged alike.
"""

from __future__ import annotations

import re

from athanor.environments.points.formula import TIMES, plain

LINE = 1_000
"""Characters of a line that are read."""
_SIGNS = r"+\-*/×·⋅∗÷∕−–＋－＊／"
"""Signs of arithmetic, as models write them, within a class of characters."""
_RUN = re.compile(rf"[\d(\[][\d\s{_SIGNS}()\[\]（）]{{2,200}}")
_OPERATOR = re.compile(f"[{_SIGNS}]")
_ITEM = re.compile(r"^\s*\d{1,2}[.)]\s+")
"""The number of an item of a list."""
_NAME = r"(?:sqrt|root|log|ln|exp|abs|floor|ceil|round|mod|fact|factorial)"
_BEFORE = re.compile(rf"(?:\b{_NAME}\s*|√\s*|(?:[^\W_]|[.^!%°√])*(?:[^\W_]|[\^!%°√])|(?<!\.)[.,]|[)\]])$", re.I)
"""What belongs to the formula before a run: a function, or signs glued to it."""
_JOINED = re.compile(rf"([^\s^{_SIGNS}]*)(\s*)([{_SIGNS}^]+)(\s*)$")
"""The word before a sign of arithmetic that is before a run, the sign, and the blanks between."""
_BEHIND = re.compile(r"(?:[^\W_]|[!%°√]|\s*\^|[.,]\d)[\w.^!%°]*|\s+(?:mod\b|squared\b|factorial\b)", re.I)
"""What belongs to it behind the run."""
_LINKED = re.compile(r"\s*[=＝]\s*")
_SAID = re.compile(r"\s*[=＝]\s*(\d{1,9})(?![\d.,]*\d)")


def formula_of(line: str, *, first: bool = False) -> str:
    """The last formula on a line, or the first, with the number that it is said to equal; empty if there is none.

    Of formulas joined by equals signs it is the first: `2 + 2 + 10 + 10 = 4 + 20 = 24`.

    >>> formula_of("So **(10 - 4) x (3 + 1) = 6 * 4 = 24**.")
    '(10 - 4) * (3 + 1) = 24'
    >>> formula_of("-2 + 2 and then"), formula_of("- 2 + 2"), formula_of("10^2 - 4")
    ('-2 + 2', '2 + 2', '10^2 - 4')
    """
    line = TIMES.sub(r"\1*\2", _ITEM.sub("", line[:LINE]))
    if "\\" in line or "$" in line:
        line = "=".join(map(plain, line.split("=")))
    chain: list[tuple[int, int]] = []
    last: list[tuple[int, int]] = []
    for found in _RUN.finditer(line):
        if chain and not _LINKED.fullmatch(line, chain[-1][1], found.start()):
            chain = []
        chain.append((found.start(), found.start() + len(found.group().rstrip())))
        if any(_OPERATOR.search(line, *one) for one in chain):
            if first and last and last is not chain:
                break
            last = chain
    if not last:
        return ""
    at = next(k for k, one in enumerate(last) if _OPERATOR.search(line, *one))
    start, end = last[at]
    said = _SAID.match(line, last[-1][1]) or (_SAID.match(line, last[-2][1]) if at < len(last) - 1 else None)
    formula = _whole(line, start, end)
    return f"{formula} = {said[1]}" if said else formula


def _whole(line: str, start: int, end: int) -> str:
    """A run with what belongs to it on both sides, less marks of emphasis."""
    before, run = line[:start], line[start:end]
    if (stars := re.search(r"\*+$", run)) and stars[0] in before:
        run, end = run[: stars.start()].rstrip(), start + stars.start()
    behind = _BEHIND.match(line, end)
    return _left(before, line[end:]) + run + (behind[0] if behind else "")


def _left(before: str, after: str) -> str:
    """What of the text before a run belongs to its formula, and is no mark of emphasis or of an item, and no dash."""
    if glued := _BEFORE.search(before):
        return glued[0]
    if not (joined := _JOINED.search(before)):
        return ""
    word, space, signs, gap = joined.groups()
    last = word[-1:]
    apart = not last or bool(space)
    prose = (word.isalpha() and len(word) > 1) or last in ".,;:)\"'`_>"
    emphasis = set(signs) == {"*"} and not gap and signs in after and (apart or last in ":(\"'`_")
    item = bool(gap) and apart and (not last or prose)
    return "" if emphasis or item else ("" if space else word) + signs + gap
