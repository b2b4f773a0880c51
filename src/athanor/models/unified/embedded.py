"""The unified model that comes with the package: 4 million parameters that draw scenes and answer about them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

NAME = "tiny-1"
GUIDANCE, TEMPERATURE = 2.0, 0.5
"""At which this model draws most prompts right."""
PUBLISHED = 5.0
"""Guidance of Janus-Pro, whose temperature is 1."""


def folder_of(model: Path | None) -> Path:
    """The folder of a model, by default that of the one that comes with the package."""
    return Path(str(files("athanor.models.unified") / "data" / NAME)) if model is None else model


def guidance_of(guidance: float | None, model: Path | None) -> float:
    """The weight that is asked for, by default the one that the model is best drawn with."""
    if guidance is not None:
        return guidance
    return GUIDANCE if model is None else PUBLISHED


def temperature_of(temperature: float | None, model: Path | None) -> float:
    """The temperature of drawing that is asked for, by default the one that the model is best drawn with."""
    if temperature is not None:
        return temperature
    return TEMPERATURE if model is None else 1.0
