"""When players stop: whether the next turn is taken, by what the last ones gave (Brändle et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from athanor.analysis import glmm
from athanor.analysis.glmm.laplace import NAGQ
from athanor.analysis.intervals import LEVEL
from athanor.analysis.measurable import measurable
from athanor.analysis.nulls import null_estimates
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.core.seeds import stream
from athanor.values.arrays import Floats
from athanor.values.games import Games

Variant = Literal["published", "exact"]
"""What the last turn of a player who was cut off says: `published` takes it for a stop, `exact` leaves it out, since
whether the player would have gone on was not seen (a censored game)."""

MODELS: tuple[str, ...] = tuple(
    values + control
    for control in ("", " + trial", " + inventory", " + trial + inventory")
    for values in ("success", "empowerment", "empowerment + success")
)
"""The published models as right-hand sides; to each an intercept and one of every player is added."""


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """The stopping models of one group of players."""

    estimates: tuple[Estimate, ...]
    """Log odds of going on, by one standard deviation of each term, as `coefficient` names them."""
    models: pa.Table
    """One row a model, the best first: model, aic, worse_by (AIC above the best), deviance, parameters, turns,
    players, stops, excluded (turns), converged, notes (diagnostics in words, and why a model could not be fitted: then
    all it gave is null)."""


def stopping(
    games: Games,
    *,
    variant: Variant = "exact",
    window: int = 1,
    models: Sequence[str] = MODELS,
    name: str = "",
    nagq: NAGQ = 1,
    level: float = LEVEL,
    threads: int | None = None,
) -> Stopping:
    """Mixed logistic regressions of going on after a turn, compared by AIC.

    Whose games ended for another reason than their own wish, `games.choices.cut_off` says. The publication read logs
    without repeated pairs (`Games.first_tries`), fitted with nAGQ=0, and had window 1 in Little Alchemy 2
    (when_to_stop_la2, whose comments speak of two turns) and 2 in the tiny games (when_to_stop_tatp). UsageError for
    what cannot be asked, as where nobody stopped. Source: Brändle et al. 2023.
    """
    columns, excluded = stopping_columns(games, variant=variant, window=window)
    going_on = columns["going_on"]
    _refuse_endless(going_on, games.choices.players)
    estimates: list[Estimate] = []
    rows = []
    for model in models:
        formula = f"going_on ~ {model} + (1 | player)"
        counts = {
            "model": model, "turns": len(going_on), "players": len(np.unique(columns["player"])),
            "stops": int((going_on == 0).sum()), "excluded": excluded,
        }  # fmt: skip
        try:
            fit = glmm.fit(formula, columns, nagq=nagq, level=level, threads=threads)
        except DataError as error:
            rows.append({**counts, "notes": f"not fitted: {error}"})
            continue
        estimates += _named(fit, model, name, variant, window, excluded)
        rows.append({
            **counts, "aic": fit.aic, "deviance": fit.deviance, "parameters": round((fit.aic - fit.deviance) / 2),
            "converged": fit.diagnostics.converged, "notes": "; ".join(fit.diagnostics.notes),
        })  # fmt: skip
    return Stopping(estimates=tuple(estimates), models=_ranked(rows))


def stopping_nulls(
    games: Games,
    draws: int,
    seed: int,
    *,
    variant: Variant = "exact",
    window: int = 1,
    model: str = "empowerment + success",
    name: str = "",
    nagq: NAGQ = 1,
    threads: int | None = None,
) -> tuple[Estimate, ...]:
    """What a model's coefficients would be if players stopped at random: null, and the p-value of the observed one.

    Each draw deals the stops of every turn out again among all who played that turn. How many stop when, and what
    happened to whom, stay as they were; that a stop follows from what happened is gone. (A player may so have two stops
    or none, which a model of single turns does not mind.) Without it, values that change in the course of games seem
    to matter wherever the chance of stopping changes too. UsageError where nobody stopped, DataError where the model
    cannot be fitted.
    """
    columns, excluded = stopping_columns(games, variant=variant, window=window)
    _refuse_endless(columns["going_on"], games.choices.players)
    formula, rng = f"going_on ~ {model} + (1 | player)", stream(seed, "stopping", name)

    def coefficients(going_on: Floats) -> dict[str, float]:
        fit = glmm.fit(formula, {**columns, "going_on": going_on}, nagq=nagq, threads=threads)
        return {effect.name: effect.value for effect in fit.fixed}

    by_turn, found = np.argsort(columns["trial"], kind="stable"), []
    for _ in range(draws):
        dealt = np.empty_like(columns["going_on"])
        dealt[np.lexsort((rng.random(len(by_turn)), columns["trial"]))] = columns["going_on"][by_turn]
        found.append(coefficients(dealt))
    return tuple(
        measurable(estimate)
        for term, observed in coefficients(columns["going_on"]).items()
        if term != "Intercept"
        for estimate in null_estimates(
            coefficient(model, term), observed, np.array([one[term] for one in found]),
            "stops dealt out at random among all who played the turn", group=name, excluded=excluded,
        )
    )  # fmt: skip


def coefficient(model: str, term: str) -> str:
    """The name of an estimate.

    >>> coefficient("empowerment + success", "success")
    'log odds of going on by success (empowerment + success)'
    """
    return f"log odds of going on {'at the means' if term == 'Intercept' else f'by {term}'} ({model})"


def _refuse_endless(going_on: Floats, players: int) -> None:
    if going_on.all():
        raise UsageError(
            f"none of {players} players stopped by themselves in {len(going_on)} turns; the question "
            "needs players who end their games, not games that end at a limit: leave such runs out"
        )


def stopping_columns(games: Games, *, variant: Variant = "exact", window: int = 1) -> tuple[dict[str, Floats], int]:
    """The regressions' columns, one row a turn that is kept, and how many turns are not.

    `going_on`: 0 in a player's last turn, else 1. `success` and `empowerment`: the means, over the last `window` turns
    that count with this one, of success and of ln(1 + the children of all that joined, gifts included). `trial`,
    `inventory`: turns played and elements owned before the turn. All but the first are scaled to mean 0 and deviation 1
    (n - 1) over all turns. `player` is the player's number. Left out are turns that the rules refused, those of a
    player before the window is full, and under `exact` the last one of a player who was cut off. Who stopped did so
    after the last turn that counts, whatever was refused or could not be read behind it.
    """
    if window < 1:
        raise UsageError(f"the window is {window} turns; it must be at least 1")
    refused = int((games.refused > 0).sum())
    games = games.counted()
    choices, position = games.choices, games.choices.position()
    last = np.zeros(len(choices.first), dtype=np.bool_)
    lengths = np.diff(choices.starts)
    last[choices.starts[1:][lengths > 0] - 1] = True
    raw = {
        "success": rolling_mean(games.success.astype(np.float64), position, window),
        "empowerment": rolling_mean(np.log1p(children_joined(games)), position, window),
        "trial": choices.turn.astype(np.float64),
        "inventory": games.owned.astype(np.float64),
    }
    kept = position >= window - 1
    if variant == "exact":
        kept &= ~(last & choices.cut_off[choices.player])
    columns = {"going_on": 1.0 - last, "player": choices.player.astype(np.float64)}
    columns |= {name: scaled(values) for name, values in raw.items()}
    return {name: values[kept] for name, values in columns.items()}, refused + int((~kept).sum())


def children_joined(games: Games) -> Floats:
    """Float["turns"]: the children of all elements that joined in each turn, summed; final elements have none."""
    rows, elements = games.joined()
    children = games.world.children.lengths[elements].astype(np.float64)
    return np.bincount(rows, weights=children, minlength=len(games.pool)).astype(np.float64)


def rolling_mean(values: Floats, position: NDArray[np.integer], window: int) -> Floats:
    """Float["turns"]: the mean of each turn and the `window` - 1 before it; NaN where the player has fewer.

    `position`: each turn's among those of its player, from 0.

    >>> rolling_mean(np.array([1.0, 0.0, 1.0]), np.array([0, 1, 0]), 2).tolist()
    [nan, 0.5, nan]
    """
    summed = sum(np.concatenate([np.zeros(back), values[: len(values) - back]]) for back in range(window))
    return np.where(position >= window - 1, summed / window, np.nan)


def scaled(values: Floats) -> Floats:
    """Mean 0 and deviation 1 (n - 1) over what is known, as R's `scale`; all 0 where nothing varies."""
    known = values[~np.isnan(values)]
    deviation = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    return (values - known.mean()) / (deviation or 1.0) if len(known) else values


def _named(fit: glmm.Fit, model: str, group: str, variant: Variant, window: int, excluded: int) -> list[Estimate]:
    doubt = "" if fit.diagnostics.converged else "; not to be trusted, see the model's notes"
    ending = {"published": "a game cut off counts as a stop", "exact": "the last turn of a game cut off is left out"}
    over = f"window of {window} turn{'s' if window > 1 else ''}"
    return [
        measurable(Estimate(
            name=coefficient(model, e.name), value=e.value, low=e.low, high=e.high, level=e.level, n=e.n,
            unit="players", method=f"{e.method}; {over}; {ending[variant]}{doubt}", excluded=excluded, group=group,
        ))
        for e in fit.estimates()
    ]  # fmt: skip


_MODELS = pa.schema([
    ("model", pa.string()), ("aic", pa.float64()), ("worse_by", pa.float64()), ("deviance", pa.float64()),
    ("parameters", pa.int64()), ("turns", pa.int64()), ("players", pa.int64()), ("stops", pa.int64()),
    ("excluded", pa.int64()), ("converged", pa.bool_()), ("notes", pa.string()),
])  # fmt: skip


def _ranked(rows: list[dict[str, object]]) -> pa.Table:
    table = pa.Table.from_pylist(rows, schema=_MODELS).sort_by("aic")
    aic = table["aic"].to_pylist()
    worse = [None if value is None else value - aic[0] for value in aic]
    return table.set_column(table.schema.get_field_index("worse_by"), "worse_by", pa.array(worse, pa.float64()))
