"""A small model that draws pictures which the judge of scenes can see, from prompts of scenes."""

from __future__ import annotations

from dataclasses import replace

from athanor.environments.scenes.words import COLOUR_NAMES, SHAPES
from athanor.environments.scenes.words import WORDS as ALL
from athanor.models.unified.config import VisualTokenizerConfig
from athanor.models.unified.text_tokenizer import WordTokenizer
from athanor.models.unified.unified import Unified, fresh
from tests.models.unified.small import OTHER, model

TEXT = "a an photo of : and what color shape is the ? ."
WORDS = WordTokenizer((*TEXT.split(), *SHAPES, *COLOUR_NAMES))
EVERY_WORD = WordTokenizer((*ALL, ":"))
DRAWS = replace(
    OTHER,
    tokenizer=VisualTokenizerConfig(
        image_size=48, channels=8, multipliers=(1, 1, 1, 1, 1), residual_blocks=1, groups=4, latent=8, codes=20,
        code_size=4, encoder="patches", attention=False,
    ),
)  # fmt: skip
"""9 codes an image."""


def small(seed: int = 0) -> Unified:
    return fresh(model(DRAWS, seed), WORDS)
