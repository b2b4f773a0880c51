"""From prompts to images: the codes of many at once, guided, each by a seed of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from athanor.core.errors import UsageError
from athanor.core.progress import progress
from athanor.core.seeds import stream
from athanor.models.unified.decoding import Decoder, Prefix
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.projections import chained
from athanor.models.unified.sampling import Sampling, drawn_from, guided, log_probabilities, refuse_infinite
from athanor.models.unified.unified import Unified


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How images are drawn. UsageError for a value out of range."""

    guidance: float = 5.0
    """Weight of classifier-free guidance; at 1 nothing is guided and half the work is left out."""
    sampling: Sampling = field(default_factory=Sampling)
    batch: int = 16
    """Images drawn at once; of what an image is it changes nothing but the last bits of the arithmetic."""
    compiled: bool = False
    """Give the step to `torch.compile`: a minute at first, then faster on an accelerator."""

    def __post_init__(self) -> None:
        if not 0 <= self.guidance < float("inf"):
            raise UsageError(f"guidance is {self.guidance}, 0 or more was expected; 1 is none, 5 the published")
        if self.batch < 1:
            raise UsageError(f"batch is {self.batch}, 1 or more was expected")


class Drawn(NamedTuple):
    """Images of each prompt, one for each seed."""

    codes: Tensor
    """Int["prompts seeds codes"]."""
    pixels: Tensor
    """Float["prompts seeds 3 size size"], about -1 to 1; `pictures.to_images` makes images of them."""


class Scored(NamedTuple):
    """Codes of each prompt's images, one for each seed."""

    codes: Tensor
    """Int["prompts seeds codes"]."""
    logprobs: Tensor
    """Float["prompts seeds codes"], nats: of each code under the distribution that it was drawn from."""


def draw(unified: Unified, prompts: Sequence[str], seeds: Sequence[int] = (0,), how: Drawing | None = None) -> Drawn:
    """Images of prompts. What an image is depends on the model, its prompt, its seed and `how`, not on its company.

    UsageError, before anything is drawn, if a prompt cannot be written in the model's words or is too long.
    """
    codes = draw_codes(unified, prompts, seeds, how)
    pixels = paint(unified, codes.flatten(0, 1), batch=(how or Drawing()).batch)
    return Drawn(codes, pixels.unflatten(0, codes.shape[:2]))


@torch.no_grad()
def paint(unified: Unified, codes: Tensor, batch: int = 16) -> Tensor:
    """Float["images 3 size size"], about -1 to 1, of Int["images codes"]."""
    decode = unified.model.visual_tokenizer.decode
    return torch.cat([decode(part) for part in codes.to(unified.device).split(batch)])


def draw_codes(
    unified: Unified, prompts: Sequence[str], seeds: Sequence[int] = (0,), how: Drawing | None = None
) -> Tensor:
    """Int["prompts seeds codes"]: as `draw`, without the images."""
    return draw_scored(unified, prompts, seeds, how).codes


@torch.no_grad()
def draw_scored(
    unified: Unified, prompts: Sequence[str], seeds: Sequence[int] = (0,), how: Drawing | None = None
) -> Scored:
    """As `draw_codes`, with how likely each code was when it was drawn."""
    how = how or Drawing()
    if not prompts or not seeds:
        raise UsageError("there is nothing to draw; pass at least one prompt and one seed")
    layout, model = unified.layout, unified.model
    tokens = [layout.prompt(prompt) for prompt in prompts]
    decoder = Decoder(model.backbone, max(map(len, tokens)) + layout.codes, compiled=how.compiled)
    heads = _Heads(model, packed=not how.compiled)
    made = torch.empty(len(prompts), len(seeds), layout.codes, dtype=torch.long, device=unified.device)
    logprobs = torch.empty(made.shape, device=unified.device)
    groups = list(_groups(len(prompts), len(seeds), how.batch))
    with progress(layout.codes * len(groups), "codes", "draw") as bar:
        for some, of in groups:
            before = _read(unified, decoder, tokens[some], how.guidance)
            uniforms = np.stack(
                [
                    [stream(seed, "drawing", prompt).random(layout.codes) for seed in seeds[of]]
                    for prompt in prompts[some]
                ]
            )
            for step, (codes, told) in enumerate(_write(heads, decoder, before, torch.from_numpy(uniforms), how)):
                made[some, of, step], logprobs[some, of, step] = codes, told
                bar.update()
    return Scored(made, logprobs)


def _groups(prompts: int, seeds: int, batch: int) -> Iterator[tuple[slice, slice]]:
    """Prompts and seeds that are drawn together: at most `batch` images, the seeds of a prompt side by side."""
    of = min(seeds, batch)
    some = max(1, batch // seeds)
    for i in range(0, prompts, some):
        for j in range(0, seeds, of):
            yield slice(i, i + some), slice(j, j + of)


class _Read(NamedTuple):
    prefix: Prefix
    last: Tensor
    """Float["branches*prompts width"]: the states that predict the first codes."""


def _read(unified: Unified, decoder: Decoder, prompts: Sequence[list[int]], guidance: float) -> _Read:
    """The prompts, and after them, if guided, what is left of each without its words; that depends on its length alone
    and is read once for each."""
    rows = list(prompts)
    if guidance != 1:
        rows += {len(prompt): unified.layout.unconditional(prompt) for prompt in prompts}.values()
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = torch.tensor(row)
    device = unified.device
    prefix, last = decoder.read(unified.model.embed_text(padded.to(device)), lengths.to(device))
    if guidance == 1:
        return _Read(prefix, last)
    of_length = {len(row): i for i, row in enumerate(rows) if i >= len(prompts)}
    order = torch.tensor([*range(len(prompts)), *[of_length[len(prompt)] for prompt in prompts]], device=device)
    return _Read(prefix.of(order), last[order])


class _Heads:
    """How a code comes out of the backbone, and how it goes in again."""

    def __init__(self, model: UnifiedModel, *, packed: bool) -> None:
        self.logits = chained([model.code_head.into, model.code_head.out], packed=packed)
        self.table = model.code_embedding
        self.adapt = chained(model.code_adaptor.linears, packed=packed)


def _write(
    heads: _Heads, decoder: Decoder, before: _Read, uniforms: Tensor, how: Drawing
) -> Iterator[tuple[Tensor, Tensor]]:
    """Int["prompts seeds"], the next code of each image, and Float["prompts seeds"], its log-probability, until they
    are whole, by Float["prompts seeds codes"]."""
    prompts, seeds, length = uniforms.shape
    branches = 1 if how.guidance == 1 else 2
    past = decoder.past(before.prefix, seeds, length)
    device = before.last.device
    uniforms = uniforms.flatten(0, 1).to(device, torch.float32 if device.type == "mps" else None)
    hidden = before.last.repeat_interleave(seeds, 0)
    for step in range(length):
        logits = heads.logits(hidden).float()
        if branches == 2:
            logits = guided(logits[: len(logits) // 2], logits[len(logits) // 2 :], how.guidance)
        refuse_infinite(logits)
        logprobs = log_probabilities(logits, how.sampling)
        codes = drawn_from(logprobs, uniforms[:, step]) if how.sampling.temperature else logits.argmax(-1)
        told = logprobs.gather(-1, codes[:, None])
        yield codes.view(prompts, seeds), told.view(prompts, seeds)
        if step < length - 1:  # the last code is never read
            x = heads.adapt(heads.table(codes)).to(heads.table.weight.dtype)
            hidden = decoder.step(x.repeat(branches, 1), past)
