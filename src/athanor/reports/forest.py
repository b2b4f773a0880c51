"""Estimates with their intervals below each other: a dot and a line a row, a zero line to see differences by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from athanor.core.records import Estimate
from athanor.reports.drawing import Spec

GREY = "#777777"
EDGE = 6
"""Pixels at the ends of a bent scale, in which a dot has room."""
BEND = 0.3
"""Where a bent scale goes from linear to logarithmic."""
TICKS = (-30, -10, -3, -1, -0.3, -0.1, 0, 0.1, 0.3, 1, 3, 10, 30)
"""Of a bent scale."""


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
    percent: bool = True, unknown: str = "unknown", behind: Sequence[Spec] = (), scale: Scale = "linear",
    ticks: Sequence[float] = TICKS,
) -> Spec:  # fmt: skip
    """A panel; with `labels` the rows' names stand at its left, so that several panels share the names of the first.

    What is unknown is said in the row's own words, else in those of `unknown`; `behind` are layers below all others.
    A `bent` scale is linear near zero and logarithmic far from it, where small and very large numbers stand together;
    it and a logarithmic one have marks at `ticks`. Labels must be unique and have gone through `one_line`.
    """
    order = [row.label for row in rows]
    y = {
        "field": "row", "type": "nominal", "sort": order, "scale": {"domain": order}, "title": None,
        "axis": {"labels": labels, "ticks": False, "domain": False, "labelLimit": 260, "grid": True},
    }  # fmt: skip
    x = {
        "field": "value", "type": "quantitative", "title": x_title,
        "axis": {"tickCount": 4, **({"format": ".0%"} if percent else {})},
    }  # fmt: skip
    if scale != "linear":
        x |= {
            "scale": {**SCALES[scale], "padding": EDGE},
            "axis": {"values": list(ticks), "labelOverlap": True, "format": "~g"},
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
    layers: list[Spec] = [*behind, *([_zero()] if zero else [])]
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


def _zero() -> Spec:
    mark = {"type": "rule", "color": "#999999", "strokeWidth": 1}
    return {"data": {"values": [{"at": 0}]}, "mark": mark, "encoding": {"x": {"field": "at", "type": "quantitative"}}}


def beside(panels: Sequence[Spec], title: str) -> Spec:
    """Panels in a row under one title."""
    return {"hconcat": list(panels), "spacing": 14, "title": {"text": title}}
