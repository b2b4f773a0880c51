"""The values of exploration as formulas over plain numbers or arrays (Pan et al. 2025, Brändle et al. 2023).

All are read before the turn's own update. `turns` is the number N of turns logged so far; of an element, `uses` is
how often it was combined (a self-pair counts twice) and `idle` the turns since it was last combined (0 if it was in
the last one, N if never). A pair's value is the sum of its elements' values, so that a self-pair has twice its
element's. The same functions are called with arrays by agents and compiled into the loop over logged turns.
"""

from __future__ import annotations

import numpy as np

PAST = ("uncertainty", "recency", "value", "value_pan2025")
"""Values that depend on what a player did before, in the order of the compiled loop; `value` is Brändle et al.'s."""


def uncertainty(turns, uses):
    """sqrt(ln(1 + N) / (1 + uses)): how little an element was used; 0 for all before the first turn (their `cbu`)."""
    return np.sqrt(np.log(1.0 + turns) / (1.0 + uses))


def recency(turns, idle):
    """idle / (1 + N): how long an element was left alone; 0 if it was in the last turn (their `rec`)."""
    return idle / (1.0 + turns)


def gain_brandle2023(gained, success, repeated):
    """What a turn adds to the value of both its elements: how many elements joined, gifts included, else -1."""
    return float(gained) if gained > 0 else -1.0


def gain_pan2025(gained, success, repeated):
    """The same in Pan et al.: 1 for a pair of the table and -1 for another when first tried, nothing when repeated."""
    if repeated:
        return 0.0
    return 1.0 if success else -1.0


def idle_since(turns, last):
    """Turns since each element was last combined, in turn `last` (counted from 0); N where `last` is -1, for never."""
    return np.where(last < 0, turns, turns - 1 - last)
