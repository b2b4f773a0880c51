"""Figures of weights: what moves each arm's choices by several estimates, random players beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from athanor.analysis.exploration import LEVEL_TEXT
from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS
from athanor.analysis.weights import ALL, MANY, PUBLISHED, TOGETHER, named
from athanor.core.records import Estimate
from athanor.reports.drawing import COLOURS, Spec, shortened, to_png, to_svg
from athanor.reports.figures import Figure
from athanor.reports.forest import GREY, Row, forest
from athanor.reports.text import one_line

KINDS = (PUBLISHED, MANY, ALL)
TITLES = {PUBLISHED: "One random pair (published)", MANY: "Many sampled pairs", ALL: "All pairs, repeats apart"}
RANDOM = (NEVER_REPEATS, MEMORYLESS)
LABEL = 34
"""Characters of a group's name, at most."""


Found = dict[tuple[str, str], Estimate]


def weights_figure(worlds: Sequence[tuple[str, Sequence[Estimate]]], terms: Sequence[str]) -> Figure | None:
    """The weights of every group in every world, one row of panels a term, one panel an estimate.

    `worlds`: name of each world with its estimates, from `analysis.weights.weights`. None when there is none.
    """
    charts: list[Spec] = []
    for world, found in worlds:
        by = {(one.group, one.name): one for one in found}
        groups = [group for group in dict.fromkeys(one.group for one in found) if group != TOGETHER]
        labels = _labels(groups)
        for term in terms:
            panels = [_panel(term, kind, groups, labels, by, first=kind == PUBLISHED) for kind in KINDS]
            if any(panel is not None for panel in panels):
                title = {"text": f"{one_line(world, 90)}: weight of {term}"}
                charts.append({"hconcat": [p for p in panels if p is not None], "spacing": 12, "title": title})
    if not charts:
        return None
    caption = (
        "What moves choices: change in log-odds by one standard deviation of a value, with its "
        f"{LEVEL_TEXT} interval; the vertical line is no weight. Left, the published regression: the chosen against "
        "one random pair; the band is what random players who never repeat a pair get by it. Middle: against many "
        "sampled pairs. Right: among all pairs that could be combined, with repeats and self-pairs apart, z-scored by "
        "turn: random players have none. The scale is linear near zero and logarithmic beyond, so that small weights "
        "can be told apart beside very large ones."
    )
    svg = to_svg(charts)
    return Figure(name="weights", title="What drives choices", svg=svg, png=to_png(svg), caption=caption)


def _labels(groups: Sequence[str]) -> dict[str, str]:
    """Short names, unique: what most names begin with (a model's) is left out, and long ones lose their middle."""
    begins = Counter(group.partition(", ")[0] for group in groups if group not in RANDOM)
    most = max(begins, key=begins.__getitem__, default="")
    found = {}
    for group in groups:
        model, _, rest = group.partition(", ")
        found[group] = shortened(rest if rest and model == most and begins[model] > 1 else group, LABEL)
    twice = Counter(found.values())
    return {g: f"{label} #{k + 1}" if twice[label] > 1 else label for k, (g, label) in enumerate(found.items())}


def _panel(
    term: str, kind: str, groups: Sequence[str], labels: dict[str, str], by: Found, *, first: bool
) -> Spec | None:  # fmt: skip
    colour = COLOURS[KINDS.index(kind)]
    rows = [
        Row(labels[group], by.get((group, named(term, kind))), GREY if group in RANDOM else colour) for group in groups
    ]  # fmt: skip
    if not any(row.estimate is not None and row.estimate.value is not None for row in rows):
        return None
    return forest(
        rows, title=TITLES[kind], x_title="weight", labels=first, percent=False, unknown="no finite estimate",
        behind=_band(by, term) if kind == PUBLISHED else (), bent=True,
    )  # fmt: skip


def _band(by: Found, term: str) -> list[Spec]:
    never = by.get((NEVER_REPEATS, named(term, PUBLISHED)))
    if never is None or never.low is None:
        return []
    mark = {"type": "rect", "color": "#D9D9D9", "opacity": 0.7}
    places = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
    return [{"data": {"values": [{"low": never.low, "high": never.high}]}, "mark": mark, "encoding": places}]
