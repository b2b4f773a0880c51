"""What changes in the course of an episode: inventories turn by turn, and measures binned over turns."""

from __future__ import annotations

import math

import numpy as np

from athanor.analysis.arms import Arm, group_means
from athanor.analysis.intervals import AMOUNT, Point, Range, band

BINS = 10
"""Parts that an episode is divided into, at most."""


def inventory_matrix(arm: Arm) -> np.ndarray:
    """Float["episodes turns+1"]: elements owned before the first turn and after each turn.

    An episode that terminated early keeps its last inventory to the end.
    """
    turns = arm.turns("turn").astype(int)
    last = max(arm.world.turns, int(turns.max(initial=-1)) + 1)
    matrix = np.full((arm.n, last + 1), -np.inf)
    matrix[:, 0] = arm.episodes("start")
    matrix[arm.episode, turns + 1] = arm.turns("inventory")
    return np.maximum.accumulate(matrix, axis=1)


def inventory_curve(arm: Arm) -> tuple[Point, ...]:
    """The mean inventory after each turn with its interval over units; empty when no episode is kept.

    Nothing that is owned is lost, so no interval reaches below the start.
    """
    if not arm.n:
        return ()
    matrix = np.apply_along_axis(arm.by_unit, 0, inventory_matrix(arm))
    return band(matrix, range(matrix.shape[1]), within=(float(matrix[:, 0].mean()), math.inf))


def bin_width(turns: int) -> int:
    """Turns in one bin: a tenth of an episode, at least one."""
    return max(1, math.ceil(turns / BINS))


def binned(arm: Arm, values: np.ndarray, *, within: Range = AMOUNT) -> tuple[Point, ...]:
    """The mean of a turn column in each bin of turns: first over an episode's known turns, then over episodes
    (over each task's first, where tasks are the units).

    A point lies at the middle of its bin, counting turns from 1. Episodes that have no known turn in a bin are no
    part of its mean.
    """
    if not arm.n or not len(values):
        return ()
    turns = arm.turns("turn").astype(int)
    width = bin_width(arm.world.turns)
    bins = int(turns.max()) // width + 1
    cell = arm.episode * bins + turns // width
    means = group_means(values, cell, arm.n * bins).reshape(arm.n, bins)
    middles = [width * i + (min(width, max(1, arm.world.turns - width * i)) + 1) / 2 for i in range(bins)]
    return band(np.apply_along_axis(arm.by_unit, 0, means), middles, within=within)
