"""Scenes a second, on one core: python benchmarks/scenes.py [--scenes 20000] [--json]

Pictures drawn at once beside the same pictures drawn one by one with Pillow's shapes, and beside a copy of the finished
array, which is the bandwidth of memory; whole batches with captions, questions and answers; the checker.
CPU seconds. The first batches, which fill the tables of painted cells, are not counted.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from time import process_time

import numpy as np
from PIL import Image, ImageDraw

from athanor.core.seeds import stream
from athanor.environments.scenes import STYLES, Judge, Scene, split_of
from athanor.environments.scenes.batches import Source, batch, entropies
from athanor.environments.scenes.drawing import render, roughen
from athanor.environments.scenes.sample import dense
from athanor.environments.scenes.scene import Grids, centre, scenes
from athanor.environments.scenes.sprites import CORNERS_OF
from athanor.environments.scenes.words import COLOURS, FINE, SIZES

SIZE = 512
"""Scenes of a batch."""


def with_pillow(scene: Scene, pixels: int) -> np.ndarray:
    """The picture that a plain loop draws: four times as large, then made smaller."""
    large = pixels * 4
    whole = Image.new("RGB", (large, large), (scene.background,) * 3)
    pen = ImageDraw.Draw(whole)
    for thing in scene.things:
        (x, y), r = centre(thing.cell, thing.dx, thing.dy), SIZES[thing.size] / FINE * large
        x, y, fill = x * large, y * large, COLOURS[thing.colour]
        if thing.shape in ("circle", "ring"):
            pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)
            if thing.shape == "ring":
                pen.ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill=(scene.background,) * 3)
        elif thing.shape == "square":
            pen.rectangle((x - 0.84 * r, y - 0.84 * r, x + 0.84 * r, y + 0.84 * r), fill=fill)
        elif thing.shape == "cross":
            pen.rectangle((x - 0.96 * r, y - 0.32 * r, x + 0.96 * r, y + 0.32 * r), fill=fill)
            pen.rectangle((x - 0.32 * r, y - 0.96 * r, x + 0.32 * r, y + 0.96 * r), fill=fill)
        else:
            pen.polygon([(x + dx * r, y + dy * r) for dy, dx in CORNERS_OF[thing.shape]], fill=fill)
    return np.asarray(whole.resize((pixels, pixels), Image.Resampling.BOX))


def rate(many: int, step) -> float:
    begun = process_time()
    step()
    return many / max(process_time() - begun, 1e-9)


def pictures(pixels: int, many: int) -> dict[str, float]:
    """Pictures a second at one resolution, and how far the loop's lie from ours on average, in grey levels."""
    style, whole = STYLES["jittered"], split_of("all")
    made = dense(style, whole, stream(0, "benchmark"), many)
    parts = [
        Grids(**{f.name: getattr(made, f.name)[k : k + SIZE] for f in fields(Grids)}) for k in range(0, many, SIZE)
    ]
    for part in parts:
        render(part, pixels)
    images = render(made, pixels)
    some = scenes(made)[: min(many, 1_000)]
    apart = np.abs(images[: len(some)].astype(int) - np.stack([with_pillow(one, pixels) for one in some])).mean()
    rough = STYLES["textured"]
    return {
        "drawn": rate(many, lambda: [render(part, pixels) for part in parts]),
        "drawn one by one with Pillow": rate(len(some), lambda: [with_pillow(one, pixels) for one in some]),
        "copied": rate(many, lambda: images.copy()),
        "grain and shade": rate(many, lambda: roughen(images, rough, stream(0, "rough"))),
        "mean difference from Pillow's, of 255": float(apart),
    }


def batches(name: str, many: int) -> dict[str, float]:
    source, count = Source(style=STYLES[name]), max(1, many // SIZE)
    for index in range(8):
        batch(source, 1, index, SIZE)
    one = batch(source, 0, 0, SIZE)
    images, judge = one.images, Judge()
    passed = 0

    def look() -> None:
        nonlocal passed
        passed = sum(judge.judged(image, spec).passed for image, spec in zip(images, one.specs, strict=True))

    look()
    return {
        "batches": rate(count * SIZE, lambda: [batch(source, 0, index, SIZE) for index in range(count)]),
        "entropies": rate(SIZE, lambda: entropies(source, one)),
        "judged": rate(SIZE, look),
        "passed": passed / SIZE,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told = {
        "48 pixels": pictures(48, options.scenes),
        "384 pixels": pictures(384, max(64, options.scenes // 100)),
        **{f"batches, {name}": batches(name, options.scenes) for name in STYLES},
    }
    if options.json:
        print(json.dumps(told, indent=2))
        return
    for name, rows in told.items():
        for what, value in rows.items():
            print(f"{name:<20} {what:<38} {value:>12,.{2 if value < 100 else 0}f}")
        if "drawn" in rows:
            times, share = rows["drawn"] / rows["drawn one by one with Pillow"], rows["drawn"] / rows["copied"]
            print(f"{name:<20} drawn over Pillow's loop: {times:.0f} times; {share:.0%} of the rate of a copy")


if __name__ == "__main__":
    main()
