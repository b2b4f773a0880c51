"""The report of points runs: hands solved by round, what the answers were, and the first hands to be read."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from athanor.analysis.arms import Arm
from athanor.analysis.exploration import CUT, LEVEL_TEXT, interval_text, value_text
from athanor.analysis.intervals import Point
from athanor.analysis.points import (
    CLASSES,
    MISREASONED,
    RECOGNISED,
    RECOGNITION,
    UNGRADED,
    arms_of,
    class_of,
    class_share,
    classes_of,
    compared,
    estimates_of,
    read_runs,
    right_share,
    rounds_of,
    said_share,
    shown_in_pictures,
    solved_within,
)  # fmt: skip
from athanor.core.records import Estimate, Turn, Unreadable
from athanor.environments.points import Points
from athanor.environments.points.drawing import Look, draw
from athanor.reports.beside import finding, title, verdict
from athanor.reports.drawing import WIDTH, Line, Spec, Style, legend, panel, styles_of
from athanor.reports.figures import Figure, by_world, figure_of, named_in, parts, pieces, stacked_by_world
from athanor.reports.matrices import Columns, differences_of, tables_of
from athanor.reports.page import rendered, section_of, written
from athanor.reports.transcript import spoken, transcript_of
from athanor.reports.words import Finding, Found, left_out

COLOURS = dict(zip(CLASSES, ("#01665E", "#DFC27D", "#BF812D", "#8C510A", "#6B6B6B", "#C9C9C9"), strict=True))
PALE = ("value", UNGRADED)
SPENDING = ("prompt tokens", "completion tokens", "reasoning tokens", "seconds", "cost")
SURE = (
    f"Intervals ({LEVEL_TEXT}) count multisets of numbers: hands with the same numbers are alike, whatever their suits "
    "and order. Shares: Korn and Graubard's; the rest: t, robust to that."
)
ROUNDS_NOTE = (
    f"{SURE} Differences are between arms on the same hands, pair by pair; they are not adjusted for their number. A "
    "dash: not compared."
)
CLASSES_NOTE = (
    "Classes of all answers, then what the first answer to a hand says of its cards and numbers, and what an answer "
    "took. The published verifier's classes are put together here; estimates.jsonl has each. A dash: it cannot occur, "
    f"or no model was asked. {SURE}"
)


def report(runs: list[Path], out: Path) -> Path:
    """Compare run folders of points on one page: out/report.html, out/figures/, out/estimates.jsonl.

    Nothing is written into the runs. The same runs give the same files. UsageError when there is no run or one is no
    run of points; DataError when one cannot be read.
    """
    arms = sorted(arms_of(read_runs(runs)), key=lambda arm: arm.baseline is not None)
    estimates = estimates_of(arms)
    found: Found = {(estimate.group, estimate.name): estimate for estimate in estimates}
    figures = _figures(arms, found)
    columns = {"rounds": (_rounds_columns, ROUNDS_NOTE), "classes": (_classes_columns, CLASSES_NOTE)}
    sections = []
    for figure in figures:
        made, note = columns[figure.name]
        sections.append(section_of(figure, note, tables_of(arms, found, lambda here, make=made: make(here, found))))
    page = rendered(
        arms, estimates, units="multisets", counted="hands", title=title("GeneralPoints", arms),
        findings=[_finding(name, here, arms, found) for _, name, here in by_world(arms)], note=SURE,
        left_out=left_out(arms), sections=sections, chapters=[],
        transcripts=[one for arm in arms if (one := _transcript(arm))],
    )  # fmt: skip
    return written(page, figures, estimates, out)


def _finding(world: str, here: Sequence[Arm], arms: Sequence[Arm], found: Found) -> Finding:
    """What the baselines solved, and each arm beside them."""
    return finding(world, here, "solved", lambda arm: _solved(arm, found), lambda arm: _said(arm, arms, found))


def _solved(arm: Arm, found: Found) -> str:
    rounds = rounds_of(arm.run)
    most = found[arm.name, solved_within(rounds)]
    first = found[arm.name, solved_within(1)]
    at_once = f", {_text(first)} at the first answer" if rounds > 1 else ""
    return f"{_text(most)} of {arm.n} hands{at_once}"


def _text(share: Estimate) -> str:
    return f"{value_text(share)} {interval_text(share)}"


def _said(arm: Arm, arms: Sequence[Arm], found: Found) -> str:
    if not arm.n:
        return "has no hand that ended without an error yet."
    beside = []
    for other, name in compared(arm, arms):
        rounds = min(rounds_of(arm.run), rounds_of(other.run))
        difference = found[arm.name, f"{solved_within(rounds)} minus {name}"]
        beside.append(verdict(difference, other, "solved", "hand"))
    told = f" It {'; it '.join(beside)}." if beside else " Nothing else was played on the same hands."
    return f"solved {_solved(arm, found)}.{told}{_cut(arm, found)}"


def _cut(arm: Arm, found: Found) -> str:
    cut = found.get((arm.name, CUT))
    if cut is None or not cut.value or cut.value < 0.03:
        return ""
    return f" {value_text(cut)} of its answers were cut at the token bound: it may have wanted to say more."


def _rounds_columns(here: Sequence[Arm], found: Found) -> Columns:
    most = max((rounds_of(arm.run) for arm in here), default=1)
    shares = [(f"within {k}", solved_within(k)) for k in range(1, most + 1)]
    if any(map(shown_in_pictures, here)):
        shares += [("recognised", RECOGNITION), ("recognised, not solved at once", MISREASONED)]
    return [*shares, ("return", "return"), *differences_of(solved_within(most), here, found)]


def _classes_columns(here: Sequence[Arm], found: Found) -> Columns:
    occur = [kind for kind in CLASSES if any(kind in classes_of(arm) for arm in here)]
    said = [(f"{word}: {name}", share(name)) for name in RECOGNISED for word, share in _SAID]
    spent = [*((name, f"{name} per answer") for name in SPENDING), ("cost in total", "cost in total")]
    return [*((kind, class_share(kind)) for kind in occur), *said, ("cut at the bound", CUT), *spent]


_SAID = (("said", said_share), ("right, if said", right_share))


def _figures(arms: Sequence[Arm], found: Found) -> tuple[Figure, ...]:
    kept, styles = [arm for arm in arms if arm.n], styles_of(arms)
    return (_by_round(kept, styles, found), _by_class(kept, styles, found)) if kept else ()


def _by_round(arms: Sequence[Arm], styles: Mapping[str, Style], found: Found) -> Figure:
    """The share of hands solved within so many rounds."""
    charts: list[Spec] = []
    for world, name, here in by_world(arms):
        for part, crowd in parts(here):
            lines = [Line(style=styles[a.name], points=(p := _points_of(a, found)), last=p[-1].value) for a in crowd]
            charts.append(legend([styles[arm.name] for arm in crowd]))
            charts.append(panel(
                lines, title=name + part, y_title="hands solved", x_title="round", turns=max(1, world.turns), top=1.0,
                width=WIDTH - 110, height=300, percent=True, marks=True,
            ))  # fmt: skip
    caption = (
        "Share of hands solved within so many answers, each wrong one told why: mean over hands as they were dealt. "
        f"Band: {LEVEL_TEXT} interval over multisets of numbers. {named_in(arms)}"
    )
    return figure_of("rounds", "Hands solved, round by round", charts, caption)


def _points_of(arm: Arm, found: Found) -> tuple[Point, ...]:
    by_round = [(k, found[arm.name, solved_within(k)]) for k in range(1, rounds_of(arm.run) + 1)]
    return tuple(Point(at=k, value=e.value or 0.0, low=e.low, high=e.high, n=e.n) for k, e in by_round)


def _by_class(arms: Sequence[Arm], styles: Mapping[str, Style], found: Found) -> Figure:
    """What became of the answers: stacked shares of the classes."""
    keys = [
        Style(name=kind, label=kind, colour=colour, dash=(1, 0), muted=False) for kind, colour in COLOURS.items()
        if any(kind in classes_of(arm) for arm in arms)
    ]  # fmt: skip

    def rows_of(arm: Arm) -> list[Spec]:
        shares = [(kind, found[arm.name, class_share(kind)].value or 0.0) for kind in classes_of(arm)]
        return pieces(styles[arm.name].label, shares, pale=PALE)

    charts = stacked_by_world(arms, keys, rows_of, "share of answers")
    caption = (
        "Solved; the right numbers, another value; cards told wrong (of pictures only); other numbers than the hand's, "
        "or not each once; no formula that can be read. Ungraded: the answer after the last graded one, which the "
        f"published verifier lets pass unread. Shares from 5% are written out. {named_in(arms, alone=False)}"
    )
    return figure_of("classes", "What became of the answers", charts, caption)


def _transcript(arm: Arm) -> dict[str, Any] | None:
    """The first hand of an arm, with its picture if the model was shown one."""
    row = transcript_of(arm, _turn_row)
    opening, look = arm.run.opening, arm.run.manifest.config.get("look")
    if row is None or opening is None or opening.task is None:
        return row
    hand = Points().start(opening.task)
    row["told"] = (
        f"{', '.join(hand.cards)}; numbers {', '.join(map(str, hand.values))} (J-Q-K {hand.rule.name}); to make "
        f"{hand.target}."
    )
    if look is not None:
        picture = draw(hand.cards, msgspec.convert(look, Look))
        row["picture"] = f"data:image/png;base64,{b64encode(picture).decode()}"
    return row


def _turn_row(turn: Turn[Any]) -> dict[str, Any]:
    """One answer as texts, with the colour of a success, of a failure, or of what could not be read."""
    kind, action = class_of(str(turn.verdict.parts.get("class"))), turn.action
    colour = "success-new" if turn.verdict.passed else "invalid" if kind in ("form", UNGRADED) else "failure-new"
    read = "nothing" if isinstance(action, Unreadable) else action.formula or "no formula"
    return spoken(turn, category=colour, read=read) | {"new": [], "gifts": []}
