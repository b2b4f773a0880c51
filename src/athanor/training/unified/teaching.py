"""Examples as the samples of one step: every task in its ratio, in passes of rows of about one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

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
from athanor.training.unified.lessons import Example, Examples, Use

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
    """Or with `by_rows` packed rows, each of as many samples as fill it."""
    ratio: Ratio
    unconditional: float = 0.1
    """Probability that a prompt to draw is replaced by padding, for guidance (Chen et al. 2025: 10%)."""
    packed: int | None = None
    """Tokens of a row into which samples are packed; None gives each a row of its own."""
    rows: int = 32
    """Rows of a pass, at most."""
    by_rows: bool = False
    """Whether a step is so many packed rows; `counted` makes samples of them."""

    def __post_init__(self) -> None:
        if self.by_rows and self.packed is None:
            raise UsageError("a step of packed rows was asked for, and no length of a row; give both")
        if self.samples < 1 or self.rows < 1 or not min(self.ratio) >= 0 or not 0 < sum(self.ratio) < inf:
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
        found[1] = [_read(layout, one) for one in examples.take("text", step, read)]
    if drawn:
        blank = stream(seed, "unconditional", step).random(drawn) < dose.unconditional
        found[2] = drawings(unified, examples.take("drawing", step, drawn), blank.tolist())
    return found


USES: tuple[Use, ...] = ("understanding", "text", "drawing")
LOOKED_AT = 32
"""Samples of each task whose lengths tell how many fill a row."""


def counted(unified: Unified, examples: Examples, dose: Dose, parts: int = 1) -> Dose:
    """The same dose in samples: as many as fill its rows on average, a multiple of what the ratio and `parts` need."""
    if not dose.by_rows or dose.packed is None:
        return dose
    whole, mean = sum(dose.ratio), 0.0
    for use, share in zip(USES, dose.ratio, strict=True):
        some = examples.take(use, 0, LOOKED_AT) if share else []
        mean += share / whole * float(np.mean([len(sample_of(unified.layout, use, one)) for one in some] or [0.0]))
    unit = parts * (round(whole) if all(share == round(share) for share in dose.ratio) else 1)
    samples = unit * max(1, round(dose.samples * dose.packed / mean / unit))
    return replace(dose, samples=samples, by_rows=False)


def sample_of(layout: Layout, use: Use, example: Example) -> Sample:
    """What an example becomes; a drawing's codes are all 0, for its length alone."""
    if use == "drawing":
        return layout.drawing(example.prompt or "", np.zeros(layout.codes, dtype=np.int64))
    if use == "understanding" and example.picture is not None:
        return conversation(layout, example, pixels_of([example.picture])[0])
    return _read(layout, example)


def _read(layout: Layout, example: Example) -> Sample:
    """A text to learn, or questions and answers without a picture."""
    return conversation(layout, example, None) if example.questions else layout.text(example.text or "")


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
