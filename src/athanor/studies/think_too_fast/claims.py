"""Published numbers beside ours: whether the direction agrees, and whether the intervals do."""

from __future__ import annotations

from math import sqrt
from typing import Literal

from athanor.analysis.intervals import t_quantile
from athanor.core.records import Estimate, Record
from athanor.studies.think_too_fast.published import Published

REFERENCE = {"final inventory": 48.3, "share success-new": 0.1162}
"""What random players who never repeat a pair reach in 500 turns by the rules of Pan et al. (400 simulated runs): the
line that a published number of a model or of people lies above or below."""

Agreement = Literal["agrees", "differs", "cannot tell", "not played", "no direction"]


class Comparison(Record, kw_only=True, omit_defaults=False):
    """One published number beside ours."""

    published: Published
    ours: Estimate | None
    stand_in: bool
    """Whether ours is of another model, world or length than the published one."""
    direction: Agreement
    interval: Agreement
    why: str
    """What was compared, in words."""


def compare(
    published: Published, ours: Estimate | None, random: Estimate | None, *, stand_in: bool, missing: str = ""
) -> Comparison:
    """Set one number beside ours.

    `random`: the same quantity of random players who never repeat, for quantities that are read against them
    (REFERENCE); others are read by their sign. `missing`: why there is none of ours.
    """
    if ours is None or ours.value is None:
        why = missing or ("unknown: " + ours.method if ours else "not estimated")
        return Comparison(
            published=published, ours=ours, stand_in=stand_in, direction="not played", interval="not played", why=why
        )
    line = REFERENCE.get(published.quantity)
    if published.quantity == "share invalid":
        direction, why = "no direction", "a share of invalid answers has none; see the intervals"
    elif line is not None:
        direction, why = _against_random(published, ours, random, line)
    else:
        direction, why = _by_sign(published, ours)
    return Comparison(
        published=published, ours=ours, stand_in=stand_in, direction=direction, interval=_overlap(published, ours),
        why=why,
    )  # fmt: skip


def _against_random(
    published: Published, ours: Estimate, random: Estimate | None, line: float
) -> tuple[Agreement, str]:
    where = "above" if published.value > line else "below"
    said = f"published {where} random players who never repeat ({line:g})"
    if random is None or random.low is None or random.high is None or ours.low is None or ours.high is None:
        return "cannot tell", f"{said}; ours has no interval to place it by"
    if ours.low > random.high:
        return ("agrees" if where == "above" else "differs"), f"{said}, ours above them"
    if ours.high < random.low:
        return ("agrees" if where == "below" else "differs"), f"{said}, ours below them"
    return "cannot tell", f"{said}, ours within their interval"


def _by_sign(published: Published, ours: Estimate) -> tuple[Agreement, str]:
    sign = "positive" if published.value > 0 else "negative"
    if ours.low is None or ours.high is None or ours.low <= 0 <= ours.high:
        return "cannot tell", f"published {sign}; our interval has zero in it or is unknown"
    mine = "positive" if ours.low > 0 else "negative"
    return ("agrees" if mine == sign else "differs"), f"published {sign}, ours {mine}"


def interval(published: Published) -> tuple[float, float]:
    """The published 95% interval: from a standard error, from a deviation over n players, or the value alone."""
    if published.spread is None or (published.kind == "sd" and not published.n):
        return published.value, published.value
    if published.kind == "se":
        half = 1.96 * published.spread
    else:
        n = published.n or 2
        half = t_quantile(n - 1) * published.spread / sqrt(n)
    return published.value - half, published.value + half


def _overlap(published: Published, ours: Estimate) -> Agreement:
    if ours.low is None or ours.high is None:
        return "cannot tell"
    low, high = interval(published)
    return "agrees" if ours.low <= high and low <= ours.high else "differs"
