"""What one unified model draws and answers, as chapters of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from athanor.analysis.trials import Measured, Of, Shown, Tried, score
from athanor.models.unified.usual import Usual
from athanor.reports.gallery import called, gallery
from athanor.reports.page import Chapter
from athanor.reports.shares import share
from athanor.studies.see_and_draw.trial import ANSWERED, RIGHT, guided


def chapters(name: str, measured: Mapping[str, Measured], shown: Sequence[Shown], how: Usual) -> list[Chapter]:
    """Its drawings with the checker's verdicts and shares by category, and its answers by kind of question.
    `how`: it was drawn with."""
    drawn, answered = guided(RIGHT, how.guidance), ANSWERED
    pictures = gallery({name: shown}, title=f"What {name} draws", note=(
        "In the table all drawings of a category, under guidance "
        f"{how.guidance:g} at temperature {how.temperature:g}; in brackets 95% intervals over prompts."
    ))  # fmt: skip
    return [
        replace(pictures, titles=("prompts", "drawn right"), rows=_rows(name, measured, drawn, "all of GenEval's six")),
        Chapter(
            name="answers", title=f"What {name} answers", titles=("questions", "answered right"),
            rows=_rows(name, measured, answered, "all"),
            note="Questions about true pictures, answered greedily; right word for word. Intervals as above.",
        ),
    ]  # fmt: skip


def _rows(name: str, measured: Mapping[str, Measured], of: str, whole: str) -> tuple[tuple[str, ...], ...]:
    """Of a measure: over all strata, then each."""
    if of not in measured:
        return ()
    tried = [Tried(arm=name, number=0, measured=measured)]
    strata = dict.fromkeys(measured[of].strata)
    return tuple(
        (called(stratum) if stratum else whole, share(score(tried, name, Of(of, stratum)))) for stratum in ("", *strata)
    )
