"""The chapter of what was measured during training: reward, entropy, divergence from the base, and forgetting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from athanor.analysis.generalization import BASE, Key
from athanor.analysis.intervals import Point
from athanor.analysis.training_logs import Logged
from athanor.reports.drawing import Line, Spec, Style, legend, panel
from athanor.reports.figures import figure_of
from athanor.reports.page import Chapter
from athanor.studies.sft_vs_rl.findings import Found

PANELS = (("reward", "reward of an answer"), ("entropy", "entropy (nats a token)"), ("kl", "KL to the base (nats)"))
POINTS = 100
"""Of a curve, at most."""
KNOWN = Key("old", 1.0, 1)
"""What forgetting is told by: hands that the base had learned."""


def training(found: Found, look: Mapping[str, Style]) -> Iterator[Chapter]:
    """Nothing where no logs are there."""
    mine = [arm.name for arm in found.arms if not arm.of and any(one.arm == arm.name for one in found.logs)]
    if not mine:
        return
    charts: list[Spec] = [legend([look[name] for name in mine])]
    panels = [made for name, title in PANELS if (made := _panel(found.logs, mine, look, name, title))]
    charts.append({"hconcat": panels, "spacing": 20})
    lost = _forgotten(found, look)
    if lost:
        charts.append(lost)
    caption = (
        "Above: what the logs have of every step, mean over an arm's trainings, by operations spent. Divergence from "
        "the base is measured where a policy learns: on its own answers in reinforcement, on the answers that it is "
        "taught in fine-tuning, so that it is not the same quantity for both. "
    )
    if lost:
        caption += (
            "Below: each training's divergence over the last tenth of its steps, and how many more of the hands that "
            "the base had learned (old, temperature 1) it solves than the base: what is below zero was forgotten."
        )
    yield Chapter(
        name="training", title="During training", figure=figure_of("training", "During training", charts, caption),
        note="No published numbers stand beside these: the publication prints no divergence and no entropy.",
    )  # fmt: skip


def _panel(logs: Sequence[Logged], arms: Sequence[str], look: Mapping[str, Style], name: str, title: str) -> Spec:
    lines = []
    for arm in arms:
        mine = [one for one in logs if one.arm == arm and not np.isnan(one.values[name]).all()]
        if mine:
            steps = min(len(one.flop) for one in mine)
            values = np.mean([one.values[name][:steps] for one in mine], axis=0)
            flop = np.mean([one.flop[:steps] for one in mine], axis=0)
            kept = [k for k in range(0, steps, max(1, steps // POINTS)) if not np.isnan(values[k])]
            points = tuple(
                Point(at=float(flop[k]) / 1e9, value=float(values[k]), low=None, high=None, n=len(mine)) for k in kept
            )
            lines.append(Line(style=look[arm], points=points, last=points[-1].value))
    if not lines:
        return {}
    values = [point.value for line in lines for point in line.points]
    return panel(
        lines, title=title, y_title="", turns=max(1, round(max(line.points[-1].at for line in lines))),
        top=1.05 * max(max(values), 1e-3), width=235, height=170, x_title="operations (GFLOP)",
    )  # fmt: skip


def _forgotten(found: Found, look: Mapping[str, Style]) -> Spec:
    """A point a training; empty where hands of the base were not tried."""
    theirs: dict[str, list[np.ndarray]] = {}
    for one in found.trained:
        if one.arm == BASE and (last := one.last(KNOWN)) is not None:
            theirs.setdefault(one.base, []).append(last.solved)
    ended = {(one.arm, one.base, one.number): one.at_the_end("kl") for one in found.logs}
    points = []
    for one in found.trained:
        last, apart = one.last(KNOWN), ended.get((one.arm, one.base, one.number or 0), np.nan)
        if one.arm in look and one.arm != BASE and last is not None and one.base in theirs and not np.isnan(apart):
            gain = float((last.solved - np.mean(theirs[one.base], axis=0)).mean())
            points.append({"kl": apart, "gain": gain, "colour": look[one.arm].colour})
    if not points:
        return {}
    zero = {"data": {"values": [{"at": 0}]}, "mark": {"type": "rule", "color": "#999999"},
            "encoding": {"y": {"field": "at", "type": "quantitative"}}}  # fmt: skip
    dots = {
        "data": {"values": points}, "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
        "encoding": {
            "x": {"field": "kl", "type": "quantitative", "title": "KL to the base at the end (nats a token)"},
            "y": {"field": "gain", "type": "quantitative", "title": "old: more hands solved than the base",
                  "axis": {"format": "+.0%", "tickCount": 5}},
            "color": {"field": "colour", "type": "nominal", "scale": None},
        },
    }  # fmt: skip
    return {"layer": [zero, dots], "width": 370, "height": 190, "title": "Divergence and forgetting"}
