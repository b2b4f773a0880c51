"""A small policy as a player of points."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import torch

from athanor.agents.small_policy import SmallPolicy, answer_of, hands_of, written_of
from athanor.core.errors import UsageError
from athanor.core.play import Planned, play
from athanor.core.records import Decision, Unreadable
from athanor.core.seeds import stream
from athanor.environments.points import Answer, Exact, Grade, Points, rule, tokens
from athanor.environments.points.cards import cards_of
from athanor.environments.points.state import Seen
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.training.rollouts import roll

TINY = PolicyConfig(vocabulary=tokens.VOCABULARY, width=16, layers=1, heads=2, numbers=200)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy(TINY).begin(torch.Generator().manual_seed(0))


def test_the_text_of_an_answer_has_all_of_its_tokens():
    rng = np.random.default_rng(0)
    for written in rng.integers(0, tokens.VOCABULARY, (200, tokens.ANSWER)):
        assert (written_of(answer_of(written)) == written).all()
    assert not written_of(Unreadable(unreadable="x")).size


def test_what_was_answered_before_is_read_again_with_what_it_was(policy):
    """Three greedy answers to a hand are those of the batched rollout, in which the past is kept as tokens."""
    environment = Points(rule=rule("11-12-13"))
    tasks = [task for task, _ in zip(environment.tasks("all", 3), range(12), strict=False)]
    player, verifier = SmallPolicy(policy=policy, temperature=0.0), Grade(environment=environment)
    for task in tasks:
        game = asyncio.run(play(environment, verifier, player, Planned(key="x", task=task), seed=1, turns=3))
        hands = hands_of(environment.observe(environment.start(task)), printed=False)
        made = roll(policy, hands, samples=1, rounds=3, temperature=0.0, generator=torch.Generator())
        for turn in game.turns:
            begun = tokens.PROMPT + turn.index * tokens.TURN
            assert (written_of(turn.action) == made.tokens[0, begun : begun + tokens.ANSWER].numpy()).all()
            assert turn.verdict.parts["class"] == tokens.CLASSES[int(made.grades[0, turn.index])]


def test_printed_numbers_are_read_as_numbers():
    seen = Seen(cards=cards_of("4,J,2,K"), rule=rule("11-12-13"), target=24)
    told = tokens.prompts(hands_of(seen, printed=True))[0]
    assert told.tolist()[1:4] == [10, 10, 10]
    assert told.tolist()[5] == 11
    assert told.tolist()[7] == 13
    letters = tokens.prompts(hands_of(seen, printed=False))[0]
    assert letters.tolist()[1:4] == [11, 12, 13]
    assert letters.tolist()[7] == tokens.RANK + 12


@pytest.mark.parametrize(
    ("cards", "name", "target"), [("4,3,2", "10", 24), ("4,3,2,K", "500", 24), ("4,3,2,K", "10", 300)]
)
def test_a_hand_that_its_tokens_cannot_tell_is_refused(cards, name, target):
    with pytest.raises(UsageError, match="--agent policy reads 4 cards and numbers up to 199"):
        hands_of(Seen(cards=cards_of(cards), rule=rule(name), target=target), printed=False)


def test_it_says_so_where_it_has_no_room_for_another_answer(policy):
    seen = Seen(cards=cards_of("4,3,2,K"), rule=rule("10"), target=24)
    wrong = Answer(formula="1+1", text="4 3 2 10; 4 * 3 = 12; 12 + 2 = 14; 14 + 10 = 25")
    most = (TINY.context - tokens.PROMPT + 1) // tokens.TURN

    def act(turns: int) -> Decision[Answer]:
        environment = Points(judge=Exact())
        task = next(iter(environment.tasks("all", 0)))
        game = asyncio.run(
            play(
                environment,
                Grade(environment=environment),
                Says(wrong),
                Planned(key="x", task=task),
                seed=0,
                turns=turns,
            )
        )
        return asyncio.run(SmallPolicy(policy=policy).act(seen, game.turns, stream(0, "x")))  # type: ignore[arg-type]

    assert isinstance(act(most - 1).action, Answer)
    late = act(most).action
    assert isinstance(late, Unreadable)
    assert "no room" in late.unreadable


class Says:
    """Says one thing, always."""

    name = "says"

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    async def act(self, observation, history, rng):
        return Decision(action=self.answer)
