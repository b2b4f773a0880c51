"""The page of the study: the exploration report with what drives choices, and published numbers beside ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from athanor.agents.cognitive import weights_of
from athanor.analysis.reading import readings, text
from athanor.analysis.settings import PER_UNIT
from athanor.analysis.weights import ALL, named
from athanor.core.records import Estimate
from athanor.reports.page import Chapter, report
from athanor.reports.text import one_line
from athanor.reports.weights import weights_figure
from athanor.studies.think_too_fast.arms import COGNITIVE
from athanor.studies.think_too_fast.claims import Comparison, interval
from athanor.studies.think_too_fast.study import THINKING, Found

TERMS = ("uncertainty", "empowerment")


def page(found: Found, folder: Path) -> Path:
    """Write folder/report.html with its figures, and give its path."""
    chapters = [_weights(found), _more(found), _comparisons(found)]
    more = found.estimates()[len(found.exploration) :]
    return report([arm.run.path for arm in found.arms], folder, chapters, more)


def _weights(found: Found) -> Chapter:
    words = []
    for world, estimates in found.worlds:
        lead, *points = [*readings(estimates), *_recovered(estimates)] or ["No weight could be estimated."]
        words.append((f"{world}. {lead}", tuple(points)))
    return Chapter(
        name="weights", title="What drives choices", words=tuple(words), figure=weights_figure(found.worlds, TERMS),
        note="Empowerment is the table's own where no predicted values were given. Estimates with their methods are in "
        "estimates.jsonl.",
    )  # fmt: skip


def _recovered(estimates: Sequence[Estimate]) -> Iterator[str]:
    """Whether the weights of the agent that was given them are found again."""
    name, true, _ = COGNITIVE[-1]
    for term, weight in weights_of(true):
        for one in estimates:
            if one.group.startswith(name) and one.name == named(term, ALL):
                held = one.low is not None and one.high is not None and one.low <= weight <= one.high
                said = "within" if held else "outside"
                yield f"{name} was given a weight of {term} of {weight:g}: {said} the {text(one)} found."


def _more(found: Found) -> Chapter:
    rows = tuple(
        (world, one_line(one.group, 90), one.name, text(one), str(one.n), one.method)
        for world, estimates in found.worlds for one in estimates
        if one.name == THINKING or one.name.startswith("usage") or PER_UNIT in one.name
    )  # fmt: skip
    return Chapter(
        name="more", title="Reasoning, temperature and immediate usage",
        titles=("world", "group", "estimate", "value and interval", "n", "method"), rows=rows,
        note="Usage: of the times that an element joined, how often the very next turn used it, against its children; "
        "of random players who never repeat, since none of the arms is long enough.",
    )  # fmt: skip


def _comparisons(found: Found) -> Chapter:
    counts = Counter(one.direction for one in found.comparisons)
    said = ", ".join(f"{counts[k]} {k}" for k in ("agrees", "differs", "cannot tell", "no direction", "not played"))
    return Chapter(
        name="published", title="Published numbers beside ours",
        words=((
            f"Of {len(found.comparisons)} published numbers the direction: {said}. Ours are of another model, world or "
            "length wherever the table says so; then they replicate nothing, and only show how such a number is read.",
            (),
        ),),
        titles=("quantity", "of", "published", "ours", "of ours", "direction", "interval", "how it was compared"),
        rows=tuple(_row(one) for one in found.comparisons),
        note="Intervals of published numbers are made from their standard errors, or from their deviations over the "
        "players where their number is known.",
    )  # fmt: skip


def _row(one: Comparison) -> tuple[str, ...]:
    low, high = interval(one.published)
    spread = "" if low == high else f" [{low:.3g}, {high:.3g}]"
    ours = text(one.ours) if one.ours else "none"
    whose = one_line(one.ours.group, 60) + (" (stand-in)" if one.stand_in else "") if one.ours else ""
    return (
        one.published.quantity, one.published.of, f"{one.published.value:.3g}{spread}", ours, whose, one.direction,
        one.interval, one.why,
    )  # fmt: skip
