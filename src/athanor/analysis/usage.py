"""Whether new elements are used at once, and more so those with many children (Brändle et al. 2023)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from athanor.analysis.intervals import LEVEL, t_quantile
from athanor.analysis.least_squares import least_squares, pearson
from athanor.analysis.measurable import measurable
from athanor.analysis.stopping import scaled
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.core.seeds import stream
from athanor.values.arrays import Bools, Floats, Ints
from athanor.values.games import Games

RESAMPLES = 1000
"""Bootstrap samples of players."""
ENOUGH = 10
"""Finds from which the share of those used is more than noise."""
LEAST = 8
"""Elements that the largest regression needs: its six coefficients, and two rows to spare."""
TERMS = (
    "r of usage and children", "r of usage and ln(1 + children)",
    "usage % at ln(1 + children) = 0", "usage % by ln(1 + children)",
    "usage % at children = 0", "usage % by children",
    "scaled usage at the means", "scaled usage by children", "scaled usage by turn", "scaled usage by inventory",
    "scaled usage by children x turn", "scaled usage by children x inventory",
)  # fmt: skip
"""What is estimated: two correlations, two lines with intercept and slope, and the published scaled regression."""

Part = tuple[float, float | None, float | None]
"""A value with its interval; NaN for a value that is not defined."""


@dataclass(frozen=True, kw_only=True)
class Finds:
    """Every time an element with children joined and its player had a further turn."""

    player: Ints
    """Int["finds"]"""
    element: Ints
    used: Bools
    """Whether the further turn combined it."""
    turn: Ints
    """Number of the turn it joined in, from 0."""
    inventory: Ints
    """Elements owned before that turn."""
    last: int
    """Finds in a player's last turn: left out, since nothing could be used after it."""


def finds(games: Games) -> Finds:
    """The finds of all players; turns that the rules refused count as no turn.

    Base elements join in no turn and final ones have no children, so neither is here. Gifts are, except under rules
    that give them unseen.
    """
    games = games.counted()
    choices = games.choices
    row, element = games.joined()
    fertile = games.world.children.lengths[element] > 0
    row, element = row[fertile], element[fertile]
    further = row + 1 < choices.starts[1:][choices.player[row]]
    last = int((~further).sum())
    row, element = row[further], element[further]
    return Finds(
        player=choices.player[row], element=element, turn=choices.turn[row], inventory=games.owned[row], last=last,
        used=(choices.first[row + 1] == element) | (choices.second[row + 1] == element),
    )  # fmt: skip


def usage_table(games: Games) -> pa.Table:
    """One row an element with at least one find, by index: element, children, found and used (counts), usage (used by
    found), mean_turn and mean_inventory (of its finds)."""
    made, world = finds(games), games.world
    one = _elements(made, world.children.lengths.astype(np.float64), np.ones(len(made.element)))
    return pa.table({
        "element": [world.table.elements[int(i)] for i in one["element"]], "children": one["children"].astype(np.int64),
        "found": one["found"].astype(np.int64), "used": one["used"].astype(np.int64), "usage": one["usage"],
        "mean_turn": one["turn"], "mean_inventory": one["inventory"],
    })  # fmt: skip


def immediate_usage(
    games: Games, *, seed: int, name: str = "", resamples: int = RESAMPLES, enough: int = ENOUGH, level: float = LEVEL
) -> tuple[Estimate, ...]:
    """How the share of finds used in the very next turn depends on an element's children.

    Every element counts once, and each number comes twice. As published (unit `elements`): over all elements with a
    find, with intervals as if they were independent. And over players (unit `players`): elements with fewer than
    `enough` finds, whose share is noise, are left out, and the interval is a bootstrap's over players, whose finds
    make up many elements. `excluded` counts finds without a further turn. In the scaled regression every column has
    mean 0 and deviation 1 over elements before products are taken. UsageError with fewer than `LEAST` elements.
    Source: Brändle et al. 2023, behavior.py and immediateusage_regression; on logs without repeated pairs.
    """
    made, children = finds(games), games.world.children.lengths.astype(np.float64)
    whole = _elements(made, children, np.ones(len(made.element)))
    if len(whole["element"]) < LEAST:
        raise UsageError(
            f"{len(whole['element'])} elements with children were found; at least {LEAST} are needed, play longer games"
        )
    often = np.bincount(made.element, minlength=len(children)) >= enough
    parts = _numbers(whole, level)
    robust = _over_players(games, made, often, stream(seed, "usage", name), resamples, level)
    return tuple(
        measurable(Estimate(
            name=term if unit == "elements" else f"{term}, often found ones over players",
            value=None if math.isnan(value) else value, low=low, high=high,
            level=None if low is None else level, n=n, unit=unit, method=method, excluded=made.last, group=name,
        ))
        for term in parts
        for n, unit, (value, low, high), method in (
            (len(whole["element"]), "elements", parts[term], f"{_HOW[term.startswith('r of')]}, published"),
            (games.choices.players, "players", *robust[term]),
        )
    )  # fmt: skip


_HOW = ("least squares over elements, Student t", "Pearson over elements, Fisher z")


def _over_players(
    games: Games, made: Finds, often: Bools, rng: np.random.Generator, resamples: int, level: float
) -> dict[str, tuple[Part, str]]:
    """Every number over the elements found often, with its bootstrap interval and how it was made.

    `often`: Bool["elements"].
    """
    children, players, used = games.world.children.lengths.astype(np.float64), games.choices.players, int(often.sum())
    if used < LEAST:
        why = f"{used} elements were found often; at least {LEAST} are needed"
        return dict.fromkeys(TERMS, ((math.nan, None, None), why))
    kept = often[made.element].astype(np.float64)
    values = [value for value, _, _ in _numbers(_elements(made, children, kept), level).values()]
    samples = np.full((resamples if players > 1 else 0, len(TERMS)), np.nan)
    for row in samples:
        weight = np.bincount(rng.integers(players, size=players), minlength=players)[made.player]
        row[:] = [value for value, _, _ in _numbers(_elements(made, children, kept * weight), level).values()]
    what = f"over the {used} elements found often"
    found: dict[str, tuple[Part, str]] = {}
    for term, value, sample in zip(TERMS, values, samples.T, strict=True):
        unknown = int(np.isnan(sample).sum())
        if unknown or not len(sample):
            why = (
                f"{unknown} of {resamples} resamples are undefined" if unknown else "there are no resamples of players"
            )
            found[term] = (value, None, None), f"{what}; no interval, {why}"
            continue
        low, high = np.quantile(sample, [0.5 - level / 2, 0.5 + level / 2])
        found[term] = (value, float(low), float(high)), f"{what}, percentiles of {resamples} resamples of players"
    return found


def _elements(made: Finds, children: Floats, weight: Floats) -> dict[str, Floats]:
    """Columns over the elements found, by index. `weight`: Float["finds"], how often each find counts."""
    found, used, turn, inventory = (
        np.bincount(made.element, weights=weight * column, minlength=len(children)).astype(np.float64)
        for column in (1.0, made.used, made.turn, made.inventory)
    )
    there = np.flatnonzero(found > 0)
    mean = {"usage": used, "turn": turn, "inventory": inventory}
    return {
        "element": there.astype(np.float64), "children": children[there], "found": found[there], "used": used[there],
        **{name: total[there] / found[there] for name, total in mean.items()},
    }  # fmt: skip


def _numbers(elements: dict[str, Floats], level: float) -> dict[str, Part]:
    """Every number by its name, in the order of TERMS."""
    percent, children = 100 * elements["usage"], elements["children"]
    logs, ones = np.log1p(children), np.ones(len(children))
    usage, by, turn, inventory = (scaled(elements[c]) for c in ("usage", "children", "turn", "inventory"))
    parts = (
        pearson(children, percent, level),
        pearson(logs, percent, level),
        *_coefficients((ones, logs), percent, level),
        *_coefficients((ones, children), percent, level),
        *_coefficients((ones, by, turn, inventory, by * turn, by * inventory), usage, level),
    )
    return dict(zip(TERMS, parts, strict=True))


def _coefficients(columns: tuple[Floats, ...], response: Floats, level: float) -> list[Part]:
    """Each column's coefficient with Student's interval."""
    beta, errors = least_squares(np.stack(columns, axis=1), response)
    half = t_quantile(max(1, len(response) - len(columns)), level) * errors
    return [
        (float(b), None if math.isnan(h) else float(b - h), None if math.isnan(h) else float(b + h))
        for b, h in zip(beta, half, strict=True)
    ]
