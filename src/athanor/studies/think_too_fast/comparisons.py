"""Every published number beside the one of ours that comes nearest to it."""

from __future__ import annotations

from collections.abc import Sequence

from athanor.analysis.arms import Arm
from athanor.analysis.weights import NEVER_REPEATS, PUBLISHED, named
from athanor.core.records import Estimate
from athanor.studies.think_too_fast import published
from athanor.studies.think_too_fast.claims import Comparison, compare
from athanor.studies.think_too_fast.published import Published

PEOPLE = "there are no people in this study; `athanor analyse LOGS` reads the logs of people"


def comparisons(
    setting: str, model: str, arms: Sequence[Arm], exploration: Sequence[Estimate], first_world: Sequence[Estimate]
) -> tuple[Comparison, ...]:
    """The comparisons, in the order of the published numbers. Ours are of the study's first world."""
    by = {(one.group, one.name): one for one in (*exploration, *first_world)}
    world = arms[0].world if arms else None
    here = [arm for arm in arms if arm.world == world]
    random = next((arm.name for arm in here if arm.baseline == "random-never-repeat"), "")
    found = []
    for one in published.PUBLISHED:
        groups, same = _subject(one, model, here)
        ours = next((by[group, _name(one)] for group in groups if (group, _name(one)) in by), None)
        found.append(compare(
            one, ours, by.get((random, one.quantity)),
            stand_in=not (same and setting == "paper"), missing=_missing(one),
        ))  # fmt: skip
    return tuple(found)


def _name(one: Published) -> str:
    return named(one.quantity, PUBLISHED) if one.quantity in ("uncertainty", "empowerment") else one.quantity


def _subject(one: Published, model: str, arms: Sequence[Arm]) -> tuple[tuple[str, ...], bool]:
    """The names of the group of ours that stands for a published one, and whether it is the same model or agent."""
    if one.of == "random agent":
        return (NEVER_REPEATS,), True
    if one.of.endswith("agent"):
        return _names([arm for arm in arms if arm.short.startswith(one.of)]), True
    if one.of.startswith("people"):
        return (), False
    condition = "engineered" if "engineered" in one.of else "reasoning" if one.of in published.REASONING else "base"
    mine = [arm for arm in arms if arm.run.manifest.config.get("condition") == condition]
    mine.sort(key=lambda arm: (_heat(arm), not arm.run.manifest.config["constrained"], _budget(arm)))
    return _names(mine), one.of.partition(",")[0] in model.lower()


def _names(arms: Sequence[Arm]) -> tuple[str, ...]:
    """What the last of these arms is called among all worlds, and in its own."""
    return (arms[-1].name, arms[-1].short) if arms else ()


def _heat(arm: Arm) -> float:
    return arm.run.manifest.config.get("temperature") or 0.0


def _budget(arm: Arm) -> int:
    return arm.run.manifest.config.get("max_tokens") or 0


def _missing(one: Published) -> str:
    return PEOPLE if one.of.startswith("people") else ""
