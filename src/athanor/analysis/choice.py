"""Choice models: how strongly each value moves a choice among all pairs, or against many sampled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from athanor.analysis.intervals import LEVEL, t_quantile
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.core.seeds import stream
from athanor.values.arrays import Bools, Floats, Longs
from athanor.values.games import Choices, Games
from athanor.values.tables import PairValues
from athanor.values.turns import TurnValues, names_of

Evaluated = tuple[Floats, Floats, Floats]
"""By player: log-likelihood Float["players"], its gradient Float["players terms"], and the information
Float["players terms terms"]."""

Counts = tuple[int, tuple[tuple[str, int], ...]]
"""How many turns count, and why others are left out with the number of each."""

LEFT_OUT = "turns left out: "
"""How the names of estimates begin that count turns left out, before the reason."""
STEPS, TOLERANCE = 60, 1e-9
"""Newton steps at most, and the Newton decrement at which the maximum is found."""
TENTH, NEARLY, FEWEST = 10, 5, 500
"""Before a fit among all pairs so many Newton steps are made on that part of the turns, if it has as many as FEWEST:
the fit then begins near its end, which is where it would have come without them."""
PAIRS = 1e9
"""Pairs that a fit among all pairs weighs in one step, if nobody says otherwise. 4.6 million took 0.1 s of one core."""
LARGE = 20.0
"""A coefficient beyond this means that a term separates the choices perfectly: odds of 1 to 500 million."""


@dataclass(frozen=True, kw_only=True)
class ChoiceFit:
    """A fitted choice model."""

    terms: tuple[str, ...]
    beta: Floats
    """Float["terms"]: change in log-odds by one standard deviation of a value (`tried`: of a repeat)."""
    model_errors: Floats
    """Float["terms"]: standard errors as if all choices were independent."""
    cluster_covariance: Floats | None
    """Float["terms terms"]: robust to dependence within players; None where no more of them than terms played a game of
    their own."""
    loglik: float
    null: float
    """Log-likelihood of choosing uniformly among the candidates."""
    turns: int
    players: int
    left_out: tuple[tuple[str, int], ...]
    """Why turns are left out, and how many: choices that were no candidates, or had no alternative."""
    warnings: tuple[str, ...]
    unknown: frozenset[str]
    """Terms whose coefficient has no interval for one of the `warnings`."""
    method: str

    @property
    def cluster_errors(self) -> Floats | None:
        """Float["terms"]: standard errors from that covariance."""
        return None if self.cluster_covariance is None else np.sqrt(np.diag(self.cluster_covariance))

    @property
    def told(self) -> Floats:
        """Float["terms"]: the coefficients, NaN for those that ran away, are arbitrary or did not converge."""
        unknown = np.array([term in self.unknown for term in self.terms])
        return np.where(unknown | (np.abs(self.beta) > LARGE), np.nan, self.beta)

    @property
    def excluded(self) -> int:
        """Turns left out."""
        return sum(count for _, count in self.left_out)

    @property
    def pseudo_r2(self) -> float | None:
        """McFadden's 1 - loglik / null: 0 is a uniform choice, 1 a perfect prediction."""
        return 1.0 - self.loglik / self.null if self.null else None

    def estimates(self, group: str = "", level: float = LEVEL) -> tuple[Estimate, ...]:
        """Each coefficient with its interval: cluster-robust, by Student's t with players - 1 degrees of freedom."""
        found = []
        for k, term in enumerate(self.terms):
            value, half = float(self.beta[k]), None
            known = not np.isnan(self.told[k])
            if self.cluster_errors is not None and term not in self.unknown:
                half = t_quantile(self.players - 1, level) * float(self.cluster_errors[k])
            found.append(Estimate(
                name=term, value=value if known else None, low=None if half is None else value - half,
                high=None if half is None else value + half, level=level, n=self.players, unit="players",
                method="; ".join([self.method, *self.warnings, *self._without()]), excluded=self.excluded, group=group,
            ))  # fmt: skip
        return tuple(found)

    def quality(self, without_values: ChoiceFit, group: str = "") -> tuple[Estimate, ...]:
        """McFadden's R2, the likelihood ratio to a smaller model of the same choices, and why turns are left out."""
        ratio, p = likelihood_ratio(without_values, self)
        beside = f"over {' and '.join(without_values.terms)} alone"
        numbers = (
            ("R2", self.pseudo_r2, "sum of log-likelihoods, McFadden's 1 - L / L0 with uniform choices as L0"),
            ("likelihood ratio of the values", ratio, f"sum of log-likelihoods, twice the gain {beside}"),
            ("p of the values", p, "sum of log-likelihoods, chi-squared of the gain, turns as if independent"),
            *((f"{LEFT_OUT}{why}", count, "count of turns") for why, count in self.left_out),
        )
        return tuple(
            Estimate(
                name=name, value=value, low=None, high=None, level=None, n=self.players, unit="players",
                method="; ".join([method, *self.warnings, *self._without()]), excluded=self.excluded, group=group,
            )
            for name, value, method in numbers
        )  # fmt: skip

    def _without(self) -> tuple[str, ...]:
        """What is left out, in words."""
        told = ", ".join(f"{count} {why}" for why, count in self.left_out)
        return (f"{LEFT_OUT}{told}",) if told else ()


def full_choice(
    games: Games, fixed: PairValues, terms: Sequence[str], *, forbid_tried: bool = False, threads: int = 1,
    most: float = PAIRS,
) -> ChoiceFit:  # fmt: skip
    """Conditional logit of each turn's choice among all pairs that could be combined (McFadden 1974).

    Terms are names of values (of the past, live, or in `fixed`), each z-scored over the turn's candidates as the agents
    do it, so that an agent's weight divided by its temperature is its coefficient; and the marks `tried` and
    `self_pair`, 1 for a pair combined before and for one of an element with itself: with them, not repeating and
    drawing two elements independently (which takes a self-pair half as often as another, -0.69) are told apart from
    what pairs are worth. `forbid_tried` leaves tried pairs out of the candidates; so does a `tried` that no choice ever
    is, whose coefficient then has no finite estimate.

    `most`: pairs that are weighed in one step, at most. Where all turns have more, as many are asked as have that many
    pairs: turns drawn at random, the same ones in every fit of these games. What was played before each is the whole
    past all the same, and the method says how many were asked.
    """
    from athanor.values.full_choice import FATES

    if games.refused.any():
        raise DataError(f"{int((games.refused > 0).sum())} turns were refused by the rules; pass games.counted()")
    known = names_of(fixed)
    for term in terms:
        if term not in known:
            raise UsageError(f"the term {term!r} is not one of {', '.join(known)}; pass one of them")
    rest = tuple(term for term in terms if term != "tried")
    if "tried" in terms and rest and not games.repeated.any():
        fit = full_choice(games, fixed, rest, forbid_tried=True, threads=threads, most=most)
        return _never_tried(fit, tuple(terms))
    used = asked_of(games, most)
    fates = np.zeros((games.choices.players, FATES), dtype=np.int64)
    evaluate = _over_all_pairs(games, fixed, terms, forbid_tried, threads, used, fates)
    what = "untried pairs" if forbid_tried else "all pairs"
    only = f", in {used.sum()} of {len(used)} turns drawn at random" if not used.all() else ""
    method = f"conditional logit among {what}{only}, z-scored by turn; sandwich by player, Student t"
    absent = "not owned" if games.rules.finals_combine else "not owned, or final"
    why = (f"with an element that was {absent}", "of a pair tried before", "without an alternative")

    def counts() -> Counts:
        used, *rest = fates.sum(axis=0).tolist()
        return used, tuple((name, count) for name, count in zip(why, rest, strict=True) if count)

    begin = None
    some = asked_of(games, float(_pairs(games)[used].sum()) / TENTH)
    if some.sum() >= FEWEST:
        rough = _over_all_pairs(games, fixed, terms, forbid_tried, threads, some & used, np.zeros_like(fates))
        begin = _nearly(rough, len(terms))
    return _of_players_alike(_fit(evaluate, tuple(terms), method, counts, begin), games.choices)


def _pairs(games: Games) -> Floats:
    """Float["turns"]: pairs that could be combined."""
    pool = games.pool.astype(np.float64)
    return pool * (pool + 1) / 2


def asked_of(games: Games, most: float) -> Bools:
    """Bool["turns"]: all turns, or as many drawn at random as have so many pairs. More are the fewer and others."""
    pairs = _pairs(games)
    if pairs.sum() <= most:
        return np.ones(len(pairs), dtype=np.bool_)
    order = stream(0, "turns asked").permutation(len(pairs))
    found = np.zeros(len(pairs), dtype=np.bool_)
    found[order[np.cumsum(pairs[order]) <= most]] = True
    return found


def _of_players_alike(fit: ChoiceFit, choices: Choices) -> ChoiceFit:
    """The fit without standard errors where no more players than terms played a game of their own.

    A game played twice is no second observation: of such players the spread says nothing, or that there is none.
    """
    apart = set[bytes]()
    for a, b in pairwise(choices.starts.tolist()):
        apart.add(choices.first[a:b].tobytes() + choices.second[a:b].tobytes())
        if len(apart) > len(fit.terms):
            return fit
    note = f"{len(apart)} different games for {len(fit.terms)} terms: the spread between players is unknown"
    return replace(fit, cluster_covariance=None, warnings=(*fit.warnings, note))


def _over_all_pairs(
    games: Games, fixed: PairValues, terms: Sequence[str], forbid_tried: bool, threads: int, used: Bools, fates: Longs
) -> Callable[[Floats], Evaluated]:
    """The likelihood as a function of the coefficients; each time it writes into `fates` what became of turns."""
    from athanor.values import full_choice as loops

    players, k = games.choices.players, len(terms)
    data, order, found, codes, stacked, lists = loops.arguments(games, fixed, terms)
    spans = _spans(games.choices.starts, _pairs(games) * used, 4 * threads)

    def evaluate(beta: Floats) -> Evaluated:
        out = np.zeros(players), np.zeros((players, k)), np.zeros((players, k, k)), fates
        fates[:] = 0

        def some(span: tuple[int, int]) -> None:
            loops.likelihood(span, data, order, found, codes, stacked, lists, forbid_tried, used, beta, out)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(some, spans))
        return out[0], out[1], _both_triangles(out[2])

    return evaluate


def _both_triangles(lower: Floats) -> Floats:
    return lower + np.swapaxes(np.tril(lower, -1), 1, 2)


def _nearly(evaluate: Callable[[Floats], Evaluated], terms: int) -> Floats | None:
    """Coefficients near the maximum, where Newton's method may begin; None if they run away."""
    beta = np.zeros(terms)
    for _ in range(NEARLY):
        _, gradient, hessian = evaluate(beta)
        beta = beta + np.linalg.lstsq(hessian.sum(axis=0), gradient.sum(axis=0), rcond=None)[0]
        if not np.abs(beta).max() < LARGE / 4:
            return None
    return beta


def _never_tried(fit: ChoiceFit, terms: tuple[str, ...]) -> ChoiceFit:
    """A fit among untried pairs as the limit of one with `tried`, whose coefficient is minus infinity."""
    place = terms.index("tried")
    wide = fit.cluster_covariance
    if wide is not None:
        wide = np.insert(np.insert(wide, place, 0.0, axis=0), place, 0.0, axis=1)
        wide[place, place] = np.inf
    return replace(
        fit, terms=terms, beta=np.insert(fit.beta, place, -np.inf), unknown=fit.unknown | {"tried"},
        model_errors=np.insert(fit.model_errors, place, np.inf), cluster_covariance=wide,
        warnings=(*fit.warnings, "no choice repeats a pair: tried separates the choices, its coefficient is unbounded"),
    )  # fmt: skip


def sampled_choice(games: Games, values: TurnValues, terms: Sequence[str]) -> ChoiceFit:
    """Conditional logit of each choice against sampled pairs (McFadden 1978), in pooled standard deviations.

    Terms are scaled by the standard deviation of their differences, chosen minus compared, over all turns. With one
    uniform pair a turn this is the publications' logistic regression without its coin flip; more make it less noisy.
    """
    for term in terms:
        if term not in values.values:
            raise UsageError(f"the term {term!r} is not one of {', '.join(values.values)}; pass one of them")
    less = np.stack([values.compared(term) - values.chosen(term)[:, None] for term in terms], axis=-1)
    return choice_between(games.choices, less.astype(np.float32), terms)


def choice_between(choices: Choices, less: NDArray[np.float32], terms: Sequence[str]) -> ChoiceFit:
    """`sampled_choice` by the differences: Float["turns comparisons terms"], each pair's values less the chosen one's.

    They are of single precision, which takes half the room; sums are of double.
    """
    from athanor.values import full_choice as loops

    less, players, k = np.ascontiguousarray(less), choices.players, len(terms)
    flat = less.reshape(-1, k)
    squares = np.einsum("nk,nk->k", flat, flat, dtype=np.float64)
    scale = np.sqrt(squares / max(1, len(flat)))  # about zero: which was chosen is a label, as in the coin flip
    scale[~(scale > 0)] = 1.0

    def evaluate(beta: Floats) -> Evaluated:
        out = np.zeros(players), np.zeros((players, k)), np.zeros((players, k, k))
        loops.sampled_likelihood(choices.starts, less, scale, beta, out)
        return out[0], out[1], _both_triangles(out[2])

    count = less.shape[1]
    method = f"conditional logit against {count} sampled pairs, pooled deviations; sandwich by player, Student t"
    return _of_players_alike(_fit(evaluate, tuple(terms), method, lambda: (len(less), ())), choices)


def _spans(starts: Longs, work: Floats, parts: int) -> list[tuple[int, int]]:
    """Runs of players with about as much work, Float["turns"]."""
    done = np.concatenate([[0.0], np.cumsum(work)])[starts]
    cuts = np.searchsorted(done, np.linspace(0, done[-1], parts + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], cuts, [len(starts) - 1]]))
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _fit(
    evaluate: Callable[[Floats], Evaluated], terms: tuple[str, ...], method: str, counts: Callable[[], Counts],
    begin: Floats | None = None,
) -> ChoiceFit:  # fmt: skip
    """Newton's method with step-halving, from `begin` where that is better; the log-likelihood is concave."""
    if not terms:
        raise UsageError("no term was given, at least one was expected; name a value")
    beta, unknown = np.zeros(len(terms)), set[str]()
    value, gradient, hessian = evaluate(beta)
    null, warnings = float(value.sum()), []
    if not counts()[0]:
        raise DataError("no turn has a choice among at least two candidates; check the rules the turns are read by")
    if begin is not None and (nearer := evaluate(begin))[0].sum() > value.sum():
        beta, (value, gradient, hessian) = begin, nearer
    for _ in range(STEPS):
        total, slope = hessian.sum(axis=0), gradient.sum(axis=0)
        step = np.linalg.lstsq(total, slope, rcond=None)[0]
        if slope @ step < TOLERANCE or np.abs(beta).max() > LARGE:
            break
        length = 1.0
        while True:
            tried = evaluate(beta + length * step)
            if tried[0].sum() >= value.sum() or length < 1e-6:
                break
            length /= 2
        beta, (value, gradient, hessian) = beta + length * step, tried
    else:
        warnings.append(f"not converged after {STEPS} steps: do not read the coefficients")
        unknown.update(terms)
    for term, coefficient in zip(terms, beta, strict=True):
        if abs(coefficient) > LARGE:
            warnings.append(f"{term} separates the choices: its coefficient has no finite estimate")
            unknown.add(term)
    total = hessian.sum(axis=0)
    idle = [term for term in _dependent(total, terms) if term not in unknown]
    if idle:
        warnings.append(f"{', '.join(idle)} never vary or copy other terms: the coefficients are arbitrary")
        unknown.update(idle)
    inverse = np.linalg.pinv(total)
    used, left_out = counts()
    players = int((np.abs(hessian).sum(axis=(1, 2)) > 0).sum())
    return ChoiceFit(
        terms=terms, beta=beta, model_errors=np.sqrt(np.diag(inverse)),
        cluster_covariance=_sandwich(inverse, gradient, players), loglik=float(value.sum()), null=null, turns=used,
        players=players, left_out=left_out, warnings=tuple(warnings), unknown=frozenset(unknown),
        method=method,
    )  # fmt: skip


def _dependent(information: Floats, terms: tuple[str, ...]) -> list[str]:
    """Terms that the information cannot tell from a mixture of others, by its null space."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    null = vectors[:, values < 1e-10]
    flat = np.diag(information) <= 1e-12 * max(1.0, float(np.diag(information).max()))
    return [t for t, row, zero in zip(terms, null, flat, strict=True) if zero or (np.abs(row) > 1e-3).any()]


def _sandwich(inverse: Floats, gradient: Floats, players: int) -> Floats | None:
    """Cluster-robust covariance with the correction G / (G - 1) (Cameron and Miller 2015).

    None where there are no more players than terms: the spread of their gradients then has no direction left for some
    combination of the terms, whose error would come out as nothing.
    """
    if players <= gradient.shape[1]:
        return None
    meat = gradient.T @ gradient * players / (players - 1)
    return inverse @ meat @ inverse


def likelihood_ratio(small: ChoiceFit, large: ChoiceFit) -> tuple[float, float]:
    """Twice the log-likelihood gained by the larger of two nested models of the same choices, and its p-value.

    The p-value is from chi-squared, as if turns were independent.
    """
    if small.turns != large.turns or not set(small.terms) < set(large.terms):
        raise UsageError(
            f"models of {small.terms} over {small.turns} turns and {large.terms} over {large.turns} are not nested; "
            "fit both to the same turns, the terms of one among the other's"
        )
    df = len(large.terms) - len(small.terms)
    ratio = max(0.0, 2 * (large.loglik - small.loglik))
    return ratio, float(special.chdtrc(df, ratio))
