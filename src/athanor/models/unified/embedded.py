"""The unified model that comes with the package: 4 million parameters that draw scenes and answer about them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from athanor.models.unified.usual import Usual, usual_of

NAME = "tiny-1"


def folder_of(model: Path | None) -> Path:
    """The folder of a model, by default that of the one that comes with the package."""
    return Path(str(files("athanor.models.unified") / "data" / NAME)) if model is None else model


def usual(model: Path | None, guidance: float | None = None, temperature: float | None = None) -> Usual:
    """Guidance and temperature that are asked for, and else what the model's folder says."""
    found = usual_of(folder_of(model))
    return Usual(
        guidance=found.guidance if guidance is None else guidance,
        temperature=found.temperature if temperature is None else temperature,
    )
