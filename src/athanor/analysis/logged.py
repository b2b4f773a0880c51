"""Logged play of anybody, described: how many played, how long and how far, what became of their turns, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as renamed
from pathlib import Path

import numpy as np

from athanor.analysis.behaviour import MILESTONES
from athanor.analysis.construction import AGAIN, INVALID, LEGAL, UNTRIED, constructed
from athanor.analysis.groups import Played, Reading, groups_of, read
from athanor.analysis.intervals import AMOUNT, SHARE, Interval, Point, mean
from athanor.analysis.multiplicity import with_adjusted
from athanor.analysis.random_players import NEVER_REPEATS, random_games_beside
from athanor.analysis.regressions import Group, Regression
from athanor.analysis.survival import Careers, carried_curve, playing_curve, staying_curve
from athanor.analysis.survival import estimates as survival_estimates
from athanor.analysis.weights import Options, weights
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.environments.alchemy import CATEGORIES
from athanor.values.games import Games
from athanor.values.meaning import pair_values

PLAYERS, STOPPED, TURNS, UNCOUNTED = (
    "number of players", "number of players who stopped by themselves", "number of turns played",
    "turns left out of those played",
)  # fmt: skip
LENGTH, FINAL = "turns of a player", "final inventory"
POINTS = 120
"""Steps of a curve."""
FEW_LEFT = 0.01
"""A curve ends where a smaller share of its players, of a hundred or more, have played as long."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """How far a group's players are, turn by turn, and how many of them go on."""

    group: str
    beside: tuple[str, ...]
    """Of random players the groups that they stand beside, by whose numbers of turns they play; else nothing."""
    playing: tuple[Point, ...]
    carried: tuple[Point, ...]
    staying: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class LoggedWorld:
    """Groups of one world and its rules, with what is told of them."""

    name: str
    played: Played
    groups: tuple[Group, ...]
    turns: int
    """Where the curves end."""
    curves: tuple[Curves, ...]
    estimates: tuple[Estimate, ...]
    """Counts, lengths, survivors' inventories, shares of turns, then weights: those of random players among them."""

    def of(self, name: str) -> dict[str, Estimate]:
        """The estimates of one name by group."""
        return {one.group: one for one in self.estimates if one.name == name}


def logged(
    paths: Sequence[Path], reading: Reading, regression: Regression | None, options: Options, *, values: str = "true"
) -> list[LoggedWorld]:
    """Describe run folders and files of logs, world by world. `regression` None: without weights.

    UsageError if no group of a world has a turn that counts; else as `groups.read`.
    """
    worlds = [_world(played, reading, regression, options, values) for played in read(paths, reading)]
    adjusted = with_adjusted(*(one.estimates for one in worlds))
    return [renamed(one, estimates=found) for one, found in zip(worlds, adjusted, strict=True)]


def _world(
    played: Played, reading: Reading, regression: Regression | None, options: Options, values: str
) -> LoggedWorld:
    name = f"{played.world.table.name}, {played.rules.name} rules"
    fixed = pair_values(values, played.world)
    groups = _with_names(played, reading, groups_of(played, fixed, reading))
    there = [one for one in groups if len(one.games.pool)]
    if not there:
        raise UsageError(
            f"no group of {name} has a turn that counts; pass other logs, or look at why their turns were left out"
        )
    random = random_games_beside(there, options.seed)
    games = [*((one.name, one.games, ()) for one in there), *((one.name, one.games, one.groups) for one in random)]
    until = max(_end(one.games) for one in there)
    found = [e for one in groups for e in _described(one)]
    for label, one, beside in games:
        longest = int(one.choices.played.max(initial=0))
        at = [*(turn for turn in MILESTONES if turn < longest), longest]
        told = survival_estimates(Careers.of(one), at, label)
        found += [e for e in told if not (beside and e.name.startswith("share"))]
        found += _shares_of_random(label, one) if beside else _shares(label, one)
    if regression:
        found += weights(groups, fixed, regression, options)
    return LoggedWorld(
        name=name, played=played, groups=tuple(groups), turns=until, estimates=tuple(found),
        curves=tuple(_curves(label, one, beside, until) for label, one, beside in games),
    )  # fmt: skip


def _with_names(played: Played, reading: Reading, groups: Sequence[Group]) -> list[Group]:
    """The groups; where two sources name one alike, the source's file stands behind the name."""
    sources = [
        Path(logs.source).name or logs.source
        for logs in played.logs for _ in dict.fromkeys(logs.players["group"].to_pylist())
    ]  # fmt: skip
    twice = Counter(one.name for one in groups)
    names = [
        f"{one.name} ({source})" if twice[one.name] > 1 else one.name
        for one, source in zip(groups, sources, strict=True)
    ]
    again = Counter(names)
    names = [f"{name} #{k}" if again[name] > 1 else name for k, name in enumerate(names, 1)]
    return [renamed(one, name=name) for one, name in zip(groups, names, strict=True)]


def _end(games: Games) -> int:
    """The turn up to which curves are told: the last, or where hardly anybody of many is left."""
    lengths = np.sort(games.choices.played)
    few = int(FEW_LEFT * len(lengths))
    return int(lengths[-1 - few])


def _described(one: Group) -> Iterator[Estimate]:
    """How many players and turns, how many of these are left out, and how long and how far players came."""
    choices = one.games.choices
    lengths = choices.played
    counts = {
        PLAYERS: int((lengths > 0).sum()), STOPPED: int(((lengths > 0) & ~choices.cut_off).sum()),
        TURNS: int(lengths.sum()), UNCOUNTED: int(lengths.sum()) - len(choices.first),
    }  # fmt: skip
    for name, count in counts.items():
        yield Estimate(
            name=name, value=count, low=None, high=None, level=None, n=choices.players, unit="players",
            method="count over the logs", group=one.name,
        )  # fmt: skip
    yield _estimate(one.name, LENGTH, mean(lengths[lengths > 0].tolist(), within=AMOUNT, unit="players"))
    last = one.games.last_owned()[lengths > 0]
    base = len(one.games.world.base)
    yield _estimate(one.name, FINAL, mean(last.tolist(), within=(base, np.inf), unit="players"))


def _shares(name: str, games: Games) -> Iterator[Estimate]:
    """The share of each category in a player's turns, mean over players. Invalid is what was played and does not count:
    unreadable, refused by the rules, or without a record."""
    choices, played = games.choices, games.choices.played
    shown = played > 0
    counted = np.zeros(choices.players, dtype=np.int64)
    for success in (True, False):
        for again in (False, True):
            these = (games.success == success) & (games.repeated == again)
            count = np.bincount(choices.player[these], minlength=choices.players)
            counted += count
            category = f"{'success' if success else 'failure'}-{'existing' if again else 'new'}"
            yield _share(name, category, (count[shown] / played[shown]).tolist())
    yield _share(name, CATEGORIES[-1], (1 - counted[shown] / played[shown]).tolist())


def _shares_of_random(name: str, games: Games) -> Iterator[Estimate]:
    """The same of simulated random players, some of which are 0 by construction."""
    for one in _shares(name, games):
        if one.name in INVALID:
            yield constructed(one, LEGAL)
        else:
            yield constructed(one, UNTRIED) if name.startswith(NEVER_REPEATS) and one.name in AGAIN else one


def _share(name: str, category: str, values: list[float]) -> Estimate:
    return _estimate(name, f"share {category}", mean(values, within=SHARE, unit="players"))


def _estimate(group: str, name: str, found: Interval) -> Estimate:
    return Estimate(
        name=name, value=found.value, low=found.low, high=found.high,
        level=None if found.low is None else found.level, n=found.n, unit="players", method=found.method, group=group,
    )  # fmt: skip


def _curves(name: str, games: Games, beside: tuple[str, ...], until: int) -> Curves:
    careers = Careers.of(games)
    at = np.unique(np.linspace(0, until, POINTS + 1).round().astype(int)).tolist()
    staying = tuple(point for point in staying_curve(careers) if point.at <= until)
    return Curves(
        group=name, beside=beside, playing=playing_curve(careers, at), carried=carried_curve(careers, at),
        staying=staying,
    )  # fmt: skip
