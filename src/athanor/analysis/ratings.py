"""What people's ratings of elements and pairs follow: the validation experiment (Brändle et al. 2023)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import special

from athanor.analysis.intervals import LEVEL, SHARE, clustered, t_quantile
from athanor.analysis.logs import FORMS, read_ratings
from athanor.analysis.logs.read import form_of
from athanor.analysis.random_intercept import random_intercept
from athanor.analysis.stopping import scaled
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.values.arrays import Floats, TableArrays, pair_number
from athanor.values.meaning import load

OFFSET = 0.1
"""Added to an empowerment before its logarithm, as published."""
COLUMNS = {"predicted": "emp_value_predicted", "true": "emp_value_true"}
"""The values of elements in the published table, and what its columns are called."""
NAME = "element_string"
AS_PUBLISHED = "as published"
EMPOWERMENT, PAIR = "rating of an element's empowerment", "rating of a pair"
RIGHT, CHANCE = "share of results chosen right", "share of results right by chance"
WITHOUT_TABLE = "what pairs make is in the table of elements, and none was given; pass it with --table"


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What is known of elements and pairs, by what it is called (`predicted`, `true`)."""

    elements: Mapping[str, Mapping[str, float]]
    """The empowerment of elements, by name."""
    pairs: Mapping[str, Floats]
    """The success of a world's pairs, by their number; nothing without a world."""
    world: TableArrays | None = None


def worth_of(named: str, world: TableArrays | None) -> Worth:
    """What `--pair-values` names: `true` (of the table), a folder of predictions, or a CSV file of elements' values.

    UsageError where the table is needed and not there, or the file has none of the columns.
    """
    path = Path(named)
    if path.is_file():
        return Worth(elements=_table_of(path), pairs=_true_success(world), world=world)
    if world is None:
        raise UsageError(
            f"--pair-values {named} needs a table of elements; pass it with --table, or a CSV file with the columns "
            f"{NAME}, {', '.join(COLUMNS.values())}"
        )
    elements = {"true": dict(zip(world.table.elements, world.children.lengths.tolist(), strict=True))}
    if named == "true":
        return Worth(elements=elements, pairs=_true_success(world), world=world)
    found, _ = load(path, world)
    predicted = dict(zip(world.table.elements, found.elements["empowerment"].tolist(), strict=True))
    success = found.pairs.values["success"]
    return Worth(
        elements={"predicted": predicted, **elements}, pairs={"predicted": success, **_true_success(world)}, world=world
    )


def _true_success(world: TableArrays | None) -> dict[str, Floats]:
    return {} if world is None else {"true": (world.recipe >= 0).astype(np.float64)}


def _table_of(path: Path) -> dict[str, dict[str, float]]:
    """The published table of elements with their predicted and true empowerment."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        there = {name: column for name, column in COLUMNS.items() if rows and column in rows[0]}
        if NAME not in (rows[0] if rows else {}) or not there:
            raise UsageError(
                f"{path} has no column {NAME!r} beside {' or '.join(COLUMNS.values())}, a table of elements was "
                "expected; pass one, or the word true with --table"
            )
        return {name: {row[NAME]: float(row[column]) for row in rows} for name, column in there.items()}
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table of elements ({error}); copy it again") from error


def ratings_of(path: Path) -> pa.Table:
    """The ratings in a file of the validation experiment. UsageError for a path of another form."""
    form = form_of(path) if path.exists() else ""
    if form != "validation":
        what = f"is {FORMS[form]}" if form else "does not exist"
        raise UsageError(f"{path} {what}, {FORMS['validation']} was expected; pass that file")
    return read_ratings(path)


def estimates(ratings: pa.Table, worth: Worth, group: str, *, allow: float) -> tuple[Estimate, ...]:
    """How ratings go with what is known: linear mixed models with an intercept for each person.

    Values are the logarithm of an element's empowerment + 0.1, or a pair's success, scaled over the ratings; a
    coefficient is in points of the rating, 1 to 7. Each value alone, then together. The interval is robust to whatever
    a person's ratings have in common (a sandwich over people, Student's t); beside it stands that of the published
    model, in which people differ by their intercept alone. Then, of pairs that make something, how often the result was
    chosen among the options. Without a world what rests on pairs' results is unknown. DataError if more than the share
    `allow` of the ratings names what is not known.
    """
    known = {name: _by_name(ratings["element"].to_pylist(), values) for name, values in worth.elements.items()}
    logs = {name: np.log(values + OFFSET) for name, values in known.items()}
    pairs = {name: _by_pair(ratings, worth, values) for name, values in worth.pairs.items()}
    elements = ratings["element"].to_pylist()
    both = [f"{a} + {b}" for a, b in zip(ratings["first"].to_pylist(), ratings["second"].to_pylist(), strict=True)]
    for names, values in ((elements, logs), (both, pairs)):
        _refuse_unknown(names, values, allow)
    return (
        *_ratings(EMPOWERMENT, "empowerment", ratings, logs, group),
        *_ratings(PAIR, "link", ratings, pairs, group),
        *(_guessed(ratings, worth.world, group) if worth.world else _unknown_pairs(ratings, group)),
    )


def _by_name(names: Sequence[str], values: Mapping[str, float]) -> Floats:
    return np.array([values.get(name, np.nan) for name in names], dtype=np.float64)


def _by_pair(ratings: pa.Table, worth: Worth, values: Floats) -> Floats:
    """The value of each rating's pair, NaN where an element is none of the table."""
    if worth.world is None:
        return np.full(ratings.num_rows, np.nan)
    first, second = (worth.world.indices(ratings[side].to_pylist()) for side in ("first", "second"))
    there = (first >= 0) & (second >= 0)
    found = np.full(ratings.num_rows, np.nan)
    found[there] = values[pair_number(first[there], second[there])]
    return found


def _refuse_unknown(names: Sequence[str], values: Mapping[str, Floats], allow: float) -> None:
    for kind, column in values.items():
        without = np.flatnonzero(np.isnan(column)).tolist()
        if len(without) > allow * len(names):
            examples = ", ".join(repr(name) for name in dict.fromkeys(names[row] for row in without[:3]))
            needed = math.ceil(1000 * len(without) / len(names)) / 1000
            raise DataError(
                f"{len(without)} of {len(names)} ratings name something that has no {kind} value, such as {examples}; "
                f"pass the table they are of, or --allow-excluded {needed:g}"
            )


def _ratings(
    what: str, column: str, ratings: pa.Table, values: Mapping[str, Floats], group: str
) -> Iterator[Estimate]:  # fmt: skip
    """The mean rating, and its regressions on every value alone and on all together."""
    rating, person = ratings[column].cast(pa.float64()).fill_null(np.nan).to_numpy(), ratings["player"].to_numpy()
    told = ~np.isnan(rating)
    middle = clustered(rating[told].tolist(), person[told].tolist(), within=(1, 7), of="ratings", unit="people")
    yield Estimate(
        name=f"{what}, mean", value=middle.value, low=middle.low, high=middle.high,
        level=None if middle.low is None else middle.level, n=middle.n, unit="people", method=middle.method,
        excluded=int((~told).sum()), group=group,
    )  # fmt: skip
    for size in range(1, len(values) + 1):
        for names in combinations(values, size):
            kept = told & ~np.isnan(np.stack([values[name] for name in names])).any(axis=0)
            yield from _fitted(what, rating, person, {name: values[name] for name in names}, kept, group)


def _fitted(
    what: str, rating: Floats, person: np.ndarray, values: Mapping[str, Floats], kept: np.ndarray, group: str
) -> Iterator[Estimate]:
    columns = [scaled(value[kept]) for value in values.values()]
    model = " + ".join(values)
    excluded = int((~kept).sum())
    try:
        fit = random_intercept(np.stack([np.ones(kept.sum()), *columns], axis=1), rating[kept], person[kept])
    except DataError as error:
        for name in values:
            yield Estimate(
                name=f"{what} by {name} ({model})", value=None, low=None, high=None, level=None,
                n=len(np.unique(person[kept])), unit="people", method=str(error), group=group, excluded=excluded,
            )  # fmt: skip
        return
    kinds = (
        ("", fit.robust, t_quantile(fit.groups - 1), "sandwich over people, Student t"),
        (f", {AS_PUBLISHED}", fit.covariance, float(special.ndtri(0.5 + LEVEL / 2)), "Wald"),
    )
    for kind, covariance, quantile, method in kinds:
        for k, name in enumerate(values, 1):
            half = quantile * float(np.sqrt(covariance[k, k]))
            yield Estimate(
                name=f"{what} by {name} ({model}){kind}", value=float(fit.beta[k]), low=float(fit.beta[k]) - half,
                high=float(fit.beta[k]) + half, level=LEVEL, n=fit.groups, unit="people", group=group,
                method=f"linear mixed model, intercept by person, REML, {method}", excluded=excluded,
            )  # fmt: skip


def _unknown_pairs(ratings: pa.Table, group: str) -> Iterator[Estimate]:
    """What takes the results of pairs, where they are not known."""
    people = len(np.unique(ratings["player"].to_numpy()))
    for name in (f"{PAIR} by true (true)", RIGHT, CHANCE):
        yield Estimate(
            name=name, value=None, low=None, high=None, level=None, n=people, unit="people", method=WITHOUT_TABLE,
            excluded=ratings.num_rows, group=group,
        )  # fmt: skip


def _guessed(ratings: pa.Table, world: TableArrays, group: str) -> Iterator[Estimate]:
    """Of pairs that make something that is among the options: how often it was chosen, and how often by chance."""
    results = world.table.results
    right, chance, people = list[float](), list[float](), list[int]()
    for row in ratings.to_pylist():
        pair = (row["first"], row["second"])
        made = {*results.get(pair, ()), *results.get(pair[::-1], ())} & set(row["options"])
        if made:
            right.append(float(row["answer"] in made))
            chance.append(len(made) / len(row["options"]))
            people.append(row["player"])
    found = clustered(right, people, within=SHARE, of="answers", unit="people")
    yield Estimate(
        name=RIGHT, value=found.value, low=found.low, high=found.high,
        level=None if found.low is None else found.level, n=found.n, unit="people", method=found.method,
        excluded=ratings.num_rows - len(right), group=group,
    )  # fmt: skip
    yield Estimate(
        name=CHANCE, value=sum(chance) / len(chance) if chance else None, low=None,
        high=None, level=None, n=found.n, unit="people", method="sum of the shares of right options, by their number",
        excluded=ratings.num_rows - len(chance), group=group,
    )  # fmt: skip
