"""The report: from run folders to one page, with its figures and estimates beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import msgspec
from markupsafe import Markup

from athanor.analysis.arms import Arm, arms_of, worlds_of
from athanor.analysis.exploration import LEVEL_TEXT, estimates_of, lines_of
from athanor.analysis.multiplicity import differences_held
from athanor.analysis.tables import read_runs
from athanor.core.build import build_name
from athanor.core.disk import all_or_nothing, cannot
from athanor.core.errors import StoreError
from athanor.core.records import Estimate
from athanor.reports.figures import Figure, figures_of
from athanor.reports.matrices import NOTES, cell, matrices
from athanor.reports.text import block, listed, one_line
from athanor.reports.transcript import transcript_of, turn_row
from athanor.reports.words import Found, few, findings, left_out

PROMPT = {"prompt_rules": "The rules, as the model is told them", "prompt_first": "The first turn's message"}
"""Keys of a manifest's configuration under which a run keeps what its model was shown, and what each is called."""

TOLD = {"play points": "hands", "play scenes": "prompts"}
"""What an environment without a table calls what is played, by the kind of run."""

BRACKETS = (
    "In brackets after a comparison: the difference of the final inventories in elements and its "
    f"{LEVEL_TEXT} interval (Welch). “Cannot be told apart” means that this interval includes zero."
)


class Picture(NamedTuple):
    """A small picture and what stands under it."""

    png: bytes
    title: str
    said: str
    """In small letters."""
    good: bool
    """Whether it is framed as one that is right."""
    whole: str = ""
    """Shown where the picture is pointed at."""


class Compared(NamedTuple):
    """Pictures that stand side by side to be compared."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A part of the page that a study adds: words, a figure if there is one, and a table."""

    name: str
    title: str
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Paragraphs, each with the points under it."""
    figure: Figure | None = None
    titles: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    below: tuple[str, ...] = ()
    """What stands under each row, over its whole width; empty where there is nothing."""
    gallery: tuple[tuple[str, tuple[Compared, ...]], ...] = ()
    """Pictures that are compared, under titles."""
    note: str = ""
    links: tuple[tuple[str, str], ...] = ()
    """Pages to go on with: words and the path beside this page."""


class Answer(NamedTuple):
    """What a study asks and what it found, at the top of its page."""

    question: str
    said: str
    points: tuple[str, ...] = ()


def report(
    runs: list[Path], out: Path, chapters: Sequence[Chapter] = (), more: Sequence[Estimate] = (),
    answer: Answer | None = None,
) -> Path:  # fmt: skip
    """Compare run folders on one page: out/report.html, out/figures/*.svg and *.png, out/estimates.jsonl.

    `chapters` come after the figures of exploration, `more` estimates after its own in the file; an `answer` stands
    above all, its question in the place of the title. Nothing is written into the runs, and nothing on the page needs a
    network. The same runs give the same files.
    UsageError when there is no run or one is no run folder; DataError when one cannot be read.
    """
    arms = sorted(arms_of(read_runs(runs)), key=lambda arm: arm.baseline is not None)
    found = estimates_of(arms)
    figures = figures_of(arms)
    drawn = [*figures, *(chapter.figure for chapter in chapters if chapter.figure)]
    return written(page_of(arms, found, figures, chapters, answer), drawn, [*found, *more], out)


def written(page: str, drawn: Sequence[Figure], estimates: Sequence[Estimate], out: Path) -> Path:
    """Write a page with its figures and estimates, all or nothing, and give its path."""
    try:
        with all_or_nothing() as write:
            for figure in drawn:
                write(out / "figures" / f"{figure.name}.svg", figure.svg.encode())
                write(out / "figures" / f"{figure.name}.png", figure.png)
            write(out / "estimates.jsonl", lines_of(estimates))
            write(out / "report.html", page.encode("utf-8", "replace"))
    except OSError as error:
        raise StoreError(cannot("write", out, error)) from error
    return out / "report.html"


def page_of(
    arms: Sequence[Arm], estimates: Sequence[Estimate], figures: Sequence[Figure], chapters: Sequence[Chapter] = (),
    answer: Answer | None = None,
) -> str:  # fmt: skip
    """The page as HTML. Every text in it is escaped but the figures' own SVG, whose text its maker escapes."""
    found: Found = {(estimate.group, estimate.name): estimate for estimate in estimates}
    return rendered(
        arms, estimates,
        answer=_answered(answer, _title(arms)),
        title=answer.question if answer else _title(arms),
        findings=findings(arms, found), note=" ".join([BRACKETS, *_together(estimates)]),
        left_out=" ".join(said for said in (few(arms, found), left_out(arms)) if said),
        sections=[_section(figure, arms, found) for figure in figures],
        chapters=[chapter_of(chapter) for chapter in chapters],
        transcripts=[transcript for arm in arms if (transcript := transcript_of(arm, turn_row))],
    )  # fmt: skip


def _answered(answer: Answer | None, played: str) -> dict[str, Any] | None:
    """An answer as report.html takes it, with what was played behind it."""
    if answer is None:
        return None
    points = [block(point, 2000) for point in answer.points]
    return {"said": block(answer.said, 2000), "points": points, "played": f"{played}."}


def _together(estimates: Sequence[Estimate]) -> list[str]:
    """What becomes of the comparisons when all must hold at once; nothing where there is one at most."""
    held = differences_held(estimates)
    return [held, "“By itself only”: what does not hold together with all of these."] if held else []


def rendered(
    arms: Sequence[Arm],
    estimates: Sequence[Estimate],
    *,
    units: str = "episodes",
    counted: str = "episodes",
    groups: Sequence[str] | None = None,
    made: Sequence[dict[str, Any]] = (),
    excluded: str | None = None,
    answer: dict[str, Any] | None = None,
    **context: Any,
) -> str:
    """The page with what every page has: all estimates, how the runs were made, and what was left out.

    `units`: what estimates count as independent, `counted`: what the last column of the tables under figures counts.
    `groups`: of the estimates, where they are not the arms; `made`: how what is no run folder was made.
    `excluded`: what stands under each figure of episodes left out, where it is not made of the arms.
    `answer`: what a study found, above all else.
    `context`: the rest of what report.html names.
    """
    names = [arm.name for arm in arms] if groups is None else groups
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("athanor.reports", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html").render(
        excluded=_excluded(arms) if excluded is None else excluded, estimates=_estimate_groups(names, estimates),
        runs=[*(_made(arm) for arm in arms), *made], level=LEVEL_TEXT, build=build_name(), units=units,
        counted=counted, answer=answer, **context,
    )  # fmt: skip


def _title(arms: Sequence[Arm]) -> str:
    """What was compared and where: an arm or a baseline that plays in several worlds counts once, and so does a world
    that is played at several lengths."""
    compared = len({arm.short for arm in arms if arm.baseline is None})
    baselines = len({arm.baseline for arm in arms if arm.baseline})
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((compared, "arm"), (baselines, "baseline")) if n]
    tables = list(dict.fromkeys(one_line(world.table.partition("@")[0], 60) for world in worlds_of(arms)))
    where = listed(tables) if len(tables) < 4 else f"{len(tables)} tables"
    worlds = len({(world.table, world.rules, world.split) for world in worlds_of(arms)})
    return f"Exploration in {where}: {' against '.join(parts)}{f' in {worlds} worlds' if worlds > 1 else ''}"


def chapter_of(chapter: Chapter) -> dict[str, Any]:
    """A chapter as report.html takes it."""
    figure = chapter.figure
    return {
        "name": chapter.name, "title": chapter.title, "note": chapter.note, "titles": chapter.titles,
        "links": chapter.links,
        "words": [(block(said, 2000), [block(point, 2000) for point in points]) for said, points in chapter.words],
        "rows": [
            {"cells": [block(text, 600) for text in row], "below": block(below, 2000)}
            for row, below in zip(chapter.rows, chapter.below or [""] * len(chapter.rows), strict=True)
        ],
        "svg": _picture(figure) if figure else "", "caption": figure.caption if figure else "",
        "gallery": [(one_line(title, 200), [_compared(one) for one in those]) for title, those in chapter.gallery],
    }  # fmt: skip


def _compared(one: Compared) -> tuple[str, list[dict[str, Any]]]:
    return one_line(one.title, 300), [_framed(each) for each in one.pictures]


def _framed(one: Picture) -> dict[str, Any]:
    source = f"data:image/png;base64,{b64encode(one.png).decode()}"
    told = {name: one_line(getattr(one, name), 300) for name in ("title", "said", "whole")}
    return {"source": source, "good": one.good, **told}


def _picture(figure: Figure) -> Markup:
    """The figure's SVG: made by us; the drawing library escapes the text in it, as a test tries."""
    return Markup(figure.svg.replace("<svg ", f'<svg role="img" aria-label="{figure.title}" ', 1))


def _section(figure: Figure, arms: Sequence[Arm], found: Found) -> dict[str, Any]:
    return section_of(figure, NOTES[figure.name], matrices(figure.name, arms, found))


def section_of(figure: Figure, note: str, tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A figure with the tables of its numbers, one a world."""
    return {
        "name": figure.name,
        "title": figure.title,
        "svg": _picture(figure),
        "caption": figure.caption,
        "note": note,
        "tables": tables,
        "lists": [(title, [one_line(name, 200) for name in names]) for title, names in figure.lists],
    }


def _excluded(arms: Sequence[Arm]) -> str:
    errors, unfinished = sum(arm.errors for arm in arms), sum(arm.unfinished for arm in arms)
    if not errors + unfinished:
        return "No episode was left out."
    return f"Left out everywhere: {errors} that ended in an error, {unfinished} not finished."


def _estimate_groups(names: Sequence[str], estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    return [
        {
            "arm": one_line(name, 120),
            "rows": [
                {"name": one_line(e.name, 120), **cell(e), "n": e.n, "excluded": e.excluded, "method": e.method}
                for e in estimates if e.group == name
            ],
        }
        for name in names
    ]  # fmt: skip


def _made(arm: Arm) -> dict[str, Any]:
    """How a run was made, from its manifest."""
    manifest = arm.run.manifest
    command = manifest.execution.get("command") or manifest.config.get("command")
    config = {key: value for key, value in manifest.config.items() if key not in ("command", *PROMPT)}
    table = ("table", one_line(arm.world.table, 120))
    return {
        "arm": one_line(arm.name, 120),
        "command": block(_plain(command), 2000) if command else "",
        "prompt": [
            (title, block(_plain(manifest.config[key]), 8000))
            for key, title in PROMPT.items() if manifest.config.get(key)
        ],
        "facts": [
            ("run folder", one_line(str(arm.run.path), 300)),
            ("made by", one_line(f"{manifest.kind}, {manifest.build}", 300)),
            ("created", one_line(manifest.created or "not stated", 60)),
            *([(TOLD.get(manifest.kind, "played"), one_line(arm.world.name, 200))] if arm.world.title else [table]),
            ("episodes", f"{arm.n} kept, {arm.errors} ended in an error, {arm.unfinished} not finished"),
        ],
        "failures": sorted({one_line(f, 300) for f in arm.run.episodes["failure"].drop_null().to_pylist()})[:10],
        "groups": [
            (title, [(one_line(str(key), 80), block(_plain(value), 2000)) for key, value in sorted(items.items())])
            for title, items in (
                ("configuration", config), ("versions", manifest.versions), ("SHA-256", manifest.hashes)
            ) if items
        ],
    }  # fmt: skip


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
