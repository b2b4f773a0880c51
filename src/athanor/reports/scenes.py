"""The report of scenes runs: prompts drawn right, category by category, and the first drawings to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from athanor.analysis.arms import Arm
from athanor.analysis.exploration import LEVEL_TEXT
from athanor.analysis.scenes import (
    RULES,
    arms_of,
    attempts_of,
    categories_of,
    compared,
    estimates_of,
    passed_within,
    read_runs,
    shown,
    wrong_share,
)  # fmt: skip
from athanor.environments.scenes import CATEGORIES
from athanor.reports.beside import finding, title, verdict
from athanor.reports.figures import by_world
from athanor.reports.gallery import called, gallery
from athanor.reports.page import Chapter, chapter_of, rendered, written
from athanor.reports.shares import share
from athanor.reports.text import one_line
from athanor.reports.words import Finding, Found, left_out

MOST = 4
"""Prompts of a category whose drawings are shown, at most."""
SURE = (
    f"In brackets: {LEVEL_TEXT} intervals, in per cent (differences: percentage points). They count prompts: those "
    "that ask for the same are alike, however they are worded. Shares: Korn and Graubard's; differences: t, robust to "
    "that, not adjusted for their number."
)


def report(runs: list[Path], out: Path) -> Path:
    """Compare run folders of scenes on one page: out/report.html, out/estimates.jsonl.

    Nothing is written into the runs. The same runs give the same files. UsageError when there is no run or one is no
    run of scenes; DataError when one cannot be read.
    """
    arms = sorted(arms_of(read_runs(runs)), key=lambda arm: arm.baseline is not None)
    estimates = estimates_of(arms)
    found: Found = {(estimate.group, estimate.name): estimate for estimate in estimates}
    worlds = [(name, here) for _, name, here in by_world(arms)]
    chapters = [one for k, (name, here) in enumerate(worlds) for one in _tables(k, name, here, found)]
    drawings = {one_line(arm.name, 80): list(shown(arm.run.path)) for arm in arms if arm.n}
    if any(drawings.values()):
        note = "Of each prompt: the last picture. Prompts are those that came first."
        chapters.append(gallery(drawings, note=note, most=MOST))
    page = rendered(
        arms, estimates, units="prompts", counted="episodes", title=title("Drawing scenes", arms),
        findings=[_finding(name, here, arms, found) for name, here in worlds], note=SURE,
        left_out=left_out(arms), sections=[], chapters=[chapter_of(one) for one in chapters], transcripts=[],
    )  # fmt: skip
    return written(page, [], estimates, out)


def _finding(world: str, here: Sequence[Arm], arms: Sequence[Arm], found: Found) -> Finding:
    """What the baselines drew right, and each arm beside them."""
    return finding(world, here, "drew", lambda arm: _right(arm, found), lambda arm: _said(arm, arms, found))


def _right(arm: Arm, found: Found) -> str:
    attempts = attempts_of(arm.run)
    first = found[arm.name, passed_within(1)]
    at_once = f", {share(first)} at the first attempt" if attempts > 1 else ""
    return f"{share(found[arm.name, passed_within(attempts)])} of {arm.n} prompts right{at_once}"


def _said(arm: Arm, arms: Sequence[Arm], found: Found) -> str:
    if not arm.n:
        return "has no episode that ended without an error yet."
    beside = []
    for other, name in compared(arm, arms):
        attempts = min(attempts_of(arm.run), attempts_of(other.run))
        difference = found[arm.name, f"{passed_within(attempts)} minus {name}"]
        beside.append(verdict(difference, other, "drew", "prompt"))
    told = f" It {'; it '.join(beside)}." if beside else " Nothing else was asked for the same."
    return f"drew {_right(arm, found)}.{told}"


def _tables(number: int, world: str, here: Sequence[Arm], found: Found) -> list[Chapter]:
    """What arms of a world drew right by category, and what was wrong first; nothing where none has ended."""
    kept = [arm for arm in here if arm.n]
    if not kept:
        return []
    attempts, known = attempts_of(kept[0].run), {one for arm in kept for one in categories_of(arm)}
    categories = (*(one for one in CATEGORIES if one in known), *sorted(known - set(CATEGORIES)))
    rows = [("everything", passed_within(attempts)), *((called(c), passed_within(attempts, c)) for c in categories)]
    if attempts > 1:
        rows += [("everything, at the first attempt", passed_within(1))]
        rows += [(f"{called(c)}, at the first attempt", passed_within(1, c)) for c in categories]
    wrong = [(rule, wrong_share(rule)) for rule in RULES if any((arm.name, wrong_share(rule)) in found for arm in kept)]
    within = f" within {attempts} attempts" if attempts > 1 else ""
    tables = [Chapter(
        name=f"right-{number}", title=f"Prompts drawn right{within}", words=((f"{world}.", ()),),
        titles=("prompts", *_names(kept)), rows=_rows(rows, kept, found),
        note=f"Share of episodes and {LEVEL_TEXT} interval over prompts; how many is said under all estimates.",
    )]  # fmt: skip
    if wrong:
        note = "Shares of all pictures, by the first of the checker's rules that does not hold. A dash: none was so."
        tables.append(Chapter(
            name=f"wrong-{number}", title="What was wrong first", words=((f"{world}.", ()),),
            titles=("rule", *_names(kept)), rows=_rows(wrong, kept, found), note=note,
        ))  # fmt: skip
    return tables


def _names(arms: Sequence[Arm]) -> list[str]:
    return [one_line(arm.short, 80) for arm in arms]


def _rows(rows: Sequence[tuple[str, str]], arms: Sequence[Arm], found: Found) -> tuple[tuple[str, ...], ...]:
    """Each row's title and every arm's share."""

    def told(arm: Arm, name: str) -> str:
        one = found.get((arm.name, name))
        return "–" if one is None else share(one)

    return tuple((title, *(told(arm, name) for arm in arms)) for title, name in rows)
