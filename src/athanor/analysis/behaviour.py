"""The other published analyses of behaviour, by name, over groups of players."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from athanor.analysis.regressions import Group
from athanor.analysis.settings import final_inventory, inventory_growth, temperature_regression
from athanor.analysis.stopping import stopping
from athanor.analysis.survival import Careers
from athanor.analysis.survival import estimates as survival_estimates
from athanor.analysis.usage import immediate_usage
from athanor.core.errors import UsageError
from athanor.core.records import Estimate

MILESTONES = (10, 50, 100, 200, 500, 1000)
"""Turns after which the survivors' inventory is told, as far as anybody played."""


def _stopping(groups: Sequence[Group], seed: int, threads: int) -> tuple[Estimate, ...]:
    """Who played as long as anybody in the group is taken as cut off, not as having stopped."""
    found: list[Estimate] = []
    for one in groups:
        lengths = np.diff(one.games.choices.starts)
        found += stopping(
            one.games, cut_off=lengths == lengths.max(initial=0), name=one.name, threads=threads
        ).estimates
    return tuple(found)


def _usage(groups: Sequence[Group], seed: int, threads: int) -> tuple[Estimate, ...]:
    return tuple(e for one in groups for e in immediate_usage(one.games, seed=seed, name=one.name))


def _temperature(groups: Sequence[Group], seed: int, threads: int) -> tuple[Estimate, ...]:
    return temperature_regression(groups, seed, threads=threads)


def _inventory(groups: Sequence[Group], seed: int, threads: int) -> tuple[Estimate, ...]:
    """The published regression of every turn's inventory, then the one of each player's last."""
    models = [one.model or one.name for one in groups]
    growth = inventory_growth(groups, models=models, baseline=models[0], threads=threads)
    return (*growth, *final_inventory(groups, models=models, baseline=models[0]))


def _survival(groups: Sequence[Group], seed: int, threads: int) -> tuple[Estimate, ...]:
    found: list[Estimate] = []
    for one in groups:
        longest = int(np.diff(one.games.choices.starts).max(initial=0))
        at = [turn for turn in MILESTONES if turn <= longest] or [longest]
        found += survival_estimates(Careers.of(one.games, bound=longest), at, one.name)
    return tuple(found)


BEHAVIOUR: dict[str, Callable[[Sequence[Group], int, int], tuple[Estimate, ...]]] = {
    "stopping": _stopping,
    "usage": _usage,
    "temperature": _temperature,
    "inventory": _inventory,
    "survival": _survival,
}
"""By name: when players stop, whether new elements are used at once, what the sampling temperature changes, how the
inventory grows, and how far those who still play are. docs/behaviour.md says how to read each."""


def behaviour(name: str, groups: Sequence[Group], seed: int, threads: int) -> tuple[Estimate, ...]:
    """One of BEHAVIOUR over groups that have a turn. UsageError if none has."""
    playing = [one for one in groups if len(one.games.pool)]
    if not playing:
        raise UsageError("no group has a turn that counts; pass other runs, or look at why their turns were left out")
    return BEHAVIOUR[name](playing, seed, threads)
