"""The published regressions of choices on values: each turn's pair against one random pair."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from athanor.analysis.glmm.formula import parse
from athanor.core.errors import UsageError
from athanor.core.records import Record
from athanor.core.seeds import stream
from athanor.values.arrays import Bools, Floats, Ints
from athanor.values.formulas import PAST
from athanor.values.games import Games
from athanor.values.tables import LIVE, PairValues
from athanor.values.turns import (
    MARKS,
    Comparison,
    TurnValues,
    compared_pairs,
    generator,
    names_of,
    refuse_unknown,
    turn_values,
)

PART = 1 << 16
"""Turns whose values are computed at once: what a turn is compared with is not kept."""


class Regression(Record, kw_only=True):
    """A named regression. Its columns are those of `frame`."""

    formula: str
    source: str
    """The publication; empty for a formula of one's own."""

    @property
    def published(self) -> bool:
        return bool(self.source)

    @property
    def terms(self) -> tuple[str, ...]:
        """The values in it, each once, in the formula's order."""
        known = (*PAST, *MARKS, *LIVE, *FIXED)
        return tuple(
            dict.fromkeys(word for word in re.findall(r"[^\W\d]\w*", parse(self.formula).fixed) if word in known)
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The columns that the formula names."""
        return parse(self.formula).predictors


FIXED = (
    "similarity", "success", "empowerment", "empowerment_direct", "true_success", "true_empowerment",
    "true_empowerment_or_failure", "true_empowerment_outgoing",
)  # fmt: skip
"""Values of pairs that do not change, by the names they have in tables of pair values."""

_MAIN = "{0} + {1} + trial + {0}:trial + {1}:trial"
_PAIR = "decision ~ -1 + " + _MAIN + " + (1 | player)"
_ONE = "decision ~ -1 + {0} + trial + {0}:trial + (1 | player)"
_BR = "Brändle et al. 2023, modelcomparison_alchemy2"

VARIANTS = (*LIVE, "true_empowerment_or_failure", "true_empowerment_outgoing")
"""Values that only the publications' agents know, or that stand in a table of theirs; docs/values.md says what each is.
"""


def _together(*values: str, by: str = "trial") -> Regression:
    """Several values, and what a trial (or a larger inventory) adds to each."""
    products = [f"{value}:{by}" for value in values]
    formula = f"decision ~ -1 + {' + '.join([*values, by, *products])} + (1 | player)"
    return Regression(formula=formula, source=_BR if by == "trial" else "")


REGRESSIONS: dict[str, Regression] = {
    "uncertainty": Regression(
        formula="decision ~ -1 + uncertainty + (1 | player)", source="Brändle et al. 2023, recovery of simulated agents"
    ),
    "recovery": Regression(
        formula="decision ~ -1 + empowerment + uncertainty + (1 | player)",
        source="Brändle et al. 2023, recovery of simulated agents",
    ),
    "main": Regression(
        formula="decision ~ -1 + "
        + _MAIN.format("empowerment", "uncertainty")
        + " + (1 + "
        + _MAIN.format("empowerment", "uncertainty")
        + " | player)",
        source="Pan et al. 2025, regression-script (id_by_id)",
    ),
    "brandle-empowerment-uncertainty": Regression(formula=_PAIR.format("empowerment", "uncertainty"), source=_BR),
    "brandle-empowerment-recency": Regression(formula=_PAIR.format("empowerment", "recency"), source=_BR),
    "brandle-success-uncertainty": Regression(formula=_PAIR.format("success", "uncertainty"), source=_BR),
    "brandle-success-recency": Regression(formula=_PAIR.format("success", "recency"), source=_BR),
    "brandle-uncertainty-recency": Regression(formula=_PAIR.format("uncertainty", "recency"), source=_BR),
    "brandle-empowerment": Regression(formula=_ONE.format("empowerment"), source=_BR),
    "brandle-uncertainty": Regression(formula=_ONE.format("uncertainty"), source=_BR),
    "brandle-recency": Regression(formula=_ONE.format("recency"), source=_BR),
    "brandle-value": Regression(formula=_ONE.format("value"), source=_BR),
    "brandle-success": Regression(formula=_ONE.format("success"), source=_BR),
    **{f"brandle-{'-'.join(values)}": _together(*values) for values in (
        ("empowerment", "success"), ("empowerment", "success", "uncertainty"), ("empowerment", "success", "recency"),
        ("empowerment", "uncertainty", "recency"), ("success", "uncertainty", "recency"),
    )},
    **{f"brandle-{value.replace('_', '-')}": Regression(formula=_ONE.format(value), source=_BR) for value in (
        "true_empowerment", "true_success",
    )},
    "brandle-true-empowerment-true-success": _together("true_empowerment", "true_success"),
    **{f"brandle-{'-'.join(values)}-inventory": _together(*values, by="inventory") for values in (
        ("empowerment",), ("uncertainty",), ("empowerment", "uncertainty"),
    )},
    **{value.replace("_", "-"): Regression(formula=_ONE.format(value), source="") for value in VARIANTS},
}  # fmt: skip
"""By name. Those with a source are published. The others put the inventory in the place of the trial, or a variant of
the true values, by which the publications' agents choose, in that of a value that they regressed on."""


def regression(name: str) -> Regression:
    """A regression by its name, or a formula of one's own. UsageError for another word."""
    if "~" in name:
        if parse(name).response != "decision":
            raise UsageError(
                f"the response of {name!r} is {parse(name).response!r}, `decision` was expected; write it so"
            )
        return Regression(formula=name, source="")
    if name not in REGRESSIONS:
        raise UsageError(
            f"regression {name!r} is not one of {', '.join(REGRESSIONS)}; pass one of them, or a formula such as "
            "'decision ~ -1 + uncertainty + recency + (1 | player)'"
        )
    return REGRESSIONS[name]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Players that belong together (an arm, a model), and what their choices are compared with.

    `games` has no refused turns. The comparison's first pair of a turn is that of the published regressions; the
    others serve the sampled choice models. Values are computed when they are asked for, and only those.
    """

    name: str
    games: Games
    fixed: PairValues
    comparison: Comparison
    drawn: int
    """Seed of the pairs that choices are compared with."""
    count: int = 1
    """How many each choice is compared with."""
    excluded: int = 0
    """Turns left out before."""
    temperature: float | None = None
    """Sampling temperature of a model; None if unknown or not a model."""
    model: str | None = None
    """The model that plays; None if unknown or not a model."""

    @cached_property
    def players(self) -> tuple[str, ...]:
        """A label for every player, unique among groups."""
        return tuple(f"{self.name}#{p:05d}" for p in range(self.games.choices.players))

    @property
    def known(self) -> tuple[str, ...]:
        """The values that can be asked for."""
        return names_of(self.fixed)

    def values(self, names: Sequence[str] | None = None) -> TurnValues:
        """The values of all turns at once, as `turn_values` has them: for few turns."""
        pairs = compared_pairs(self.comparison, self.games, generator(self.comparison, self.drawn), self.count)
        return turn_values(self.games, self.fixed, pairs, names)

    def less(self, names: Sequence[str], count: int) -> NDArray[np.float32]:
        """Float["turns count names"]: the values of the first pairs compared, less the chosen one's; part by part."""
        refuse_unknown(names, self.fixed)
        found = np.empty((len(self.games.pool), count, len(names)), dtype=np.float32)
        rng, done = generator(self.comparison, self.drawn), 0
        for part in self.games.spans(PART):
            turns = slice(done, done + len(part.pool))
            pairs = compared_pairs(self.comparison, part, rng, self.count)[:, :count]
            values = turn_values(part, self.fixed, pairs, names)
            for k, name in enumerate(names):
                found[turns, :, k] = values.compared(name) - values.chosen(name)[:, None]
            done = turns.stop
        return found


def group(
    name: str,
    games: Games,
    fixed: PairValues,
    *,
    seed: int,
    comparison: Comparison = "uniform",
    count: int = 1,
    excluded: int = 0,
    temperature: float | None = None,
    model: str | None = None,
) -> Group:
    """A group from replayed games: turns that the rules refused are left out and counted.

    `count`: how many pairs each choice is compared with. The draws depend on `seed` and `name`.
    """
    refused = int((games.refused > 0).sum())
    games = games.counted() if refused else games
    return Group(
        name=name, games=games, fixed=fixed, comparison=comparison,
        drawn=int(stream(seed, "group", name).integers(2**31)), count=count, excluded=excluded + refused,
        temperature=temperature, model=model,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The columns of the published regressions over some groups, one row a turn.

    `decision` is a coin flip; every value's column is chosen minus compared pair where it came up 1 and the negative
    where 0. Columns other than `decision` and `player` are scaled to mean 0 and deviation 1 (n - 1) over all rows, as
    R's `scale`. (The publications also turn the sign of recency; here it prefers what was left alone, as everywhere.)
    """

    columns: dict[str, Floats | Ints]
    labels: tuple[str, ...]
    """The label behind each number in `player`."""
    groups: dict[str, range]
    """Which players each group has."""
    constant: tuple[str, ...]
    """Columns that do not vary, and so could not be scaled; they are 0."""


def frame(
    groups: Sequence[Group], seed: int, values: Sequence[str] | None = None, *, scale: Sequence[Group] = ()
) -> Frame:
    """The regression's columns: decision, player, trial, inventory, temperature if all know it, and the values.

    `values`: which, all but the live ones if left out. `scale`: groups that give the means and deviations in
    place of these, so that weights are of the same unit.
    """
    if not groups:
        raise UsageError("no group of players was given, at least one was expected; pass a run")
    labels = tuple(label for one in groups for label in one.players)
    edges = np.cumsum([0, *(len(one.players) for one in groups)])
    wanted = values if values is not None else [name for name in groups[0].known if name not in LIVE]
    decision, raw = _unscaled(groups, seed, wanted)
    units = _unscaled(scale, seed, wanted)[1] if scale else raw
    player = np.concatenate([one.games.choices.player + edges[k] for k, one in enumerate(groups)])
    columns: dict[str, Floats | Ints] = {"decision": decision.astype(np.float64), "player": player.astype(np.int32)}
    constant = []
    for name, column in raw.items():
        unit = units.get(name, column)
        deviation = float(unit.std(ddof=1)) if len(unit) > 1 else 0.0
        if not deviation > 0.0:
            constant.append(name)
        columns[name] = (column - unit.mean()) / (deviation or 1.0)
    spans = {one.name: range(int(edges[k]), int(edges[k + 1])) for k, one in enumerate(groups)}
    return Frame(columns=columns, labels=labels, groups=spans, constant=tuple(constant))


def _unscaled(groups: Sequence[Group], seed: int, values: Sequence[str]) -> tuple[Bools, dict[str, Floats]]:
    """The coin flips, Bool["turns"], and the columns, each Float["turns"], as they are."""
    raw: dict[str, Floats] = {
        "trial": np.concatenate([one.games.choices.turn for one in groups]).astype(np.float64),
        "inventory": np.concatenate([one.games.owned for one in groups]).astype(np.float64),
    }
    decision = stream(seed, "decision").random(len(raw["trial"])) < 0.5
    sign = np.where(decision, 1.0, -1.0)
    less = np.concatenate([one.less(values, 1)[:, 0] for one in groups])
    for k, name in enumerate(values):
        raw[name] = -less[:, k].astype(np.float64) * sign
    temperatures = [one.temperature for one in groups]
    if None not in temperatures:
        lengths = [len(one.games.pool) for one in groups]
        raw["temperature"] = np.repeat(np.array(temperatures, dtype=np.float64), lengths)
    return decision, raw
