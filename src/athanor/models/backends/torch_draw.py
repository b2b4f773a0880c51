"""How a Hugging Face model draws its answers, token by token, each from a stream of its own."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from athanor.core.records import Sampling
from athanor.core.seeds import stream


class Asked(NamedTuple):
    """A request in tokens."""

    prompt: list[int]
    """Those of pictures included."""
    sampling: Sampling
    temperature: float
    top_p: float
    seed: int
    text: str = ""
    """The prompt as it is written, where there are pictures."""
    images: tuple[bytes, ...] = ()
    """PNG or JPEG files, in the order in which the prompt shows them."""


class Drawn(NamedTuple):
    """An answer in tokens."""

    tokens: list[int]
    logprobs: list[float]
    tops: list[list[tuple[int, float]]]
    ended: bool


def generate(model: Any, batch: list[Asked], pad: int, ends: frozenset[int], device: str) -> list[Drawn]:
    """Draw an answer to each prompt, the past kept. Prompts are padded on the left."""
    import torch

    longest = max(len(asked.prompt) for asked in batch)
    rows = torch.tensor([[pad] * (longest - len(a.prompt)) + a.prompt for a in batch], device=device)
    mask = torch.tensor([[0] * (longest - len(a.prompt)) + [1] * len(a.prompt) for a in batch], device=device)
    most = max(asked.sampling.max_tokens for asked in batch)
    draws = _draws(batch, most, device)
    drawn = [Drawn([], [], [], False) for _ in batch]
    past: Any = None
    with torch.inference_mode():
        for turn in range(most):
            places = (mask.cumsum(-1) - 1).clamp(min=0)[:, -rows.shape[1] :]
            made = model(
                input_ids=rows, attention_mask=mask, position_ids=places, cache=past, use_cache=True,
                logits_to_keep=1,
            )  # fmt: skip
            past, logprobs = made.cache, made.logits[:, -1].float().log_softmax(-1)
            chosen = _choose(logprobs, batch, draws[:, turn])
            drawn = _noted(drawn, batch, chosen, logprobs, ends)
            if all(_over(one, asked) for one, asked in zip(drawn, batch, strict=True)):
                break
            rows, mask = chosen[:, None], torch.cat([mask, mask.new_ones(len(batch), 1)], dim=1)
    return drawn


def generate_seen(model: Any, processor: Any, batch: list[Asked], ends: frozenset[int], device: str) -> list[Drawn]:
    """Draw an answer to each prompt with pictures. What a model makes of them differs from one kind to another, so that
    the model's own loop is used, and told at every step which token was drawn."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    texts = [asked.text for asked in batch]
    shown = [pictures_of(asked.images) for asked in batch]
    inputs = processor(text=texts, images=shown, padding=True, return_tensors="pt").to(device, dtype=model.dtype)
    most, pad = max(asked.sampling.max_tokens for asked in batch), processor.tokenizer.pad_token_id
    told = GenerationConfig(do_sample=False, max_new_tokens=most, eos_token_id=sorted(ends), pad_token_id=pad)
    chooser = _Chooser(batch, _draws(batch, most, device), ends)
    told_of: Any = LogitsProcessorList([chooser])  # type: ignore[list-item]
    with torch.inference_mode():
        model.generate(**inputs, generation_config=told, logits_processor=told_of)
    return chooser.drawn


def pictures_of(files: Sequence[bytes]) -> list[Any]:
    """Pictures from their files, RGB."""
    from PIL import Image

    return [Image.open(io.BytesIO(file)).convert("RGB") for file in files]


class _Chooser:
    """Called with the scores of each step, it leaves one token possible: the one that was drawn; an end for answers
    that are over."""

    def __init__(self, batch: list[Asked], draws: Any, ends: frozenset[int]) -> None:
        self._batch, self._draws, self._ends, self._turn = batch, draws, ends, 0
        self.drawn = [Drawn([], [], [], False) for _ in batch]

    def __call__(self, tokens: Any, scores: Any) -> Any:
        logprobs = scores.float().log_softmax(-1)
        chosen = _choose(logprobs, self._batch, self._draws[:, self._turn])
        self._turn += 1
        self.drawn = _noted(self.drawn, self._batch, chosen, logprobs, self._ends)
        for row, (one, asked) in enumerate(zip(self.drawn, self._batch, strict=True)):
            if _over(one, asked):
                chosen[row] = min(self._ends)
        return scores.new_full(scores.shape, float("-inf")).scatter(1, chosen[:, None], 0.0)


def _draws(batch: list[Asked], most: int, device: str) -> Any:
    """Float["rows tokens"], from 0 to 1: each row of its own stream."""
    import torch

    return torch.from_numpy(np.stack([stream(asked.seed, "torch").random(most) for asked in batch])).to(device)


def _choose(logprobs: Any, batch: list[Asked], draws: Any) -> Any:
    """Int["rows"]: the token of each row, where its draw from 0 to 1 falls among the tokens from the likeliest on."""
    import torch

    warm = torch.tensor([asked.temperature for asked in batch], device=logprobs.device)
    top_p = torch.tensor([asked.top_p for asked in batch], dtype=torch.float64, device=logprobs.device)
    scaled = logprobs / warm.clamp(min=1e-6)[:, None]
    sorted_, order = scaled.double().softmax(-1).sort(dim=-1, descending=True, stable=True)
    total = sorted_.cumsum(-1)
    kept = sorted_.masked_fill(total - sorted_ >= top_p[:, None], 0.0).cumsum(-1)
    place = (kept < draws[:, None] * kept[:, -1:]).sum(-1, keepdim=True)
    place[warm == 0] = 0
    return order.gather(1, place)[:, 0]


def _noted(drawn: list[Drawn], batch: list[Asked], chosen: Any, logprobs: Any, ends: frozenset[int]) -> list[Drawn]:
    """The answers with their next token."""
    picked = logprobs.gather(1, chosen[:, None])[:, 0].tolist()
    count = max(asked.sampling.top_logprobs for asked in batch)
    tops = logprobs.topk(count, dim=-1) if count else None
    noted = []
    for row, (one, asked, token) in enumerate(zip(drawn, batch, chosen.tolist(), strict=True)):
        if not _over(one, asked):
            if token in ends:
                one = one._replace(ended=True)
            else:
                one.tokens.append(token)
                one.logprobs.append(picked[row])
                most = asked.sampling.top_logprobs
                one.tops.append(
                    list(zip(tops.indices[row, :most].tolist(), tops.values[row, :most].tolist(), strict=True))
                    if tops is not None
                    else []
                )
        noted.append(one)
    return noted


def _over(drawn: Drawn, asked: Asked) -> bool:
    return drawn.ended or len(drawn.tokens) >= asked.sampling.max_tokens
