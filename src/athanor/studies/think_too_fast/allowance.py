"""How much of an arm may be left out of its weights: a model's invalid answers are data, and no choices."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from athanor.analysis.regressions import Group, Regression
from athanor.analysis.weights import ALL, MANY, ONE, PUBLISHED, named
from athanor.core.errors import UsageError
from athanor.core.records import Estimate

ALLOWED_OF_AN_ARM = 0.1
"""Share of an arm's turns that may be left out, if nobody says otherwise. A model that answers invalidly more often
shows in its weights mostly when it can answer; how often it cannot is told beside them, as `share invalid`."""
LEFT_OUT_OF_WEIGHTS = "share left out of weights"


def refuse_share(allow: float) -> None:
    """UsageError for what is no share."""
    if not 0 <= allow <= 1:
        raise UsageError(f"--allow-excluded {allow} was given, a share from 0 to 1 was expected; pass for example 0.1")


def allowed(
    groups: Sequence[Group], regression: Regression, allow: float
) -> tuple[tuple[Group, ...], tuple[Estimate, ...]]:
    """The groups whose weights may be estimated, and what stands in the place of the others' weights: that they are
    withheld, and why. Every group has the share of its turns that is left out among the estimates.

    A group without a turn that counts stays: that nothing can be estimated of it is said elsewhere. What is left out
    is told on standard error.
    """
    kept, found = [], list[Estimate]()
    for one in groups:
        counted = len(one.games.pool)
        whole = counted + one.excluded
        share = one.excluded / whole if whole else 0.0
        said = f"{one.excluded} of {whole} turns ({share:.1%}) are left out, as no choice of a pair"
        found.append(_unbounded(one, LEFT_OUT_OF_WEIGHTS, share, f"counted: {said}"))
        if counted and share > allow:
            why = f"withheld: {said}; --allow-excluded {allow:g} lets at most {allow:.1%} be"
            kinds = (PUBLISHED if regression.published else ONE, MANY, ALL)
            found += [_unbounded(one, named(term, kind), None, why) for kind in kinds for term in regression.terms]
            print(f"{one.name}: its weights are {why}", file=sys.stderr)
            continue
        kept.append(one)
        if one.excluded:
            print(f"{one.name}: {said}", file=sys.stderr)
    return tuple(kept), tuple(found)


def _unbounded(one: Group, name: str, value: float | None, method: str) -> Estimate:
    return Estimate(
        name=name, value=value, low=None, high=None, level=None, n=one.games.choices.players, unit="players",
        method=method, group=one.name, excluded=one.excluded,
    )  # fmt: skip
