"""A solution as the steps that lead to it, each on a line: a chain of thought made from the solver's formula."""

from __future__ import annotations

import ast
from fractions import Fraction

from athanor.core.errors import DataError
from athanor.environments.points.formula import shown

_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def worked(formula: str) -> tuple[str, ...]:
    """The steps of a formula, innermost first. DataError if it is none of the solver's.

    >>> worked("(10-4)*(3+1)")
    ('10 - 4 = 6', '3 + 1 = 4', '6 * 4 = 24')
    >>> worked("8/(3-8/3)")
    ('8 / 3 = 8/3', '3 - 8/3 = 1/3', '8 / (1/3) = 24')
    """
    steps: list[str] = []
    try:
        _value(ast.parse(formula, mode="eval").body, steps)
    except (SyntaxError, KeyError, TypeError, ZeroDivisionError) as error:
        raise DataError(f"{formula!r} is no formula of whole numbers; pass one of the solver's") from error
    return tuple(steps)


def _value(node: ast.expr, steps: list[str]) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return Fraction(node.value)
    if not isinstance(node, ast.BinOp):
        raise TypeError(type(node).__name__)
    sign = _SIGNS[type(node.op)]
    left, right = _value(node.left, steps), _value(node.right, steps)
    match sign:
        case "+":
            made = left + right
        case "-":
            made = left - right
        case "*":
            made = left * right
        case _:
            made = left / right
    steps.append(f"{_side(left, sign)} {sign} {_side(right, sign)} = {_text(made)}")
    return made


def _text(value: Fraction) -> str:
    return shown((value.numerator, value.denominator))


def _side(value: Fraction, sign: str) -> str:
    """A number beside an operator; in brackets where it would be read otherwise."""
    text = _text(value)
    return f"({text})" if text.startswith("-") or ("/" in text and sign in "*/") else text
