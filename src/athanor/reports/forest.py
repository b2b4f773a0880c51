"""Estimates with their intervals below each other: a dot and a line a row, a zero line to see differences by."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, log1p
from typing import Literal, NamedTuple

from athanor.core.records import Estimate
from athanor.reports.drawing import Spec

GREY = "#777777"
EDGE = 6
"""Pixels at the ends of a bent scale, in which a dot has room."""
BEND = 0.3
"""Where a bent scale goes from linear to logarithmic."""
TICKS = (0, 1, -1, 10, -10, 0.1, -0.1, 100, -100, 3, -3, 30, -30, 0.3, -0.3, 0.03, -0.03, 0.01, -0.01)
"""Of a bent scale, those first that are to be kept where there is no room for all."""
POINTS = {"labelExpr": "replace(format(100 * datum.value, '+.0f'), '+0', '0')"}
"""How differences of shares are marked: in percentage points, which no sign of per cent stands behind."""
APART = 24
"""Pixels between two marks of a bent scale, at least."""


Scale = Literal["linear", "bent", "logarithmic"]
SCALES: dict[Scale, Spec] = {"bent": {"type": "symlog", "constant": BEND}, "logarithmic": {"type": "log"}}


class Row(NamedTuple):
    """One row of a panel."""

    label: str
    estimate: Estimate | None
    """None leaves the row empty."""
    colour: str
    unknown: str = ""
    """What is said in the place of an unknown value; empty leaves it to the panel."""


def forest(
    rows: Sequence[Row], *, title: str, x_title: str, labels: bool = True, width: int = 195, zero: bool = True,
    percent: bool = True, points: bool = False, unknown: str = "unknown", behind: Sequence[Spec] = (),
    scale: Scale = "linear", ticks: Sequence[float] = (),
) -> Spec:  # fmt: skip
    """A panel; with `labels` the rows' names stand at its left, so that several panels share the names of the first.

    `percent`: values are shares; `points`: they are differences of shares. What is unknown is said in the row's own
    words, else in those of `unknown`; `behind` are layers below all others.
    A `bent` scale is linear near zero and logarithmic far from it, where small and very large numbers stand together;
    it has marks at zero and where else there is room for one, a logarithmic one has them at `ticks`. Labels must be
    unique and have gone through `one_line`.
    """
    order = [row.label for row in rows]
    y = {
        "field": "row", "type": "nominal", "sort": order, "scale": {"domain": order}, "title": None,
        "axis": {"labels": labels, "ticks": False, "domain": False, "labelLimit": 260, "grid": True},
    }  # fmt: skip
    x = {
        "field": "value", "type": "quantitative", "title": x_title,
        "axis": {"tickCount": 4, **(POINTS if points else {"format": ".0%"} if percent else {})},
    }  # fmt: skip
    if scale != "linear":
        ends = _ends(rows, behind) if scale == "bent" else None
        marks = list(ticks) if ends is None else _marks(*ends, width - 2 * EDGE)
        x |= {
            "scale": {**SCALES[scale], "padding": EDGE, **({"domain": list(ends)} if ends else {})},
            "axis": {"values": marks, "labelOverlap": False, "format": ".3~g"},
        }
    colour = {"field": "colour", "type": "nominal", "scale": None}
    told = [
        {"row": row.label, "value": e.value, "low": e.low, "high": e.high, "colour": row.colour}
        for row in rows if (e := row.estimate) is not None and e.value is not None
    ]  # fmt: skip
    untold = [
        {"row": row.label, "said": row.unknown or unknown}
        for row in rows
        if row.estimate is not None and row.estimate.value is None
    ]
    spans = [row for row in told if row["low"] is not None]
    layers: list[Spec] = [_on(x, layer) for layer in (*behind, *([_zero()] if zero else []))]
    layers += [
        {
            "data": {"values": spans}, "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}, "color": colour},
        },
        {
            "data": {"values": told}, "mark": {"type": "point", "filled": True, "size": 46, "opacity": 1},
            "encoding": {"y": y, "x": x, "color": colour},
        },
        {
            "data": {"values": untold},
            "mark": {"type": "text", "fontSize": 10, "color": GREY, "align": "left"},
            "encoding": {"y": y, "x": {"value": 4}, "text": {"field": "said"}},
        },
    ]  # fmt: skip
    return {
        "layer": layers, "width": width, "height": 19 * len(order),
        "title": {"text": title, "fontWeight": "normal", "fontSize": 12},
    }  # fmt: skip


def _on(x: Spec, layer: Spec) -> Spec:
    """A layer with the panel's own axis: one without would drop marks from it, as if they had no room."""
    encoding = layer["encoding"]
    return {**layer, "encoding": {**encoding, "x": {**x, **encoding["x"]}}}


def _ends(rows: Sequence[Row], behind: Sequence[Spec]) -> tuple[float, float]:
    """Between what a bent scale reaches: zero, all that is drawn, and all that lies behind it."""
    drawn = [number for row in rows if (e := row.estimate) for number in (e.value, e.low, e.high) if number is not None]
    lies = [
        number for layer in behind for one in layer["data"]["values"] for number in one.values()
        if isinstance(number, int | float)
    ]  # fmt: skip
    low, high = min(0.0, *drawn, *lies), max(0.0, *drawn, *lies)
    return (low, high) if low < high else (-1.0, 1.0)


def _marks(low: float, high: float, width: float) -> list[float]:
    """The marks of a bent scale between its ends, APART from each other on so many pixels, zero always among them.

    >>> _marks(-20.0, 3.0, 183)
    [-10, -3, -1, 0, 1, 3]
    """
    begin, end = _bent(low), _bent(high)
    kept: list[float] = []
    for mark in TICKS:
        place = _bent(mark)
        far = all(abs(place - _bent(other)) * width >= APART * (end - begin) for other in kept)
        if begin <= place <= end and far:
            kept.append(mark)
    return sorted(kept)


def _bent(number: float) -> float:
    """Where a number lies on a bent scale."""
    return copysign(log1p(abs(number) / BEND), number)


def _zero() -> Spec:
    mark = {"type": "rule", "color": "#999999", "strokeWidth": 1}
    return {"data": {"values": [{"at": 0}]}, "mark": mark, "encoding": {"x": {"field": "at", "type": "quantitative"}}}


def beside(panels: Sequence[Spec], title: str) -> Spec:
    """Panels in a row under one title."""
    return {"hconcat": list(panels), "spacing": 14, "title": {"text": title}}
