"""The page of the study: the exploration report with what drives choices, and published numbers beside ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from athanor.agents.cognitive import weights_of
from athanor.analysis.reading import readings, text
from athanor.analysis.settings import PER_UNIT
from athanor.analysis.weights import ALL, named
from athanor.core.records import Estimate
from athanor.reports.page import Chapter, report
from athanor.reports.text import listed, one_line
from athanor.reports.weights import weights_figure
from athanor.studies.think_too_fast.arms import COGNITIVE
from athanor.studies.think_too_fast.claims import Comparison, interval
from athanor.studies.think_too_fast.study import THINKING, Found

TERMS = ("uncertainty", "empowerment")


def page(found: Found, folder: Path) -> Path:
    """Write folder/report.html with its figures, and give its path."""
    chapters = [_weights(found), _more(found), _comparisons(found), _lacking(found)]
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
    mine = [one for one in found.comparisons if one.direction != "not computed"]
    return Chapter(
        name="published", title="Published numbers beside ours",
        words=((
            f"{len(found.comparisons)} numbers are published or follow from what is; {len(mine)} of them have one of "
            f"ours beside them. The direction {_counted(mine, 'direction')}; the interval "
            f"{_counted(mine, 'interval')}. Ours are of another model, world or length wherever they are called a "
            "stand-in; then they replicate nothing, and only show how such a number is read.",
            (),
        ),),
        titles=(
            "quantity", "of", "published", "ours", "direction", "interval", "how it was compared", "ours is of",
            "source",
        ),
        rows=tuple(_row(one) for one in mine),
        note="Intervals of published numbers are made from their standard errors, from their deviations over players "
        "where the number of these is known, or from the number of elements behind a correlation. Others stand "
        "alone.",
    )  # fmt: skip


def _lacking(found: Found) -> Chapter:
    mine = [one for one in found.comparisons if one.direction == "not computed"]
    return Chapter(
        name="lacking", title="Published numbers without ours",
        words=((f"{len(mine)} numbers have none of ours beside them, each for the reason that its row gives.", ()),),
        titles=("quantity", "of", "published", "why there is none of ours", "source"),
        rows=tuple(
            (_quantity(one), one.published.of, _published(one), one.why, one.published.source) for one in mine
        ),
    )  # fmt: skip


def _counted(those: Sequence[Comparison], what: Literal["direction", "interval"]) -> str:
    counts = Counter(getattr(one, what) for one in those)
    verbs = {
        "agrees": "agrees",
        "differs": "differs",
        "cannot tell": "cannot be told",
        "no direction": "does not exist",
    }
    told = [f"{verb} in {counts[kind]}" for kind, verb in verbs.items() if counts[kind]]
    return listed(told) if told else "is told of none"


def _row(one: Comparison) -> tuple[str, ...]:
    ours = one.ours
    if ours is None or ours.value is None:
        raise ValueError(f"{one.published.quantity} of {one.published.of} has none of ours to be shown")
    between = None if ours.low is None or ours.high is None else (ours.low, ours.high)
    shown = _shown(one.published.quantity, ours.value, between)
    whose = one_line(ours.group, 60) + (" (stand-in)" if one.stand_in else "")
    return (
        _quantity(one), one.published.of, _published(one), shown, one.direction, one.interval, one.why, whose,
        one.published.source,
    )  # fmt: skip


def _quantity(one: Comparison) -> str:
    return f"weight of {one.published.quantity}" if one.published.quantity in TERMS else one.published.quantity


def _published(one: Comparison) -> str:
    low, high = interval(one.published)
    return _shown(one.published.quantity, one.published.value, None if low == high else (low, high))


def _shown(quantity: str, value: float, between: tuple[float, float] | None) -> str:
    """A number with its interval: shares in per cent, else with the digits that it has."""
    share = quantity.startswith("share ")

    def digits(number: float) -> str:
        if share:
            return f"{100 * number:.{2 if 0 < number < 0.001 else 1}f}%"
        return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"

    return digits(value) + (f" [{digits(between[0])}, {digits(between[1])}]" if between else "")
