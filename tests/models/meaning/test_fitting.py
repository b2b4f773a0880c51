from __future__ import annotations

import numpy as np
import pytest
import torch

from athanor.core.errors import DataError, UsageError
from athanor.models.meaning import brandle2023
from athanor.models.meaning.fitting import Compute, Training, fit, linear, oversampled
from athanor.models.meaning.lessons import Lessons, Rows, batches, generator
from athanor.values.arrays import TableArrays
from tests.models.meaning.worlds import kinds

WORLD, VECTORS = kinds()
ALL = np.ones(len(WORLD.recipe), dtype=np.bool_)


def test_batches_are_whole_passes_each_in_its_own_order():
    found = list(batches(10, 4, 6, generator(1, "x")))
    assert [len(batch) for batch in found] == [4, 4, 2, 4, 4, 2]
    passes = torch.cat(found).reshape(2, 10)
    assert (passes.sort(dim=1).values == torch.arange(10)).all()
    assert (passes[0] != passes[1]).any()
    assert all((a == b).all() for a, b in zip(found, batches(10, 4, 6, generator(1, "x")), strict=True))


def test_both_orders_hold_every_pair_twice_and_a_self_pair_once():
    found = Rows(np.array([0, 1]), np.array([2, 1]), np.array([5.0, 6.0])).both_orders()
    assert list(zip(found.first, found.second, found.label, strict=True)) == [(0, 2, 5), (1, 1, 6), (2, 0, 5)]


def test_oversampling_reaches_its_share_and_says_how_often_it_repeats():
    rows = Lessons(WORLD, VECTORS).links(ALL)
    drawn, times = oversampled(rows, 0.5, generator(1, "x"))
    assert drawn.label.mean() == 0.5
    assert (drawn.label == 0).sum() == (rows.label == 0).sum()
    assert times == (rows.label == 0).sum() / rows.label.sum()
    nothing = rows[np.flatnonzero(rows.label == 0)]
    assert oversampled(nothing, 0.5, generator(1, "x")) == (nothing, 1.0)


def test_a_pair_of_several_results_is_a_row_for_each(small):
    world = TableArrays(small)
    rows = Lessons(world, np.ones((world.n, 2), dtype=np.float32)).results(np.ones(len(world.recipe), dtype=np.bool_))
    named = [tuple(small.elements[e] for e in row) for row in zip(rows.first, rows.second, rows.label, strict=True)]
    assert {row for row in named if row[:2] == ("ink", "pen")} == {("ink", "pen", "line"), ("ink", "pen", "dot")}
    assert len(named) == 6


def test_vectors_are_standardised_over_the_rows_alone_and_a_flat_dimension_stays_finite():
    lessons = Lessons(WORLD, np.hstack([VECTORS, np.ones((WORLD.n, 1), dtype=np.float32)]))
    rows = Rows(np.array([0, 1, 1]), np.array([2, 3, 3]), np.zeros(3))
    found = lessons.standardised(rows)[[0, 1, 1, 2, 3, 3]].astype(np.float64)
    assert found.mean(axis=0) == pytest.approx(0, abs=1e-6)
    assert found.std(axis=0)[:-1] == pytest.approx(1, abs=1e-5)
    assert (found[:, -1] == 0).all()


def test_halves_taken_once_for_every_element_give_what_the_joined_vectors_give():
    net = brandle2023.Dense(torch.from_numpy(VECTORS), (8, 1), generator(1, "x")).eval()
    a, b = (torch.from_numpy(ends) for ends in WORLD.low_high)
    torch.testing.assert_close(net(a, b)[:7], net(a[:7], b[:7]))


def test_nothing_to_learn_from_and_an_unknown_device_are_told():
    none = Rows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    how, draw = Training(batch=2, steps=1), generator(1, "x")
    with pytest.raises(DataError, match="no pair that makes something to learn from"):
        fit(linear(1, 1, draw, "he"), none, lambda said, label: said.sum(), how, Compute(), draw)
    with pytest.raises(UsageError, match="the device 'abacus' cannot be used"):
        Compute(device="abacus")
