from __future__ import annotations

from athanor.agents.baselines import add_pair, no_pairs
from athanor.core.history import History
from athanor.core.records import Turn, Verdict
from athanor.environments.alchemy import Pair


def turn(index: int, first: str) -> Turn[Pair]:
    verdict = Verdict(reward=0.0, passed=False, reason="")
    return Turn(index=index, observation=None, action=Pair(first=first, second="x"), verdict=verdict)


def test_a_fold_grown_turn_by_turn_equals_a_fold_over_all():
    grown: History[Pair] = History("a")
    for i in range(6):
        grown.append(turn(i, f"e{i % 4}"))
        fresh: History[Pair] = History("a")
        for past in grown:
            fresh.append(past)
        assert grown.fold(no_pairs, add_pair) == fresh.fold(no_pairs, add_pair) == {
            tuple(sorted((f"e{j % 4}", "x"))) for j in range(i + 1)
        }  # fmt: skip


def test_two_folds_over_one_history_do_not_mix():
    history: History[Pair] = History("a")
    history.append(turn(0, "e"))
    assert history.fold(list, lambda seen, t: seen.append(t.index)) == [0]
    assert history.fold(no_pairs, add_pair) == {("e", "x")}


def test_a_slice_of_a_history_is_a_value():
    history: History[Pair] = History("a")
    history.append(turn(0, "e"))
    part = history[:]
    history.append(turn(1, "f"))
    assert len(part) == 1
