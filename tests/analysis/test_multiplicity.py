from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from athanor.analysis.intervals import difference
from athanor.analysis.multiplicity import benjamini_hochberg, bonferroni, contrasts, holm, welch_p
from athanor.core.errors import UsageError

P = [0.01, 0.04, 0.03, 0.005, 0.6]


def test_adjusted_p_values_are_those_of_the_papers():
    assert holm(P) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.6])
    assert benjamini_hochberg(P) == pytest.approx([0.025, 0.05, 0.05, 0.025, 0.6])
    assert benjamini_hochberg(P) == pytest.approx(stats.false_discovery_control(P).tolist())
    assert (holm([]), benjamini_hochberg([])) == ([], [])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    with pytest.raises(UsageError, match="between 0 and 1"):
        holm([0.1, float("nan")])


def test_welchs_p_is_scipys_and_is_below_one_minus_the_level_exactly_when_the_interval_leaves_zero_out():
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.5, 1.0):
        ours, theirs = rng.normal(shift, 1, 12).tolist(), rng.normal(0, 2, 9).tolist()
        p, interval = welch_p(ours, theirs), difference(ours, theirs)
        assert p == pytest.approx(stats.ttest_ind(ours, theirs, equal_var=False).pvalue)
        assert (p < 0.05) == (not interval.low < 0 < interval.high)
    assert welch_p([1.0], [1.0, 2.0]) is None
    assert (welch_p([1.0, 1.0], [1.0, 1.0]), welch_p([1.0, 1.0], [2.0, 2.0])) == (1.0, 0.0)


def test_every_group_against_one_has_wider_intervals_for_more_groups_and_unknown_ones_do_not_count():
    rng = np.random.default_rng(1)
    arms = {name: rng.normal(k, 1, 10).tolist() for k, name in enumerate(("random", "a", "b", "c"))} | {"one": [3.0]}
    found = contrasts("final inventory", arms, "random")
    assert [e.group for e in found.estimates] == ["a", "b", "c", "one"]
    expected = difference(arms["a"], arms["random"], level=1 - 0.05 / 3)
    first, alone = found.estimates[0], found.estimates[-1]
    assert (first.low, first.high, first.level) == (expected.low, expected.high, 0.95)
    assert "simultaneous over 3 comparisons" in first.method
    assert (alone.low, alone.level, alone.n) == (None, None, 11)
    rows = found.table.to_pylist()
    assert [row["holm"] for row in rows[:3]] == pytest.approx(holm([row["p"] for row in rows[:3]]))
    assert rows[3]["p"] is rows[3]["holm"] is None
    with pytest.raises(UsageError, match="'nobody' and at least one other"):
        contrasts("x", arms, "nobody")


def test_simultaneous_intervals_hold_together_as_often_as_they_say():
    rng, together = np.random.default_rng(2), 0
    for _ in range(300):
        arms = {name: rng.normal(0, 1, 8).tolist() for name in "abcd"}
        together += all(e.low < 0 < e.high for e in contrasts("x", arms, "a").estimates)
    assert 0.92 < together / 300 <= 1
    assert bonferroni(0.95, 1) == pytest.approx(0.95)
    with pytest.raises(UsageError, match="0 comparisons"):
        bonferroni(0.95, 0)
