"""Shapes of unified models. The grids of the two sides, to understand and to draw, are independent.

Sizes of the published models: Chen et al. 2025 (arXiv 2501.17811), tables 1 and 2, and their released configurations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from athanor.core.errors import UsageError

Understanding = Literal["encoder", "codes"]
"""How images are understood: by an encoder of their own, or by the codes that they are drawn with."""
Mean = Literal["task", "token"]
"""What a loss is a mean over: each task's tokens, summed over tasks, or all tokens, as published (Wu et al. 2024,
section 3.3: cross-entropy, and no task has a weight), where the ratio of samples weighs the tasks."""


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """The language model: a Llama. Its defaults are those that the released configurations leave out."""

    vocabulary: int
    """Rows of the table of tokens, at least as many as the text tokenizer has ids."""
    width: int
    inner: int
    """Width of the gated network."""
    layers: int
    heads: int
    kv_heads: int
    """Heads of keys and values; each is shared by heads / kv_heads heads of queries."""
    context: int
    """Tokens of a sequence, at most."""
    norm_eps: float = 1e-6
    rope_base: float = 10_000.0


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The tower that images are understood with: a SigLIP vision transformer, all its patches used, nothing pooled."""

    image_size: int
    """Pixels a side."""
    patch: int
    width: int
    inner: int
    layers: int
    heads: int
    norm_eps: float = 1e-6

    @property
    def tokens(self) -> int:
        """Soft tokens of an image."""
        return (self.image_size // self.patch) ** 2


@dataclass(frozen=True, kw_only=True)
class VisualTokenizerConfig:
    """The tokenizer that images are drawn with: VQ-16 of LlamaGen (Sun et al. 2024) at the defaults."""

    image_size: int = 384
    channels: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    """Channels of each level over `channels`; between two levels the side is halved."""
    residual_blocks: int = 2
    """Of each level of the encoder; the decoder has one more."""
    groups: int = 32
    """Of group normalisation."""
    latent: int = 256
    """Channels between the convolutions and the codes."""
    codes: int = 16_384
    code_size: int = 8
    commitment: float = 0.25
    """Weight of the commitment loss."""
    encoder: Literal["pyramid", "patches"] = "pyramid"
    """`pyramid` is LlamaGen's; with `patches` a code depends on the pixels of its own patch alone, so that equal
    patches have equal codes, which are easier to predict."""
    attention: bool = True
    """Whether there is self-attention at the lowest resolution."""

    @property
    def grid(self) -> int:
        """Codes a side."""
        return self.image_size // self.patch

    @property
    def patch(self) -> int:
        """Pixels a side that one code stands for."""
        return 2 ** (len(self.multipliers) - 1)

    @property
    def tokens(self) -> int:
        """Codes of an image, in raster order."""
        return self.grid**2


@dataclass(frozen=True, kw_only=True)
class UnifiedConfig:
    """The shape of the whole. UsageError if its parts cannot be put together."""

    backbone: BackboneConfig
    encoder: EncoderConfig
    tokenizer: VisualTokenizerConfig = field(default_factory=VisualTokenizerConfig)
    adaptor_depth: int = 2
    """Linear layers of each of the two adaptors."""
    understanding: Understanding = "encoder"
    """How images are understood: through an encoder of their own, or by the codes that they would be drawn with,
    through the table and the adaptor of codes, as in experiment A of the ablation of Janus (Wu et al. 2024, arXiv
    2410.13848). With `codes` the encoder and its adaptor are there and unused: both kinds begin from the same
    weights."""

    @property
    def seen(self) -> int:
        """Soft tokens of an image to understand."""
        return self.encoder.tokens if self.understanding == "encoder" else self.tokenizer.tokens

    @property
    def seen_size(self) -> int:
        """Pixels a side of an image to understand."""
        return self.encoder.image_size if self.understanding == "encoder" else self.tokenizer.image_size

    def __post_init__(self) -> None:
        for found, of, what in (
            (self.backbone.width, self.backbone.heads, "the backbone's width of its heads"),
            (self.backbone.heads, self.backbone.kv_heads, "the backbone's heads of its kv_heads"),
            (self.backbone.width // max(self.backbone.heads, 1), 2, "the width of a head of"),
            (self.encoder.width, self.encoder.heads, "the encoder's width of its heads"),
            (self.encoder.image_size, self.encoder.patch, "the encoder's image_size of its patch"),
            (self.tokenizer.image_size, self.tokenizer.patch, "the tokenizer's image_size of its patch"),
            (self.tokenizer.latent, self.tokenizer.groups, "the tokenizer's latent of its groups"),
            (self.tokenizer.channels, self.tokenizer.groups, "the tokenizer's channels of its groups"),
        ):
            if found < 1 or of < 1 or found % of:
                raise UsageError(f"a unified model cannot have this shape: {found} is no multiple ({what} {of})")


def _janus(backbone: BackboneConfig) -> UnifiedConfig:
    tower = EncoderConfig(image_size=384, patch=16, width=1024, inner=4096, layers=24, heads=16)
    return UnifiedConfig(backbone=backbone, encoder=tower)


_SMALL = BackboneConfig(
    vocabulary=102_400, width=2048, inner=5632, layers=24, heads=16, kv_heads=16, context=16_384
)  # fmt: skip
JANUS_1B3 = _janus(_SMALL)
JANUS_PRO_1B = _janus(_SMALL)
JANUS_PRO_7B = _janus(
    BackboneConfig(vocabulary=102_400, width=4096, inner=11_008, layers=30, heads=32, kv_heads=32, context=16_384)
)

TINY = UnifiedConfig(
    backbone=BackboneConfig(vocabulary=256, width=192, inner=512, layers=6, heads=6, kv_heads=6, context=512),
    encoder=EncoderConfig(image_size=48, patch=16, width=128, inner=512, layers=4, heads=4),
    tokenizer=VisualTokenizerConfig(
        image_size=48, channels=8, multipliers=(1, 2, 4, 8), residual_blocks=0, groups=4, latent=64, codes=512,
        encoder="patches", attention=False,
    ),
)  # fmt: skip
"""The default: trained from nothing on two cores."""

SHAPES = {"tiny": TINY, "janus-1.3b": JANUS_1B3, "janus-pro-1b": JANUS_PRO_1B, "janus-pro-7b": JANUS_PRO_7B}
