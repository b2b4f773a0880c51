"""Files of weights, as far as they can be trusted: safetensors, and pickles of tensors and nothing else."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from athanor.core.errors import DataError

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"


class Weights(NamedTuple):
    """The tensors of a folder, in one file or in several."""

    where: str
    """The folder or file, for messages."""
    names: set[str]
    load: Callable[[str], Tensor]
    """A tensor by its name, on the CPU."""


def weights_of(folder: Path) -> Weights:
    """The weights in a folder: `model.safetensors`, else `pytorch_model.bin`, each whole or in parts with an index.

    DataError if there are none, if they are torn, or if a pickle holds more than tensors.
    """
    for name, opened in ((SAFE, _safe), (PICKLED, _pickled)):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return opened(folder / name)
        if index.is_file():
            return _in_parts(index, opened)
    raise DataError(f"{folder} has neither {SAFE} nor {PICKLED}, nor an index of either; put the model's weights there")


def weights_in(path: Path) -> Weights:
    """The weights in a file: safetensors, or a pickle of tensors alone. A pickle may have them under `ema`, `model` or
    `state_dict`, as the files of LlamaGen do. Errors as `weights_of`."""
    if not path.is_file():
        raise DataError(f"{path} is not there; pass a file of weights")
    return _safe(path) if path.suffix == ".safetensors" else _pickled(path, ("ema", "model", "state_dict"))


def _safe(path: Path) -> Weights:
    try:
        file: Any = safe_open(path, framework="pt")  # kept open: it would read the table of all tensors for each
        names = set(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise _torn(path, error) from error

    def load(name: str) -> Tensor:
        try:
            return file.get_tensor(name)
        except (SafetensorError, OSError, ValueError) as error:
            raise _torn(path, error) from error

    return Weights(str(path), names, load)


def _pickled(path: Path, under: tuple[str, ...] = ()) -> Weights:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the pickle's protocol: whether it is read is what counts
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} is a pickle that holds more than tensors, or is torn; it was not run. Pass one of tensors alone, "
            "or a safetensors file"
        ) from error
    except Exception as error:  # a hostile or torn file can make the reader raise anything
        raise _torn(path, error) from error
    inner = [found[name] for name in under if isinstance(found, dict) and isinstance(found.get(name), dict)]
    found = inner[0] if inner else found
    if not isinstance(found, dict) or not all(isinstance(one, Tensor) for one in found.values()):
        raise DataError(f"{path} holds no table of tensors; pass the weights of a model")
    return Weights(str(path), set(found), found.__getitem__)


def _torn(path: Path, error: Exception) -> DataError:
    why = f"{type(error).__name__}: {error}".splitlines()[0]
    return DataError(f"{path} is torn or no file of weights ({why}); copy it again")


def _in_parts(index: Path, opened: Callable[[Path], Weights]) -> Weights:
    """Of an index, which names the file of every tensor."""
    try:
        places = json.loads(index.read_bytes())["weight_map"]
        files = sorted(set(places.values()))
        if not all(isinstance(name, str) and Path(name).name == name for name in files):
            raise ValueError("its files must lie beside it")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{index} is no index of weights ({error}); copy it again") from error
    parts = {}
    for name in files:
        if not (index.parent / name).is_file():
            raise DataError(f"{index.parent / name} is not there, {index.name} names it; copy the missing part")
        parts[name] = opened(index.parent / name)
    lost = sorted(name for name, file in places.items() if name not in parts[file].names)
    if lost:
        raise DataError(f"{index.parent / places[lost[0]]} lacks {lost[0]}, which {index.name} places there; copy both")
    return Weights(str(index.parent), set(places), lambda name: parts[places[name]].load(name))
