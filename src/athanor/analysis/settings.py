"""What the sampling temperature of a model changes: its preferences, and how much it finds (Pan et al. 2025)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec.structs import replace

from athanor.analysis import contrasts, glmm
from athanor.analysis.glmm.laplace import NAGQ
from athanor.analysis.intervals import LEVEL, t_quantile
from athanor.analysis.least_squares import log_linear
from athanor.analysis.measurable import measurable
from athanor.analysis.regressions import Group, frame
from athanor.analysis.stopping import scaled
from athanor.analysis.weights import TOGETHER, named
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.values.arrays import Bools, Floats
from athanor.values.games import Games

Variant = Literal["published", "exact"]
"""Which effects differ between players. `published`: all, those of temperature too, though a player has one
temperature and the data cannot tell them from the others. `exact`: the two preferences and the intercept."""

PER_UNIT = "per unit of temperature"
"""What a unit of temperature adds to a weight, as it stands in an estimate's name behind the value."""
_FIXED = "{0} + uncertainty + temperature + {0}:temperature + uncertainty:temperature"
FORMULAS: dict[Variant, str] = {
    "published": f"decision ~ -1 + {_FIXED} + (1 + {_FIXED} | player)",
    "exact": f"decision ~ -1 + {_FIXED} + (1 + {{0}} + uncertainty | player)",
}
"""The temperature regressions; {0} is the value that stands for empowerment."""
AS_IF = "as if a player's inventories were independent"
SANDWICH = "Poisson pseudo-likelihood, sandwich over players, Student t"


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
    """How preferences move with the sampling temperature: over all groups, then each group's own weights.

    Values are scaled as in `regressions.frame`, over all groups; temperature is not, so that the fixed effects
    are weights at temperature 0 and what a unit of temperature adds to them. A group's weights are those of its players
    at the temperature they have, with the interval of that sum; `published` adds the players' mean coefficients as
    published. Groups without a temperature (o1 takes none) are left out, named in `method` and their players counted in
    `excluded`; the publication lost them silently. UsageError for an unknown value and for fewer than two temperatures.
    Source: Pan et al. 2025, regression-script (id_by_id) - temp, at nAGQ=0.
    """
    temperature = _by_turn(groups, _temperatures(groups))
    made = frame(groups, seed, [empowerment, "uncertainty"])
    kept = ~np.isnan(temperature)
    columns = {name: values[kept] for name, values in {**made.columns, "temperature": temperature}.items()}
    fit = glmm.fit(FORMULAS[variant].format(empowerment), columns, nagq=nagq, level=level, threads=threads)
    found = [replace(e, name=_coefficient(e.name), group=TOGETHER) for e in fit.estimates()]
    found += contrasts.of_fixed_effects(fit, "at temperature 0", TOGETHER)
    present = set(columns["player"].tolist())
    for one in groups:
        mine = [player for player in made.groups[one.name] if player in present]
        if one.temperature is None or not mine:
            continue
        for value in (empowerment, "uncertainty"):
            own, named_so = {value: 1.0, f"{value}:temperature": one.temperature}, f"at temperature {one.temperature:g}"
            found.append(fit.combination(own, mine, name=named(value, named_so), group=one.name))
        warm = {f"{value}:temperature": weight * one.temperature for value, weight in contrasts.WEIGHTS.items()}
        kind = f"at temperature {one.temperature:g}"
        found += contrasts.of_means(fit, mine, kind, one.name, {**contrasts.WEIGHTS, **warm})
        if variant == "published":
            means = fit.mean_coefficients(mine, name=one.name)
            found += [
                replace(e, name=f"{_coefficient(e.name)}, as published")
                for e in means
                if e.name not in ("1", "Intercept")
            ]
    doubt = "" if fit.diagnostics.converged else "; not to be trusted: " + "; ".join(fit.diagnostics.notes)
    note, excluded = left_out(groups)
    found = [
        measurable(replace(e, unit="players", method=f"{e.method}{note and '; '}{note}{doubt}", excluded=excluded))
        for e in found
    ]  # fmt: skip
    return tuple(found)


def random_preferences(
    one: Group,
    groups: Sequence[Group],
    seed: int,
    *,
    empowerment: str = "empowerment",
    nagq: NAGQ = 1,
    level: float = LEVEL,
    threads: int | None = None,
) -> tuple[Estimate, ...]:
    """The weights of players without a temperature, by the same values on the groups' scale, to stand beside theirs."""
    values, columns = (
        f"{empowerment} + uncertainty",
        frame([one], seed, [empowerment, "uncertainty"], scale=groups).columns,
    )
    formula = f"decision ~ -1 + {values} + (1 + {values} | player)"
    fit = glmm.fit(formula, columns, nagq=nagq, level=level, threads=threads)
    own = [measurable(replace(e, name=named(e.name, "no temperature"), group=one.name, unit="players"))
           for e in fit.estimates()]  # fmt: skip
    return *own, *contrasts.of_fixed_effects(fit, "no temperature", one.name)


def _coefficient(term: str) -> str:
    """What a fixed effect of the regression is called.

    >>> _coefficient("uncertainty:temperature")
    'weight of uncertainty (per unit of temperature)'
    """
    if term == "temperature":
        return named(term, "alone; a coin decides, so about 0")
    value, product, _ = term.partition(":temperature")
    return named(value, PER_UNIT if product else "at temperature 0")


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
    note, excluded = left_out(groups)
    note = f"; baseline {baseline}; {AS_IF}{note and '; '}{note}"
    return tuple(
        measurable(replace(
            e, name=f"log inventory: {name}", group=TOGETHER, unit="players", method=e.method + note, excluded=excluded
        ))
        for name, e in zip(terms, fit.estimates(), strict=True)
    )  # fmt: skip


def final_inventory(
    groups: Sequence[Group], *, models: Sequence[str], baseline: str, level: float = LEVEL
) -> tuple[Estimate, ...]:
    """The log-linear regression of each player's last inventory on model and temperature: one row a player.

    The question of `inventory_growth` with intervals that hold: Poisson pseudo-likelihood, a sandwich over players and
    Student's t, whatever the spread of the counts. `models`, `baseline` and names as there. Players who played no turn
    are left out; of one whose turns all count as no attempt, the inventory is the base.
    """
    settings, kept = _settings(groups, models, baseline)
    design, counts, turns, idle = [], [], [], 0
    for k in np.flatnonzero(kept).tolist():
        lengths = groups[k].games.choices.played
        playing = lengths > 0
        counts += groups[k].games.last_owned()[playing].tolist()
        turns += lengths[playing].tolist()
        design += [[values[k] for values in settings.values()]] * int(playing.sum())
        idle += int((~playing).sum())
    beta, covariance = log_linear(np.array(design), np.array(counts, dtype=np.float64))
    half = t_quantile(max(1, len(counts) - len(settings)), level) * np.sqrt(np.diag(covariance))
    note, excluded = left_out(groups)
    played = f"{min(turns)} turns" if min(turns) == max(turns) else f"{min(turns)} to {max(turns)} turns"
    method = f"{SANDWICH} after {played}; baseline {baseline}{note and '; '}{note}"
    return tuple(
        measurable(Estimate(
            name=f"log final inventory: {name}", value=float(b), low=None if np.isnan(h) else float(b - h),
            high=None if np.isnan(h) else float(b + h), level=level, n=len(counts), unit="players", method=method,
            excluded=excluded + idle, group=TOGETHER,
        ))
        for name, b, h in zip(settings, beta, half, strict=True)
    )  # fmt: skip


def random_inventory(
    name: str,
    games: Games,
    groups: Sequence[Group],
    *,
    nagq: NAGQ = 1,
    level: float = LEVEL,
    threads: int | None = None,
) -> tuple[Estimate, ...]:
    """`inventory_growth` and `final_inventory` of players without model and temperature, to stand beside the groups'.

    `log inventory: at the mean turn` is at the mean turn of the groups, in whose deviations `trial` is.
    """
    turns = np.concatenate([one.games.choices.turn for one in groups]).astype(np.float64)
    columns = {
        "trial": (games.choices.turn - turns.mean()) / (float(turns.std(ddof=1)) or 1.0),
        "inventory": games.owned_after.astype(np.float64), "player": games.choices.player.astype(np.float64),
    }  # fmt: skip
    last = games.last_owned()[games.choices.played > 0].astype(np.float64)
    beta, covariance = log_linear(np.ones((len(last), 1)), last)
    half = t_quantile(max(1, len(last) - 1), level) * float(np.sqrt(covariance[0, 0]))
    final = Estimate(
        name="log final inventory", value=float(beta[0]), low=float(beta[0]) - half, high=float(beta[0]) + half,
        level=level, n=len(last), unit="players", method=SANDWICH, group=name,
    )  # fmt: skip
    fit = glmm.fit(
        "inventory ~ 1 + trial + (1 | player)", columns, "poisson", nagq=nagq, level=level, threads=threads
    )  # fmt: skip
    growth = zip(("at the mean turn", "trial"), fit.estimates(), strict=True)
    return (
        *(
            measurable(
                replace(e, name=f"log inventory: {term}", group=name, unit="players", method=f"{e.method}; {AS_IF}")
            )
            for term, e in growth
        ),
        measurable(final),
    )


def models_of(groups: Sequence[Group]) -> tuple[str, ...]:
    """The model of each group: its name without its temperature, so that conditions stay apart and any agent has one.

    Where the name does not say the temperature, it is the model that the source names, or else the name.
    """
    return tuple(_model(one) for one in groups)


def _model(one: Group) -> str:
    if one.temperature is None:
        return one.model or one.name
    bare = re.sub(rf", T={re.escape(f'{one.temperature:g}')}(?=,| \(|$)", "", one.name)
    return bare if bare != one.name else one.model or one.name


def baseline_of(groups: Sequence[Group], models: Sequence[str], asked: str = "") -> str:
    """The model that others are compared with: the one asked for, or the first that was seen at two temperatures.

    UsageError, with the choices, where there is none or it is not one of them.
    """
    seen = _seen(groups, models)
    several = [model for model, temperatures in seen.items() if len(temperatures) > 1]
    if not several:
        told = "; ".join(f"{model} at {sorted(temperatures)[0]:g}" for model, temperatures in seen.items())
        raise UsageError(f"no model was seen at two temperatures ({told}); pass runs of one model at several")
    if asked and asked not in several:
        raise UsageError(
            f"the baseline {asked!r} was seen at {len(seen.get(asked, ()))} temperatures, at least two were expected; "
            f"pass --baseline with one of: {'; '.join(several)}"
        )
    return asked or several[0]


def _settings(groups: Sequence[Group], models: Sequence[str], baseline: str) -> tuple[dict[str, Floats], Bools]:
    """The columns of model and temperature, each Float["groups"], and Bool["groups"], which have a temperature."""
    if len(models) != len(groups):
        raise UsageError(f"{len(models)} models were named for {len(groups)} groups; name the model of each group")
    temperature = _temperatures(groups)
    kept = ~np.isnan(temperature)
    baseline_of(groups, models, baseline)
    seen = _seen(groups, models)
    columns = {f"model {model}": np.array([float(m == model) for m in models]) for model in seen}
    moved = {
        f"model {model}:temperature": columns[f"model {model}"] * temperature
        for model, ts in seen.items()
        if model != baseline and len(ts) > 1
    }
    return {**columns, "temperature": temperature, **moved}, kept


def _seen(groups: Sequence[Group], models: Sequence[str]) -> dict[str, set[float]]:
    """The temperatures of each model that has one."""
    found: dict[str, set[float]] = {}
    for model, one in zip(models, groups, strict=True):
        if one.temperature is not None:
            found.setdefault(model, set()).add(one.temperature)
    return found


def _temperatures(groups: Sequence[Group]) -> Floats:
    """Float["groups"], NaN where unknown; UsageError with fewer than two."""
    found = np.array([np.nan if one.temperature is None else one.temperature for one in groups], dtype=np.float64)
    if len(np.unique(found[~np.isnan(found)])) < 2:
        raise UsageError(
            f"{len(np.unique(found[~np.isnan(found)]))} temperatures are known among {len(groups)} groups; what "
            "temperature changes needs groups at two or more"
        )
    return found


def left_out(groups: Sequence[Group]) -> tuple[str, int]:
    """The groups without a temperature, in words, and how many players they have."""
    without = [one for one in groups if one.temperature is None]
    names = ", ".join(one.name for one in without)
    return f"left out, having no temperature: {names}" if without else "", sum(len(one.players) for one in without)


def _by_turn(groups: Sequence[Group], values: Floats) -> Floats:
    """Float["turns"]: each group's value at all of its turns."""
    return np.repeat(values, [len(one.games.pool) for one in groups])


def _players(groups: Sequence[Group]) -> Floats:
    """Float["turns"]: numbers of players, unique among groups."""
    before = np.cumsum([0, *(len(one.players) for one in groups)])
    return np.concatenate([one.games.choices.player + before[k] for k, one in enumerate(groups)]).astype(np.float64)
