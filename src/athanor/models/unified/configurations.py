"""What `config.json` and its companions say in the two published layouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from athanor.core.errors import UsageError
from athanor.models.unified.config import BackboneConfig, EncoderConfig, UnifiedConfig, VisualTokenizerConfig
from athanor.models.unified.names import LayoutName
from athanor.models.unified.pictures import Preparation
from athanor.models.unified.text_tokenizer import Special

_TOWERS = {"siglip_large_patch16_384": EncoderConfig(
    image_size=384, patch=16, width=1024, inner=4096, layers=24, heads=16
)}  # fmt: skip
"""The towers that the original configurations name."""
GELU = ("gelu", "gelu_pytorch_tanh")
"""Activations of SigLIP. Released towers name the second, Janus runs them with the first: they differ by less than
0.0005."""


def of_original(found: Mapping[str, Any]) -> UnifiedConfig:
    """The shape that an original `config.json` names. KeyError, ValueError or UsageError if it names none."""
    vision, tokens = found["vision_config"]["params"], found["gen_vision_config"]
    tower = _TOWERS[vision["model_name"]]
    layer = vision.get("select_layer", -1)
    if tokens["cls"] != "VQ-16" or vision.get("select_feature", "same") != "same":
        raise ValueError("only the visual tokenizer VQ-16 and all features of the tower are known")
    layers = min(tower.layers, tower.layers + layer + 1) if layer <= 0 else layer
    return UnifiedConfig(
        backbone=backbone_of(found["language_config"]),
        encoder=EncoderConfig(
            image_size=vision.get("image_size", tower.image_size), patch=tower.patch, width=tower.width,
            inner=tower.inner, layers=layers, heads=tower.heads,
        ),
        tokenizer=VisualTokenizerConfig(),
        adaptor_depth=found["aligner_config"]["params"]["depth"],
    )  # fmt: skip


def of_huggingface(found: Mapping[str, Any]) -> UnifiedConfig:
    """The shape that a `config.json` of `transformers` describes. ValueError or UsageError if it describes none."""
    from transformers import JanusConfig

    config: Any = JanusConfig(**{k: v for k, v in found.items() if k in ("text_config", "vision_config", "vq_config")})
    vision, tokens = config.vision_config, config.vq_config
    if vision.depth != tokens.num_hidden_layers or vision.use_qk_norm or vision.hidden_act != "gelu":
        raise ValueError("adaptors of two depths, normalised queries or another activation are not known")
    if tokens.double_latent or tokens.in_channels != 3 or tokens.out_channels != 3:
        raise ValueError("images of another number of channels than 3, or doubled latents, are not known")
    patch = 2 ** (len(tokens.channel_multiplier) - 1)
    return UnifiedConfig(
        backbone=backbone_of(config.text_config.to_dict()),
        encoder=EncoderConfig(
            image_size=vision.image_size, patch=vision.patch_size, width=vision.hidden_size,
            inner=int(vision.hidden_size * vision.mlp_ratio), layers=vision.num_hidden_layers,
            heads=vision.num_attention_heads, norm_eps=vision.layer_norm_eps,
        ),
        tokenizer=VisualTokenizerConfig(
            image_size=patch * (vision.image_size // vision.patch_size), channels=tokens.base_channels,
            multipliers=tuple(tokens.channel_multiplier), residual_blocks=tokens.num_res_blocks,
            latent=tokens.latent_channels, codes=tokens.num_embeddings, code_size=tokens.embed_dim,
        ),
        adaptor_depth=vision.depth,
    )  # fmt: skip


def backbone_of(text: Mapping[str, Any]) -> BackboneConfig:
    """Of a Llama's configuration, with the defaults of `LlamaConfig` where it is silent. KeyError or ValueError for a
    kind that is not known."""
    if text.get("attention_bias") or text.get("mlp_bias"):
        raise ValueError("a backbone with biases is not known")
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default":
        raise ValueError(f"positions of the type {rope['rope_type']!r} are not known")
    width, heads = text.get("hidden_size", 4096), text.get("num_attention_heads", 32)
    if (text.get("head_dim") or width // heads) != width // heads:
        raise ValueError("heads of another width than the backbone's over their number are not known")
    return BackboneConfig(
        vocabulary=text["vocab_size"], width=width, inner=text.get("intermediate_size", 11_008),
        layers=text.get("num_hidden_layers", 32), heads=heads, kv_heads=text.get("num_key_value_heads") or heads,
        context=text.get("max_position_embeddings", 2048), norm_eps=text.get("rms_norm_eps", 1e-6),
        rope_base=rope.get("rope_theta") or text.get("rope_theta") or 10_000.0,
    )  # fmt: skip


def tower_of(vision: Mapping[str, Any]) -> EncoderConfig:
    """Of the configuration of SigLIP's tower, with the defaults of `SiglipVisionConfig` where it is silent. ValueError
    for a kind that is not known."""
    from transformers import SiglipVisionConfig

    known: Any = SiglipVisionConfig()
    found = {name: vision.get(name, getattr(known, name)) for name in (
        "image_size", "patch_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "layer_norm_eps", "hidden_act", "num_channels",
    )}  # fmt: skip
    if found["hidden_act"] not in GELU or found["num_channels"] != 3:
        raise ValueError(f"an activation {found['hidden_act']!r} or {found['num_channels']} channels are not known")
    return EncoderConfig(
        image_size=found["image_size"], patch=found["patch_size"], width=found["hidden_size"],
        inner=found["intermediate_size"], layers=found["num_hidden_layers"], heads=found["num_attention_heads"],
        norm_eps=found["layer_norm_eps"],
    )  # fmt: skip


def holds(config: UnifiedConfig) -> None:
    """UsageError if `transformers`' class cannot run a model of this shape."""
    tokens, encoder = config.tokenizer, config.encoder
    for wrong, what in (
        (tokens.encoder != "pyramid", "a visual tokenizer that encodes patches by themselves"),
        (not tokens.attention, "a visual tokenizer without attention"),
        (tokens.groups != 32, "a visual tokenizer that normalises in other than 32 groups"),
        (tokens.grid * encoder.patch != encoder.image_size, "a grid of codes other than the encoder's grid of patches"),
        (config.understanding != "encoder", "a model that understands images by their codes"),
        (encoder.inner % encoder.width, "an encoder whose inner width is no multiple of its width"),
    ):
        if wrong:
            raise UsageError(f"the layout of transformers cannot hold {what}; write it in the original layout")


def _text(config: BackboneConfig, special: Special) -> dict[str, Any]:
    return {
        "model_type": "llama", "vocab_size": config.vocabulary, "hidden_size": config.width,
        "intermediate_size": config.inner, "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads, "num_key_value_heads": config.kv_heads,
        "max_position_embeddings": config.context, "rms_norm_eps": config.norm_eps, "rope_theta": config.rope_base,
        "tie_word_embeddings": False, "bos_token_id": special.begin, "eos_token_id": special.end,
        "pad_token_id": special.pad,
    }  # fmt: skip


def _huggingface(config: UnifiedConfig, special: Special) -> dict[str, Any]:
    encoder, tokens, width = config.encoder, config.tokenizer, config.backbone.width
    return {
        "architectures": ["JanusForConditionalGeneration"],
        "model_type": "janus",
        "image_token_id": special.image,
        "tie_word_embeddings": False,
        "text_config": _text(config.backbone, special),
        "vision_config": {
            "model_type": "janus_vision_model", "hidden_size": encoder.width, "num_hidden_layers": encoder.layers,
            "num_attention_heads": encoder.heads, "image_size": encoder.image_size, "patch_size": encoder.patch,
            "hidden_act": "gelu", "layer_norm_eps": encoder.norm_eps, "mlp_ratio": encoder.inner / encoder.width,
            "projection_dim": width, "depth": config.adaptor_depth, "num_image_tokens": encoder.tokens,
        },
        "vq_config": {
            "model_type": "janus_vqgan", "embed_dim": tokens.code_size, "num_embeddings": tokens.codes,
            "latent_channels": tokens.latent, "base_channels": tokens.channels,
            "channel_multiplier": list(tokens.multipliers), "num_res_blocks": tokens.residual_blocks,
            "num_patches": tokens.grid, "projection_dim": width, "num_hidden_layers": config.adaptor_depth,
            "hidden_act": "gelu", "image_token_embed_dim": width,
        },
    }  # fmt: skip


def _original(config: UnifiedConfig, special: Special) -> dict[str, Any]:
    width, tokens = config.backbone.width, config.tokenizer
    tower = next((name for name, one in _TOWERS.items() if one == config.encoder), "siglip")

    def adaptor(size: int) -> dict[str, Any]:
        return {"depth": config.adaptor_depth, "input_dim": size, "n_embed": width, "projector_type": "mlp_gelu"}

    def part(kind: str, cls: str, params: dict[str, Any]) -> dict[str, Any]:
        return {"cls": cls, "model_type": kind, "params": params}

    tower_params = {
        "image_size": config.encoder.image_size, "model_name": tower, "select_feature": "same", "select_layer": -1,
    }  # fmt: skip
    head = {"image_token_embed": width, "image_token_size": tokens.codes, "n_embed": width}
    codes = {"image_token_size": tokens.codes, "n_embed": tokens.code_size}
    return {
        "architectures": ["MultiModalityCausalLM"],
        "model_type": "multi_modality",
        "aligner_config": part("aligner", "MlpProjector", adaptor(config.encoder.width)),
        "gen_aligner_config": part("gen_aligner", "MlpProjector", adaptor(tokens.code_size)),
        "gen_head_config": part("gen_head", "vision_head", head),
        "gen_vision_config": part("gen_vision", "VQ-16", codes),
        "language_config": _text(config.backbone, special),
        "vision_config": part("vision", "CLIPVisionTower", tower_params),
    }


DESCRIBED: Mapping[LayoutName, Callable[[UnifiedConfig, Special], dict[str, Any]]] = {
    "original": _original,
    "huggingface": _huggingface,
}
"""What `config.json` says, by layout."""


def generation(special: Special) -> dict[str, Any]:
    """What `generation_config.json` says, without which the class of `transformers` cannot draw."""
    return {
        "bos_token_id": special.begin, "eos_token_id": special.end, "pad_token_id": special.pad,
        "generation_kwargs": {"boi_token_id": special.begin_image},
    }  # fmt: skip


def preprocessor(preparation: Preparation, layout: LayoutName) -> dict[str, Any]:
    """What `preprocessor_config.json` says."""
    size, mean = preparation.size, list(preparation.mean)
    said = {
        "background_color": [int(value * 255) for value in mean], "do_normalize": True, "image_mean": mean,
        "image_std": list(preparation.std), "min_size": preparation.least, "rescale_factor": 1 / 255,
    }  # fmt: skip
    if layout == "original":
        return said | {
            "image_processor_type": "VLMImageProcessor", "image_size": size, "processor_class": "VLChatProcessor",
        }  # fmt: skip
    sides = {"height": size, "width": size}
    return said | {
        "image_processor_type": "JanusImageProcessor", "size": sides, "processor_class": "JanusProcessor",
    }  # fmt: skip
