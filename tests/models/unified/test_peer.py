"""Beside `transformers`' own class with the same random weights: equal where it is right, and where it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from athanor.core.records import Message
from athanor.models.unified.config import UnifiedConfig
from athanor.models.unified.drawing import Drawing, draw_codes
from athanor.models.unified.layout import collate
from athanor.models.unified.model import CODE, TEXT
from athanor.models.unified.pictures import Preparation
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.unified import Unified, fresh
from tests.models.unified.small import JANUS, fast, model, saved

GREEDY = Sampling(temperature=0)
PROMPTS = ("two red circles", "a blue square left of a red circle", "a")


class Pair(NamedTuple):
    ours: Unified
    theirs: Any


def pair(folder: Path, config: UnifiedConfig, seed: int = 0) -> Pair:
    from transformers import JanusForConditionalGeneration

    ours = replace(fresh(model(config, seed), fast()), template="janus-pro")
    saved(folder, ours, "huggingface")
    theirs, told = JanusForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not any(told[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return Pair(ours, theirs.eval())


WIDE = replace(
    JANUS,
    backbone=replace(JANUS.backbone, width=64, heads=8, kv_heads=2, layers=3, rope_base=50_000.0, norm_eps=1e-5),
    encoder=replace(JANUS.encoder, image_size=48, layers=1),
    tokenizer=replace(JANUS.tokenizer, image_size=24, multipliers=(1, 2, 1), residual_blocks=1, codes=37, code_size=4),
    adaptor_depth=3,
)  # fmt: skip
"""Shared keys, other constants, an odd number of codes, and a patch of codes other than the encoder's."""


@pytest.fixture(scope="module", params=["janus", "wide"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    config = {"janus": JANUS, "wide": WIDE}[request.param]
    return pair(tmp_path_factory.mktemp("pair") / "model", config)


def images(count: int, size: int) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(3)) * 2 - 1


@torch.no_grad()
def test_text_logits_agree_with_and_without_images(both: Pair):
    ours, theirs = both
    size = ours.model.config.encoder.image_size
    pixels = images(3, size)
    picture = (b"",)
    conversations = [
        ([Message(role="user", text="two red circles", images=picture * 2)], pixels[:2]),
        ([Message(role="user", text="what is left of a blue square", images=picture)], pixels[2:]),
        ([Message(role="user", text="two"), Message(role="assistant", text="circles")], []),
    ]
    samples = [ours.layout.conversation(messages, list(seen)) for messages, seen in conversations]
    batch = collate([[sample] for sample in samples])
    found = ours.model.text_logits(ours.model.hidden(batch))
    expected = theirs(input_ids=batch.tokens, attention_mask=(batch.segments > 0).long(), pixel_values=pixels).logits
    read = batch.segments > 0
    assert torch.allclose(found[read], expected[read], atol=2e-4)


@torch.no_grad()
def test_code_logits_agree_and_so_do_what_codes_are_read_as(both: Pair):
    ours, theirs = both
    codes = torch.randint(0, ours.model.config.tokenizer.codes, (2, ours.layout.codes))
    batch = collate([[ours.layout.drawing(p, c.numpy())] for p, c in zip(PROMPTS[:2], codes, strict=True)])
    x = ours.model.embed(batch.tokens, batch.kinds, batch.pixels)
    read = theirs.prepare_embeddings_for_image_generation(codes)
    assert torch.allclose(x[batch.kinds == CODE], read.flatten(0, 1), atol=1e-5)
    text = theirs.get_input_embeddings()(batch.tokens[(batch.kinds == TEXT) & (batch.segments > 0)])
    assert torch.equal(x[(batch.kinds == TEXT) & (batch.segments > 0)], text)
    hidden = theirs.model.language_model(inputs_embeds=x, attention_mask=(batch.segments > 0).long()).last_hidden_state
    found = ours.model.code_logits(ours.model.hidden(batch))
    assert torch.allclose(
        found[batch.segments > 0], theirs.model.generation_head(hidden)[batch.segments > 0], atol=2e-4
    )


def both_draw(both: Pair, weight: float) -> tuple[torch.Tensor, torch.Tensor]:
    ours, theirs = both
    rows = [ours.layout.prompt(prompt) for prompt in PROMPTS]
    longest, special = max(map(len, rows)), ours.words.special
    ids = torch.tensor([[special.pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    found = draw_codes(ours, PROMPTS, how=Drawing(guidance=weight, sampling=GREEDY))[:, 0]
    return found, theirs.generate(
        ids, attention_mask=mask, generation_mode="image", do_sample=False, guidance_scale=weight
    )


@pytest.mark.parametrize("weight", [2.0, 5.0])
def test_greedy_codes_of_prompts_of_different_lengths_are_those_of_its_generate(both: Pair, weight: float):
    found, expected = both_draw(both, weight)
    assert torch.equal(found, expected)


@torch.no_grad()
def test_the_decoder_paints_the_same_image(both: Pair):
    ours, theirs = both
    codes = torch.randint(0, ours.model.config.tokenizer.codes, (2, ours.layout.codes))
    painted = ours.model.visual_tokenizer.decode(codes)
    assert torch.allclose(painted, theirs.decode_image_tokens(codes).permute(0, 3, 1, 2), atol=1e-4)


@torch.no_grad()
def test_codes_agree_where_all_rows_of_the_codebook_have_one_length_and_latents_too(both: Pair):
    ours, theirs = both
    pixels = images(4, ours.model.config.tokenizer.image_size)
    tokenizer, table = ours.model.visual_tokenizer, theirs.model.vqmodel.quantize.embedding.weight
    latents = tokenizer.latents(pixels)
    assert torch.allclose(latents, theirs.model.vqmodel.quant_conv(theirs.model.vqmodel.encoder(pixels)), atol=1e-4)
    before = table.clone()
    try:  # with unit rows and unit latents, nothing is left for it to normalise
        table.copy_(torch.nn.functional.normalize(table, dim=1))
        _, _, expected = theirs.model.vqmodel.quantize(torch.nn.functional.normalize(latents, dim=1))
        assert torch.equal(tokenizer.encode(pixels).flatten(), expected)
    finally:
        table.copy_(before)


@torch.no_grad()
def test_codes_differ_where_rows_differ_in_length_because_it_does_not_normalise(both: Pair):
    ours, theirs = both
    pixels = images(8, ours.model.config.tokenizer.image_size)
    found = ours.model.visual_tokenizer.encode(pixels)
    expected = theirs.model.vqmodel.encode(pixels).image_tokens.view_as(found)
    agreement = (found == expected).float().mean().item()
    assert agreement < 0.9
    vectors = torch.nn.functional.normalize(ours.model.visual_tokenizer.latents(pixels), dim=1).flatten(2).mT
    table = ours.model.visual_tokenizer.quantize.table()
    near, nearer = ((vectors - table[codes]).square().sum(-1).mean() for codes in (expected, found))
    assert nearer < near


def test_its_weights_of_the_two_losses_are_swapped_and_ours_are_not(both: Pair):
    ours, theirs = both
    pixels = images(2, ours.model.config.tokenizer.image_size)
    quantised = ours.model.visual_tokenizer(pixels).quantised
    assert quantised.commitment.item() == pytest.approx(0.25 * quantised.codebook.item(), rel=1e-5)
    quantised.codebook.backward(retain_graph=True)
    assert ours.model.visual_tokenizer.quant_conv.weight.grad is None
    assert ours.model.visual_tokenizer.quantize.embedding.weight.grad is not None
    ours.model.zero_grad()
    latents = torch.randn(1, ours.model.config.tokenizer.code_size, 4, 4, requires_grad=True)
    quantiser = theirs.model.vqmodel.quantize
    _, loss, codes = quantiser(latents)
    loss.backward()
    chosen = quantiser.embedding.weight[codes].detach()
    places = latents.detach().permute(0, 2, 3, 1).reshape(chosen.shape)
    assert torch.allclose(
        latents.grad.permute(0, 2, 3, 1).reshape(chosen.shape), 2 * (places - chosen) / chosen.numel()
    )


def test_its_generate_needs_guidance_above_one_and_ours_does_not(both: Pair):
    ours, theirs = both
    ids = torch.tensor([ours.layout.prompt("two")])
    with pytest.raises((RuntimeError, ValueError)):
        theirs.generate(
            ids, attention_mask=torch.ones_like(ids), generation_mode="image", do_sample=False, guidance_scale=1
        )
    assert draw_codes(ours, ["two"], how=Drawing(guidance=1)).shape == (1, 1, ours.layout.codes)


def test_it_has_no_loss_for_images_and_ours_reaches_the_code_head(both: Pair):
    from athanor.models.unified.losses import losses, total

    ours, theirs = both
    codes = np.zeros(ours.layout.codes, np.int64)
    batch = collate([[ours.layout.drawing("two red circles", codes)]])
    theirs(input_ids=batch.tokens, labels=batch.tokens).loss.backward()
    assert theirs.model.generation_head.vision_head.weight.grad is None
    theirs.zero_grad()
    total(losses(ours.model, batch)).backward()
    assert ours.model.code_head.out.weight.grad.abs().sum() > 0
    ours.model.zero_grad()


def test_it_forces_the_grid_of_codes_to_be_the_encoders_and_ours_are_independent():
    from transformers import JanusConfig

    forced = JanusConfig(vision_config={"image_size": 48, "patch_size": 8}, vq_config={"num_patches": 12})
    assert forced.vq_config.num_patches == 6
    assert (replace(JANUS, tokenizer=replace(JANUS.tokenizer, image_size=96)).tokenizer.grid) == 12


@pytest.mark.parametrize(("width", "height"), [(384, 384), (640, 480), (100, 300), (32, 30), (5, 4), (768, 192)])
def test_pixels_agree_where_no_side_is_rounded_up(width: int, height: int):
    from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    peer = JanusImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)
    expected = peer(image, return_tensors="pt")["pixel_values"][0]
    found = Preparation(size=384).seen(image)
    assert found.shape == (3, 384, 384)
    assert torch.allclose(found, expected.float(), atol=1e-6)


def test_it_rounds_a_side_that_is_cut_off_here_as_in_the_published_code():
    from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

    image = Image.new("RGB", (1000, 333), (255, 255, 255))
    peer = JanusImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)
    theirs = peer(image, return_tensors="pt")["pixel_values"][0]
    ours = Preparation(size=384).seen(image)
    rows = [int((pixels[0, :, 0] > 0.9).sum()) for pixels in (ours, theirs)]
    assert rows == [127, 128]


@torch.no_grad()
def test_its_postprocessing_fails_on_what_its_decoder_gives_and_ours_paints_the_same_image(both: Pair):
    from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

    from athanor.models.unified.pictures import to_images

    ours, theirs = both
    codes = torch.randint(0, ours.model.config.tokenizer.codes, (1, ours.layout.codes))
    decoded = theirs.decode_image_tokens(codes)
    peer = JanusImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)
    with pytest.raises(ValueError, match="mean must have"):
        peer.postprocess(list(decoded), return_tensors="PIL.Image.Image")
    turned = peer.postprocess(list(decoded.permute(0, 3, 1, 2)), return_tensors="PIL.Image.Image")["pixel_values"]
    (found,) = to_images(ours.model.visual_tokenizer.decode(codes))
    assert np.abs(np.array(found).astype(int) - np.array(turned[0])).max() <= 1


def test_its_generate_needs_a_mask_that_ours_has_no_use_for(both: Pair):
    ids = torch.tensor([both.ours.layout.prompt("two")])
    with pytest.raises(AttributeError):
        both.theirs.generate(ids, generation_mode="image", do_sample=False, guidance_scale=2)


def test_its_heads_are_tied_unless_the_configuration_says_otherwise_and_ours_says_so(both: Pair):
    from transformers import JanusConfig

    assert JanusConfig().tie_word_embeddings
    assert not both.theirs.config.tie_word_embeddings
    assert torch.equal(both.theirs.lm_head.weight, both.ours.model.text_head.weight)
    before = both.theirs.lm_head.weight[:5].clone()
    both.theirs.tie_weights()
    assert torch.equal(both.theirs.lm_head.weight[:5], before)
