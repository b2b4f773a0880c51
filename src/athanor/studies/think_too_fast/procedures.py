"""The published regressions as they were published, beside our own estimates of the same weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from msgspec.structs import replace

from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS
from athanor.analysis.regressions import REGRESSIONS, Group, group
from athanor.analysis.usage import immediate_usage
from athanor.analysis.weights import PUBLISHED, Options, fitted
from athanor.core.records import Estimate, Record
from athanor.environments.alchemy.rules import RULES
from athanor.studies.think_too_fast.how import How
from athanor.values.arrays import TableArrays
from athanor.values.games import simulate
from athanor.values.tables import PairValues

RANDOM_RULES, RANDOM_TURNS, RANDOM_PLAYERS = "brandle2023", 200, 200
"""Rules and length of the random agents' published games; ours are fewer."""
USAGE = (1000, 1000)
"""Random players, and turns of each, for the published analysis of immediate usage."""


class Procedure(Record, kw_only=True):
    """A published way to a weight."""

    kind: str
    """What stands in an estimate's name behind the term."""
    regression: str
    nagq: Literal[0, 1]
    fit: str
    scaled: str


ALONE = "the arm alone"
POOLED_FIT = "pooled over all models, then the mean over a model's players"
POOLED = Procedure(
    kind="published procedure: pooled, nAGQ=0", regression="main", nagq=0, fit=POOLED_FIT, scaled="all models"
)
RECOVERY = Procedure(
    kind="published procedure: recovery, nAGQ=0", regression="recovery", nagq=0, fit=ALONE, scaled="the arm"
)
REPLICATION = Procedure(
    kind="published procedure: uncertainty alone", regression="uncertainty", nagq=1, fit=ALONE, scaled="the arm"
)
PEOPLE = Procedure(
    kind="published procedure: people, nAGQ=0", regression="brandle-empowerment-uncertainty", nagq=0, fit=ALONE,
    scaled="the arm",
)  # fmt: skip


def ours(nagq: Literal[0, 1]) -> Procedure:
    """The published regression on each arm alone, which is what `weights` fits."""
    return Procedure(kind=PUBLISHED, regression="main", nagq=nagq, fit=ALONE, scaled="the arm")


def procedures_of(of: str, how: How, nagq: Literal[0, 1]) -> tuple[Procedure, ...]:
    """The ways to set beside a published weight, the nearest first."""
    if of.startswith("people"):
        return (PEOPLE,)
    if how.fit == POOLED.fit:
        return POOLED, ours(nagq)
    own = next((one for one in (RECOVERY, REPLICATION) if how.formula == REGRESSIONS[one.regression].formula), None)
    return (own,) if own else (ours(nagq),)


def with_procedure(how: How, one: Procedure, empowerment: str) -> How:
    """How a weight was made that was fitted so."""
    return replace(
        how, fit=one.fit, formula=REGRESSIONS[one.regression].formula, nagq=str(one.nagq), scaled=one.scaled,
        empowerment=empowerment if "empowerment" in REGRESSIONS[one.regression].terms else "",
    )  # fmt: skip


def by_procedure(groups: Sequence[Group], one: Procedure, options: Options) -> Iterator[Estimate]:
    """The weights of groups by a published procedure."""
    asked = replace(options, nagq=one.nagq)
    return fitted(groups, REGRESSIONS[one.regression], asked, one.kind)


def as_published(
    models: Sequence[Group], agents: Sequence[Group], fixed: PairValues, options: Options
) -> Iterator[Estimate]:
    """The models pooled, each other agent by the regression that recovers its weights, and random players likewise.

    `fixed`: the values of pairs of the world. Groups without a turn that counts have none. Several models are needed
    for a pooled fit. The random players have the published rules and length, whatever the arms have.
    """
    playing = [one for one in models if len(one.games.pool)]
    if len(playing) > 1:
        yield from by_procedure(playing, POOLED, options)
    for one in agents:
        if len(one.games.pool):
            yield from by_procedure([one], RECOVERY, options)
    yield from weights_of_random(fixed, options, RANDOM_PLAYERS)


def weights_of_random(fixed: PairValues, options: Options, players: int) -> Iterator[Estimate]:
    """The weights of so many simulated random players of each kind by the regressions of their sources, in games of
    the published rules and length."""
    for name, never in ((NEVER_REPEATS, True), (MEMORYLESS, False)):
        lengths = np.full(players, RANDOM_TURNS)
        games = simulate(fixed.world, RULES[RANDOM_RULES], lengths, options.seed, never_repeats=never)
        random = group(name, games, fixed, seed=options.seed)
        for procedure in (RECOVERY, REPLICATION):
            yield from by_procedure([random], procedure, options)


def usage_of_random(world: TableArrays, seed: int) -> Iterator[Estimate]:
    """Immediate usage by simulated random players who never repeat a pair, as published."""
    players, turns = USAGE
    games = simulate(world, RULES[RANDOM_RULES], np.full(players, turns), seed, never_repeats=True)
    for one in immediate_usage(games, seed=seed, resamples=200, name=NEVER_REPEATS):
        if one.unit == "elements":
            yield replace(one, name=f"usage: {one.name}")
