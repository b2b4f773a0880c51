"""A recipe so small that all of it takes seconds."""

from __future__ import annotations

from dataclasses import replace

from athanor.models.unified.config import BackboneConfig, EncoderConfig, UnifiedConfig, VisualTokenizerConfig
from athanor.training.unified.encoder import EncoderRecipe
from athanor.training.unified.recipes import Recipe, tiny
from athanor.training.unified.scores import Trial
from athanor.training.unified.tokenizer import TokenizerRecipe

SHAPE = UnifiedConfig(
    backbone=BackboneConfig(vocabulary=128, width=16, inner=32, layers=1, heads=2, kv_heads=2, context=256),
    encoder=EncoderConfig(image_size=48, patch=16, width=16, inner=32, layers=1, heads=2),
    tokenizer=VisualTokenizerConfig(
        image_size=48, channels=4, multipliers=(1, 1, 2, 2), residual_blocks=0, groups=2, latent=8, codes=32,
        code_size=4, encoder="patches", attention=False,
    ),
)  # fmt: skip


def micro(seed: int = 1, steps: int = 2) -> Recipe:
    """Every part of the default with `steps` steps, on few samples."""
    whole = tiny(seed)
    return replace(
        whole, shape=SHAPE, tokenizer=TokenizerRecipe(steps=steps, batch=3, warm=1, reseed=1),
        encoder=EncoderRecipe(steps=steps, batch=4, layers=1), every=1, measured=1, watch=Trial(many=1, seed=1),
        final=Trial(many=2), stages=tuple(
            replace(stage, steps=steps, warm=1, dose=replace(stage.dose, samples=6)) for stage in whole.stages
        ),
    )  # fmt: skip
