"""From conversations with images to words, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from athanor.core.errors import UsageError
from athanor.core.image_files import opened
from athanor.core.progress import progress
from athanor.core.records import Message
from athanor.core.seeds import stream
from athanor.models.unified.decoding import Decoder
from athanor.models.unified.layout import Sample
from athanor.models.unified.sampling import Sampling, drawn, refuse_infinite
from athanor.models.unified.unified import Unified


@dataclass(frozen=True, kw_only=True)
class Answering:
    """How conversations are answered. UsageError for a value out of range."""

    most: int = 256
    """Tokens of an answer, at most; one also ends where the model's context does."""
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0))
    seed: int = 0
    batch: int = 16
    """Conversations answered at once."""
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.most < 1 or self.batch < 1:
            raise UsageError(f"most is {self.most} and batch {self.batch}, 1 or more of both was expected")


def ask(unified: Unified, conversations: Sequence[Sequence[Message]], how: Answering | None = None) -> tuple[str, ...]:
    """The assistant's answer to each conversation, whose last message is a user's. What it is does not depend on which
    others are answered with it.

    UsageError or DataError, before anything is answered, if one cannot be written, does not fit, or an image is none.
    """
    how = how or Answering()
    samples = [prepared(unified, messages) for messages in conversations]
    answers: list[str] = []
    with progress(len(samples), "answers", "ask") as bar:
        for i in range(0, len(samples), how.batch):
            some = samples[i : i + how.batch]
            answers += [unified.words.decode(tokens).strip() for tokens in _answers(unified, some, how)]
            bar.update(len(some))
    return tuple(answers)


def prepared(unified: Unified, messages: Sequence[Message]) -> Sample:
    """A conversation up to where it is to be answered. Errors as `ask`."""
    if not messages or messages[-1].role != "user":
        raise UsageError("the last message of a conversation must be a user's; add the question")
    images = [unified.preparation.seen(opened(data)) for message in messages for data in message.images]
    return unified.layout.conversation([*messages, Message(role="assistant", text="")], images, answer=1)


@torch.no_grad()
def _answers(unified: Unified, samples: Sequence[Sample], how: Answering) -> list[list[int]]:
    """Tokens of each answer, without the one that ends it."""
    model, device, special = unified.model, unified.device, unified.words.special
    lengths = torch.tensor([len(sample) for sample in samples], device=device)
    most = [min(how.most, unified.layout.context - len(sample)) for sample in samples]
    decoder = Decoder(model.backbone, int(lengths.max()) + max(most), compiled=how.compiled)
    prefix, hidden = decoder.read(_embedded(unified, samples), lengths)
    rows = list(range(len(samples)))
    uniforms = np.stack([_numbers(how, sample) for sample in samples])
    written: list[list[int]] = [[] for _ in rows]
    past = decoder.past(prefix, 1, min(max(most), 64))
    for step in range(max(most)):
        logits = model.text_logits(hidden)
        refuse_infinite(logits)
        tokens = drawn(logits, torch.from_numpy(uniforms[rows, step]).to(device), how.sampling)
        told = tokens.tolist()
        for i, token in enumerate(told):
            written[rows[i]] += [token] if token != special.end else []
        going = [i for i, token in enumerate(told) if token != special.end and step + 1 < most[rows[i]]]
        if not going:
            break
        if len(going) < len(rows):  # who has ended is not computed any more
            kept = torch.tensor(going, device=device)
            tokens, rows = tokens[kept], [rows[i] for i in going]
            past.keep(kept)
        hidden = decoder.step(model.embed_text(tokens), past)
    return written


def _numbers(how: Answering, sample: Sample) -> np.ndarray:
    """Float["most"]: the numbers that an answer is drawn with, by the seed and the conversation's tokens."""
    text = ",".join(map(str, sample.tokens))
    return stream(how.seed, "answering", text).random(how.most).astype(np.float32)


def _embedded(unified: Unified, samples: Sequence[Sample]) -> Tensor:
    """Float["conversations seq width"], padded on the right; each image is encoded once."""
    longest = max(map(len, samples))
    tokens, kinds = (torch.zeros(len(samples), longest, dtype=torch.long) for _ in range(2))
    for i, sample in enumerate(samples):
        tokens[i, : len(sample)] = torch.from_numpy(sample.tokens)
        kinds[i, : len(sample)] = torch.from_numpy(sample.kinds)
    images = [image for sample in samples for image in sample.images]
    pixels = torch.stack(images) if images else torch.empty(0, 3, 1, 1)
    device = unified.device
    return unified.model.embed(tokens.to(device), kinds.to(device), pixels.to(device))
