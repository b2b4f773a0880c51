"""The page over logs of anybody: counts, curves of those who may stop when they like, shares of turns, and weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from athanor.analysis.behaviour import MILESTONES
from athanor.analysis.exploration import LEVEL_TEXT
from athanor.analysis.intervals import Point
from athanor.analysis.logged import FINAL, LENGTH, PLAYERS, STOPPED, TURNS, UNCOUNTED, Curves, LoggedWorld
from athanor.analysis.logs import Logs, left_out
from athanor.analysis.random_players import NEVER_REPEATS
from athanor.analysis.reading import readings
from athanor.core.records import Estimate
from athanor.environments.alchemy import CATEGORIES
from athanor.reports.drawing import COLOURS, CROWD, DASHES, LABEL, WIDTH, Line, Spec, Style, legend, panel, shortened
from athanor.reports.figures import CATEGORY_COLOURS, Figure, figure_of, pieces, stacked
from athanor.reports.matrices import cell
from athanor.reports.page import Chapter, chapter_of, rendered, section_of, written
from athanor.reports.text import block, listed, one_line
from athanor.reports.weights import weights_figure

FEWEST = 5
"""Players of whom a mean has a band, and those of a larger group whose mean is drawn."""
STEPS = 240
"""Points of a curve of shares that are drawn, at most."""
PANELS: tuple[tuple[str, Callable[[Curves], tuple[Point, ...]]], ...] = (
    ("Those still playing", lambda curves: curves.playing),
    ("All players, the last inventory carried forward", lambda curves: curves.carried),
)
SURVIVORS = (
    "Those who go on may not be like those who stop. Left, the mean inventory of those who still play: it may rise "
    "because players find more, and because those who find little leave. Right, the mean of all, in which those who "
    "stopped keep what they had: it rises for the first reason alone. Below, the share that goes on (Kaplan and Meier; "
    "who was cut off is not taken for one who stopped). Random players play by the groups' rules and stop when they "
    "do, so that with them nothing depends on who leaves."
)


NOTES = {
    "survival": "Student t over players; behind the interval of those still playing, how many they are. "
    "Going on: Greenwood's variance on the log-minus-log scale. A dash: not asked of random players, who stop when the "
    "groups do.",
    "categories": "Means over players; their intervals hold at least as often as the level says (Gaffke's bound).",
}


def report(worlds: Sequence[LoggedWorld], out: Path, terms: Sequence[str]) -> Path:
    """Write out/report.html with its figures and estimates. `terms`: of the regression, those whose weights are shown.

    Nothing is written elsewhere, and nothing on the page needs a network. The same logs give the same files.
    """
    estimates = [one for world in worlds for one in _told_apart(world, len(worlds) > 1)]
    survival, shares = _survival(worlds), _categories(worlds)
    weights = weights_figure([(world.name, _weights_of(world)) for world in worlds], terms)
    chapters = [_weights(worlds, weights), _read(worlds)]
    page = rendered(
        (), estimates, units="players", counted="players",
        groups=list(dict.fromkeys(one.group for one in estimates)), made=_made(worlds), title=_title(worlds),
        findings=[_finding(world) for world in worlds], note=f"In brackets: {LEVEL_TEXT} intervals over players.",
        left_out="", excluded="",
        sections=[
            section_of(survival, NOTES["survival"], _matrices(worlds, _milestones)),
            section_of(shares, NOTES["categories"], _matrices(worlds, _shares)),
        ],
        chapters=[chapter_of(chapter) for chapter in chapters if chapter], transcripts=[],
    )  # fmt: skip
    return written(page, [one for one in (survival, shares, weights) if one], estimates, out)


def _told_apart(world: LoggedWorld, several: bool) -> list[Estimate]:
    """The estimates; among several worlds a group's name says its world."""
    return [replace(e, group=f"{e.group}, {world.name}") for e in world.estimates] if several else [*world.estimates]


def _title(worlds: Sequence[LoggedWorld]) -> str:
    players = sum(int(e.value or 0) for world in worlds for e in world.of(PLAYERS).values())
    tables = dict.fromkeys(one_line(world.played.world.table.name, 60) for world in worlds)
    return f"Logged play in {listed(list(tables))}: {players:,} player{'' if players == 1 else 's'}"


def _finding(world: LoggedWorld) -> dict[str, Any]:
    players, turns = world.of(PLAYERS), world.of(TURNS)
    whole = sum(int(e.value or 0) for e in turns.values())
    groups = "1 group" if len(world.groups) == 1 else f"{len(world.groups)} groups"
    lead = f"{groups} of {sum(int(e.value or 0) for e in players.values()):,} players with {whole:,} turns."
    return {
        "world": one_line(world.name, 90), "lead": lead,
        "arms": [(one_line(one.name, 80), _said(world, one.name)) for one in world.groups],
    }  # fmt: skip


def _said(world: LoggedWorld, group: str) -> str:
    """A group's players, how long and how far they played, and the share that found something new."""
    players, stopped, turns, out = (
        int(world.of(name)[group].value or 0) for name in (PLAYERS, STOPPED, TURNS, UNCOUNTED)
    )  # fmt: skip
    if not players:
        return "has no turn."
    length, final = world.of(LENGTH)[group], world.of(FINAL)[group]
    said = f"{players:,} players of {_tenths(length)} turns on average, of whom {stopped:,} stopped by themselves, end "
    said += f"with {_tenths(final)} elements"
    found = world.of("share success-new").get(group)
    if found is not None and found.value is not None:
        said += f"; in {_percent(found)} of a player's turns a new pair made something"
    return said + (f". {out:,} of {turns:,} turns do not count." if out else ".")


def _tenths(one: Estimate) -> str:
    ends = "" if one.low is None or one.high is None else f" [{one.low:.1f}, {one.high:.1f}]"
    return f"{one.value:.1f}{ends}"


def _percent(one: Estimate) -> str:
    ends = "" if one.low is None or one.high is None else f" [{100 * one.low:.1f}, {100 * one.high:.1f}]"
    return f"{100 * (one.value or 0):.1f}%{ends}"


def _styles(world: LoggedWorld) -> dict[str, Style]:
    """A colour for each group, greys for random players."""
    found: dict[str, Style] = {}
    place = 0
    for curves in world.curves:
        name = curves.group.replace(" (simulated)", "") if curves.beside else curves.group
        label = shortened(name, LABEL)
        if label in {style.label for style in found.values()}:
            label = f"{shortened(name, LABEL - 5)} #{len(found) + 1}"
        if curves.beside:
            grey, dash = ("#5C5C5C", (6, 2)) if curves.group.startswith(NEVER_REPEATS) else ("#8A8A8A", (1, 0))
            found[curves.group] = Style(name=curves.group, label=label, colour=grey, dash=dash, muted=True)
            continue
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]
        found[curves.group] = Style(name=curves.group, label=label, colour=colour, dash=dash, muted=False)
        place += 1
    return found


def _survival(worlds: Sequence[LoggedWorld]) -> Figure:
    """Inventories of survivors and of all, and who goes on: a row of panels for every six groups."""
    charts: list[Spec] = []
    for world in worlds:
        styles = _styles(world)
        own, random = ([one for one in world.curves if bool(one.beside) == beside] for beside in (False, True))
        parts = [own[k : k + CROWD] for k in range(0, len(own), CROWD)]
        for k, part in enumerate(parts, 1):
            which = f" ({k} of {len(parts)})" if len(parts) > 1 else ""
            names = {one.group for one in part}
            every = [*part, *(one for one in random if names & set(one.beside))]
            pair = [_inventories(title, world, every, pick, styles) for title, pick in PANELS]
            charts += [
                legend([styles[one.group] for one in every]),
                {"hconcat": pair, "spacing": 34, "title": {"text": one_line(world.name, 90) + which}},
                _going_on(world, part, styles),
            ]
    shown = "" if all(_shown_whole(world) for world in worlds) else (
        " Curves end where fewer than one in a hundred players have played as long; the estimates go on to the last."
    )  # fmt: skip
    caption = (
        f"{SURVIVORS} Mean over players with its {LEVEL_TEXT} interval. The mean of those who still play ends where "
        f"fewer than {FEWEST} do; a group that has fewer is drawn without a band. Base elements and gifts are counted; "
        "a turn that does not count is one in which nothing "
        f"joined.{shown}"
    )
    return figure_of("survival", "How far players come", charts, caption)


def _shown_whole(world: LoggedWorld) -> bool:
    return world.turns == max(int(one.games.choices.played.max(initial=0)) for one in world.groups)


def _inventories(
    title: str, world: LoggedWorld, every: Sequence[Curves], pick: Callable[[Curves], tuple[Point, ...]],
    styles: dict[str, Style],
) -> Spec:  # fmt: skip
    drawn = {one.group: tuple(map(_banded, _of_enough(pick(one)))) for one in every}
    lines = [Line(style=styles[name], points=points, last=points[-1].value) for name, points in drawn.items() if points]
    both = [_banded(p) for one in every for _, curve in PANELS for p in _of_enough(curve(one))]
    tops = [p.value if p.high is None else p.high for p in both]
    return panel(
        lines, title=title, y_title="elements owned", turns=max(1, world.turns), top=1.06 * max(tops),
        width=WIDTH // 2 - 80, height=230,
    )  # fmt: skip


def _of_enough(points: Sequence[Point]) -> list[Point]:
    """A curve up to where fewer than FEWEST are left of a group that has as many; whole where it never had."""
    few = not points or points[0].n < FEWEST
    return [point for point in points if few or point.n >= FEWEST]


def _banded(point: Point) -> Point:
    """The point without the interval of so few players that it would hide the others'."""
    return point if point.n >= FEWEST else replace(point, low=None, high=None)


def _going_on(world: LoggedWorld, part: Sequence[Curves], styles: dict[str, Style]) -> Spec:
    """The share that goes on, in steps, from 1 at the beginning to the end of the panel."""
    lines = [
        Line(style=styles[one.group], points=(steps := _steps(one.staying, world.turns)), last=steps[-1].value)
        for one in part
    ]
    return panel(
        lines, title="The share that goes on", y_title="players", turns=max(1, world.turns), top=1.0, width=WIDTH - 110,
        height=150, percent=True,
    )  # fmt: skip


def _steps(curve: Sequence[Point], until: int) -> tuple[Point, ...]:
    """A curve that keeps its value until it falls, thinned to what can be seen."""
    points = list(curve[:: max(1, -(-len(curve) // STEPS))])
    if curve and points[-1] is not curve[-1]:
        points.append(curve[-1])
    n = curve[0].n if curve else 0
    found = [Point(at=0, value=1.0, low=None, high=None, n=n)]
    for point in points:
        before = found[-1]
        found += [replace(before, at=point.at), point]
    return (*found, replace(found[-1], at=float(until)))


def _categories(worlds: Sequence[LoggedWorld]) -> Figure:
    """What became of the turns of each group: stacked shares of the five categories."""
    keys = [
        Style(name=c, label=c.replace("-", ", "), colour=colour, dash=(1, 0), muted=False)
        for c, colour in zip(CATEGORIES, CATEGORY_COLOURS, strict=True)
    ]
    charts = [legend(keys, boxes=True, width=WIDTH - 300)]
    for world in worlds:
        styles, by = _styles(world), {(e.group, e.name): e for e in world.estimates}
        rows: list[Spec] = []
        for one in world.curves:
            shares = [(c, by[one.group, f"share {c}"].value or 0.0) for c in CATEGORIES]
            rows += pieces(styles[one.group].label, shares, pale=(CATEGORIES[1], CATEGORIES[3]))
        charts.append(stacked(rows, keys, title=one_line(world.name, 90), x_title="share of a player's turns"))
    caption = (
        "Share of a player's turns in each category, mean over players. Success: the pair makes something. New: the "
        "player had not combined it before. Invalid: played and not counted (no pair could be read, the rules refuse "
        "it, or there is no record of it). Shares from 5% are written out."
    )
    return figure_of("categories", "What became of the turns", charts, caption)


Columns = Sequence[tuple[str, str]]


def _milestones(world: LoggedWorld) -> Columns:
    """How long and how far players came, and the curves after a round number of turns that the figure shows."""
    last = max([turn for turn in MILESTONES if turn <= world.turns], default=world.turns)
    after = [(f"after {last} turns, {kind}", f"inventory after {last} turns, {kind}")
             for kind in ("still playing", "last carried forward")]  # fmt: skip
    going = (f"going on after {last} turns", f"share going on after {last} turns")
    return [(LENGTH, LENGTH), (FINAL, FINAL), *after, going]


def _shares(world: LoggedWorld) -> Columns:
    return [(category.replace("-", ", "), f"share {category}") for category in CATEGORIES]


def _matrices(worlds: Sequence[LoggedWorld], columns: Callable[[LoggedWorld], Columns]) -> list[dict[str, Any]]:
    """For every world a table: groups as rows, estimates as columns."""
    tables = []
    for world in worlds:
        by = {(e.group, e.name): e for e in world.estimates}
        kept = columns(world)
        rows = [
            {
                "arm": one_line(one.group, 80), "baseline": bool(one.beside),
                "cells": [_cell(by.get((one.group, name))) for _, name in kept],
                "n": max((e.n for _, name in kept if (e := by.get((one.group, name)))), default=0),
            } for one in world.curves
        ]  # fmt: skip
        tables.append({"world": one_line(world.name, 90), "titles": [title for title, _ in kept], "rows": rows})
    return tables


def _cell(one: Estimate | None) -> dict[str, str]:
    """A number with its interval; of those who still play, how many they are."""
    found = cell(one)
    if one is not None and one.value is not None and one.name.endswith("still playing"):
        found["interval"] = f"{found['interval']} of {one.n:,}".strip()
    return found


def _weights_of(world: LoggedWorld) -> list[Estimate]:
    return [one for one in world.estimates if one.name.startswith("weight of ")]


def _weights(worlds: Sequence[LoggedWorld], figure: Figure | None) -> Chapter | None:
    """What moves choices; None where no weight was asked for."""
    if not any(map(_weights_of, worlds)):
        return None
    words = []
    for world in worlds:
        lead, *points = readings(world.estimates) or ["No weight could be estimated."]
        words.append((f"{world.name}. {lead}", tuple(points)))
    return Chapter(
        name="weights", title="What drives choices", words=tuple(words), figure=figure,
        note="Empowerment is the table's own where no predicted values were given. Every estimate is below, with its "
        "method.",
    )  # fmt: skip


def _read(worlds: Sequence[LoggedWorld]) -> Chapter:
    """Which logs were read, how, and what was left out of them and why."""
    rows, below = [], []
    for world in worlds:
        for logs in world.played.logs:
            ends = logs.players["cut_off"].to_pylist()
            rows.append((
                one_line(Path(logs.source).name or logs.source, 80), one_line(world.name, 90),
                f"{logs.players.num_rows:,}", f"{ends.count(False):,}", f"{sum(logs.players['played'].to_pylist()):,}",
                f"{logs.turns.num_rows:,}", f"{sum(one.count for one in logs.excluded):,}",
            ))  # fmt: skip
            below.append(" ".join(f"{_capital(said)}." for said in (*logs.notes, *_causes(logs))))
    return Chapter(
        name="read", title="What was read",
        titles=("source", "world", "players", "stopped", "turns played", "with two names", "left out"),
        rows=tuple(rows), below=tuple(one_line(said, 2000) for said in below),
        note="Stopped: players whose games the source does not end, so that they may be taken to have ended them. Left "
        "out: all that no number counts, with the cause.",
    )  # fmt: skip


def _causes(logs: Logs) -> list[str]:
    return [f"left out: {said}" for said in left_out(logs)]


def _capital(said: str) -> str:
    return said[:1].upper() + said[1:]


def _made(worlds: Sequence[LoggedWorld]) -> list[dict[str, Any]]:
    """How each source was read."""
    command = " ".join(["athanor", *sys.argv[1:]])
    return [
        {
            "arm": one_line(logs.source, 200), "command": block(command, 2000), "prompt": [], "failures": [],
            "facts": [
                ("form", logs.form), ("table", f"{one_line(world.played.world.table.name, 80)}@{logs.table[:12]}"),
                ("rules", world.played.rules.name), ("groups", str(len(set(logs.players["group"].to_pylist())))),
            ],
            "groups": [],
        }
        for world in worlds for logs in world.played.logs
    ]  # fmt: skip
