"""Choice models: how strongly each value moves a choice among all pairs, or against many sampled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import special

from athanor.analysis.intervals import LEVEL, t_quantile
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.values.arrays import Floats, Longs
from athanor.values.formulas import PAST
from athanor.values.games import Choices, Games
from athanor.values.tables import PairValues
from athanor.values.turns import TurnValues

Evaluated = tuple[Floats, Floats, Floats]
"""By player: log-likelihood Float["players"], its gradient Float["players terms"], and the information
Float["players terms terms"]."""

Counts = tuple[int, tuple[tuple[str, int], ...]]
"""How many turns count, and why others are left out with the number of each."""

LEFT_OUT = "turns left out: "
"""How the names of estimates begin that count turns left out, before the reason."""
STEPS, TOLERANCE = 60, 1e-9
"""Newton steps at most, and the Newton decrement at which the maximum is found."""
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
    cluster_errors: Floats | None
    """Float["terms"]: standard errors robust to dependence within players; None where no more of them than terms played
    a game of their own."""
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
    games: Games, fixed: PairValues, terms: Sequence[str], *, forbid_tried: bool = False, threads: int = 1
) -> ChoiceFit:
    """Conditional logit of each turn's choice among all pairs that could be combined (McFadden 1974).

    Terms are names of values (of the past, or in `fixed`), each z-scored over the turn's candidates as the agents do
    it, so that an agent's weight divided by its temperature is its coefficient; and the marks `tried` and `self_pair`,
    1 for a pair combined before and for one of an element with itself: with them, not repeating and drawing two
    elements independently (which takes a self-pair half as often as another, -0.69) are told apart from what pairs are
    worth. `forbid_tried` leaves tried pairs out of the candidates; so does a `tried` that no choice ever is, whose
    coefficient then has no finite estimate.
    """
    if games.refused.any():
        raise DataError(f"{int((games.refused > 0).sum())} turns were refused by the rules; pass games.counted()")
    known = (*PAST, "tried", "self_pair", *fixed.values)
    for term in terms:
        if term not in known:
            raise UsageError(f"the term {term!r} is not one of {', '.join(known)}; pass one of them")
    rest = tuple(term for term in terms if term != "tried")
    if "tried" in terms and rest and not games.repeated.any():
        return _never_tried(full_choice(games, fixed, rest, forbid_tried=True, threads=threads), tuple(terms))
    evaluate, fates = _over_all_pairs(games, fixed, terms, forbid_tried, threads)
    what = "untried pairs" if forbid_tried else "all pairs"
    method = f"conditional logit among {what}, z-scored by turn; sandwich by player, Student t"
    absent = "not owned" if games.rules.finals_combine else "not owned, or final"
    why = (f"with an element that was {absent}", "of a pair tried before", "without an alternative")

    def counts() -> Counts:
        used, *rest = fates.sum(axis=0).tolist()
        return used, tuple((name, count) for name, count in zip(why, rest, strict=True) if count)

    return _of_players_alike(_fit(evaluate, tuple(terms), method, counts), games.choices)


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
    return replace(fit, cluster_errors=None, warnings=(*fit.warnings, note))


def _over_all_pairs(
    games: Games, fixed: PairValues, terms: Sequence[str], forbid_tried: bool, threads: int
) -> tuple[Callable[[Floats], Evaluated], Longs]:
    """The likelihood as a function of the coefficients, and by player what became of turns, once it is evaluated."""
    from athanor.values import full_choice as loops

    names = [name for name in fixed.values if name in terms]
    codes = np.array([(*PAST, "tried", "self_pair", *names).index(term) for term in terms])
    stacked = np.stack([fixed.values[name] for name in names]) if names else np.zeros((1, 1))
    choices, players, k = games.choices, games.choices.players, len(terms)
    data = (choices.starts, choices.first, choices.second, games.success, games.repeated, games.gained, games.pool)
    order, fates = (games.order.starts, games.order.items), np.zeros((players, loops.FATES), dtype=np.int64)

    def evaluate(beta: Floats) -> Evaluated:
        out = np.zeros(players), np.zeros((players, k)), np.zeros((players, k, k)), fates
        fates[:] = 0

        def some(span: tuple[int, int]) -> None:
            loops.likelihood(span, data, order, codes, stacked, forbid_tried, beta, games.world.n, out)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(some, _spans(choices.starts, 4 * threads)))
        lower = np.tril(out[2])
        return out[0], out[1], lower + np.swapaxes(np.tril(lower, -1), 1, 2)

    return evaluate, fates


def _never_tried(fit: ChoiceFit, terms: tuple[str, ...]) -> ChoiceFit:
    """A fit among untried pairs as the limit of one with `tried`, whose coefficient is minus infinity."""
    place = terms.index("tried")
    errors = None if fit.cluster_errors is None else np.insert(fit.cluster_errors, place, np.inf)
    return replace(
        fit, terms=terms, beta=np.insert(fit.beta, place, -np.inf), unknown=fit.unknown | {"tried"},
        model_errors=np.insert(fit.model_errors, place, np.inf), cluster_errors=errors,
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
    flat = less.reshape(-1, len(terms))
    scale = np.sqrt((flat**2).mean(axis=0))  # about zero: which of the two was chosen is a label, as in the coin flip
    less /= np.where(scale > 0, scale, 1.0)
    starts, player = games.choices.starts, games.choices.player

    def evaluate(beta: Floats) -> Evaluated:
        logits = less @ beta
        top = np.maximum(logits.max(axis=1), 0.0)
        weights = np.exp(logits - top[:, None])
        total = np.exp(-top) + weights.sum(axis=1)
        shares = weights / total[:, None]
        means = np.einsum("ts,tsk->tk", shares, less)
        spread = np.einsum("ts,tsk,tsl->tkl", shares, less, less) - means[:, :, None] * means[:, None, :]
        found = (-top - np.log(total), -means, spread)
        return tuple(_by_player(one, player, len(starts) - 1) for one in found)  # type: ignore[return-value]

    count = less.shape[1]
    method = f"conditional logit against {count} sampled pairs, pooled deviations; sandwich by player, Student t"
    return _of_players_alike(_fit(evaluate, tuple(terms), method, lambda: (len(player), ())), games.choices)


def _by_player(rows: Floats, player: np.ndarray, players: int) -> Floats:
    out = np.zeros((players, *rows.shape[1:]))
    np.add.at(out, player, rows)
    return out


def _spans(starts: Longs, parts: int) -> list[tuple[int, int]]:
    """Runs of players with about equally many turns."""
    cuts = np.searchsorted(starts, np.linspace(0, starts[-1], parts + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], cuts, [len(starts) - 1]]))
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _fit(
    evaluate: Callable[[Floats], Evaluated], terms: tuple[str, ...], method: str, counts: Callable[[], Counts]
) -> ChoiceFit:
    """Newton's method with step-halving; the log-likelihood is concave."""
    if not terms:
        raise UsageError("no term was given, at least one was expected; name a value")
    beta, unknown = np.zeros(len(terms)), set[str]()
    value, gradient, hessian = evaluate(beta)
    null, warnings = float(value.sum()), []
    if not counts()[0]:
        raise DataError("no turn has a choice among at least two candidates; check the rules the turns are read by")
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
        cluster_errors=_sandwich(inverse, gradient, players), loglik=float(value.sum()), null=null, turns=used,
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
    """Cluster-robust standard errors with the correction G / (G - 1) (Cameron and Miller 2015).

    None where there are no more players than terms: the spread of their gradients then has no direction left for some
    combination of the terms, whose error would come out as nothing.
    """
    if players <= gradient.shape[1]:
        return None
    meat = gradient.T @ gradient * players / (players - 1)
    return np.sqrt(np.diag(inverse @ meat @ inverse))


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
