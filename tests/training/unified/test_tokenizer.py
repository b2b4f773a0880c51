"""The tokenizer's codebook follows its latents; the encoder's loss is SigLIP's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from athanor.core.errors import Stopped
from athanor.training.unified.encoder import retrieved, sigmoid_loss
from athanor.training.unified.run import begun
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.teaching import pixels_of
from athanor.training.unified.tokenizer import TokenizerRecipe, TokenizerTrainer, spread
from tests.training.unified.micro import micro


def pictures(step: int) -> torch.Tensor:
    return pixels_of([one.picture for one in Scenes(seed=1).take("pictures", step, 4) if one.picture is not None])


def test_codes_stay_of_unit_length_and_follow_the_mean_of_what_chose_them() -> None:
    tokenizer = begun(micro(), "cpu").model.visual_tokenizer
    trainer = TokenizerTrainer(tokenizer, TokenizerRecipe(steps=50, warm=0, decay=0.0, reseed=100), seed=1)
    trainer.step(0, pictures(0))
    before = tokenizer.quantize.embedding.weight.clone()
    pixels = pictures(1)
    with torch.no_grad():
        latents = F.normalize(tokenizer.latents(pixels).permute(0, 2, 3, 1), dim=-1).flatten(0, 2)
        codes = tokenizer.encode(pixels).flatten()
    trainer.step(1, pixels)
    after = tokenizer.quantize.embedding.weight
    for code in range(len(after)):
        chosen = latents[codes == code]
        expected = F.normalize(chosen.mean(0), dim=0) if len(chosen) else before[code]
        torch.testing.assert_close(after[code], expected, rtol=1e-4, atol=1e-5)
    assert not after.requires_grad


def test_codes_that_nothing_chooses_begin_again_from_latents() -> None:
    tokenizer = begun(micro(), "cpu").model.visual_tokenizer
    trainer = TokenizerTrainer(tokenizer, TokenizerRecipe(steps=50, warm=0, reseed=1), seed=1)
    trainer.step(0, pictures(0))
    with torch.no_grad():
        table = tokenizer.quantize.embedding.weight
        table[:30] = F.normalize(torch.ones(30, table.shape[1]), dim=-1)
        trainer.counts[:30] = 0
    trainer.step(1, pictures(1))
    assert len(tokenizer.quantize.embedding.weight[:30].unique(dim=0)) > 15
    assert bool((trainer.counts[:30] > 0).all())


def test_the_quantised_error_falls() -> None:
    tokenizer = begun(micro(), "cpu").model.visual_tokenizer
    trainer = TokenizerTrainer(tokenizer, TokenizerRecipe(steps=80, warm=10, rate=1e-2), seed=1)
    told = [trainer.step(step, pictures(step)) for step in range(80)]
    assert np.mean([one["mse"] for one in told[-5:]]) < 0.5 * np.mean([one["mse"] for one in told[:5]])


def test_an_error_that_is_not_finite_stops_training_before_weights_are_spoilt() -> None:
    tokenizer = begun(micro(), "cpu").model.visual_tokenizer
    trainer = TokenizerTrainer(tokenizer, TokenizerRecipe(steps=8, warm=2), seed=1)
    trainer.step(0, pictures(0))
    before = {name: weight.clone() for name, weight in tokenizer.state_dict().items()}
    with pytest.raises(Stopped, match="not finite at step 1"):
        trainer.step(1, pictures(1) * float("inf"))
    assert all(torch.equal(weight, before[name]) for name, weight in tokenizer.state_dict().items())


def test_latents_are_spread_over_all_clusters() -> None:
    corners = torch.eye(4).repeat(50, 1)
    assert len(spread(corners, 4, np.random.default_rng(0)).unique(dim=0)) == 4


def test_the_sigmoid_loss_is_the_published_sum() -> None:
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    by_hand = sum(
        math.log(1 + math.exp(-(1 if i == j else -1) * float(logits[i, j]))) for i in range(3) for j in range(3)
    )
    assert float(sigmoid_loss(logits)) == pytest.approx(by_hand / 3, rel=1e-5)


def test_retrieval_counts_both_directions() -> None:
    logits = torch.tensor([[3.0, 1.0], [4.0, 2.0]])
    assert retrieved(logits) == (1, 1)
    assert retrieved(torch.eye(4)) == (4, 4)
