"""What trained models were tried on, item by item, and what follows for their arms: over trainings and items at once.

A measure is a ratio for each item, a prompt or a question: of images that passed to images, of answers that were right
to answers. Its mean is over strata (categories, kinds of questions) with equal weights, as GenEval's is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from athanor.analysis.crossed import crossed_mean, of_ratios
from athanor.analysis.intervals import ANY, LEVEL, SHARE, Interval, Range
from athanor.core.errors import DataError
from athanor.core.lines import read_lines
from athanor.core.records import Estimate, Record
from athanor.environments.scenes.spec import GENEVAL


class Measured(Record, kw_only=True):
    """One measure of one model, in columns with a row for each item."""

    of: str
    items: tuple[str, ...]
    strata: tuple[str, ...]
    """To which each item belongs."""
    parts: tuple[str, ...]
    """Whether each item could have been seen in training: `seen` or `unseen`."""
    tops: tuple[float, ...]
    bottoms: tuple[float, ...]
    """0 where there was nothing to be counted."""
    share: bool = True
    """Whether it cannot be below 0 nor above 1."""


class Shown(Record, kw_only=True):
    """A drawing to be looked at."""

    category: str
    prompt: str
    png: bytes
    passed: bool
    reason: str
    """Of the checker."""


class Of(NamedTuple):
    """What an estimate is of."""

    measure: str
    stratum: str = ""
    """One, or empty for the mean over all: of categories, over GenEval's six."""
    part: str = ""
    """`seen` or `unseen`; empty for both."""

    def __str__(self) -> str:
        return ": ".join([self.measure, *([told] if (told := ", ".join(filter(None, self[1:]))) else [])])


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One training that was tried."""

    arm: str
    number: int
    """Of the seed: trainings of one number begin alike and are tried with the same draws."""
    measured: Mapping[str, Measured]
    flop: float = 0.0
    """Operations of its training, what it began from not counted."""
    seconds: float = 0.0
    """CPU seconds likewise."""
    stopped: str = ""


def read(path: Path) -> dict[str, Measured]:
    """A file of measures. DataError if it cannot be one."""
    found = {one.of: one for one in read_lines(path, Measured)}
    for one in found.values():
        if len({len(one.items), len(one.strata), len(one.parts), len(one.tops), len(one.bottoms)}) > 1:
            raise DataError(f"{path} has columns of different lengths under {one.of!r}; try the model again")
    return found


def score(tried: Sequence[Tried], arm: str, of: Of, level: float = LEVEL) -> Estimate:
    """A measure of an arm."""
    made = _values(tried, arm, of, arm, of)
    if made is None:
        return _estimate(str(of), None, arm, level)
    within = SHARE if made.share else ANY
    return _estimate(str(of), _crossed(made.own, made.strata, level, within), arm, level)


def difference(
    tried: Sequence[Tried], arm: str, other: str, of: Of, level: float = LEVEL, *, other_of: Of | None = None
) -> Estimate:
    """How much more an arm has than another, paired by the number of the seed, item by item. `other_of`: what the other
    is measured by, where that differs."""
    name = f"{arm} minus {other}: {of}"
    name = name if other_of is None else f"{arm}, {of}, minus {_its(arm, other)}{other_of}"
    made = _values(tried, arm, of, other, other_of or of)
    if made is None:
        return _estimate(name, None, arm, level)
    return _estimate(name, _crossed(made.own - made.theirs, made.strata, level, ANY), arm, level)


def _its(arm: str, other: str) -> str:
    return "" if arm == other else f"{other}, "


class _Made(NamedTuple):
    """Values of two measures on the same items, Float["runs items"]."""

    own: np.ndarray
    theirs: np.ndarray
    strata: tuple[str, ...]
    share: bool


def _values(tried: Sequence[Tried], arm: str, of: Of, other: str, other_of: Of) -> _Made | None:
    """None where there is no pair of trainings, or nothing to count."""
    theirs = {one.number: one.measured.get(other_of.measure) for one in tried if one.arm == other}
    pairs = [
        (mine, beside) for one in tried if one.arm == arm
        if (mine := one.measured.get(of.measure)) and (beside := theirs.get(one.number))
    ]  # fmt: skip
    if not pairs:
        return None
    first = pairs[0][0]
    for one in (one for pair in pairs for one in pair):
        if one.items != first.items:
            raise DataError(
                f"trainings of {arm} and {other} were tried on different items ({one.of} and {first.of}); run the "
                "study again in another --out"
            )
    rows = _rows(first, of)
    counted = rows & np.any([one.bottoms for pair in pairs for one in pair], axis=0)
    if not rows.any() or _names(first, rows) != _names(first, counted):
        return None
    rows = counted  # an item of which nothing was counted, in any training, is none
    strata = tuple(name for name, mine in zip(first.strata, rows, strict=True) if mine)
    made = [_of(column, rows, strata) for column in zip(*pairs, strict=True)]
    if made[0] is None or made[1] is None:
        return None
    return _Made(made[0], made[1], strata, first.share)


def _names(one: Measured, rows: np.ndarray) -> set[str]:
    """Strata of the chosen items."""
    return {name for name, mine in zip(one.strata, rows, strict=True) if mine}


def _of(those: Sequence[Measured], rows: np.ndarray, strata: Sequence[str]) -> np.ndarray | None:
    """Float["runs items"] of the chosen items; None where nothing was counted in a stratum."""
    tops, bottoms = (np.array([getattr(one, name) for one in those])[:, rows] for name in ("tops", "bottoms"))
    return of_ratios(tops, bottoms, strata)


def _rows(one: Measured, of: Of) -> np.ndarray:
    """Bool["items"]: the items that an estimate is of."""
    strata = {of.stratum} if of.stratum else set(one.strata)
    if not of.stratum and set(GENEVAL) <= strata:
        strata = set(GENEVAL)
    return np.array([
        stratum in strata and of.part in ("", part) for stratum, part in zip(one.strata, one.parts, strict=True)
    ])  # fmt: skip


def _crossed(values: np.ndarray, strata: Sequence[str], level: float, within: Range) -> Interval:
    return crossed_mean(values, level, within=within, strata=strata, of="items")


def _estimate(name: str, found: Interval | None, group: str, level: float) -> Estimate:
    if found is None:
        return Estimate(name=name, value=None, low=None, high=None, level=level, n=0, unit="items",
                        method="mean over runs and items: known for none", group=group)  # fmt: skip
    return Estimate(
        name=name, value=found.value, low=found.low, high=found.high, level=level, n=found.n, unit="items",
        method=found.method, group=group,
    )  # fmt: skip
