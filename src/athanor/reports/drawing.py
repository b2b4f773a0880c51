"""The look of the figures: colours that do not depend on colour vision, and panels of curves with bands.

Figures are Vega-Lite specifications as plain dictionaries, drawn by vl-convert without a browser or a network; a test
checks them with Altair's schema. (Composing them through Altair's classes takes ten times as long as drawing them.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import vl_convert

from athanor.analysis.arms import Arm, World
from athanor.analysis.intervals import Point
from athanor.reports.text import one_line

Spec = dict[str, Any]
"""A Vega-Lite specification or a part of one."""

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
WIDTH = 900
"""Pixels of a figure, labels included."""
LABEL = 38
"""Characters of an arm's name in a figure, at most."""

# Okabe and Ito's palette without its yellow, which is too light for lines and letters on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B0578D", "#B87A00", "#2C8FC9")
DASHES = ((1, 0), (7, 3), (2, 2), (9, 2, 2, 2))
BASELINE_STYLES = {
    "random": ("#8A8A8A", (1, 0)),
    "random-never-repeat": ("#5C5C5C", (6, 2)),
    "uncertainty": ("#8A8A8A", (2, 2)),
    "oracle": ("#5C5C5C", (9, 2, 2, 2)),
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

    Arms of the same label in different worlds have the same colour.
    """
    found: dict[str, Style] = {}
    places: dict[str, int] = {}
    labels: set[tuple[World, str]] = set()
    for arm in arms:
        label = one_line(arm.short, LABEL)
        if (arm.world, label) in labels:  # names that differ only where they were cut
            label = f"{one_line(arm.short, LABEL - 5)} #{len(labels) + 1}"
        labels.add((arm.world, label))
        if arm.baseline:
            colour, dash = BASELINE_STYLES[arm.baseline]
        else:
            place = places.setdefault(arm.short, len(places))
            colour, dash = COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]
        found[arm.name] = Style(name=arm.name, label=label, colour=colour, dash=dash, muted=arm.baseline is not None)
    return found


def panel(
    lines: Sequence[Line], *, title: str, note: Sequence[str] = (), y_title: str, turns: int, top: float, width: int,
    height: int, percent: bool = False, marks: bool = False, labels: bool = False,
) -> Spec:  # fmt: skip
    """Curves over turns with their bands, those compared above the muted ones; with `labels` each is named at its end.

    `top` is the end of the y axis; `marks` sets a dot at every point, for curves of few points.
    """
    form = ".0%" if percent else "~s" if top >= 10_000 else ",~r"
    x = {
        "field": "at", "type": "quantitative", "title": "turn", "axis": {"tickCount": 6},
        "scale": {"domain": [0, turns], "nice": False},
    }  # fmt: skip
    y = {
        "field": "value", "type": "quantitative", "title": y_title, "axis": {"tickCount": 5, "format": form},
        "scale": {"domain": [0, top], "nice": False},
    }  # fmt: skip
    ordered = sorted(lines, key=lambda line: not line.style.muted)
    layers: list[Spec] = [{"data": {"values": []}, "mark": "line", "encoding": {"x": x, "y": y}}]  # axes without lines
    crowd = sum(not line.style.muted for line in lines)
    layers += [_band(line, x, y, fade=min(1.0, 4 / max(1, crowd))) for line in ordered] + [
        _curve(line, x, y, marks) for line in ordered
    ]
    if labels:
        layers += _end_labels([line for line in ordered if line.left_at is None], top, width, height)
        layers += [_exit_label(line, turns, width) for line in ordered if line.left_at is not None]
    head: Spec = {"text": title, **({"subtitle": list(note)} if note else {})}
    return {"layer": layers, "width": width, "height": height, "title": head}


def _band(line: Line, x: Spec, y: Spec, *, fade: float) -> Spec:
    """The interval of a curve as an area, the fainter the more curves there are; cut off at the top of the panel.

    The values are cut, not the drawing: a clip path would get a name that is not unique on a page of several figures.
    """
    top = y["scale"]["domain"][1]
    points = [(p.at, p.low, p.high) for p in line.points if p.low is not None and p.high is not None and p.low <= top]
    rows = [{"at": at, "value": low, "high": min(high, top)} for at, low, high in points]
    opacity = fade * (0.12 if line.style.muted else 0.22)
    mark = {"type": "area", "color": line.style.colour, "opacity": opacity}
    return {"data": {"values": rows}, "mark": mark, "encoding": {"x": x, "y": y, "y2": {"field": "high"}}}


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
    """Each curve's name and last value to the right of the panel, with a hair line from the curve's end."""
    ends = [height * (1 - min(line.last, top) / top) for line in lines]
    layers: list[Spec] = []
    for line, end, place in zip(lines, ends, dodge(ends, gap=15, length=height), strict=True):
        layers.append(stroke((width + 2, width + 14), (end, place), line.style.colour, 0.8))
        said = f"{line.style.label}: {line.last:.1f}"
        layers.append(writing(said, width + 18, place, line.style.colour, bold=not line.style.muted))
    return layers


def _exit_label(line: Line, turns: int, width: int) -> Spec:
    """The name of a curve that left through the top, beside where it did: to the right if there is room."""
    said = f"{line.style.label}: {line.last:.0f} at the end"
    x = line.points[-1].at / turns * width
    left = x > width / 2
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


def dodge(places: Sequence[float], *, gap: float, length: float) -> list[float]:
    """The places moved as little as needed so that neighbours are `gap` apart and, if they fit, all within the length.

    >>> dodge([10, 10], gap=10, length=100)
    [5.0, 15.0]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    clusters: list[list[float]] = []  # [centre, members]
    for i in order:
        clusters.append([places[i], 1])
        while len(clusters) > 1 and clusters[-1][0] - clusters[-2][0] < gap * (clusters[-1][1] + clusters[-2][1]) / 2:
            (a, n), (b, m) = clusters[-2:]
            clusters[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    placed = [centre + gap * (k - (n - 1) / 2) for centre, n in clusters for k in range(int(n))]
    if placed and gap * (len(placed) - 1) <= length:
        for k in range(len(placed)):
            placed[k] = max(placed[k], gap * k)
        for k in reversed(range(len(placed))):
            placed[k] = min(placed[k], length - gap * (len(placed) - 1 - k))
    found = [0.0] * len(places)
    for i, place in zip(order, placed, strict=True):
        found[i] = float(place)
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
