"""Ratings against values: the linear mixed model by other means, and the numbers of a tiny experiment by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from athanor.analysis.random_intercept import random_intercept
from athanor.analysis.ratings import CHANCE, PAIR, RIGHT, WITHOUT_TABLE, Worth, estimates, ratings_of, worth_of
from athanor.core.errors import DataError, UsageError
from athanor.core.seeds import stream
from athanor.values.arrays import TableArrays
from tests.analysis.logs.forms import CSV, person, written
from tests.analysis.small import TABLE

WORLD = TableArrays(TABLE)


def simulated(name: str, groups: int = 30, between: float = 1.0, slopes: float = 0.0):
    """Unequal groups, an intercept and two columns of which the second is told by the group."""
    rng = stream(1, "ratings", name)
    sizes = rng.integers(2, 9, size=groups)
    group = np.repeat(np.arange(groups), sizes)
    x = np.stack([np.ones(len(group)), rng.normal(size=len(group)), rng.normal(size=groups)[group]], axis=1)
    u, s = between * rng.normal(size=groups), slopes * rng.normal(size=groups)
    return x, x @ [4.0, 0.5, -0.2] + u[group] + s[group] * x[:, 1] + rng.normal(size=len(group)), group


def test_it_agrees_with_mixedlm():
    pandas, mixedlm = pytest.importorskip("pandas"), pytest.importorskip("mixedlm")
    design, response, group = simulated("one")
    data = pandas.DataFrame({"y": response, "a": design[:, 1], "b": design[:, 2], "id": group.astype(str)})
    theirs = mixedlm.lmer("y ~ a + b + (1 | id)", data)
    ours = random_intercept(design, response, group)
    assert ours.beta == pytest.approx(np.array(list(theirs.fixef().values())), abs=1e-4)
    assert np.sqrt(np.diag(ours.covariance)) == pytest.approx(np.sqrt(np.diag(np.asarray(theirs.vcov()))), rel=1e-3)


@pytest.mark.parametrize("between", [0.0, 1.0, 30.0])
def test_no_other_deviation_between_groups_is_more_likely(between: float):
    """The restricted likelihood from the whole covariance matrix, at the fit and around it."""
    design, response, group = simulated("two", groups=12, between=between)
    fit = random_intercept(design, response, group)
    same = (group[:, None] == group).astype(float)

    def likelihood(within: float, deviation: float) -> float:
        precision = np.linalg.inv(within**2 * np.eye(len(group)) + deviation**2 * same)
        normal = design.T @ precision @ design
        left = response - design @ np.linalg.solve(normal, design.T @ precision @ response)
        return float(np.linalg.slogdet(precision)[1] - np.linalg.slogdet(normal)[1] - left @ precision @ left) / 2

    best = likelihood(fit.within, fit.between)
    for a in (0.98, 1.0, 1.02):
        for b in (fit.between * 0.98, fit.between, fit.between * 1.02 + 0.02):
            assert likelihood(fit.within * a, b) <= best + 1e-7


@pytest.mark.slow
def test_intervals_hold_where_people_differ_in_slope_only_by_the_sandwich():
    robust = model = 0
    for k in range(300):
        design, response, group = simulated(f"many {k}", groups=40, slopes=0.6)
        fit = random_intercept(design, response, group)
        off = abs(fit.beta[1] - 0.5)
        robust += off < 2.02 * np.sqrt(fit.robust[1, 1])
        model += off < 1.96 * np.sqrt(fit.covariance[1, 1])
    assert 0.92 <= robust / 300 <= 0.975
    assert model / 300 < 0.9


def test_too_few_rows_and_dependent_columns_are_refused():
    design, response, group = simulated("three")
    with pytest.raises(DataError, match="are too few for 3 coefficients"):
        random_intercept(design[:3], response[:3], group[:3])
    with pytest.raises(DataError, match="depend on each other"):
        random_intercept(design[:, [0, 1, 1]], response, group)


def experiment(path: Path) -> Path:
    """Two people who rate four elements and four pairs each; of the pairs that make brick, one of two is right."""
    people = {}
    for number, empowerment in enumerate((("7", "4", "1", "2"), ("6", "4", "2", "1"))):
        one = person(("water", "fire", "steam"))
        one |= {
            "randomempelement": ["water", "mud", "brick", "steam"], "empowermentanswers": empowerment,
            "currentcombinationstring": [["mud", "fire"], ["fire", "mud"], ["fire", "fire"], ["water", "earth"]],
            "linkanswers": ["7", "6", "1", "-99"], "elementanswers": ["brick", "steam", "mud", "mud"],
            "elementoptionsshuffeld": [["brick", "steam"]] * 2 + [["mud", "luck", "steam", "fire"]] * 2,
            "randomcombinations": [1, 2, 3, 4],
        }  # fmt: skip
        people[str(number)] = one
    return written(path, people)


def test_ratings_against_the_tables_values_by_hand(tmp_path: Path):
    ratings = ratings_of(experiment(tmp_path / "validation.json"))
    found = {one.name: one for one in estimates(ratings, worth_of("true", WORLD), "g", allow=0)}
    assert found["rating of an element's empowerment, mean"].value == pytest.approx(27 / 8)
    logs = np.log(np.array([2, 1, 0, 0]) + 0.1)  # water makes steam and mud, mud makes brick
    x = np.tile((logs - logs.mean()) / np.tile(logs, 2).std(ddof=1), 2)
    y = np.array([7, 4, 1, 2, 6, 4, 2, 1.0])
    slope = found["rating of an element's empowerment by true (true)"]
    assert slope.value == pytest.approx(x @ (y - y.mean()) / (x @ x))  # balanced: the same within people
    assert (slope.n, slope.unit, slope.excluded) == (2, "people", 0)
    pair = found["rating of a pair by true (true)"]
    flag = np.tile([1, 1, 0.0], 2)
    by_flag = np.tile([7, 6, 1.0], 2)
    scaled = (flag - flag.mean()) / flag.std(ddof=1)
    assert pair.value == pytest.approx(scaled @ by_flag / (scaled @ scaled))
    assert (pair.excluded, found["rating of a pair, mean"].excluded) == (2, 2)  # what is no rating from 1 to 7
    right = found["share of results chosen right"]
    assert (right.value, right.n, right.excluded) == (pytest.approx(4 / 6), 2, 2)  # both bricks asked, mud once
    assert found["share of results right by chance"].value == pytest.approx((0.5 + 0.5 + 0.25) / 3)


def test_values_of_elements_come_from_the_published_table_and_need_no_world(tmp_path: Path):
    path = tmp_path / "elements.csv"
    path.write_text(
        "index,emp_value_predicted,element_string,emp_value_true\n0,9,water,2\n1,4,mud,1\n2,1,brick,0\n3,0,steam,0\n"
    )
    ratings = ratings_of(experiment(tmp_path / "validation.json"))
    found = {one.name: one for one in estimates(ratings, worth_of(str(path), None), "g", allow=0)}
    assert "rating of an element's empowerment by predicted (predicted + true)" in found
    assert found["rating of a pair, mean"].value == pytest.approx(14 / 3)
    unknown = [name for name, one in found.items() if one.value is None]
    assert unknown == [PAIR + " by true (true)", RIGHT, CHANCE]
    assert {found[name].method for name in unknown} == {WITHOUT_TABLE}
    with_table = {one.name for one in estimates(ratings, worth_of(str(path), WORLD), "g", allow=0)}
    assert set(found) <= with_table
    true = {one.name: one.value for one in estimates(ratings, worth_of("true", WORLD), "g", allow=0)}
    name = "rating of an element's empowerment by true (true)"
    assert found[name].value == pytest.approx(true[name])


def test_what_is_not_known_is_refused_beyond_the_share_that_is_allowed(tmp_path: Path):
    ratings = ratings_of(experiment(tmp_path / "validation.json"))
    worth = Worth(elements={"true": {"water": 2.0, "mud": 1.0, "steam": 0.0}}, pairs={})
    with pytest.raises(DataError, match=r"2 of 8 ratings .* no true value, such as 'brick'.*--allow-excluded 0\.25"):
        estimates(ratings, worth, "g", allow=0.01)
    one = next(e for e in estimates(ratings, worth, "g", allow=0.25) if "by true" in e.name)
    assert (one.excluded, math.isfinite(one.value or math.nan)) == (2, True)


@pytest.mark.parametrize(
    ("named", "says"),
    [("true", "--pair-values true needs a table of elements"), ("no/such", "--pair-values no/such needs a table")],
)
def test_values_without_a_table_are_refused(named: str, says: str):
    with pytest.raises(UsageError, match=says):
        worth_of(named, None)


def test_files_of_another_form_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"people\.csv is the CSV logs of people.*, the JSON file of the validation"):
        ratings_of(written(tmp_path / "people.csv", CSV))
    with pytest.raises(UsageError, match="does not exist"):
        ratings_of(tmp_path / "nothing.json")
    with pytest.raises(UsageError, match="has no column 'element_string'"):
        worth_of(str(written(tmp_path / "own.csv", "a,b\n1,2\n")), None)
    with pytest.raises(DataError, match="could not convert string to float"):
        worth_of(str(written(tmp_path / "own.csv", "element_string,emp_value_true\nwater,x\n")), None)


def test_an_experiment_is_read_as_json_even_with_one_person(tmp_path: Path):
    path = experiment(tmp_path / "validation.json")
    people = json.loads(path.read_text())
    one = ratings_of(written(path, {"0": people["0"]}))
    found = [e for e in estimates(one, worth_of("true", WORLD), "g", allow=0) if " by true" in e.name]
    assert [e.value for e in found] == [None, None]
    assert "1 groups are too few" in found[0].method
