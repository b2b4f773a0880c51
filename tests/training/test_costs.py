"""What a training will cost, against the ledgers of trainings."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
import torch

from athanor.environments.points import tokens
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.training import rl, sft
from athanor.training.costs import affordable_steps, planned
from athanor.training.rl import RL
from athanor.training.sft import SFT

TINY = PolicyConfig(vocabulary=tokens.VOCABULARY, width=16, layers=1, heads=2, numbers=200)


@pytest.fixture(autouse=True)
def every_third_answer_is_right(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "grade", lambda answers, hands: np.minimum(answers.sum(1) % 3, 1))


def spent(config: RL | SFT) -> float:
    """Operations in the ledger of a whole training."""
    run = rl.learner(Policy(TINY).begin(torch.Generator().manual_seed(0)), config.rates)
    lines = rl.train(run, config, 1) if isinstance(config, RL) else sft.train(run, config, 1)
    deque(lines, maxlen=0)
    return run.ledger.flop


@pytest.mark.parametrize("config", [
    SFT(steps=3, rows=40, hands=20), SFT(steps=3, rows=40, hands=20, kl=0.1), SFT(steps=5, rows=8, hands=0, turns=2),
    SFT(steps=3, rows=16, hands=30, tries=4, solutions="own"), RL(steps=3, prompts=8, samples=4),
    RL(steps=3, prompts=8, samples=4, kl=0.1, epochs=2), RL(steps=2, prompts=8, samples=4, algorithm="ppo"),
])  # fmt: skip
def test_a_training_costs_what_was_planned(config):
    assert spent(config) == pytest.approx(planned(Policy(TINY), config), rel=1e-9)


@pytest.mark.parametrize("rounds", [3, 5])
@pytest.mark.parametrize("wrongly", [0.7, 1.0, 1.3])
def test_a_budget_holds_a_training_to_its_operations_however_often_further_rounds_are_taken(rounds, wrongly):
    config = RL(steps=9, prompts=16, samples=4, rounds=rounds)
    budget = wrongly * planned(Policy(TINY), config)
    held = RL(steps=9, prompts=16, samples=4, rounds=rounds, budget=budget)
    assert spent(held) == pytest.approx(budget, rel=0.02)
    assert spent(config) != pytest.approx(budget, rel=0.02)


def test_as_many_steps_as_are_paid_for():
    policy = Policy(TINY)
    for config in (SFT(rows=40, solutions="own", hands=50, turns=2), RL(rounds=3), RL(kl=0.1)):
        found = affordable_steps(policy, config, 1e11)
        assert found > 20
        each = planned(policy, type(config)(**{**vars(config), "steps": found}))
        assert each == pytest.approx(1e11, rel=0.5 / found + 0.01)
    assert affordable_steps(policy, RL(), 1.0) == 1
