"""Empowerment by hand, on four elements."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from athanor.models.meaning.counting import Expected, Thresholded
from athanor.values.arrays import pairs_of

LOW, HIGH = pairs_of(4)  # 00 01 11 02 12 22 03 13 23 33
SUCCESS = torch.tensor([0.5, 0.9, 0.1, 0.8, 0.0, 0.0, 0.2, 0.0, 0.6, 0.0])
RESULTS = torch.tensor([
    [0.7, 0.1, 0.1, 0.1], [0.6, 0.1, 0.2, 0.1], [1, 0, 0, 0], [0.1, 0.1, 0.1, 0.7], [1, 0, 0, 0], [1, 0, 0, 0],
    [0, 0, 0, 1], [0, 0, 0, 1], [0.1, 0.1, 0.1, 0.7], [0, 0, 0, 1],
])  # fmt: skip


def take(counting, low, high, success, results):
    other = low != high
    counting.add(low, success, results)
    counting.add(high[other], success[other], results[other])


def counted(counting):
    for start in range(0, 10, 3):  # in parts, as the program does
        part = slice(start, start + 3)
        take(counting, LOW[part], HIGH[part], SUCCESS[part], RESULTS[part])
    return counting.elements()


def test_children_are_the_distinct_most_probable_results_of_pairs_predicted_to_succeed():
    found = counted(Thresholded(4))
    # linked: 00 -> 0, 01 -> 0, 02 -> 3, 23 -> 3
    assert found["empowerment"].tolist() == [2, 1, 1, 1]
    assert found["empowerment_combinations"].tolist() == [3, 1, 2, 1]
    assert found["binary"].tolist() == [1, 1, 1, 1]


def test_element_0_counts_and_the_published_code_passes_over_it():
    found = counted(Thresholded(4))
    # without the column of element 0: 00 -> 1, 01 -> 2, 02 -> 3, 23 -> 3
    assert found["empowerment_brandle2023"].tolist() == [3, 1, 1, 1]
    assert found["empowerment"].tolist() != found["empowerment_brandle2023"].tolist()


def test_expected_children_are_the_mean_over_all_worlds_that_the_probabilities_leave_open():
    found, rng = counted(Expected(4)), np.random.default_rng(0)
    success, results = SUCCESS.numpy(), RESULTS.double().numpy()
    total, worlds = np.zeros(4), 20_000
    made = np.stack([rng.choice(4, size=worlds, p=row / row.sum()) for row in results], axis=1)
    happens = rng.random((worlds, 10)) < success
    for element in range(4):
        mine = np.flatnonzero((element == LOW) | (element == HIGH))
        for result in range(4):
            total[element] += (happens[:, mine] & (made[:, mine] == result)).any(axis=1).mean()
    assert found["empowerment"] == pytest.approx(total, abs=0.03)
    assert found["empowerment_combinations"] == pytest.approx([2.4, 1.0, 1.4, 0.8])
    assert found["binary"][3] == pytest.approx(1 - 0.8 * 0.4)


def test_certain_predictions_expect_what_is_counted():
    certain = (SUCCESS >= 0.5).float()
    one_hot = torch.nn.functional.one_hot(RESULTS.argmax(dim=1), 4).float()
    expected, thresholded = Expected(4), Thresholded(4)
    for counting in (expected, thresholded):
        take(counting, LOW, HIGH, certain, one_hot)
    for name in ("empowerment", "empowerment_combinations", "binary"):
        assert expected.elements()[name] == pytest.approx(thresholded.elements()[name], abs=1e-6)
