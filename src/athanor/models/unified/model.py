"""The whole model: two ways in, one backbone, two heads."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaModel, SiglipVisionConfig, SiglipVisionModel
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from athanor.models.unified.config import BackboneConfig, EncoderConfig, UnifiedConfig
from athanor.models.unified.visual_tokenizer import VisualTokenizer

TEXT, SEEN, CODE = 0, 1, 2
"""What stands at a place of a sequence: a text token, a soft token of an image to understand, a code of one to draw."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows of sequences, one or several packed into a row, padded on the right. `layout.collate` makes them."""

    tokens: Tensor
    """Int["batch seq"]: a text token or a code, according to `kinds`; the image placeholder at soft tokens."""
    kinds: Tensor
    """Int["batch seq"]: TEXT, SEEN or CODE."""
    positions: Tensor
    """Int["batch seq"]: 0, 1, ... in each sequence."""
    segments: Tensor
    """Int["batch seq"]: 1, 2, ... for the sequences of a row, 0 for padding. No place attends to another segment."""
    pixels: Tensor
    """Float["images 3 size size"], -1 to 1: the images to understand, in the order of their soft tokens."""
    targets: Tensor
    """Int["batch seq"]: the token or code that follows, where it is to be learned; -1 elsewhere."""
    tasks: Tensor
    """Int["batch seq"]: the task of each place, an index into `losses.TASKS`."""

    def to(self, device: torch.device | str) -> Batch:
        """The same on another device."""
        return Batch(**{one.name: getattr(self, one.name).to(device) for one in fields(self)})


class Adaptor(nn.Module):
    """Linear layers with GELU between them, from one side's width to the backbone's."""

    def __init__(self, size: int, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(size if i == 0 else width, width) for i in range(depth))

    @property
    def linears(self) -> tuple[nn.Linear, ...]:
        """The layers, typed."""
        return tuple(cast("nn.Linear", layer) for layer in self.layers)

    def forward(self, x: Tensor) -> Tensor:
        """Float["... size"] to Float["... width"]."""
        for i, layer in enumerate(self.linears):
            x = layer(F.gelu(x) if i else x)
        return x


class CodeHead(nn.Module):
    """From the backbone to the logits of the next code."""

    def __init__(self, width: int, codes: int) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(width, width), nn.Linear(width, codes)

    def forward(self, x: Tensor) -> Tensor:
        """Float["... width"] to Float["... codes"]."""
        return self.out(F.gelu(self.into(x)))


class UnifiedModel(nn.Module):
    """Reads text, images to understand and codes of images to draw; predicts text and codes."""

    def __init__(self, config: UnifiedConfig) -> None:
        super().__init__()
        self.config = config
        width, tokenizer = config.backbone.width, config.tokenizer
        self.encoder = SiglipVisionModel._from_config(siglip_config(config.encoder), attn_implementation="sdpa")
        self.encoder_adaptor = Adaptor(config.encoder.width, width, config.adaptor_depth)
        self.visual_tokenizer = VisualTokenizer(tokenizer)
        self.code_embedding = nn.Embedding(tokenizer.codes, tokenizer.code_size)
        self.code_adaptor = Adaptor(tokenizer.code_size, width, config.adaptor_depth)
        self.code_head = CodeHead(width, tokenizer.codes)
        self.backbone = LlamaModel._from_config(llama_config(config.backbone), attn_implementation="sdpa")
        self.text_head = nn.Linear(width, config.backbone.vocabulary, bias=False)

    def see(self, pixels: Tensor) -> Tensor:
        """Float["images patches width"]: soft tokens of images to understand, Float["images 3 size size"], -1 to 1."""
        if self.config.understanding == "codes":
            with torch.no_grad():
                codes = self.visual_tokenizer.encode(pixels.float())
            return self.embed_codes(codes)
        seen = self.encoder(pixel_values=pixels.to(self.text_head.weight.dtype)).last_hidden_state
        return self.encoder_adaptor(seen)

    def embed_text(self, tokens: Tensor) -> Tensor:
        """Float["... width"] of text tokens, Int["..."]."""
        return self.backbone.embed_tokens(tokens)

    def embed_codes(self, codes: Tensor) -> Tensor:
        """Float["... width"] of codes, Int["..."]."""
        return self.code_adaptor(self.code_embedding(codes))

    def embed(self, tokens: Tensor, kinds: Tensor, pixels: Tensor) -> Tensor:
        """Float["batch seq width"]: what the backbone reads, of the fields of a Batch of the same names."""
        x = self.embed_text(tokens.where(kinds == TEXT, 0))
        for kind, made in ((SEEN, self._soft(pixels)), (CODE, self._codes(tokens, kinds))):
            if made is not None:
                x = x.masked_scatter((kinds == kind)[..., None], made.to(x.dtype))
        return x

    def _soft(self, pixels: Tensor) -> Tensor | None:
        return self.see(pixels).flatten(0, 1) if len(pixels) else None

    def _codes(self, tokens: Tensor, kinds: Tensor) -> Tensor | None:
        codes = tokens[kinds == CODE]
        return self.embed_codes(codes) if len(codes) else None

    def hidden(self, batch: Batch) -> Tensor:
        """Float["batch seq width"], normalised: what both heads read."""
        x = self.embed(batch.tokens, batch.kinds, batch.pixels)
        mask = attention_mask(batch.segments)
        return cast(
            "Tensor",
            self.backbone(
                inputs_embeds=x, attention_mask=mask, position_ids=batch.positions, use_cache=False
            ).last_hidden_state,
        )

    def text_logits(self, hidden: Tensor) -> Tensor:
        """Float["... vocabulary"] of Float["... width"]."""
        return self.text_head(hidden)

    def code_logits(self, hidden: Tensor) -> Tensor:
        """Float["... codes"] of Float["... width"]."""
        return self.code_head(hidden)

    def restore_tables(self, device: torch.device | str) -> None:
        """Make again the tables that no checkpoint holds, where the model was built without memory."""
        with torch.device(device):
            self.backbone.rotary_emb = LlamaRotaryEmbedding(self.backbone.config)
            places = torch.arange(self.config.encoder.tokens).expand(1, -1)
            self.encoder.embeddings.position_ids = nn.Buffer(places, persistent=False)


def attention_mask(segments: Tensor) -> Tensor:
    """Bool["batch 1 seq seq"]: whether a place (third axis) attends to another: itself, and what is before it in its
    own segment of Int["batch seq"]. Padding attends to padding, so that no row of the mask is empty."""
    same = segments[:, :, None] == segments[:, None, :]
    return (same & torch.ones_like(same[0]).tril())[:, None]


def llama_config(config: BackboneConfig) -> LlamaConfig:
    """The backbone in the words of `transformers`."""
    return LlamaConfig(
        vocab_size=config.vocabulary, hidden_size=config.width, intermediate_size=config.inner,
        num_hidden_layers=config.layers, num_attention_heads=config.heads, num_key_value_heads=config.kv_heads,
        max_position_embeddings=config.context, rms_norm_eps=config.norm_eps, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_base},
        pad_token_id=None, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip


def siglip_config(config: EncoderConfig) -> SiglipVisionConfig:
    """The encoder in the words of `transformers`: the exact GELU, and no head that pools."""
    return SiglipVisionConfig(
        hidden_size=config.width, intermediate_size=config.inner, num_hidden_layers=config.layers,
        num_attention_heads=config.heads, image_size=config.image_size, patch_size=config.patch,
        hidden_act="gelu", layer_norm_eps=config.norm_eps, vision_use_head=False,
    )  # fmt: skip
