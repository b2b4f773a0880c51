"""A formula as an exact number. It is read sign by sign and never evaluated as code.

Whole numbers, the four operations and brackets; blanks between signs mean nothing. No unary sign, no power, no
decimals: what the published task allows. Values are kept as a whole numerator over a whole denominator.
"""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
from numba import njit

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
TIMES = re.compile(r"(?<=[\d)\]])(\s*)[xX](\s*)(?=[\d(\[])")
"""An x between numbers or brackets, which means *, and the blanks around it."""
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
    if "x" in text or "X" in text:
        text = TIMES.sub(r"\1*\2", text)
    return text.split("=", 1)[0].strip()


def read(formula: str) -> Sum | Broken:
    """The exact value of a formula without an equals sign.

    >>> read("8 / (3 - 8/3)").value in [(24, 1), (-24, -1), (72, 3)]
    True
    >>> read("2 ** 3").why
    "a number or ( was expected at '*'"
    """
    if formula.isascii() and len(formula) <= LONGEST:
        count, a, b, c, d, e, f, numerator, denominator = _quick(formula.encode())
        if count:
            value = (numerator, denominator) if denominator else None
            return Sum(numbers=(a, b, c, d, e, f)[:count], value=value)
    return read_by_loop(formula)


def read_by_loop(formula: str) -> Sum | Broken:
    """The same by the loop that is there to be read, with the reason where it cannot be read."""
    if len(formula) > LONGEST:
        return Broken(why=f"it has more than {LONGEST} characters")
    return _reduce(_SIGN.findall(formula))


_TIGHT = {"(": 0, ")": 0, "+": 1, "-": 1, "*": 2, "/": 2}
"""How tightly a sign binds; a bracket lets nothing behind it settle."""


def _reduce(tokens: list[str]) -> Sum | Broken:
    """Two stacks, left to right: operators wait until one that binds no tighter, or a closing bracket, comes.

    The loop to read; `_quick` is the same for what is right and short, and a test holds it to this one.
    """
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


MOST, DEEPEST = 6, 30
"""Numbers of a formula that `_quick` reads, and operators and brackets that may wait in it."""
WIDEST = 2**62
"""Bounds the product of a formula's numbers, each taken twice: no numerator or denominator on the way is larger."""


@njit(cache=True)
def _quick(text):
    """How many numbers a formula has, the numbers, and its value's numerator and denominator (0 where it divides by
    zero). No number where it is not read here: a sign that is none, an order that is broken, or too large.

    `text`: bytes.
    """
    numbers = np.zeros(MOST, np.int64)
    num, den = np.zeros(MOST, np.int64), np.zeros(MOST, np.int64)
    waiting = np.zeros(DEEPEST, np.uint8)
    none = (0, 0, 0, 0, 0, 0, 0, 0, 0)
    count, top, depth, at, size = 0, 0, 0, 0, len(text)
    widest, wants_number = 1.0, True
    while at <= size:
        sign = text[at] if at < size else 0  # 0 is the end, before which everything settles
        at += 1
        if sign == 32 or sign == 9:  # a blank
            continue
        if 48 <= sign <= 57:
            value, digits = np.int64(sign - 48), 1
            while at < size and 48 <= text[at] <= 57:
                value, digits, at = value * 10 + (text[at] - 48), digits + 1, at + 1
                if digits > DIGITS:
                    return none
            widest *= 2.0 * max(value, 1)
            if not wants_number or count == MOST or widest > WIDEST:
                return none
            numbers[count], num[top], den[top] = value, value, 1
            count, top, wants_number = count + 1, top + 1, False
            continue
        if sign == 40:  # (
            if not wants_number or depth == DEEPEST:
                return none
            waiting[depth] = sign
            depth += 1
            continue
        if wants_number:
            return none
        plus = sign == 43 or sign == 45
        if not (plus or sign == 42 or sign == 47 or sign == 41 or (sign == 0 and at > size)):
            return none
        while (
            depth
            and waiting[depth - 1] != 40
            and not ((sign == 42 or sign == 47) and (waiting[depth - 1] == 43 or waiting[depth - 1] == 45))
        ):
            depth -= 1
            top -= 1
            operator = waiting[depth]
            a, b, c, d = num[top - 1], den[top - 1], num[top], den[top]
            if b == 0 or d == 0 or (operator == 47 and c == 0):
                num[top - 1], den[top - 1] = 0, 0
            elif operator == 43:
                num[top - 1], den[top - 1] = a * d + c * b, b * d
            elif operator == 45:
                num[top - 1], den[top - 1] = a * d - c * b, b * d
            elif operator == 42:
                num[top - 1], den[top - 1] = a * c, b * d
            else:
                num[top - 1], den[top - 1] = a * d, b * c
        if sign == 0:
            break
        if sign == 41:
            if depth == 0:
                return none
            depth -= 1
            continue
        if depth == DEEPEST:
            return none
        waiting[depth] = sign
        depth, wants_number = depth + 1, True
    if depth:
        return none
    return count, numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], num[0], den[0]


def shown(value: Ratio) -> str:
    """A value in lowest terms; a whole one without a denominator.

    >>> shown((48, -4)), shown((8, 3))
    ('-12', '8/3')
    """
    numerator, denominator = value
    return str(numerator // denominator if numerator % denominator == 0 else Fraction(*value))
