from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from athanor.analysis.meaning import (
    _sorted,
    auc,
    calibration_error,
    correlation,
    log_loss,
    quality,
    quality_text,
    reliability,
)  # fmt: skip
from athanor.values.arrays import TableArrays
from athanor.values.meaning import Predictions
from athanor.values.tables import PairValues, true_empowerment, true_success

RNG = np.random.default_rng(0)
PREDICTED = RNG.random(5000)
SUCCESS = RNG.random(5000) < PREDICTED
ONES = np.ones(5000)


def test_probabilities_that_come_true_are_calibrated_and_halved_ones_are_not():
    assert calibration_error(PREDICTED, SUCCESS, ONES) < 0.02
    assert calibration_error(PREDICTED / 2, SUCCESS, ONES) == pytest.approx(0.25, abs=0.02)
    for one in reliability(PREDICTED, SUCCESS):
        assert one.observed == pytest.approx(one.predicted, abs=0.06)
    assert sum(one.n for one in reliability(PREDICTED, SUCCESS)) == 5000
    assert reliability(np.array([1.0]), np.array([True]))[0].predicted == 1


def test_the_area_is_the_share_of_pairs_in_the_right_order_and_ties_count_half():
    coarse = np.round(PREDICTED, 1)
    found = stats.mannwhitneyu(coarse[SUCCESS], coarse[~SUCCESS]).statistic / (SUCCESS.sum() * (~SUCCESS).sum())
    assert auc(coarse, SUCCESS) == pytest.approx(found)
    assert np.isnan(auc(coarse, np.zeros(5000, dtype=np.bool_)))


def test_weights_count_as_repetition():
    counts = RNG.integers(0, 3, size=5000)
    again, weights = np.repeat(np.arange(5000), counts), counts.astype(np.float64)
    by, order = _sorted(PREDICTED, SUCCESS)
    repeated, order_again = _sorted(PREDICTED[again], SUCCESS[again])
    ones = np.ones(len(again))
    assert by.auc(weights[order]) == pytest.approx(repeated.auc(ones[order_again]))
    assert by.average_precision(weights[order]) == pytest.approx(repeated.average_precision(ones))
    assert log_loss(PREDICTED, SUCCESS, weights) == pytest.approx(log_loss(PREDICTED[again], SUCCESS[again], ones))
    other = RNG.random(5000) + PREDICTED
    assert correlation(PREDICTED, other, weights) == pytest.approx(np.corrcoef(PREDICTED[again], other[again])[0, 1])


def test_average_precision_by_hand():
    by, order = _sorted(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]))
    assert by.average_precision(np.ones(4)) == pytest.approx((1 + 2 / 3) / 2)


def predictions(world: TableArrays, success, empowerment, children) -> Predictions:
    values = {"similarity": success, "success": success, "empowerment": empowerment, "empowerment_direct": empowerment}
    rows = np.ones(len(world.results.items))
    return Predictions(PairValues(world, values), {"empowerment": children}, rows, rows)


def test_perfect_predictions_are_found_perfect(small):
    world = TableArrays(small)
    perfect = predictions(world, true_success(world), true_empowerment(world), world.children.lengths.astype(float))
    found = {one.name: one for one in quality(perfect, 1)}
    for name in (
        "link AUC", "link average precision", "result top-1 accuracy", "result mean rank",
        "Spearman of children by empowerment, all elements", "Pearson of children by empowerment, all elements",
        "Spearman of empowerment, all pairs",
    ):  # fmt: skip
        assert found[name].value == pytest.approx(1), name
    assert found["link expected calibration error"].value == 0
    assert quality(perfect, 1) == quality(perfect, 1)


def test_what_is_not_defined_is_unknown_and_not_zero(small):
    world = TableArrays(small)
    flat = predictions(world, np.full(len(world.recipe), 0.5), np.ones(len(world.recipe)), np.ones(world.n))
    found = {one.name: one for one in quality(flat, 1)}
    one = found["Spearman of children by empowerment, all elements"]
    assert (one.value, one.low, one.high, one.level) == (None, None, None, None)
    assert found["link AUC"].value == 0.5
    assert "unknown" in quality_text(list(found.values()), reliability(np.full(4, 0.5), np.ones(4, dtype=np.bool_)))
