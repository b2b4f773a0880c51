from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from athanor.analysis.contrasts import names
from athanor.analysis.exploration import interval_text, value_text
from athanor.analysis.intervals import difference
from athanor.analysis.multiplicity import (
    ALL_HOLD,
    bonferroni,
    differences_held,
    excludes_zero,
    held_together,
    holm,
    holm_of,
    simultaneous,
    with_adjusted,
)
from athanor.analysis.nulls import p_of
from athanor.analysis.random_players import NEVER_REPEATS
from athanor.core.errors import UsageError
from athanor.core.records import Estimate

P = [0.01, 0.04, 0.03, 0.005, 0.6]


def estimate(name: str, value: float | None, low=None, high=None, *, group: str = "a", n: int = 99) -> Estimate:
    return Estimate(name=name, value=value, low=low, high=high, level=0.95, n=n, unit="u", method="m", group=group)


def nulls_with(*p: float | None, n: int = 99) -> list[Estimate]:
    return [estimate(p_of(f"weight of {k}"), value, n=n) for k, value in enumerate(p)]


def test_adjusted_p_values_are_those_of_the_paper():
    assert holm(P) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.6])
    assert holm([]) == []
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    with pytest.raises(UsageError, match="between 0 and 1"):
        holm([0.1, float("nan")])


def test_a_false_finding_among_null_tests_is_as_rare_as_holms_method_says():
    rng = np.random.default_rng(0)
    found = sum(min(holm(rng.uniform(size=10).tolist())) < 0.05 for _ in range(2000)) / 2000
    assert 0.03 < found < 0.065


def test_simultaneous_intervals_hold_together_as_often_as_they_say():
    rng, together, alone = np.random.default_rng(2), 0, 0
    for _ in range(300):
        a, *others = (rng.normal(0, 1, 8).tolist() for _ in range(4))
        wide = [difference(one, a, level=bonferroni(0.95, 3)) for one in others]
        together += all(e.low < 0 < e.high for e in wide)
        alone += all(e.low < 0 < e.high for e in (difference(one, a) for one in others))
    assert 0.92 < together / 300 <= 1
    assert alone < together
    assert bonferroni(0.95, 1) == pytest.approx(0.95)
    with pytest.raises(UsageError, match="0 comparisons"):
        bonferroni(0.95, 0)


def test_null_tests_of_several_worlds_are_adjusted_together_and_unknown_ones_are_no_comparison():
    first, second = nulls_with(0.01, None), [*nulls_with(0.04, 0.2), estimate("weight of x", 0.0)]
    one, two = with_adjusted(first, second)
    assert [e.name for e in one] == [first[0].name, holm_of(first[0].name), first[1].name]
    assert [e.value for e in one] == [0.01, pytest.approx(0.03), None]
    assert [e.value for e in two] == [0.04, pytest.approx(0.08), 0.2, pytest.approx(0.2), 0.0]
    assert one[1].method.endswith("; Holm's over 3 null tests")
    counted = [replace(e, method=f"count of draws; {e.method}") for e in nulls_with(0.01, 0.04)]
    for told in (counted, [replace(e, method="Holm's over 2; drawn") for e in counted]):
        assert [interval_text(e) for e in with_adjusted(told)[0]] == [""] * 4  # a p-value has no interval to be unknown
    assert [value_text(e) for e in with_adjusted(counted)[0]] == ["0.01", "0.02", "0.04", "0.04"]
    assert interval_text(nulls_with(None)[0]) == "unknown"
    assert with_adjusted(nulls_with(0.01)) == [tuple(nulls_with(0.01))]


def test_contrasts_are_adjusted_with_those_of_their_kind_and_simulated_random_players_are_no_comparison():
    def contrast(p: float | None, group: str, kind: str = "all pairs") -> Estimate:
        return estimate(names(kind)[1], p, group=group)

    first = [contrast(0.02, "a"), contrast(0.001, NEVER_REPEATS), contrast(0.9, "a", "published"), *nulls_with(0.5)]
    second = [contrast(0.04, "b"), contrast(None, "c"), estimate("weight of x", 0.0)]
    one, two = with_adjusted(first, second)
    of = holm_of(names("all pairs")[1])
    assert of == "p by Holm of empowerment minus uncertainty (all pairs)"
    assert [(e.group, e.value) for e in (*one, *two) if e.name == of] == [("a", 0.04), ("b", 0.04)]
    assert len(one) + len(two) == len(first) + len(second) + 2  # a kind, or a null test, that is alone stays so
    assert one[1].method.endswith("; Holm's over 2 such tests")


def test_how_many_contrasts_hold_together_is_said_behind_the_null_tests():
    contrasts = [estimate(names("all pairs")[1], p, group=str(p)) for p in (0.01, 0.03, 0.04)]
    said = (
        "Of 3 tests of empowerment minus uncertainty (all pairs), 3 have p below 0.05 one by one, and 1 holds together"
    )
    assert held_together(contrasts) == f"{said} (Holm)."
    both = held_together([*contrasts, *nulls_with(0.001, 0.04, 0.6, n=1000)])
    assert both.startswith("Of 3 comparisons with null choices, 2 have")
    assert both.endswith(f"{said} (Holm).")


def test_how_many_null_tests_hold_together_is_said_and_that_their_draws_are_too_few():
    assert held_together(nulls_with(0.04)) == ""
    said = held_together(nulls_with(0.001, 0.04, 0.6, n=1000))
    assert said == ("Of 3 comparisons with null choices, 2 have p below 0.05 one by one, and 1 holds together (Holm).")
    coarse = held_together(nulls_with(*[0.01] * 10))
    assert "10 have p below 0.05 one by one, and 0 hold together" in coarse
    assert "With 99 draws no p is below 0.01" in coarse
    assert "(--nulls 200)" in coarse


def test_differences_that_hold_one_by_one_and_together_are_counted():
    found = [
        estimate("d", 2.0, 1.0, 3.0), estimate(f"d, {ALL_HOLD}", 2.0, -1.0, 5.0),
        estimate("d", 9.0, 8.0, 10.0, group="b"), estimate(f"d, {ALL_HOLD}", 9.0, 5.0, 13.0, group="b"),
    ]  # fmt: skip
    assert differences_held(found).startswith("Of 2 comparisons with players who do not know the table, 2 leave zero")
    assert "and 1 holds together" in differences_held(found)
    assert differences_held(found[:1]) == ""


def test_welchs_interval_is_scipys_at_any_level():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 12), rng.normal(0, 2, 9)
    mine = difference(a.tolist(), b.tolist(), level=bonferroni(0.95, 7))
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(bonferroni(0.95, 7))
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))


def test_an_interval_that_holds_together_with_others_is_wider_about_the_same_value_and_the_unknown_stays_so():
    alone = Estimate(name="w", value=1.0, low=0.2, high=1.8, level=0.95, n=5, unit="players", method="m")
    wide = simultaneous(alone, 6)
    half = 0.8 * stats.t.ppf(1 - 0.025 / 6, 4) / stats.t.ppf(0.975, 4)
    assert (wide.low, wide.high) == pytest.approx((1 - half, 1 + half))
    assert wide.level == pytest.approx(1 - 0.05 / 6)
    assert excludes_zero(alone)
    assert not excludes_zero(wide)
    unknown = replace(alone, low=None, high=None)
    assert simultaneous(unknown, 6) == unknown
