"""Checkpoints: one safetensors file each, written whole or not at all, that says what it is.

A run goes on from one bit for bit: weights, optimizer states and counters are in the file, and every random draw
follows from the seed and the number of the step, so that no generator's state has to be kept.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from athanor.core.disk import cannot, write_atomically
from athanor.core.errors import DataError, StoreError
from athanor.models.policy.transformer import Policy, PolicyConfig

SCHEMA = 1
KEPT = 2
"""Checkpoints of a run that are kept, the newest ones."""


class Checkpoint(NamedTuple):
    """What a checkpoint holds."""

    tensors: dict[str, Tensor]
    about: dict[str, Any]
    """JSON values: `kind`, `step` and whatever its writer needs."""


def write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all. StoreError if the disk refuses; what was there before stays."""
    whole = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    data = save(whole, metadata={"athanor": json.dumps({"schema": SCHEMA, **about})})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise StoreError(cannot("write", path, error, again="go on with --resume")) from error


def read(path: Path, kind: str | None = None, device: str = "cpu") -> Checkpoint:
    """Read a checkpoint. DataError if it is none, of another kind, or of another schema."""
    if not path.is_file():
        raise DataError(f"{path} is not there, a checkpoint was expected; pass the path of a .safetensors file")
    try:
        with safe_open(path, framework="pt", device=device) as file:
            about = json.loads((file.metadata() or {}).get("athanor", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{path} is no whole safetensors file ({error}); copy it again") from error
    if not isinstance(about, dict) or about.get("schema") != SCHEMA:
        raise DataError(
            f"{path} is no checkpoint of this program, or of another version of it; pass one of schema {SCHEMA}"
        )
    if kind is not None and about.get("kind") != kind:
        raise DataError(
            f"{path} is a checkpoint of {about.get('kind')!r}, one of {kind!r} was expected; pass such a one"
        )
    return Checkpoint(tensors, about)


def newest(folder: Path) -> Path | None:
    """The last checkpoint of a run's folder, if there is any."""
    found = sorted(folder.glob("checkpoint-*.safetensors"))
    return found[-1] if found else None


def read_newest(folder: Path, kind: str, device: str = "cpu") -> Checkpoint | None:
    """What to go on from, None at the beginning. DataError, with what to do, if it is torn or of another kind."""
    path = newest(folder)
    if path is None:
        return None
    try:
        return read(path, kind, device)
    except DataError as error:
        before = [other.name for other in sorted(folder.glob("checkpoint-*.safetensors"))][:-1]
        where = f"from {before[-1]}" if before else "from the beginning"
        raise DataError(f"{error}, or remove it: --resume then goes on {where}") from error


def keep_newest(folder: Path) -> None:
    """Remove all checkpoints of a run but the KEPT newest."""
    for path in sorted(folder.glob("checkpoint-*.safetensors"))[:-KEPT]:
        path.unlink(missing_ok=True)


def write_policy(path: Path, policy: Policy, about: dict[str, Any], dtype: torch.dtype = torch.float32) -> None:
    """Write a policy alone, in a smaller dtype if asked."""
    weights = {name: weight.to(dtype) for name, weight in policy.state_dict().items()}
    write(path, weights, {"kind": "policy", "policy": asdict(policy.config), **about})


def read_policy(path: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> tuple[Policy, dict[str, Any]]:
    """A policy and what its file says of it: a policy alone, or a checkpoint of post-training. DataError if the weights
    are not those of the shape that it names."""
    tensors, about = read(path, device=device)
    if about.get("kind") != "policy":
        parts = {name.removeprefix("policy/"): one for name, one in tensors.items() if name.startswith("policy/")}
        if "policy" not in about or not parts:
            raise DataError(
                f"{path} is a checkpoint of {about.get('kind')!r}, a policy or a checkpoint of its post-training was "
                "expected; pass such a one"
            )
        tensors = parts
    try:
        policy = Policy(PolicyConfig(**about["policy"])).to(device, dtype)
        policy.load_state_dict({name: tensor.to(dtype) for name, tensor in tensors.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise DataError(
            f"{path} does not hold the weights of the policy that it names ({str(error).splitlines()[0]}); pass a "
            "checkpoint of another architecture to the program that wrote it"
        ) from error
    return policy, about
