"""When a number says nothing, and is told to be unknown."""

from __future__ import annotations

from msgspec.structs import replace

from athanor.core.records import Estimate

BEYOND = 100.0
"""From here on a number, or the width of its interval, says nothing: of log odds and logs of ratios 100 stands for odds
of 10 to the 43, and of percentage points there are no more."""


def measurable(one: Estimate) -> Estimate:
    """The estimate; unknown, with the reason, where it or the width of its interval is `BEYOND` or more.

    For coefficients of fits that can run away, as where a term tells the responses apart.
    """
    wide = one.low is not None and one.high is not None and one.high - one.low >= BEYOND
    if one.value is None or not (wide or abs(one.value) >= BEYOND):
        return one
    interval = "" if one.low is None or one.high is None else f" [{one.low:.3g}, {one.high:.3g}]"
    why = f"{one.value:.3g}{interval} says nothing: the few {one.unit} leave it open, or tell the responses apart"
    return replace(one, value=None, low=None, high=None, level=None, method=f"{one.method}; {why}")
