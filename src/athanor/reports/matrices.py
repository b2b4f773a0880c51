"""The tables under the figures: arms as rows, estimates as columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from athanor.analysis.arms import Arm, world_names, worlds_of
from athanor.analysis.exploration import CAUSES, CUT, FINAL, WITHHELD, interval_text, value_text
from athanor.core.records import Estimate
from athanor.environments.alchemy import CATEGORIES
from athanor.reports.text import one_line
from athanor.reports.words import Found

COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "inventory": (("final inventory", FINAL), ("discoveries", "discoveries")),
    "categories": tuple((category.replace("-", ", "), f"share {category}") for category in CATEGORIES),
    "repeats": (
        ("repeated among read", "share of repeated pairs among read"),
        ("successes among new", "share of successes among new pairs"),
        ("names one not owned", "share naming an element not owned"),
        *((f"invalid: {cause}", f"share invalid: {cause}") for cause in CAUSES),
        ("cut at the token bound", CUT),
    ),
    "spending": (
        ("prompt tokens", "prompt tokens per turn"),
        ("cached", "cached prompt tokens per turn"),
        ("newly evaluated", "newly evaluated prompt tokens per turn"),
        ("completion tokens", "completion tokens per turn"),
        ("reasoning tokens", "reasoning tokens per turn"),
        ("seconds", "seconds per turn"),
        ("cost", "cost per turn"),
        ("cost in total", "cost in total"),
    ),
}
"""For the table under each figure: heading and name of the estimate. Under the inventory the differences follow."""

NOTES = {
    "inventory": "Student t, from the inventory at the start up; unknown where all episodes are the same, for then "
    "nothing tells the spread. Differences of the final inventory are between means, with Welch's t interval (a side "
    "that is the same in all takes over the other's spread). An oracle only breaks ties at random: where its games end "
    "alike, it is one game played several times, and no sample. Differences called “all together” have the interval "
    "that holds for all comparisons on this page at once (Bonferroni). A dash: not compared.",
    "categories": "Shares of turns, over episodes. Their intervals hold at least as often as the level says, for any "
    "number of episodes (Gaffke's bound): episodes that agree do not make them vanish, more make them narrower. Of a "
    "few episodes it is this bound, and not their spread, that makes them wide. By construction: the share cannot be "
    "anything but 0, for the player chooses among legal pairs or takes none again, or a grammar binds the model.",
    "repeats": "Repeated: among the answers in which a pair was read. Successes: among pairs not combined before. The "
    "rest are shares of all turns; an element not owned counts whether the rules refuse it or look it up. Invalid "
    "because nothing could be read, there is no such element, it is not owned, or it is final and cannot be combined; "
    "filtered, where the server withheld the answer, and refused, where the model declined, are shown if there are "
    "any. Cut: answers that the token bound ended. Intervals as in the table before: at least as sure as the level "
    "says, none where the share is 0 by construction. A dash: no model was asked.",
    "spending": "Means a turn, Student t over episodes, unknown where all are the same, and for seconds where several "
    "episodes were played at once: they shared the model's time. The total is a sum over everything played and has no "
    "interval. Cost is in the currency of the configured prices. A dash: no model was asked.",
}


Columns = Sequence[tuple[str, str]]
"""Heading and name of the estimate."""


def matrices(section: str, arms: Sequence[Arm], found: Found) -> list[dict[str, Any]]:
    """For every world a table of the section's columns, the differences after those of the inventory."""
    more = _differences if section == "inventory" else lambda arms, found: []
    return tables_of(arms, found, lambda here: [*COLUMNS[section], *more(here, found)])


def tables_of(arms: Sequence[Arm], found: Found, columns: Callable[[Sequence[Arm]], Columns]) -> list[dict[str, Any]]:
    """For every world a table; columns in which no arm of the world has anything to tell are left out."""
    worlds = worlds_of(arms)
    names = world_names(worlds)
    tables = []
    for world in worlds:
        here = [arm for arm in arms if arm.world == world and arm.n]
        kept = [(title, name) for title, name in columns(here) if any(_told(found, arm, name) for arm in here)]
        rows = [_row(arm, [found.get((arm.name, name)) for _, name in kept]) for arm in here]
        if rows and kept:
            tables.append({"world": one_line(names[world], 90), "titles": [t for t, _ in kept], "rows": rows})
    return tables


def _differences(arms: Sequence[Arm], found: Found) -> Columns:
    return differences_of(FINAL, arms, found)


def differences_of(measure: str, arms: Sequence[Arm], found: Found) -> Columns:
    """The differences in a measure that these arms have from others."""
    ours = {arm.name for arm in arms}
    names = dict.fromkeys(name for group, name in found if group in ours and name.startswith(f"{measure} minus "))
    return [(one_line(name.removeprefix(f"{measure} "), 60), name) for name in names]


def _told(found: Found, arm: Arm, name: str) -> bool:
    """Whether a value is known; of answers withheld or refused, whether there are any."""
    estimate = found.get((arm.name, name))
    rare = name.removeprefix("share invalid: ") in WITHHELD
    return estimate is not None and estimate.value is not None and (estimate.value > 0 or not rare)


def _row(arm: Arm, estimates: Sequence[Estimate | None]) -> dict[str, Any]:
    return {
        "arm": one_line(arm.short, 80),
        "baseline": arm.baseline is not None,
        "cells": [cell(estimate) for estimate in estimates],
        "n": _units(arm),
        "excluded": arm.errors + arm.unfinished,
    }


def _units(arm: Arm) -> str:
    """The number of episodes; of tasks too where these are the units, and that an oracle's games are one game."""
    if arm.units != "episodes":
        return f"{arm.n} of {len(arm.by_unit(arm.episodes('start')))} tasks"
    return f"{arm.n}, alike" if arm.one_game else f"{arm.n}"


def cell(estimate: Estimate | None) -> dict[str, str]:
    """A number with its interval; a dash where the question does not arise."""
    if estimate is None:
        return {"value": "–", "interval": ""}
    if estimate.value is None:
        return {"value": "unknown", "interval": ""}
    interval = interval_text(estimate).replace("%", "").replace("unknown", "[unknown]")
    return {"value": value_text(estimate).replace("-", "−"), "interval": interval.replace("-", "−")}
