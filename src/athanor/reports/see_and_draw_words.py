"""What the page of the study of seeing and drawing says in words."""

from __future__ import annotations

from athanor.analysis.exploration import LEVEL_TEXT
from athanor.analysis.trials import Of
from athanor.core.records import Estimate
from athanor.reports.shares import points, share
from athanor.reports.words import Finding
from athanor.studies.claims import Claim, counted
from athanor.studies.see_and_draw.arms import FOUNDATION, REFERENCE, RL, SHARED
from athanor.studies.see_and_draw.claims import LITTLE, LOWEST, too_low
from athanor.studies.see_and_draw.findings import Found
from athanor.studies.see_and_draw.trial import ANSWERED, BLIND, CEILING, EXCESS, GAP, OTHERS, RIGHT, guided

NAMED = 4
"""Unfinished trainings that are named."""


def findings(found: Found) -> list[Finding]:
    """The study's answer, then every claim with its verdict."""
    told = tuple((f"{claim.verdict.capitalize()}:", _claimed(claim)) for claim in found.claims)
    return [Finding(world=_trainings(found), lead=answer(found), arms=told)]


def answer(found: Found) -> str:
    """What the recipe's model can do beside its bounds, and the two main differences."""
    by, right = found.by, str(Of(guided(RIGHT, found.guidance)))
    drawn = (
        f"The recipe ({REFERENCE}) draws {share(by.get((REFERENCE, right)))} of GenEval's prompts right at guidance "
        f"{found.guidance:g}, where the tokenizer lets {share(by.get((FOUNDATION, CEILING)))} be right and another "
        f"prompt of its category has {share(by.get((REFERENCE, guided(OTHERS, found.guidance))))}; it answers "
        f"{share(by.get((REFERENCE, ANSWERED)))} of the questions, the usual answers "
        f"{share(by.get((FOUNDATION, BLIND)))}."
    )
    if too_low(found.tried):
        drawn += (
            f" Where the tokenizer lets less than {100 * LOWEST:g}% be right, claims about drawings are not judged."
        )
    more = [
        f"{label} {of}: {points(one)}"
        for label, arm, of in (("Codes for both against an encoder of its own,", SHARED, ANSWERED),
                               ("Reinforcement against where it begins,", RL, right))
        if (one := by.get((arm, f"{arm} minus {REFERENCE}: {of}")))
    ]  # fmt: skip
    return " ".join([drawn, *(f"{one}." for one in more)])


def _claimed(claim: Claim) -> str:
    changed = f" All together: {claim.together}." if claim.together and claim.together != claim.verdict else ""
    source = f" [{claim.source}]" if claim.source else ""
    return f"{claim.statement}{source}. {'; '.join(map(told, claim.evidence))}.{changed}"


def told(one: Estimate) -> str:
    """An estimate with its name."""
    return f"{one.name} {amount(one)}"


def amount(one: Estimate) -> str:
    """A difference in points, or nats as they are."""
    return nats(one) if GAP in one.name or EXCESS in one.name else points(one)


def nats(one: Estimate | None) -> str:
    """Nats with their interval."""
    if one is None or one.value is None:
        return "unknown"
    ends = "" if one.low is None or one.high is None else f" [{one.low:.2f}, {one.high:.2f}]"
    return f"{one.value:.2f} nats{ends}".replace("-", "\N{MINUS SIGN}")


def _trainings(found: Found) -> str:
    mine = [one for one in found.tried if one.measured]
    stopped = sum(bool(one.stopped) for one in found.tried)
    ended = f", {stopped} more stopped early" if stopped else ""
    names = found.missing
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    left = f"; {len(names)} are not finished: {', '.join(names[:NAMED])}{more}" if names else ""
    few = f"; {found.few}" if found.few else ""
    return f"{len(found.arms)} arms, {len(mine)} trainings{ended}{left}{few}"


def note(found: Found) -> str:
    """How sure the numbers are."""
    return (
        f"Points are percentage points. Intervals ({LEVEL_TEXT}) hold for other trainings and for other prompts and "
        "questions of the same kinds, whose categories are fixed; trainings of one seed are compared on the same "
        "prompts, with the same random numbers. A claim holds where the whole interval of each of its differences is "
        f"on its side; that nothing is lost, where less than {100 * LITTLE:g} points surely are. "
        f"{counted(found.claims)} Models: {found.about}."
    )
