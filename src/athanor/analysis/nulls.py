"""What a null hypothesis gives, as estimates: the middle of its draws, and how far from it the observed number lies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from athanor.analysis.intervals import LEVEL, SAME
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.values.arrays import Floats

LEAST = 40
"""Draws from which their middle 95% is told."""
NULL = "null"
"""The kind of number, as it stands in an estimate's name behind what it is of."""


def p_of(name: str) -> str:
    """The name of the p-value that belongs to a null.

    >>> p_of("weight of uncertainty")
    'p of weight of uncertainty (null)'
    """
    return f"p of {name} ({NULL})"


def is_p(name: str) -> bool:
    """Whether an estimate's name is that of the p-value of a null.

    >>> is_p(p_of("weight of uncertainty")), is_p("p of the values")
    (True, False)
    """
    return name.startswith("p of ") and name.endswith(f" ({NULL})")


def null_estimates(
    name: str, observed: float, draws: Floats, method: str, *, group: str, excluded: int
) -> Iterator[Estimate]:
    """The mean of the draws, Float["draws"], with the interval that holds their middle 95%, and the p-value.

    The p-value is two-sided: of the draws at least as far from their mean as the observed number, and it is never 0
    (Phipson and Smyth 2010). Draws that are all the same are no null: both are unknown then. Where their middle 95% are
    the same there is no interval, for one without a width would say that the null is known exactly.
    """
    if len(draws) > 1 and np.ptp(draws) <= SAME * np.abs(draws).max():
        why = f"all draws give {draws[0]:.3g}: nothing in these choices can be drawn anew; {method}"
        yield from unknown_null(name, len(draws), why, group=group, excluded=excluded)
        return
    centre = float(draws.mean())
    low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]).tolist()
    enough = len(draws) >= LEAST and high - low > SAME * np.abs(draws).max()
    yield Estimate(
        name=f"{name} ({NULL})", value=centre, low=low if enough else None, high=high if enough else None,
        level=LEVEL if enough else None, n=len(draws), unit="draws", method=method, excluded=excluded, group=group,
    )  # fmt: skip
    beyond = int((np.abs(draws - centre) >= abs(observed - centre)).sum())
    yield Estimate(
        name=p_of(name), value=(beyond + 1) / (len(draws) + 1), low=None, high=None, level=None, n=len(draws),
        unit="draws", excluded=excluded, group=group,
        method=f"count of draws as far from their mean as the observed {observed:.3g}, 1 added to both; {method}",
    )  # fmt: skip


def unknown_null(name: str, draws: int, why: str, *, group: str, excluded: int) -> Iterator[Estimate]:
    """The two estimates of `null_estimates` where they are unknown, and why."""
    for each in (f"{name} ({NULL})", p_of(name)):
        yield Estimate(
            name=each, value=None, low=None, high=None, level=None, n=draws, unit="draws", method=why,
            excluded=excluded, group=group,
        )  # fmt: skip


def refuse_negative(nulls: int) -> None:
    """UsageError for fewer than no draws."""
    if nulls < 0:
        raise UsageError(f"{nulls} null choices were asked for, 0 or more were expected; pass --nulls 100, say")
