from __future__ import annotations

import numpy as np
import pytest

from athanor.core.seeds import TurnStreams, below, digest, stream


def test_a_stream_is_fixed_by_its_seed_and_names():
    assert stream(1, "deal", 2).random() == stream(1, "deal", 2).random()
    assert len({stream(s, *n).random() for s, n in [(1, ("a",)), (2, ("a",)), (1, ("b",)), (1, ("a", 0))]}) == 4


def test_names_are_not_joined_so_no_two_lists_of_names_collide():
    assert digest(0, "a", "b") != digest(0, "ab")
    assert digest(0, "1") != digest(0, 1)


def test_a_stream_does_not_change_between_releases():
    assert digest(0, "agent", "0000") == 333085947749094074663698381399182114628
    assert stream(0, "agent").integers(1000, size=3).tolist() == [352, 81, 163]


def test_a_turns_generator_does_not_depend_on_the_turns_before():
    streams = TurnStreams(5, "agent", "0001")
    in_order = [streams.at(turn).random(7).tolist() for turn in range(4)]
    for turn in (3, 0, 2):
        assert TurnStreams(5, "agent", "0001").at(turn).random(7).tolist() == in_order[turn]
    assert len({values[0] for values in in_order}) == 4


def test_a_turns_generator_begins_anew_after_odd_draws():
    streams = TurnStreams(5, "agent", "0001")
    fresh = streams.at(1).random()
    streams.at(0).integers(0, 2**31, dtype=np.uint32)  # leaves half a word in the generator's buffer
    assert streams.at(1).random() == fresh


@pytest.mark.parametrize("n", [1, 2, 7])
def test_below_is_uniform(n: int):
    rng = stream(0, "below", n)
    counts = np.bincount([below(rng, n) for _ in range(3000)], minlength=n)
    assert len(counts) == n
    assert abs(counts - 3000 / n).max() < 5 * np.sqrt(3000 / n)
