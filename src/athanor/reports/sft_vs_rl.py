"""The page of the study: what post-training changed, arm by arm, beside the controls and the published numbers."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from athanor.analysis.exploration import LEVEL_TEXT
from athanor.analysis.generalization import BASE, Key, Place, course
from athanor.analysis.intervals import Point
from athanor.core.disk import write_atomically
from athanor.core.records import Estimate
from athanor.reports import sft_vs_rl_words as words
from athanor.reports.drawing import COLOURS, DASHES, Line, Spec, Style, legend, panel
from athanor.reports.figures import figure_of
from athanor.reports.forest import Row, forest
from athanor.reports.page import Chapter, chapter_of, rendered, written
from athanor.reports.sft_vs_rl_tables import ablations, beside_published, costs, listed_arms, passes, published, seeing
from athanor.reports.sft_vs_rl_training import training
from athanor.reports.text import block
from athanor.studies.sft_vs_rl.arms import REFERENCE_RL, REFERENCE_SFT
from athanor.studies.sft_vs_rl.findings import Found
from athanor.training.evaluate import SHARPER

GREY = "#8A8A8A"
SHORT = (
    "A small policy, post-trained on GeneralPoints by reinforcement (grpo) and by fine-tuning (sft): differences with "
    f"{LEVEL_TEXT} intervals over trainings and multisets. "
    "The vertical line is no difference."
)
PLAYS = ((1.0, "temperature 1"), (0.0, "greedy"))
ACROSS, WIDE = 3, 195
"""Panels beside each other, and the pixels of each."""
DIFFERENCE = "difference in hands solved, points"


def page(found: Found, folder: Path) -> Path:
    """Write folder/report.html with its figures and estimates, and give its path."""
    chapters = [
        _differences(found), _course(found), _sharpening(found), *_levers(found), *ablations(found), *seeing(found),
        *passes(found), *training(found, styles(found)), published(found), listed_arms(found), *costs(found),
    ]  # fmt: skip
    figures = [chapter.figure for chapter in chapters if chapter.figure]
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    made = {
        "arm": "the study", "prompt": [], "failures": [],
        "command": block(command_of(manifest, folder), 2000), "facts": [
            ("folder", str(folder)), ("made by", f"{manifest['kind']}, {manifest['build']}"),
            ("created", manifest["created"]),
        ],
        "groups": [(title, sorted((k, str(v)) for k, v in manifest[key].items()))
                   for title, key in (("configuration", "config"), ("SHA-256 of the bases' files", "hashes"),
                                      ("versions", "versions"))
                   if manifest.get(key)],
    }  # fmt: skip
    html = rendered(
        (), found.estimates, units="multisets", groups=[BASE, *(arm.name for arm in found.arms)], made=[made],
        title="Does post-training generalize? Supervised fine-tuning and reinforcement on GeneralPoints",
        findings=words.findings(found), note=words.note(found), left_out="", sections=[],
        chapters=[chapter_of(chapter) for chapter in chapters], transcripts=[],
    )  # fmt: skip
    path = written(html, figures, found.estimates, folder)
    lines = b"".join(msgspec.json.encode(claim) + b"\n" for claim in found.claims)
    write_atomically(folder / "claims.jsonl", lines)
    return path


def command_of(manifest: dict[str, Any], folder: Path) -> str:
    """The command that made a study: as it was given, where the manifest has it, else from its configuration."""
    if given := manifest.get("execution", {}).get("command"):
        return str(given)
    config = manifest["config"]
    words = ["athanor", "study", "sft-vs-rl"]
    words += ["--quick"] if config.get("setting") == "quick" else ["--setting", str(config.get("setting", "laptop"))]
    words += ["--seed", str(config["seed"])] if "seed" in config else []
    words += ["--model", str(config["model"])] if "model" in config else []
    return shlex.join([*words, "--out", str(folder)])


def grid(panels: Sequence[Spec], title: str) -> Spec:
    """Panels in rows of ACROSS, all on one scale."""
    same = {"scale": {"x": "shared"}}
    rows = [
        {"hconcat": list(panels[i : i + ACROSS]), "spacing": 14, "resolve": same}
        for i in range(0, len(panels), ACROSS)
    ]  # fmt: skip
    return {"vconcat": rows, "spacing": 10, "resolve": same, "title": {"text": title}}


def summary(found: Found, link: str) -> Chapter:
    """The study in short, for another page: what is answered, and the reference's differences."""
    (answer,) = words.findings(found)
    look, by, charts = styles(found), found.by, list[Spec]()
    for temperature, how in PLAYS:
        panels = [
            forest(
                [Row(f"{REFERENCE_RL} minus {other}",
                     by.get((REFERENCE_RL, f"{REFERENCE_RL} minus {other}: {Key(name, temperature, 1)}")),
                     look[REFERENCE_RL].colour) for other in (REFERENCE_SFT, BASE)],
                title=name, x_title=DIFFERENCE, labels=not place % ACROSS, width=WIDE, points=True,
            ) for place, name in enumerate(found.conditions)
        ]  # fmt: skip
        charts.append(grid(panels, f"Differences of hands solved, {how}"))
    told = tuple(f"{verdict} {said}" for verdict, said in answer.arms)
    return Chapter(
        name="post-training", title="Does post-training generalize?", words=((f"{answer.world}. {answer.lead}", told),),
        figure=figure_of("post-training", "Does post-training generalize?", charts, f"{SHORT} {words.shifts(found)}"),
        links=(("The whole study", link),), note=words.note(found),
    )  # fmt: skip


def styles(found: Found) -> dict[str, Style]:
    """The base in grey, supervised arms broken, reinforced ones in a whole line; each main arm its own colour."""
    made = {BASE: Style(name=BASE, label="base, not trained", colour=GREY, dash=(2, 2), muted=True)}
    for place, arm in enumerate(arm for arm in found.arms if not arm.of):
        made[arm.name] = Style(
            name=arm.name, label=arm.name, colour=COLOURS[place % len(COLOURS)],
            dash=DASHES[1] if arm.supervised else DASHES[0], muted=False,
        )  # fmt: skip
    return made


def _differences(found: Found) -> Chapter:
    look, by = styles(found), found.by
    mine = [arm for arm in found.arms if not arm.of]
    charts: list[Spec] = []
    begun = "minus the base" if found.start == BASE else f"minus what they begin from ({found.start})"
    for other, said in ((REFERENCE_SFT, "minus supervised fine-tuning (sft)"), (found.start, begun)):
        rows = [arm for arm in mine if arm.name != other]
        for temperature, how in PLAYS:
            panels = [
                forest(
                    [Row(arm.name, by.get((arm.name, f"{arm.name} minus {other}: {Key(name, temperature, 1)}")),
                         look[arm.name].colour) for arm in rows],
                    title=name, x_title=DIFFERENCE, labels=not place % ACROSS, width=WIDE, points=True,
                ) for place, name in enumerate(found.conditions)
            ]  # fmt: skip
            charts.append(grid(panels, f"Each arm {said}, {how}"))
    caption = (
        f"Differences of shares of hands solved, paired on the same hands, with {LEVEL_TEXT} intervals over trainings "
        f"and multisets; the vertical line is no difference. {words.shifts(found)}"
    )
    return Chapter(
        name="differences", title="Reinforcement against supervised fine-tuning", figure=figure_of(
            "differences", "Reinforcement against supervised fine-tuning", charts, caption
        ), words=((beside_published(found), ()),),
        note=f"Supervised arms had as many steps as cost what reinforcement by {found.rl} cost, generation included."
        if found.matched else "The arms are not matched by compute: fine-tuning had a given number of steps.",
    )  # fmt: skip


def _course(found: Found) -> Chapter:
    look = styles(found)
    mine = [arm for arm in found.arms if not arm.of and arm.name != found.start]
    charts: list[Spec] = [legend([look[arm.name] for arm in mine])]
    for by_rollouts in (False, True):
        pair = []
        for name in ("unseen", "rule", *(("red suits",) if "red suits" in found.conditions else ())):
            for temperature, how in PLAYS:
                lines = []
                for arm in mine:
                    places = course(found.trained, arm.name, Key(name, temperature, 1), start=found.start)
                    if len(places) > 1 and (places[-1].episodes or not by_rollouts):
                        lines.append(_line(look[arm.name], places, by_rollouts))
                pair.append((f"{name}, {how}", lines))
        furthest = max((line.points[-1].at for _, lines in pair for line in lines), default=1)
        top = max((p.high or p.value for _, lines in pair for line in lines for p in line.points), default=1.0)
        x_title = "answers sampled and judged" if by_rollouts else "operations (GFLOP), generation included"
        panels = [
            panel(lines, title=title, y_title="hands solved" if not place % 2 else "", turns=furthest,
                  top=min(1.0, 1.05 * top), width=370, height=170, percent=True, marks=True, x_title=x_title)
            for place, (title, lines) in enumerate(pair) if lines
        ]  # fmt: skip
        charts += [{"hconcat": panels[i : i + 2], "spacing": 20} for i in range(0, len(panels), 2)]
    caption = (
        "Hands solved as training goes on, by what it cost (above) and by answers sampled and judged (below: arms that "
        "sample any). On the way policies are tried on half of the hands. "
        f"Bands: {LEVEL_TEXT} intervals over trainings and multisets; where all begin, "
        f"{'the bases' if found.start == BASE else found.start}."
    )
    return Chapter(name="course", title="By compute and by rollouts", words=((beside_published(found), ()),),
                   figure=figure_of("course", "By compute and by rollouts", charts, caption))  # fmt: skip


def _line(style: Style, places: Sequence[Place], by_rollouts: bool) -> Line:
    points = tuple(
        Point(at=round(place.episodes if by_rollouts else place.flop / 1e9), value=place.solved.value or 0.0,
              low=place.solved.low, high=place.solved.high, n=place.solved.n)
        for place in places
    )  # fmt: skip
    return Line(style=style, points=points, last=points[-1].value)


def _sharpening(found: Found) -> Chapter:
    """Where all begin, at every temperature, beside reinforced and supervised policies at two."""
    look, by, start = styles(found), found.by, found.start
    tried = {key.temperature for one in found.trained if one.arm == start for key in one.scores}
    temperatures = [t for t in (1.0, *(play.temperature for play in SHARPER), 0.0) if t in tried]
    panels = []
    for place, name in enumerate(found.conditions):
        rows = [Row(f"{start}, {_how(t)}", by.get((start, f"solved: {Key(name, t, 1)}")), GREY) for t in temperatures]
        for arm in dict.fromkeys((found.rl, "ppo", REFERENCE_SFT)):
            if arm in look:
                rows += [Row(f"{arm}, {_how(t)}", by.get((arm, f"solved: {Key(name, t, 1)}")), look[arm].colour)
                         for t, _ in PLAYS]  # fmt: skip
        panels.append(forest(rows, title=name, x_title="hands solved", labels=not place % ACROSS, width=WIDE,
                             zero=False))  # fmt: skip
    caption = (
        "The control: what lower temperatures give without any training. Where a reinforced policy at temperature 1 is "
        f"level with where it began, played greedily, training sharpened what was there. {LEVEL_TEXT} intervals over "
        "trainings and multisets (of a base: over multisets alone)."
    )
    said = words.sharpening(found)
    return Chapter(
        name="sharpening", title="Learned, or sharpened?",
        words=tuple((one, ()) for one in (said, beside_published(found)) if one),
        figure=figure_of("sharpening", "Learned, or sharpened?", [grid(panels, "Hands solved")], caption),
    )  # fmt: skip


def _how(temperature: float) -> str:
    return "greedy" if temperature == 0 else f"T = {temperature:g}"


def _levers(found: Found) -> list[Chapter]:
    levers = [arm for arm in found.arms if arm.of]
    if not levers:
        return []
    by, charts = found.by, list[Spec]()

    def estimate(arm: str, other: str, name: str, temperature: float) -> Estimate | None:
        return by.get((arm, f"{arm} minus {other}: {Key(name, temperature, 1)}"))

    for temperature, how in PLAYS:
        panels = [
            forest(
                [Row(arm.name, estimate(arm.name, arm.of, name, temperature), COLOURS[0 if arm.supervised else 1])
                 for arm in levers],
                title=name, x_title=DIFFERENCE, labels=not place % ACROSS, width=WIDE, points=True,
            ) for place, name in enumerate(found.conditions)
        ]  # fmt: skip
        charts.append(grid(panels, f"Each lever minus the arm that it changes, {how}"))
    caption = (
        "What one change does: to supervised fine-tuning (blue) and to reinforcement (orange); levers are trained from "
        f"the first base alone, with fewer seeds. {LEVEL_TEXT} intervals over trainings and multisets."
    )
    return [Chapter(
        name="levers", title="What moves it", words=words.levers(found),
        figure=figure_of("levers", "What moves it", charts, caption),
    )]  # fmt: skip
