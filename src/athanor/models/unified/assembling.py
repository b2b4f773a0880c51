"""A unified model put together from models that are there: a language model, an encoder and a visual tokenizer, with
new adaptors between them. The first of the three stages begins at such a one.

Janus took DeepSeek-LLM, SigLIP-Large and the VQ-16 of LlamaGen (Wu et al. 2024, arXiv 2410.13848, section 4.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from athanor.core.errors import DataError, UsageError
from athanor.core.seeds import digest
from athanor.models.unified import configurations, names
from athanor.models.unified.checkpoints import described, stored
from athanor.models.unified.config import UnifiedConfig, VisualTokenizerConfig
from athanor.models.unified.initial import initialise
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.pictures import Preparation
from athanor.models.unified.reading import Weights, weights_in, weights_of
from athanor.models.unified.text_tokenizer import TextTokenizer, marked
from athanor.models.unified.unified import Unified

T = TypeVar("T")
FRESH = ("encoder_adaptor", "code_embedding", "code_adaptor", "code_head")
"""What no part brings along."""
UNIFIED = ("multi_modality", "janus")
"""Types of models, by their config.json, that have all parts."""
TABLES = ("backbone.embed_tokens.weight", "text_head.weight")
"""What has a row for each token of text."""


class Part(NamedTuple):
    """A part of a model that is there."""

    shape: Any
    """Its configuration in `models.unified.config`; None for VQ-16, whose images may have any size."""
    take: Callable[[str], Tensor]
    """A tensor by its name in a unified model."""


def assemble(
    language: Path, encoder: Path, codes: Path, seed: int, *, template: str = "janus-pro",
    dtype: torch.dtype | None = None,
) -> Unified:  # fmt: skip
    """A model whose language model, encoder and visual tokenizer are taken from these places, and whose adaptors, table
    of codes and code head are drawn anew.

    `language`: the folder of a Llama; `encoder`: that of a SigLIP; `codes`: a file of LlamaGen's VQ-16. Each may be the
    folder of a unified model instead, in either layout. `dtype`: of all but the visual tokenizer, which stays in
    float32; left out, that of the language model. DataError or UsageError for a part that is none.
    """
    words, spoken = _language(language)
    seen, drawn = _encoder(encoder), _codes(codes)
    painter = drawn.shape or VisualTokenizerConfig(image_size=seen.shape.image_size)
    with torch.device("meta"):
        model = UnifiedModel(UnifiedConfig(backbone=spoken.shape, encoder=seen.shape, tokenizer=painter))
    for name in FRESH:
        getattr(model, name).to_empty(device="cpu")
    initialise(model, torch.Generator().manual_seed(digest(seed, "assembled") % 2**63), FRESH)
    parts = {"backbone": spoken, "text_head": spoken, "encoder": seen, "visual_tokenizer": drawn}
    taken: dict[str, Tensor] = {}
    for name, expected in model.state_dict().items():
        if (module := name.split(".")[0]) in parts:
            taken[name] = parts[module].take(name)
            if taken[name].shape != expected.shape:
                raise DataError(
                    f"{name} has the shape {list(taken[name].shape)} where it is taken from, by the part's "
                    f"configuration {list(expected.shape)} was expected; pass the files of one model together"
                )
    model.load_state_dict(taken, assign=True, strict=False)
    model.restore_tables("cpu")
    preparation = Preparation(size=model.config.seen_size)
    made = Unified(model=model.eval(), words=words, template=template, preparation=preparation)
    return made.to("cpu", dtype or taken["text_head.weight"].dtype)


def _whole(path: Path) -> Unified | None:
    """The unified model in a folder, if that has one."""
    is_one = (path / "config.json").is_file() and described(path).get("model_type") in UNIFIED
    return stored(path) if is_one else None


def _language(folder: Path) -> tuple[TextTokenizer, Part]:
    """A Llama, with a tokenizer that has all marks: their rows, where the tokenizer had none, are those of the model's
    own beginning and end, and else the mean of all."""
    if (whole := _whole(folder)) is not None:
        return whole.words, Part(whole.model.config.backbone, whole.model.state_dict().__getitem__)
    found = _of_type(folder, "llama")
    shape = _shape(folder, lambda: configurations.backbone_of(found))
    weights = weights_of(folder)
    prefix = _prefix(weights, "embed_tokens.weight")
    heads = [name for name in weights.names if name.endswith("lm_head.weight")]
    head = heads[0] if heads else f"{prefix}embed_tokens.weight"  # one table serves both
    words, new = marked(folder)
    rows = max(shape.vocabulary, words.size)
    own = [_first(found.get("bos_token_id")), *[_first(found.get("eos_token_id"))] * 2]
    copied = {mark: row for mark, row in zip(words.special[:3], own, strict=True) if row is not None}

    def take(name: str) -> Tensor:
        tensor = _load(weights, head if name == "text_head.weight" else prefix + name.removeprefix("backbone."))
        return _grown(tensor, rows, new, copied) if name in TABLES else tensor

    return words, Part(replace(shape, vocabulary=rows), take)


def _of_type(folder: Path, *types: str) -> dict[str, Any]:
    """The config.json of a model of one of some types. DataError for another."""
    found = described(folder)
    if (kind := found.get("model_type")) not in types:
        raise DataError(
            f"{folder} has a model of type {kind!r}, a {types[0]} or a unified model was expected; pass the folder of "
            "one"
        )
    return found


def _first(ids: Any) -> int | None:
    """Of a token's id, or of several that mean the same."""
    return ids[0] if isinstance(ids, list) and ids else ids if isinstance(ids, int) else None


def _grown(table: Tensor, rows: int, new: Sequence[int], copied: Mapping[int, int]) -> Tensor:
    """Float["rows width"], with rows for marks that are `new`."""
    mean = table.float().mean(0).to(table.dtype)
    made = torch.cat([table, mean.expand(rows - len(table), -1)])
    for mark in new:
        made[mark] = table[copied[mark]] if copied.get(mark, rows) < len(table) else mean
    return made


def _encoder(folder: Path) -> Part:
    if (whole := _whole(folder)) is not None:
        return Part(whole.model.config.encoder, whole.model.state_dict().__getitem__)
    found = _of_type(folder, "siglip", "siglip_vision_model")
    shape = _shape(folder, lambda: configurations.tower_of(found.get("vision_config", found)))
    weights = weights_of(folder)
    prefix = _prefix(weights, "embeddings.patch_embedding.weight")
    return Part(shape, lambda name: _load(weights, prefix + name.removeprefix("encoder.")))


def _codes(path: Path) -> Part:
    if (whole := _whole(path)) is not None:
        return Part(whole.model.config.tokenizer, whole.model.state_dict().__getitem__)
    if path.is_dir():
        raise DataError(
            f"{path} is a folder without a unified model; pass the folder of one, or a file of VQ-16's weights"
        )
    weights = weights_in(path)
    prefix = _prefix(weights, "quantize.embedding.weight")

    def take(name: str) -> Tensor:
        called = names.source(name, "original").name.removeprefix("gen_vision_model.")
        return _load(weights, prefix + called).float()

    return Part(None, take)


def _shape(folder: Path, read: Callable[[], T]) -> T:
    """What a configuration describes. DataError if it is not known."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise DataError(
            f"{folder / 'config.json'} describes a model that is not known ({error}); pass another"
        ) from error


def _prefix(weights: Weights, end: str) -> str:
    """What stands before the names of a part's tensors. DataError unless just one has that end."""
    found = [name.removesuffix(end) for name in weights.names if name.endswith(end)]
    if len(found) != 1:
        raise DataError(
            f"{weights.where} has {len(found)} tensors whose names end in {end}, one was expected; pass the weights of "
            "one model"
        )
    return found[0]


def _load(weights: Weights, name: str) -> Tensor:
    """A tensor of floating point. DataError if it is not there, or quantised."""
    if name not in weights.names:
        raise DataError(f"{weights.where} lacks {name}; pass the weights of one whole model")
    tensor = weights.load(name)
    names.refuse_quantised(tensor, name, weights.where)
    return tensor
