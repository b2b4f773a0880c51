"""Rollouts, and the loops of supervised fine-tuning and reinforcement learning."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from athanor.core.errors import Stopped
from athanor.core.seeds import stream
from athanor.environments.points import mixture, tokens
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.training import losses, rl, sft
from athanor.training.ledger import Ledger, training_flop
from athanor.training.optimizers import Rates
from athanor.training.rl import RL, learner
from athanor.training.rollouts import Rollout, generation_flop, roll, turns_of
from athanor.training.sft import SFT

TINY = PolicyConfig(vocabulary=tokens.VOCABULARY, width=32, layers=1, heads=2, numbers=200)


@pytest.fixture(scope="module")
def able() -> Policy:
    """A tiny policy that has seen enough answers to write the form of one, and now and then a right one."""
    policy = Policy(TINY).begin(torch.Generator().manual_seed(0))
    run = learner(policy, SFT(hands=40, rates=Rates(adamw=5e-3), steps=120, rows=64).rates)
    for _ in sft.train(run, SFT(hands=40, rates=Rates(adamw=5e-3), steps=120, rows=64), 0):
        pass
    return policy


def hands(count: int = 16):
    return mixture.deal(stream(0, "h"), count, np.full((count, 3), 10), np.full(count, 24), "train")


def rolled(policy: Policy, rounds: int = 3, samples: int = 4):
    return roll(
        policy, hands(), samples=samples, rounds=rounds, temperature=1.0, generator=torch.Generator().manual_seed(1)
    )


def test_a_rollout_says_what_was_written_how_likely_and_how_it_was_judged(able):
    made = rolled(able)
    assert made.tokens.shape == (64, 9 + 3 * 17 - 1)
    with torch.no_grad():
        logprobs = losses.token_logprobs(able(made.tokens)[:, :-1], made.tokens[:, 1:])
    written = made.written[:, 1:]
    torch.testing.assert_close(logprobs[written], made.logprobs[:, 1:][written], atol=1e-5, rtol=0)
    every = tokens.Hands(*(np.repeat(part, 4, axis=0) for part in hands()))
    for turn in range(3):
        took = made.taken[:, turn].numpy()
        begun = 9 + turn * 17
        answers = made.tokens[:, begun : begun + 16].numpy()[took]
        graded = tokens.grade(answers, every.take(np.flatnonzero(took)))
        assert (graded == made.grades[took, turn].numpy()).all()
        if turn:  # a turn is taken after every wrong one, and is told what that was
            assert (made.taken[:, turn] == (made.grades[:, turn - 1] > 0)).all()
            told = made.tokens[:, begun - 1][made.taken[:, turn]]
            assert (told == tokens.FEEDBACK + made.grades[:, turn - 1][made.taken[:, turn]]).all()
            assert not made.written[:, begun - 1].any()
    assert (made.written.sum(1) == 16 * made.taken.sum(1)).all()
    assert (made.passed == (made.grades == 0).any(1)).all()


def test_turns_of_tokens():
    assert turns_of(1).tolist() == [-1] * 9 + [0] * 16
    assert turns_of(2).tolist() == [-1] * 9 + [0] * 16 + [1] * 17


def test_rewards_by_class_are_the_exact_judges(able):
    made = rolled(able)
    rewards = made.rewards("classes")
    for name, reward in (("value", -1.0), ("numbers", -2.0), ("form", -3.0), ("solved", 5.0)):
        assert (rewards[made.grades == tokens.CLASSES.index(name)] == reward).all()
    assert ((made.rewards("binary") == 1) == (made.grades == 0)).all()


@pytest.mark.parametrize("algorithm", ["grpo", "dr-grpo", "rloo", "reinforce", "ppo", "negative", "w-reinforce"])
def test_one_step_makes_likelier_what_did_better(able, algorithm):
    config = RL(algorithm=algorithm, prompts=64, samples=8, rounds=2, rates=Rates(adamw=1e-4), reward="classes")
    run = learner(deepcopy(able), config.rates)
    made = roll(run.policy, hands(64), samples=8, rounds=2, temperature=1.0, generator=torch.Generator().manual_seed(2))
    gains = rl._judged(run, config, made, run.policy.hidden(made.tokens[:, :-1])).gains
    weights = gains.gather(1, made.turns[1:].clamp(min=0).expand(len(made.tokens), -1)) * made.written[:, 1:]

    def objective() -> float:
        with torch.no_grad():
            logprobs = losses.token_logprobs(run.policy(made.tokens)[:, :-1], made.tokens[:, 1:])
        return float((logprobs * weights).sum() / made.written.sum())

    before = objective()
    measured = rl.update(run, config, made)
    assert objective() > before
    assert measured["kl"] == pytest.approx(0, abs=1e-6)
    assert measured["clipped"] == 0
    assert run.ledger.tokens_trained == made.tokens.numel()


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["grpo", "rloo", "ppo"])
def test_reinforcement_raises_success_on_the_hands_it_is_given(able, algorithm):
    config = RL(algorithm=algorithm, steps=60, prompts=64, samples=8, rates=Rates(adamw=5e-4))
    lines = list(rl.train(learner(deepcopy(able), config.rates), config, 0))
    first, last = (np.mean([line["passed"] for line in part]) for part in (lines[:10], lines[-10:]))
    assert last > 1.2 * first
    assert lines[-1]["episodes"] == 60 * 512


@pytest.mark.parametrize("config", [
    SFT(steps=20, rows=64, hands=50, solutions="all"), SFT(steps=20, rows=64, hands=0, solutions="random"),
    SFT(steps=20, rows=64, hands=50, loss="dft"), SFT(steps=20, rows=64, hands=50, turns=2, kl=0.1, l2=1e-3),
    SFT(steps=20, rows=64, hands=100, solutions="own"),
])  # fmt: skip
def test_fine_tuning_lowers_the_loss_however_it_is_done(able, config):
    lines = list(sft.train(learner(deepcopy(able), config.rates), config, 0))
    first, last = (np.mean([line["loss"] for line in part]) for part in (lines[:4], lines[-4:]))
    assert last < first


def test_the_base_is_not_changed_and_the_kl_holds_the_policy_near_it(able):
    apart = {}
    for weight in (0.0, 5.0):
        config = SFT(steps=15, rows=64, hands=50, kl=weight or 1e-12)
        run = learner(deepcopy(able), config.rates)
        before = [w.clone() for w in run.base.parameters()]
        apart[weight] = list(sft.train(run, config, 0))[-1]["kl"]
        assert all(torch.equal(a, b) for a, b in zip(before, run.base.parameters(), strict=True))
    assert apart[5.0] < apart[0.0] / 2


def test_own_answers_are_right_and_told_once(able):
    run = learner(deepcopy(able), SFT(solutions="own", hands=100).rates)
    found = sft.examples(run, SFT(solutions="own", hands=100), 0)
    assert found is not None
    owned, answers = found
    assert (tokens.grade(answers, owned) == 0).all()
    whole = np.concatenate([owned.ranks, answers], axis=1)
    assert len(np.unique(whole, axis=0)) <= len(whole)
    assert run.ledger.episodes == 800


def test_a_policy_that_solves_nothing_is_stopped_with_the_reason():
    blank = Policy(TINY).begin(torch.Generator().manual_seed(0))
    config = RL(steps=40, prompts=4, samples=2)
    with pytest.raises(Stopped, match="begin from a policy that solves some"):
        list(rl.train(learner(blank, config.rates), config, 0))
    for algorithm in ("ppo", "reinforce", "positive", "negative", "w-reinforce", "rloo", "dr-grpo"):
        config = RL(steps=40, prompts=4, samples=2, algorithm=algorithm)
        with pytest.raises(Stopped, match="begin from a policy that solves some"):
            list(rl.train(learner(deepcopy(blank), config.rates), config, 0))
    with pytest.raises(Exception, match="solved none"):
        list(sft.train(learner(blank, SFT(solutions="own", hands=10).rates), SFT(solutions="own", hands=10), 0))


def test_a_loss_that_is_no_number_stops_training(able):
    broken = deepcopy(able)
    with torch.no_grad():
        broken.head.weight[0, 0] = float("nan")
    before = [weight.clone() for weight in broken.parameters()]
    with pytest.raises(Stopped, match="loss is nan"):
        list(sft.train(learner(broken, SFT(hands=10).rates), SFT(hands=10), 0))
    for one, other in zip(before, broken.parameters(), strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=0, atol=0, equal_nan=True)


def test_fine_tuning_that_runs_away_is_stopped(able):
    config = SFT(hands=10, rates=Rates(adamw=10.0))
    with pytest.raises(Stopped, match="worse than a guess|loss is"):
        list(sft.train(learner(deepcopy(able), config.rates), config, 0))


@pytest.mark.parametrize("algorithm", ["grpo", "ppo"])
def test_the_divergence_that_is_logged_is_of_the_policy_that_sampled_however_many_passes_follow(able, algorithm):
    """At the first step policy and base are one, and so it is nothing, after four passes too."""
    config = RL(steps=1, prompts=16, samples=4, epochs=4, level="turn", kl=0.1, algorithm=algorithm)
    (line,) = list(rl.train(learner(deepcopy(able), config.rates), config, 0))
    assert line["kl"] == pytest.approx(0, abs=1e-6)


def test_fine_tuning_far_from_the_base_that_tells_answers_worse_is_stopped_and_one_that_learns_is_not(able):
    config = SFT(steps=3, rows=32, hands=10, rates=Rates(adamw=1e-6))
    run = learner(deepcopy(able), config.rates)
    with torch.no_grad():
        run.policy.head.weight.zero_()  # every token alike: better than the worst loss, and nothing is left of the base
    with pytest.raises(Stopped, match=r"nats a token from its base after step 0 and tells the answers .* worse"):
        list(sft.train(run, config, 0))
    run = learner(deepcopy(able), config.rates)
    with torch.no_grad():
        run.base.head.weight.zero_()
    lines = list(sft.train(run, config, 0))
    assert all(line["gain"] > 0 for line in lines)


def test_the_baseline_of_a_sample_does_not_depend_on_it():
    returns, passed = torch.tensor([[1.0, 0.0], [2.0, 5.0]]), torch.zeros(2, 2, dtype=torch.bool)
    moved = returns.clone()
    moved[1, 0] += 3
    one, other = (rl.ALGORITHMS["reinforce"](those, passed) for those in (returns, moved))
    torch.testing.assert_close(one, torch.tensor([[1 - 7 / 3, -8 / 3], [0.0, 4.0]]))
    assert float(other[1, 0] - one[1, 0]) == pytest.approx(3)


def test_every_estimator_of_the_divergence_holds_the_policy_near_its_base(able):
    """On the average of three trainings; k1, whose gradient is the noisiest, by less."""
    free = RL(steps=8, prompts=16, samples=8, epochs=2, algorithm="reinforce", reward="classes",
              rates=Rates(adamw=2e-3))  # fmt: skip

    def apart(config: RL) -> float:
        ends = [list(rl.train(learner(deepcopy(able), config.rates), config, seed))[-1] for seed in range(3)]
        return sum(end["kl"] for end in ends) / 3

    loose = apart(free)
    for estimator, share in (("k1", 0.75), ("k2", 0.5), ("k3", 0.5)):
        found = apart(replace(free, kl=5.0, estimator=estimator))
        assert found < share * loose, (estimator, found, loose)


def test_a_policy_that_runs_away_from_its_base_is_stopped(able):
    config = RL(steps=60, prompts=16, samples=4, rates=Rates(adamw=1.0), algorithm="reinforce", reward="classes")
    with pytest.raises(Stopped, match="nats a token|loss is nan"):
        list(rl.train(learner(deepcopy(able), config.rates), config, 0))


def counted(made: Callable[[], object]) -> float:
    """Operations that PyTorch counts itself, two for a multiply-add."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        made()
    return float(counter.get_total_flops())


COUNTED = PolicyConfig(vocabulary=tokens.VOCABULARY, width=256, layers=1, heads=2, numbers=200)
"""So wide that attention is little: PyTorch counts what a causal mask leaves out, too."""


def test_operations_of_training_are_counted_as_they_are_done():
    policy, rows = Policy(COUNTED), torch.zeros(3, 25, dtype=torch.long)
    ours = training_flop(policy, 3, 25, 48)
    assert ours == pytest.approx(counted(lambda: policy.head(policy.hidden(rows)[:, 9:]).sum().backward()), rel=0.04)
    ledger = Ledger()
    ledger.trained(75, ours)
    assert ledger.flop == ours


@pytest.mark.parametrize("rounds", [1, 3, 5])
def test_operations_of_sampling_are_counted_as_they_are_done(rounds):
    policy = Policy(COUNTED).begin(torch.Generator().manual_seed(0))
    hands = mixture.training_hands(stream(0, "counted"), 6)
    found: list[Rollout] = []
    whole = counted(lambda: found.append(roll(policy, hands, samples=4, rounds=rounds, temperature=1.0,
                                              generator=torch.Generator().manual_seed(1))))  # fmt: skip
    assert generation_flop(policy, found[0]) == pytest.approx(whole, rel=0.04)


@pytest.mark.parametrize("config", [RL(steps=1, prompts=8, samples=4), RL(steps=1, prompts=8, samples=4, rounds=3),
                                    SFT(steps=1, rows=32, hands=20)])  # fmt: skip
def test_the_ledger_of_a_step_is_what_was_done(config):
    policy = Policy(COUNTED).begin(torch.Generator().manual_seed(0))
    policy.head.weight.data *= 0.1
    run = learner(policy, config.rates)
    lines = rl.train(run, config, 0) if isinstance(config, RL) else sft.train(run, config, 0)
    whole = counted(lambda: list(lines))
    assert run.ledger.flop == pytest.approx(whole, rel=0.04)
