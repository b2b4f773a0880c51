"""What every environment and its verifier must keep to."""

from __future__ import annotations

from itertools import islice

import msgspec
import pytest

from athanor.core.errors import UsageError
from athanor.core.records import Unreadable
from athanor.core.replay import replay
from athanor.environments.registry import ENVIRONMENTS, Judged

EVERY = [judged for make in ENVIRONMENTS.values() for judged in make()]


def tasks(judged: Judged, split: str, seed: int = 0, count: int = 5):
    return list(islice(judged.environment.tasks(split, seed), count))


@pytest.fixture(params=EVERY, ids=lambda judged: judged.name)
def judged(request) -> Judged:
    return request.param


def test_gold_passes_and_an_unreadable_answer_fails(judged):
    for split in judged.environment.splits:
        for task in tasks(judged, split):
            gold = judged.verifier.gold(task)
            (turn,) = replay(judged.environment, judged.verifier, task, [gold])
            assert turn.verdict.passed, turn.verdict
            assert turn.verdict.reward > 0
            (turn,) = replay(judged.environment, judged.verifier, task, [Unreadable(unreadable="hm")])
            assert not turn.verdict.passed
            assert turn.verdict.reward <= 0
            assert turn.verdict.reason


def test_methods_are_pure(judged):
    task = tasks(judged, judged.environment.splits[0])[0]
    environment, gold = judged.environment, judged.verifier.gold(task)
    start = environment.start(task)
    first, second = environment.step(start, gold), environment.step(start, gold)
    assert environment.start(task) == start
    assert environment.observe(first.state) == environment.observe(second.state)
    assert first.terminated == second.terminated
    verdicts = [judged.verifier.verify(task, start, gold, step.state) for step in (first, second)]
    assert verdicts[0] == verdicts[1]


def test_tasks_actions_and_verdicts_survive_json(judged):
    for split in judged.environment.splits:
        task = tasks(judged, split)[0]
        assert msgspec.json.decode(msgspec.json.encode(task), type=type(task)) == task
        gold = judged.verifier.gold(task)
        assert msgspec.json.decode(msgspec.json.encode(gold), type=judged.environment.action_type) == gold
        (turn,) = replay(judged.environment, judged.verifier, task, [gold])
        assert msgspec.json.decode(msgspec.json.encode(turn.verdict), type=type(turn.verdict)) == turn.verdict


def test_splits_have_no_task_in_common_and_keys_are_unique(judged):
    keys = {}
    for split in judged.environment.splits:
        listed = [task.key for task in tasks(judged, split, count=2000)]
        assert len(set(listed)) == len(listed)
        keys[split] = set(listed)
    names = list(keys)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert not keys[one] & keys[other]


def test_an_unknown_split_is_refused(judged):
    with pytest.raises(UsageError, match="split"):
        next(judged.environment.tasks("tset", 0))
