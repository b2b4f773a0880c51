"""The tables of the page of seeing and drawing: scores, published numbers, and what each arm is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from athanor.analysis.trials import Of
from athanor.core.records import Estimate
from athanor.environments.scenes.spec import CATEGORIES, GENEVAL
from athanor.reports.gallery import called
from athanor.reports.page import Chapter
from athanor.reports.shares import share
from athanor.studies.see_and_draw.arms import (
    DRAWS,
    FOUNDATION,
    REFERENCE,
    RL,
    SEES,
    SEES_CODES,
    SHARED,
)  # fmt: skip
from athanor.studies.see_and_draw.findings import Found
from athanor.studies.see_and_draw.published import ABLATION, DPG, GENEVAL_TABLE, UNDERSTANDING, Table
from athanor.studies.see_and_draw.trial import (
    ANSWERED,
    BLIND,
    CEILING,
    OTHERS,
    PROPOSITIONS,
    RIGHT,
    TRUE,
    guided,
)  # fmt: skip

OF_ABLATION = {
    "A: codes for both tasks": SHARED, "D: decoupled (Janus)": REFERENCE, "E: SigLIP, understanding only": SEES,
    "F: codes, generation only": DRAWS,
}  # fmt: skip
"""Our arm of each experiment that there is here."""


def scores(found: Found) -> Iterator[Chapter]:
    """Every arm by category, between its bounds, and by kind of question."""
    right, others = guided(RIGHT, found.guidance), guided(OTHERS, found.guidance)
    bounds = ((FOUNDATION, TRUE, "true pictures"), (FOUNDATION, CEILING, "the tokenizer's ceiling"))
    rows = [_row(found, *one, CATEGORIES) for one in bounds]
    rows += [_row(found, arm.name, right, arm.name, CATEGORIES) for arm in found.arms]
    rows += [_row(found, REFERENCE, others, f"{REFERENCE}, for another prompt", ())]
    yield Chapter(
        name="drawn", title="Drawn right, by category", rows=tuple(row for row in rows if row),
        titles=("", "GenEval's six", *map(called, CATEGORIES)),
        note=f"Guidance {found.guidance:g}, temperature 1. What was asked for and nothing else is there, by the exact "
        "checker. Ceiling: true pictures of the same prompts through the visual tokenizer and back. For another "
        "prompt: the same drawings, judged by the next prompt of their category: what ignoring the prompt would give.",
    )  # fmt: skip
    rows = [_row(found, FOUNDATION, BLIND, "the usual answer, without the picture", found.kinds)]
    rows += [_row(found, arm.name, ANSWERED, arm.name, found.kinds) for arm in found.arms]
    yield Chapter(
        name="answered", title="Answered right, by kind of question", rows=tuple(row for row in rows if row),
        titles=("", "mean of kinds", *found.kinds),
        note="Questions about true pictures, answered greedily, right word for word. Without the picture: what is "
        "answered most often in training to the same question, or to one of its kind.",
    )  # fmt: skip


def _row(found: Found, arm: str, measure: str, label: str, strata: tuple[str, ...]) -> tuple[str, ...]:
    """A row of shares; nothing where the whole is not known."""
    whole = found.by.get((arm, str(Of(measure))))
    if whole is None:
        return ()
    length = len(CATEGORIES) if measure not in (ANSWERED, BLIND) else len(found.kinds)
    cells = [share(found.by.get((arm, str(Of(measure, name))))) for name in strata]
    return (label, share(whole), *cells, *[""] * (length - len(cells)))


def published(found: Found) -> Iterator[Chapter]:
    """What is printed, beside ours where there is something like it."""
    yield _table(ABLATION, ("ours: answered right", f"ours: drawn right, guidance {found.guidance:g}"),
                 lambda row: _ours(found, OF_ABLATION.get(row)),
                 _more_of_ablation(found))  # fmt: skip
    yield _table(UNDERSTANDING)
    right = guided(RIGHT, found.guidance)
    mine = [_of_geneval(found, arm, measure, label) for arm, measure, label in (
        (REFERENCE, right, f"ours: {REFERENCE}"), (RL, right, f"ours: {RL}"),
        (FOUNDATION, CEILING, "ours: the tokenizer's ceiling"),
    )]  # fmt: skip
    yield _table(GENEVAL_TABLE, more=[row for row in mine if row])
    mine = [
        (f"ours: {arm}", *[""] * (len(DPG.columns) - 1), share(one)) for arm in (REFERENCE, RL)
        if (one := found.by.get((arm, str(Of(guided(PROPOSITIONS, found.guidance))))))
    ]  # fmt: skip
    yield _table(DPG, more=mine)


def _table(
    table: Table, titles: tuple[str, ...] = (), beside: Callable[[str], tuple[str, ...]] = lambda row: (),
    more: list[tuple[str, ...]] | None = None,
) -> Chapter:  # fmt: skip
    rows = [(*row, *beside(row[0])) for row in table.rows]
    return Chapter(
        name=f"published-{table.name}", title=f"Published: {table.title}", titles=("", *table.columns, *titles),
        rows=(*rows, *(more or ())), note=table.caveat,
    )  # fmt: skip


def _ours(found: Found, arm: str | None) -> tuple[str, str]:
    drawn, answered = (_known(found, arm, of) for of in (guided(RIGHT, found.guidance), ANSWERED))
    return answered, drawn


def _known(found: Found, arm: str | None, measure: str) -> str:
    one: Estimate | None = found.by.get((arm or "", str(Of(measure))))
    return share(one) if one else ""


def _more_of_ablation(found: Found) -> list[tuple[str, ...]]:
    """The arm that the publication has for a semantic tokenizer alone."""
    cells = _ours(found, SEES_CODES)
    return [("ours: codes, understanding only", *[""] * len(ABLATION.columns), *cells)] if any(cells) else []


def _of_geneval(found: Found, arm: str, measure: str, label: str) -> tuple[str, ...]:
    every = [found.by.get((arm, str(of))) for of in (*(Of(measure, name) for name in GENEVAL), Of(measure))]
    return (label, *(share(one) for one in every)) if every[-1] else ()


def listed_arms(found: Found) -> Chapter:
    """What each arm is and what it cost."""
    rows = []
    for arm in found.arms:
        mine = [one for one in found.tried if one.arm == arm.name]
        stopped = sum(bool(one.stopped) for one in mine)
        rows.append((
            arm.name, f"{arm.about}; stopped early: {stopped}" if stopped else arm.about, arm.begins or "nothing",
            str(len(mine)), f"{arm.flop:.3g}" if arm.flop else "",
            f"{np.mean(spent):.0f}" if (spent := [one.seconds for one in mine if one.seconds]) else "",
        ))  # fmt: skip
    return Chapter(
        name="arms", title="The arms", rows=tuple(rows),
        titles=("arm", "what is trained", "begins from", "trainings", "operations", "CPU seconds"),
        note=f"Of one training, what it begins from left out. Operations, by count, of the backbone, the code head and "
        f"the encoder; drawing in reinforcement included. CPU seconds since it was last gone on with. Models: "
        f"{found.about}; pictures of the style {found.style}.",
    )  # fmt: skip
