"""Published numbers beside ours: whether the direction agrees, and whether the intervals do."""

from __future__ import annotations

from math import atanh, sqrt, tanh
from typing import Literal

from athanor.analysis.construction import is_by_construction
from athanor.analysis.intervals import t_quantile
from athanor.core.records import Estimate, Record
from athanor.studies.think_too_fast.published import BOUND, NEVER, ORACLE, PUBLISHED, RANDOM, Published

WHO = {NEVER: "random players who never repeat a pair", RANDOM: "memoryless random players"}
_READ_AGAINST = {
    "final inventory": NEVER, "inventory after 100 turns": NEVER, BOUND: NEVER, "share success-new": NEVER,
    "share failure-new": RANDOM, "share success-existing": RANDOM, "share failure-existing": RANDOM,
}  # fmt: skip
REFERENCE: dict[str, Published] = {
    one.quantity: one for one in PUBLISHED if _READ_AGAINST.get(one.quantity) == one.of
}  # fmt: skip
"""The line that a number of models or people lies above or below: what which random player reaches by the rules of Pan
et al. Repeats are read against the player who repeats by chance."""

Agreement = Literal[
    "agrees", "differs", "cannot tell", "by construction", "not computed", "not comparable", "no direction"
]
SIGNED = ("uncertainty", "empowerment", "stopping: ", "usage: r ", "usage: usage % by ")
"""How the quantities begin that can be negative; others are above zero whatever is found."""


class Beside(Record, kw_only=True):
    """What another world of the study has beside a published number."""

    world: str
    ours: Estimate | None
    direction: Agreement
    why: str


class Comparison(Record, kw_only=True, omit_defaults=False):
    """One published number beside ours."""

    published: Published
    ours: Estimate | None
    another: tuple[str, ...]
    """What makes ours a stand-in, of something else than was published: another model, world, rules or length."""
    direction: Agreement
    sure: bool
    """Whether the published number has an interval, without which its direction is no more than its sign or side."""
    interval: Agreement
    why: str
    """What was compared, or why there is nothing of ours, as sentences."""
    how: str
    """In what the two differ in how they were made; empty where nothing is known to."""
    elsewhere: tuple[Beside, ...] = ()
    """The same of the study's other worlds, the control among them, of those that have it."""


def compare(
    published: Published,
    ours: Estimate | None,
    line: Estimate | None,
    *,
    another: tuple[str, ...] = (),
    how: str = "",
    missing: str = "",
    incomparable: str = "",
) -> Comparison:
    """Set one number beside ours.

    `line`: the same quantity of the random player that REFERENCE names, for quantities that are read against one;
    others are read by their sign. `missing`: why there is none of ours; `incomparable`: why none of ours can stand
    beside it. Intervals of stand-ins are not compared: they are of something else.
    """
    if incomparable:
        return Comparison(
            published=published, ours=None, another=another, direction="not comparable", sure=False,
            interval="not comparable", why=f"Not comparable: {incomparable}.", how="",
        )  # fmt: skip
    if ours is None or ours.value is None:
        why = missing or (_unknown(ours) if ours else "the study has no such estimate")
        return Comparison(
            published=published, ours=ours, another=another, direction="not computed", sure=False,
            interval="not computed", why=f"Not computed here: {why}.", how="",
        )  # fmt: skip
    reference = REFERENCE.get(published.quantity)
    if published.quantity == "share invalid":
        direction, why = "no direction", "A share of invalid answers has none; the intervals tell."
    elif reference and published.of == reference.of:
        direction, why = "no direction", "This is the line itself, by which others are read."
    elif reference:
        direction, why = _against_random(published, ours, line, reference)
    else:
        direction, why = _by_sign(published, ours)
    if (reason := _constructed(published)) and direction not in ("differs", "no direction"):
        direction, why = "by construction", f"{reason} Only how large it is, and the interval, say something."
    sure = has_interval(published)
    if direction in ("agrees", "differs") and not sure:
        why += " The published number stands without an interval, so that this is not sure."
    return Comparison(
        published=published, ours=ours, another=another, direction=direction, sure=sure,
        interval="not comparable" if another else _overlap(published, ours), why=why, how=how,
    )  # fmt: skip


def _constructed(published: Published) -> str:
    """Why the direction of a number is given before anything is played; empty where it is not."""
    if published.of == NEVER and published.quantity.endswith("-existing"):
        return "It is by construction: who never repeats a pair has no such turn."
    if (published.of, published.quantity) == (ORACLE, "final inventory"):
        return "It is by construction: the oracle knows the table, and random players do not."
    if published.of == f"{published.quantity} agent":
        return f"It is by construction: the agent was made to follow {published.quantity}."
    if published.quantity not in _READ_AGAINST and not published.quantity.startswith(SIGNED):
        return "It is by construction: it cannot be negative."
    return ""


def _unknown(ours: Estimate) -> str:
    """Why an estimate has no value, in words."""
    if "separat" in ours.method:
        return "our estimate has no bounds, for the choices of too few turns are separated by its regression"
    return f"it cannot be estimated ({ours.method.rpartition('; ')[2]})"


def _against_random(
    published: Published, ours: Estimate, line: Estimate | None, reference: Published
) -> tuple[Agreement, str]:
    (low, high), (least, most) = interval(published), interval(reference)
    who, reached = WHO[reference.of], reference.value
    shown = f"{100 * reached:.1f}%" if published.quantity.startswith("share") else f"{reached:g}"
    if low <= most and least <= high:
        return "cannot tell", f"The published number cannot be told from that of {who} ({shown})."
    above = low > most
    said = f"The published number lies {'above' if above else 'below'} that of {who} ({shown})"
    if (mine := ends(ours)) is None:
        return "cannot tell", f"{said}; ours has no interval to place it by."
    if line is None or (theirs := ends(line)) is None:
        return "cannot tell", f"{said}; theirs here has no interval to place ours by."
    if mine[0] > theirs[1]:
        return ("agrees" if above else "differs"), f"{said}, ours above theirs here."
    if mine[1] < theirs[0]:
        return ("differs" if above else "agrees"), f"{said}, ours below theirs here."
    return "cannot tell", f"{said}; ours cannot be told from theirs here."


def _by_sign(published: Published, ours: Estimate) -> tuple[Agreement, str]:
    low, high = interval(published)
    if low <= 0 <= high:
        return "cannot tell", "The published interval has zero in it, so that there is no direction to agree with."
    sign = "positive" if low > 0 else "negative"
    if ours.low is None or ours.high is None:
        return "cannot tell", f"The published number is {sign}, ours has no interval."
    if ours.low <= 0 <= ours.high:
        return "cannot tell", f"The published number is {sign}, our interval has zero in it."
    mine = "positive" if ours.low > 0 else "negative"
    if mine == sign:
        return "agrees", f"Both are {sign}."
    return "differs", f"The published number is {sign}, ours {mine}."


def ends(one: Estimate) -> tuple[float, float] | None:
    """Between what a number of ours lies: its interval, or the number itself where it is so by construction."""
    if is_by_construction(one) and one.value is not None:
        return one.value, one.value
    return None if one.low is None or one.high is None else (one.low, one.high)


def has_interval(published: Published) -> bool:
    """Whether the source gives what an interval can be made from: without it the number stands alone."""
    if published.kind in ("r", "sd"):
        return bool(published.n) and (published.kind == "r" or published.spread is not None)
    return published.spread is not None


def interval(published: Published) -> tuple[float, float]:
    """The published 95% interval: from a standard error, from a deviation over n players (of a share, cut at 0 and 1),
    of a correlation over n elements (Fisher's z), or the value alone."""
    value, spread, n = published.value, published.spread, published.n
    if published.kind == "r" and n:
        return tanh(atanh(value) - 1.96 / sqrt(n - 3)), tanh(atanh(value) + 1.96 / sqrt(n - 3))
    if spread is None or not has_interval(published):
        return value, value
    half = 1.96 * spread if published.kind == "se" else t_quantile((n or 2) - 1) * spread / sqrt(n or 2)
    if published.quantity.startswith("share "):
        return max(0.0, value - half), min(1.0, value + half)
    return value - half, value + half


def _overlap(published: Published, ours: Estimate) -> Agreement:
    """Whether the two intervals overlap.

    A published number without one agrees where ours has it in it, for any interval around it would overlap; where ours
    has it not, that it differs cannot be told.
    """
    if (mine := ends(ours)) is None:
        return "cannot tell"
    low, high = interval(published)
    if mine[0] <= high and low <= mine[1]:
        return "agrees"
    return "differs" if has_interval(published) else "cannot tell"
