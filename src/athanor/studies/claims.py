"""Claims and how they fare: each rests on estimates whose intervals lie on one side, or do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from athanor.core.records import Estimate, Record

Verdict = Literal["holds", "holds in part", "does not hold", "contradicted", "cannot be told", "cannot be judged"]
"""The last of what was measured where no difference could show."""
By = Mapping[tuple[str, str], Estimate]
"""Estimates by group and name."""


class Claim(Record, kw_only=True):
    """A claim and how it fares."""

    statement: str
    verdict: Verdict
    evidence: tuple[Estimate, ...]
    source: str = ""
    together: Verdict | None = None
    """The verdict by intervals that hold together with those of all other claims; None where there are none."""


def verdict(signs: Sequence[int]) -> Verdict:
    """1 is as claimed, -1 the other way, 0 an interval that includes zero.

    >>> verdict([1, 1]), verdict([1, 0]), verdict([1, -1]), verdict([0, 0]), verdict([-1, 0])
    ('holds', 'holds in part', 'does not hold', 'cannot be told', 'contradicted')
    """
    if min(signs) > 0:
        return "holds"
    if max(signs) == 0 and min(signs) == 0:
        return "cannot be told"
    if max(signs) <= 0:
        return "contradicted"
    return "holds in part" if min(signs) == 0 else "does not hold"


def counted(claims: Sequence[Claim]) -> str:
    """How many claims hold by themselves, and how many all together, as a sentence; empty where there are none."""
    if not claims:
        return ""
    alone, together = (Counter(getattr(claim, name) for claim in claims) for name in ("verdict", "together"))
    rest = [f"“{name}” of {alone[name]} and {together[name]}"
            for name in ("holds in part", "does not hold", "contradicted", "cannot be told", "cannot be judged")
            if alone[name] or together[name]]  # fmt: skip
    return (
        f"Of {len(claims)} claims {alone['holds']} hold by themselves and {together['holds']} all together "
        f"(Bonferroni){'; likewise ' if rest else ''}{', '.join(rest)}."
    )


def side(one: Estimate, of: float = 0.0) -> int:
    """Whether a whole interval lies above (1) or below (-1) a number; 0 where it does not, or there is none."""
    if one.low is None or one.high is None:
        return 0
    return 1 if one.low > of else -1 if one.high < of else 0
