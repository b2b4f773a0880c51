from __future__ import annotations

import numpy as np
import pytest

from athanor.agents.choosing import choose, choose_sum, compiled_choose_sum, standardised
from athanor.agents.explored import ROOM, Explored, add_explored, explored
from athanor.core.history import History
from athanor.core.records import Turn, Verdict
from athanor.core.seeds import stream
from athanor.environments.alchemy.state import Pair, Sight


def some(n: int, share: float, seed: int = 0):
    rng = stream(seed, "choosing", n)
    worth = np.sqrt(1.0 / (1 + rng.integers(0, 6, size=n)))
    candidates = np.triu(rng.random((n, n)) < share)
    candidates[0, n - 1] = True
    return worth, candidates


@pytest.mark.parametrize(("n", "share"), [(1, 1.0), (2, 0.5), (7, 1.0), (30, 0.5), (30, 0.01)])
@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_the_factored_choice_is_the_softmax_over_all_pairs(n: int, share: float, temperature: float):
    worth, candidates = some(n, share)
    low, high = candidates.nonzero()
    for at in np.linspace(0, 1, 101)[:-1] + 0.0037:
        chosen = choose(standardised(worth[low] + worth[high]) / temperature, at)
        assert choose_sum(worth, candidates, temperature, at) == (low[chosen], high[chosen])
        assert compiled_choose_sum()(worth, candidates, temperature, at) == (low[chosen], high[chosen])


def test_every_point_of_the_distribution_gives_a_candidate():
    worth, candidates = some(12, 0.3)
    for at in (0.0, np.nextafter(1.0, 0.0)):
        assert candidates[choose_sum(worth, candidates, 0.1, at)]


def test_a_choice_among_weights_too_small_for_the_factored_form_is_declined():
    worth, candidates = np.array([1000.0, 1.0, 1.0 + 1e-9]), np.zeros((3, 3), dtype=np.bool_)
    candidates[1, 1] = candidates[1, 2] = True
    assert choose_sum(worth, candidates, 0.1, 0.5) == (-1, -1)
    assert choose(standardised(np.array([2.0, 2.0 + 1e-9])) / 0.1, 0.5) == 1


def turn(offered: list[str], first: str, second: str) -> Turn[Pair]:
    seen = Sight(owned=tuple(offered), combinable=tuple(offered))
    judged = Verdict(reward=0, passed=False, reason="", parts={"category": "failure-new"})
    return Turn(index=0, observation=seen, action=Pair(first=first, second=second), verdict=judged)


def test_the_summary_of_the_past_counts_uses_and_marks_pairs_whatever_their_order():
    history = History("0000")
    for first, second in (("a", "b"), ("b", "a"), ("c", "c"), ("a", "not offered")):
        history.append(turn(["a", "b", "c"], first, second))
    past = explored(history, 4)
    assert past.uses[:4].tolist() == [2, 2, 2, 0]
    assert past.tried == 2
    gone = np.argwhere(np.triu(np.ones((4, 4), dtype=bool)) & ~past.untried[:4, :4])
    assert gone.tolist() == [[0, 1], [2, 2]]


def test_the_summary_makes_room_for_any_number_of_elements():
    names = [f"e{i}" for i in range(3 * ROOM)]
    past = Explored()
    add_explored(past, turn(names[:2], "e0", "e1"))
    assert explored(History("0000"), 3 * ROOM).untried.sum() == 4 * ROOM * (4 * ROOM + 1) // 2
    add_explored(past, turn(names, names[-1], "e0"))
    assert past.untried.sum() == len(past.uses) * (len(past.uses) + 1) // 2 - 2
    assert not past.untried[0, 1]
    assert not past.untried[0, 3 * ROOM - 1]
