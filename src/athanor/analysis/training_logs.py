"""The logs of trainings: what was measured at every step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from athanor.core.errors import DataError

MEASURED = ("reward", "entropy", "kl")
"""What is read of each step: the mean return of a batch, entropy in nats a token, divergence from the base in nats a
token."""


class Logged(NamedTuple):
    """A training's log."""

    arm: str
    base: str
    number: int
    flop: np.ndarray
    """Float["steps"], spent up to each."""
    values: dict[str, np.ndarray]
    """By name, Float["steps"], NaN where it was not measured."""

    def at_the_end(self, name: str, share: float = 0.1) -> float:
        """The mean over the last share of the steps; NaN where it was not measured."""
        last = self.values[name][-max(1, round(share * len(self.flop))) :]
        return float(np.nanmean(last)) if not np.isnan(last).all() else float("nan")


def read_logged(path: Path, arm: str, base: str, number: int) -> Logged:
    """A log of one line a step. DataError if it is torn or empty."""
    try:
        lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_bytes().splitlines()]
        flop = np.array([float(line["flop_generated"]) + float(line["flop_trained"]) for line in lines])
        values = {
            name: np.array([line.get(name, np.nan) for line in lines], dtype=np.float64) for name in MEASURED
        }  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} cannot be read as the log of a training ({error}); remove {path.parent} and go on with --resume"
        ) from error
    if not lines:
        raise DataError(f"{path} has no step; remove {path.parent} and go on with --resume")
    return Logged(arm, base, number, flop, values)
