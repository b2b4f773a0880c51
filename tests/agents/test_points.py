"""Players of points that are no model."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import islice

import pytest

from athanor.agents.points import Gold, RandomFormula, random_formula, typed
from athanor.core.history import History
from athanor.core.play import Planned, play
from athanor.core.records import Unreadable
from athanor.core.seeds import stream
from athanor.environments.points import Answer, Chu2025, Exact, Grade, Points, Seen, rule
from athanor.environments.points.cards import cards_of
from athanor.environments.points.formula import Sum, read
from athanor.environments.points.state import hand

JUDGES = [Exact(), Exact(vision=True), Chu2025(), Chu2025(vision=True)]


def seen(cards: str, name: str = "10", target: int = 24) -> Seen:
    return Seen(cards=cards_of(cards), rule=rule(name), target=target)


def act(agent, observation: Seen):
    return asyncio.run(agent.act(observation, History("0"), stream(0, "test"))).action


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: f"{judge.name}{judge.vision}")
@pytest.mark.parametrize("name", ["10", "11-12-13", "7-8-9"])
def test_the_solver_solves_every_hand_at_once(judge, name):
    environment = Points(rule=rule(name), judge=judge)
    agent, verifier = Gold(environment), Grade(environment=environment)
    for task in islice(environment.tasks("all", 3), 60):
        episode = asyncio.run(play(environment, verifier, agent, Planned(key="0", task=task), seed=0, turns=1))
        assert episode.end == "terminated" or sorted(environment.start(task).values) == [3, 3, 8, 8]


def test_the_solver_gives_an_exact_formula_where_the_published_verifier_passes_none():
    action = act(Gold(Points(judge=Chu2025())), seen("3,3,8,8"))
    assert action.formula == "8/(3-8/3)=24"
    assert Exact().judge(hand(cards_of("3,3,8,8"), rule("10"), 24), action).passed


def test_the_solver_says_when_no_formula_makes_the_target():
    assert isinstance(act(Gold(Points()), seen("A,A,A,A")), Unreadable)


def test_a_random_formula_has_every_number_once_and_is_read_by_both_verifiers():
    rng = stream(1, "formulas")
    for numbers in ((7,), (7, 10), (1, 1, 13), (2, 3, 5, 7), (1, 2, 3, 4, 5, 6)):
        for _ in range(50):
            found = read(random_formula(numbers, rng))
            assert isinstance(found, Sum)
            assert sorted(found.numbers) == sorted(numbers)
    agent, dealt = RandomFormula(), hand(cards_of("2,5,J,K"), rule("10"), 24)
    for judge in JUDGES:
        kinds = {judge.judge(dealt, act(agent, seen("2,5,J,K"))).kind for _ in range(20)}
        assert kinds <= {"solved", "value", "OK", "WRONG_VALUE", "FLOAT_MISS", "PARTIAL"}


def test_chance_is_what_counting_gives():
    rng = stream(2, "formulas")
    made = Counter(random_formula((12, 12), rng) for _ in range(4_000))
    assert set(made) == {"12+12", "12-12", "12*12", "12/12"}
    assert max(abs(count - 1_000) for count in made.values()) < 120  # four standard deviations
    values = [getattr(read(random_formula((2, 10, 12), rng)), "value", None) for _ in range(4_000)]
    assert values.count((24, 1)) / 4_000 == pytest.approx(1 / 16, abs=0.016)  # only two additions make 24


def test_what_a_person_types_is_a_formula_with_the_cards_told_right():
    for reply in ("(10-4)*(3+1)", "(10-4)*(3+1)=24\n", '{"formula": "(10-4)*(3+1)=24"}'):
        found = typed(reply, seen("4,3,A,K"))
        assert isinstance(found, Answer)
        for judge in JUDGES:
            assert judge.judge(hand(cards_of("4,3,A,K"), rule("10"), 24), found).passed
    assert isinstance(typed("no idea\n", seen("4,3,A,K")), Unreadable)
