from __future__ import annotations

import numpy as np
import pytest

from athanor.core.errors import UsageError
from athanor.models.meaning.folds import folds
from tests.models.meaning.worlds import kinds

WORLD, _ = kinds()
LOW, HIGH = WORLD.low_high


@pytest.mark.parametrize("split", ["pair", "element"])
def test_no_fold_learns_from_or_holds_back_what_it_tests(split):
    parts = folds(WORLD, split, 3)
    assert not (parts.tested & parts.learned).any()
    assert not (parts.tested & parts.held).any()
    assert not (parts.held & parts.learned).any()
    assert (parts.tested | parts.held | parts.learned).all()
    assert parts.tested.any(axis=0).all()
    assert parts.held.any(axis=1).all()


def test_by_pair_every_pair_is_tested_once_in_folds_of_one_size():
    parts = folds(WORLD, "pair", 3)
    assert (parts.tested.sum(axis=0) == 1).all()
    assert np.ptp(parts.tested.sum(axis=1)) <= 1


def test_by_element_a_fold_learns_nothing_of_its_elements_and_tests_all_their_pairs():
    parts = folds(WORLD, "element", 3)
    tests: list[int] = []
    for tested, held, learned in zip(parts.tested, parts.held, parts.learned, strict=True):
        group = [e for e in range(WORLD.n) if tested[(e == LOW) | (e == HIGH)].all()]
        tests += group
        known = (learned | held) & (np.isin(LOW, group) | np.isin(HIGH, group))
        assert not known.any()
        assert (tested == (np.isin(LOW, group) | np.isin(HIGH, group))).all()
        kept_away = [e for e in range(WORLD.n) if not learned[(e == LOW) | (e == HIGH)].any() and e not in group]
        assert (held == ((np.isin(LOW, kept_away) | np.isin(HIGH, kept_away)) & ~tested)).all()
    assert sorted(tests) == list(range(WORLD.n))
    assert set(parts.tested.sum(axis=0)) == {1, 2}


def test_a_seed_reproduces_its_folds_and_another_parts_otherwise():
    for split in ("pair", "element"):
        assert (folds(WORLD, split, 3).tested == folds(WORLD, split, 3).tested).all()
        assert (folds(WORLD, split, 3).tested != folds(WORLD, split, 4).tested).any()


def test_folds_that_cannot_be_are_misuse():
    with pytest.raises(UsageError, match="--folds 41 was given, 3 to 40 was expected with 40 elements"):
        folds(WORLD, "element", 3, count=41)
    with pytest.raises(UsageError, match="--folds 2 was given"):
        folds(WORLD, "pair", 3, count=2)
