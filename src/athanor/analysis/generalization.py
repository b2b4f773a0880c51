"""What post-training changed: policies compared on the same hands, with intervals over trainings and multisets.

A score is the mean over multisets of the share of their hands that were solved, so that a multiset that is dealt
often weighs no more than another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import erfc, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from athanor.analysis.crossed import crossed_mean
from athanor.analysis.intervals import ANY, LEVEL, SHARE, Interval, Range, mean
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


class Score(NamedTuple):
    """Hands of a condition, played once."""

    solved: np.ndarray
    """Float["multisets"]: the share of each multiset's hands that were solved."""
    recognised: np.ndarray
    """Float["multisets"]: the share whose four numbers the first answer read right."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training, or one trial of a base that was not trained."""

    arm: str
    base: str
    number: int | None
    """Of the seed: trainings of one number from one base are tried with the same draws. None is a base that was tried
    once, beside the trainings of every number."""
    scores: dict[Key, dict[int, Score]]
    """By step."""
    flop: dict[int, float] = field(default_factory=dict)
    """Operations spent, by step."""
    episodes: dict[int, int] = field(default_factory=dict)
    """Answers sampled and judged, by step."""
    passes: dict[str, dict[int, float]] = field(default_factory=dict)
    """By condition: the share of hands solved by one of k samples, by k."""
    arithmetic: float | None = None
    stopped: str = ""

    def last(self, key: Key) -> Score | None:
        """At the end of training."""
        steps = self.scores.get(key)
        return steps[max(steps)] if steps else None


BASE = "base"
"""The name of the arm that is not trained."""


def read_trained(path: Path, arm: str, base: str, number: int, stopped: str = "") -> Trained:
    """A file of scores. DataError if it is torn or lacks what a score has."""
    scores: dict[Key, dict[int, Score]] = {}
    flop, episodes, passes, arithmetic = {}, {}, {}, None
    try:
        for line in path.read_bytes().splitlines():
            told: dict[str, Any] = json.loads(line)
            if told.get("number", number) != number:
                continue
            if "pass" in told:
                passes[told["condition"]] = {int(k): float(share) for k, share in told["pass"].items()}
            elif told["condition"] == "arithmetic":
                arithmetic = float(told["share"])
            else:
                step, hands = told.get("step", 0), np.array(told["hands"])
                key = Key(told["condition"], told["temperature"], told["rounds"])
                found = Score(np.array(told["solved"]) / hands, np.array(told["recognised"]) / hands)
                scores.setdefault(key, {})[step] = found
                flop[step], episodes[step] = told["flop"], told["episodes"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read as scores of a training ({error}); train it again") from error
    return Trained(
        arm=arm, base=base, number=number, scores=scores, flop=flop, episodes=episodes, passes=passes,
        arithmetic=arithmetic, stopped=stopped,
    )  # fmt: skip


def score(trained: Sequence[Trained], arm: str, key: Key, level: float = LEVEL) -> Estimate:
    """How much of a condition the policies of an arm solve."""
    rows = [values.solved for one in trained if one.arm == arm and (values := one.last(key)) is not None]
    return _estimate(f"solved: {key}", _crossed(rows, level, SHARE), arm)


def recognition(trained: Sequence[Trained], arm: str, key: Key, level: float = LEVEL) -> Estimate:
    """How often the four numbers of a hand are read right, whatever is then made of them."""
    rows = [values.recognised for one in trained if one.arm == arm and (values := one.last(key)) is not None]
    return _estimate(f"recognised: {key}", _crossed(rows, level, SHARE), arm)


def difference(
    trained: Sequence[Trained], arm: str, other: str, key: Key, level: float = LEVEL, *, other_key: Key | None = None,
    base: str | None = None,
) -> Estimate:  # fmt: skip
    """How much more an arm solves than another, paired by base and number of the seed, on the same hands.

    `other_key`: how the other one was played, where that differs (the base at another temperature). `base`: of the
    trainings from one base alone.
    """
    theirs = {(one.base, one.number): one.last(other_key or key) for one in trained if one.arm == other}
    rows = []
    for one in trained:
        mine, against = one.last(key), theirs.get((one.base, one.number), theirs.get((one.base, None)))
        if one.arm == arm and base in (None, one.base) and mine is not None and against is not None:
            rows.append(mine.solved - against.solved)
    name = f"{arm} minus {other}: {key}"
    name = name if other_key is None else f"{name}, the other at {other_key}"
    return _estimate(name if base is None else f"{name} (from {base})", _crossed(rows, level), arm)


def kept(trained: Sequence[Trained], arm: str, level: float = LEVEL) -> Estimate:
    """The share of single steps of arithmetic that an arm's policies still tell right."""
    shares = [one.arithmetic for one in trained if one.arm == arm and one.arithmetic is not None]
    found = mean(shares, level=level, unit="trainings")
    return msgspec.structs.replace(_estimate("arithmetic told right", found, arm), unit="trainings")


class Place(NamedTuple):
    """Where an arm is after a part of its training, on average over its trainings."""

    flop: float
    episodes: float
    solved: Estimate


def course(
    trained: Sequence[Trained], arm: str, key: Key, level: float = LEVEL, *, start: str = BASE
) -> tuple[Place, ...]:
    """An arm's scores on the way, first those of the arm that it begins from."""
    mine = [one for one in trained if one.arm == arm and key in one.scores and not one.stopped]
    own = {(one.base, one.number) for one in mine}
    before = [
        found.solved for one in trained
        if one.arm == start and (one.base, one.number) in own and (found := one.last(key)) is not None
    ]  # fmt: skip
    places = [Place(0.0, 0.0, _estimate(str(key), _crossed(before, level, SHARE), arm))]
    lengths = {len(one.scores[key]) for one in mine}
    for place in range(min(lengths, default=0)):
        steps = [sorted(one.scores[key])[place] for one in mine]
        rows = [one.scores[key][step].solved for one, step in zip(mine, steps, strict=True)]
        flop = float(np.mean([one.flop[step] for one, step in zip(mine, steps, strict=True)]))
        sampled = float(np.mean([one.episodes[step] for one, step in zip(mine, steps, strict=True)]))
        places.append(Place(flop, sampled, _estimate(str(key), _crossed(rows, level, SHARE), arm)))
    return tuple(places)


def _crossed(rows: Sequence[np.ndarray], level: float, within: Range = ANY) -> Interval:
    if not rows:
        return Interval(value=None, low=None, high=None, level=level, n=0, method="no training of this kind is there")
    return crossed_mean(np.stack(rows), level, within=within)


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
    pooled = (successes + other) / (n + of)
    error = sqrt(pooled * (1 - pooled) * (1 / n + 1 / of))
    z = (successes / n - other / of) / error if error else 0.0
    return z, erfc(abs(z) / sqrt(2))
