"""Checkpoints: folders of weights, configuration and tokenizer in either published layout, read and written.

What the layouts' own configurations cannot say stands in `config.json` under `athanor`, which other programs pass over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor

from athanor.core.disk import cannot, write_atomically
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.models.unified import configurations, names, processors
from athanor.models.unified.config import Understanding, UnifiedConfig
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.names import LayoutName
from athanor.models.unified.pictures import Preparation
from athanor.models.unified.reading import SAFE, Weights, weights_of
from athanor.models.unified.templates import TEMPLATES
from athanor.models.unified.text_tokenizer import FastTokenizer, tokenizer_of
from athanor.models.unified.unified import Unified, understanding
from athanor.models.unified.usual import usual_of

TABLE = "backbone.embed_tokens.weight"
PART = 5_000_000_000
"""Bytes of one file of weights, at most."""


def read(
    folder: Path, *, template: str | None = None, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> Unified:
    """The model of a folder, in evaluation mode; the layout is recognised.

    `template` is a name in `templates.TEMPLATES`; it need be given only for a published Janus-1.3B (`janus`), which
    does not say how it was taught to converse: others are read as Janus-Pro. `dtype` is that of the file if not given.
    DataError if something is missing, torn, or does not fit the rest.
    """
    return stored(folder, template=template).to(device, dtype)


def stored(folder: Path, *, template: str | None = None) -> Unified:
    """As `read`, on the CPU, every tensor in the dtype that its file has: to be written again, not to be run."""
    config, about = _config(folder)
    weights = _untied(folder, weights_of(folder))
    layout = names.layout_of(weights.names)
    if layout is None:
        raise DataError(f"{weights.where} holds the weights of another kind of model; pass those of a unified model")
    with torch.device("meta"):
        model = UnifiedModel(config)
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    tensors = names.read(shapes, weights.names, layout, weights.load, weights.where)
    model.load_state_dict(tensors, assign=True)
    model.restore_tables("cpu")
    kept = {name: weights.load(name) for name in names.unused(weights.names)}
    chosen = template or about.get("template", "janus-pro")
    preparation = _preparation(folder, config.seen_size)
    return Unified(
        model=model.eval(), words=tokenizer_of(folder), template=chosen, preparation=preparation, unused=kept,
        usual=usual_of(folder),
    )  # fmt: skip


def _untied(folder: Path, weights: Weights) -> Weights:
    """The weights, with a head for text where a model of `transformers` has one table of tokens that serves as both."""
    head, table = (names.source(name, "huggingface").name for name in ("text_head.weight", TABLE))
    if head in weights.names or table not in weights.names or not described(folder).get("tie_word_embeddings", True):
        return weights

    def load(name: str) -> Tensor:
        return weights.load(table).clone() if name == head else weights.load(name)

    return weights._replace(names=weights.names | {head}, load=load)


def described(folder: Path) -> dict[str, Any]:
    """A folder's config.json. DataError if it is not there or no object."""
    return _json(folder / "config.json")


def layout_of(folder: Path) -> LayoutName:
    """The layout that a folder's model is in, by its configuration. DataError if there is none."""
    return "huggingface" if described(folder).get("model_type") == "janus" else "original"


def write(folder: Path, unified: Unified, layout: LayoutName = "original", dtype: torch.dtype | None = None) -> None:
    """Write a model into a folder that does not hold one yet, in `dtype` if given.

    UsageError if the layout cannot hold the model, or if there is a model already; StoreError if the disk refuses.
    """
    config = unified.model.config
    if layout == "huggingface":
        configurations.holds(config)
    if (folder / "config.json").exists():
        raise UsageError(f"{folder} holds a model already; pass another folder")
    tensors = names.written(unified.model.state_dict(), layout)
    tensors |= unified.unused if layout == "original" else {}
    described = configurations.DESCRIBED[layout](config, unified.words.special)
    about = {"config": asdict(config), "template": unified.template, "drawing": msgspec.to_builtins(unified.usual)}
    files = {
        "preprocessor_config.json": configurations.preprocessor(unified.preparation, layout),
        **(
            {"generation_config.json": configurations.generation(unified.words.special)} if layout != "original" else {}
        ),
        "config.json": described | {"athanor": about},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_weights(folder, {name: tensor.to(dtype or tensor.dtype) for name, tensor in tensors.items()})
        unified.words.save(folder)
        if layout == "huggingface" and isinstance(unified.words, FastTokenizer):
            beside = unified.words.files.get("tokenizer_config.json")
            for name, data in processors.files(TEMPLATES[unified.template], config.seen, beside).items():
                write_atomically(folder / name, data)
        for name, content in files.items():
            write_atomically(folder / name, json.dumps(content, indent=2).encode())
    except OSError as error:
        raise StoreError(cannot("write", folder, error)) from error


@torch.no_grad()
def write_changed(
    base: Path, folder: Path, changed: Mapping[str, Tensor], *, template: str | None = None,
    layout: LayoutName | None = None, by: Understanding | None = None,
) -> None:  # fmt: skip
    """Write the model of a folder into another, with some tensors replaced, by the model's own names and in the dtypes
    of the folder's; the others keep every bit. In the folder's layout if none is given. `by`: how images are
    understood, where that was changed. Errors as `stored` and `write`.
    """
    unified = stored(base, template=template)
    unified = unified if by is None else understanding(unified, by)
    found = unified.model.state_dict()
    for name, tensor in changed.items():
        found[name].copy_(tensor)
    write(folder, unified, layout or layout_of(base))


def _write_weights(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """One file, or several with an index; each is whole before it has its name."""
    parts: list[dict[str, Tensor]] = [{}]
    room = PART
    for name, tensor in tensors.items():
        if tensor.nbytes > room and parts[-1]:
            parts.append({})
            room = PART
        parts[-1][name] = tensor.detach().cpu().contiguous()
        room -= tensor.nbytes
    stem = SAFE.removesuffix(".safetensors")
    several = len(parts) > 1
    files = [f"{stem}-{i:05}-of-{len(parts):05}.safetensors" if several else SAFE for i in range(1, len(parts) + 1)]
    for file, part in zip(files, parts, strict=True):
        beside = folder / f".{file}.{os.getpid()}"
        try:
            beside.touch()
            mode = beside.stat().st_mode  # as other files have it: save_file makes one that its owner alone may read
            save_file(part, beside, metadata={"format": "pt"})
            beside.chmod(mode)
            os.replace(beside, folder / file)
        finally:
            beside.unlink(missing_ok=True)
    if several:
        places = {name: file for file, part in zip(files, parts, strict=True) for name in part}
        whole = sum(tensor.nbytes for tensor in tensors.values())
        index = {"metadata": {"total_size": whole}, "weight_map": places}
        write_atomically(folder / f"{SAFE}.index.json", json.dumps(index, indent=2).encode())


def _config(folder: Path) -> tuple[UnifiedConfig, Mapping[str, Any]]:
    """The shape of a folder's model, and what else the folder says of it in our own words."""
    found = described(folder)
    about = found.get("athanor", {})
    try:
        if about:
            return msgspec.convert(about["config"], UnifiedConfig), about
        if found.get("model_type") == "janus":
            return configurations.of_huggingface(found), about
        if found.get("model_type") == "multi_modality":
            return configurations.of_original(found), about
    except (KeyError, TypeError, ValueError, UsageError, msgspec.ValidationError) as error:
        raise DataError(
            f"{folder / 'config.json'} does not describe a unified model ({type(error).__name__}: {error}); copy it "
            "again"
        ) from error
    raise DataError(
        f"{folder / 'config.json'} describes a model of type {found.get('model_type')!r}, multi_modality or janus was "
        "expected; pass the folder of a unified model"
    )


def _preparation(folder: Path, size: int) -> Preparation:
    """How images are prepared; at the published values where no file says it."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return Preparation(size=size)
    found = _json(path)
    told = {"mean": found.get("image_mean"), "std": found.get("image_std"), "least": found.get("min_size")}
    try:
        return msgspec.convert({"size": size} | {k: v for k, v in told.items() if v is not None}, Preparation)
    except msgspec.ValidationError as error:
        raise DataError(f"{path} does not say how images are prepared ({error}); copy it again") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path} is not there; pass the folder of a model") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); copy it again") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is no JSON object; copy it again")
    return found
