"""The look of the figures: colours that do not depend on colour vision, and panels of curves with bands.

Figures are Vega-Lite specifications as plain dictionaries, drawn by vl-convert without a browser or a network; a test
checks them with Altair's schema. (Composing them through Altair's classes takes ten times as long as drawing them.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import vl_convert

from athanor.analysis.arms import Arm, World
from athanor.analysis.intervals import Point
from athanor.reports.text import one_line

Spec = dict[str, Any]
"""A Vega-Lite specification or a part of one."""

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
WIDTH = 900
"""Pixels of a figure, labels included."""
LABEL = 46
"""Characters of an arm's name in a figure, at most."""
LINE = 24
"""Characters of a name's line at the end of a curve, if it can be broken there."""
CROWD = 6
"""Arms compared in one panel, at most: as many as there are colours. More are shown in further panels."""

# Okabe and Ito's palette without its yellow and sky blue, which are too light for lines and letters on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B0578D", "#B87A00", "#111111")
DASHES = ((1, 0), (7, 3), (2, 2), (9, 2, 2, 2))
BASELINE_STYLES = {
    "random": ("#8A8A8A", (1, 0)),
    "random-never-repeat": ("#5C5C5C", (6, 2)),
    "uncertainty": ("#8A8A8A", (2, 2)),
    "oracle": ("#5C5C5C", (9, 2, 2, 2)),
    "gold": ("#5C5C5C", (9, 2, 2, 2)),
}


@dataclass(frozen=True, kw_only=True)
class Style:
    """How an arm is drawn, in every figure the same."""

    name: str
    """The arm's name, unique."""
    label: str
    """The name as it is written in a figure."""
    colour: str
    dash: tuple[int, ...]
    muted: bool


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve to be drawn, and where it was cut off at the top of its panel, if it was."""

    style: Style
    points: tuple[Point, ...]
    last: float
    """The value at the end, beyond the panel or not."""
    left_at: float | None = None
    """The first turn at which it is above the panel."""


def styles_of(arms: Sequence[Arm]) -> dict[str, Style]:
    """A style for each arm's name: colours for those compared (then dashes too), greys for the baselines.

    Arms of the same label in different worlds have the same colour. What all compared names begin with is left out
    where a name would have to be cut (`shared_start` says what it is); a name still too long loses its middle.
    """
    start = shared_start(arms)
    found: dict[str, Style] = {}
    places: dict[str, int] = {}
    labels: set[tuple[World, str]] = set()
    for arm in arms:
        name = arm.short if arm.baseline else arm.short.removeprefix(start)
        label = shortened(name, LABEL)
        if (arm.world, label) in labels:  # names that differ only where they were cut
            label = f"{shortened(name, LABEL - 5)} #{len(labels) + 1}"
        labels.add((arm.world, label))
        if arm.baseline:
            colour, dash = BASELINE_STYLES[arm.baseline]
        else:
            place = places.setdefault(arm.short, len(places))
            colour, dash = COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]
        found[arm.name] = Style(name=arm.name, label=label, colour=colour, dash=dash, muted=arm.baseline is not None)
    return found


def shared_start(arms: Sequence[Arm]) -> str:
    """What the compared names begin with, up to a comma, where one of them is too long for a figure; else nothing.

    Where they begin differently, that with which most of them do: a model's name, beside agents without one.
    """
    every = list(dict.fromkeys(arm.short for arm in arms if not arm.baseline))
    begins = Counter(name.partition(", ")[0] for name in every)
    names = [name for name in every if name.partition(", ")[0] == max(begins, key=begins.__getitem__)]
    if len(names) < 2 or max(map(len, names)) <= LABEL:
        return ""
    parts = [name.split(", ") for name in names]
    room = min(map(len, parts)) - 1  # something is left of each
    same = next((i for i in range(room) if len({part[i] for part in parts}) > 1), room)
    return "".join(f"{part}, " for part in parts[0][:same])


def shortened(text: str, limit: int) -> str:
    """Text on one line of at most `limit` characters; what is too long loses its middle, for ends tell names apart.

    >>> shortened("one, two, three, four", 13)
    'one, t…, four'
    """
    line = one_line(text, max(limit, len(text)))
    return line if len(line) <= limit else f"{line[: limit // 2]}…{line[len(line) - (limit - limit // 2 - 1) :]}"


def crowds(arms: Sequence[Arm]) -> list[list[Arm]]:
    """The arms of a world in groups small enough for one panel, the baselines in each of them."""
    compared = [arm for arm in arms if not arm.baseline]
    panels = max(1, -(-len(compared) // CROWD))
    size = -(-len(compared) // panels)
    return [
        [*compared[i * size : (i + 1) * size], *(arm for arm in arms if arm.baseline)] for i in range(panels)
    ]  # fmt: skip


def panel(
    lines: Sequence[Line], *, title: str, note: Sequence[str] = (), y_title: str, turns: int, top: float, width: int,
    height: int, percent: bool = False, marks: bool = False, labels: bool = False, x_title: str = "turn",
) -> Spec:  # fmt: skip
    """Curves over turns with their bands, those compared above the muted ones; with `labels` each is named at its end.

    `top` is the end of the y axis; `marks` sets a dot at every point, for curves of few points.
    """
    form = ".0%" if percent else "~s" if top >= 10_000 else ",~r"
    x = {
        "field": "at", "type": "quantitative", "title": x_title, "axis": {"tickCount": 6, "tickMinStep": 1},
        "scale": {"domain": [0, turns], "nice": False},
    }  # fmt: skip
    y = {
        "field": "value", "type": "quantitative", "title": y_title,
        "axis": {"tickCount": 5, "format": form, "labelFlush": 7},
        "scale": {"domain": [0, top], "nice": False},
    }  # fmt: skip
    ordered = sorted(lines, key=lambda line: not line.style.muted)
    layers: list[Spec] = [{"data": {"values": []}, "mark": "line", "encoding": {"x": x, "y": y}}]  # axes without lines
    layers += [_band(line, x, y) for line in ordered] + [_curve(line, x, y, marks) for line in ordered]
    if labels:
        layers += _end_labels([line for line in ordered if line.left_at is None], top, width, height)
        layers += [_exit_label(line, turns, width) for line in ordered if line.left_at is not None]
    head: Spec = {"text": title, **({"subtitle": list(note)} if note else {})}
    return {"layer": layers, "width": width, "height": height, "title": head}


def _band(line: Line, x: Spec, y: Spec) -> Spec:
    """The interval of a curve as an area, in pieces where it is unknown in between; cut off at the top of the panel.

    The values are cut, not the drawing: a clip path would get a name that is not unique on a page of several figures.
    """
    top = y["scale"]["domain"][1]
    rows: list[Spec] = []
    piece = 0
    for p in line.points:
        if p.low is None or p.high is None or p.low > top:
            piece += 1
        else:
            rows.append({"at": p.at, "value": p.low, "high": min(p.high, top), "piece": piece})
    opacity = 0.16 if line.style.muted else 0.2
    apart = {"field": "piece", "type": "nominal"}
    mark = {"type": "area", "color": line.style.colour, "opacity": opacity}
    return {
        "data": {"values": rows},
        "mark": mark,
        "encoding": {"x": x, "y": y, "y2": {"field": "high"}, "detail": apart},
    }


def _curve(line: Line, x: Spec, y: Spec, marks: bool) -> Spec:
    style = line.style
    dot = {"size": 22 if style.muted else 34, "filled": True, "color": style.colour}
    mark = {
        "type": "line", "color": style.colour, "strokeWidth": 1.4 if style.muted else 2.4,
        "strokeDash": list(style.dash), "strokeCap": "butt", "point": dot if marks else False,
    }  # fmt: skip
    rows = [{"at": p.at, "value": p.value} for p in line.points]
    return {"data": {"values": rows}, "mark": mark, "encoding": {"x": x, "y": y}}


def _end_labels(lines: Sequence[Line], top: float, width: int, height: int) -> list[Spec]:
    """Each curve's last value and name to the right of the panel, with a hair line and a piece of its own line."""
    ends = [height * (1 - min(line.last, top) / top) for line in lines]
    said = [broken(f"{line.last:.1f} {line.style.label}") for line in lines]
    tall = [14.0 * len(text) + 2 for text in said]
    layers: list[Spec] = []
    for line, text, end, place in zip(lines, said, ends, dodge(ends, gaps=tall, length=height), strict=True):
        thick = 1.4 if line.style.muted else 2.4
        layers.append(stroke((width + 2, width + 12), (end, place), line.style.colour, 0.8))
        layers.append(stroke((width + 14, width + 40), (place, place), line.style.colour, thick, line.style.dash))
        for i, words in enumerate(text):
            y = place + 14 * (i - (len(text) - 1) / 2)
            layers.append(writing(words, width + 45, y, line.style.colour, bold=not line.style.muted))
    return layers


def broken(text: str) -> tuple[str, ...]:
    """A name on one line or on two, broken after a comma (or a blank) so that both are about as long.

    >>> broken("smollm2-135m-instruct, T=0.7, constrained")
    ('smollm2-135m-instruct,', 'T=0.7, constrained')
    """
    if len(text) <= LINE:
        return (text,)
    ends = [i + 1 for i, c in enumerate(text) if c == " " and text[i - 1] == ","]
    ends = ends or [i + 1 for i, c in enumerate(text) if c == " " and i > 6]
    if not ends:
        return (text,)
    end = min(ends, key=lambda i: max(i, len(text) - i))
    return (text[:end].strip(), text[end:].strip())


def _exit_label(line: Line, turns: int, width: int) -> Spec:
    """The name of a curve that left through the top, beside where it did: to the right if there is room."""
    said = f"{line.style.label}: {line.last:.0f} at the end"
    x = line.points[-1].at / turns * width
    left = 6.4 * len(said) > width - x - 8
    return writing(said, x - 8 if left else x + 8, 7, line.style.colour, align="right" if left else "left")


def stroke(
    x: tuple[float, float], y: tuple[float, float], colour: str, width: float, dash: Sequence[int] = (1, 0)
) -> Spec:
    """A straight line between two points given in pixels."""
    places = {"x": {"value": x[0]}, "x2": {"value": x[1]}, "y": {"value": y[0]}, "y2": {"value": y[1]}}
    mark = {"type": "rule", "color": colour, "strokeWidth": width, "strokeDash": list(dash)}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": places}


def writing(
    text: str, x: float, y: float, colour: str = "#222222", *, bold: bool = False, size: int = 12, align: str = "left"
) -> Spec:
    """Words at a point given in pixels."""
    mark = {
        "type": "text", "text": text, "color": colour, "align": align, "baseline": "middle", "fontSize": size,
        "fontWeight": "bold" if bold else "normal",
    }  # fmt: skip
    return {"data": {"values": [{}]}, "mark": mark, "encoding": {"x": {"value": x}, "y": {"value": y}}}


def dodge(places: Sequence[float], *, gaps: Sequence[float], length: float) -> list[float]:
    """The places moved so that things as tall as `gaps` do not overlap and, if they fit, have centres in the length.

    >>> dodge([10, 10], gaps=[10, 10], length=100)
    [5.0, 15.0]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    clusters: list[list[float]] = []  # [centre, height, members]
    for i in order:
        clusters.append([places[i], gaps[i], 1])
        while len(clusters) > 1 and clusters[-1][0] - clusters[-2][0] < (clusters[-1][1] + clusters[-2][1]) / 2:
            (a, tall, n), (b, other, m) = clusters[-2:]
            clusters[-2:] = [[(a * n + b * m) / (n + m), tall + other, n + m]]
    tops: list[float] = []
    waiting = iter(order)
    for centre, tall, n in clusters:
        top = centre - tall / 2
        for _ in range(int(n)):
            tops.append(top)
            top += gaps[next(waiting)]
    sizes = [gaps[i] for i in order]
    if sum(sizes) <= length + max(sizes, default=0.0):  # the outermost may reach over the ends by half their height
        before = np.concatenate([[0.0], np.cumsum(sizes)[:-1]]) if sizes else np.zeros(0)
        after = np.cumsum(sizes[::-1])[::-1]
        over = max(sizes, default=0.0) / 2
        for k, (used, left) in enumerate(zip(before, after, strict=True)):
            tops[k] = min(max(tops[k], used - over), length + over - left)
    found = [0.0] * len(places)
    for i, top in zip(order, tops, strict=True):
        found[i] = float(top + gaps[i] / 2)
    return found


def legend(items: Sequence[Style], *, boxes: bool = False, width: int = WIDTH - 70) -> Spec:
    """Names with a piece of their line (or a box of their colour), in as many rows as they need."""
    layers: list[Spec] = []
    x, y = 0.0, 9
    for style in items:
        length, thick = (13, 11.0) if boxes else (26, 1.4 if style.muted else 2.4)
        room = length + 27 + 5.8 * len(style.label)
        if x and x + room > width:
            x, y = 0.0, y + 19
        layers.append(stroke((x, x + length), (y, y), style.colour, thick, style.dash))
        layers.append(writing(style.label, x + length + 5, y))
        x += room
    return {"layer": layers, "width": width, "height": y + 9}


CONFIG: Spec = {
    "font": FONT,
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "labelColor": "#333333",
        "titleColor": "#333333", "gridColor": "#E9E9E9", "domainColor": "#999999", "tickColor": "#999999",
    },
    "title": {
        "fontSize": 13, "fontWeight": "bold", "anchor": "start", "frame": "group", "color": "#222222", "offset": 10,
        "subtitleFontSize": 11, "subtitleColor": "#666666",
    },
    "concat": {"spacing": 24},
}  # fmt: skip


def to_svg(charts: Sequence[Spec]) -> str:
    """Charts below each other as SVG text in the look of the house. Names in it must have gone through `one_line`."""
    return vl_convert.vegalite_to_svg(msgspec.json.encode({"vconcat": list(charts), "config": CONFIG}).decode())


def to_png(svg: str) -> bytes:
    """The same picture at twice the size in pixels."""
    return vl_convert.svg_to_png(svg, scale=2)
