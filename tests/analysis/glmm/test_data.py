"""Data that cannot be fitted are refused, with what was found; what can be comes out the same from any container."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from athanor.analysis.glmm import fit
from athanor.core.errors import DataError, UsageError
from tests.analysis.glmm.simulated import FORMULA, designed, simulate

DATA = simulate(groups=10, rows=10)
N = len(DATA["y"])


def changed(**columns) -> dict:
    return {**DATA, **columns}


def first(value: float) -> np.ndarray:
    return np.where(np.arange(N) == 0, value, DATA["x"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(y=DATA["y"] + 1), "y must be 0 or 1, but .* rows are not, the first being 2"),
        (changed(y=np.zeros(N)), "is 0 in all"),
        (changed(y=np.full(N, "no")), "of type <U2; numbers were expected"),
        (changed(x=first(np.nan)), "1 of .* rows hold a missing or infinite value \\(x in 1\\)"),
        (changed(t=first(np.inf), x=first(np.nan)), "1 of .* \\(x in 1, t in 1\\)"),
        (changed(player=np.where(np.arange(N) < 3, None, "a")), "3 of .* \\(player in 3\\)"),
        (changed(player=np.zeros(N)), "player holds 1 group"),
        (changed(t=2 * DATA["x"]), "among the fixed effects t is zero or a linear combination"),
        (changed(t=np.zeros(N)), "among the fixed effects t is zero"),
        (changed(t=np.zeros(N - 1)), "one length"),
        (changed(x=np.zeros((N, 2))), "one dimension"),
        (changed(x=first(1e200)), "x reaches beyond 1e\\+100, whose squares overflow; divide it by its size"),
        ({name: np.zeros(0) for name in DATA}, "not zero"),
    ],
)
def test_data_that_cannot_be_fitted_are_refused(data, message):
    with pytest.raises(DataError, match=message):
        fit(FORMULA, data)


@pytest.mark.parametrize(("first_count", "message"), [(-1, "counts 0, 1, 2, .*first being -1"), (0.5, "being 0.5")])
def test_counts_are_neither_negative_nor_broken(first_count, message):
    with pytest.raises(DataError, match=message):
        fit(FORMULA, changed(y=np.where(np.arange(N) == 0, first_count, 1.0)), "poisson")


def test_dependent_random_effects_are_refused():
    with pytest.raises(DataError, match="among the random effects z is"):
        fit("y ~ x + (1 + x + z | player)", changed(z=3 * DATA["x"]))


def test_a_product_that_would_overflow_is_refused():
    with pytest.raises(DataError, match="x:t reaches beyond 1e\\+100"):
        fit("y ~ x + t + x:t + (1 | player)", changed(x=1e60 * DATA["x"], t=1e60 * DATA["t"]))


def test_a_transform_out_of_range_is_refused():
    with pytest.raises(DataError, match="log\\(x\\) is not finite"):
        fit("y ~ log(x) + (1 | player)", DATA)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit("y ~ w + (1 | player)", DATA), "names w, which the data do not have; their columns are y, x"),
        (lambda: fit("y ~ x + x^t + (1 | player)", DATA), "cannot be read"),
        (lambda: fit("y ~ 0 + (1 | player)", DATA), "no column for the fixed"),
        (lambda: fit("y ~ x + (0 | player)", DATA), "no column for the random"),
        (lambda: fit(FORMULA, DATA, "gamma"), "family 'gamma' is not one of 'binomial', 'poisson'"),
        (lambda: fit(FORMULA, DATA, nagq=7), "nagq 7 is not one of 0, 1"),
        (lambda: fit(FORMULA, DATA, level=95), "level is 95"),
        (lambda: fit(FORMULA, DATA, threads=0), "threads is 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize("make", [pa.table, pd.DataFrame])
def test_the_container_does_not_matter(make):
    d, other = designed(DATA, "binomial"), designed(make(DATA), "binomial")
    assert np.array_equal(d.matrix, other.matrix)
    assert np.array_equal(d.labels, other.labels)


def test_columns_are_shared_between_fixed_and_random_effects_and_sorted_by_group():
    d = designed(DATA, "binomial", "y ~ -1 + x + x:t + (1 + x + t:x | player)")
    assert (d.names, d.q, d.fixed.tolist()) == (("Intercept", "x", "t:x"), 3, [1, 2])
    order = np.argsort(DATA["player"], kind="stable")
    assert np.array_equal(d.matrix[2], (DATA["x"] * DATA["t"])[order])
    assert np.array_equal(d.response, DATA["y"][order])


def test_words_are_coded_against_the_first_of_them():
    d = designed(changed(arm=np.where(DATA["x"] > 0, "b", "a")), "binomial", "y ~ arm + (1 | player)")
    assert d.names == ("Intercept", "arm[T.b]")
