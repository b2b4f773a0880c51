"""What post-training changed: policies compared on the same hands, with intervals over trainings and multisets.

A score is the mean over multisets of the share of their hands that were solved, so that a multiset that is dealt
often weighs no more than another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from athanor.analysis.crossed import crossed_mean
from athanor.analysis.intervals import LEVEL, Interval
from athanor.core.errors import DataError
from athanor.core.records import Estimate


class Key(NamedTuple):
    """What a score is of."""

    condition: str
    temperature: float
    rounds: int

    def __str__(self) -> str:
        how = "greedy" if self.temperature == 0 else f"temperature {self.temperature:g}"
        return f"{self.condition}, {how}{'' if self.rounds == 1 else f', {self.rounds} rounds'}"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training, or one trial of a base that was not trained."""

    arm: str
    base: str
    number: int
    """Of the seed: trainings of one number from one base are tried with the same draws."""
    scores: dict[Key, dict[int, np.ndarray]]
    """By step: Float["multisets"], the share of each multiset's hands that were solved."""
    flop: dict[int, float]
    episodes: dict[int, int]
    arithmetic: float | None
    stopped: str = ""

    def last(self, key: Key) -> np.ndarray | None:
        """Float["multisets"] at the end of training."""
        steps = self.scores.get(key)
        return steps[max(steps)] if steps else None


def read_trained(path: Path, arm: str, base: str, number: int, stopped: str = "") -> Trained:
    """A file of scores. DataError if it is torn or lacks what a score has."""
    found: dict[Key, dict[int, np.ndarray]] = {}
    flop, episodes, arithmetic = {}, {}, None
    try:
        for line in path.read_bytes().splitlines():
            told: dict[str, Any] = json.loads(line)
            if told.get("number", number) != number or "pass" in told:
                continue
            if told["condition"] == "arithmetic":
                arithmetic = told["share"]
                continue
            step = told.get("step", 0)
            key = Key(told["condition"], told["temperature"], told["rounds"])
            found.setdefault(key, {})[step] = np.array(told["solved"]) / np.array(told["hands"])
            flop[step], episodes[step] = told["flop"], told["episodes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read as scores of a training ({error}); train it again") from error
    return Trained(arm=arm, base=base, number=number, scores=found, flop=flop, episodes=episodes,
                   arithmetic=arithmetic, stopped=stopped)  # fmt: skip


def score(trained: Sequence[Trained], arm: str, key: Key, level: float = LEVEL) -> Estimate:
    """How much of a condition the policies of an arm solve."""
    rows = [values for one in trained if one.arm == arm and (values := one.last(key)) is not None]
    return _estimate(str(key), _crossed(rows, level), arm)


def difference(
    trained: Sequence[Trained], arm: str, other: str, key: Key, level: float = LEVEL, *, other_key: Key | None = None
) -> Estimate:
    """How much more an arm solves than another, paired by base and number of the seed, on the same hands.

    `other_key`: how the other one was played, where that differs (the base at another temperature).
    """
    theirs = {(one.base, one.number): one.last(other_key or key) for one in trained if one.arm == other}
    rows = []
    for one in trained:
        mine, against = one.last(key), theirs.get((one.base, one.number))
        if one.arm == arm and mine is not None and against is not None:
            rows.append(mine - against)
    name = f"{arm} minus {other}: {key}"
    return _estimate(name if other_key is None else f"{name}, the other at {other_key}", _crossed(rows, level), arm)


def _crossed(rows: Sequence[np.ndarray], level: float) -> Interval:
    if not rows:
        return Interval(value=None, low=None, high=None, level=level, n=0, method="no training of this kind is there")
    return crossed_mean(np.stack(rows), level)


def _estimate(name: str, found: Interval, group: str) -> Estimate:
    return Estimate(
        name=name, value=found.value, low=found.low, high=found.high, level=found.level, n=found.n, unit="multisets",
        method=found.method, group=group,
    )  # fmt: skip


def two_proportions(successes: int, n: int, other: int, of: int) -> tuple[float, float]:
    """z and the two-sided p of the difference of two shares, by the pooled normal test.

    >>> z, p = two_proportions(35, 234, 27, 234)
    >>> round(z, 2), round(p, 2)
    (1.09, 0.28)
    """
    from math import erfc, sqrt

    pooled = (successes + other) / (n + of)
    error = sqrt(pooled * (1 - pooled) * (1 / n + 1 / of))
    z = (successes / n - other / of) / error if error else 0.0
    return z, erfc(abs(z) / sqrt(2))
