"""What was predicted of a world from the meaning of its names, as files that are read without a model library."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.core.disk import write_atomically
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.core.records import Estimate
from athanor.core.store import Manifest
from athanor.values.arrays import Floats, TableArrays
from athanor.values.tables import PairValues

KIND = "train empowerment"

FILES = ("pairs", "elements", "results")
"""The Parquet files of a folder of predictions. The manifest is written after them, and names their digests."""


@dataclass(frozen=True)
class Predictions:
    """Predicted values of every pair, what they rest on, and how probable the true results were held to be."""

    pairs: PairValues
    """`similarity`, `success`, `empowerment`, `empowerment_direct` and variants."""
    elements: dict[str, Floats]
    """By the name of a pair value, what it counts of each element, Float["elements"]: `empowerment` its children."""
    rank: Floats
    """Float["rows"]: the place of each true result among all elements by its probability, from 1; in the order of
    `TableArrays.results`."""
    chance: Floats
    """Float["rows"]: that probability."""

    @property
    def world(self) -> TableArrays:
        """The world they are of."""
        return self.pairs.world


def refuse_existing(folder: Path) -> None:
    """UsageError if a folder cannot be made, or holds anything but predictions whose writing was interrupted."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UsageError(f"{folder} cannot be made, {nearest} is not a folder to write to; pass another --out")
    own = {f"{name}.parquet" for name in FILES} | {"estimates.jsonl"}
    if folder.exists() and any(file.name not in own and not file.name.startswith(".") for file in folder.iterdir()):
        raise UsageError(f"{folder} already holds something, an empty or new folder was expected; pass another --out")


def save(folder: Path, predictions: Predictions, manifest: Manifest, estimates: Sequence[Estimate] = ()) -> None:
    """Write predictions to a folder; its manifest last, so that without one nothing reads as whole."""
    columns = {
        "pairs": predictions.pairs.values,
        "elements": {"element": list(predictions.world.table.elements), **predictions.elements},
        "results": {"rank": predictions.rank, "chance": predictions.chance},
    }
    hashes = {"table": predictions.world.table.digest}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            buffer = io.BytesIO()
            pq.write_table(pa.table(columns[name]), buffer, compression="zstd")
            write_atomically(folder / f"{name}.parquet", buffer.getvalue())
            hashes[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
        lines = b"".join(msgspec.json.encode(estimate) + b"\n" for estimate in estimates)
        write_atomically(folder / "estimates.jsonl", lines)
        whole = msgspec.structs.replace(manifest, kind=KIND, hashes={**manifest.hashes, **hashes})
        write_atomically(folder / "manifest.json", msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(
            f"cannot write {folder}: {error.strerror or error}; pass an --out that can be written"
        ) from error


def load(folder: Path, world: TableArrays) -> tuple[Predictions, Manifest]:
    """Read predictions of this world. DataError if they are not whole, were changed, or are of another table."""
    manifest = _manifest(folder / "manifest.json")
    if manifest.hashes.get("table") != world.table.digest:
        raise DataError(
            f"{folder} was made on a table with digest {manifest.hashes.get('table')}, {world.table.name} has "
            f"{world.table.digest}; pass the table it was made on ({manifest.config.get('table')})"
        )
    pairs, elements, results = (_columns(folder / f"{name}.parquet", manifest.hashes.get(name)) for name in FILES)
    if elements.pop("element").tolist() != list(world.table.elements) or len(results["rank"]) != len(
        world.results.items
    ):
        raise DataError(f"{folder} does not list the elements and results of {world.table.name}; make it again")
    return Predictions(PairValues(world, pairs), elements, results["rank"], results["chance"]), manifest


def _manifest(path: Path) -> Manifest:
    if not path.is_file():
        raise UsageError(f"{path} does not exist; a folder that `athanor train empowerment` finished was expected")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} is not a manifest of this program ({error}); make the predictions again") from error
    if found.kind != KIND:
        raise UsageError(f"{path} is of a {found.kind!r}, {KIND!r} was expected; pass a folder of predictions")
    return found


def _columns(path: Path, digest: str | None) -> dict[str, np.ndarray]:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise DataError(f"{path} is not what its manifest says; make the predictions again")
        table = pq.read_table(io.BytesIO(data))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read ({error}); make the predictions again") from error
    return {name: table[name].to_numpy() for name in table.column_names}


def pair_values(named: str, world: TableArrays) -> PairValues:
    """The values of a world's pairs: `true` ones, the table's own, or with those that a folder predicts.

    With `true`, `success` and `empowerment` are the table's too, for regressions that name them.
    """
    true = PairValues.true(world)
    if named == "true":
        return true.with_values(success=true.values["true_success"], empowerment=true.values["true_empowerment"])
    predicted, _ = load(Path(named), world)
    return true.with_values(**predicted.pairs.values)
