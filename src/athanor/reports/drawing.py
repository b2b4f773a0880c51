"""The look of the figures: colours that do not depend on colour vision, and panels of curves with bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from athanor.analysis.arms import Arm
from athanor.analysis.intervals import Point
from athanor.reports.text import one_line

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
WIDTH = 780
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

    label: str
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
    """A style for each arm's name: colours for those compared (then dashes too), greys for the baselines."""
    found: dict[str, Style] = {}
    compared = 0
    for arm in arms:
        label = one_line(arm.short, LABEL)
        if arm.baseline:
            colour, dash = BASELINE_STYLES[arm.baseline]
        else:
            colour, dash = COLOURS[compared % len(COLOURS)], DASHES[compared // len(COLOURS) % len(DASHES)]
            compared += 1
        found[arm.name] = Style(label=label, colour=colour, dash=dash, muted=arm.baseline is not None)
    return found


def data(rows: Sequence[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=list(rows))


def panel(
    lines: Sequence[Line], *, title: str, note: Sequence[str] = (), y_title: str, turns: int, top: float, width: int, height: int,
    percent: bool = False, marks: bool = False, labels: bool = False,
) -> alt.LayerChart:  # fmt: skip
    """Curves over turns with their bands, those compared above the muted ones; with `labels` each is named at its end.

    `top` is the end of the y axis; `marks` sets a dot at every point, for curves of few points.
    """
    x = alt.X("at:Q", title="turn", scale=alt.Scale(domain=[0, turns], nice=False), axis=alt.Axis(tickCount=6))
    form = ".0%" if percent else ("~s" if top >= 10_000 or top < 0.001 else ",~r")
    y = alt.Y(
        "value:Q", title=y_title, scale=alt.Scale(domain=[0, top], nice=False), axis=alt.Axis(tickCount=5, format=form)
    )
    ordered = sorted(lines, key=lambda line: not line.style.muted)
    layers = [_band(line, x, y) for line in ordered] + [_curve(line, x, y, marks) for line in ordered]
    if labels:
        layers += _end_labels(ordered, top, width, height)
    head = alt.TitleParams(text=title, subtitle=list(note)) if note else alt.TitleParams(text=title)
    return alt.layer(*layers).properties(width=width, height=height, title=head)


def _band(line: Line, x: alt.X, y: alt.Y) -> alt.Chart:
    rows = [{"at": p.at, "value": p.low, "high": p.high} for p in line.points if p.low is not None]
    mark = alt.Chart(data(rows)).mark_area(color=line.style.colour, opacity=0.12 if line.style.muted else 0.22, clip=True)
    return mark.encode(x=x, y=y, y2="high:Q")


def _curve(line: Line, x: alt.X, y: alt.Y, marks: bool) -> alt.Chart:
    rows = [{"at": p.at, "value": p.value} for p in line.points]
    style = line.style
    dot = alt.OverlayMarkDef(size=22 if style.muted else 34, filled=True, color=style.colour) if marks else False
    width = 1.4 if style.muted else 2.4
    mark = alt.Chart(data(rows)).mark_line(
        color=style.colour, strokeWidth=width, strokeDash=list(style.dash), point=dot, strokeCap="butt"
    )
    return mark.encode(x=x, y=y)


def _end_labels(lines: Sequence[Line], top: float, width: int, height: int) -> list[alt.Chart]:
    """Each curve's name and last value to the right of the panel, with a hair line where it had to be moved."""
    ends = [height * (1 - min(line.points[-1].value, top) / top) for line in lines]
    places = dodge(ends, gap=15, length=height)
    layers: list[alt.Chart] = []
    for line, end, place in zip(lines, ends, places, strict=True):
        said = f"{line.last:.1f}" if line.left_at is None else f"{line.last:.0f}, above the panel from turn {line.left_at:.0f}"
        one = alt.Chart(data([{}]))
        if line.left_at is None:
            hair = one.mark_rule(color=line.style.colour, strokeWidth=0.8, clip=False)
            layers.append(
                hair.encode(x=alt.value(width + 2), x2=alt.value(width + 14), y=alt.value(end), y2=alt.value(place))
            )
        weight = "normal" if line.style.muted else "bold"
        name = one.mark_text(
            text=f"{line.style.label}  {said}", color=line.style.colour, align="left", fontWeight=weight, clip=False
        )
        layers.append(name.encode(x=alt.value(width + 18), y=alt.value(place)))
    return layers


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


def legend(items: Sequence[Style], *, boxes: bool = False, width: int = WIDTH - 70) -> alt.LayerChart:
    """Names with a piece of their line (or a box of their colour), in as many rows as they need."""
    rows: list[dict[str, Any]] = []
    x, y = 0.0, 9
    for style in items:
        room = 42 + 6.4 * len(style.label)
        if x and x + room > width:
            x, y = 0.0, y + 19
        rows.append({"x": x, "to": x + (13 if boxes else 26), "text": x + (18 if boxes else 31), "y": y})
        x += room
    layers: list[alt.Chart] = []
    for style, row in zip(items, rows, strict=True):
        one = alt.Chart(data([{}]))
        rule = one.mark_rule(
            color=style.colour, strokeWidth=11 if boxes else 1.4 if style.muted else 2.4, strokeDash=list(style.dash)
        )
        layers.append(rule.encode(x=alt.value(row["x"]), x2=alt.value(row["to"]), y=alt.value(row["y"])))
        name = one.mark_text(text=style.label, color="#222222", align="left")
        layers.append(name.encode(x=alt.value(row["text"]), y=alt.value(row["y"])))
    return alt.layer(*layers).properties(width=width, height=y + 9)


def to_svg(chart: alt.VConcatChart) -> str:
    """A chart as SVG text in the look of the house. Names in it must have gone through `one_line`."""
    looked = chart.configure(font=FONT, background="white").configure_view(stroke=None).configure_axis(
        labelFontSize=11, titleFontSize=12, titleFontWeight="normal", labelColor="#333333", titleColor="#333333",
        gridColor="#E9E9E9", domainColor="#999999", tickColor="#999999",
    ).configure_title(
        fontSize=13, fontWeight="bold", anchor="start", color="#222222", offset=10, subtitleFontSize=11,
        subtitleColor="#666666",
    ).configure_text(fontSize=12).configure_concat(spacing=26)  # fmt: skip
    return vl_convert.vegalite_to_svg(looked.to_json())


def to_png(svg: str) -> bytes:
    """The same picture at twice the size in pixels."""
    return vl_convert.svg_to_png(svg, scale=2)
