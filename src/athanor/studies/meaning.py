"""Empowerment predicted from meaning, into a folder."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from athanor.analysis.meaning import quality
from athanor.core.build import build_name, versions
from athanor.core.errors import UsageError
from athanor.core.records import Estimate
from athanor.core.store import Manifest
from athanor.environments.alchemy.worlds import table
from athanor.models.meaning.embeddings import Vectors, embedding
from athanor.values.arrays import TableArrays
from athanor.values.meaning import KIND, Predictions, refuse_existing, save


@dataclass(frozen=True, kw_only=True)
class Config:
    """Predict empowerment from the meaning of element names, by cross-validation."""

    table: str
    """atelier, little-alchemy-2, wordcraft, generated:words:SEED, generated:opaque:SEED, renamed:SEED:TABLE, a file."""
    seed: int
    """All randomness follows from it."""
    out: Path
    """The folder for the values, their estimates and a manifest; refused if it holds something."""
    embedding: str = "minilm"
    """minilm, a .vec, .bin (fastText), .npz or .parquet file, or hf:PATH[:LAYER] with a model's folder or GGUF file."""
    split: Literal["pair", "element"] = "pair"
    """What is new to the networks that predict a pair: the pair, or also one of its elements or both."""
    recipe: Literal["exact", "brandle2023"] = "exact"
    """exact is symmetric and calibrated; brandle2023 is as published."""
    folds: int = 10
    """Folds of the cross-validation: 3 or more, at most one for each pair (with --split element, each element)."""
    device: str = "cpu"
    """Where torch works."""
    json: bool = False
    """Print JSON on standard output instead of a table."""


def train(config: Config) -> tuple[Predictions, Sequence[Estimate]]:
    """Predict every pair of a world, write the values with their estimates, and give both. Takes minutes."""
    refuse_existing(config.out)
    world = TableArrays(table(config.table))
    source = embedding(config.embedding, config.device)
    try:
        from athanor.models.meaning.fitting import Compute
        from athanor.models.meaning.prediction import predict
    except ImportError as error:
        raise UsageError("torch is not installed; run `pip install 'athanor-lab[torch]'`") from error
    compute = Compute(device=config.device)
    vectors = source.embed(world.table.elements)
    found = predict(world, vectors, config.split, config.recipe, config.seed, count=config.folds, compute=compute)
    estimates = quality(found, config.seed)
    save(config.out, found, manifest_of(config, vectors), estimates)
    return found, estimates


def manifest_of(config: Config, vectors: Vectors) -> Manifest:
    """What the predictions are; `save` adds the digests of the table and of the files."""
    science = {name: getattr(config, name) for name in ("table", "embedding", "split", "recipe", "folds", "seed")}
    return Manifest(
        kind=KIND,
        config=science,
        execution={"device": config.device, "command": " ".join(["athanor", *sys.argv[1:]])},
        build=build_name(),
        versions=versions(),
        hashes={"vectors": hashlib.sha256(vectors.tobytes()).hexdigest()},
        label=f"{config.table}, {config.embedding}, by {config.split}, {config.recipe}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
