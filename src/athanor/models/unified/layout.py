"""Conversations, texts and drawings as sequences of tokens and codes, and sequences as batches.

A place predicts what follows it: the mark that begins an image predicts its first code, code k predicts code k + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from athanor.core.errors import UsageError
from athanor.core.records import Message
from athanor.models.unified.model import CODE, SEEN, TEXT, Batch
from athanor.models.unified.templates import Mark, Piece, Template
from athanor.models.unified.text_tokenizer import TextTokenizer

TASKS = ("understanding", "text", "drawing")
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One sample."""

    tokens: Ints
    """Int["seq"]: text tokens and codes."""
    kinds: Ints
    """Int["seq"]: TEXT, SEEN or CODE."""
    learned: NDArray[np.bool_]
    """Bool["seq"]: whether a token or code is to be learned; the place before it predicts it."""
    task: int
    """An index into TASKS."""
    images: tuple[Tensor, ...] = ()
    """The images to understand, each Float["3 size size"], -1 to 1."""

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one model's sequences are laid out."""

    words: TextTokenizer
    template: Template
    seen: int
    """Soft tokens of an image to understand."""
    codes: int
    """Codes of an image to draw."""
    context: int
    """Tokens of a sequence, at most."""

    def prompt(self, prompt: str) -> list[int]:
        """Tokens of a request to draw: the beginning, the prompt in its template, the mark that begins an image.
        UsageError if the image would not fit into the context after it."""
        special = self.words.special
        tokens = [special.begin]
        for piece in self.template.prompt(prompt):
            assert isinstance(piece.content, str)
            tokens += self.words.encode(piece.content)
        tokens.append(special.begin_image)
        self._fits(len(tokens) + self.codes, f"the prompt {prompt[:40]!r} with its image")
        return tokens

    def unconditional(self, prompt: Sequence[int]) -> list[int]:
        """A prompt's tokens with all but the first and the last replaced by padding, which is attended to: of the
        prompt only its length is left (as in the published code)."""
        return [prompt[0], *[self.words.special.pad] * (len(prompt) - 2), prompt[-1]]

    def drawing(self, prompt: str, codes: Ints, *, conditional: bool = True) -> Sample:
        """A prompt and the codes of its image, Int["codes"], which alone are learned. UsageError if they do not fit."""
        before = self.prompt(prompt)
        if codes.shape != (self.codes,):
            raise UsageError(f"an image is {self.codes} codes in raster order, found the shape {codes.shape}")
        tokens = np.concatenate([before if conditional else self.unconditional(before), codes]).astype(np.int64)
        coded = np.arange(len(tokens)) >= len(before)
        return Sample(tokens=tokens, kinds=np.where(coded, CODE, TEXT), learned=coded, task=TASKS.index("drawing"))

    def text(self, text: str) -> Sample:
        """A text between its beginning and its end, all of it learned. UsageError if it does not fit."""
        special = self.words.special
        tokens = np.array([special.begin, *self.words.encode(text), special.end])
        self._fits(len(tokens), f"the text {text[:40]!r}")
        learned = np.arange(len(tokens)) > 0
        return Sample(tokens=tokens, kinds=np.full_like(tokens, TEXT), learned=learned, task=TASKS.index("text"))

    def conversation(
        self,
        messages: Sequence[Message],
        images: Sequence[Tensor] = (),
        *,
        learn: Literal["answers", "text"] = "answers",
        answer: int = 0,
    ) -> Sample:
        """A conversation whose messages' images, in their order, are `images`, each Float["3 size size"].

        `learn` says whether only the assistant's words are learned, or all text; `answer` tokens are left free in the
        context. UsageError if it does not fit, or if the numbers of images do not agree.
        """
        found = sum(len(message.images) for message in messages)
        if found != len(images):
            raise UsageError(f"a conversation has {found} images, {len(images)} were given; give each once")
        special = self.words.special
        tokens, kinds, learned = [special.begin], [TEXT], [False]
        for piece in self.template.pieces(self._told(messages, found)):
            made, kind, learn_it = self._piece(piece)
            tokens += made
            kinds += kind
            learned += [piece.answer or learn == "text"] * len(made) if learn_it else [False] * len(made)
        self._fits(len(tokens) + answer, f"a conversation of {len(messages)} messages and {found} images")
        task = TASKS.index("understanding" if found else "text")
        return Sample(
            tokens=np.array(tokens), kinds=np.array(kinds), learned=np.array(learned), task=task, images=tuple(images)
        )

    def _told(self, messages: Sequence[Message], images: int) -> Sequence[Message]:
        """With the template's system message first, where there are images and no other."""
        if images and self.template.system and messages and messages[0].role != "system":
            return [Message(role="system", text=self.template.system), *messages]
        return messages

    def _piece(self, piece: Piece) -> tuple[list[int], list[int], bool]:
        """Tokens and kinds of a part of a conversation, and whether it can be learned."""
        special = self.words.special
        if piece.content is Mark.IMAGE:
            tokens = [special.begin_image, *[special.image] * self.seen, special.end_image]
            return tokens, [TEXT, *[SEEN] * self.seen, TEXT], False
        tokens = [special.end] if isinstance(piece.content, Mark) else self.words.encode(piece.content)
        return tokens, [TEXT] * len(tokens), True

    def _fits(self, length: int, what: str) -> None:
        if length > self.context:
            raise UsageError(f"{what} takes {length} tokens, the model's context has {self.context}; shorten it")


def collate(rows: Sequence[Sequence[Sample]], length: int | None = None) -> Batch:
    """A batch whose rows are sequences, or several packed into a row, padded to `length` or to the longest row.

    UsageError if a row is longer than `length`."""
    longest = max(sum(map(len, row)) for row in rows)
    length = length or longest
    if longest > length:
        raise UsageError(f"a row has {longest} tokens, at most {length} were asked for; pack fewer sequences into it")
    names = ("tokens", "kinds", "positions", "segments", "targets", "tasks")
    made = {name: np.full((len(rows), length), -1 if name == "targets" else 0) for name in names}
    for i, row in enumerate(rows):
        at = 0
        for segment, one in enumerate(row, 1):
            here = (i, slice(at, at + len(one)))
            made["tokens"][here], made["kinds"][here] = one.tokens, one.kinds
            made["positions"][here], made["segments"][here] = np.arange(len(one)), segment
            made["targets"][i, at : at + len(one) - 1] = np.where(one.learned, one.tokens, -1)[1:]
            made["tasks"][here] = one.task
            at += len(one)
    images = [image for row in rows for one in row for image in one.images]
    pixels = torch.stack(images) if images else torch.empty(0, 3, 1, 1)
    return Batch(pixels=pixels, **{name: torch.from_numpy(array) for name, array in made.items()})
