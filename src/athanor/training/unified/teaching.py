"""Examples as the samples of one step: every task in its ratio, in passes of rows of about one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from athanor.core.errors import UsageError
from athanor.core.records import Message
from athanor.core.seeds import stream
from athanor.environments.scenes.drawing import Images
from athanor.models.unified.layout import TASKS, Layout, Sample, collate
from athanor.models.unified.model import Batch
from athanor.models.unified.unified import Unified
from athanor.training.unified.lessons import Example, Examples

Ratio = tuple[float, float, float]
"""Understanding, text, drawing: samples of each, in proportion."""
ALIKE, FEWEST = 0.85, 6
"""How long a pass's shortest row is beside its longest, at least; rows of a pass up to which that does not count."""
PICTURE = b"an image whose pixels are given"
"""Holds the place of a picture in a message."""


@dataclass(frozen=True, kw_only=True)
class Dose:
    """What one step is made of."""

    samples: int
    ratio: Ratio
    unconditional: float = 0.1
    """Probability that a prompt to draw is replaced by padding, for guidance (Chen et al. 2025: 10%)."""
    packed: int | None = None
    """Tokens of a row into which samples are packed; None gives each a row of its own."""
    rows: int = 32
    """Rows of a pass, at most."""

    def __post_init__(self) -> None:
        if self.samples < 1 or self.rows < 1 or min(self.ratio) < 0 or sum(self.ratio) <= 0:
            raise UsageError(
                f"a step of {self.samples} samples in the ratio {self.ratio}, {self.rows} rows a pass, was asked for; "
                "1 or more, and numbers from 0 on, one of them above 0, were expected"
            )

    @property
    def counts(self) -> tuple[int, int, int]:
        """Samples of each task: at least one where its share is not 0."""
        whole = sum(self.ratio)
        most = [max(1, round(self.samples * share / whole)) if share else 0 for share in self.ratio]
        return most[0], most[1], most[2]


def pixels_of(pictures: Sequence[Images]) -> Tensor:
    """Float["pictures 3 size size"], -1 to 1, of pictures of one size."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def refuse_normalised(unified: Unified) -> None:
    """UsageError for a model whose images are not normalised as `pixels_of` does."""
    if (*unified.preparation.mean, *unified.preparation.std) != (0.5,) * 6:
        raise UsageError(
            f"the model's images have the mean {unified.preparation.mean} and spread {unified.preparation.std}, 0.5 "
            "everywhere was expected, as in the published models; mend its preprocessor_config.json"
        )


def conversation(layout: Layout, example: Example, pixels: Tensor | None) -> Sample:
    """An example's questions and answers: the answers learned, or all of the text where there is no picture."""
    messages: list[Message] = []
    for k, (question, answer) in enumerate(example.questions):
        before = f"{example.text} " if example.text and pixels is None and k == 0 else ""
        images = (PICTURE,) if pixels is not None and k == 0 else ()
        messages.append(Message(role="user", text=before + question, images=images))
        messages.append(Message(role="assistant", text=answer))
    seen = [] if pixels is None else [pixels]
    return layout.conversation(messages, seen, learn="text" if pixels is None else "answers")


@torch.no_grad()
def drawings(unified: Unified, examples: Sequence[Example], blank: Sequence[bool] = ()) -> list[Sample]:
    """Prompts and the codes of their pictures; where `blank`, without the prompt's words."""
    pixels = pixels_of([one.picture for one in examples if one.picture is not None])
    codes = unified.model.visual_tokenizer.encode(pixels.to(unified.device)).cpu().numpy()
    left = blank or [False] * len(examples)
    return [
        unified.layout.drawing(one.prompt or "", image, conditional=not without)
        for one, image, without in zip(examples, codes, left, strict=True)
    ]


def lesson(unified: Unified, examples: Examples, dose: Dose, seed: int, step: int) -> list[list[Sample]]:
    """The samples of a step, by task."""
    layout, (seen, read, drawn) = unified.layout, dose.counts
    found: list[list[Sample]] = [[], [], []]
    if seen:
        some = examples.take("understanding", step, seen)
        pixels = pixels_of([one.picture for one in some if one.picture is not None])
        found[0] = [conversation(layout, one, image) for one, image in zip(some, pixels, strict=True)]
    if read:
        for one in examples.take("text", step, read):
            found[1].append(conversation(layout, one, None) if one.questions else layout.text(one.text or ""))
    if drawn:
        blank = stream(seed, "unconditional", step).random(drawn) < dose.unconditional
        found[2] = drawings(unified, examples.take("drawing", step, drawn), blank.tolist())
    return found


def passes(found: Sequence[Sequence[Sample]], dose: Dose) -> list[Batch]:
    """Batches for one pass each: rows of about one length, so that little is padding, or packed rows."""
    if dose.packed is not None:
        rows = packed([sample for task in found for sample in task], dose.packed)
        return [collate(rows[i : i + dose.rows]) for i in range(0, len(rows), dose.rows)]
    return [collate([[one] for one in rows]) for task in found for rows in alike(task, dose.rows)]


def alike(samples: Sequence[Sample], most: int) -> list[list[Sample]]:
    """Groups of at most `most` samples, the shortest of a group at least ALIKE as long as its longest, but for groups
    of FEWEST and less: a pass of few rows costs more than their padding."""
    groups: list[list[Sample]] = []
    for sample in sorted(samples, key=len, reverse=True):
        last = groups[-1] if groups else []
        if not last or len(last) == most or (len(last) >= FEWEST and len(sample) < ALIKE * len(last[0])):
            groups.append([])
        groups[-1].append(sample)
    return groups


def packed(samples: Sequence[Sample], length: int) -> list[list[Sample]]:
    """Rows of at most `length` tokens, the longest samples first, each into the first row that has room for it.
    UsageError if one is longer than a row."""
    rows: list[list[Sample]] = []
    room: list[int] = []
    for sample in sorted(samples, key=len, reverse=True):
        if len(sample) > length:
            raise UsageError(f"a sample has {len(sample)} tokens, a row {length}; pass longer rows")
        at = next((k for k, left in enumerate(room) if left >= len(sample)), len(rows))
        if at == len(rows):
            rows.append([])
            room.append(length)
        rows[at].append(sample)
        room[at] -= len(sample)
    return rows


def learned(batches: Sequence[Batch]) -> list[int]:
    """Learned tokens of each task."""
    return [sum(int(((b.targets >= 0) & (b.tasks == k)).sum()) for b in batches) for k in range(len(TASKS))]
