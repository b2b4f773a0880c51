"""Formulas such as `y ~ x + (1 + x | id)`, read as data: names, numbers and operators, nothing that could be run."""

from __future__ import annotations

import re
from typing import NoReturn

from athanor.core.errors import UsageError
from athanor.core.records import Record

TRANSFORMS = ("log", "exp", "center", "scale")
"""Functions that a formula may apply to one column; `scale` divides by the standard deviation with n - 1, as R does."""

_TOKEN = re.compile(
    rf"(?P<call>(?:{'|'.join(TRANSFORMS)})\s*\(\s*(?P<argument>[^\W\d]\w*)\s*\))"
    r"|(?P<name>[^\W\d]\w*+)(?!\s*\()|(?P<number>\d(?!\d))|(?P<operator>[-:*+^|()~])"
)


class Formula(Record, kw_only=True):
    """A formula in its parts. `fixed` and `random` are right-hand sides without the other's terms."""

    text: str
    response: str
    fixed: str
    random: str
    group: str
    predictors: tuple[str, ...]
    """Columns that `fixed` and `random` name."""


def parse(text: str) -> Formula:
    """Read a formula with one random-effects term `(terms | group)`.

    UsageError where it holds anything but names, single digits, the operators `~ : * + - ^ | ( )` and the functions
    in TRANSFORMS applied to a column, or has not exactly one response and one random-effects term.

    >>> parse("y ~ x + (1 + x | id)").random
    '1 + x'
    """
    tokens, columns = _tokens(text)
    if tokens.count("~") != 1 or tokens[1:2] != ["~"] or columns.get(tokens[0]) != tokens[0]:
        _refuse(text, "it does not begin with one response and `~`")
    start, bar, end = _random_term(text, tokens)
    if end - bar != 2 or columns.get(tokens[bar + 1]) != tokens[bar + 1]:
        _refuse(text, "what is grouped by, after `|`, is not one column")
    before, after = tokens[2:start], tokens[end + 1 :]
    if before and before[-1] != "+":
        _refuse(text, f"the random-effects term follows `{before[-1]}`; it can only be added")
    fixed = before[:-1] + after if before else after[1:] if after[:1] == ["+"] else after
    random, group = tokens[start + 1 : bar], tokens[bar + 1]
    used = [columns[token] for token in (*fixed, *random) if token in columns]
    return Formula(
        text=text, response=tokens[0], fixed=" ".join(fixed) or "1", random=" ".join(random), group=group,
        predictors=tuple(dict.fromkeys(used)),
    )  # fmt: skip


def _tokens(text: str) -> tuple[list[str], dict[str, str]]:
    """The tokens in order, and the column behind each token that is one or is a function of one."""
    tokens: list[str] = []
    columns: dict[str, str] = {}
    rest = text.strip()
    while rest:
        found = _TOKEN.match(rest)
        if found is None:
            _refuse(text, f"it cannot be read from `{rest[:20]}` on")
        token = re.sub(r"\s", "", found[0])
        tokens.append(token)
        if name := found["argument"] or found["name"]:
            columns[token] = name
        rest = rest[found.end() :].lstrip()
    return tokens, columns


def _random_term(text: str, tokens: list[str]) -> tuple[int, int, int]:
    """Where the parentheses around the only `|` open, where it is, and where they close."""
    if (bars := tokens.count("|")) != 1:
        _refuse(text, f"it has {bars} `|`; correlated effects by one grouping factor need exactly one")
    bar, opened = tokens.index("|"), list[int]()
    for k, token in enumerate(tokens):
        if token == "(":
            opened.append(k)
        elif token == ")":
            start = opened.pop() if opened else _refuse(text, "a parenthesis closes that was not opened")
            if start < bar < k and opened:
                _refuse(text, "the random-effects term stands inside other parentheses")
            if start < bar < k:
                return start, bar, k
    return _refuse(text, "`|` is not inside parentheses")


def _refuse(text: str, why: str) -> NoReturn:
    raise UsageError(
        f"formula {text!r}: {why}; write it like `y ~ x + x:t + (1 + x | id)`, with column names (letters, digits, _), "
        f"single digits, the operators ~ : * + - ^ | ( ) and {', '.join(TRANSFORMS)} of one column. "
        "Other functions are not evaluated: compute such columns beforehand"
    )
