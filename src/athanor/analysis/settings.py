"""What the sampling temperature of a model changes: its preferences, and how much it finds (Pan et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec.structs import replace

from athanor.analysis import glmm
from athanor.analysis.glmm.laplace import NAGQ
from athanor.analysis.intervals import LEVEL, t_quantile
from athanor.analysis.least_squares import log_linear
from athanor.analysis.regressions import Group, frame
from athanor.analysis.stopping import scaled
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.values.arrays import Bools, Floats

Variant = Literal["published", "exact"]
"""Which effects differ between players. `published`: all, those of temperature too, though a player has one
temperature and the data cannot tell them from the others. `exact`: the two preferences and the intercept."""

_FIXED = "{0} + uncertainty + temperature + {0}:temperature + uncertainty:temperature"
FORMULAS: dict[Variant, str] = {
    "published": f"decision ~ -1 + {_FIXED} + (1 + {_FIXED} | player)",
    "exact": f"decision ~ -1 + {_FIXED} + (1 + {{0}} + uncertainty | player)",
}
"""The temperature regressions; {0} is the value that stands for empowerment."""


def temperature_regression(
    groups: Sequence[Group],
    seed: int,
    *,
    variant: Variant = "exact",
    empowerment: str = "empowerment",
    nagq: NAGQ = 1,
    level: float = LEVEL,
    threads: int | None = None,
) -> tuple[Estimate, ...]:
    """How preferences move with the sampling temperature: fixed effects, then each group's mean coefficients.

    Values are scaled as in `regressions.frame`, over all groups; temperature is not, so that a value's own coefficient
    is its weight at temperature 0. Groups without a temperature (o1 takes none) are left out, named in `method` and
    their players counted in `excluded`; the publication lost them silently. UsageError for an unknown value and for
    fewer than two temperatures. Source: Pan et al. 2025, regression-script (id_by_id) - temp, at nAGQ=0.
    """
    made, temperature = frame(groups, seed), _by_turn(groups, _temperatures(groups))
    if empowerment not in groups[0].values.values:
        raise UsageError(
            f"the value {empowerment!r} is not one of {', '.join(groups[0].values.values)}; pass one of them"
        )
    kept = ~np.isnan(temperature)
    columns = {name: values[kept] for name, values in {**made.columns, "temperature": temperature}.items()}
    fit = glmm.fit(FORMULAS[variant].format(empowerment), columns, nagq=nagq, level=level, threads=threads)
    found, present = list(fit.estimates()), set(columns["player"].tolist())
    for one in groups:
        if mine := [player for player in made.groups[one.name] if player in present]:
            found += fit.mean_coefficients(mine, name=one.name)
    doubt = "" if fit.diagnostics.converged else "; not to be trusted: " + "; ".join(fit.diagnostics.notes)
    note, excluded = _left_out(groups)
    return tuple(
        replace(e, unit="players", method=e.method + note + doubt, excluded=excluded) for e in found
    )  # fmt: skip


def inventory_growth(
    groups: Sequence[Group],
    *,
    models: Sequence[str],
    baseline: str,
    nagq: NAGQ = 1,
    level: float = LEVEL,
    threads: int | None = None,
) -> tuple[Estimate, ...]:
    """The published Poisson regression of the inventory after every turn on turn, model and temperature.

    `models`: the model of each group. Estimates are logs of ratios: `model M` is the log inventory at the mean turn
    and temperature 0; `trial`, `temperature` and their products are those of `baseline`, and `model M:...` what is
    added for another model. A model seen at one temperature shares the baseline's slopes in it, as a column that
    others make up is dropped in R. Inventories of one player are sums of each other, which an intercept of the player
    does not mend: intervals are too narrow, those of products with `trial` most. `final_inventory` has honest ones.
    Source: Pan et al. 2025, regression-script (id_by_id) - inventory, at nAGQ=0, Llama-3.1-8B the baseline.
    """
    settings, kept = _settings(groups, models, baseline)
    trial = scaled(np.concatenate([one.games.choices.turn for one in groups]).astype(np.float64))
    by_turn = {name: _by_turn(groups, values) for name, values in settings.items()}
    terms = by_turn | {"trial": trial}
    terms |= {f"{name}:trial": values * trial for name, values in by_turn.items() if name != f"model {baseline}"}
    rows = _by_turn(groups, kept.astype(np.float64)) == 1
    columns = {f"c{k}": values[rows] for k, values in enumerate(terms.values())}
    columns["inventory"] = np.concatenate([one.games.owned_after for one in groups])[rows].astype(np.float64)
    columns["player"] = _players(groups)[rows]
    fit = glmm.fit(
        f"inventory ~ -1 + {' + '.join(f'c{k}' for k in range(len(terms)))} + (1 | player)", columns, "poisson",
        nagq=nagq, level=level, threads=threads,
    )  # fmt: skip
    note, excluded = _left_out(groups)
    note = f"; baseline {baseline}; as if a player's inventories were independent{note}"
    return tuple(
        replace(e, name=f"log inventory: {name}", unit="players", method=e.method + note, excluded=excluded)
        for name, e in zip(terms, fit.estimates(), strict=True)
    )


def final_inventory(
    groups: Sequence[Group], *, models: Sequence[str], baseline: str, level: float = LEVEL
) -> tuple[Estimate, ...]:
    """The log-linear regression of each player's last inventory on model and temperature: one row a player.

    The question of `inventory_growth` with intervals that hold: Poisson pseudo-likelihood, a sandwich over players and
    Student's t, whatever the spread of the counts. `models`, `baseline` and names as there. Players without a turn are
    left out.
    """
    settings, kept = _settings(groups, models, baseline)
    design, counts, turns, idle = [], [], [], 0
    for k in np.flatnonzero(kept).tolist():
        starts = groups[k].games.choices.starts
        lengths = np.diff(starts)
        last = starts[1:][lengths > 0] - 1
        counts += groups[k].games.owned_after[last].tolist()
        turns += lengths[lengths > 0].tolist()
        design += [[values[k] for values in settings.values()]] * len(last)
        idle += int((lengths == 0).sum())
    beta, covariance = log_linear(np.array(design), np.array(counts, dtype=np.float64))
    half = t_quantile(max(1, len(counts) - len(settings)), level) * np.sqrt(np.diag(covariance))
    note, excluded = _left_out(groups)
    played = f"{min(turns)} turns" if min(turns) == max(turns) else f"{min(turns)} to {max(turns)} turns"
    method = f"Poisson pseudo-likelihood after {played}, sandwich over players, Student t; baseline {baseline}{note}"
    return tuple(
        Estimate(
            name=f"log final inventory: {name}", value=float(b), low=None if np.isnan(h) else float(b - h),
            high=None if np.isnan(h) else float(b + h), level=level, n=len(counts), unit="players", method=method,
            excluded=excluded + idle,
        )
        for name, b, h in zip(settings, beta, half, strict=True)
    )  # fmt: skip


def _settings(groups: Sequence[Group], models: Sequence[str], baseline: str) -> tuple[dict[str, Floats], Bools]:
    """The columns of model and temperature, each Float["groups"], and Bool["groups"], which have a temperature."""
    if len(models) != len(groups):
        raise UsageError(f"{len(models)} models were named for {len(groups)} groups; name the model of each group")
    temperature = _temperatures(groups)
    kept = ~np.isnan(temperature)
    seen: dict[str, set[float]] = {}
    for model, t in zip(models, temperature.tolist(), strict=True):
        if not np.isnan(t):
            seen.setdefault(model, set()).add(t)
    if len(seen.get(baseline, ())) < 2:
        several = [model for model, ts in seen.items() if len(ts) > 1]
        raise UsageError(
            f"the baseline {baseline!r} was seen at {len(seen.get(baseline, ()))} temperatures, at least two were "
            f"expected; name one of: {', '.join(several) or '(none has two: play at more temperatures)'}"
        )
    columns = {f"model {model}": np.array([float(m == model) for m in models]) for model in seen}
    moved = {
        f"model {model}:temperature": columns[f"model {model}"] * temperature
        for model, ts in seen.items()
        if model != baseline and len(ts) > 1
    }
    return {**columns, "temperature": temperature, **moved}, kept


def _temperatures(groups: Sequence[Group]) -> Floats:
    """Float["groups"], NaN where unknown; UsageError with fewer than two."""
    found = np.array([np.nan if one.temperature is None else one.temperature for one in groups], dtype=np.float64)
    if len(np.unique(found[~np.isnan(found)])) < 2:
        raise UsageError(
            f"{len(np.unique(found[~np.isnan(found)]))} temperatures are known among {len(groups)} groups; what "
            "temperature changes needs groups at two or more"
        )
    return found


def _left_out(groups: Sequence[Group]) -> tuple[str, int]:
    """The groups without a temperature, in words, and how many players they have."""
    without = [one for one in groups if one.temperature is None]
    names = ", ".join(one.name for one in without)
    return f"; left out, having no temperature: {names}" if without else "", sum(len(one.players) for one in without)


def _by_turn(groups: Sequence[Group], values: Floats) -> Floats:
    """Float["turns"]: each group's value at all of its turns."""
    return np.repeat(values, [len(one.games.pool) for one in groups])


def _players(groups: Sequence[Group]) -> Floats:
    """Float["turns"]: numbers of players, unique among groups."""
    before = np.cumsum([0, *(len(one.players) for one in groups)])
    return np.concatenate([one.games.choices.player + before[k] for k, one in enumerate(groups)]).astype(np.float64)
