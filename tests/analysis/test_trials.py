"""Measures by item, paired between arms, with strata of equal weight."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from athanor.analysis.trials import Measured, Of, Tried, difference, read, score
from athanor.core.errors import DataError
from athanor.environments.scenes.spec import CATEGORIES


def measured(tops: list[float], bottoms: list[float] | None = None, strata: tuple[str, ...] = ("a", "a", "b", "b")):
    return Measured(
        of="right", items=tuple(map(str, range(len(tops)))), strata=strata, parts=("seen", "unseen") * (len(tops) // 2),
        tops=tuple(tops), bottoms=tuple(bottoms or [1.0] * len(tops)),
    )  # fmt: skip


def tried(arm: str, number: int, one: Measured) -> Tried:
    return Tried(arm=arm, number=number, measured={one.of: one})


def test_strata_weigh_alike_and_can_be_taken_alone():
    one = measured([1, 1, 0, 0, 0, 0, 0, 1], strata=("a", "a", "b", "b", "b", "b", "b", "b"))
    runs = [tried("x", 0, one), tried("x", 1, one)]
    assert score(runs, "x", Of("right")).value == pytest.approx((1 + 1 / 6) / 2)
    assert score(runs, "x", Of("right", "b")).value == pytest.approx(1 / 6)
    assert score(runs, "x", Of("right", part="seen")).value == pytest.approx(0.5)
    assert score(runs, "x", Of("right", "c")).value is None


def test_of_categories_the_mean_is_over_the_six_of_geneval():
    strata = tuple(name for name in CATEGORIES for _ in range(2))
    one = measured([float(name in ("cards", "mixed", "dense")) for name in strata], strata=strata)
    assert score([tried("x", 0, one)], "x", Of("right")).value == 0.0
    assert score([tried("x", 0, one)], "x", Of("right", "cards")).value == 1.0


def test_differences_are_paired_by_the_number_of_the_seed():
    ours = [tried("x", 0, measured([1, 1, 1, 1])), tried("x", 2, measured([0, 0, 0, 0]))]
    theirs = [tried("y", 0, measured([1, 0, 0, 0])), tried("y", 1, measured([1, 1, 1, 1]))]
    found = difference([*ours, *theirs], "x", "y", Of("right"))
    assert (found.name, found.group, found.value) == ("x minus y: right", "x", 0.75)
    assert difference(ours, "x", "y", Of("right")).value is None


def test_two_measures_of_one_arm_are_told_apart_by_name():
    both = {"right": measured([1, 1, 1, 0]), "others": measured([0, 0, 0, 0])}
    runs = [Tried(arm="x", number=0, measured=both)]
    found = difference(runs, "x", "x", Of("right"), other_of=Of("others"))
    assert (found.name, found.value) == ("x, right, minus others", 0.75)
    assert difference(runs, "x", "x", Of("right", "b"), other_of=Of("others", "b")).value == 0.5


def test_a_ratio_is_of_sums_and_items_without_a_count_do_no_harm():
    one = measured([3, 0, 1, 0], [4, 0, 1, 0], strata=("all",) * 4)
    assert score([tried("x", 0, one)], "x", Of("right")).value == pytest.approx(4 / 5)
    few = measured([1, 1, 1, *[0] * 57], [1, 1, 1, *[0] * 57], strata=("all",) * 60)
    alike = score([tried("x", 0, few)], "x", Of("right"))
    assert (alike.value, alike.n, alike.low) == (1.0, 3, pytest.approx(0.025 ** (1 / 3)))  # three of three, not sixty
    none = measured([0, 0, 0, 0], [0, 0, 0, 0], strata=("all",) * 4)
    assert score([tried("x", 0, none)], "x", Of("right")).value is None


def test_arms_that_were_tried_on_other_items_are_not_compared():
    other = msgspec.structs.replace(measured([1, 1, 1, 1]), items=("p", "q", "r", "s"))
    with pytest.raises(DataError, match="different items"):
        difference([tried("x", 0, measured([1, 1, 1, 1])), tried("y", 0, other)], "x", "y", Of("right"))


def test_shares_are_bounded_and_nats_are_not():
    shares = [tried("x", 0, measured([1, 1, 1, 0])), tried("x", 1, measured([1, 0, 1, 1]))]
    assert score(shares, "x", Of("right")).high == 1.0
    nats = [
        replace(run, measured={"right": msgspec.structs.replace(run.measured["right"], share=False)}) for run in shares
    ]
    assert (score(nats, "x", Of("right")).high or 0) > 1


def test_a_file_of_measures_is_read_and_torn_columns_are_named(tmp_path: Path):
    path = tmp_path / "trial.jsonl"
    path.write_bytes(msgspec.json.encode(measured([1, 0, 1, 0])) + b"\n")
    assert read(path)["right"] == measured([1, 0, 1, 0])
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(measured([1, 0, 1, 0]), tops=(1.0,))) + b"\n")
    with pytest.raises(DataError, match="different lengths under 'right'"):
        read(path)
