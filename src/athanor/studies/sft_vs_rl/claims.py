"""What the publication and its followers claim, and what this study's estimates say of each."""

from __future__ import annotations

from collections.abc import Iterator

from athanor.analysis.generalization import BASE, Key
from athanor.studies.claims import By, Claim, side, verdict
from athanor.studies.sft_vs_rl.arms import REFERENCE_RL, REFERENCE_SFT

OWN = "sft on own answers"


def claims(
    by: By, *, start: str = BASE, rl: str = REFERENCE_RL, matched: bool = True, known: bool = False
) -> Iterator[Claim]:
    """Every claim for which there are estimates.

    `start`: the arm that the others begin from. `rl`: the reinforced one. `matched`: supervised ones cost the same.
    `known`: the base had learned hands under 11, 12, 13, so that the claims are about what is kept.
    """
    shifted = "11, 12, 13, which the base had learned," if known else "11, 12, 13"
    better = f"keeps J, Q, K = {shifted}" if known else f"generalizes to J, Q, K = {shifted}"
    sft, same = REFERENCE_SFT, " of the same compute" if matched else ""
    its = "its base" if start == BASE else f"what it begins from ({start})"
    told = (
        (f"Reinforcement {better} better than supervised fine-tuning{same}",
         _both(rl, sft, "rule"), "Chu et al. 2025, figure 1"),
        (f"Reinforcement generalizes to unseen hands better than supervised fine-tuning{same}",
         _both(rl, sft, "unseen"), ""),
        (f"Reinforcement keeps other letters alone (J, Q, K = 7, 8, 9) better than supervised fine-tuning{same}",
         _both(rl, sft, "mapping"), ""),
        (f"Reinforcement keeps larger numbers alone (11, 12, 13, printed) better than supervised fine-tuning{same}",
         _both(rl, sft, "range"), ""),
        (f"Reinforcement makes {its} better under {shifted.strip(',')}", _both(rl, start, "rule"),
         "Chu et al. 2025, 11.5 to 15.0%"),
        (f"Reinforcement makes {its} better on unseen hands", _both(rl, start, "unseen"), ""),
        (f"What reinforcement gains under {shifted} is more than {its} has when it is played greedily",
         [_name(rl, start, "rule", 0.0), f"{_name(rl, start, 'rule', 1.0)}, the other at {Key('rule', 0.0, 1)}"],
         "Yue et al. 2025, arXiv:2504.13837, hold that it is not"),
        (f"What reinforcement gains on unseen hands is more than {its} has when it is played greedily",
         [_name(rl, start, "unseen", 0.0), f"{_name(rl, start, 'unseen', 1.0)}, the other at {Key('unseen', 0.0, 1)}"],
         "Yue et al. 2025, arXiv:2504.13837, hold that it is not"),
    )  # fmt: skip
    for statement, names, source in told:
        if made := _claim(by, statement, [(rl, name, 1) for name in names], source):
            yield made
    against = [(sft, name, -1) for name in _both(sft, start, "rule")]
    if made := _claim(
        by, f"Supervised fine-tuning makes {its} worse under {shifted.strip(',')}", against, "Chu et al. 2025"
    ):
        yield made
    yield from _seen(by, rl, start, its)
    memorised = [(sft, _name(sft, start, "seen", 1.0), 1), (sft, _name(sft, start, "unseen", 1.0), -1)]
    if made := _claim(by, "Supervised fine-tuning memorizes: it gains on hands it saw and loses on others", memorised,
                      "Chu et al. 2025"):  # fmt: skip
        yield made
    forgotten = [(sft, _name(sft, start, "old", 1.0), -1)]
    if made := _claim(by, "Supervised fine-tuning forgets hands that the base had learned", forgotten):
        yield made
    own = [(OWN, _name(OWN, sft, name, 1.0), 1) for name in ("rule", "unseen")]
    if made := _claim(by, "Fine-tuning on the base's own right answers keeps more than on given ones", own,
                      "arXiv:2510.18874"):  # fmt: skip
        yield made


def _seen(by: By, rl: str, start: str, its: str) -> Iterator[Claim]:
    """Of hands in pictures."""
    sft, red = REFERENCE_SFT, "red suits"
    read = [f"{rl} minus {sft}: recognised: {Key(name, 1.0, 1)}" for name in ("unseen", red)]
    told = (
        ("Reinforcement generalizes to red suits better than supervised fine-tuning",
         [(rl, name, 1) for name in _both(rl, sft, red)], "Chu et al. 2025, 41.2 against 13.7%"),
        (f"Reinforcement makes {its} better on red suits", [(rl, name, 1) for name in _both(rl, start, red)],
         "Chu et al. 2025, 23.6 to 41.2%"),
        (f"Supervised fine-tuning makes {its} worse on red suits", [(sft, name, -1) for name in _both(sft, start, red)],
         "Chu et al. 2025, 23.6 to 13.7%"),
        ("Reinforcement reads the cards better than supervised fine-tuning", [(rl, name, 1) for name in read],
         "Chu et al. 2025, on visual recognition"),
    )  # fmt: skip
    for statement, named, source in told:
        if made := _claim(by, statement, named, source):
            yield made


def _both(arm: str, other: str, condition: str) -> list[str]:
    return [_name(arm, other, condition, temperature) for temperature in (1.0, 0.0)]


def _name(arm: str, other: str, condition: str, temperature: float) -> str:
    return f"{arm} minus {other}: {Key(condition, temperature, 1)}"


def _claim(by: By, statement: str, named: list[tuple[str, str, int]], source: str = "") -> Claim | None:
    """A claim that estimates have these signs; None where one of them is not there."""
    found = [(by.get((arm, name)), sign) for arm, name, sign in named]
    evidence = tuple(one for one, _ in found if one is not None)
    if len(evidence) < len(found):
        return None
    signs = [sign * side(one) for one, sign in found if one is not None]
    return Claim(statement=statement, verdict=verdict(signs), evidence=evidence, source=source)
