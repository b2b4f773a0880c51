"""Low-rank adapters (Hu et al. 2022, arXiv 2106.09685; the layers are those of `peft`) in a unified model.

What draws and answers (`models.unified.decoding`) reads the weights themselves: within `merged` they are those with the
adapters added in, and afterwards what they were before, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from athanor.core.errors import DataError, UsageError
from athanor.core.seeds import digest
from athanor.models.unified import checkpoints
from athanor.models.unified.config import Understanding
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.names import LayoutName
from athanor.training import checkpoint
from athanor.training.unified.settings import Lora

KIND = "adapter of a unified model"


def adapt(model: UnifiedModel, lora: Lora, modules: Sequence[str], seed: int) -> None:
    """Freeze the model and put adapters, which add nothing yet, beside every linear layer of some of its modules."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UsageError("peft is not installed; run `pip install 'athanor-lab[torch,posttrain]'`") from error
    linears = [
        name for name, one in model.named_modules() if isinstance(one, nn.Linear) and name.split(".")[0] in modules
    ]
    if lora.rank < 1 or not linears:
        raise UsageError(
            f"adapters of rank {lora.rank} in {len(linears)} layers of {', '.join(modules)} were asked for, 1 or more "
            "of both was expected"
        )
    model.requires_grad_(False)
    config = LoraConfig(r=lora.rank, lora_alpha=lora.scale * lora.rank, target_modules=linears)  # pyright: ignore[reportArgumentType]
    inject_adapter_in_model(config, model)
    generator = torch.Generator().manual_seed(digest(seed, "lora") % 2**63)
    for layer in _layers(model).values():
        first = layer.lora_A["default"].weight
        drawn = torch.empty(first.shape)
        nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
        with torch.no_grad():
            first.copy_(drawn)


def _layers(model: UnifiedModel) -> dict[str, Any]:
    """The layers that have adapters, by name."""
    try:
        from peft.tuners.lora import Linear
    except ImportError:  # without the library there are none
        return {}
    return {name: one for name, one in model.named_modules() if isinstance(one, Linear)}


@contextmanager
@torch.no_grad()
def merged(model: UnifiedModel) -> Iterator[None]:
    """With the adapters added into the weights; afterwards the weights are what they were, bit for bit."""
    layers = list(_layers(model).values())
    before = [layer.get_base_layer().weight.detach().clone() for layer in layers]
    try:
        for layer in layers:
            layer.merge()
        yield
    finally:
        for layer, weight in zip(layers, before, strict=True):
            layer.get_base_layer().weight.copy_(weight)
            layer.merged_adapters.clear()


@contextmanager
def absent(model: UnifiedModel) -> Iterator[None]:
    """As the model was without its adapters."""
    layers = list(_layers(model).values())
    for layer in layers:
        layer.enable_adapters(enabled=False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(enabled=True)


def trained(model: nn.Module) -> nn.ParameterDict:
    """The parameters that have gradients, by their names with `/` for dots."""
    return nn.ParameterDict(
        {name.replace(".", "/"): one for name, one in model.named_parameters() if one.requires_grad}
    )


def matrices(model: UnifiedModel) -> dict[str, Tensor]:
    """The adapters: of each layer with the name N the tensors `N/A`, Float["rank in"], and `N/B`, Float["out rank"]."""
    found = {}
    for name, layer in _layers(model).items():
        found[f"{name}/A"], found[f"{name}/B"] = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    return {name: weight.detach() for name, weight in found.items()}


def save(path: Path, adapters: Mapping[str, Tensor], lora: Lora) -> None:
    """Write adapters, as `matrices` gives them, into a file alone."""
    checkpoint.write(path, dict(adapters), {"kind": KIND, "rank": lora.rank, "alpha": lora.scale * lora.rank})


def write_merged(
    base: Path, adapter: Path, folder: Path, *, template: str | None = None, layout: LayoutName | None = None,
    by: Understanding | None = None,
) -> None:  # fmt: skip
    """Write the model of a folder with the adapters of a file added in, in either layout. Sums are taken in float32 and
    rounded once; what has no adapter keeps every bit. `by`: as `checkpoints.write_changed`. DataError if the adapters
    are not of such a model."""
    tensors, about = checkpoint.read(adapter, KIND)
    weights, changed = checkpoints.stored(base).model.state_dict(), dict[str, Tensor]()
    for name in sorted({full.rpartition("/")[0] for full in tensors}):
        a, b, weight = tensors.get(f"{name}/A"), tensors.get(f"{name}/B"), weights.get(f"{name}.weight")
        if a is None or b is None or weight is None or weight.shape != (len(b), a.shape[1]):
            raise DataError(
                f"{adapter} has an adapter of {name!r} that does not fit the model in {base}; pass the model that it "
                "was trained on"
            )
        changed[f"{name}.weight"] = added(weight, a, b, about["alpha"] / about["rank"])
    checkpoints.write_changed(base, folder, changed, template=template, layout=layout, by=by)


def added(weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """Float["out in"], in float32: the weight and scale times `b` `a`, Float["out rank"] and Float["rank in"]."""
    return weight.float() + scale * (b.float() @ a.float())
