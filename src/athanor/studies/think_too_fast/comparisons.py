"""Every published number beside the one of ours that comes nearest to it, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from athanor.analysis.arms import Arm
from athanor.analysis.curves import inventory_curve
from athanor.analysis.intervals import LEVEL
from athanor.analysis.weights import MEMORYLESS, NEVER_REPEATS, named
from athanor.core.records import Estimate
from athanor.environments.alchemy.rules import RULES
from athanor.studies.think_too_fast import published
from athanor.studies.think_too_fast.claims import REFERENCE, Beside, Comparison, compare
from athanor.studies.think_too_fast.how import How, another_world, apart
from athanor.studies.think_too_fast.people import NOBODY, People
from athanor.studies.think_too_fast.places import Place
from athanor.studies.think_too_fast.procedures import (
    RANDOM_RULES,
    RANDOM_TURNS,
    USAGE,
    procedures_of,
    with_procedure,
)
from athanor.studies.think_too_fast.published import BOUND, GAME, NAMES, NEVER, ORACLE, RANDOM, Published

WEIGHTS = ("uncertainty", "empowerment")
SIMULATED = {"random agent": NEVER_REPEATS, NEVER: NEVER_REPEATS, RANDOM: MEMORYLESS}
"""Which simulated players' weights and usage are set beside a published player's."""
WITHOUT_A_MODEL = (RANDOM, NEVER, ORACLE, "random agent")
"""Published players that need no model to play, only the game's table."""
BASELINE = {NEVER: "random-never-repeat", RANDOM: "random", ORACLE: "oracle"}
"""Which arm a player of the re-analysis is."""
REGRESSION = {
    "uncertainty": "brandle-empowerment-uncertainty", "empowerment": "brandle-empowerment-uncertainty",
    "stopping": "stopping", "usage": "usage", "inventory after": "survival", "players with a trial": "survival",
    "players with at least": "survival", "share of players": "survival",
}  # fmt: skip
"""What `athanor analyse` is asked for a number of people, by how the quantity begins."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What of ours stands beside a published number."""

    groups: tuple[str, ...]
    """The names under which its estimates may be, the first that has one counts."""
    same: bool = True
    """Whether it is the same model or player."""
    how: How = field(default_factory=How)
    silent: int = 0
    """Arms that could have stood in for the model, had they made one valid attempt; counted where none did."""


def comparisons(
    setting: str, model: str, places: Sequence[Place], *, nagq: Literal[0, 1] = 1, people: People = NOBODY
) -> tuple[Comparison, ...]:
    """The comparisons, in the order of the published numbers. Ours are of the study's first world, those that need no
    model of the game's own table where it is played on, and behind each stands the same of every other world that has
    it.

    `nagq`: how weights of an arm alone were fitted; `people`: whose logs were given, of the first world.
    """
    found = [_in(setting, model, place, nagq, NOBODY if k else people) for k, place in enumerate(places)]
    game = next((k for k, place in enumerate(places) if place.table == GAME), 0)
    rows = []
    for k, one in enumerate(published.PUBLISHED):
        at = game if needs_no_model(one) else 0
        there = [(place, mine[k]) for place, mine in zip(places, found, strict=True) if mine is not found[at]]
        rows.append(replace(found[at][k], elsewhere=tuple(
            Beside(world=place.called, ours=row.ours, direction=row.direction, why=row.why)
            for place, row in there if row.ours is not None and row.direction != "not computed"
        )))  # fmt: skip
    return tuple(rows)


def needs_no_model(one: Published) -> bool:
    """Whether a published number follows from the game's table and its rules alone.

    A weight of empowerment does not: the published values are predicted by a model of word vectors.
    """
    return one.of in WITHOUT_A_MODEL and one.quantity != "empowerment"


def _in(setting: str, model: str, place: Place, nagq: Literal[0, 1], people: People) -> list[Comparison]:
    """The comparisons with what one world has."""
    here = place.arms
    by = {(one.group, one.name): one for one in people.estimates} | dict(place.by)
    by |= {(one.group, one.name): one for arm in here for one in _derived(arm, by)}
    players = {name: next((a for a in here if a.baseline == agent), None) for name, agent in BASELINE.items()}
    found = []
    for one in published.PUBLISHED:
        subject = _subject(one, model, here, players, people)
        ways = procedures_of(one.of, one.how, nagq) if one.quantity in WEIGHTS else (None,)
        beside = [
            (way, by[group, name]) for way in ways for group in subject.groups
            if (group, name := named(one.quantity, way.kind) if way else one.quantity) in by
        ]  # fmt: skip
        way, ours = next((pair for pair in beside if pair[1].value is not None), (*beside, (ways[0], None))[0])
        reference = REFERENCE.get(one.quantity)
        line = players.get(reference.of) if reference else None
        how = with_procedure(subject.how, way, place.empowerment) if way else subject.how
        another = (*(() if subject.same else ("another model",)), *another_world(_played(one), how))
        found.append(compare(
            one, ours, by.get((line.name, one.quantity)) if line else None,
            another=another, how=apart(one.how, how), missing="" if ours else _missing(one, setting, here, people),
            incomparable=_silent(subject.silent) if subject.silent else "",
        ))  # fmt: skip
    return found


def _played(one: Published) -> How:
    """How a number was made; of people, whose source often says it of all of them at once, at least where."""
    return How(table=published.GAME) if one.of.startswith("people") else one.how


def _silent(arms: int) -> str:
    those = "the only arm that could stand in" if arms == 1 else f"none of the {arms} arms that could stand in"
    return f"{those} {'made no' if arms == 1 else 'made a'} valid attempt: all of its answers were invalid"


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


def _subject(
    one: Published, model: str, arms: Sequence[Arm], players: Mapping[str, Arm | None], people: People = NOBODY
) -> Subject:
    """Who of ours stands for a published model or player.

    Of the model itself the arm nearest to the published one; of another model, which stands in, only an arm that made
    an attempt at all: what one says that never kept to the form is nothing about exploring.
    """
    if one.of in SIMULATED and one.quantity not in REFERENCE:
        return Subject(groups=(SIMULATED[one.of],), how=_of_simulated(one, arms))
    if one.of in players:
        return _of([player] if (player := players[one.of]) else [], same=True)
    if one.of.endswith("agent"):
        return _of([arm for arm in arms if arm.short.startswith(one.of)], same=True)
    if one.of.startswith("people") and not _beyond(one):
        return Subject(groups=people.called(one.of), how=people.how)
    if _beyond(one):
        return Subject(groups=(), same=False)
    asked = [arm for arm in arms if arm.run.manifest.config.get("condition") == _condition(one)]
    asked.sort(key=lambda arm: (_heat(arm), not arm.run.manifest.config["constrained"], _budget(arm)))
    name = one.of.partition(",")[0]
    if same := [arm for arm in asked if is_model(name, arm.run.manifest.config["model"])]:
        return _of(same, same=True)
    standing = [arm for arm in asked if arm.run.manifest.config["model"] == model]
    able = [arm for arm in standing if made_an_attempt(arm)]
    return Subject(groups=(), same=False, silent=len(standing)) if standing and not able else _of(able, same=False)


def made_an_attempt(arm: Arm) -> bool:
    """Whether any turn of an arm was valid."""
    return bool((arm.turns_with("category", "invalid") == 0).any())


def _of(arms: Sequence[Arm], *, same: bool) -> Subject:
    """The last of these arms, by its name among all worlds and by that in its own."""
    if not arms:
        return Subject(groups=(), same=same)
    return Subject(groups=(arms[-1].name, arms[-1].short), same=same, how=how_of(arms[-1]))


def how_of(arm: Arm) -> How:
    """How an arm's numbers are made: where and how long it plays, and how it is asked if it is a model."""
    config = arm.run.manifest.config
    return How(
        table=arm.world.table.partition("@")[0], rules=arm.world.rules, turns=str(arm.world.turns),
        asked=_asked(config) if config.get("agent") == "language" else "",
    )  # fmt: skip


def _asked(config: Mapping[str, Any]) -> str:
    warm = config.get("temperature")
    parts = ["bound to legal answers" if config["constrained"] else "free", f"{config['condition']} prompt"]
    parts += ["no temperature" if warm is None else f"T={warm:g}"]
    parts += [f"{config['max_tokens']} tokens"] if config.get("max_tokens") else []
    return ", ".join(parts)


def _of_simulated(one: Published, arms: Sequence[Arm]) -> How:
    """How the numbers of simulated players are made: by the rules of the source, and as long as it has them."""
    how = how_of(arms[0]) if arms else How()
    if one.quantity.startswith("usage"):
        return replace(how, rules="brandle2023", turns=str(USAGE[1]))
    return replace(how, rules=RANDOM_RULES, turns=str(RANDOM_TURNS), asked="")


def is_model(name: str, model: str) -> bool:
    """Whether a model is a published one: its name, but for a folder, a date and a format.

    >>> is_model("gpt-4o", "gpt-4o-2024-08-06"), is_model("gpt-4o", "gpt-4o-mini")
    (True, False)
    """
    ending = r"([.-](\d{4}-\d\d-\d\d|i?q\d\w*|gguf|b?f16))*"
    return re.fullmatch(NAMES.get(name, re.escape(name)) + ending, Path(model).name.lower()) is not None


def _condition(one: Published) -> str:
    return "engineered" if "engineered" in one.of else "reasoning" if one.of in published.REASONING else "base"


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


def _missing(one: Published, setting: str, arms: Sequence[Arm], people: People) -> str:
    """Why there is none of ours."""
    if why := _beyond(one):
        return why
    if one.of.startswith("people") and people.names:
        return f"the logs that were given ({', '.join(people.names)}) do not tell it of {one.of}"
    if one.of.startswith("people"):
        asked = next((name for begin, name in REGRESSION.items() if one.quantity.startswith(begin)), "")
        table = "--table little-alchemy-2 --rules brandle2023"
        more = f"; or `athanor analyse LOGS {table} --regression {asked}`" if asked else ""
        return f"it is of people, and none play in this study (give their logs with --people{more})"
    if one.quantity == BOUND:
        return "under the rules played a turn can give several elements, so that the share bounds nothing"
    if one.quantity == "inventory after 100 turns":
        return f"the arms of the setting {setting} play {max((arm.world.turns for arm in arms), default=0)} turns"
    return f"no arm of the setting {setting} is of this kind ({_condition(one)})"
