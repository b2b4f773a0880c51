"""The page of the study: whether one model sees and draws, arm by arm, beside controls and published numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from athanor.analysis.exploration import LEVEL_TEXT
from athanor.analysis.intervals import Point
from athanor.analysis.trials import Of
from athanor.core.disk import write_atomically
from athanor.core.records import Estimate
from athanor.environments.scenes.spec import GENEVAL
from athanor.reports import see_and_draw_words as words
from athanor.reports.drawing import COLOURS, Line, Spec, Style, legend, panel
from athanor.reports.figures import figure_of
from athanor.reports.forest import Row, beside, forest
from athanor.reports.gallery import called, gallery
from athanor.reports.page import Chapter, chapter_of, rendered, written
from athanor.reports.see_and_draw_tables import listed_arms, published, scores
from athanor.studies.see_and_draw.arms import (
    BALANCED,
    DRAWS,
    FOUNDATION,
    LEFT_OUT,
    LONGER,
    OWN,
    REFERENCE,
    RL,
    SEES,
    SEES_CODES,
    SHARED,
    SWEEP,
    SWEPT,
    UNGUIDED,
)
from athanor.studies.see_and_draw.consistency import (
    ALONE,
    AMONG,
    PASSED,
    SAME,
    TOLD,
    TOLD_OWN,
    TOLD_SAME,
    TRULY,
    follows,
)
from athanor.studies.see_and_draw.consistency import OWN as ABOUT_OWN
from athanor.studies.see_and_draw.findings import Found
from athanor.studies.see_and_draw.tasks import SEEN, UNSEEN
from athanor.studies.see_and_draw.trial import ANSWERED, CEILING, EXCESS, GAP, OTHERS, RIGHT, guided

GREY = "#8A8A8A"
BLUE, ORANGE, GREEN, PURPLE = COLOURS[:4]
OF_ARM = {
    REFERENCE: BLUE, SHARED: ORANGE, SEES: GREEN, SEES_CODES: PURPLE, DRAWS: COLOURS[4], LEFT_OUT: GREEN,
    BALANCED: PURPLE, LONGER: GREEN, OWN: PURPLE, RL: COLOURS[4], UNGUIDED: COLOURS[5],
}  # fmt: skip
SAW, DREW_FREE = Of(ANSWERED), Of(guided(RIGHT, 1.0))
OVER = f"{LEVEL_TEXT} intervals over trainings and prompts or questions"
TITLE = "Can one model see and draw? Encoders, stages, guidance and reinforcement of a unified model"


def _drew(found: Found) -> Of:
    return Of(guided(RIGHT, found.guidance))


def _panels(found: Found) -> tuple[tuple[Of, str], ...]:
    """What arms are compared in."""
    drawn = f"drawn right, guidance {found.guidance:g}"
    return (SAW, "answered right"), (_drew(found), drawn), (DREW_FREE, "drawn right, no guidance")


def page(found: Found, folder: Path) -> Path:
    """Write folder/report.html with its figures, estimates and claims, and give its path."""
    chapters = chapters_of(found)
    figures = [chapter.figure for chapter in chapters if chapter.figure]
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    made = {
        "arm": "the study", "command": "", "prompt": [], "failures": [], "facts": [
            ("folder", str(folder)), ("made by", f"{manifest['kind']}, {manifest['build']}"),
            ("created", manifest["created"]),
        ],
        "groups": [(title, sorted((k, str(v)) for k, v in manifest[key].items()))
                   for title, key in (("configuration", "config"), ("versions", "versions"))],
    }  # fmt: skip
    html = rendered(
        (), found.estimates, units="items", groups=[arm.name for arm in found.arms], made=[made], title=TITLE,
        findings=words.findings(found), note=words.note(found), left_out="", sections=[],
        chapters=[chapter_of(chapter) for chapter in chapters], transcripts=[],
    )  # fmt: skip
    path = written(html, figures, found.estimates, folder)
    lines = b"".join(msgspec.json.encode(claim) + b"\n" for claim in found.claims)
    write_atomically(folder / "claims.jsonl", lines)
    return path


def chapters_of(found: Found) -> list[Chapter]:
    """Those for which there is something."""
    shown = [name for name in (REFERENCE, SHARED, RL) if name in found.drawings]
    kept = {name: found.drawings[name] for name in shown}
    note = f"The first prompts of each category, guidance {found.guidance:g}, first seed."
    return [
        *_encoders(found), *_stages(found), *_guidance(found), *_followed(found), *_consistency(found),
        *_reinforcement(found),
        *([gallery(kept, note=note)] if kept else []), *scores(found), *published(found), listed_arms(found),
    ]  # fmt: skip


def summary(found: Found, link: str) -> Chapter:
    """The study in short, for another page: what is answered, the main differences, and a few drawings."""
    pairs = [(SHARED, REFERENCE), (LEFT_OUT, REFERENCE), (BALANCED, REFERENCE), (RL, REFERENCE), (RL, LONGER)]
    chart = _against(found, pairs, _panels(found), "Differences between arms")
    told = tuple(f"{claim.verdict.capitalize()}: {claim.statement}." for claim in found.claims)
    few = ((f"{found.few[:1].upper()}{found.few[1:]}.", ()),) if found.few else ()
    kept = {name: found.drawings[name] for name in (REFERENCE, RL) if name in found.drawings}
    return Chapter(
        name="see-and-draw", title="Can one model see and draw?", words=(*few, (words.answer(found), told)),
        figure=figure_of("see-and-draw", "Can one model see and draw?", [chart], f"Differences of shares; {OVER}.")
        if chart else None,
        gallery=gallery(kept, most=3).gallery, links=(("The whole study", link),), note=words.note(found),
    )  # fmt: skip


def _minus(found: Found, arm: str, other: str, of: Of) -> Estimate | None:
    return found.by.get((arm, f"{arm} minus {other}: {of}"))


def _against(
    found: Found, pairs: Sequence[tuple[str, str]], panels: Sequence[tuple[Of, str]], title: str
) -> Spec | None:  # fmt: skip
    """Differences of arms, a row for each pair that there is; None where there is none."""
    there = [(arm, other) for arm, other in pairs if any(_minus(found, arm, other, of) for of, _ in panels)]
    if not there:
        return None
    made = [
        forest(
            [Row(f"{arm} minus {other}", _minus(found, arm, other, of), OF_ARM[arm]) for arm, other in there],
            title=said, x_title="difference", labels=not place, width=160,
        ) for place, (of, said) in enumerate(panels)
    ]  # fmt: skip
    return beside(made, title)


def _chapter(name: str, title: str, charts: Sequence[Spec | None], caption: str, note: str = "") -> Iterator[Chapter]:
    """A chapter with a figure, where there is anything to draw."""
    kept = [chart for chart in charts if chart]
    if kept:
        yield Chapter(name=name, title=title, figure=figure_of(name, title, kept, caption), note=note)


def _encoders(found: Found) -> Iterator[Chapter]:
    pairs = [(SHARED, REFERENCE), (SEES, REFERENCE), (DRAWS, REFERENCE), (SEES_CODES, SHARED)]
    by_kind = None
    if _minus(found, SHARED, REFERENCE, SAW):
        rows = [Row(kind, _minus(found, SHARED, REFERENCE, Of(ANSWERED, kind)), ORANGE) for kind in found.kinds]
        drawn = [Row(called(name), _minus(found, SHARED, REFERENCE, _drew(found)._replace(stratum=name)), ORANGE)
                 for name in GENEVAL]  # fmt: skip
        by_kind = beside(
            [forest(rows, title="answered right, by kind", x_title="difference", width=230),
             forest(drawn, title="drawn right, by category", x_title="difference", width=230)],
            f"{SHARED} minus {REFERENCE}, part by part",
        )  # fmt: skip
    yield from _chapter(
        "encoders", "One encoder for both tasks, or two",
        [_against(found, pairs, _panels(found), "Each arm minus another"), by_kind],
        f"Differences of shares of answers and drawings that are right; {OVER}. {SHARED}: pictures are understood by "
        "the codes that they would be drawn with, as in experiment A of Janus. Only: one task without the other, on "
        "the same examples of it.",
        "An encoder of its own brings its training on pictures with descriptions; codes bring that of the tokenizer.",
    )  # fmt: skip


def _stages(found: Found) -> Iterator[Chapter]:
    pairs = [(LEFT_OUT, REFERENCE), (BALANCED, REFERENCE)]
    yield from _chapter(
        "stages", "The first stage, and the ratio of the third",
        [_against(found, pairs, _panels(found), "At equal compute")],
        f"Differences of shares; {OVER}. {LEFT_OUT}: stage II is longer by what stage I costs. {BALANCED}: the ratio "
        "of understanding, text and drawing in Janus's third stage; the recipe has Janus-Pro's 5:1:4.",
    )  # fmt: skip


def _guidance(found: Found) -> Iterator[Chapter]:
    lines = [
        _line(found, arm, guided_name, Style(name=arm, label=said, colour=OF_ARM[arm], dash=dash, muted=muted))
        for arm in SWEPT for guided_name, said, dash, muted in (
            (RIGHT, arm, (1, 0), False),
            *(((OTHERS, f"{arm}, for another prompt", (2, 2), True),) if arm == REFERENCE else ()),
        )
    ]  # fmt: skip
    lines = [line for line in lines if len(line.points) > 1]
    ceiling = found.by.get((FOUNDATION, CEILING))
    if not lines:
        return
    top = min(1.0, max(0.05, *(1.1 * (p.high or p.value) for line in lines for p in line.points)))
    drawn = panel(lines, title="Drawn right", y_title="drawn right", turns=round(max(SWEEP)), top=top,
                  width=560, height=260, percent=True, marks=True, x_title="guidance")  # fmt: skip
    told = f" The tokenizer's ceiling is {words.share(ceiling)}." if ceiling else ""
    yield from _chapter(
        "guidance", "Guidance", [legend([line.style for line in lines]), drawn],
        f"Mean of GenEval's six categories by the weight of guidance; 1 is none, 5 the published. Bands: {OVER}.{told}",
    )  # fmt: skip


def _line(found: Found, arm: str, measure: str, style: Style) -> Line:
    points = tuple(
        Point(at=round(weight), value=one.value, low=one.low, high=one.high, n=one.n)
        for weight in SWEEP if (one := found.by.get((arm, str(Of(guided(measure, weight)))))) and one.value is not None
    )  # fmt: skip
    return Line(style=style, points=points, last=points[-1].value if points else 0.0)


def _followed(found: Found) -> Iterator[Chapter]:
    arms = [arm.name for arm in found.arms if (arm.name, GAP) in found.by and arm.shown]
    panels = [
        forest([Row(name, found.by.get((name, of)), OF_ARM[name]) for name in arms], title=said, x_title=unit,
               labels=not place, width=160, percent=unit != "nats a picture")
        for place, (of, said, unit) in enumerate((
            (GAP, "under another prompt, more", "nats a picture"), (EXCESS, "above the entropy", "nats a picture"),
        ))
    ]  # fmt: skip
    apart = f"{_drew(found)}, minus {guided(OTHERS, found.guidance)}"
    panels.append(forest(
        [Row(name, found.by.get((name, f"{name}, {apart}")), OF_ARM[name]) for name in arms],
        title="right, minus right for another", x_title="difference", labels=False, width=160,
    ))  # fmt: skip
    yield from _chapter(
        "followed", "Whether the prompt is followed", [beside(panels, "True prompts against others")] if arms else [],
        "Nats of the codes of pictures that were never trained on: under another prompt of the category less under "
        "their own, and under their own less the exact entropy of the scene (what there is still to learn). Right: "
        f"drawings judged by their own prompt less by the next of their category. {OVER[:1].upper()}{OVER[1:]}.",
    )  # fmt: skip


def _consistency(found: Found) -> Iterator[Chapter]:
    arms = [name for name in (REFERENCE, SHARED, RL) if (name, ABOUT_OWN) in found.by]
    groups = (
        ("Questions about what is in a drawing", (ABOUT_OWN, SAME)),
        ("Descriptions, one thing at a time", (TOLD_OWN, TOLD_SAME)), ("Right drawings", (PASSED, AMONG)),
        *((f"Drawing and prompt differ: {how}", tuple(follows(what, how) for what in ("picture", "prompt")))
          for how in (ALONE, TOLD, TRULY)),
    )  # fmt: skip
    charts = [
        beside([
            forest([Row(name, found.by.get((name, of)), OF_ARM[name]) for name in arms],
                   title=of.partition(", ")[0] if of.startswith("follows") else of, x_title="share",
                   labels=not place, width=290, zero=False)
            for place, of in enumerate(pair)
        ], title) for title, pair in groups
    ]  # fmt: skip
    yield from _chapter(
        "consistency", "Does it see what it has drawn?", charts if arms else [],
        "Questions about own drawings, judged by what the exact checker finds in them, beside the same questions about "
        "true pictures of the same scenes. Own verdict: a drawing is accepted where the model itself answers all that "
        f"the prompt says of it as the prompt does. {OVER[:1].upper()}{OVER[1:]}.",
        "A model that is shown the picture alone does not know the prompt: an answer that follows it all the same can "
        "be chance, as it is about a true picture of the same scene.",
    )  # fmt: skip


def _reinforcement(found: Found) -> Iterator[Chapter]:
    begun = [(arm, REFERENCE) for arm in (LONGER, OWN, RL, UNGUIDED)]
    each = [(RL, LONGER), (RL, OWN), (RL, UNGUIDED), (OWN, LONGER)]
    panels = (
        (_drew(found)._replace(part=SEEN), "drawn right, told combinations"),
        (_drew(found)._replace(part=UNSEEN), "combinations never told"), (DREW_FREE, "without guidance"),
        (SAW, "answered right"),
    )  # fmt: skip
    yield from _chapter(
        "reinforcement", "Reinforcement by the exact checker",
        [_against(found, begun, panels, "Each arm minus where it begins"),
         _against(found, each, panels, "Arms of the same compute")],
        f"Differences of shares; {OVER}. All cost what {RL} costs, drawing included. {OWN}: as many images as {RL} "
        f"samples, all drawn before anything is learned; they have their guidance in them, so that it is to be drawn "
        f"without. {UNGUIDED}: drawn at guidance {found.guidance:g}, and the log-probabilities without it are learned, "
        "as T2I-R1 does.",
    )  # fmt: skip
