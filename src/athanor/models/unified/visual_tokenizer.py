"""The visual tokenizer: an image as a raster of codes, and codes as an image.

The architecture is VQ-16 of LlamaGen (Sun et al. 2024, arXiv 2406.06525, section 2.1), whose names its modules carry so
that published weights are recognised. Latents **and** codes have unit length wherever they are compared: when encoding
as well as when decoding.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from athanor.models.unified.config import VisualTokenizerConfig


class Quantised(NamedTuple):
    """Latents, and the codes that are nearest to them."""

    latents: Tensor
    """Float["batch code_size grid grid"]: the codes' unit vectors, with the gradient of what was quantised."""
    codes: Tensor
    """Int["batch grid*grid"], in raster order, 0 to codes - 1."""
    codebook: Tensor
    """Float[""]: mean squared distance, which moves the codes alone."""
    commitment: Tensor
    """Float[""]: `commitment` times the same, which moves the latents alone."""


class Reconstruction(NamedTuple):
    """What training needs of a batch of images."""

    pixels: Tensor
    """Float["batch 3 size size"], about -1 to 1."""
    quantised: Quantised


class Normalisation(nn.GroupNorm):
    def __init__(self, groups: int, channels: int) -> None:
        super().__init__(groups, channels, eps=1e-6)


class ResidualBlock(nn.Module):
    """Twice normalisation, swish and a 3x3 convolution, beside the identity or a 1x1 convolution."""

    def __init__(self, groups: int, channels: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = Normalisation(groups, channels), nn.Conv2d(channels, out, 3, padding=1)
        self.norm2, self.conv2 = Normalisation(groups, out), nn.Conv2d(out, out, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(channels, out, 1) if channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        """Float["batch channels h w"] to Float["batch out h w"]."""
        inner = self.conv1(F.silu(self.norm1(x)))
        inner = self.conv2(F.silu(self.norm2(inner)))
        return (x if self.nin_shortcut is None else self.nin_shortcut(x)) + inner


class AttentionBlock(nn.Module):
    """One head of attention over all places of the image."""

    def __init__(self, groups: int, channels: int) -> None:
        super().__init__()
        self.norm = Normalisation(groups, channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """Float["batch channels h w"] to the same."""
        normed = self.norm(x)
        q, k, v = (convolution(normed).flatten(2).transpose(1, 2) for convolution in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return x + self.proj_out(mixed.transpose(1, 2).reshape(x.shape))


class Halving(nn.Module):
    """Half the side: a strided convolution, padded on the right and below alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Float["batch channels h w"] to Float["batch channels h/2 w/2"]."""
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Doubling(nn.Module):
    """Twice the side: nearest neighbours, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Float["batch channels h w"] to Float["batch channels 2h 2w"]."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """Residual blocks of one resolution, with attention after each if asked, then a change of resolution."""

    def __init__(self, groups: int, channels: int, out: int, blocks: int, attention: bool) -> None:
        super().__init__()
        self.res = nn.ModuleList(ResidualBlock(groups, channels if j == 0 else out, out) for j in range(blocks))
        self.attn = nn.ModuleList(AttentionBlock(groups, out) for _ in range(blocks if attention else 0))
        self.downsample: Halving | None = None
        self.upsample: Doubling | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Float["batch channels h w"] to Float["batch out h' w'"]."""
        for j, block in enumerate(self.res):
            x = block(x)
            if len(self.attn):
                x = self.attn[j](x)
        for change in (self.downsample, self.upsample):
            x = x if change is None else change(x)
        return x


def _middle(config: VisualTokenizerConfig, channels: int) -> nn.ModuleList:
    """A residual block, attention, a residual block."""
    attention = AttentionBlock(config.groups, channels) if config.attention else nn.Identity()
    blocks = (ResidualBlock(config.groups, channels, channels) for _ in range(2))
    return nn.ModuleList([next(blocks), attention, next(blocks)])


class Encoder(nn.Module):
    """LlamaGen's encoder: every latent has seen the whole image."""

    def __init__(self, config: VisualTokenizerConfig) -> None:
        super().__init__()
        widths = [config.channels * m for m in config.multipliers]
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(3, config.channels, 3, padding=1)
        self.conv_blocks = nn.ModuleList()
        for i, (channels, out) in enumerate(zip([config.channels, *widths], widths, strict=False)):
            attention = config.attention and i == last
            level = Level(config.groups, channels, out, config.residual_blocks, attention)
            level.downsample = Halving(out) if i < last else None
            self.conv_blocks.append(level)
        self.mid = _middle(config, widths[-1])
        self.norm_out = Normalisation(config.groups, widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], config.latent, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Float["batch 3 size size"], -1 to 1, to Float["batch latent grid grid"]."""
        x = self.conv_in(pixels)
        for block in (*self.conv_blocks, *self.mid):
            x = block(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class PatchEncoder(nn.Module):
    """An encoder without context: a latent depends on the pixels of its own patch alone."""

    def __init__(self, config: VisualTokenizerConfig) -> None:
        super().__init__()
        width = 4 * config.latent
        self.conv_in = nn.Conv2d(3, width, config.patch, stride=config.patch)
        self.up = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(config.residual_blocks))
        self.conv_out = nn.Conv2d(width, config.latent, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Float["batch 3 size size"], -1 to 1, to Float["batch latent grid grid"]."""
        x = self.conv_in(pixels)
        for convolution in self.up:
            x = x + convolution(F.silu(x))
        return self.conv_out(F.silu(x))


class Decoder(nn.Module):
    """LlamaGen's decoder."""

    def __init__(self, config: VisualTokenizerConfig) -> None:
        super().__init__()
        widths = [config.channels * m for m in reversed(config.multipliers)]
        self.conv_in = nn.Conv2d(config.latent, widths[0], 3, padding=1)
        self.mid = _middle(config, widths[0])
        self.conv_blocks = nn.ModuleList()
        for i, (channels, out) in enumerate(zip([widths[0], *widths], widths, strict=False)):
            attention = config.attention and i == 0
            level = Level(config.groups, channels, out, config.residual_blocks + 1, attention)
            level.upsample = Doubling(out) if i < len(widths) - 1 else None
            self.conv_blocks.append(level)
        self.norm_out = Normalisation(config.groups, widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Float["batch latent grid grid"] to Float["batch 3 size size"]."""
        x = self.conv_in(latents)
        for block in (*self.mid, *self.conv_blocks):
            x = block(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class Quantiser(nn.Module):
    """A table of codes, looked up by angle."""

    def __init__(self, config: VisualTokenizerConfig) -> None:
        super().__init__()
        self.commitment = config.commitment
        self.embedding = nn.Embedding(config.codes, config.code_size)

    def table(self) -> Tensor:
        """Float["codes code_size"]: the codes' unit vectors."""
        return F.normalize(self.embedding.weight, dim=-1)

    def forward(self, latents: Tensor) -> Quantised:
        """The nearest codes of Float["batch code_size grid grid"], of any length; gradients pass straight through."""
        places = F.normalize(latents.permute(0, 2, 3, 1), dim=-1)
        table = self.table()
        with torch.no_grad():  # |z|^2 and |e|^2 are 1, so that the nearest is the one with the largest product
            codes = (places.flatten(0, 2) @ table.t()).argmax(-1).view(places.shape[:3])
        chosen = table[codes]
        codebook = (chosen - places.detach()).square().mean()
        commitment = self.commitment * (chosen.detach() - places).square().mean()
        passed = places + (chosen - places).detach()
        return Quantised(passed.permute(0, 3, 1, 2), codes.flatten(1), codebook, commitment)


class VisualTokenizer(nn.Module):
    """Images to codes and back."""

    def __init__(self, config: VisualTokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config) if config.encoder == "pyramid" else PatchEncoder(config)
        self.decoder = Decoder(config)
        self.quantize = Quantiser(config)
        self.quant_conv = nn.Conv2d(config.latent, config.code_size, 1)
        self.post_quant_conv = nn.Conv2d(config.code_size, config.latent, 1)

    def latents(self, pixels: Tensor) -> Tensor:
        """Float["batch code_size grid grid"], not yet of unit length, of Float["batch 3 size size"], -1 to 1."""
        return self.quant_conv(self.encoder(pixels))

    def encode(self, pixels: Tensor) -> Tensor:
        """Int["batch grid*grid"], in raster order, of Float["batch 3 size size"], -1 to 1. In the weights' precision,
        whatever autocast asks for: in bfloat16 the nearest of two close codes is another one."""
        with torch.autocast(pixels.device.type, enabled=False):
            return cast("Quantised", self.quantize(self.latents(pixels))).codes

    def decode(self, codes: Tensor) -> Tensor:
        """Float["batch 3 size size"], about -1 to 1, of Int["batch grid*grid"]; precision as `encode`."""
        side = self.config.grid
        with torch.autocast(codes.device.type, enabled=False):
            vectors = F.normalize(self.quantize.embedding(codes), dim=-1)
            return self.paint(vectors.view(len(codes), side, side, -1).permute(0, 3, 1, 2))

    def paint(self, latents: Tensor) -> Tensor:
        """Float["batch 3 size size"] of latents of unit length, Float["batch code_size grid grid"]."""
        return self.decoder(self.post_quant_conv(latents))

    def forward(self, pixels: Tensor) -> Reconstruction:
        """Float["batch 3 size size"], -1 to 1, to codes and back."""
        quantised = cast("Quantised", self.quantize(self.latents(pixels)))
        return Reconstruction(self.paint(quantised.latents), quantised)
