"""What prompts that leave words out do for held-out combinations: python benchmarks/held_out_words.py [--steps 300]

A backbone of the default shape learns to draw, from nothing, over the visual tokenizer of the package's own model: once
from whole prompts alone, once with half of them leaving words out. Nats of pictures above the exact entropy of the
scene given the prompt, on prompts of training (seen) and on held-out ones. One thread, CPU seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from time import process_time

import numpy as np
import torch

from athanor.core.seeds import digest
from athanor.environments.scenes.batches import Source, batch, entropies
from athanor.environments.scenes.splits import Part, split_of
from athanor.models.unified.checkpoints import read
from athanor.models.unified.embedded import folder_of
from athanor.models.unified.initial import start_from_codebook
from athanor.training.precision import halves
from athanor.training.unified.joint import Trainer
from athanor.training.unified.lessons import Example
from athanor.training.unified.measures import picture_nats
from athanor.training.unified.recipes import tiny
from athanor.training.unified.run import begun
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.teaching import drawings

TOLD = ("colors", "color_attr", "counting", "cards")


def pictures(part: Part, each: int) -> list[Example]:
    """So many of each category whose prompts tell combinations."""
    found: list[Example] = []
    for category in TOLD:
        source = Source(split=split_of(part), weights=((category, 1.0),))
        some = batch(source, digest(3, "words", category), 0, each)
        found += [
            Example(picture=image, prompt=prompt, category=category, entropy=nats)
            for image, prompt, nats in zip(some.images, some.captions, entropies(source, some), strict=True)
        ]
    return found


def above(unified, those: Sequence[Example]) -> dict[str, float]:
    """Nats above the entropy, by category."""
    nats = picture_nats(unified, drawings(unified, those))
    over = [n - (one.entropy or 0.0) for n, one in zip(nats, those, strict=True)]
    return {name: float(np.mean([x for x, one in zip(over, those, strict=True) if one.category == name]))
            for name in TOLD}  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--steps", type=int, default=300)
    asked.add_argument("--samples", type=int, default=48)
    asked.add_argument("--each", type=int, default=32)
    given = asked.parse_args()
    torch.set_num_threads(1)
    recipe = tiny(1)
    stage = next(one for one in recipe.stages if one.name == "II")
    dose = replace(stage.dose, samples=given.samples, ratio=(0, 0, 1))
    stage = replace(stage, steps=given.steps, dose=dose, dense=0.15)
    seen, held = pictures("train", given.each), pictures("test", given.each)
    print(f"{'words left out':>15} {'CPU s':>6}  " + "  ".join(f"{name:>20}" for name in TOLD) + "   (seen, held out)")
    for veiled in (0.0, 0.5):
        unified = begun(recipe, "cpu")
        unified.model.visual_tokenizer.load_state_dict(read(folder_of(None)).to("cpu", torch.float32)
                                                       .model.visual_tokenizer.state_dict())  # fmt: skip
        start_from_codebook(unified.model)
        source = Scenes(seed=5, weights=stage.weights, dense=stage.dense, veiled=veiled)
        trainer, begin = Trainer(unified, stage, source, 7, half=halves("cpu")), process_time()
        for step in range(given.steps):
            trainer.step(step)
        spent = process_time() - begin
        unified.model.eval()
        a, b = above(unified, seen), above(unified, held)
        print(f"{veiled:15.0%} {spent:6.0f}  " + "  ".join(f"{a[name]:9.2f} {b[name]:10.2f}" for name in TOLD))


if __name__ == "__main__":
    main()
