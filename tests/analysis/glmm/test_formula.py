"""Formulas are read as data: what they may say, and that nothing in them is run."""

from __future__ import annotations

import pytest

from athanor.analysis.glmm.formula import parse
from athanor.core.errors import UsageError

PUBLISHED = (
    "decision ~ -1 + emp + cbu + trial + emp:trial + cbu:trial + (1 + emp + cbu + trial + emp:trial + cbu:trial | id)"
)


def test_the_published_formula_falls_into_its_parts():
    formula = parse(PUBLISHED)
    assert (formula.response, formula.group, formula.predictors) == ("decision", "id", ("emp", "cbu", "trial"))
    assert formula.fixed == "- 1 + emp + cbu + trial + emp : trial + cbu : trial"
    assert formula.random == "1 + emp + cbu + trial + emp : trial + cbu : trial"


@pytest.mark.parametrize(
    ("text", "fixed", "random"),
    [
        ("y ~ (1 | g)", "1", "1"),
        ("y ~ (1 | g) + x", "x", "1"),
        ("y~x+(0+x|g)-1", "x - 1", "0 + x"),
        ("y ~ scale( x ) * z + (1 | g)", "scale(x) * z", "1"),
        ("y ~ (a + b)^2 + (a | g)", "( a + b ) ^ 2", "a"),
    ],
)
def test_the_random_term_may_stand_anywhere_in_the_sum(text, fixed, random):
    assert (parse(text).fixed, parse(text).random) == (fixed, random)


@pytest.mark.parametrize(
    "text",
    [
        "y ~ x + __import__('os').system('true') + (1 | g)",
        "y ~ open(x) + (1 | g)",
        "y ~ np.exp(x) + (1 | g)",
        "y ~ x.__class__ + (1 | g)",
        "y ~ {x + 1} + (1 | g)",
        "y ~ `x` + (1 | g)",
        "y ~ I(x) + (1 | g)",
        "y ~ log(exp(x)) + (1 | g)",
        "y ~ log(x + 1) + (1 | g)",
        "y ~ x^99999999 + (1 | g)",
        "y ~ [x for x in z] + (1 | g)",
    ],
)
def test_code_in_a_formula_is_refused_and_the_error_says_what_is_allowed(text):
    with pytest.raises(UsageError, match="cannot be read from .* log, exp, center, scale of one column"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("y ~ x", "0 `|`"),
        ("y ~ x + (1 | a) + (1 | b)", "2 `|`"),
        ("y ~ x + (1 || a)", "2 `|`"),
        ("y ~ x + (1 | a:b)", "not one column"),
        ("y ~ x + (1 | log(a))", "not one column"),
        ("y ~ x - (1 | a)", "can only be added"),
        ("y ~ x * (1 | a)", "can only be added"),
        ("y ~ ((1 | a))", "inside other parentheses"),
        ("y ~ x | a", "not inside parentheses"),
        ("y ~ x) + (1 | a)", "was not opened"),
        ("log(y) ~ x + (1 | a)", "one response"),
        ("~ x + (1 | a)", "one response"),
        ("", "one response"),
    ],
)
def test_other_shapes_are_refused_with_the_reason(text, why):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert why in str(caught.value)
