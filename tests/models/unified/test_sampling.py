"""The distribution that is drawn from."""

from __future__ import annotations

import pytest
import torch

from athanor.core.errors import UsageError
from athanor.models.unified.sampling import Sampling, drawn, guided, log_probabilities

LOGITS = torch.tensor([[0.0, 1.0, 2.0, 3.0]])


def probabilities(sampling: Sampling) -> list[float]:
    return log_probabilities(LOGITS, sampling).exp()[0].tolist()


def test_guidance_goes_from_the_unconditional_through_the_conditional_and_beyond():
    conditional, unconditional = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])
    for weight, expected in ((0, [0.0, 4.0]), (1, [1.0, 2.0]), (5, [5.0, -6.0]), (0.5, [0.5, 3.0]), (-1, [-1.0, 6.0])):
        assert guided(conditional, unconditional, weight).tolist() == expected


def test_temperature_divides_the_logits():
    assert probabilities(Sampling()) == pytest.approx(LOGITS.softmax(-1)[0].tolist())
    assert probabilities(Sampling(temperature=0.5)) == pytest.approx((2 * LOGITS).softmax(-1)[0].tolist())
    assert probabilities(Sampling(temperature=0)) == [0, 0, 0, 1]


def test_the_k_likeliest_share_everything():
    e = torch.e
    assert probabilities(Sampling(top_k=2)) == pytest.approx([0, 0, 1 / (1 + e), e / (1 + e)])
    assert probabilities(Sampling(top_k=9)) == probabilities(Sampling())


def test_the_least_mass_keeps_the_token_that_reaches_it():
    whole = LOGITS.softmax(-1)[0]
    e = torch.e
    assert probabilities(Sampling(top_p=float(whole[3]) - 0.01)) == [0, 0, 0, 1]
    assert probabilities(Sampling(top_p=float(whole[3]) + 0.01)) == pytest.approx([0, 0, 1 / (1 + e), e / (1 + e)])
    assert probabilities(Sampling(top_p=1e-9)) == [0, 0, 0, 1]


def test_numbers_fall_among_the_summed_probabilities():
    numbers = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    found = drawn(LOGITS.expand(10_000, -1), numbers, Sampling())
    shares = torch.bincount(found, minlength=4) / 10_000
    assert torch.allclose(shares, LOGITS.softmax(-1)[0], atol=2e-4)


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
def test_no_number_falls_on_what_cannot_be_drawn(number: float):
    logits = torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf]])
    assert drawn(logits, torch.tensor([number], dtype=torch.float64), Sampling()).item() in (1, 2)


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}]
)
def test_values_out_of_range_are_refused(wrong: dict[str, float]):
    with pytest.raises(UsageError, match="was expected"):
        Sampling(**wrong)  # type: ignore[arg-type]
