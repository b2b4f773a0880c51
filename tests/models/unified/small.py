"""Small unified models of random weights, and tokenizers for them; nothing is downloaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from athanor.models.unified.config import BackboneConfig, EncoderConfig, UnifiedConfig, VisualTokenizerConfig
from athanor.models.unified.initial import initialise
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.text_tokenizer import FAST_FILE, SPECIAL_NAMES, FastTokenizer, WordTokenizer
from athanor.models.unified.unified import Unified, fresh

TEXT = "a red blue two circle circles square left right of the how many what colour is ? . :"
WORDS = WordTokenizer(tuple(TEXT.split()))
OTHER = UnifiedConfig(
    backbone=BackboneConfig(vocabulary=40, width=32, inner=48, layers=2, heads=4, kv_heads=2, context=160),
    encoder=EncoderConfig(image_size=32, patch=8, width=16, inner=32, layers=2, heads=2),
    tokenizer=VisualTokenizerConfig(
        image_size=40, channels=8, multipliers=(1, 2, 2), residual_blocks=1, groups=4, latent=8, codes=50, code_size=4
    ),
)
"""Grids of two sizes (10x10 codes, 4x4 patches), shared heads of keys: what the class of transformers cannot hold."""
JANUS = UnifiedConfig(
    backbone=BackboneConfig(vocabulary=512, width=48, inner=64, layers=2, heads=4, kv_heads=4, context=256),
    encoder=EncoderConfig(image_size=32, patch=8, width=32, inner=128, layers=2, heads=4),
    tokenizer=VisualTokenizerConfig(
        image_size=32, channels=32, multipliers=(1, 1, 2, 2), residual_blocks=2, latent=32, codes=64, code_size=8
    ),
)
"""In the shape of the published models."""


def model(config: UnifiedConfig = OTHER, seed: int = 0) -> UnifiedModel:
    """Random weights, not a norm of 1 among the codes, no bias of 0 and no gain of 1."""
    made = initialise(UnifiedModel(config), torch.Generator().manual_seed(seed)).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for weight in made.parameters():
            if weight.ndim == 1:
                weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
        codebook = made.visual_tokenizer.quantize.embedding.weight
        codebook.mul_((0.3 * torch.randn(len(codebook), 1, generator=generator)).exp())
    return made


def unified(config: UnifiedConfig = OTHER, seed: int = 0) -> Unified:
    return fresh(model(config, seed), WORDS)


def tokenizer_file(before: int = 0) -> bytes:
    """A `tokenizer.json` with the published special tokens, whose ids `before` moves, as releases differ."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    inner: Any = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet)  # type: ignore[call-arg]
    inner.train_from_iterator(
        ["two red circles left of a blue square", "User: Assistant: <|User|>: <|Assistant|>:"], trainer
    )
    inner.add_special_tokens([f"<unused {i}>" for i in range(before)])
    inner.add_special_tokens(list(SPECIAL_NAMES))
    return inner.to_str().encode()


def fast(before: int = 0) -> FastTokenizer:
    return FastTokenizer({FAST_FILE: tokenizer_file(before)}, "tokenizer.json")


def published(seed: int = 0, before: int = 0) -> Unified:
    """A small model in the published shape with a tokenizer in the published format."""
    return replace(fresh(model(JANUS, seed), fast(before)), template="janus-pro")


def saved(path: Path, content: Unified, layout: Any = "original") -> Path:
    from athanor.models.unified.checkpoints import write

    write(path, content, layout)
    return path
