"""Figures of weights: what moves each arm's choices by several estimates, random players beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

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
LABEL = 46
"""Characters of a group's name, at most."""


Found = dict[tuple[str, str], Estimate]


def weights_figure(
    worlds: Sequence[tuple[str, Sequence[Estimate]]],
    terms: Sequence[str],
    published: Mapping[str, Sequence[Row]] | None = None,
) -> Figure | None:
    """The weights of every group in every world, one row of panels a term, one panel an estimate.

    `worlds`: name of each world with its estimates, from `analysis.weights.weights`. `published`: by term the rows that
    stand under the first world's own, in the panel of the published regression. None when there is none.
    """
    charts: list[Spec] = []
    every = [group for _, found in worlds for group in groups_in(found)]
    for k, (world, found) in enumerate(worlds):
        by = {(one.group, one.name): one for one in found}
        groups = groups_in(found)
        labels = labels_of(groups, every)
        for term in terms:
            more = list((published or {}).get(term, ())) if k == 0 else []
            panels = [_panel(term, kind, groups, labels, by, more) for kind in KINDS]
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
        f"can be told apart beside very large ones.{said_of_labels(every)}"
        f"{' Under the first world, in black: published weights, each by the fit of its source.' if published else ''}"
        f"{' In grey below them: ours of the same players in the same game.' if _has_ours(published) else ''}"
    )
    svg = to_svg(charts)
    return Figure(name="weights", title="What drives choices", svg=svg, png=to_png(svg), caption=caption)


def _has_ours(published: Mapping[str, Sequence[Row]] | None) -> bool:
    """Whether there are numbers of ours among the published ones."""
    return any(row.colour == GREY for rows in (published or {}).values() for row in rows)


def groups_in(found: Sequence[Estimate]) -> list[str]:
    """The groups of a world that have a row of their own."""
    return [group for group in dict.fromkeys(one.group for one in found) if group != TOGETHER]


def labels_of(groups: Sequence[str], every: Sequence[str] = ()) -> dict[str, str]:
    """Short names, unique: what most names begin with (a model's) is left out, and long ones lose their middle.

    `every`: the groups of all worlds of a figure, so that a name is short in all or in none.
    """
    most = _model_of(every or groups)
    found = {}
    for group in groups:
        model, _, rest = group.partition(", ")
        found[group] = shortened(rest if rest and model == most else group, LABEL)
    twice = Counter(found.values())
    return {g: f"{label} #{k + 1}" if twice[label] > 1 else label for k, (g, label) in enumerate(found.items())}


def said_of_labels(groups: Sequence[str]) -> str:
    """Which name the labels leave out, for a caption; empty where none."""
    most = _model_of(groups)
    return f" Names that begin with “{one_line(most, 80)}” are written without it." if most else ""


def _model_of(groups: Sequence[str]) -> str:
    """What most names begin with and go on from; empty where none does twice."""
    begins = Counter(group.partition(", ")[0] for group in groups if group not in RANDOM and ", " in group)
    most = max(begins, key=begins.__getitem__, default="")
    return most if begins[most] > 1 else ""


def _panel(
    term: str, kind: str, groups: Sequence[str], labels: dict[str, str], by: Found, published: Sequence[Row]
) -> Spec | None:  # fmt: skip
    """One kind of weight of every group; published ones under those of the published kind, their places in others."""
    colour = COLOURS[KINDS.index(kind)]
    rows = [
        Row(labels[group], one, GREY if group in RANDOM else colour, _why_unknown(one))
        for group in groups for one in [by.get((group, named(term, kind)))]
    ]  # fmt: skip
    if not any(row.estimate is not None and row.estimate.value is not None for row in rows):
        return None
    return forest(
        [*rows, *(row if kind == PUBLISHED else row._replace(estimate=None) for row in published)],
        title=TITLES[kind], x_title="weight", labels=kind == PUBLISHED, percent=False, unknown="no finite estimate",
        behind=_band(by, term) if kind == PUBLISHED else (), scale="bent",
    )  # fmt: skip


def _why_unknown(one: Estimate | None) -> str:
    """In few words; empty where no finite estimate is the reason, or there is a value."""
    if one is None or one.value is not None:
        return ""
    return (
        "withheld: too many left out"
        if one.method.startswith("withheld")
        else ("no valid attempt" if one.method.startswith("no turn counts") else "")
    )


def _band(by: Found, term: str) -> list[Spec]:
    never = by.get((NEVER_REPEATS, named(term, PUBLISHED)))
    if never is None or never.low is None:
        return []
    mark = {"type": "rect", "color": "#D9D9D9", "opacity": 0.7}
    places = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}}
    return [{"data": {"values": [{"low": never.low, "high": never.high}]}, "mark": mark, "encoding": places}]
