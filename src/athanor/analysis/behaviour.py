"""The other published analyses of behaviour, by name, over groups of players, with random players beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from athanor.analysis.nulls import refuse_negative
from athanor.analysis.random_players import random_games, random_games_as_long
from athanor.analysis.regressions import Group
from athanor.analysis.settings import (
    baseline_of,
    final_inventory,
    inventory_growth,
    left_out,
    models_of,
    random_inventory,
    random_preferences,
    temperature_regression,
)
from athanor.analysis.stopping import stopping, stopping_nulls
from athanor.analysis.survival import Careers
from athanor.analysis.survival import estimates as survival_estimates
from athanor.analysis.usage import immediate_usage
from athanor.analysis.weights import TOGETHER, Options, baselines
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.values.games import Games
from athanor.values.tables import PairValues

WORSE_BY = "AIC worse by"
MILESTONES = (10, 50, 100, 200, 500, 1000)
"""Turns after which the survivors' inventory is told, as far as anybody played, and after the last turn."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An analysis over groups that have turns, of one world by one set of rules."""

    groups: tuple[Group, ...]
    fixed: PairValues
    options: Options
    baseline: str = ""
    """The model that others are compared with; empty takes the first that can be."""
    variant: Literal["exact", "published"] = "exact"
    """Of stopping, whether a game cut off counts as a stop; of temperature, which effects differ between players."""

    @property
    def seed(self) -> int:
        return self.options.seed

    @property
    def games(self) -> list[tuple[str, Games]]:
        """The groups' games by name."""
        return [(one.name, one.games) for one in self.groups]


Told = tuple[list[Estimate], list[str]]
"""Estimates, and what is to be said with them."""


def _each(games: Iterable[tuple[str, Games]], make: Callable[[str, Games], Iterable[Estimate]]) -> list[Estimate]:
    """What is made of every group's games; of those for which it cannot be made, that it is unknown, and why."""
    found: list[Estimate] = []
    for name, played in games:
        try:
            found += make(name, played)
        except (DataError, UsageError) as error:
            found.append(Estimate(
                name="everything", value=None, low=None, high=None, level=None, n=played.choices.players,
                unit="players", method=str(error), group=name,
            ))  # fmt: skip
    return found


def _stopping(asked: Asked) -> Told:
    """Who was cut off, as `Choices.cut_off` has it from the source, did not stop.

    Random players never stop. Those beside a group end their games when its players do, whatever happened: what they
    give is what comes of when players stop, and not of why.
    """
    options, found, told = asked.options, list[Estimate](), list[str]()

    def models(name: str, games: Games) -> Iterable[Estimate]:
        made = stopping(games, variant=asked.variant, name=name, nagq=options.nagq, threads=options.threads)
        if not made.estimates:
            raise DataError(
                f"no model of {len(made.models)} could be fitted, the first for this: {made.models['notes'][0]}"
            )
        told.append(f"{name}: the best model by AIC is {made.models['model'][0]}")
        return (*made.estimates, *_aic(made.models, name))

    def nulls(name: str, games: Games) -> Iterable[Estimate]:
        return stopping_nulls(
            games, options.nulls, options.seed, variant=asked.variant, name=name, nagq=options.nagq,
            threads=options.threads,
        )  # fmt: skip

    for one in asked.groups:
        ours = _each([(one.name, one.games)], models)
        found += ours
        if all(estimate.value is None for estimate in ours):
            continue
        if options.nulls:
            found += _each([(one.name, one.games)], nulls)
        beside = "" if len(asked.groups) == 1 else f", stopping as {one.name}"
        found += _each([(f"{name}{beside}", games) for name, games in random_games([one], options.seed)], models)
    return found, told


def _aic(models: pa.Table, name: str) -> Iterator[Estimate]:
    """How much worse than the best each stopping model is by AIC, the best first; unknown where it was not fitted."""
    for row in models.to_pylist():
        said = "sum of the deviance and twice the parameters, less that of the best model"
        yield Estimate(
            name=f"{WORSE_BY} ({row['model']})", value=row["worse_by"], low=None, high=None, level=None,
            n=row["players"], unit="players", method="; ".join([said, *([row["notes"]] if row["notes"] else [])]),
            group=name, excluded=row["excluded"],
        )  # fmt: skip


def _usage(asked: Asked) -> Told:
    every = [*asked.games, *random_games_as_long(asked.groups, asked.seed)]
    return _each(every, lambda name, games: immediate_usage(games, seed=asked.seed, name=name)), []


def _temperature(asked: Asked) -> Told:
    options, groups = asked.options, asked.groups
    found = list(
        temperature_regression(groups, asked.seed, variant=asked.variant, nagq=options.nagq, threads=options.threads)
    )
    with_one = [one for one in groups if one.temperature is not None]
    random = {one.name: one for one in baselines(with_one, asked.fixed, options)}
    found += _each(
        ((name, one.games) for name, one in random.items()),
        lambda name, _: random_preferences(
            random[name], groups, asked.seed, nagq=options.nagq, threads=options.threads
        ),
    )  # fmt: skip
    return found, _without_temperature(groups)


def _inventory(asked: Asked) -> Told:
    """The published regression of every turn's inventory, then the one of each player's last."""
    options, groups = asked.options, asked.groups
    models = models_of(groups)
    baseline = baseline_of(groups, models, asked.baseline)
    found = [
        *inventory_growth(groups, models=models, baseline=baseline, nagq=options.nagq, threads=options.threads),
        *final_inventory(groups, models=models, baseline=baseline),
    ]
    with_one = [one for one in groups if one.temperature is not None]
    found += _each(
        random_games_as_long(with_one, asked.seed),
        lambda name, games: random_inventory(name, games, with_one, nagq=options.nagq, threads=options.threads),
    )
    why = "" if asked.baseline else ", the first seen at two temperatures or more; pass --baseline for another"
    return found, [f"the model that others are compared with is {baseline}{why}", *_without_temperature(groups)]


def _without_temperature(groups: Sequence[Group]) -> list[str]:
    note, players = left_out(groups)
    return [f"{note} ({players} players)"] if note else []


def _survival(asked: Asked) -> Told:
    def careers(name: str, games: Games) -> tuple[Estimate, ...]:
        longest = int(games.choices.played.max(initial=0))
        at = [*(turn for turn in MILESTONES if turn < longest), longest]
        return survival_estimates(Careers.of(games), at, name)

    random = _each(random_games_as_long(asked.groups, asked.seed), careers)
    own = "share"  # random players stop when the groups do: the share that goes on is not theirs
    return [*_each(asked.games, careers), *(one for one in random if not one.name.startswith(own))], []


BEHAVIOUR: dict[str, Callable[[Asked], Told]] = {
    "stopping": _stopping,
    "usage": _usage,
    "temperature": _temperature,
    "inventory": _inventory,
    "survival": _survival,
}
"""By name: when players stop, whether new elements are used at once, what the sampling temperature changes, how the
inventory grows, and how far those who still play are. docs/behaviour.md says how to read each."""


def behaviour(
    name: str,
    groups: Sequence[Group],
    fixed: PairValues,
    options: Options,
    *,
    baseline: str = "",
    variant: Literal["exact", "published"] = "exact",
) -> Told:
    """One of BEHAVIOUR over groups that have a turn. UsageError if none has, and if it is unknown for all."""
    refuse_negative(options.nulls)
    playing = tuple(one for one in groups if len(one.games.pool))
    if not playing:
        raise UsageError("no group has a turn that counts; pass other runs, or look at why their turns were left out")
    found, told = BEHAVIOUR[name](
        Asked(groups=playing, fixed=fixed, options=options, baseline=baseline, variant=variant)
    )
    if all(one.value is None for one in found if one.group in (TOGETHER, *(one.name for one in playing))):
        raise UsageError(found[0].method)
    return found, told
