"""Prompts of a category, with their words and, where that is wanted, a scene for each."""

from __future__ import annotations

import msgspec
import numpy as np

from athanor.environments.scenes.sample import dense, plans, realise, specs
from athanor.environments.scenes.scene import Grids, Scene, Style, scenes
from athanor.environments.scenes.spec import Spec, described, tell
from athanor.environments.scenes.splits import Split


def prompts(category: str, style: Style, split: Split, rng: np.random.Generator, batch: int) -> list[Spec]:
    """So many specifications of a category, with prompts in GenEval's wording."""
    return worded(drawn(category, style, split, rng, batch)[0])


def drawn(category: str, style: Style, split: Split, rng: np.random.Generator, batch: int) -> tuple[list[Spec], Grids]:
    """So many specifications, without words, and a scene for each."""
    if category == "dense":
        made = dense(style, split, rng, batch)
        return describe(scenes(made), style), made
    asked = plans(category, style, split, rng, batch)
    return specs(category, asked), realise(asked, style, split, rng)


def describe(those: list[Scene], style: Style) -> list[Spec]:
    """Dense specifications of scenes; sizes and textures are told where the style has several."""
    sizes, textures = len(style.sizes) > 1, len(style.textures) > 1
    return [described(scene, sizes=sizes, textures=textures) for scene in those]


def worded(those: list[Spec], wording: int = 0) -> list[Spec]:
    """With their prompts."""
    return [msgspec.structs.replace(spec, prompt=tell(spec, wording)) for spec in those]
