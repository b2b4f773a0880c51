"""Every published number beside the one of ours that comes nearest to it, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from athanor.analysis.arms import Arm
from athanor.analysis.curves import inventory_curve
from athanor.analysis.intervals import LEVEL
from athanor.analysis.weights import MEMORYLESS, NEVER_REPEATS, PUBLISHED, named
from athanor.core.records import Estimate
from athanor.environments.alchemy.rules import RULES
from athanor.studies.think_too_fast import published
from athanor.studies.think_too_fast.claims import REFERENCE, Comparison, compare
from athanor.studies.think_too_fast.published import BOUND, NAMES, NEVER, ORACLE, RANDOM, Published

SIMULATED = {"random agent": NEVER_REPEATS, NEVER: NEVER_REPEATS, RANDOM: MEMORYLESS}
"""Which simulated players' weights and usage are set beside a published player's."""
BASELINE = {NEVER: "random-never-repeat", RANDOM: "random", ORACLE: "oracle"}
"""Which arm a player of the re-analysis is."""
REGRESSION = {
    "uncertainty": "brandle-empowerment-uncertainty", "empowerment": "brandle-empowerment-uncertainty",
    "stopping": "stopping", "usage": "usage", "inventory after": "survival", "players with a trial": "survival",
    "players with at least": "survival", "share of players": "survival",
}  # fmt: skip
"""What `athanor analyse` is asked for a number of people, by how the quantity begins."""


def comparisons(
    setting: str, model: str, arms: Sequence[Arm], exploration: Sequence[Estimate], first_world: Sequence[Estimate]
) -> tuple[Comparison, ...]:
    """The comparisons, in the order of the published numbers. Ours are of the study's first world."""
    world = arms[0].world if arms else None
    here = [arm for arm in arms if arm.world == world]
    by = {(one.group, one.name): one for one in (*exploration, *first_world)}
    by |= {(one.group, one.name): one for arm in here for one in _derived(arm, by)}
    players = {name: next((a.name for a in here if a.baseline == agent), "") for name, agent in BASELINE.items()}
    found = []
    for one in published.PUBLISHED:
        groups, same = _subject(one, model, here, players)
        ours = next((by[group, _name(one)] for group in groups if (group, _name(one)) in by), None)
        who, _ = REFERENCE.get(one.quantity, ("", 0.0))
        found.append(compare(
            one, ours, by.get((players.get(who, ""), one.quantity)),
            stand_in=not (same and setting == "paper"), missing="" if ours else _missing(one, setting, here),
        ))  # fmt: skip
    return tuple(found)


def _name(one: Published) -> str:
    return named(one.quantity, PUBLISHED) if one.quantity in ("uncertainty", "empowerment") else one.quantity


def _derived(arm: Arm, by: dict[tuple[str, str], Estimate]) -> Iterator[Estimate]:
    """An arm's numbers that only the comparisons need."""
    share, turns = by.get((arm.name, "share success-new")), arm.world.turns
    if share and share.value is not None and RULES[arm.world.rules].results == "next":
        start = float(arm.episodes("start").mean())
        value, low, high = (None if x is None else start + turns * x for x in (share.value, share.low, share.high))
        yield Estimate(
            name=BOUND, value=value, low=low, high=high, level=share.level, n=share.n, unit=share.unit,
            method="start + turns x share success-new", group=arm.name,
        )  # fmt: skip
    if turns >= 100 and arm.n:
        point = inventory_curve(arm)[100]
        yield Estimate(
            name="inventory after 100 turns", value=point.value, low=point.low, high=point.high,
            level=None if point.low is None else LEVEL, n=point.n, unit=arm.units, method="mean over episodes",
            group=arm.name,
        )  # fmt: skip


def _subject(one: Published, model: str, arms: Sequence[Arm], players: dict[str, str]) -> tuple[tuple[str, ...], bool]:
    """The names of the group of ours that stands for a published one, and whether it is the same model or player."""
    if one.of in SIMULATED and one.quantity not in REFERENCE:
        return (SIMULATED[one.of],), one.quantity.startswith("usage")
    if one.of in players:
        return (players[one.of],), True
    if one.of.endswith("agent"):
        return _names([arm for arm in arms if arm.short.startswith(one.of)]), False
    if one.of.startswith("people") or _beyond(one):
        return (), False
    asked = [arm for arm in arms if arm.run.manifest.config.get("condition") == _condition(one)]
    name = one.of.partition(",")[0]
    same = [arm for arm in asked if is_model(name, arm.run.manifest.config["model"])]
    mine = same or [arm for arm in asked if arm.run.manifest.config["model"] == model]
    mine.sort(key=lambda arm: (_heat(arm), not arm.run.manifest.config["constrained"], _budget(arm)))
    return _names(mine), bool(same)


def is_model(name: str, model: str) -> bool:
    """Whether a model is a published one: its name, but for a folder, a date and a format.

    >>> is_model("gpt-4o", "gpt-4o-2024-08-06"), is_model("gpt-4o", "gpt-4o-mini")
    (True, False)
    """
    ending = r"([.-](\d{4}-\d\d-\d\d|i?q\d\w*|gguf|b?f16))*"
    return re.fullmatch(NAMES.get(name, re.escape(name)) + ending, Path(model).name.lower()) is not None


def _condition(one: Published) -> str:
    return "engineered" if "engineered" in one.of else "reasoning" if one.of in published.REASONING else "base"


def _names(arms: Sequence[Arm]) -> tuple[str, ...]:
    """What the last of these arms is called among all worlds, and in its own."""
    return (arms[-1].name, arms[-1].short) if arms else ()


def _heat(arm: Arm) -> float:
    return arm.run.manifest.config.get("temperature") or 0.0


def _budget(arm: Arm) -> int:
    return arm.run.manifest.config.get("max_tokens") or 0


def _beyond(one: Published) -> str:
    """Why this laboratory cannot compute a number at all; empty if it can."""
    if "Tiny" in one.of:
        return "neither the table of this game nor its players' logs are public"
    if "ablated" in one.of or one.quantity.startswith("layer"):
        return "it needs sparse autoencoders, and the laboratory has none yet"
    if one.quantity.startswith("three tokens"):
        return "it counts the tokens of a vocabulary that is not part of the laboratory; no arm is bounded to three"
    return ""


def _missing(one: Published, setting: str, arms: Sequence[Arm]) -> str:
    """Why there is none of ours."""
    if why := _beyond(one):
        return why
    if one.of.startswith("people"):
        asked = next((name for begin, name in REGRESSION.items() if one.quantity.startswith(begin)), "")
        table = "--table little-alchemy-2 --rules brandle2023"
        more = f" (from their logs: `athanor analyse LOGS {table} --regression {asked}`)" if asked else ""
        return f"it is of people, and none play in this study{more}"
    if one.quantity == BOUND:
        return "under the rules played a turn can give several elements, so that the share bounds nothing"
    if one.quantity == "inventory after 100 turns":
        return f"the arms of the setting {setting} play {max((arm.world.turns for arm in arms), default=0)} turns"
    return f"no arm of the setting {setting} is of this kind ({_condition(one)})"
