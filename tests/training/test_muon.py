"""Muon: what it makes of matrices, and that its steps are those of PyTorch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from athanor.training.muon import Muon, orthogonal
from athanor.training.optimizers import states, take_states

SHAPES = ((6, 4), (4, 6), (6, 4), (5, 5))


def gradients(steps: int) -> list[list[torch.Tensor]]:
    drawn = torch.Generator().manual_seed(0)
    return [[torch.randn(*shape, generator=drawn) for shape in SHAPES] for _ in range(steps)]


def weights() -> list[nn.Parameter]:
    drawn = torch.Generator().manual_seed(1)
    return [nn.Parameter(torch.randn(*shape, generator=drawn)) for shape in SHAPES]


def step(optimizer: torch.optim.Optimizer, those: list[nn.Parameter], grads: list[torch.Tensor]) -> None:
    for weight, grad in zip(those, grads, strict=True):
        weight.grad = grad.clone()
    optimizer.step()


def test_singular_values_are_brought_near_one() -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 12, 20, generator=torch.Generator().manual_seed(0))))
    assert 0.5 < float(values.min()) < float(values.max()) < 1.5


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_those_of_pytorch_up_to_its_rounding(weight_decay: float) -> None:
    ours, theirs = weights(), weights()
    mine = Muon(ours, 0.1, weight_decay=weight_decay)
    peer = torch.optim.Muon(theirs, 0.1, weight_decay=weight_decay)
    for grads in gradients(5):
        step(mine, ours, grads)
        step(peer, theirs, grads)
    for one, other, before in zip(ours, theirs, weights(), strict=True):
        torch.testing.assert_close(one, other, atol=0.01, rtol=0.01)
        assert (one - before).abs().max() > 0.1


def test_states_go_on_in_another_optimizer() -> None:
    ours = weights()
    first = Muon(ours, 0.1)
    for grads in gradients(3):
        step(first, ours, grads)
    others = [nn.Parameter(weight.detach().clone()) for weight in ours]
    second = Muon(others, 0.1)
    take_states(states(muon=first), muon=second)
    step(first, ours, gradients(4)[3])
    step(second, others, gradients(4)[3])
    assert all(torch.equal(one, other) for one, other in zip(ours, others, strict=True))


def test_a_weight_without_a_gradient_stays() -> None:
    ours = weights()
    mine = Muon(ours, 0.1, weight_decay=0.1)
    ours[0].grad = torch.ones(6, 4)
    mine.step()
    assert not torch.equal(ours[0], weights()[0])
    assert all(torch.equal(one, before) for one, before in zip(ours[1:], weights()[1:], strict=True))
