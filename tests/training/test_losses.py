"""Losses and advantages against loops written by hand, and where gradients go."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from athanor.core.seeds import stream
from athanor.training import advantages, losses

GENERATOR = torch.Generator().manual_seed(0)


def some(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def test_group_advantages_are_those_of_a_loop():
    rewards = some(5, 6)
    by_hand, scaled, left_out = np.zeros((5, 6)), np.zeros((5, 6)), np.zeros((5, 6))
    for i, row in enumerate(rewards.numpy()):
        for j, reward in enumerate(row):
            by_hand[i, j] = reward - sum(row) / 6
            scaled[i, j] = by_hand[i, j] / (np.std(row, ddof=1) + 1e-4)
            left_out[i, j] = reward - (sum(row) - reward) / 5
    np.testing.assert_allclose(advantages.grpo(rewards, scale=False), by_hand)
    np.testing.assert_allclose(advantages.grpo(rewards), scaled)
    np.testing.assert_allclose(advantages.rloo(rewards), left_out)
    np.testing.assert_allclose(advantages.rloo(rewards), by_hand * 6 / 5)  # one is the other, up to n / (n - 1)
    assert torch.equal(advantages.grpo(torch.ones(2, 4)), torch.zeros(2, 4))
    passed = torch.tensor([[True, False]])
    np.testing.assert_allclose(advantages.signed(passed, positive=0.1), [[0.1, -1.0]], rtol=1e-6)


def test_generalised_advantages_are_those_of_the_definition():
    gamma, lam = 0.9, 0.95
    rewards, values = some(4, 5).float(), some(4, 5).float()
    lengths = [5, 3, 1, 2]
    taken = torch.tensor([[t < n for t in range(5)] for n in lengths])
    found, returns = advantages.gae(rewards, values, taken, gamma=gamma, lam=lam)
    for e, length in enumerate(lengths):
        after = [*values[e, 1:length].tolist(), 0.0]
        surprise = [float(rewards[e, t]) + gamma * after[t] - float(values[e, t]) for t in range(length)]
        for t in range(length):
            by_hand = sum((gamma * lam) ** (k - t) * surprise[k] for k in range(t, length))
            assert float(found[e, t]) == pytest.approx(by_hand, abs=1e-5)
            assert float(returns[e, t]) == pytest.approx(by_hand + float(values[e, t]), abs=1e-5)
        assert not found[e, length:].any()


def test_whitening_counts_only_what_is_counted():
    values, counted = torch.tensor([[1.0, 3.0, 99.0]]), torch.tensor([[True, True, False]])
    white = advantages.whitened(values, counted)
    assert float(white[0, 2]) == 0
    assert float(white.sum()) == pytest.approx(0, abs=1e-6)


def test_token_logprobs_and_likelihood_losses_are_those_of_a_loop():
    logits, tokens = some(3, 4, 7), torch.randint(0, 7, (3, 4), generator=GENERATOR)
    mask = torch.rand(3, 4, generator=GENERATOR) < 0.6
    found = losses.token_logprobs(logits, tokens)
    total, weighted, count = 0.0, 0.0, 0
    for i in range(3):
        for j in range(4):
            p = np.exp(logits[i, j].numpy())
            p = p[tokens[i, j]] / p.sum()
            assert float(found[i, j]) == pytest.approx(np.log(p))
            if mask[i, j]:
                total, weighted, count = total - np.log(p), weighted - p * np.log(p), count + 1
    assert float(losses.nll(found, mask)) == pytest.approx(total / count)
    assert float(losses.dft(found, mask)) == pytest.approx(weighted / count)


def test_dft_weighs_each_gradient_by_the_probability_and_passes_none_through_it():
    logits = torch.tensor([[[0.0, 1.0, 2.0]]], requires_grad=True)
    token, mask = torch.tensor([[1]]), torch.tensor([[True]])
    (plain,) = torch.autograd.grad(losses.nll(losses.token_logprobs(logits, token), mask), logits)
    (dft,) = torch.autograd.grad(losses.dft(losses.token_logprobs(logits, token), mask), logits)
    torch.testing.assert_close(dft, plain * logits.softmax(-1)[0, 0, 1])


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_estimates_of_the_divergence(estimator):
    """k1 and k3 are unbiased, k3 is never negative, k2 is near for near policies."""
    ours, theirs = some(1, 6)[0], some(1, 6)[0]
    theirs = ours + 0.1 * theirs
    exact = float(losses.exact_kl(ours, theirs))
    p = ours.softmax(-1)
    by_hand = sum(p[i] * (ours.log_softmax(-1)[i] - theirs.log_softmax(-1)[i]) for i in range(6))
    assert exact == pytest.approx(float(by_hand))
    every = losses.kl(ours.log_softmax(-1), theirs.log_softmax(-1), estimator)
    mean = float((p * every).sum())
    assert mean == pytest.approx(exact, rel=0.2 if estimator == "k2" else 1e-6)
    assert estimator == "k1" or bool((every >= 0).all())


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_the_divergence_as_a_loss_has_its_gradient_whichever_policy_sampled(estimator):
    base, old, free = (some(7).log_softmax(-1) for _ in range(3))
    free.requires_grad_()
    policy = free.log_softmax(-1)
    (wanted,) = torch.autograd.grad(losses.exact_kl(policy, base), free, retain_graph=True)
    expected = 7 * old.exp() * (policy - old).exp()  # the mean over all tokens is then that over samples of `old`
    (found,) = torch.autograd.grad(losses.kl_loss(policy, base, expected, estimator), free)
    torch.testing.assert_close(found, wanted)


def test_entropy_of_a_uniform_choice():
    assert float(losses.entropy(torch.zeros(1, 8))) == pytest.approx(np.log(8))


@pytest.mark.parametrize("level", ["token", "turn"])
def test_the_clipped_surrogate_is_that_of_a_loop(level):
    now, old = some(3, 6) * 0.3, some(3, 6) * 0.3
    turns = torch.tensor([-1, -1, 0, 0, 1, 1]).expand(3, -1)
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]], dtype=torch.bool)
    gains = some(3, 2)
    terms, held_terms = [], []
    for i in range(3):
        for turn in range(2):
            places = [j for j in range(6) if mask[i, j] and turns[i, j] == turn]
            apart = [float(now[i, j] - old[i, j]) for j in places]
            apart = [sum(apart)] if level == "turn" and places else apart
            for one in apart:
                ratio, gain = np.exp(one), float(gains[i, turn])
                held = min(max(ratio, 0.9), 1.1)
                terms.append(-min(ratio * gain, held * gain))
                held_terms.append(ratio * gain > held * gain)
    loss, share = losses.clipped(now, old, gains, mask, turns, level=level, low=0.1, high=0.1)
    assert float(loss) == pytest.approx(np.mean(terms))
    assert float(share) == pytest.approx(np.mean(held_terms))


def test_gradients_flow_only_where_the_mask_says():
    now = some(2, 5).requires_grad_()
    mask = torch.tensor([[0, 0, 1, 1, 0], [0, 0, 1, 0, 0]], dtype=torch.bool)
    turns = torch.tensor([-1, -1, 0, 0, 0]).expand(2, -1)
    old = torch.full((2, 5), float("nan"), dtype=torch.float64)  # unknown where nothing was written
    old[mask] = now.detach()[mask]
    for loss in (
        losses.nll(now, mask), losses.dft(now, mask),
        losses.clipped(now, old, torch.ones(2, 1, dtype=torch.float64), mask, turns, level="token")[0],
        losses.clipped(now, old, torch.ones(2, 1, dtype=torch.float64), mask, turns, level="turn")[0],
    ):  # fmt: skip
        (gradient,) = torch.autograd.grad(loss, now, retain_graph=True)
        assert bool(((gradient != 0) == mask).all())


def test_the_value_loss_takes_the_worse_error():
    values, returns, old = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0]), torch.tensor([2.0, 2.0])
    mask = torch.tensor([True, True])
    assert float(losses.value_loss(values, returns, mask)) == pytest.approx((1 + 4) / 2 / 2)
    held = (max(1.0, 1.8**2) + 4) / 2 / 2
    assert float(losses.value_loss(values, returns, mask, old=old, clip=0.2)) == pytest.approx(held)


@pytest.mark.parametrize("how", ["grpo", "dr-grpo", "rloo", "reinforce", "positive", "negative", "w-reinforce"])
def test_of_two_arms_the_better_is_learned(how):
    """One arm pays in 3 of 4 draws, the other in 1 of 4: at the end the first is chosen nearly always."""
    from athanor.training.rl import ALGORITHMS

    rng = stream(0, "arms", how)
    logits = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.1)
    turns, mask = torch.zeros(64, 1, dtype=torch.long), torch.ones(64, 1, dtype=torch.bool)
    for _ in range(200):
        p = float(logits.softmax(0)[0].detach())
        arm = torch.from_numpy((rng.random((8, 8)) > p).astype(np.int64))
        paid = torch.from_numpy(rng.random((8, 8))) < torch.where(arm == 0, 0.75, 0.25)
        gains = ALGORITHMS[how](paid.float(), paid).reshape(-1, 1)
        now = logits.log_softmax(0)[arm.reshape(-1, 1)]
        loss, _ = losses.clipped(now, now.detach(), gains, mask, turns, level="token")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(logits.detach().softmax(0)[0]) > 0.9
