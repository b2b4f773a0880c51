"""A formula as an exact number. It is read sign by sign and never evaluated as code.

Whole numbers, the four operations and brackets; blanks between signs mean nothing. No unary sign, no power, no
decimals: what the published task allows. Values are kept as a whole numerator over a whole denominator.
"""

from __future__ import annotations

import re
from fractions import Fraction

from athanor.core.records import Record

LONGEST = 400
"""Characters of a formula, at most; a correct one for six cards of four digits has under 60."""
DIGITS = 9
"""Digits of a number, at most."""

Ratio = tuple[int, int]
"""Numerator and denominator; the latter is not zero, and may be negative."""

_SIGN = re.compile(r"\d+|[^\d\s]")
_DRESS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "−": "-", "–": "-", "﹣": "-",
                        "＋": "+", "－": "-", "＊": "*", "／": "/", "（": "(", "）": ")", "[": "(", "]": ")",
                        "＝": "="})  # fmt: skip
"""Signs that mean one of ours, as models write them."""
_LATEX = (
    (re.compile(r"\\(?:times|cdot|ast)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])"), "/"),
    (re.compile(r"\\d?frac\s*\{([^{}]{1,80})\}\s*\{([^{}]{1,80})\}"), r"((\1)/(\2))"),
    (re.compile(r"\\(?:left|right|boxed)(?![a-zA-Z])|\\[()\[\],;! ]|\$"), " "),
)


class Sum(Record, kw_only=True):
    """A formula that was read: its numbers in order, and its value; None where it divides by zero."""

    numbers: tuple[int, ...]
    value: Ratio | None


class Broken(Record, kw_only=True):
    """A formula that could not be read, and why."""

    why: str


def plain(formula: str) -> str:
    """The left side of a formula, with signs that models write in place of ours: × is *, \\frac{a}{b} is ((a)/(b)).

    >>> plain("$8 \\\\div (3 - 8 ÷ 3) = 24$").replace(" ", "")
    '8/(3-8/3)'
    """
    text = formula[: 2 * LONGEST]
    if not text.isascii() or "[" in text:
        text = text.translate(_DRESS)
    if "\\" in text or "$" in text:
        for sign, ours in _LATEX:
            text = sign.sub(ours, text)
        text = text.replace("{", "(").replace("}", ")")
    return text.split("=", 1)[0].strip()


def read(formula: str) -> Sum | Broken:
    """The exact value of a formula without an equals sign.

    >>> read("8 / (3 - 8/3)").value in [(24, 1), (-24, -1), (72, 3)]
    True
    >>> read("2 ** 3").why
    "a number or ( was expected at '*'"
    """
    if len(formula) > LONGEST:
        return Broken(why=f"it has more than {LONGEST} characters")
    return _reduce(_SIGN.findall(formula))


_TIGHT = {"(": 0, ")": 0, "+": 1, "-": 1, "*": 2, "/": 2}
"""How tightly a sign binds; a bracket lets nothing behind it settle."""


def _reduce(tokens: list[str]) -> Sum | Broken:
    """Two stacks, left to right: operators wait until one that binds no tighter, or a closing bracket, comes."""
    values: list[Ratio | None] = []
    waiting: list[str] = []
    numbers: list[int] = []
    wants_number = True
    for token in tokens:
        tight = _TIGHT.get(token)
        if tight is None and not (token.isdecimal() and token.isascii()):
            return Broken(why=f"{token[:12]!r} is no number, operator or bracket")
        if wants_number:
            if tight is None:
                if len(token) > DIGITS:
                    return Broken(why=f"a number has more than {DIGITS} digits")
                numbers.append(int(token))
                values.append((numbers[-1], 1))
                wants_number = False
            elif token == "(":
                waiting.append("(")
            else:
                return Broken(why=f"a number or ( was expected at {token!r}")
        elif tight is None or token == "(":
            return Broken(why=f"an operator was expected at {token!r}")
        elif token == ")":
            while waiting and waiting[-1] != "(":
                _apply(values, waiting.pop())
            if not waiting:
                return Broken(why="a ) has no (")
            waiting.pop()
        else:
            while waiting and _TIGHT[waiting[-1]] >= tight:
                _apply(values, waiting.pop())
            waiting.append(token)
            wants_number = True
    if wants_number:
        return Broken(why="it ends where a number was expected" if tokens else "it is empty")
    while waiting:
        operator = waiting.pop()
        if operator == "(":
            return Broken(why="a ( has no )")
        _apply(values, operator)
    return Sum(numbers=tuple(numbers), value=values[0])


def _apply(values: list[Ratio | None], operator: str) -> None:
    right, left = values.pop(), values.pop()
    if left is None or right is None or (operator == "/" and right[0] == 0):
        values.append(None)
        return
    (a, b), (c, d) = left, right
    if operator == "+":
        values.append((a * d + c * b, b * d))
    elif operator == "-":
        values.append((a * d - c * b, b * d))
    elif operator == "*":
        values.append((a * c, b * d))
    else:
        values.append((a * d, b * c))


def shown(value: Ratio) -> str:
    """A value in lowest terms; a whole one without a denominator.

    >>> shown((48, -4)), shown((8, 3))
    ('-12', '8/3')
    """
    numerator, denominator = value
    return str(numerator // denominator if numerator % denominator == 0 else Fraction(*value))
