"""GenEval's prompts: made again as they were made, and read from files.

What the published file's generator does is told in the benchmark's code: from one numpy generator it draws all classes
in a random order, then a hundred prompts of each further category, and leaves out what came before. Done so, the file
comes out byte for byte; its SHA-256 says whether it did.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from athanor.core.errors import DataError
from athanor.environments.scenes.spec import Entry, Spec, counting, tell
from athanor.environments.scenes.words import RELATIONS

DIGEST = "5c48e0813e812e3c373fa5c8ed07a8f0a483be30272b4427b0559c8048e67c13"
"""SHA-256 of `prompts/evaluation_metadata.jsonl` of djghosh13/geneval at af4902f, 553 lines."""
SEED = 43
DRAWN = 100
"""Prompts drawn of each category but the first, before those that came before are left out."""
MOST = 4
"""Of a thing, in counting; the least is 2."""
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "computer mouse", "tv remote", "computer keyboard", "cell phone", "microwave", "oven", "toaster",
    "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""COCO's 80, in its order, three of them renamed (COCO: mouse, remote, keyboard). The first is never coloured."""
MOST_ASKED = 16
"""Of a thing in one entry: no more are looked at."""
LARGEST = 16_000_000
"""Bytes of a file of prompts."""


@cache
def published() -> tuple[Spec, ...]:
    """The 553 prompts. DataError if they do not come out as published: numpy may change what its generators draw."""
    rng = np.random.default_rng(SEED)
    drawn = [single(CLASSES[index]) for index in rng.choice(len(CLASSES), size=len(CLASSES), replace=False)]
    for draw in (_two, _counting, _colour, _position, _colours):
        drawn += [draw(rng) for _ in range(DRAWN)]
    found = tuple(dict.fromkeys(drawn))
    if (was := digest(found)) != DIGEST:
        raise DataError(
            f"numpy {np.__version__} draws prompts with SHA-256 {was[:12]}..., {DIGEST[:12]}... was expected; pass "
            "the published evaluation_metadata.jsonl with --prompts, or install another numpy"
        )
    return found


def single(kind: str) -> Spec:
    return told("single_object", Entry(kind=kind))


def told(tag: str, *include: Entry) -> Spec:
    """A specification with its prompt."""
    spec = counting(include[0].kind, include[0].count) if tag == "counting" else Spec(tag=tag, include=include)
    return msgspec.structs.replace(spec, prompt=tell(spec))


def _pair(rng: np.random.Generator, n: int) -> tuple[int, int]:
    first, second = rng.choice(n, size=2, replace=False).tolist()
    return first, second


def _two(rng: np.random.Generator) -> Spec:
    first, second = _pair(rng, len(CLASSES))
    return told("two_object", Entry(kind=CLASSES[first]), Entry(kind=CLASSES[second]))


def _counting(rng: np.random.Generator) -> Spec:
    kind = CLASSES[rng.choice(len(CLASSES))]
    return told("counting", Entry(kind=kind, count=int(rng.integers(2, MOST, endpoint=True))))


def _colour(rng: np.random.Generator) -> Spec:
    kind = CLASSES[1 + rng.choice(len(CLASSES) - 1)]
    return told("colors", Entry(kind=kind, colour=COLOURS[rng.choice(len(COLOURS))]))


def _position(rng: np.random.Generator) -> Spec:
    """The thing that the prompt names first is the second drawn and the last entry."""
    subject, reference = _pair(rng, len(CLASSES))
    relation = ORDER[rng.choice(len(ORDER))]
    return told(
        "position", Entry(kind=CLASSES[reference]), Entry(kind=CLASSES[subject], position=(relation, 0))
    )  # fmt: skip


ORDER = ("left of", "right of", "above", "below")
"""Relations in the order in which they are drawn by number."""


def _colours(rng: np.random.Generator) -> Spec:
    kinds, colours = _pair(rng, len(CLASSES) - 1), _pair(rng, len(COLOURS))
    entries = [Entry(kind=CLASSES[1 + k], colour=COLOURS[c]) for k, c in zip(kinds, colours, strict=True)]
    return told("color_attr", *entries)


def line(spec: Spec) -> str:
    """A prompt as a line of the published file, without its end."""
    parts: dict[str, Any] = {"tag": spec.tag, "include": [_entry(one) for one in spec.include]}
    if spec.exclude:
        parts["exclude"] = [_entry(one) for one in spec.exclude]
    return json.dumps({**parts, "prompt": spec.prompt})


def _entry(entry: Entry) -> dict[str, Any]:
    given = msgspec.to_builtins(entry)
    return {
        "class": entry.kind,
        "count": entry.count,
        **{k: v for k, v in given.items() if k not in ("class", "count")},
    }


def written(specs: Iterable[Spec]) -> bytes:
    """Prompts as a file, in the published form."""
    return "".join(f"{line(spec)}\n" for spec in specs).encode()


def digest(specs: Iterable[Spec]) -> str:
    """SHA-256 of prompts as a file."""
    return hashlib.sha256(written(specs)).hexdigest()


def read(path: Path) -> tuple[Spec, ...]:
    """The prompts of a file in the published form; of scenes, an entry may have more attributes.

    DataError, naming the line, for one that is none, asks for what cannot be judged, or has no words.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); pass a file of prompts") from error
    if len(data) > LARGEST:
        raise DataError(f"{path} has more than {LARGEST:,} bytes, a file of prompts was expected; pass a smaller one")
    found = [decoded(raw, f"{path}:{number}") for number, raw in enumerate(data.splitlines(), 1) if raw.strip()]
    if not found:
        raise DataError(f"{path} is empty, one JSON object a line was expected; pass a file of prompts")
    return tuple(found)


def decoded(raw: bytes, where: str) -> Spec:
    """A line. DataError that names `where`."""
    try:
        spec = msgspec.json.decode(raw, type=Spec)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(
            f"{where} is no prompt ({str(error)[:200]}); a line such as {line(single('bench'))} was expected"
        ) from error
    if wrong := _wrong(spec):
        raise DataError(f"{where} {wrong}; correct the line")
    return spec


def _wrong(spec: Spec) -> str:
    """What is wrong with a prompt, or nothing."""
    if not spec.include or not spec.prompt.strip() or not spec.tag.strip():
        return "lacks include, prompt or tag, something in each was expected"
    for index, entry in enumerate(spec.include):
        if not 1 <= entry.count <= MOST_ASKED:
            return f"asks for {entry.count} of {entry.kind!r}, 1 to {MOST_ASKED} was expected"
        if entry.position is not None:
            relation, to = entry.position
            if relation not in RELATIONS or not 0 <= to < index:
                names = ", ".join(RELATIONS)
                return f"has the position {list(entry.position)}, one of {names} and an earlier entry was expected"
    if any(not 1 <= entry.count <= MOST_ASKED + 1 for entry in spec.exclude):
        return f"excludes a count outside 1 to {MOST_ASKED + 1}, such a count was expected"
    return ""


def tags(specs: Sequence[Spec]) -> tuple[str, ...]:
    """Categories in the order in which they first come."""
    return tuple(dict.fromkeys(spec.tag for spec in specs))
