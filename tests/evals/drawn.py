"""Small fakes: a detector that knows what it finds, and folders of images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from athanor.environments.scenes.seeing import Found
from athanor.environments.scenes.spec import Entry, Spec
from athanor.evals.geneval.detecting import Box, Seen, Thing
from athanor.evals.geneval.prompts import CLASSES, COLOURS, line, told

BENCH = told("single_object", Entry(kind="bench"))
CLOCKS = told("counting", Entry(kind="clock", count=2))
PINK = told("colors", Entry(kind="car", colour="pink"))
DOG = told("position", Entry(kind="cat"), Entry(kind="dog", position=("left of", 0)))
BOTH = told("color_attr", Entry(kind="cup", colour="green"), Entry(kind="pizza", colour="red"))


def thing(kind: str, confidence: float = 0.95, box: Box = (10, 10, 20, 20), colour: str | None = None) -> Thing:
    return Thing(found=Found(kind=kind, box=box, confidence=confidence, colour=colour))


class Finds:
    """A detector that finds what it was told, by the red of the picture's first pixel."""

    name = "fake"
    classes = CLASSES
    whole = False

    def __init__(self, *answers: Sequence[Thing]) -> None:
        self.answers = answers
        self.seen = 0

    def see(self, image: Image.Image) -> Seen:
        self.seen += 1
        pixel = image.getpixel((0, 0))
        assert isinstance(pixel, tuple)
        return Seen(things=tuple(self.answers[pixel[0]]))


class Names:
    """Names colours as the things tell them, and counts how often it is asked."""

    name = "fake"
    colours = COLOURS

    def __init__(self) -> None:
        self.asked: list[str] = []

    def named(self, image: Image.Image, things: Sequence[Thing], kind: str) -> tuple[str | None, ...]:
        self.asked += [kind] * len(things)
        return tuple(one.found.colour for one in things)


def png(red: int = 0, size: tuple[int, int] = (32, 32)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, (red, 0, 0)).save(data, "PNG")
    return data.getvalue()


def lay(folder: Path, specs: Sequence[Spec], images: Sequence[Sequence[bytes]]) -> Path:
    """A folder as GenEval's scripts make it."""
    for prompt, (spec, mine) in enumerate(zip(specs, images, strict=True)):
        inside = folder / f"{prompt:05d}" / "samples"
        inside.mkdir(parents=True)
        (inside.parent / "metadata.jsonl").write_text(line(spec))
        (inside.parent / "grid.png").write_bytes(png())
        for sample, data in enumerate(mine):
            (inside / f"{sample:05d}.png").write_bytes(data)
    return folder
