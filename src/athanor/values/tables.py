"""Values that a pair has whatever was played: from the true table, from meaning, or from another source."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from athanor.core.errors import DataError
from athanor.values.arrays import Bools, Floats, Lists, TableArrays


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
    return _by_recipe(world, world.children, owned)


def true_empowerment_local(world: TableArrays, owned: Bools, usable: Bools) -> Floats:
    """Float["pairs"]: what a pair's new results could make at once: with themselves or what can be combined now.

    The local variant of Brändle et al.'s agents, which counts results not owned. `usable`: Bool["elements"], what can
    be combined.
    """
    ends, made = world.ends, world.results
    reach = []
    for element in range(world.n):
        with_it = world.recipes_with[element] if not owned[element] else []
        open_ = [r for r in with_it if all(e == element or usable[e] for e in ends[r])]
        reach.append(sorted({int(e) for r in open_ for e in made[r]}))
    return _by_recipe(world, Lists.of(reach), owned)


def _by_recipe(world: TableArrays, counted: Lists, owned: Bools | None = None) -> Floats:
    """For every pair the size of the union of its results' lists; 0 where it makes nothing. `owned` counts nowhere."""
    lists = [set(counted[e].tolist()) for e in range(world.n)]
    held = set[int]() if owned is None else set(np.flatnonzero(owned).tolist())
    results = (set(world.results[i].tolist()) - held for i in range(len(world.results.starts) - 1))
    sizes = [len(set[int]().union(*(lists[r] for r in made)) - held) for made in results]
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
        """The values that only the table knows: `true_success` and `true_empowerment`."""
        return PairValues(world, {"true_success": true_success(world), "true_empowerment": true_empowerment(world)})

    def with_values(self, **values: Floats) -> PairValues:
        """These values and more."""
        return PairValues(self.world, {**self.values, **values})
