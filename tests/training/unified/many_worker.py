"""A process of `test_many`: trains a small model for some steps with the others, and writes what came out.

Arguments: what is done with the weights (copied, parted, adapters beside parted ones), a folder.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState

from athanor.models.unified.unified import Unified, fresh
from athanor.training import checkpoint
from athanor.training.unified.joint import freeze
from athanor.training.unified.kept import keep, restore
from athanor.training.unified.lora import adapt
from athanor.training.unified.many import Many, gathered, local, processes
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.settings import Lora
from athanor.training.unified.stages import Stage
from athanor.training.unified.teaching import Dose
from tests.models.unified.small import model
from tests.training.unified.small import DRAWS, EVERY_WORD

STEPS, PARTS = 3, 4
STAGE = Stage(
    name="I", steps=STEPS, dose=Dose(samples=24, ratio=(1, 1, 1), rows=3), rate=1e-3,
    trained={"encoder": 0.5, "encoder_adaptor": 1.0, "backbone": 1.0, "text_head": 1.0, "code_adaptor": 1.0,
             "code_embedding": 1.0, "code_head": 1.0},
)  # fmt: skip


def learner() -> Unified:
    shape = replace(
        DRAWS, encoder=replace(DRAWS.encoder, image_size=48, patch=16),
        backbone=replace(DRAWS.backbone, vocabulary=EVERY_WORD.size),
    )  # fmt: skip
    return fresh(model(shape), EVERY_WORD)


def beginner(accelerator: Accelerator, parts: int, stage: Stage, rank: int) -> Many:
    unified = learner()
    if rank:
        adapt(unified.model, Lora(rank=rank), list(stage.trained), 1)
    else:
        freeze(unified.model, stage)
    return Many(unified, stage, Scenes(seed=1), 1, accelerator, parts)


def trained(
    accelerator: Accelerator, parts: int = PARTS, stage: Stage = STAGE, rank: int = 0, out: Path | None = None
) -> tuple[Many, list[dict[str, float]]]:
    """A model after a stage, and what it told; with a checkpoint in `out` before the last step."""
    many = beginner(accelerator, parts, stage, rank)
    told = []
    for step in range(stage.steps):
        if out is not None and step == stage.steps - 1:
            keep(many, out, step)
        told.append(many.step(step))
    told.append(many.measure(Scenes(seed=2), 4))
    return many, told


def goes_on(many: Many, out: Path, rank: int) -> None:
    """From the checkpoint to the same weights, bit for bit."""
    again = beginner(many.accelerator, PARTS, STAGE, rank)
    begun = restore(again, out)
    assert begun == STAGE.steps - 1
    again.step(begun)
    for name, weight in many.weights.items():
        assert torch.equal(local(weight.detach()), local(again.weights[name].detach())), name


def parted(accelerator: Any) -> None:
    """Weights are parted over the processes. The library does so on accelerators alone, though the code runs on any."""
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy="transformer_based_wrap")
    plugin.cpu_ram_efficient_loading = False
    for shared in (PartialState._shared_state, accelerator.state._shared_state):
        shared["distributed_type"] = DistributedType.FSDP
    accelerator.state.fsdp_plugin = plugin


if __name__ == "__main__":
    torch.set_num_threads(1)
    how, out = sys.argv[1], Path(sys.argv[2])
    accelerator = processes("cpu")
    if how != "copied":
        parted(accelerator)
    rank = 2 if how == "adapters" else 0
    many, told = trained(accelerator, rank=rank, out=out)
    assert all(one is many.weights[name] for name, one in many.unified.model.named_parameters() if one.requires_grad)
    assert many.parted == (how != "copied")
    share = sum(local(one).numel() for one in many.weights.values()) / sum(one.numel() for one in many.weights.values())
    assert (0.4 < share < 0.6) == (how != "copied"), share
    goes_on(many, out, rank)
    tensors = gathered(many.weights, keep=accelerator.is_main_process)
    if accelerator.is_main_process:
        checkpoint.write(out / "weights.safetensors", tensors, {"kind": "test"})
        (out / "told.json").write_text(json.dumps(told))
    accelerator.wait_for_everyone()
    accelerator.end_training()
