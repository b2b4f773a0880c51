"""The transformer and its sampling: cached and batched equals uncached and alone."""

from __future__ import annotations

import pytest
import torch

from athanor.core.errors import UsageError
from athanor.models.policy.generate import sample
from athanor.models.policy.transformer import Policy, PolicyConfig, fourier

SMALL = PolicyConfig(vocabulary=40, context=32, width=32, layers=2, heads=4, numbers=20)


TURNS = PolicyConfig(vocabulary=40, context=34, width=32, layers=2, heads=4, numbers=20, first=4, turn=6)


def policy(seed: int = 0, config: PolicyConfig = SMALL) -> Policy:
    made = Policy(config).begin(torch.Generator().manual_seed(seed))
    with torch.no_grad():
        made.head.weight *= 3  # further from uniform than at the start
    return made


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


PROMPTS = torch.randint(0, 40, (6, 5), generator=generator(3))


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("config", [SMALL, TURNS], ids=["positions", "turns"])
def test_sampled_logprobs_are_those_of_an_uncached_forward_pass(temperature, config):
    model = policy(config=config)
    made = sample(model, PROMPTS, 3, 9, temperature=temperature, generator=generator())
    for p in range(6):
        for s in range(3):
            whole = torch.cat([PROMPTS[p], made.tokens[p, s]])[None]
            with torch.no_grad():
                logprobs = (model(whole)[0] / (temperature or 1.0)).log_softmax(-1)
            wanted = logprobs[torch.arange(4, 13), made.tokens[p, s]]
            torch.testing.assert_close(made.logprobs[p, s], wanted, atol=1e-5, rtol=1e-5)


def test_a_token_of_a_later_turn_is_placed_by_its_turn_and_its_place_in_it():
    model = policy(config=TURNS)
    places = model.places()
    assert places.shape == (34, 32)
    assert torch.equal(places[:4], model.positions.weight[:4])
    for position in (4, 9, 10, 33):
        turn, place = divmod(position - 4, 6)
        assert torch.equal(places[position], model.positions.weight[4 + place] + model.turns.weight[turn])
    assert model.turns.weight.shape == (5, 32)
    model(PROMPTS[:, :5].repeat(1, 4)).sum().backward()
    assert model.positions.weight.grad.abs().sum(1).gt(0).all()
    assert policy().turns is None
    with pytest.raises(UsageError, match="whole turns of 6 were expected"):
        PolicyConfig(vocabulary=40, context=32, first=4, turn=6)


def test_greedy_takes_the_likeliest_token_each_time():
    model = policy()
    made = sample(model, PROMPTS, 1, 8, temperature=0.0, generator=generator())
    for p in range(6):
        whole = PROMPTS[p][None]
        for _ in range(8):
            with torch.no_grad():
                whole = torch.cat([whole, model(whole)[:, -1].argmax(-1, keepdim=True)], dim=1)
        assert torch.equal(whole[0, 5:], made.tokens[p, 0])


def test_samples_have_the_policys_distribution():
    model = policy()
    made = sample(model, PROMPTS[:1], 20_000, 1, temperature=1.0, generator=generator())
    with torch.no_grad():
        wanted = model(PROMPTS[:1])[0, -1].softmax(-1)
    share = torch.bincount(made.tokens.flatten(), minlength=40) / 20_000
    assert float((share - wanted).abs().max()) < 0.012


def test_the_same_generator_gives_the_same_samples_and_another_does_not():
    one, again, other = (sample(policy(), PROMPTS, 4, 6, temperature=1.0, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(one.tokens, again.tokens)
    assert not torch.equal(one.tokens, other.tokens)


def test_a_token_is_not_told_by_those_after_it():
    model, tokens = policy(), torch.randint(0, 40, (2, 12), generator=generator())
    changed = tokens.clone()
    changed[:, 7:] = (changed[:, 7:] + 1) % 40
    with torch.no_grad():
        torch.testing.assert_close(model(tokens)[:, :7], model(changed)[:, :7])


def test_weights_follow_from_the_generator_and_parameters_are_counted():
    one, again = policy(1), policy(1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    width, layers = 32, 2
    assert one.matrix_parameters() == layers * 12 * width**2 + 40 * width


def test_near_numbers_begin_near_each_other():
    features = fourier(200, 128)
    near, far = (features[100] - features[101]).norm(), (features[100] - features[160]).norm()
    assert near < far
    assert torch.unique(features, dim=0).shape == features.shape
