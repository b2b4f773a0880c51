"""What drives choices: the published regression, better estimates beside it, and random players for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from msgspec.structs import replace as with_fields

from athanor.analysis import glmm
from athanor.analysis.choice import full_choice, sampled_choice
from athanor.analysis.intervals import LEVEL
from athanor.analysis.regressions import Group, Regression, frame, group
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate, Record
from athanor.core.seeds import stream
from athanor.values.games import simulate
from athanor.values.tables import PairValues
from athanor.values.turns import TurnValues, alike_pairs, turn_values

SAMPLED = 20
"""Pairs that each choice is compared with in the sampled choice model."""
PLAYERS = 200
"""Random players of each kind, at least."""
BEYOND = 100.0
"""Log-odds by one standard deviation beyond which a published weight, or its interval, says nothing: it is unknown."""
LEAST = 40
"""Null draws from which their middle 95% is told."""
BATCH = 10
"""Draws of null choices made at once."""

PUBLISHED, MANY, ALL, NULL = "published", f"{SAMPLED} sampled pairs", "all pairs, repeats and doubles apart", "null"
"""The kinds of weight, as they stand in an estimate's name behind the term."""
POOLED = "published, pooled"
"""The published fit over several groups: it draws their weights together, so that its intervals need not hold them."""
TOGETHER = "all groups"
"""The group of a fixed effect over several."""
NEVER_REPEATS, MEMORYLESS = "random-never-repeat (simulated)", "random (simulated)"


class Options(Record, kw_only=True):
    """How weights are estimated."""

    seed: int
    nagq: Literal[0, 1] = 1
    """1: full Laplace approximation; 0: as the publications fitted."""
    nulls: int = 0
    """Draws of null choices for each group; 0 makes none."""
    threads: int = 1


def named(term: str, kind: str) -> str:
    """The name of an estimate.

    >>> named("uncertainty", PUBLISHED)
    'weight of uncertainty (published)'
    """
    return f"weight of {term} ({kind})"


def baselines(groups: Sequence[Group], fixed: PairValues, options: Options) -> tuple[Group, ...]:
    """Random players, never-repeating and memoryless, with the groups' rules and numbers of turns."""
    games = groups[0].games
    lengths = np.concatenate([np.diff(one.games.choices.starts) for one in groups])
    lengths = np.resize(lengths, max(PLAYERS, len(lengths)))
    found = []
    for name, never in ((NEVER_REPEATS, True), (MEMORYLESS, False)):
        played = simulate(games.world, games.rules, lengths, options.seed, never_repeats=never)
        found.append(group(
            name, played, fixed, seed=options.seed, comparison=groups[0].comparison, count=SAMPLED
        ))  # fmt: skip
    return tuple(found)


def weights(
    groups: Sequence[Group],
    fixed: PairValues,
    regression: Regression,
    options: Options,
    *,
    apart: Sequence[Group] = (),
) -> tuple[Estimate, ...]:
    """Every weight of every group and of the random players, in the order of the groups.

    `apart`: groups that, like the random players, are no part of the pooled fit.

    The groups must have been made with `count=SAMPLED` on one world by one set of rules. Published weights are on the
    scale of a standard deviation over the group alone, pooled ones over all groups, as published.
    """
    every = (*groups, *apart)
    refuse_negative(options.nulls)
    _refuse_mixture(every)
    playing = [one for one in every if len(one.games.pool)]
    found = [e for one in every if not len(one.games.pool) for e in _silent(one, regression)]
    random = baselines(playing, fixed, options) if playing else ()
    alone = {one.name for one in apart}
    found += [e for one in (*playing, *random) for e in _fit([one], regression, options, PUBLISHED)]
    found += _pooled([one for one in playing if one.name not in alone], regression, options)
    found += [e for one in (*playing, *random) for e in _better(one, fixed, regression, options)]
    if options.nulls:
        found += [e for one in playing for e in null_weights(one, fixed, regression, options)]
    order = {one.name: k for k, one in enumerate((*every, *random))}
    return tuple(sorted(found, key=lambda estimate: order.get(estimate.group, -1)))


def _silent(one: Group, regression: Regression) -> Iterator[Estimate]:
    for kind in (PUBLISHED, MANY, ALL):
        yield from _unknown([one], regression, kind, "no turn counts as an attempt")


def _unknown(groups: Sequence[Group], regression: Regression, kind: str, why: str) -> Iterator[Estimate]:
    """What cannot be estimated, and why."""
    for one in groups:
        for term in regression.terms:
            yield Estimate(
                name=named(term, kind), value=None, low=None, high=None, level=None, n=one.games.choices.players,
                unit="players", method=why, group=one.name, excluded=one.excluded,
            )  # fmt: skip


def _refuse_mixture(groups: Sequence[Group]) -> None:
    if not groups:
        raise UsageError("no group of players was given, at least one was expected; pass a run")
    worlds = {(one.games.world.table.digest, one.games.rules.name) for one in groups}
    names = [one.name for one in groups]
    if len(worlds) > 1 or len(set(names)) < len(names):
        raise UsageError(
            f"groups {', '.join(names)} are of {len(worlds)} worlds and rules with {len(set(names))} different names; "
            "pass groups of one world under one set of rules, each with a name of its own"
        )


def refuse_negative(nulls: int) -> None:
    """UsageError for fewer than no null choices."""
    if nulls < 0:
        raise UsageError(f"{nulls} null choices were asked for, 0 or more were expected; pass --nulls 100, say")


def _pooled(groups: Sequence[Group], regression: Regression, options: Options) -> Iterator[Estimate]:
    """The mixed model over several groups, as published, where values vary by player in it."""
    if len(groups) > 1 and any(term in regression.formula.rpartition("(")[2] for term in regression.terms):
        yield from _fit(groups, regression, options, POOLED)


def _fit(groups: Sequence[Group], regression: Regression, options: Options, kind: str) -> Iterator[Estimate]:
    table = frame(groups, options.seed)
    present = set(np.unique(table.columns["player"]).tolist())
    try:
        fit = glmm.fit(regression.formula, table.columns, nagq=options.nagq, level=LEVEL, threads=options.threads)
    except DataError as error:
        yield from _unknown(groups, regression, kind, str(error))
        return
    found = [with_fields(e, group=groups[0].name if len(groups) == 1 else TOGETHER) for e in fit.estimates()]
    if len(groups) > 1:
        for name, players in table.groups.items():
            means = fit.mean_coefficients([p for p in players if p in present], name=name)
            found += [e for e in means if e.name not in ("1", "Intercept")]
    doubts = "".join(f"; {note}" for note in fit.diagnostics.notes)
    found = [_measurable(one) for one in found]
    excluded = {one.name: one.excluded for one in groups}
    for estimate in found:
        yield with_fields(
            estimate, name=named(estimate.name, kind), unit="players", method=estimate.method + doubts,
            excluded=excluded.get(estimate.group, sum(excluded.values())),
        )  # fmt: skip


def _measurable(one: Estimate) -> Estimate:
    """The estimate; unknown where its interval leaves open what odds of `BEYOND` or its inverse would say."""
    if (
        one.value is None
        or one.low is None
        or one.high is None
        or (one.high - one.low < BEYOND and abs(one.value) < BEYOND)
    ):
        return one
    why = f"{one.value:.3g} [{one.low:.3g}, {one.high:.3g}] says nothing: the choices of too few turns are separated"
    return with_fields(one, value=None, low=None, high=None, level=None, method=f"{one.method}; {why}")


def _better(one: Group, fixed: PairValues, regression: Regression, options: Options) -> Iterator[Estimate]:
    """Choice models of the regression's values: against many sampled pairs, and among all pairs with repeats apart."""
    terms = [term for term in regression.terms if term not in ("tried", "self_pair")]
    if not terms:
        return
    sampled = sampled_choice(one.games, one.values, terms)
    whole = full_choice(one.games, fixed, [*terms, "tried", "self_pair"], threads=options.threads)
    for fit, kind in ((sampled, MANY), (whole, ALL)):
        for estimate in fit.estimates(one.name):
            yield with_fields(
                estimate, name=named(estimate.name, kind), excluded=estimate.excluded + one.excluded,
            )  # fmt: skip


def null_weights(one: Group, fixed: PairValues, regression: Regression, options: Options) -> Iterator[Estimate]:
    """The published weights of a player without preferences who repeats exactly when these players do.

    Each draw puts a uniform pair among those alike (`alike_pairs`) in the place of the chosen one and keeps everything
    else, past and comparison. The value is the mean over draws and the interval holds the middle 95% of them; `method`
    has the two-sided p-value of the observed weight (Phipson and Smyth 2010).
    """
    terms = [term for term in regression.terms if term not in ("tried", "self_pair")]
    if not terms:
        return
    single = replace(one, values=_first_pair(one.values, terms))
    observed = sampled_choice(one.games, single.values, terms).beta
    seeds = stream(options.seed, "null", one.name).integers(2**31, size=-(-options.nulls // BATCH))
    draws = np.array([beta for seed in seeds for beta in _null_batch(single, fixed, terms, int(seed))])[: options.nulls]
    enough = len(draws) >= LEAST
    for k, term in enumerate(terms):
        centre = draws[:, k].mean()
        beyond = int((np.abs(draws[:, k] - centre) >= abs(observed[k] - centre)).sum())
        low, high = np.quantile(draws[:, k], [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        yield Estimate(
            name=named(term, NULL), value=float(centre), low=float(low) if enough else None,
            high=float(high) if enough else None, level=LEVEL if enough else None,
            n=len(draws), unit="draws", excluded=one.excluded, group=one.name,
            method=f"weights of random choices alike in what they repeat; observed {observed[k]:.3f}, "
            f"p = {(beyond + 1) / (len(draws) + 1):.3g}",
        )  # fmt: skip


def _first_pair(values: TurnValues, terms: Sequence[str]) -> TurnValues:
    return TurnValues({term: values.values[term][:, :2] for term in terms})


def _null_batch(one: Group, fixed: PairValues, terms: list[str], seed: int) -> Iterator[np.ndarray]:
    needed = PairValues(fixed.world, {name: values for name, values in fixed.values.items() if name in terms})
    drawn = turn_values(one.games, needed, alike_pairs(one.games, seed, BATCH))
    for k in range(BATCH):
        values = {term: np.stack([drawn.compared(term)[:, k], one.values.compared(term)[:, 0]], 1) for term in terms}
        yield sampled_choice(one.games, TurnValues(values), terms).beta
