"""How many groups stand behind a fixed effect, and so how wide its interval must be."""

from __future__ import annotations

import numpy as np

from athanor.analysis.glmm.design import Design, Floats, Ints

SAME = 1e-9
"""Share of a group's squares that a column may have beyond its multiple of another and still be taken for that."""
HEAD = 1_000
"""Groups that are looked at before all of them are."""


def between(design: Design) -> Ints:
    """Int["p"]: how many fixed effects say what the groups' values of one random effect are on average; 0 for none.

    A fixed effect does so whose column is, in every group, a multiple of the random effect's: that effect's own mean,
    and what a quantity constant in groups adds to it (temperature to the intercept, emp:temperature to emp). What
    varies otherwise, such as x in y ~ x + (1 | id), is known from the rows of each group and not from their number.
    """
    owner = np.array([_owner(design, int(k)) for k in design.fixed])
    return np.array([int((owner == one).sum()) if one >= 0 else 0 for one in owner], dtype=np.int64)


def _owner(design: Design, k: int) -> int:
    """The first random effect that a column is a multiple of in every group; -1 if there is none."""
    return next((j for j in range(design.q) if j == k or _multiple(design, j, k)), -1)


def _multiple(design: Design, j: int, k: int) -> bool:
    for groups in (min(HEAD, design.groups), design.groups):
        starts = design.starts[:groups]
        rows = slice(0, int(design.starts[groups]))
        one, other = design.matrix[j, rows], design.matrix[k, rows]
        products = _sums(one * other, starts) ** 2
        if (products < (1 - SAME) * _sums(one * one, starts) * _sums(other * other, starts)).any():
            return False
    return True


def _sums(values: Floats, starts: Ints) -> Floats:
    return np.add.reduceat(values, starts)
