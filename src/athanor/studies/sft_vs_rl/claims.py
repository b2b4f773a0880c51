"""What the publication and its followers claim, and what this study's estimates say of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from athanor.analysis.generalization import BASE, Contrast, Key, Trained
from athanor.analysis.intervals import LEVEL
from athanor.analysis.multiplicity import bonferroni
from athanor.core.records import Estimate
from athanor.studies.claims import By, Claim, Verdict, side, verdict
from athanor.studies.sft_vs_rl.arms import REFERENCE_RL, REFERENCE_SFT

OWN = "sft on own answers"
SHIFT, SEEING = "Chu et al. 2025, 11.5 to 15.0%", "Chu et al. 2025, on visual recognition"
SHARPENED = "Yue et al. 2025, arXiv:2504.13837, hold that it is not"


@dataclass(frozen=True, kw_only=True)
class Said:
    """A claim, and the differences that it rests on, each with its sign."""

    statement: str
    signed: tuple[tuple[Contrast, int], ...]
    source: str = ""


def claims(
    by: By, trained: Sequence[Trained] = (), *, start: str = BASE, rl: str = REFERENCE_RL, matched: bool = True,
    known: bool = False,
) -> list[Claim]:  # fmt: skip
    """Every claim for which there are estimates: by the interval of each difference by itself, and, where trainings are
    given, by intervals that hold all together (Bonferroni's, over all differences that claims rest on).

    `start`: the arm that the others begin from. `rl`: the reinforced one. `matched`: supervised ones cost the same.
    `known`: the base had learned hands under 11, 12, 13, so that the claims are about what is kept.
    """
    every = said(start=start, rl=rl, matched=matched, known=known)
    there = [one for one in every if all((c.arm, c.name) in by for c, _ in one.signed)]
    compared = {contrast for one in there for contrast, _ in one.signed}
    strict = {c: c.estimated(trained, bonferroni(LEVEL, len(compared))) for c in compared} if trained else {}
    return [
        Claim(
            statement=one.statement, source=one.source, evidence=tuple(by[c.arm, c.name] for c, _ in one.signed),
            verdict=_verdict(one, {c: by[c.arm, c.name] for c, _ in one.signed}),
            together=_verdict(one, strict) if strict else None,
        ) for one in there
    ]  # fmt: skip


def _verdict(one: Said, found: dict[Contrast, Estimate]) -> Verdict:
    return verdict([sign * side(found[contrast]) for contrast, sign in one.signed])


def said(*, start: str, rl: str, matched: bool, known: bool) -> Iterator[Said]:
    """Every claim, whether or not it can be tested."""
    shifted = "11, 12, 13, which the base had learned," if known else "11, 12, 13"
    better = f"keeps J, Q, K = {shifted}" if known else f"generalizes to J, Q, K = {shifted}"
    sft, same = REFERENCE_SFT, " of the same compute" if matched else ""
    its = "its base" if start == BASE else f"what it begins from ({start})"
    under = shifted.strip(",")
    for statement, condition, source in (
        (f"Reinforcement {better} better than supervised fine-tuning{same}", "rule", "Chu et al. 2025, figure 1"),
        (f"Reinforcement generalizes to unseen hands better than supervised fine-tuning{same}", "unseen", ""),
        (f"Reinforcement keeps other letters alone (J, Q, K = 7, 8, 9) better than supervised fine-tuning{same}",
         "mapping", ""),
        (f"Reinforcement keeps larger numbers alone (11, 12, 13, printed) better than supervised fine-tuning{same}",
         "range", ""),
    ):  # fmt: skip
        yield Said(statement=statement, signed=_both(rl, sft, condition, 1), source=source)
    yield Said(statement=f"Reinforcement makes {its} better under {under}", signed=_both(rl, start, "rule", 1),
               source=SHIFT)  # fmt: skip
    yield Said(statement=f"Reinforcement makes {its} better on unseen hands", signed=_both(rl, start, "unseen", 1))
    for where, condition in ((f"under {shifted}", "rule"), ("on unseen hands", "unseen")):
        sampled, greedy = Key(condition, 1.0, 1), Key(condition, 0.0, 1)
        yield Said(
            statement=f"Reinforcement, played at temperature 1, is better {where} than {its} played greedily",
            signed=((Contrast(rl, start, sampled, greedy), 1),), source=SHARPENED,
        )  # fmt: skip
    yield Said(statement=f"Supervised fine-tuning makes {its} worse under {under}",
               signed=_both(sft, start, "rule", -1), source="Chu et al. 2025")  # fmt: skip
    yield from _seen(rl, start, its)
    yield Said(
        statement="Supervised fine-tuning memorizes: it gains on hands it saw and loses on others",
        signed=((Contrast(sft, start, Key("seen", 1.0, 1)), 1), (Contrast(sft, start, Key("unseen", 1.0, 1)), -1)),
        source="Chu et al. 2025",
    )  # fmt: skip
    yield Said(statement="Supervised fine-tuning forgets hands that the base had learned",
               signed=((Contrast(sft, start, Key("old", 1.0, 1)), -1),))  # fmt: skip
    yield Said(
        statement="Fine-tuning on the base's own right answers keeps more than on given ones",
        signed=tuple((Contrast(OWN, sft, Key(name, 1.0, 1)), 1) for name in ("rule", "unseen")),
        source="arXiv:2510.18874",
    )  # fmt: skip


def _seen(rl: str, start: str, its: str) -> Iterator[Said]:
    """Of hands in pictures."""
    sft, red = REFERENCE_SFT, "red suits"
    yield Said(statement="Reinforcement generalizes to red suits better than supervised fine-tuning",
               signed=_both(rl, sft, red, 1), source="Chu et al. 2025, 41.2 against 13.7%")  # fmt: skip
    yield Said(statement=f"Reinforcement makes {its} better on red suits", signed=_both(rl, start, red, 1),
               source="Chu et al. 2025, 23.6 to 41.2%")  # fmt: skip
    yield Said(statement=f"Supervised fine-tuning makes {its} worse on red suits", signed=_both(sft, start, red, -1),
               source="Chu et al. 2025, 23.6 to 13.7%")  # fmt: skip
    read = tuple((Contrast(rl, sft, Key(name, 1.0, 1), recognised=True), 1) for name in ("unseen", red))
    yield Said(statement="Reinforcement reads the cards better than supervised fine-tuning", signed=read, source=SEEING)


def _both(arm: str, other: str, condition: str, sign: int) -> tuple[tuple[Contrast, int], ...]:
    """At temperature 1 and greedily."""
    return tuple((Contrast(arm, other, Key(condition, temperature, 1)), sign) for temperature in (1.0, 0.0))
