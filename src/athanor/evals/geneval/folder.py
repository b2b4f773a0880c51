"""Images as GenEval's scripts lay them: a folder for each prompt, by its number, with the images in `samples/`.

IMAGES/00000/metadata.jsonl     the prompt's line; checked where it is there
IMAGES/00000/samples/0000.png   and so on: names of digits, PNG, JPEG or WebP
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL.Image import Image

from athanor.core.errors import DataError, UsageError
from athanor.environments.scenes.drawing import png
from athanor.environments.scenes.spec import Spec
from athanor.evals.geneval.prompts import LARGEST, decoded, line

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
_NUMBER = re.compile(r"[0-9]+", re.ASCII)
DIGITS = 5
"""Of a folder's name."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image that is there."""

    prompt: int
    name: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Images:
    """What a folder of images holds."""

    samples: tuple[Sample, ...]
    """By prompt, then by number."""
    missing: tuple[int, ...]
    """Of each prompt, how many images fewer there are than expected."""
    strangers: tuple[str, ...]
    """Folders with a number that no prompt has."""


def read(folder: Path, specs: Sequence[Spec], each: int) -> Images:
    """The images of prompts, of which `each` are expected of every one; more are taken too.

    UsageError if `folder` is none. DataError if a prompt's folder says that it was drawn for another prompt, or two
    files are the same sample.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder, one with a folder of images for each prompt was expected; pass such")
    numbered = {int(path.name): path for path in sorted(folder.iterdir()) if path.is_dir() and _digits(path.name)}
    found: list[Sample] = []
    missing = []
    for prompt, spec in enumerate(specs):
        mine = _samples(prompt, numbered[prompt], spec) if prompt in numbered else []
        found += mine
        missing.append(max(0, each - len(mine)))
    strangers = tuple(path.name for number, path in sorted(numbered.items()) if number >= len(specs))
    if not found:
        raise UsageError(
            f"{folder} has no image of any prompt, files such as {folder / ('0' * DIGITS) / 'samples' / '0000.png'} "
            "were expected; pass the folder that holds the numbered ones"
        )
    return Images(samples=tuple(found), missing=tuple(missing), strangers=strangers)


def _digits(name: str) -> bool:
    return len(name) <= 2 * DIGITS and _NUMBER.fullmatch(name) is not None


def _samples(prompt: int, folder: Path, spec: Spec) -> list[Sample]:
    _drawn_for(folder, spec)
    inside = folder / "samples"
    files = sorted(inside.iterdir()) if inside.is_dir() else []
    mine = [path for path in files if path.suffix.lower() in ENDINGS and _digits(path.stem) and path.is_file()]
    names = [int(path.stem) for path in mine]
    if twice := next((path for path in mine if names.count(int(path.stem)) > 1), None):
        raise DataError(f"{twice} has the number of another file beside it, one of each was expected; remove one")
    mine.sort(key=lambda path: int(path.stem))
    return [Sample(prompt=prompt, name=path.stem, path=path) for path in mine]


def _drawn_for(folder: Path, spec: Spec) -> None:
    """DataError if the folder's own line asks for something else."""
    file = folder / "metadata.jsonl"
    if not file.is_file():
        return
    try:
        with open(file, "rb") as opened:
            raw = opened.read(LARGEST)
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror or error}); make it readable") from error
    if decoded(raw, str(file)) != spec:
        raise DataError(
            f"{file} is not the line of prompt {int(folder.name)}, {line(spec)} was expected; pass --prompts with the "
            "file from which the images were drawn"
        )


def sample(folder: Path, prompt: int, number: int) -> Path:
    """Where an image of a prompt goes, both by their numbers."""
    return folder / f"{prompt:0{DIGITS}d}" / "samples" / f"{number:04d}.png"


def laid(folder: Path, prompt: int, spec: Spec, images: Sequence[Image]) -> Iterator[tuple[Path, bytes]]:
    """The files of a prompt: its line, then its images."""
    yield sample(folder, prompt, 0).parent.parent / "metadata.jsonl", f"{line(spec)}\n".encode()
    for number, image in enumerate(images):
        yield sample(folder, prompt, number), png(np.asarray(image))
