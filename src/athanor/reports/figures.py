"""The figures of the report, each one file, drawn for every world that has something to show."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from athanor.analysis.arms import Arm, World, world_names, worlds_of
from athanor.analysis.curves import bin_width, binned, inventory_curve
from athanor.analysis.exploration import LEVEL_TEXT, SHARED, share_columns, spending_columns, spending_range
from athanor.analysis.intervals import SHARE, Point, mean
from athanor.environments.alchemy import CATEGORIES
from athanor.reports.drawing import (
    WIDTH,
    Line,
    Spec,
    Style,
    broken,
    crowds,
    legend,
    panel,
    shared_start,
    styles_of,
    to_png,
    to_svg,
    writing,
)  # fmt: skip
from athanor.reports.text import listed, one_line

CATEGORY_COLOURS = ("#01665E", "#80CDC1", "#BF812D", "#DFC27D", "#6B6B6B")
"""ColorBrewer's BrBG, read with and without colour vision: success green, failure brown, pale where not new; grey."""

NEAR = 1.5
"""Up to so many times the height of the others an oracle's curve is shown whole."""
POINTS = 240
"""Points of an inventory curve that are drawn, at most."""

SPENDING = (
    ("prompt tokens", "tokens"),
    ("newly evaluated prompt tokens", "tokens"),
    ("completion tokens", "tokens"),
    ("seconds", "seconds"),
    ("cost", "cost"),
)


UNBANDED = "Without a band of seconds"

REPEATS = (
    ("Repeated pairs", "share of repeated pairs among read"),
    ("Invalid answers", "share invalid"),
)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture and what stands under it."""

    name: str
    title: str
    svg: str
    png: bytes
    caption: str
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of arms that the caption only counts, each list with its title."""


def figures_of(arms: Sequence[Arm]) -> tuple[Figure, ...]:
    """The figures for which the arms have data, in the order of the page."""
    kept = [arm for arm in arms if arm.n]
    styles = styles_of(arms)
    makers: tuple[Callable[[Sequence[Arm], Mapping[str, Style]], Figure | None], ...] = (
        inventories, categories, repeats, spending
    )  # fmt: skip
    found = [make(kept, styles) for make in makers] if kept else []
    return tuple(figure for figure in found if figure is not None)


def figure_of(
    name: str, title: str, charts: Sequence[Spec], caption: str, lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
) -> Figure:
    """Charts below each other as a figure."""
    svg = to_svg(charts)
    return Figure(name=name, title=title, svg=svg, png=to_png(svg), caption=caption.strip(), lists=lists)


def by_world(arms: Sequence[Arm]) -> list[tuple[World, str, list[Arm]]]:
    """Each world with what it is called and its arms."""
    worlds = worlds_of(arms)
    names = world_names(worlds)
    return [(w, one_line(names[w], 90), [arm for arm in arms if arm.world == w]) for w in worlds]


def inventories(arms: Sequence[Arm], styles: Mapping[str, Style]) -> Figure:
    """Elements owned, turn by turn; the oracle is cut where it would press the others flat."""
    charts: list[Spec] = []
    cut = False
    for world, name, here in by_world(arms):
        curves = {arm.name: inventory_curve(arm) for arm in here}
        top = _top([curves[arm.name] for arm in here if arm.baseline != "oracle"] or list(curves.values()))
        whole = _top(list(curves.values()))
        top = whole if whole < NEAR * top else top  # an oracle little above the others is shown whole
        width = (
            WIDTH - 110 - int(6.3 * max(len(line) for arm in here for line in broken(f"0000 {styles[arm.name].label}")))
        )
        for part, crowd in parts(here):
            lines = [_cut(styles[arm.name], curves[arm.name], top, arm.baseline == "oracle") for arm in crowd]
            cut = cut or any(line.left_at is not None for line in lines)
            charts.append(panel(
                lines, title=name + part, y_title="elements owned", turns=max(1, world.turns), top=top,
                width=max(300, width), height=max(320, 32 * len(lines)), labels=True,
            ))  # fmt: skip
    caption = (
        f"Elements owned after each turn, base elements and gifts included: mean over episodes with its {LEVEL_TEXT} "
        "interval (Student t at each turn; no band where all episodes are the same: then it is unknown). Numbers at "
        f"the right are means at the end. An episode that ended early keeps its last inventory. {named_in(arms)}"
    )
    if cut:
        caption += " The oracle knows the table and leaves the panel at the top, so that the others can be told apart."
    return figure_of("inventory", "Inventory", charts, caption)


def _top(curves: Sequence[Sequence[Point]]) -> float:
    """The end of an axis from 0: a little above the highest value or interval end."""
    return 1.06 * max((p.high if p.high is not None else p.value) for curve in curves for p in curve)


def _cut(style: Style, points: tuple[Point, ...], top: float, cuttable: bool) -> Line:
    """A curve thinned to what can be seen; one that leaves through the top ends there and keeps its last value."""
    step = max(1, len(points) // POINTS)
    shown = (*points[:-1:step], points[-1])
    above = next((i for i, p in enumerate(points) if p.value > top), None) if cuttable else None
    if above is None or above == 0:
        return Line(style=style, points=shown, last=points[-1].value)
    a, b = points[above - 1], points[above]
    at = a.at + (top - a.value) / (b.value - a.value) * (b.at - a.at)
    edge = Point(at=at, value=top, low=None, high=None, n=b.n)
    return Line(style=style, points=(*points[:above], edge), left_at=b.at, last=points[-1].value)


def named_in(arms: Sequence[Arm], *, alone: bool = True) -> str:
    """What the labels leave out, and which arms have no band."""
    start = shared_start(arms)
    said = [f"Names that begin with “{one_line(start.strip(' ,'), 80)}” are written without it."] if start else []
    single = [one_line(arm.name, 80) for arm in arms if arm.n == 1] if alone else []
    if single:
        said.append(f"No band: one episode only, interval unknown ({listed(single)}).")
    return " ".join(said)


def parts(arms: Sequence[Arm]) -> list[tuple[str, list[Arm]]]:
    """The arms of a world in groups for one panel each, with what is said of the group beside the world's name."""
    groups = crowds(arms)
    return [(f" ({i} of {len(groups)})" if len(groups) > 1 else "", group) for i, group in enumerate(groups, 1)]


def categories(arms: Sequence[Arm], styles: Mapping[str, Style]) -> Figure:
    """What became of the turns: stacked shares of the five categories."""
    keys = [
        Style(name=c, label=c.replace("-", ", "), colour=colour, dash=(1, 0), muted=False)
        for c, colour in zip(CATEGORIES, CATEGORY_COLOURS, strict=True)
    ]
    charts = stacked_by_world(arms, keys, lambda arm: _category_rows(arm, styles[arm.name].label), "share of turns")
    caption = (
        "Share of turns in each behaviour category, mean over episodes; the table gives the intervals. Success: the "
        "pair makes something. New: it was not combined before in the episode. Invalid: no attempt could be made of "
        f"the answer. Shares from 5% are written out. {named_in(arms, alone=False)}"
    )
    return figure_of("categories", "What became of the turns", charts, caption)


def stacked_by_world(
    arms: Sequence[Arm], keys: Sequence[Style], rows_of: Callable[[Arm], list[Spec]], x_title: str
) -> list[Spec]:
    """A legend, and for every world the stacked shares of its arms."""
    charts = [legend(keys, boxes=True, width=WIDTH - 300)]
    for _, name, here in by_world(arms):
        charts.append(stacked([row for arm in here for row in rows_of(arm)], keys, title=name, x_title=x_title))
    return charts


def stacked(rows: Sequence[Spec], keys: Sequence[Style], *, title: str, x_title: str) -> Spec:
    """Bars from 0 to 1, an arm each, with the wider pieces' shares written on them. `keys`: the pieces, by name."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    axis = {"labelLimit": 320, "labelFontSize": 12, "ticks": False, "domain": False, "labelPadding": 8}
    y = {"field": "arm", "type": "nominal", "title": None, "sort": arms, "axis": axis}
    x = {
        "field": "low", "type": "quantitative", "title": x_title, "axis": {"format": ".0%"},
        "scale": {"domain": [0, 1], "nice": False},
    }  # fmt: skip
    colour = {
        "field": "category", "type": "nominal", "legend": None,
        "scale": {"domain": [key.name for key in keys], "range": [key.colour for key in keys]},
    }  # fmt: skip
    bars = {
        "data": {"values": list(rows)},
        "mark": {"type": "bar", "height": 17, "stroke": "white", "strokeWidth": 0.6},
        "encoding": {"x": x, "x2": {"field": "high"}, "y": y, "color": colour},
    }
    words = {
        "data": {"values": [row for row in rows if row["high"] - row["low"] >= 0.05]},
        "mark": {"type": "text", "fontSize": 11},
        "encoding": {
            "x": {"field": "middle", "type": "quantitative"}, "y": y, "text": {"field": "said", "type": "nominal"},
            "color": {"field": "ink", "type": "nominal", "scale": None},
        },
    }  # fmt: skip
    return {"layer": [bars, words], "width": WIDTH - 300, "height": 25 * len(arms), "title": title}


def _category_rows(arm: Arm, label: str) -> list[Spec]:
    shares = []
    for category in CATEGORIES:
        by_episode = arm.by_episode(arm.turns_with("category", category))
        shares.append((category, mean(by_episode[~np.isnan(by_episode)].tolist(), within=SHARE).value or 0.0))
    return pieces(label, shares, pale=(CATEGORIES[1], CATEGORIES[3]))


def pieces(label: str, shares: Sequence[tuple[str, float]], *, pale: Sequence[str]) -> list[Spec]:
    """A bar's pieces from left to right; on those that are `pale`, words are dark."""
    rows: list[Spec] = []
    low = 0.0
    for category, share in shares:
        rows.append({
            "arm": label, "category": category, "low": low, "high": low + share, "middle": low + share / 2,
            "said": f"{share:.0%}", "ink": "#222222" if category in pale else "white",
        })  # fmt: skip
        low += share
    return rows


def repeats(arms: Sequence[Arm], styles: Mapping[str, Style]) -> Figure:
    """Repeated pairs and invalid answers in the course of the episode."""
    charts: list[Spec] = []
    for world, name, here in by_world(arms):
        columns = {arm.name: share_columns(arm) for arm in here}
        curves = {key: {arm.name: _shares(arm, columns[arm.name][key]) for arm in here} for _, key in REPEATS}
        for part, crowd in parts(here):
            pair = [
                _share_panel(title, world, [(styles[arm.name], curves[key][arm.name]) for arm in crowd])
                for title, key in REPEATS
            ]
            lines = max(len(one["title"]["subtitle"]) for one in pair)
            for one in pair:
                one["title"]["subtitle"] += [" "] * (lines - len(one["title"]["subtitle"]))
            charts += [_heading(name + part, world), legend([styles[arm.name] for arm in crowd]), _beside(pair)]
    caption = (
        "Left: of the answers in which a pair was read, how many named a pair read earlier in the episode. Right: of "
        "all answers, how many were invalid. Shares in tenths of an episode, mean over episodes with an interval that "
        f"holds at least {LEVEL_TEXT} of the time (Gaffke's bound); none for an oracle whose games are all alike. "
        "Arms that have none at any turn are not drawn but named. "
        f"{named_in(arms)}"
    )
    return figure_of("repeats", "Repeats and invalid answers over time", charts, caption)


def _shares(arm: Arm, values: np.ndarray) -> tuple[Point, ...]:
    """Shares in the course of the episode; without a band where the episodes are one game."""
    points = binned(arm, values, within=SHARE)
    return tuple(replace(point, low=None, high=None) for point in points) if arm.one_game else points


Curves = Sequence[tuple[Style, tuple[Point, ...]]]


def _share_panel(title: str, world: World, curves: Curves) -> Spec:
    """Shares over turns; curves that are zero throughout are named and not drawn, and without others no panel is."""
    drawn = [(style, points) for style, points in curves if any(p.value for p in points)]
    none = [style.label for style, points in curves if points and not any(p.value for p in points)]
    note = textwrap.wrap(f"None by {listed(none)}.", 64) if none else [" "]
    if len(note) > 2:
        note = [f"None by {len(none)} arms; the table says by which."]
    if not drawn:
        head = {"text": title, "subtitle": note}
        return {"layer": [writing(" ", 0, 6)], "width": WIDTH // 2 - 80, "height": 12, "title": head}
    top = min(1.0, max(0.05, _top([points for _, points in drawn])))
    return _small(title, note, "share", world, drawn, top, percent=True)


def _small(
    title: str, note: list[str], y_title: str, world: World, curves: Curves, top: float, *, percent: bool = False
) -> Spec:
    """One of two panels side by side."""
    lines = [Line(style=style, points=points, last=points[-1].value) for style, points in curves]
    return panel(
        lines, title=title, note=note, y_title=y_title, turns=max(1, world.turns), top=top, width=WIDTH // 2 - 80,
        height=190, percent=percent, marks=True,
    )  # fmt: skip


def _heading(name: str, world: World) -> Spec:
    """The name of a world above its panels, and the width of the bins."""
    width = bin_width(world.turns)
    said = f"{name}; in steps of {width} {'turn' if width == 1 else 'turns'}"
    return {"layer": [writing(said, 0, 6, bold=True, size=13)], "width": WIDTH - 70, "height": 12}


def _beside(panels: Sequence[Spec]) -> Spec:
    return {"hconcat": list(panels), "spacing": 34}


def spending(arms: Sequence[Arm], styles: Mapping[str, Style]) -> Figure | None:
    """Tokens, seconds and cost a turn over time, for the arms in which a model was asked; None when there are none."""
    charts: list[Spec] = []
    for world, name, here in by_world([arm for arm in arms if arm.asked]):
        for part, crowd in parts(here):
            panels = _spending_panels(crowd, styles, world)
            if panels:
                grid = [_beside(panels[i : i + 2]) for i in range(0, len(panels), 2)]
                charts += [_heading(name + part, world), legend([styles[arm.name] for arm in crowd]), *grid]
    if not charts:
        return None
    caption = (
        "What a turn took: mean over the turns of a tenth of an episode in which it is known, then over episodes, with "
        f"the {LEVEL_TEXT} interval (Student t). Newly evaluated: prompt tokens that did not come from a cache. "
        "Tokens reach no further than their bound. Baselines ask no model. A measure that no turn tells is not drawn. "
        f"{_unbanded(arms)}{named_in([a for a in arms if a.asked])}"
    )
    shared = tuple(arm.name for arm in arms if arm.shared)
    lists = ((UNBANDED, shared),) if shared else ()
    return figure_of("spending", "Tokens, seconds and cost over time", charts, caption, lists)


def _unbanded(arms: Sequence[Arm]) -> str:
    """How many arms have no band of seconds, and why."""
    shared = sum(arm.shared for arm in arms)
    which = "the arm" if shared == 1 else f"the {shared} arms"
    return f"No band of seconds for {which} listed below: {SHARED}. " if shared else ""


def _spent(arm: Arm, measure: str, values: np.ndarray) -> tuple[Point, ...]:
    """A measure over turns; seconds of episodes that shared the model's time have no interval."""
    points = binned(arm, values, within=spending_range(arm, measure, values))
    if measure == "seconds" and arm.shared:
        return tuple(replace(point, low=None, high=None) for point in points)
    return points


def _spending_panels(arms: Sequence[Arm], styles: Mapping[str, Style], world: World) -> list[Spec]:
    """A panel for each measure that some turn tells."""
    columns = {arm.name: spending_columns(arm) for arm in arms}
    panels: list[Spec] = []
    for measure, unit in SPENDING:
        curves = [(styles[arm.name], _spent(arm, measure, columns[arm.name][measure])) for arm in arms]
        curves = [(style, points) for style, points in curves if points]
        if curves:
            top = _top([points for _, points in curves]) or 1.0
            panels.append(_small(measure.capitalize(), [], f"{unit} a turn", world, curves, top))
    return panels
