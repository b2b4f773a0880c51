"""What drives choices: the published regression, better estimates beside it, and random players for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from msgspec.structs import replace as with_fields
from numpy.typing import NDArray

from athanor.analysis import contrasts, glmm
from athanor.analysis.choice import PAIRS, choice_between, full_choice
from athanor.analysis.intervals import LEVEL
from athanor.analysis.measurable import measurable
from athanor.analysis.nulls import null_estimates, refuse_negative, unknown_null
from athanor.analysis.random_players import MEMORYLESS as MEMORYLESS
from athanor.analysis.random_players import NEVER_REPEATS as NEVER_REPEATS
from athanor.analysis.random_players import random_games
from athanor.analysis.regressions import PART, Group, Regression, frame, group
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate, Record
from athanor.core.seeds import stream
from athanor.values.tables import PairValues
from athanor.values.turns import MARKS as MARKS
from athanor.values.turns import next_alike_pairs, turn_values

SAMPLED = 20
"""Pairs that each choice is compared with in the sampled choice model."""
BATCH = 10
"""Draws of null choices made at once."""

PUBLISHED, ONE = "published", "one random pair"
"""The published fit against one random pair, as its kind stands in an estimate's name behind the term; and the same of
a formula that nobody published."""
MANY, ALL = f"{SAMPLED} sampled pairs", "all pairs, repeats and doubles apart"
"""The better kinds of weight."""
OBSERVED = "one random pair, as the null has it"
"""The kind of weight that null choices are held against: that of the published fit without its coin and its groups."""
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
    found += [e for one in (*playing, *random) for e in fitted([one], regression, options, _kind(regression))]
    found += _pooled([one for one in playing if one.name not in alone], regression, options)
    found += [e for one in (*playing, *random) for e in _better(one, fixed, regression, options)]
    if options.nulls:
        found += [e for one in playing for e in null_weights(one, fixed, regression, options)]
    order = {one.name: k for k, one in enumerate((*every, *random))}
    return tuple(sorted(found, key=lambda estimate: order.get(estimate.group, -1)))


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
    terms = [term for term in regression.terms if term not in MARKS]
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
    """The published weights of a player without preferences who repeats exactly when these players do.

    Each draw puts a uniform pair among those alike (`alike_pairs`) in the place of the chosen one and keeps everything
    else, past and comparison. Beside what they give (`null_estimates`) stands the observed weight they are held
    against.
    """
    terms = [term for term in regression.terms if term not in MARKS]
    if not terms:
        return
    less = one.less(terms, 1)
    observed = choice_between(one.games.choices, less, terms)
    seeds = stream(options.seed, "null", one.name).integers(2**31, size=-(-options.nulls // BATCH))
    draws = [
        choice_between(one.games.choices, less - batch[:, k : k + 1], terms).told
        for batch in (_null_batch(one, fixed, terms, int(seed)) for seed in seeds)
        for k in range(BATCH)
    ]
    drawn = np.array(draws)[: options.nulls]
    for k, (term, estimate) in enumerate(zip(terms, observed.estimates(one.name), strict=True)):
        yield with_fields(estimate, name=named(term, OBSERVED), excluded=one.excluded)
        endless = int(np.isnan(drawn[:, k]).sum())
        if estimate.value is None or endless:
            why = "the observed weight has" if estimate.value is None else f"{endless} of {len(drawn)} draws have"
            yield from unknown_null(
                f"weight of {term}", len(drawn), f"{why} no finite estimate, so that there is nothing to compare",
                group=one.name, excluded=one.excluded,
            )  # fmt: skip
            continue
        yield from null_estimates(
            f"weight of {term}", float(observed.beta[k]), drawn[:, k],
            "weights of random choices alike in what they repeat", group=one.name, excluded=one.excluded,
        )  # fmt: skip


def _null_batch(one: Group, fixed: PairValues, terms: list[str], seed: int) -> NDArray[np.float32]:
    """Float["turns BATCH terms"]: values of pairs like the chosen ones, less those of the chosen; part by part."""
    found = np.empty((len(one.games.pool), BATCH, len(terms)), dtype=np.float32)
    rng, done = stream(seed, "alike"), 0
    for part in one.games.spans(PART):
        turns = slice(done, done + len(part.pool))
        values = turn_values(part, fixed, next_alike_pairs(part, rng, BATCH), terms)
        for k, term in enumerate(terms):
            found[turns, :, k] = values.compared(term) - values.chosen(term)[:, None]
        done = turns.stop
    return found
