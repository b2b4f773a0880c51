"""Curves of players who may stop when they like: how far those who still play are, and how many still play.

Most people stop early, and those who go on are not like those who stop. The mean over whoever still plays rises for
both reasons; the mean in which everyone keeps the last inventory does not. Both are given, with the share playing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from athanor.analysis.intervals import AMOUNT, LEVEL, Point, band
from athanor.core.records import Estimate
from athanor.values.arrays import Bools, Floats, Ints, Longs
from athanor.values.games import Games


@dataclass(frozen=True, kw_only=True)
class Careers:
    """What players owned turn by turn, and how long they played.

    Turns are those played: one that counts as no attempt (no pair could be read, the rules refused it, no record of it
    is left) is a turn in which nothing joined.
    """

    starts: Longs
    """Int["players+1"]: player p has rows `starts[p]:starts[p + 1]`, one a turn that counts."""
    start: Ints
    """Int["players"]: elements owned before the first turn."""
    turn: Ints
    """Int["rows"]: the number of the turn in its game, from 0, rising."""
    owned: Ints
    """Int["rows"]: elements owned after the turn."""
    lengths: Longs
    """Int["players"]: turns played."""
    stopped: Bools
    """Bool["players"]: whether a player stopped, rather than being stopped (by a bound on turns, or an end of the
    data)."""

    @staticmethod
    def of(games: Games) -> Careers:
        """The careers of replayed players; who played no turn is left out, who played none that counts is not."""
        choices = games.choices.of(games.choices.played > 0)  # those left out have no rows
        return Careers(
            starts=choices.starts,
            start=np.full(choices.players, len(games.world.base), dtype=np.int32),
            turn=choices.turn,
            owned=games.owned_after,
            lengths=choices.played,
            stopped=~choices.cut_off,
        )

    def inventory(self, at: Sequence[int]) -> Floats:
        """Float["players points"]: elements owned after so many turns; who stopped before keeps the last inventory."""
        begin, end = self.starts[:-1, None], self.starts[1:, None]
        span = int(self.lengths.max(initial=0)) + 1
        player = np.arange(len(self.lengths))
        rows = np.repeat(player, np.diff(self.starts)) * span + self.turn
        wanted = player[:, None] * span + np.clip(np.asarray(at, dtype=np.int64), 0, span - 1)
        after = np.clip(np.searchsorted(rows, wanted), begin, end)  # the first row that is not before the point
        if not len(self.owned):
            return np.broadcast_to(self.start[:, None], after.shape).astype(float)
        return np.where(after > begin, self.owned[np.maximum(after - 1, 0)], self.start[:, None]).astype(float)


def playing_curve(careers: Careers, at: Sequence[int]) -> tuple[Point, ...]:
    """The mean inventory after so many turns among those who played as many; `n` of a point is how many they are.

    Student t interval over players. No point where nobody played as long.
    """
    playing = careers.lengths[:, None] >= np.asarray(at)
    return band(np.where(playing, careers.inventory(at), np.nan), at, within=AMOUNT)


def carried_curve(careers: Careers, at: Sequence[int]) -> tuple[Point, ...]:
    """The mean inventory after so many turns among all players; who stopped before keeps the last inventory.

    Student t interval over players.
    """
    return band(careers.inventory(at), at, within=AMOUNT)


def staying_curve(careers: Careers, *, level: float = LEVEL) -> tuple[Point, ...]:
    """The share of players who go on after so many turns, a point wherever somebody stopped; `n` are those at risk.

    Kaplan and Meier (JASA 53, 1958): the product of 1 - d/n over the turns so far, d players stopping of the n who
    played that turn; who was stopped is at risk until then. The interval is from Greenwood's variance on the
    log-minus-log scale (Kalbfleisch and Prentice 1980), so that it stays within 0 and 1; None where nobody is left.
    """
    lengths = np.sort(careers.lengths)
    at, stops = np.unique(careers.lengths[careers.stopped], return_counts=True)
    risk = len(lengths) - np.searchsorted(lengths, at)
    share = np.cumprod(1 - stops / risk)
    left = risk - stops
    terms = np.divide(stops, risk * left, out=np.full(len(at), np.inf), where=left > 0)
    spread = float(special.ndtri(0.5 + level / 2)) * np.sqrt(np.cumsum(terms))
    points = []
    for turn, value, n, wide in zip(at.tolist(), share.tolist(), risk.tolist(), spread.tolist(), strict=True):
        low = high = None
        if 0 < value < 1:
            factor = np.exp(wide / np.log(value))
            low, high = float(value ** (1 / factor)), float(value**factor)
        points.append(Point(at=turn, value=value, low=low, high=high, n=n))
    return tuple(points)


def staying_at(curve: Sequence[Point], turn: int, players: int) -> Point:
    """The curve's value after so many turns: that of its last point not beyond, 1 before the first."""
    before = [point for point in curve if point.at <= turn]
    return before[-1] if before else Point(at=turn, value=1.0, low=None, high=None, n=players)


def estimates(careers: Careers, turns: Sequence[int], group: str, *, level: float = LEVEL) -> tuple[Estimate, ...]:
    """The three curves after given numbers of turns. `excluded` are the players who are no part of a mean, for they
    had stopped."""
    players, curve, found = len(careers.stopped), staying_curve(careers, level=level), []
    for turn in turns:
        named = (
            (f"inventory after {turn} turns, still playing", playing_curve(careers, [turn]), "mean, Student t"),
            (f"inventory after {turn} turns, last carried forward", carried_curve(careers, [turn]), "mean, Student t"),
            (f"share going on after {turn} turns", (staying_at(curve, turn, players),), "Kaplan-Meier, Greenwood"),
        )
        for name, points, method in named:
            found.append(_estimate(name, points, players, group, method, level))
    return tuple(found)


def _estimate(name: str, points: Sequence[Point], players: int, group: str, method: str, level: float) -> Estimate:
    point = points[0] if points else None
    share = name.startswith("share")
    n = players if share else point.n if point else 0
    why = _why_unknown(point, share)
    return Estimate(
        name=name, value=point.value if point else None, low=point.low if point else None,
        high=point.high if point else None, level=None if point is None or point.low is None else level,
        n=n, unit="players", method=f"{method} over players{why and '; '}{why}", excluded=players - n, group=group,
    )  # fmt: skip


def _why_unknown(point: Point | None, share: bool) -> str:
    """Why there is no value or no interval; nothing where there are both."""
    if point is None:
        return "nobody played as long"
    if point.low is not None:
        return ""
    if share:
        return "nobody had stopped" if point.value else "nobody went on"
    return "one player only" if point.n == 1 else f"all {point.n} own as many, so that their spread is unknown"
