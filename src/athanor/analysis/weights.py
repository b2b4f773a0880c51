"""What drives choices: the published regression, better estimates beside it, and random players for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from msgspec.structs import replace as with_fields

from athanor.analysis import contrasts, glmm
from athanor.analysis.choice import PAIRS, choice_between, full_choice
from athanor.analysis.intervals import LEVEL
from athanor.analysis.measurable import measurable
from athanor.analysis.null_choices import ALIKE, null_choices
from athanor.analysis.nulls import is_p, null_estimates, refuse_negative, unknown_null
from athanor.analysis.random_players import MEMORYLESS as MEMORYLESS
from athanor.analysis.random_players import NEVER_REPEATS as NEVER_REPEATS
from athanor.analysis.random_players import random_games
from athanor.analysis.regressions import Group, Regression, frame, group
from athanor.core.errors import DataError, UsageError
from athanor.core.progress import progress
from athanor.core.records import Estimate, Record
from athanor.core.seeds import stream
from athanor.values.tables import PairValues
from athanor.values.turns import MARKS as MARKS

SAMPLED = 20
"""Pairs that each choice is compared with in the sampled choice model."""
PUBLISHED, ONE = "published", "one random pair"
"""The published fit against one random pair, as its kind stands in an estimate's name behind the term; and the same of
a formula that nobody published."""
MANY, ALL = f"{SAMPLED} sampled pairs", "all pairs, repeats and doubles apart"
"""The better kinds of weight."""
OBSERVED = "first step from none"
"""The kind of weight that null choices are held against: where a search among all pairs goes first, from no weight of
this value and the others' own."""
POOLED = "pooled"
"""Added to the kind of a fit over several groups: it draws their weights together, so that its intervals need not hold
them."""
TOGETHER = "all groups"
"""The group of a fixed effect over several."""


class Options(Record, kw_only=True):
    """How weights are estimated."""

    seed: int
    nagq: Literal[0, 1] = 1
    """1: full Laplace approximation; 0: as the publications fitted."""
    nulls: int = 0
    """Draws of null choices for each group; 0 makes none."""
    threads: int = 1
    pairs: float = PAIRS
    """Pairs that a fit among all pairs weighs in one step, at most: of more, turns are drawn at random."""


def named(term: str, kind: str) -> str:
    """The name of an estimate.

    >>> named("uncertainty", PUBLISHED)
    'weight of uncertainty (published)'
    """
    return f"weight of {term} ({kind})"


def baselines(groups: Sequence[Group], fixed: PairValues, options: Options) -> tuple[Group, ...]:
    """Random players, never-repeating and memoryless, with the groups' rules and numbers of turns."""
    return tuple(
        group(name, played, fixed, seed=options.seed, comparison=groups[0].comparison, count=SAMPLED)
        for name, played in random_games(groups, options.seed)
    )


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
    tests = len(playing) * len(_without_marks(regression)) if options.nulls else 0
    with progress(2 * len((*playing, *random)) + tests, "fit", f"weights of {', '.join(regression.terms)}") as bar:
        for one in (*playing, *random):
            found += fitted([one], regression, options, _kind(regression))
            bar.update()
        found += _pooled([one for one in playing if one.name not in alone], regression, options)
        for one in (*playing, *random):
            found += _better(one, fixed, regression, options)
            bar.update()
        for one in playing if options.nulls else ():
            for estimate in null_weights(one, fixed, regression, options):
                found.append(estimate)
                bar.update(is_p(estimate.name))  # the last of a value's
    order = {one.name: k for k, one in enumerate((*every, *random))}
    return tuple(sorted(found, key=lambda estimate: order.get(estimate.group, -1)))


def _without_marks(regression: Regression) -> list[str]:
    return [term for term in regression.terms if term not in MARKS]


def _kind(regression: Regression) -> str:
    """What the fit against one random pair is called: only what was published is called so."""
    return PUBLISHED if regression.published else ONE


def _silent(one: Group, regression: Regression) -> Iterator[Estimate]:
    for kind in (_kind(regression), MANY, ALL):
        yield from _unknown([one], regression, kind, "no turn counts as an attempt")


def _unknown(groups: Sequence[Group], regression: Regression, kind: str, why: str) -> Iterator[Estimate]:
    """What cannot be estimated, and why."""
    both = contrasts.names(kind) if contrasts.WEIGHTS.keys() <= set(regression.terms) else ()
    for one in groups:
        for name in (*(named(term, kind) for term in regression.terms), *both):
            yield Estimate(
                name=name, value=None, low=None, high=None, level=None, n=one.games.choices.players,
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


def _pooled(groups: Sequence[Group], regression: Regression, options: Options) -> Iterator[Estimate]:
    """The mixed model over several groups, as published, where values vary by player in it."""
    if len(groups) > 1 and any(term in regression.formula.rpartition("(")[2] for term in regression.terms):
        yield from fitted(groups, regression, options, f"{_kind(regression)}, {POOLED}")


def fitted(groups: Sequence[Group], regression: Regression, options: Options, kind: str) -> Iterator[Estimate]:
    """The mixed model over groups that have turns: its fixed effects, and of several groups the mean of each one's
    coefficients. `kind` stands in the estimates' names. What cannot be fitted is unknown, and why is said."""
    known = groups[0].known
    table = frame(groups, options.seed, [word for word in regression.words if word in known])
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
    excluded = {one.name: one.excluded for one in groups}
    found = [with_fields(estimate, name=named(estimate.name, kind)) for estimate in found]
    found += contrasts.of_fixed_effects(fit, kind, groups[0].name if len(groups) == 1 else TOGETHER)
    if len(groups) > 1:
        for name, players in table.groups.items():
            found += contrasts.of_means(fit, [p for p in players if p in present], kind, name)
    for estimate in found:
        yield measurable(with_fields(
            estimate, unit="players", method=estimate.method + doubts,
            excluded=excluded.get(estimate.group, sum(excluded.values())),
        ))  # fmt: skip


def _better(one: Group, fixed: PairValues, regression: Regression, options: Options) -> Iterator[Estimate]:
    """Choice models of the regression's values: against many sampled pairs, and among all pairs with repeats apart."""
    terms = _without_marks(regression)
    if not terms:
        return
    sampled = choice_between(one.games.choices, one.less(terms, SAMPLED), terms)
    found = [(named(e.name, MANY), e) for e in sampled.estimates(one.name)]
    found += [(e.name, e) for e in contrasts.of_choices(sampled, MANY, one.name)]
    try:
        marks, whole = (
            full_choice(one.games, fixed, some, threads=options.threads, most=options.pairs)
            for some in (MARKS, [*terms, *MARKS])
        )
    except DataError as error:
        yield from _unknown([one], regression, ALL, str(error))
    else:
        found += [(named(e.name, ALL), e) for e in whole.estimates(one.name)]
        found += [(e.name, e) for e in contrasts.of_choices(whole, ALL, one.name)]
        found += [(f"{e.name} ({ALL})", e) for e in whole.quality(marks, one.name)]
    for name, estimate in found:
        yield with_fields(estimate, name=name, excluded=estimate.excluded + one.excluded)


def null_weights(one: Group, fixed: PairValues, regression: Regression, options: Options) -> Iterator[Estimate]:
    """Whether each value moves choices that the others move too, by null choices (`null_choices`).

    A draw repeats and doubles exactly when these players do, and follows the other values as strongly as they do, but
    not this one. Beside what the draws give (`null_estimates`) stands what the choices themselves give.
    """
    terms = _without_marks(regression)
    for term in terms:
        rest = [other for other in terms if other != term]
        name, players = f"weight of {term}", one.games.choices.players
        observed = Estimate(
            name=named(term, OBSERVED), value=None, low=None, high=None, level=None, n=players, unit="players",
            method="", excluded=one.excluded, group=one.name,
        )  # fmt: skip
        try:
            found = null_choices(
                one.games, fixed, term, rest, draws=options.nulls, threads=options.threads, most=options.pairs,
                rng=stream(options.seed, "null", one.name, term),
            )  # fmt: skip
        except DataError as error:
            yield with_fields(observed, method=str(error))
            yield from unknown_null(name, options.nulls, str(error), group=one.name, excluded=one.excluded)
            continue
        excluded = one.excluded + found.asked - found.turns
        total = len(one.games.pool)
        only = f", in {found.asked} of {total} turns drawn at random" if found.asked < total else ""
        method = f"score over information {ALIKE}{only}, where choices are drawn {found.by}"
        null = [*null_estimates(name, found.observed, found.drawn, method, group=one.name, excluded=excluded)]
        silent = any(each.value is None for each in null)  # where nothing can be drawn anew the score says nothing
        value, how = (None, null[-1].method) if silent else (found.observed, method)
        yield measurable(with_fields(observed, value=value, excluded=excluded, method=how))
        yield from (each if is_p(each.name) else measurable(each) for each in null)
