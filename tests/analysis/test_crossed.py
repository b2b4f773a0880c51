"""Intervals over runs and multisets at once hold what they should."""

from __future__ import annotations

import numpy as np
import pytest

from athanor.analysis.crossed import Spread, added, crossed_mean, fixed_mean, of_ratios, spread_of
from athanor.core.seeds import stream


@pytest.mark.parametrize(("of_runs", "of_items"), [(0.05, 0.2), (0.02, 0.3), (0.1, 0.05), (0.0, 0.2)])
def test_intervals_hold_for_new_runs_and_new_multisets(of_runs, of_items):
    rng = stream(0, "crossed", str(of_runs), str(of_items))
    held = 0
    for _ in range(400):
        values = 0.1 + of_runs * rng.normal(size=(8, 1)) + of_items * rng.normal(size=(1, 200))
        values = values + 0.3 * rng.normal(size=(8, 200))
        found = crossed_mean(values)
        held += found.low <= 0.1 <= found.high
    assert 0.92 < held / 400 <= 0.995


@pytest.mark.parametrize("runs", [2, 3, 4])
@pytest.mark.parametrize("arms", [2, 6])
@pytest.mark.parametrize("of_runs", [0.02, 0.045])
def test_differences_of_few_runs_hold_and_are_not_narrow_by_luck(runs: int, arms: int, of_runs: float):
    """Two arms of `arms`, every other one of a kind. Among the narrowest tenth not many miss either, and the width
    is never less than the multisets alone warrant."""
    rng = stream(0, "few", runs, arms, str(of_runs))
    found = []
    for _ in range(400):
        rows = [
            of_runs * rng.normal(size=(runs, 1)) + 0.1 * rng.normal(size=(1, 120)) + 0.3 * rng.normal(size=(runs, 120))
            for _ in range(arms)
        ]
        means = [[values.mean(1).tolist()] for values in rows]
        one, other = (
            spread_of(means[arm], *([means[k][0] for k in range(arms) if k != arm and k % 2 == kind]
                                    for kind in (arm % 2, 1 - arm % 2)))
            for arm in (0, 1)
        )  # fmt: skip
        made = crossed_mean(rows[0] - rows[1], spread=added(one, other))
        found.append((made.high - made.low, made.low <= 0 <= made.high))
    held = np.array([inside for _, inside in sorted(found)])
    assert held.mean() > 0.92
    assert held[:40].mean() > 0.8
    assert min(found)[0] > 2 * 1.96 * np.sqrt((2 * 0.1**2 + 2 * 0.3**2 / runs) / 120) * 0.7


def test_an_arm_whose_runs_differ_by_far_more_keeps_its_own_variance():
    steady = [[0.1, 0.11, 0.1, 0.11]] * 3
    assert spread_of([[0.1, 0.5]], steady, []) == Spread(pytest.approx(0.08), 1)
    assert spread_of([[0.1, 0.11]], steady, []).df == 10
    assert spread_of([[0.1, 0.11]], [], steady).df == 10
    assert spread_of([[0.1]], [], [[0.2]]) is None


def test_draws_of_a_policy_that_is_not_trained_are_no_runs():
    """Two draws that differ by chance alone: the interval is that of the multisets, and holds."""
    rng, held, widths = stream(0, "fixed"), 0, []
    for _ in range(400):
        chances = np.clip(0.3 + 0.2 * rng.normal(size=(1, 120)), 0, 1)
        found = fixed_mean(rng.binomial(2, np.repeat(chances, 2, axis=0)) / 2)
        held += found.low <= 0.3 + 0.2 * 0.019 <= found.high  # what clipping adds to the mean
        widths.append(found.high - found.low)
    assert 0.92 < held / 400 < 0.98
    assert max(widths) < 0.15
    assert "not trained" in found.method


def test_an_interval_over_hands_alone_is_too_narrow_for_new_runs():
    """What the two-way interval is for: with eight runs the one-way interval misses far too often."""
    rng = stream(0, "narrow")
    held = 0
    for _ in range(300):
        values = 0.05 * rng.normal(size=(8, 1)) + 0.1 * rng.normal(size=(1, 200)) + 0.3 * rng.normal(size=(8, 200))
        by_item = values.mean(0)
        held += abs(by_item.mean()) < 1.97 * by_item.std(ddof=1) / np.sqrt(200)
    assert held / 300 < 0.75


def test_one_run_says_that_another_would_differ():
    found = crossed_mean(stream(0, "one").normal(size=(1, 60)))
    assert "another run would differ" in found.method
    assert found.low < found.value < found.high
    assert crossed_mean(np.ones((3, 20))).low is None


def test_a_run_that_is_right_everywhere_has_the_interval_that_its_items_warrant():
    found = crossed_mean(np.ones((1, 60)), within=(0.0, 1.0))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 60))  # Clopper and Pearson, no failure in 60
    halves = crossed_mean(np.ones((1, 60)), within=(0.0, 1.0), strata=["a"] * 30 + ["b"] * 30)
    assert halves.low == pytest.approx(1 - (1 - 0.025 ** (1 / 30)) / 2**0.5)
    assert crossed_mean(np.zeros((1, 60)), within=(0.0, 1.0)).high == pytest.approx(1 - 0.025 ** (1 / 60))
    assert crossed_mean(np.ones((1, 60))).low is None  # of what has no bounds
    assert crossed_mean(np.ones((3, 60)), within=(0.0, 1.0)).low is None  # how alike runs are is not known


def test_a_share_of_one_run_has_the_interval_of_as_many_yes_or_no_items():
    found = crossed_mean(np.array([[1.0] * 7 + [0.0] * 3]), within=(0.0, 1.0))
    assert (found.low, found.high) == pytest.approx((0.3475, 0.9333), abs=1e-4)  # Clopper and Pearson, 7 of 10


def test_a_share_has_no_interval_beyond_nought_and_one():
    values = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert (crossed_mean(values).low or 0) < 0
    held = crossed_mean(values, within=(0.0, 1.0))
    assert (held.low, held.high) == (0.0, 1.0)


def test_parts_are_fixed_and_weigh_alike_whatever_their_size():
    """The mean of the parts' means; how far parts are from each other is no reason to be unsure."""
    rng = stream(0, "parts")
    names = ["few"] * 10 + ["many"] * 90
    apart = np.array([0.0 if name == "few" else 5.0 for name in names])
    held = 0
    for _ in range(400):
        values = apart + 0.1 * rng.normal(size=(5, 1)) + 0.3 * rng.normal(size=(1, 100))
        values = values + 0.3 * rng.normal(size=(5, 100))
        found = crossed_mean(values, strata=names, of="prompts")
        assert abs(found.value - 2.5) < 0.5
        held += found.low <= 2.5 <= found.high
    assert 0.92 < held / 400 <= 0.99
    assert crossed_mean(values).high - crossed_mean(values).low > 1.5 * (found.high - found.low)
    assert "prompts" in found.method
    assert "2 parts" in found.method


def test_one_part_is_no_part():
    values = stream(0, "one part").normal(size=(3, 20))
    assert crossed_mean(values, strata=["all"] * 20) == crossed_mean(values)


def test_a_part_with_one_item_has_no_interval():
    found = crossed_mean(stream(0, "alone").normal(size=(3, 4)), strata=["a", "b", "b", "b"])
    assert found.value is not None
    assert found.low is None


def test_intervals_of_ratios_hold():
    """Shares of what happens to be there: of some items nothing, of others much."""
    rng = stream(0, "ratios")
    held = 0
    for _ in range(400):
        chance = np.clip(0.4 + 0.05 * rng.normal(size=(6, 1)) + 0.1 * rng.normal(size=(1, 150)), 0, 1)
        bottoms = rng.integers(0, 4, (6, 150))
        values = of_ratios(rng.binomial(bottoms, chance).astype(float), bottoms.astype(float))
        found = crossed_mean(values)
        held += found.low <= 0.4 <= found.high
    assert 0.91 < held / 400 <= 0.99


def test_a_ratio_of_nothing_is_unknown():
    assert of_ratios(np.zeros((2, 3)), np.zeros((2, 3))) is None
    tops, bottoms = np.ones((2, 4)), np.full((2, 4), 2.0)
    assert of_ratios(tops, bottoms, ["a", "a", "b", "b"]).tolist() == [[0.5] * 4] * 2
    bottoms[:, 2:] = 0
    assert of_ratios(tops, bottoms, ["a", "a", "b", "b"]) is None
