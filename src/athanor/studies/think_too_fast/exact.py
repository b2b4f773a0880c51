"""Numbers that need no model, computed as published: by the published rules and lengths, on the game's own table.

Random players and the oracle play the games of the re-analysis into run folders (`arms`). Here are the simulated
players of the published regressions and of immediate usage, and the place that all of them make.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from athanor.analysis.arms import Arm
from athanor.analysis.weights import Options
from athanor.core.records import Estimate
from athanor.environments.alchemy.worlds import is_here, table
from athanor.studies.think_too_fast.arms import PUBLISHED_RULES, PUBLISHED_TURNS, Setting
from athanor.studies.think_too_fast.comparisons import needs_no_model
from athanor.studies.think_too_fast.places import Place, place_name
from athanor.studies.think_too_fast.procedures import usage_of_random, weights_of_random
from athanor.studies.think_too_fast.published import GAME, PUBLISHED
from athanor.values.arrays import TableArrays
from athanor.values.meaning import pair_values

PLAYERS = 1000
"""Random players of each kind whose weights are estimated: as many as the published agents were."""
EMPOWERMENT = "the table's own"
"""Where the empowerment of a pair comes from."""
NAME = place_name(GAME, PUBLISHED_RULES)


def numbers(setting: Setting, arms: Sequence[Arm], options: Options) -> tuple[Estimate, ...]:
    """Weights and usage of simulated random players on the game's own table; nothing in settings that do not ask for
    it, and where the table is not there or none of its games were played."""
    if not setting.exact or not is_here(GAME) or not any(_of_the_game(arm) for arm in arms):
        return ()
    print(f"{NAME}: random players as published", file=sys.stderr)
    world = TableArrays(table(GAME))
    return (
        *weights_of_random(pair_values("true", world), options, PLAYERS), *usage_of_random(world, options.seed)
    )  # fmt: skip


def lacking(setting: Setting, places: Sequence[Place]) -> int:
    """How many published numbers this setting would compute as published, had the game's table been fetched."""
    if not setting.exact or place_of(places) is not None:
        return 0
    return sum(needs_no_model(one) for one in PUBLISHED)


def place_of(places: Sequence[Place]) -> Place | None:
    """The place of the published games, beside others; None where it was not played, or is the first itself."""
    return next((one for one in places[1:] if one.name == NAME), None)


def _of_the_game(arm: Arm) -> bool:
    world = arm.world
    return (world.table.partition("@")[0], world.rules, world.turns) == (GAME, PUBLISHED_RULES, PUBLISHED_TURNS)
