"""A unified model as hosts of understanding benchmarks ask it: text and images in, words out, greedily."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

from athanor.adapters.published import ROLES
from athanor.core.errors import UsageError
from athanor.core.records import Message
from athanor.models.backends.pretrained import device_of
from athanor.models.unified.answering import Answering, ask
from athanor.models.unified.checkpoints import read
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.templates import IMAGE_NAME, TEMPLATES

MOST = 2048
"""Tokens of an answer, at most, as the published evaluation has it."""
TOGETHER = 256
"""Questions that are prepared at once: of a whole benchmark the pictures would not fit into memory."""
Part = str | Path | Image.Image
"""Text, or an image or its file."""


class Understanding:
    """One model and how it is asked. The system message is empty, as in the published evaluation."""

    def __init__(
        self, model: str, *, device: str = "auto", dtype: str = "", template: str = "", system: str = "",
        batch: int = 16, published: bool = False,
    ) -> None:  # fmt: skip
        """`dtype`: float32, bfloat16, float16; empty is the file's. `template`: janus for a released Janus-1.3B.
        `published`: with the roles of the published evaluation, if no template is given, and with texts and images put
        together as they stand."""
        if dtype not in ("", "float32", "bfloat16", "float16"):
            raise UsageError(f"dtype {dtype!r} was given, float32, bfloat16 or float16 was expected; pass one")
        self.unified = read(
            Path(model), template=template or None, device=device_of(device),
            dtype=getattr(torch, dtype) if dtype else None,
        )  # fmt: skip
        if published and not template and self.unified.template != "words":
            self.unified = replace(self.unified, template=ROLES)
        self._published = published
        self._system = system
        self._between = TEMPLATES[self.unified.template].after_image
        self.batch = batch

    def answers(
        self, asked: Sequence[Sequence[Part]], *, most: int = MOST, temperature: float = 0.0,
        top_p: float | None = None, until: Sequence[str] = (), seed: int = 0, system: str = "",
    ) -> list[str]:  # fmt: skip
        """The answers to questions of text and images in their order, each up to the first of the words in `until`.
        `system`: the system message, in place of the model's usual one if it is not empty.

        UsageError or DataError if one cannot be asked, before any of the `TOGETHER` that are prepared with it.
        """
        how = Answering(
            most=most, sampling=Sampling(temperature=temperature, top_p=top_p), seed=seed, batch=self.batch
        )  # fmt: skip
        first = Message(role="system", text=system or self._system)
        found: list[str] = []
        for begin in range(0, len(asked), TOGETHER):
            found += ask(self.unified, [(first, self.message(parts)) for parts in asked[begin : begin + TOGETHER]], how)
        return [_before(answer, until) for answer in found]

    def message(self, parts: Sequence[Part]) -> Message:
        """A user's message. Images that come first stand where the template has them, others where they come; as
        published all stand where they come, and nothing between."""
        images = tuple(_png(part) for part in parts if not isinstance(part, str))
        kinds = [isinstance(part, str) for part in parts]
        if kinds == sorted(kinds) and not self._published:
            return Message(role="user", text="\n".join(part for part in parts if isinstance(part, str)), images=images)
        between = "" if self._published else self._between
        said = between.join(part if isinstance(part, str) else IMAGE_NAME for part in parts)
        return Message(role="user", text=said, images=images)


def _before(answer: str, until: Sequence[str]) -> str:
    ends = [at for word in until if word and (at := answer.find(word)) >= 0]
    return answer[: min(ends)] if ends else answer


def _png(part: Path | Image.Image) -> bytes:
    if isinstance(part, Path):
        try:
            return part.read_bytes()
        except OSError as error:
            raise UsageError(f"the image {part} cannot be read ({error.strerror or error}); restore it") from error
    data = io.BytesIO()
    (part if part.mode in ("RGB", "RGBA", "L") else part.convert("RGB")).save(data, "PNG", compress_level=1)
    return data.getvalue()
