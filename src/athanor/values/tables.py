"""Values that a pair has whatever was played: from the true table, from meaning, or from another source."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from athanor.core.errors import DataError
from athanor.values.arrays import Bools, Floats, Ints, Lists, TableArrays


def true_success(world: TableArrays) -> Floats:
    """Float["pairs"]: 1 where a pair makes something, else 0 (their `truebin`)."""
    return (world.recipe >= 0).astype(np.float64)


def true_empowerment(world: TableArrays) -> Floats:
    """Float["pairs"]: distinct results that could be made with what a pair makes; 0 where it makes nothing.

    The size of the union of the results' children (their `trueemp`, the form of the regressions).
    """
    return _by_recipe(world, world.children)


def true_empowerment_or_failure(world: TableArrays) -> Floats:
    """`true_empowerment` with -1 where a pair makes nothing, as the precomputed table of Brändle et al. has it."""
    return np.where(world.recipe >= 0, true_empowerment(world), -1.0)


def true_empowerment_outgoing(world: TableArrays) -> Floats:
    """Float["pairs"]: distinct successful pairs that contain one of the results.

    The `outgoing_combinations` variant of Brändle et al., which counts recipes in place of what they make.
    """
    return _by_recipe(world, world.recipes_with)


LIVE = ("true_success_new", "true_empowerment_new", "true_empowerment_local")
"""Values of pairs that follow from the table and from what is owned now."""


def true_success_new(world: TableArrays, owned: Bools) -> Floats:
    """Float["pairs"]: 1 where a pair makes something that is not owned, else 0 (the dynamic `truebin`).

    `owned`: Bool["elements"].
    """
    made = world.results
    new = np.add.reduceat(~owned[made.items], made.starts[:-1]) > 0 if len(made.items) else np.zeros(0)
    return np.append(new, False).astype(np.float64)[world.recipe]


def true_empowerment_new(world: TableArrays, owned: Bools) -> Floats:
    """Float["pairs"]: `true_empowerment` that counts only results not owned, and of theirs only those not owned.

    The dynamic variant of Brändle et al.'s agents. `owned`: Bool["elements"].
    """
    steps = world.second_steps
    return _distinct(world, steps, ~owned[steps[:, 1]] & ~owned[steps[:, 3]])


def true_empowerment_local(world: TableArrays, owned: Bools, usable: Bools) -> Floats:
    """Float["pairs"]: what a pair's new results could make at once: with themselves or what can be combined now.

    The local variant of Brändle et al.'s agents, which counts results not owned. `usable`: Bool["elements"], what can
    be combined.
    """
    steps = world.second_steps
    at_once = (steps[:, 1] == steps[:, 2]) | usable[steps[:, 2]]
    return _distinct(world, steps, ~owned[steps[:, 1]] & ~owned[steps[:, 3]] & at_once)


def _distinct(world: TableArrays, steps: Ints, counted: Bools) -> Floats:
    """For every pair how many distinct elements the steps that are counted lead to; 0 where it makes nothing.

    `steps`: those of `TableArrays.second_steps`, which are in order of the recipe and of what is made.
    """
    kept = steps[counted]
    first = np.ones(len(kept), dtype=np.bool_)
    first[1:] = (kept[1:, [0, 3]] != kept[:-1, [0, 3]]).any(axis=1)
    sizes = np.bincount(kept[first, 0], minlength=len(world.ends)).astype(np.float64)
    return np.append(sizes, 0.0)[world.recipe]


def _by_recipe(world: TableArrays, counted: Lists) -> Floats:
    """For every pair the size of the union of its results' lists; 0 where it makes nothing."""
    lists = [set(counted[e].tolist()) for e in range(world.n)]
    results = (world.results[i].tolist() for i in range(len(world.ends)))
    sizes = [len(set[int]().union(*(lists[r] for r in made))) for made in results]
    return np.append(np.array(sizes, dtype=np.float64), 0.0)[world.recipe]


@dataclass(frozen=True)
class PairValues:
    """Named values of every pair of a world, each Float["pairs"] in the order of `pair_number`."""

    world: TableArrays
    values: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = self.world.n * (self.world.n + 1) // 2
        for name, values in self.values.items():
            if values.shape != (expected,):
                raise DataError(
                    f"the value {name!r} has shape {values.shape}, ({expected},) was expected for the {self.world.n} "
                    f"elements of {self.world.table.name}; compute it on this table"
                )
            if not np.isfinite(values).all():
                raise DataError(f"the value {name!r} is not finite for {int((~np.isfinite(values)).sum())} pairs")

    @staticmethod
    def true(world: TableArrays) -> PairValues:
        """The values that only the table knows, whatever is owned: success, and the forms of empowerment."""
        return PairValues(world, {
            "true_success": true_success(world), "true_empowerment": true_empowerment(world),
            "true_empowerment_or_failure": true_empowerment_or_failure(world),
            "true_empowerment_outgoing": true_empowerment_outgoing(world),
        })  # fmt: skip

    def with_values(self, **values: Floats) -> PairValues:
        """These values and more."""
        return PairValues(self.world, {**self.values, **values})
