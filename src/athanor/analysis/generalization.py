"""What post-training changed: policies compared on the same hands, with intervals over trainings and multisets.

A score is the mean over multisets of the share of their hands that were solved, so that a multiset that is dealt
often weighs no more than another. A training that was stopped counts by the last scores that it has, so that policies
which ran away are not left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import erfc, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from athanor.analysis.crossed import Spread, added, crossed_mean, fixed_mean, spread_of
from athanor.analysis.intervals import LEVEL, SHARE, Interval, mean
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
    """Float["multisets"]: the share whose four numbers, or cards where they were shown in pictures, the first answer
    read right."""


class Passes(NamedTuple):
    """Hands of a condition, answered many times each."""

    samples: int
    right: np.ndarray
    """Int["hands"]: how many of the samples solve each hand."""
    hands: tuple[int, ...]
    """Which hands they are."""

    def within(self, k: int) -> np.ndarray:
        """Float["hands"]: the chance that one of k samples solves each, unbiased (Chen et al. 2021, equation 1)."""
        missed = np.ones(len(self.right))
        for drawn in range(k):  # none of k right, drawn one after the other without putting back
            missed *= np.maximum(0, self.samples - self.right - drawn) / (self.samples - drawn)
        return 1 - missed

    @property
    def ks(self) -> tuple[int, ...]:
        """1, 2, 4, ... up to the samples."""
        return tuple(2**power for power in range(self.samples.bit_length()))


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
    passes: dict[str, Passes] = field(default_factory=dict)
    """By condition."""
    arithmetic: float | None = None
    stopped: str = ""
    """Why the training was stopped before its end; empty where it was not."""
    kind: str = ""
    """Of training: arms of one kind tell together how much trainings differ."""

    def last(self, key: Key) -> Score | None:
        """At the end of training, or when it was last tried before it was stopped."""
        steps = self.scores.get(key)
        return steps[max(steps)] if steps else None


BASE = "base"
"""The name of the arm that is not trained."""


def read_trained(path: Path, arm: str, base: str, number: int, stopped: str = "", kind: str = "") -> Trained:
    """A file of scores. DataError if it is torn or lacks what a score has."""
    scores: dict[Key, dict[int, Score]] = {}
    flop, episodes, passes, arithmetic = {}, {}, {}, None
    try:
        for line in path.read_bytes().splitlines():
            told: dict[str, Any] = json.loads(line)
            if told.get("number", number) != number:
                continue
            if "pass" in told:
                drawn = told["pass"]
                right = np.array(drawn["right"], dtype=np.int64)
                passes[told["condition"]] = Passes(int(drawn["samples"]), right, tuple(drawn["hands"]))
            elif told["condition"] == "arithmetic":
                arithmetic = float(told["share"])
            else:
                step, hands = told.get("step", 0), np.array(told["hands"])
                key = Key(told["condition"], told["temperature"], told["rounds"])
                found = Score(np.array(told["solved"]) / hands, np.array(told["recognised"]) / hands)
                scores.setdefault(key, {})[step] = found
                flop[step], episodes[step] = told["flop"], told["episodes"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} cannot be read as scores of a training ({error}); remove {path.parent} and go on with --resume"
        ) from error
    return Trained(
        arm=arm, base=base, number=number, scores=scores, flop=flop, episodes=episodes, passes=passes,
        arithmetic=arithmetic, stopped=stopped, kind=kind,
    )  # fmt: skip


Pick = Callable[[Trained], np.ndarray | None]
"""What of a training is compared, Float["multisets"]; None where it has none."""


def score(trained: Sequence[Trained], arm: str, key: Key, level: float = LEVEL) -> Estimate:
    """How much of a condition the policies of an arm solve."""
    return _estimate(f"solved: {key}", _mean(trained, arm, _solved(key), level), arm)


def recognition(trained: Sequence[Trained], arm: str, key: Key, level: float = LEVEL) -> Estimate:
    """How often a hand is read right, whatever is then made of it."""
    return _estimate(f"recognised: {key}", _mean(trained, arm, _read(key), level), arm)


def recognised_more(trained: Sequence[Trained], arm: str, other: str, key: Key, level: float = LEVEL) -> Estimate:
    """How much more often an arm reads hands right than another, on the same hands."""
    found = _difference(trained, arm, other, _read(key), _read(key), level)
    return _estimate(Contrast(arm, other, key, recognised=True).name, found, arm)


def misreasoned(trained: Sequence[Trained], arm: str, key: Key, level: float = LEVEL) -> Estimate:
    """The share of hands that were read right and not solved; the others that were not solved were misread."""

    def missed(one: Trained) -> np.ndarray | None:
        last = one.last(key)
        return None if last is None else np.maximum(last.recognised - last.solved, 0)

    return _estimate(f"misreasoned: {key}", _mean(trained, arm, missed, level), arm)


def passed_within(trained: Sequence[Trained], arm: str, condition: str, k: int, level: float = LEVEL) -> Estimate:
    """The share of hands that one of k samples solves."""
    found = _estimate(f"pass@{k}: {condition}", _mean(trained, arm, _within(trained, condition, k), level), arm)
    return msgspec.structs.replace(found, unit="hands")


def passed_more(
    trained: Sequence[Trained], arm: str, other: str, condition: str, k: int, level: float = LEVEL
) -> Estimate:
    """How many more hands one of k samples solves than of another arm, on the same hands."""
    pick = _within(trained, condition, k)
    found = _difference(trained, arm, other, pick, pick, level)
    return msgspec.structs.replace(_estimate(f"{arm} minus {other}: pass@{k}: {condition}", found, arm), unit="hands")


def difference(
    trained: Sequence[Trained], arm: str, other: str, key: Key, level: float = LEVEL, *, other_key: Key | None = None,
    base: str | None = None,
) -> Estimate:  # fmt: skip
    """How much more an arm solves than another, paired by base and number of the seed, on the same hands.

    `other_key`: how the other one was played, where that differs (the base at another temperature). `base`: of the
    trainings from one base alone. The base itself has no trainings: its draws are pooled.
    """
    some = [one for one in trained if base in (None, one.base)]
    name = Contrast(arm, other, key, other_key).name
    found = _difference(some, arm, other, _solved(key), _solved(other_key or key), level)
    return _estimate(name if base is None else f"{name} (from {base})", found, arm)


class Contrast(NamedTuple):
    """A difference between two arms, which can be estimated at any level."""

    arm: str
    other: str
    key: Key
    other_key: Key | None = None
    """How the other one was played, where that differs."""
    recognised: bool = False
    """Whether it is of hands that are read right, and not of those that are solved."""

    @property
    def name(self) -> str:
        """Of its estimate.

        >>> Contrast("grpo", "sft", Key("rule", 0.0, 1)).name
        'grpo minus sft: rule, greedy'
        """
        told = f"{self.arm} minus {self.other}: {'recognised: ' if self.recognised else ''}{self.key}"
        return told if self.other_key is None else f"{told}, the other at {self.other_key}"

    def estimated(self, trained: Sequence[Trained], level: float = LEVEL) -> Estimate:
        if self.recognised:
            return recognised_more(trained, self.arm, self.other, self.key, level)
        return difference(trained, self.arm, self.other, self.key, level, other_key=self.other_key)


def _solved(key: Key) -> Pick:
    return lambda one: None if (last := one.last(key)) is None else last.solved


def _read(key: Key) -> Pick:
    return lambda one: None if (last := one.last(key)) is None else last.recognised


def _within(trained: Sequence[Trained], condition: str, k: int) -> Pick:
    """DataError unless all answered the same hands."""
    if len({one.passes[condition].hands for one in trained if condition in one.passes}) > 1:
        raise DataError(
            f"{condition}: policies were not asked for many answers to the same hands; train and try them again"
        )
    return lambda one: one.passes[condition].within(k) if condition in one.passes else None


def _mean(trained: Sequence[Trained], arm: str, pick: Pick, level: float) -> Interval:
    """Of an arm's policies, between 0 and 1."""
    rows = [values for one in trained if one.arm == arm and (values := pick(one)) is not None]
    if not rows:
        return _none(level)
    if arm == BASE:
        return fixed_mean(np.stack(rows), level, within=SHARE)
    return crossed_mean(np.stack(rows), level, within=SHARE, spread=_spread(trained, arm, pick))


def _difference(trained: Sequence[Trained], arm: str, other: str, pick: Pick, of_other: Pick, level: float) -> Interval:
    """Paired by base and number; a base that is not trained is one policy, whose draws are pooled."""
    theirs: dict[tuple[str, int | None], list[np.ndarray]] = {}
    for one in trained:
        if one.arm == other and (values := of_other(one)) is not None:
            theirs.setdefault((one.base, None if other == BASE else one.number), []).append(values)
    rows = []
    for one in trained:
        mine = pick(one) if one.arm == arm else None
        against = theirs.get((one.base, one.number), theirs.get((one.base, None)))
        if mine is not None and against is not None:
            rows.append(mine - np.mean(against, axis=0))
    if not rows:
        return _none(level)
    if arm == BASE:
        return fixed_mean(np.stack(rows), level)
    spread = _spread(trained, arm, pick)
    if other != BASE and spread:
        against_spread = _spread(trained, other, of_other)
        spread = added(spread, against_spread) if against_spread else None
    return crossed_mean(np.stack(rows), level, spread=spread)


def _spread(trained: Sequence[Trained], arm: str, pick: Pick) -> Spread | None:
    """How much an arm's trainings from one base differ, told by those of its kind too."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for one in trained:
        if one.arm != BASE and (values := pick(one)) is not None:
            groups.setdefault((one.kind, one.arm, one.base), []).append(float(values.mean()))
    kinds = {kind for kind, name, _ in groups if name == arm}
    own = [means for (_, name, _), means in groups.items() if name == arm]
    alike = [means for (kind, name, _), means in groups.items() if name != arm and kind in kinds]
    others = [means for (kind, name, _), means in groups.items() if name != arm and kind not in kinds]
    return spread_of(own, alike, others)


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
    """An arm's scores on the way, first those of the arm that it begins from. A training that was stopped stays where
    it was last tried."""
    mine = [one for one in trained if one.arm == arm and key in one.scores]
    own = {(one.base, one.number) for one in mine}
    before = [one for one in trained if one.arm == start and (one.base, one.number) in own]
    places = [Place(0.0, 0.0, _estimate(str(key), _mean(before, start, _solved(key), level), arm))]
    whole = max((len(one.scores[key]) for one in mine), default=0)
    for place in range(whole):
        steps = [_step(one, key, place) for one in mine]
        flop = float(np.mean([one.flop[step] for one, step in zip(mine, steps, strict=True)]))
        sampled = float(np.mean([one.episodes[step] for one, step in zip(mine, steps, strict=True)]))
        found = _mean(trained, arm, _solved(key) if place == whole - 1 else _after(key, place), level)
        places.append(Place(flop, sampled, _estimate(str(key), found, arm)))
    return tuple(places)


def _after(key: Key, place: int) -> Pick:
    """What is solved at one of the places on the way, counted from 0."""

    def pick(one: Trained) -> np.ndarray | None:
        return one.scores[key][_step(one, key, place)].solved if key in one.scores else None

    return pick


def _step(one: Trained, key: Key, place: int) -> int:
    """The step of a place on the way, or the last one before it."""
    steps = sorted(one.scores[key])
    return steps[min(place, len(steps) - 1)]


def _none(level: float) -> Interval:
    return Interval(value=None, low=None, high=None, level=level, n=0, method="no training of this kind is there")


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
