"""Whether a value moves choices that others move too: their score against that of choices by the others alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from athanor.analysis.choice import PAIRS, asked_of, full_choice
from athanor.core.errors import DataError
from athanor.values.arrays import Floats
from athanor.values.games import Games
from athanor.values.tables import PairValues
from athanor.values.turns import MARKS

ALIKE = "among pairs alike in repeats and doubles"
"""What every choice is drawn from."""
COPIED = 1e-9
"""Of a value's information, the share that it must have of its own: with less it copies the others."""


@dataclass(frozen=True, kw_only=True)
class NullChoices:
    """What choices give that a value does not move, beside what those give that were made."""

    observed: float
    """Newton's first step of the value's weight from 0: its efficient score over its information."""
    drawn: Floats
    """Float["draws"]: the same of choices drawn without it."""
    turns: int
    """Turns that count: those whose choice was a candidate among at least two."""
    asked: int
    """Turns that were asked: all, unless they have too many pairs."""
    by: str
    """By what the choices were drawn, in words."""


def null_choices(
    games: Games, fixed: PairValues, term: str, others: Sequence[str], *, draws: int, rng: np.random.Generator,
    threads: int = 1, most: float = PAIRS,
) -> NullChoices:  # fmt: skip
    """Test that `term` has no weight where `others` have theirs, by as many `draws` of every turn's choice.

    Who is drawn repeats a pair, and combines an element with itself, exactly when the player does. Among the pairs that
    this leaves, a softmax of the others' values chooses, with the weights that the conditional logit among all pairs
    gives them without `term`; the past of each turn stays as it was. The statistic is the score of `term` less what the
    scores of the others tell of it (Neyman's C(alpha), 1959): that their weights are fitted does not move it, to first
    order, and it is finite where the weight itself runs away. With no others the choices are uniform.

    `most`: as in `full_choice`. DataError where the others' weights cannot be fitted, or `term` says nothing of its
    own.
    """
    from athanor.values.full_choice import arguments
    from athanor.values.null_choices import scores

    weights, doubts = _fitted(games, fixed, others, threads, most)
    used, k = asked_of(games, most), len(others) + 1
    score, drawn, information = np.zeros(k), np.zeros((draws, k)), np.zeros((k, k))
    data, order, found, codes, stacked, lists = arguments(games, fixed, [*others, term, *MARKS])
    turns = scores(
        data, order, found, codes, stacked, lists, not games.repeated.any(), used, np.append(weights, 0.0), rng,
        (score, drawn, information),
    )  # fmt: skip
    explained = information[-1, :-1] @ np.linalg.pinv(information[:-1, :-1])
    own = information[-1, -1] - explained @ information[:-1, -1]
    if not information[-1, -1] > 0:
        raise DataError(f"no choice among alike pairs could have differed in {term}: there is nothing to draw anew")
    if own <= COPIED * information[-1, -1]:
        raise DataError(f"{term} cannot be told from {', '.join(others)} in these choices")
    told = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(others, weights, strict=True))
    by = f"by the weights fitted without {term} ({told}{doubts})" if others else "uniformly"
    observed, of_draws = (every[..., -1] - every[..., :-1] @ explained for every in (score, drawn))
    return NullChoices(observed=float(observed / own), drawn=of_draws / own, turns=turns, asked=int(used.sum()), by=by)


def _fitted(games: Games, fixed: PairValues, terms: Sequence[str], threads: int, most: float) -> tuple[Floats, str]:
    """Float["terms"]: the weights among all pairs, repeats and doubles apart, and what is to be said of them.

    One that runs away stays where the search broke off: who chooses by it takes the best pair as good as always.
    """
    if not terms:
        return np.zeros(0), ""
    fit = full_choice(games, fixed, [*terms, *MARKS], threads=threads, most=most)
    if any(warning.startswith("not converged") for warning in fit.warnings):
        raise DataError(f"the weights of {', '.join(terms)} did not converge: no choices can be drawn by them")
    beyond = [term for term in terms if term in fit.unknown]
    doubts = f"; {', '.join(beyond)} as far as the search went" if beyond else ""
    return np.array([fit.beta[fit.terms.index(term)] for term in terms]), doubts
