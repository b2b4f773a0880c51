"""What the publications claim, and what this study's trainings say of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from athanor.analysis.intervals import LEVEL
from athanor.analysis.multiplicity import bonferroni
from athanor.analysis.trials import Of, Tried, difference, score
from athanor.core.records import Estimate
from athanor.studies.claims import Claim, Verdict, side, verdict
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
from athanor.studies.see_and_draw.tasks import UNSEEN
from athanor.studies.see_and_draw.trial import ANSWERED, BLIND, CEILING, GAP, OTHERS, RIGHT, guided

LITTLE = 0.05
"""What is no loss: a claim that nothing is lost holds where less than this share surely is."""
LOWEST = 2 * LITTLE
"""Share of true pictures that must still be right after the tokenizer for drawings to be judged: of less, LITTLE is
more than half of all that can be drawn right."""
OF_DRAWINGS = (RIGHT, OTHERS, ABOUT_OWN, TOLD_OWN, PASSED, AMONG, "follows")
"""What measures that rest on drawings begin with."""
VOID: Verdict = "cannot be judged"
JANUS, PRO, T2I = "Wu et al. 2024, ablation", "Chen et al. 2025", "Jiang et al. 2025"
UNGUIDED_DRAWN = Of(guided(RIGHT, 1.0))
SAW = Of(ANSWERED)


class Contrast(NamedTuple):
    """A difference that a claim says is above `least`."""

    arm: str
    other: str
    of: Of
    other_of: Of | None = None
    least: float = 0.0


class Said(NamedTuple):
    """A claim before it is judged."""

    statement: str
    contrasts: tuple[Contrast, ...]
    source: str = ""


def _kept(arm: str, other: str, of: Of) -> tuple[Contrast, ...]:
    return (Contrast(arm, other, of, least=-LITTLE),)


def _within(measure: Of, other: Of, arm: str = REFERENCE, least: float = 0.0) -> Contrast:
    """Two measures of one arm."""
    return Contrast(arm, arm, measure, other, least)


def _encoders(drawn: Of) -> tuple[Said, ...]:
    little = f"less than {100 * LITTLE:g} points"
    return (
        Said("An encoder of its own understands better than the codes that images are drawn with",
             (Contrast(REFERENCE, SHARED, SAW),), f"{JANUS}, D over A"),
        Said(f"An encoder of its own costs drawing {little}", _kept(REFERENCE, SHARED, drawn), f"{JANUS}, D and A"),
        Said(f"Learning to draw costs a decoupled model {little} of understanding", _kept(REFERENCE, SEES, SAW),
             f"{JANUS}, D and E"),
        Said("With one encoder, learning to draw costs understanding", (Contrast(SEES_CODES, SHARED, SAW),),
             f"{JANUS}, C over B, of a semantic tokenizer"),
        Said(f"Learning to understand costs a decoupled model {little} of drawing", _kept(REFERENCE, DRAWS, drawn),
             f"{JANUS}, D and F"),
    )  # fmt: skip


def _stages(drawn: Of) -> tuple[Said, ...]:
    return (
        Said("Stage I is worth what it costs, against a longer stage II",
             (Contrast(REFERENCE, LEFT_OUT, SAW), Contrast(REFERENCE, LEFT_OUT, drawn)),
             "practised, and not tried, by both"),
        Said("In stage III 5:1:4 understands better than 7:3:10", (Contrast(REFERENCE, BALANCED, SAW),), PRO),
        Said(f"In stage III 5:1:4 draws less than {100 * LITTLE:g} points worse than 7:3:10",
             _kept(REFERENCE, BALANCED, drawn), PRO),
    )  # fmt: skip


def _guidance(drawn: Of, at_weight: float) -> tuple[Said, ...]:
    at = {weight: Of(guided(RIGHT, weight)) for weight in SWEEP}
    return (
        Said("What is drawn follows the prompt: it is right for its own more often than for another",
             (_within(drawn, Of(guided(OTHERS, at_weight))),), "a control"),
        Said("Pictures are likelier under their own prompt than under another of its category",
             (Contrast(REFERENCE, REFERENCE, Of(GAP), None),), "a control"),
        Said("Questions are answered by the picture: better than by what is usual",
             (Contrast(REFERENCE, FOUNDATION, SAW, Of(BLIND)),), "a control"),
        Said(f"Guidance {at_weight:g} draws better than none", (_within(drawn, at[1.0]),), ""),
        Said("The published guidance of 5 draws better than 2", (_within(at[5.0], at[2.0]),),
             "generation code of Janus-Pro"),
        Said("Guidance of 7 is too much: it draws worse than 3", (_within(at[3.0], at[7.0]),), ""),
    )  # fmt: skip


def _consistency() -> tuple[Said, ...]:
    by_picture, by_prompt = follows("picture", ALONE), follows("prompt", ALONE)
    return (
        Said(f"It reads its own drawings less than {100 * LITTLE:g} points worse than true pictures of the same",
             (_within(Of(ABOUT_OWN), Of(SAME), least=-LITTLE),
              _within(Of(TOLD_OWN), Of(TOLD_SAME), least=-LITTLE))),
        Said("Where a drawing is not what was asked for, answers follow the picture and not the prompt",
             (_within(Of(by_picture), Of(by_prompt)),)),
        Said("They follow the picture even where the prompt is told first",
             (_within(Of(follows("picture", TOLD)), Of(follows("prompt", TOLD))),)),
        Said("It confuses in seeing what it confused in drawing: answers follow the prompt more often than about true "
             "pictures of the same", (_within(Of(by_prompt), Of(follows("prompt", TRULY))),)),
        Said("Its own verdict picks right drawings", (_within(Of(AMONG), Of(PASSED)),)),
    )  # fmt: skip


def _reinforcement(drawn: Of, at_weight: float) -> tuple[Said, ...]:
    unseen = drawn._replace(part=UNSEEN)
    return (
        Said("Reinforcement draws better than as much more of stage III", (Contrast(RL, LONGER, drawn),)),
        Said(f"At guidance {at_weight:g} reinforcement draws better than fine-tuning on own right drawings",
             (Contrast(RL, OWN, drawn),)),
        Said(f"At guidance {at_weight:g} it draws better than that without, whose drawings have their guidance in them",
             (Contrast(RL, OWN, drawn, UNGUIDED_DRAWN),), "each as it is meant to draw"),
        Said("Reinforcement makes the recipe's model draw better", (Contrast(RL, REFERENCE, drawn),)),
        Said("What it gains holds for combinations that are never told in training",
             (Contrast(RL, REFERENCE, unseen),)),
        Said(f"Without guidance it draws better than the recipe's model with {at_weight:g}",
             (Contrast(RL, REFERENCE, UNGUIDED_DRAWN, drawn),), "whether it learned more than guidance gives"),
        Said("Scoring without the guidance that was drawn with learns less", (Contrast(RL, UNGUIDED, drawn),),
             f"against {T2I}, who score so"),
        Said(f"Reinforcement of drawing costs less than {100 * LITTLE:g} points of understanding",
             _kept(RL, REFERENCE, SAW)),
    )  # fmt: skip


def said(weight: float) -> tuple[Said, ...]:
    """Every claim, arms compared at a weight of guidance."""
    drawn = Of(guided(RIGHT, weight))
    return (
        *_encoders(drawn), *_stages(drawn), *_guidance(drawn, weight), *_consistency(), *_reinforcement(drawn, weight)
    )  # fmt: skip


def judged(tried: Sequence[Tried], weight: float) -> list[Claim]:
    """Every claim for which there are trainings: by intervals of each difference by itself, and by intervals that hold
    all together (Bonferroni's, over all differences that claims rest on). Claims about drawings cannot be judged where
    the tokenizer lets next to none be right."""
    low = too_low(tried)
    there = [(one, found) for one in said(weight) if (found := _evidence(tried, one, LEVEL))]
    strict = bonferroni(LEVEL, max(1, sum(len(found) for _, found in there)))
    claims = []
    for one, found in there:
        void = low and any(contrast.of.measure.startswith(OF_DRAWINGS) for contrast in one.contrasts)
        together = _evidence(tried, one, strict)
        claims.append(Claim(
            statement=one.statement, source=one.source, evidence=found,
            verdict=VOID if void else _verdict(one, found), together=VOID if void else _verdict(one, together),
        ))  # fmt: skip
    return claims


def too_low(tried: Sequence[Tried]) -> bool:
    """Whether the tokenizer's ceiling is known, and so low that drawings cannot be judged."""
    ceiling = score(tried, FOUNDATION, Of(CEILING)).value
    return ceiling is not None and ceiling < LOWEST


def evidence_together(tried: Sequence[Tried], weight: float) -> Iterator[Estimate]:
    """The differences that claims rest on, with intervals that hold all together."""
    there = [(one, found) for one in said(weight) if (found := _evidence(tried, one, LEVEL))]
    strict = bonferroni(LEVEL, max(1, sum(len(found) for _, found in there)))
    for one, _ in there:
        yield from _evidence(tried, one, strict)


def _verdict(one: Said, found: Sequence[Estimate]) -> Verdict:
    return verdict([side(estimate, contrast.least) for estimate, contrast in zip(found, one.contrasts, strict=True)])


def _evidence(tried: Sequence[Tried], one: Said, level: float) -> tuple[Estimate, ...]:
    """The differences that a claim rests on; empty where one of them is unknown."""
    found = tuple(_estimated(tried, contrast, level) for contrast in one.contrasts)
    return found if all(estimate.value is not None for estimate in found) else ()


def _estimated(tried: Sequence[Tried], one: Contrast, level: float) -> Estimate:
    if one.arm == one.other and one.other_of is None:
        return score(tried, one.arm, one.of, level)
    return difference(tried, one.arm, one.other, one.of, level, other_of=one.other_of)
