"""Weights to begin training from.

Matrices at 1/sqrt(fan-in), those that write into a residual stream divided by sqrt(2 layers), tables at 0.5. Against
0.02 everywhere, the usual choice for wide models, a model of width 192 learned to follow prompts at all only so.
"""

from __future__ import annotations

from collections.abc import Collection
from math import sqrt

import torch
from torch import nn
from torch.nn import functional as F

from athanor.models.unified.model import UnifiedModel

EMBEDDING = 0.5
"""Standard deviation of the tables of tokens, codes and places."""
_INTO_RESIDUAL = ("o_proj.weight", "down_proj.weight", "out_proj.weight", "fc2.weight")


@torch.no_grad()
def initialise(
    model: UnifiedModel, generator: torch.Generator, only: Collection[str] | None = None
) -> UnifiedModel:  # fmt: skip
    """Draw every weight anew, in place, or those of some modules; the same generator gives the same weights."""
    depths = {"backbone": model.config.backbone.layers, "encoder": model.config.encoder.layers}
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    for name, weight in model.named_parameters():
        if only is not None and name.split(".")[0] not in only:
            continue
        if name.endswith("bias"):
            weight.zero_()
        elif weight.ndim == 1:  # gains of a normalisation
            weight.fill_(1)
        elif id(weight) in tables:
            weight.normal_(0, EMBEDDING, generator=generator)
        else:
            scale = 1 / sqrt(weight[0].numel())
            if name.endswith(_INTO_RESIDUAL):
                scale /= sqrt(2 * depths[name.split(".")[0]])
            weight.normal_(0, scale, generator=generator)
    if only is not None and "visual_tokenizer" not in only:
        return model
    codebook = model.visual_tokenizer.quantize.embedding.weight
    codebook.copy_(F.normalize(codebook.uniform_(-1, 1, generator=generator), dim=-1))
    return model


@torch.no_grad()
def start_from_codebook(model: UnifiedModel) -> None:
    """Let the table of codes that the backbone reads begin as the unit vectors of the tokenizer's, in place."""
    model.code_embedding.weight.copy_(model.visual_tokenizer.quantize.table())
