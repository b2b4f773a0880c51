"""Checkpoints of a training by several processes: of copied weights one file, of parted weights one of each process.

A file is written whole or not at all, and a checkpoint counts once all of its files are there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from athanor.core.errors import DataError
from athanor.training import checkpoint
from athanor.training.unified.many import Many, local

KIND = "fine-tuning"
_FILE = re.compile(r"part-(\d+)-of-(\d+)\.safetensors")


def keep(many: Many, out: Path, step: int) -> None:
    """Write the weights that are trained and the states of their optimizer; the newest checkpoints are kept."""
    accelerator, folder = many.accelerator, out / f"checkpoint-{step:07d}"
    number, world = (accelerator.process_index, accelerator.num_processes) if many.parted else (0, 1)
    if many.parted or accelerator.is_main_process:
        about = {"kind": KIND, "step": step, "parts": many.parts}
        checkpoint.write(folder / f"part-{number}-of-{world}.safetensors", _tensors(many), about)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        for old in whole(out)[: -checkpoint.KEPT]:
            for file in old.iterdir():
                file.unlink()
            old.rmdir()


def whole(out: Path) -> list[Path]:
    """The checkpoints that count, oldest first."""
    found = []
    for folder in sorted(out.glob("checkpoint-*")):
        parts = [match for file in folder.iterdir() if (match := _FILE.fullmatch(file.name))]
        if parts and {int(match[1]) for match in parts} == set(range(int(parts[0][2]))):
            found.append(folder)
    return found


def newest(out: Path) -> Path | None:
    """The last checkpoint that counts, if there is any."""
    found = whole(out)
    return found[-1] if found else None


@torch.no_grad()
def restore(many: Many, out: Path) -> int:
    """Take the newest checkpoint over; the steps that were done, 0 if there is none. DataError if it is of weights that
    were parted otherwise, or of another model."""
    folder = newest(out)
    if folder is None:
        return 0
    number, world = (many.accelerator.process_index, many.accelerator.num_processes) if many.parted else (0, 1)
    path = folder / f"part-{number}-of-{world}.safetensors"
    if not path.is_file():
        raise DataError(
            f"{folder} has {', '.join(sorted(file.name for file in folder.iterdir()))}, {path.name} was expected; go "
            "on with as many processes as before"
        )
    tensors, about = checkpoint.read(path, KIND)
    if about["parts"] != many.parts:
        raise DataError(
            f"{path} is of a training whose steps have {about['parts']} parts, {many.parts} were asked for; go on with "
            f"{about['parts']}"
        )
    mine = _tensors(many, begun=True)
    if mine.keys() != tensors.keys() or any(tensors[name].shape != one.shape for name, one in mine.items()):
        raise DataError(f"{path} is of another model or training; begin again with another --out")
    for name, one in mine.items():
        one.copy_(tensors[name])
    return about["step"]


def _tensors(many: Many, *, begun: bool = False) -> dict[str, Tensor]:
    """This process' parts of all that the next step depends on; `begun`: states of the optimizer that are not there yet
    are made."""
    state: dict[Any, Any] = many.optimizer.state
    found: dict[str, Tensor] = {}
    for name, weight in many.weights.items():
        if begun and not state.get(weight):
            state[weight] = {
                "step": torch.zeros((), dtype=torch.float32, device=weight.device), "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }  # fmt: skip
        found[f"model/{name}"] = local(weight.detach())
        for key, value in state.get(weight, {}).items():
            found[f"optimizer/{name}/{key}"] = local(value.detach())
    return found
