"""What the study's page says in words."""

from __future__ import annotations

from athanor.analysis.exploration import LEVEL_TEXT
from athanor.analysis.generalization import BASE, Contrast, Key
from athanor.analysis.intervals import LEVEL
from athanor.analysis.multiplicity import bonferroni
from athanor.reports.shares import points, share
from athanor.reports.words import Finding
from athanor.studies.claims import Claim, counted, side
from athanor.studies.sft_vs_rl.arms import REFERENCE_SFT
from athanor.studies.sft_vs_rl.findings import Found


def findings(found: Found) -> list[Finding]:
    """The study's answer, then every claim with its verdict."""
    by, rl = found.by, found.rl
    lead = [
        f"{name}, {'greedy' if temperature == 0 else 'temperature 1'}: {points(one)}"
        for name in ("rule", "unseen") for temperature in (1.0, 0.0)
        if (one := by.get((rl, f"{rl} minus {REFERENCE_SFT}: {Key(name, temperature, 1)}")))
    ]  # fmt: skip
    said = tuple((f"{claim.verdict.capitalize()}:", _told(claim)) for claim in found.claims)
    same = " of the same compute" if found.matched else ""
    answer = f"Reinforcement ({rl}) minus supervised fine-tuning ({REFERENCE_SFT}){same}: {'; '.join(lead)}."
    world = f"{len(found.bases)} bases" if len(found.bases) > 1 else "One base"
    few = f"; {found.few}" if found.few else ""
    return [Finding(world=f"{world}, {_trainings(found)}{few}", lead=answer if lead else "", arms=said)]


def _trainings(found: Found) -> str:
    finished = [one for one in found.trained if one.arm != BASE]
    stopped = sum(bool(one.stopped and one.scores) for one in finished)
    ended = f", of which {stopped} stopped early and count as they were last tried" if stopped else ""
    lost = sum(not one.scores for one in finished)
    ended += f", {lost} stopped before they were tried once and are in no estimate" if lost else ""
    return f"{len(finished)} trainings{ended}{_unfinished(found.missing)}"


NAMED = 4
"""Unfinished things that are named."""


def _unfinished(names: tuple[str, ...]) -> str:
    """What is missing, the first few by name."""
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"; {len(names)} are not finished: {', '.join(names[:NAMED])}{more}"


def _told(claim: Claim) -> str:
    changed = f" All together: {claim.together}." if claim.together and claim.together != claim.verdict else ""
    told = "; ".join(f"{_short(one.name)} {points(one)}" for one in claim.evidence)
    return f"{claim.statement}. {told}.{changed}"


def shifts(found: Found) -> str:
    """What was changed in each condition, and what the bases had seen of it."""
    told = "; ".join(f"{name}: {found.tried[name]}" for name in found.conditions)
    return f"{told[:1].upper()}{told[1:]}. {found.seen}"


def _short(name: str) -> str:
    return name.replace("temperature 1", "T = 1")


def note(found: Found) -> str:
    """How sure the numbers are."""
    bases = "these two bases" if len(found.bases) == 2 else "this base" if len(found.bases) == 1 else "these bases"
    alone = " (All estimates has each base alone)" if len(found.bases) > 1 else ""
    held = (
        f"hold for other trainings from {bases} and for other multisets of numbers; another base may differ by more"
        f"{alone}"
    )
    held += (
        ". How much trainings differ is told by all arms of a kind together, since two or four of one arm tell little; "
        "the base is not trained: its intervals are over multisets alone"
    )
    single = [name for name, count in _counts(found).items() if count == 1]
    if single:
        held += (
            f". Of {', '.join(single)} there is one training: what is said of it holds for other multisets only, and "
            "another training would differ"
        )
    return (
        f"Points are percentage points of hands solved. Intervals ({LEVEL_TEXT}) {held}. A claim holds where the "
        f"whole interval of each of its differences is on its side. {counted(found.claims)}"
    )


def _counts(found: Found) -> dict[str, int]:
    """Trainings of each main arm."""
    return {
        arm.name: sum(one.arm == arm.name and bool(one.scores) for one in found.trained)
        for arm in found.arms
        if not arm.of
    }


def sharpening(found: Found) -> str:
    """How reinforcement at temperature 1 compares with the base at the best temperature."""
    by, rl, start, told = found.by, found.rl, found.start, []
    its = "the base" if start == BASE else start
    for name in ("unseen", "rule"):
        ours = by.get((rl, f"solved: {Key(name, 1.0, 1)}"))
        base = [by.get((start, f"solved: {Key(name, t, 1)}")) for t in (1.0, 0.7, 0.5, 0.3, 0.0)]
        best = max((one for one in base if one and one.value is not None), key=lambda e: e.value or 0, default=None)
        greedy = by.get((rl, f"{rl} minus {start}: {Key(name, 0.0, 1)}"))
        if ours and best and greedy:
            told.append(
                f"{name}: {its} solves {share(base[0])} at temperature 1 and at the best of five temperatures, chosen "
                f"on these very hands, {share(best)} ({best.name.partition(', ')[2]}); {rl} at temperature 1 "
                f"{share(ours)}; both greedy, {rl} has {points(greedy)}"
            )
    return f"{'. '.join(told)}." if told else ""


MOVED = {1: "moves it up", -1: "moves it down", 0: "cannot be told"}


def levers(found: Found) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each lever: what it does to unseen hands and to the changed rule, at temperature 1."""
    by, rows = found.by, []
    for arm in found.arms:
        if arm.of:
            told = [
                f"{name} {points(one)}, {MOVED[side(one)]}" for name in ("unseen", "rule")
                if (one := by.get((arm.name, f"{arm.name} minus {arm.of}: {Key(name, 1.0, 1)}")))
            ]  # fmt: skip
            rows.append(f"{arm.name} ({arm.about}) against {arm.of}: {'; '.join(told) or 'not known'}.")
    return (("At temperature 1:", tuple(rows)), *(((_levered(found), ()),) if rows else ()))


def _levered(found: Found) -> str:
    """How many differences of levers leave zero out, one by one and all together."""
    those = [
        Contrast(arm.name, arm.of, Key(name, 1.0, 1))
        for arm in found.arms if arm.of for name in ("unseen", "rule")
    ]  # fmt: skip
    those = [one for one in those if (e := found.by.get((one.arm, one.name))) and e.value is not None]
    strict = bonferroni(LEVEL, max(1, len(those)))
    alone, together = (
        sum(side(one.estimated(found.trained, level)) != 0 for one in those) for level in (LEVEL, strict)
    )
    return (
        f"Of these {len(those)} differences {alone} leave zero out one by one, where {len(those) * (1 - LEVEL):.1f} "
        f"would by chance, and {together} all together (Bonferroni)."
    )
