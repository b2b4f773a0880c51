"""Shapes, counted against the published integers, and weights to begin from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from athanor.core.errors import UsageError
from athanor.models.unified.config import JANUS_1B3, JANUS_PRO_1B, JANUS_PRO_7B, SHAPES, TINY, UnifiedConfig
from athanor.models.unified.initial import EMBEDDING, initialise, start_from_codebook
from athanor.models.unified.model import UnifiedModel, siglip_config
from tests.models.unified.small import OTHER, model


def counted(config: UnifiedConfig) -> dict[str, int]:
    with torch.device("meta"):
        made = UnifiedModel(config)
    return {name: sum(one.numel() for one in part.parameters()) for name, part in made.named_children()}


def pooling_head() -> int:
    """The published checkpoints' head that pools, which nothing runs."""
    from transformers import SiglipVisionModel

    config = siglip_config(JANUS_PRO_1B.encoder)
    config.vision_use_head = True
    with torch.device("meta"):
        return sum(weight.numel() for weight in SiglipVisionModel(config).head.parameters())


@pytest.mark.parametrize(
    ("config", "whole"), [(JANUS_1B3, 2_089_232_011), (JANUS_PRO_1B, 2_089_232_011), (JANUS_PRO_7B, 7_420_368_523)]
)
def test_parameters_and_the_unused_head_count_as_in_the_published_checkpoints(config: UnifiedConfig, whole: int):
    assert pooling_head() == 12_595_200
    assert sum(counted(config).values()) + 12_595_200 == whole


def test_every_part_of_the_published_models_has_its_published_size():
    one, seven = counted(JANUS_PRO_1B), counted(JANUS_PRO_7B)
    assert one == {
        "encoder": 303_688_704, "encoder_adaptor": 6_295_552, "visual_tokenizer": 71_883_403, "code_embedding": 131_072,
        "code_adaptor": 4_214_784, "code_head": 37_767_168, "backbone": 1_442_940_928, "text_head": 209_715_200,
    }  # fmt: skip
    assert seven == one | {
        "encoder_adaptor": 20_979_712, "code_adaptor": 16_818_176, "code_head": 83_906_560,
        "backbone": 6_490_935_296, "text_head": 419_430_400,
    }  # fmt: skip


def test_the_published_tokenizer_has_576_codes_and_its_parts_their_published_sizes():
    with torch.device("meta"):
        made = UnifiedModel(JANUS_PRO_1B).visual_tokenizer
    sizes = {name: sum(one.numel() for one in part.parameters()) for name, part in made.named_children()}
    assert sizes == {
        "encoder": 29_298_176, "decoder": 42_449_795, "quantize": 131_072, "quant_conv": 2_056,
        "post_quant_conv": 2_304,
    }  # fmt: skip
    assert (JANUS_PRO_1B.tokenizer.grid, JANUS_PRO_1B.tokenizer.tokens) == (24, 576)
    assert JANUS_PRO_1B.encoder.tokens == 576


def test_the_default_fits_into_25_megabytes():
    assert 4 * sum(counted(TINY).values()) < 25e6


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_put_together_of_parts_that_fit(name: str):
    assert counted(SHAPES[name])["text_head"] == SHAPES[name].backbone.width * SHAPES[name].backbone.vocabulary


@pytest.mark.parametrize(
    ("part", "change"),
    [("backbone", {"heads": 5}), ("backbone", {"kv_heads": 3}), ("encoder", {"patch": 7}), ("encoder", {"heads": 0}),
     ("tokenizer", {"image_size": 41}), ("tokenizer", {"groups": 3})],
)  # fmt: skip
def test_parts_that_cannot_be_put_together_are_refused(part: str, change: dict[str, int]):
    with pytest.raises(UsageError, match="cannot have this shape"):
        replace(OTHER, **{part: replace(getattr(OTHER, part), **change)})


def test_weights_begin_at_one_over_the_root_of_what_comes_in():
    made = initialise(UnifiedModel(TINY), torch.Generator().manual_seed(0))
    layers = made.config.backbone.layers
    layer = made.backbone.layers[0]
    for weight, expected in (
        (layer.self_attn.q_proj.weight, 192**-0.5),
        (layer.mlp.up_proj.weight, 192**-0.5),
        (layer.self_attn.o_proj.weight, 192**-0.5 / (2 * layers) ** 0.5),
        (layer.mlp.down_proj.weight, 512**-0.5 / (2 * layers) ** 0.5),
        (made.encoder.encoder.layers[0].mlp.fc2.weight, 512**-0.5 / 8**0.5),
        (made.code_head.out.weight, 192**-0.5),
        (made.visual_tokenizer.decoder.conv_in.weight, (9 * 64) ** -0.5),
        (made.backbone.embed_tokens.weight, EMBEDDING),
        (made.code_embedding.weight, EMBEDDING),
    ):
        assert weight.std().item() == pytest.approx(expected, rel=0.05)
    assert layer.input_layernorm.weight.eq(1).all()
    assert made.code_head.out.bias.eq(0).all()
    assert torch.allclose(made.visual_tokenizer.quantize.embedding.weight.norm(dim=1), torch.ones(512))


def test_one_generator_gives_one_set_of_weights():
    one, other, another = (model(seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["text_head.weight"], another["text_head.weight"])


def test_codes_can_begin_as_the_unit_vectors_of_the_tokenizer():
    made = model()
    start_from_codebook(made)
    assert torch.allclose(made.code_embedding.weight.norm(dim=1), torch.ones(50))
    cosines = torch.cosine_similarity(made.code_embedding.weight, made.visual_tokenizer.quantize.embedding.weight)
    assert torch.allclose(cosines, torch.ones(50))


def test_a_patch_encoder_gives_equal_patches_equal_codes_wherever_they_stand():
    config = replace(OTHER, tokenizer=replace(OTHER.tokenizer, encoder="patches"))
    tokenizer = model(config).visual_tokenizer
    pixels = torch.rand(1, 3, 40, 40) * 2 - 1
    pixels[..., 4:8, 8:12] = pixels[..., 32:36, 20:24]
    codes = tokenizer.encode(pixels).view(10, 10)
    assert codes[1, 2] == codes[8, 5]
    changed = pixels.clone()
    changed[..., 0:4, 0:4] *= -1
    assert (tokenizer.encode(changed).view(10, 10) != codes).sum() <= 1
