"""Shares that are 0 by how an arm plays, whatever happens in its games: no interval is to be made of those."""

from __future__ import annotations

from typing import get_args

from msgspec.structs import replace

from athanor.analysis.arms import Arm
from athanor.core.records import Estimate, Unread
from athanor.environments.alchemy.rules import RULES, Cause

BY_CONSTRUCTION = "0 by construction"
"""What the method of such an estimate begins with."""
INVALID = (
    "share invalid", "share naming an element not owned",
    *(f"share invalid: {cause}" for cause in get_args(Cause) if cause not in get_args(Unread)[1:]),
)  # fmt: skip
"""Shares of answers that are no legal pair, but for those that a server withheld or a model declined to give."""
AGAIN = ("share success-existing", "share failure-existing", "share of repeated pairs among read")
FAILED = ("share failure-new", "share failure-existing")

LEGAL = "the player chooses among legal pairs"
UNTRIED = "the player takes no pair again while one is left that it has not tried"


def zero_by_construction(arm: Arm) -> dict[str, str]:
    """The shares that cannot be anything but 0, each with the reason.

    A bound on tokens can cut an answer that a grammar would have ended well, so that a grammar makes only an arm's
    shares 0 of which no answer was cut.
    """
    config = arm.run.manifest.config
    found: dict[str, str] = {}
    if config.get("agent") == "language":
        if config.get("constrained") and not arm.turns_with("finish", "length").any():
            found |= dict.fromkeys(INVALID, "a grammar lets nothing but legal pairs be answered, and none was cut")
    elif config.get("agent") in SIMULATED:
        found |= dict.fromkeys(INVALID, LEGAL)
    if never_repeats(arm):
        found |= dict.fromkeys(AGAIN, UNTRIED)
    if config.get("agent") == "oracle":
        found |= dict.fromkeys(FAILED, "the player takes what gives something new, while there is something")
        if arm.world.rules in RULES and RULES[arm.world.rules].results == "all":
            found |= dict.fromkeys(AGAIN, "the player takes what gives something new, and a pair gives all at once")
    return found


SIMULATED = ("random", "random-never-repeat", "uncertainty", "oracle", "cognitive")
"""Agents that ask nobody and choose among the pairs that can be combined."""


def never_repeats(arm: Arm) -> bool:
    """Whether an arm's player leaves out the pairs it has tried."""
    config = arm.run.manifest.config
    if config.get("agent") == "cognitive":
        return config.get("memory", "tried") == "tried"
    return config.get("agent") in ("random-never-repeat", "uncertainty")


def constructed(share: Estimate, why: str) -> Estimate:
    """The share without an interval where it is 0, as `why` lets it be nothing else; as it was where it is not."""
    if share.value != 0:
        return share
    return replace(share, low=None, high=None, level=None, method=f"{BY_CONSTRUCTION}: {why}")


def is_by_construction(one: Estimate) -> bool:
    """Whether an estimate is 0 by construction."""
    return one.method.startswith(BY_CONSTRUCTION)
