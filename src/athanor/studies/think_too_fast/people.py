"""People's logs beside the models: the numbers that were published of people, computed from what is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as renamed
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from athanor.analysis.groups import Played, Reading, groups_of, read
from athanor.analysis.intervals import ANY, SHARE, mean
from athanor.analysis.regressions import Group
from athanor.analysis.stopping import coefficient, stopping
from athanor.analysis.survival import Careers
from athanor.analysis.survival import estimates as survival_estimates
from athanor.analysis.usage import immediate_usage
from athanor.analysis.weights import Options
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.studies.think_too_fast.how import How
from athanor.studies.think_too_fast.procedures import PEOPLE, by_procedure
from athanor.studies.think_too_fast.published import RAW_LOGS, TRIED_ONCE
from athanor.values.tables import PairValues

STOPPING = "empowerment + success"
LONG = 500
STAYED = f"people, {LONG} trials"
"""The published group of those whose last trial has this number, from 0, or a higher one; up to it (501 trials)."""
TRIALS, OWNED = (10, 50, 100, 500, 1_000, 10_000), (10, 20, 50, 100, 200, 300, 400, 500, 600, 700)
"""Numbers of trials and of elements beyond which published counts of players go."""


@dataclass(frozen=True, kw_only=True)
class People:
    """Groups of people of one world and its rules, for the comparisons."""

    names: tuple[str, ...] = ()
    repeating: tuple[str, ...] = ()
    """Of them those whose logs have repeated pairs: raw logs; the others have each pair once."""
    how: How = field(default_factory=How)
    """Where they play; by which rules and how long people play is theirs to say, and no difference."""
    estimates: tuple[Estimate, ...] = ()
    groups: tuple[Group, ...] = ()

    def called(self, of: str) -> tuple[str, ...]:
        """The groups that stand beside people as a publication has them."""
        if of == STAYED:
            return tuple(stayed(name) for name in self.names)
        if of == RAW_LOGS:
            return self.repeating
        if of == TRIED_ONCE:
            return tuple(name for name in self.names if name not in self.repeating)
        return self.names if of == "people" else ()


NOBODY = People()


def stayed(name: str) -> str:
    """The name of those of a group who come to 500 trials."""
    return f"{name}, {LONG} trials"


def read_people(paths: Sequence[Path], reading: Reading) -> list[Played]:
    """Logs and run folders of people by world and rules. Files are read by the table and rules of `reading`, folders
    by their own."""
    files, folders = ([path for path in paths if path.is_dir() == own] for own in (False, True))
    free = Reading(seed=reading.seed, allow=reading.allow)
    return [*(read(files, reading) if files else ()), *(read(folders, free) if folders else ())]


def people_of(
    played: Played, fixed: PairValues, reading: Reading, options: Options, turns: Sequence[int] = ()
) -> People:
    """The groups in logs of people, with their numbers. `turns`: of games that stand beside theirs."""
    groups = [
        renamed(one, name=f"people, {one.name}") for one in groups_of(played, fixed, reading) if len(one.games.pool)
    ]  # fmt: skip
    return People(
        names=tuple(one.name for one in groups),
        repeating=tuple(one.name for one in groups if one.games.repeated.any()),
        how=How(table=played.world.table.name),
        estimates=tuple(e for one in groups for e in _numbers(one, options, turns)),
        groups=tuple(groups),
    )


def together(several: Sequence[People]) -> People:
    """All of them, told apart by their names; how their numbers are made is that of the first."""
    return People(
        names=tuple(name for one in several for name in one.names),
        repeating=tuple(name for one in several for name in one.repeating),
        how=several[0].how if several else How(), estimates=tuple(e for one in several for e in one.estimates),
    )  # fmt: skip


def _numbers(one: Group, options: Options, turns: Sequence[int]) -> Iterator[Estimate]:
    """Every number of a group that was published of people, by the name that the published one has."""
    yield from by_procedure([one], PEOPLE, options)
    yield from _tried(lambda: _stopping(one, options), one, f"stopping: {STOPPING}")
    yield from _tried(lambda: _usage(one, options), one, "usage")
    careers = Careers.of(one.games)
    longest = int(careers.lengths.max(initial=0))
    at = sorted({turn for turn in (100, 500, *turns) if turn <= longest})
    yield from (e for e in survival_estimates(careers, at, one.name) if e.name.endswith("still playing"))
    yield from _behaviour(one)
    yield from _staying(one)
    yield from _counts(one)


def _tried(make: Callable[[], Iterable[Estimate]], one: Group, name: str) -> Iterable[Estimate]:
    """What is made; where it cannot be, that it is unknown, and why."""
    try:
        return list(make())
    except (DataError, UsageError) as error:
        return [_plain(one, name, None, str(error))]


def _stopping(one: Group, options: Options) -> Iterator[Estimate]:
    """As published: first tries, a game cut off a stop, nAGQ=0."""
    made = stopping(
        one.games.first_tries(), variant="published", models=(STOPPING,), name=one.name, nagq=0,
        threads=options.threads,
    )  # fmt: skip
    names = {coefficient(STOPPING, term): f"stopping: {term}" for term in ("empowerment", "success")}
    yield from (replace(e, name=names[e.name]) for e in made.estimates if e.name in names)


def _usage(one: Group, options: Options) -> Iterator[Estimate]:
    for e in immediate_usage(one.games.first_tries(), seed=options.seed, resamples=0, name=one.name):
        if e.unit == "elements":
            yield replace(e, name=f"usage: {e.name}")


def _behaviour(one: Group) -> Iterator[Estimate]:
    """Means over players: shares of what their turns were, what they own at last, and their last trial's number."""
    games = one.games
    yield from _shares(one)
    played = games.choices.played > 0
    yield _mean(one, "final inventory", games.last_owned()[played].astype(float))
    yield _mean(one, "last trial's number, from 0", games.choices.played[played].astype(float) - 1)
    yield _mean(
        one, "share of players with at most 500 trials", (games.choices.played[played] <= 500) * 1.0, share=True
    )


def _shares(one: Group) -> Iterator[Estimate]:
    """Mean shares over players of what their turns were."""
    games = one.games
    player, players = games.choices.player, games.choices.players
    turns = np.bincount(player, minlength=players)
    shown = turns > 0
    for success in (True, False):
        for again in (False, True):
            these = (games.success == success) & (games.repeated == again)
            shares = np.bincount(player[these], minlength=players)[shown] / turns[shown]
            name = f"share {'success' if success else 'failure'}-{'existing' if again else 'new'}"
            yield _mean(one, name, shares, share=True)


def _staying(one: Group) -> Iterator[Estimate]:
    """The same of those who come to 500 trials, up to there; unknown where nobody does."""
    games = one.games.of(one.games.choices.played > LONG)
    if games.choices.players:
        early = games.keep(games.choices.turn <= LONG)
        yield from _shares(renamed(one, name=stayed(one.name), games=early))
        owned = early.last_owned().astype(float)
        yield _mean(renamed(one, name=stayed(one.name)), "final inventory", owned)


def _counts(one: Group) -> Iterator[Estimate]:
    """How many players come how far."""
    played, owned = one.games.choices.played, one.games.last_owned()
    yield _plain(one, "players", int((played > 0).sum()), "count")
    yield _plain(one, "trials in all", int(played.sum()), "count")
    yield _plain(one, "players with at least 100 trials", int((played >= 100).sum()), "count")
    for number in TRIALS:  # numbered from 0
        yield _plain(one, f"players with a trial numbered beyond {number:,}", int((played - 1 > number).sum()), "count")
    for number in OWNED:
        yield _plain(one, f"players with more than {number} elements", int((owned > number).sum()), "count")
    whole = one.games.world.n
    yield _plain(one, f"players with all {whole} elements", int((owned >= whole).sum()), "count")


def _mean(one: Group, name: str, values: np.ndarray, *, share: bool = False) -> Estimate:
    found = mean(values.tolist(), within=SHARE if share else ANY, unit="players")
    return Estimate(
        name=name, value=found.value, low=found.low, high=found.high, level=found.level, n=found.n, unit="players",
        method=found.method, group=one.name, excluded=one.excluded,
    )  # fmt: skip


def _plain(one: Group, name: str, value: float | None, method: str) -> Estimate:
    return Estimate(
        name=name, value=value, low=None, high=None, level=None, n=one.games.choices.players, unit="players",
        method=method, group=one.name, excluded=one.excluded,
    )  # fmt: skip
