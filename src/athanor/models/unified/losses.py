"""Losses of text and of codes, kept apart by task, and the log-probabilities of images under a guided model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from athanor.models.unified.config import Mean
from athanor.models.unified.layout import TASKS, collate
from athanor.models.unified.model import CODE, Batch, UnifiedModel
from athanor.models.unified.sampling import Sampling, guided, log_probabilities
from athanor.models.unified.unified import Unified


class Loss(NamedTuple):
    """Of one task in one batch."""

    mean: Tensor
    """Float[""]: nats a token, over the task's learned tokens."""
    tokens: int


def losses(model: UnifiedModel, batch: Batch) -> dict[str, Loss]:
    """Cross-entropy of each task of which the batch has learned tokens: of words by the text head, of codes by the
    code head."""
    hidden = model.hidden(batch)
    nats, tasks = token_losses(model, hidden, batch)
    return {
        name: Loss(nats[tasks == i].mean(), int((tasks == i).sum()))
        for i, name in enumerate(TASKS)
        if bool((tasks == i).any())
    }


def total(found: Mapping[str, Loss], mean: Mean = "task") -> Tensor:
    """Float[""]: the sum of the tasks' means, which keeps the answers of few words from drowning among captions and
    codes, or, with `token`, the mean over all learned tokens."""
    weights = shares([loss.tokens for loss in found.values()], mean)
    parts = [loss.mean * loss.tokens * weight for loss, weight in zip(found.values(), weights, strict=True)]
    return torch.stack(parts).sum()


def shares(tokens: Sequence[int], mean: Mean) -> list[float]:
    """The weight of a token of each task, of so many tokens of each.

    >>> shares([2, 0, 8], "task"), shares([2, 0, 8], "token")
    ([0.5, 0.0, 0.125], [0.1, 0.1, 0.1])
    """
    if mean == "token":
        return [1 / max(sum(tokens), 1)] * len(tokens)
    return [1 / n if n else 0.0 for n in tokens]


def token_losses(model: UnifiedModel, hidden: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Float["learned"], nats, and Int["learned"], the task, of every learned token, words first and then codes.

    `hidden` is Float["batch seq width"]. Only places with a target go through a head.
    """
    learned = batch.targets >= 0
    coded = torch.zeros_like(learned)
    coded[:, :-1] = learned[:, :-1] & (batch.kinds[:, 1:] == CODE)
    parts = [(learned & ~coded, model.text_logits), (coded, model.code_logits)]
    nats = [
        F.cross_entropy(head(hidden[where]).float(), batch.targets[where], reduction="none")
        for where, head in parts
        if bool(where.any())
    ]
    tasks = torch.cat([batch.tasks[where] for where, _ in parts])
    return torch.cat(nats) if nats else hidden.new_empty(0), tasks


def drawing_logprobs(
    unified: Unified, prompts: Sequence[str], codes: Tensor, *, guidance: float, sampling: Sampling
) -> Tensor:
    """Float["images codes"], nats: of each code of images that were drawn, Int["images codes"], under the distribution
    that `drawing.draw` draws it from with the same guidance and sampling; gradients pass. A code outside the k
    likeliest or the least mass has -inf. At temperature 0, which has no gradient, the temperature is taken as 1.
    """
    layout, model, device = unified.layout, unified.model, unified.device
    whole = [(prompt, image.cpu().numpy()) for prompt, image in zip(prompts, codes, strict=True)]
    branches = [True] if guidance == 1 else [True, False]
    rows = [[layout.drawing(prompt, image, conditional=branch)] for branch in branches for prompt, image in whole]
    batch = collate(rows).to(device)
    at = batch.targets >= 0
    logits = model.code_logits(model.hidden(batch)[at]).unflatten(0, (len(rows), layout.codes))
    if guidance != 1:
        logits = guided(logits[: len(whole)], logits[len(whole) :], guidance)
    scored = replace(sampling, temperature=1.0) if sampling.temperature == 0 else sampling
    return log_probabilities(logits, scored).gather(-1, codes.to(device)[..., None])[..., 0]
