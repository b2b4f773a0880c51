from __future__ import annotations

import pytest

from athanor.core.errors import DataError, UsageError
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.checks import complaints
from athanor.environments.alchemy.worlds import table


@pytest.fixture(scope="module")
def atelier() -> Alchemy:
    return Alchemy(table=table("atelier"), rules=RULES["strict"])


def test_train_and_test_have_no_goal_in_common_under_any_seed(atelier):
    goals = {
        split: {task.content["goal"] for seed in (0, 1) for task in atelier.tasks(split, seed)}
        for split in ("train", "test")
    }
    assert not goals["train"] & goals["test"]
    share = len(goals["test"]) / (len(goals["train"]) + len(goals["test"]))
    assert 0.12 < share < 0.28


def test_tasks_depend_on_the_seed_alone(atelier):
    assert list(atelier.tasks("test", 3)) == list(atelier.tasks("test", 3))
    assert list(atelier.tasks("test", 3)) != list(atelier.tasks("test", 4))


def test_a_targeted_task_ends_when_its_goal_is_made(atelier):
    task = next(atelier.tasks("train", 0))
    verifier = Discovery(environment=atelier)
    gold = verifier.gold(task)
    start = atelier.start(task)
    step = atelier.step(start, gold)
    assert step.terminated
    assert verifier.verify(task, start, gold, step.state).passed
    assert len(start.owned) <= 10
    assert task.content["goal"] not in start.owned


@pytest.mark.parametrize("rules", ["strict", "brandle2023"])
def test_the_verifier_holds_from_both_sides_on_the_bundled_world(atelier, rules):
    tried, found = complaints(Alchemy(table=atelier.table, rules=RULES[rules]), seed=0)
    assert tried > 100
    assert found == ()


def test_the_same_trial_finds_the_published_defect_that_unowned_pairs_count(atelier):
    _, found = complaints(Alchemy(table=atelier.table, rules=RULES["pan2025"]), seed=0)
    assert {complaint.answer for complaint in found} == {"another task's gold"}
    assert {complaint.verdict.parts["foreign"] for complaint in found} == {"unowned"}


def test_an_unknown_split_is_refused_with_its_alternatives(atelier):
    with pytest.raises(UsageError, match="split 'tset' is not one of open, train, test"):
        next(atelier.tasks("tset", 0))


def test_a_task_of_another_table_is_refused(atelier, strict):
    with pytest.raises(DataError, match="pass the table that the task was made with"):
        strict.start(next(atelier.tasks("open", 0)))


def test_a_task_without_a_passing_pair_has_no_gold(strict):
    from msgspec.structs import replace

    task = next(strict.tasks("open", 0))
    hopeless = replace(task, content={**task.content, "start": ["ink"]})
    with pytest.raises(DataError, match="has no pair that passes"):
        Discovery(environment=strict).gold(hopeless)
    assert Discovery(environment=strict).gold(task) == Pair(first="ink", second="pen")
