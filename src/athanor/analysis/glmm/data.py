"""From columns and a formula to the arrays of the model, and what is refused on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import formulaic
import numpy as np
import pandas as pd
import pyarrow as pa
from formulaic.errors import FormulaicError
from numpy.typing import ArrayLike, NDArray

from athanor.analysis.glmm.design import Design, Floats
from athanor.analysis.glmm.formula import Formula
from athanor.core.errors import DataError, UsageError

Data = Mapping[str, ArrayLike] | pa.Table | pd.DataFrame
Family = Literal["binomial", "poisson"]

LARGEST = 1e100
"""Numbers in columns at most: products of two columns, summed over rows, must not overflow."""
DEPENDENT = 1e-11
"""Share of a column's squares that other columns must leave unexplained for it to count as independent."""


def design(formula: Formula, data: Data, family: Family) -> Design:
    """The design of a formula. Rows are sorted by group if they are not already; `data` is left as it is.

    UsageError for a column that is missing or a formula that formulaic cannot read; DataError for missing or infinite
    values, responses the family cannot have, a single group, and columns that depend on each other.
    """
    used = dict.fromkeys((formula.response, formula.group, *formula.predictors))
    columns = _columns(formula, data, tuple(used))
    _refuse_missing(columns)
    response = _response(formula.response, columns[formula.response], family)
    codes, labels = pd.factorize(columns[formula.group], sort=True)
    if len(labels) < 2:
        raise DataError(
            f"column {formula.group} holds {len(labels)} group in {len(codes)} rows; random effects need at least two"
        )
    starts = np.append(0, np.cumsum(np.bincount(codes))).astype(np.int64)
    order = None if (np.diff(codes) >= 0).all() else np.argsort(codes, kind="stable")
    frame = pd.DataFrame({name: columns[name] for name in formula.predictors}, index=range(len(codes)), copy=False)
    names, matrix, q, fixed = _matrix(formula, frame, order)
    # A read-only array, as pandas' are, would be a type of its own to numba, and cost a second compilation.
    response = np.require(response if order is None else response[order], requirements=["C", "W"])
    made = Design(
        matrix=matrix, response=response, starts=starts, labels=np.asarray(labels), names=tuple(names), q=q,
        fixed=fixed, poisson=family == "poisson",
    )  # fmt: skip
    _refuse_dependent(made.gram(fixed), [names[j] for j in fixed], "fixed effects")
    _refuse_dependent(made.gram(np.arange(q)), names[:q], "random effects")
    return made


def _columns(formula: Formula, data: Data, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The named columns: float64 where numeric or boolean, otherwise as they are."""
    there = list(data) if isinstance(data, Mapping | pd.DataFrame) else data.column_names
    absent = [name for name in names if name not in there]
    if absent:
        raise UsageError(
            f"formula {formula.text!r} names {', '.join(absent)}, which the data do not have; "
            f"their columns are {', '.join(map(str, there))}"
        )
    columns: dict[str, NDArray[Any]] = {}
    for name in names:
        array = np.asarray(data[name])
        if array.dtype.kind in "biuf" and name != formula.group:
            array = array.astype(np.float64, copy=False)
        columns[name] = array
    shapes = {name: array.shape for name, array in columns.items()}
    if len(set(shapes.values())) != 1 or len(shapes[formula.response]) != 1 or not len(columns[formula.response]):
        raise DataError(f"columns have the shapes {shapes}; one dimension and one length, not zero, were expected")
    return columns


def _refuse_missing(columns: dict[str, NDArray[Any]]) -> None:
    bad = {
        name: ~np.isfinite(array) if array.dtype.kind == "f" else np.asarray(pd.isna(array))
        for name, array in columns.items()
    }
    rows = np.logical_or.reduce(list(bad.values()))
    if rows.any():
        counts = ", ".join(f"{name} in {mask.sum()}" for name, mask in bad.items() if mask.any())
        raise DataError(
            f"{rows.sum()} of {len(rows)} rows hold a missing or infinite value ({counts}); "
            "leave those rows out, and say so, or fill them"
        )


def _response(name: str, values: NDArray[Any], family: Family) -> Floats:
    if values.dtype.kind != "f":
        raise DataError(f"the response {name} is of type {values.dtype}; numbers were expected")
    if family == "binomial":
        wrong, expected = (values != 0) & (values != 1), "0 or 1"
    else:
        wrong, expected = (values < 0) | (values != np.floor(values)), "counts 0, 1, 2, ..."
    if wrong.any():
        raise DataError(
            f"the {family} response {name} must be {expected}, but {wrong.sum()} of {len(values)} rows are not, the "
            f"first being {values[wrong][0]:g}; recode the column or choose another family"
        )
    if (values == values[0]).all():
        raise DataError(f"the response {name} is {values[0]:g} in all {len(values)} rows; there is nothing to explain")
    return values


def _matrix(formula: Formula, frame: pd.DataFrame, order: NDArray | None) -> tuple[list[str], Floats, int, NDArray]:
    """Names of all columns, the columns, how many are random (they come first), and which are fixed."""
    z_names, z = _materialise(formula, formula.random, frame)
    x_names, x = _materialise(formula, formula.fixed, frame)
    if not z_names or not x_names:
        raise UsageError(
            f"formula {formula.text!r} leaves no column for the {'fixed' if z_names else 'random'} effects"
        )
    place = {_key(name): j for j, name in enumerate(z_names)}
    new = [k for k, name in enumerate(x_names) if _key(name) not in place]
    place |= {_key(x_names[k]): len(z_names) + j for j, k in enumerate(new)}
    matrix = np.empty((len(place), len(frame)))
    for j, column in enumerate((*z.T, *(x[:, k] for k in new))):
        matrix[j] = column if order is None else column[order]
    names = [*z_names, *(x_names[k] for k in new)]
    unclear = [name for name, column in zip(names, matrix, strict=True) if not np.isfinite(column).all()]
    if unclear:
        raise DataError(f"{', '.join(unclear)} is not finite in every row; check the range of what is transformed")
    large = [name for name, column in zip(names, matrix, strict=True) if np.abs(column).max() > LARGEST]
    if large:
        raise DataError(f"{', '.join(large)} reaches beyond {LARGEST:g}, whose squares overflow; divide it by its size")
    return names, matrix, len(z_names), np.array([place[_key(name)] for name in x_names])


def _materialise(formula: Formula, terms: str, frame: pd.DataFrame) -> tuple[list[str], Floats]:
    """Column names and Float["n columns"] of a right-hand side. Names are looked up in the frame only."""
    try:
        with np.errstate(all="ignore"):
            made: Any = formulaic.model_matrix(terms, frame, output="numpy", context={}, na_action="ignore")
    except FormulaicError as error:
        raise UsageError(f"formula {formula.text!r}: `{terms}` cannot be read: {error}") from error
    return list(made.model_spec.column_names), np.asarray(made, dtype=np.float64)


def _key(name: str) -> tuple[str, ...]:
    """The same for a:b and b:a."""
    return tuple(sorted(name.split(":")))


def _refuse_dependent(gram: Floats, names: list[str], what: str) -> None:
    """Cholesky decomposition of the columns' products, in order; a pivot near zero is a dependent column."""
    size = np.sqrt(np.diag(gram))
    size[size == 0] = 1.0
    gram = gram / np.outer(size, size)
    dependent = []
    for j, name in enumerate(names):
        if gram[j, j] <= DEPENDENT:
            dependent.append(name)
            continue
        gram[j + 1 :, j + 1 :] -= np.outer(gram[j + 1 :, j], gram[j, j + 1 :]) / gram[j, j]
    if dependent:
        raise DataError(
            f"among the {what} {', '.join(dependent)} is zero or a linear combination of the columns before it; "
            "leave it out of the formula"
        )
