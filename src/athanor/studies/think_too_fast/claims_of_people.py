"""Claims about people, on the logs that were given of them."""

from __future__ import annotations

from collections.abc import Callable

from athanor.analysis.exploration import FINAL
from athanor.analysis.multiplicity import simultaneous
from athanor.analysis.reading import text
from athanor.analysis.weights import named
from athanor.core.records import Estimate
from athanor.studies.think_too_fast.comparisons import is_model
from athanor.studies.think_too_fast.people import stayed
from athanor.studies.think_too_fast.procedures import PEOPLE
from athanor.studies.think_too_fast.published import REASONING
from athanor.studies.think_too_fast.verdicts import (
    Answer,
    Run,
    able,
    arms_in_words,
    at_once,
    by_sign,
    judged,
    lies_above,
    over_arms,
    reasons,
    side_of_zero,
)

NOBODY_PLAYS: Answer = "not tested here", "No logs of people of this world were given (--people).", ""
Known = tuple[str, tuple[Estimate, ...]]
"""A group of people and the numbers of theirs that a claim is about."""


def _known(run: Run, *names: str) -> list[Known]:
    """Groups that have all these numbers with intervals, as wide as hold for all of them at once."""
    by = {(one.group, one.name): one for one in run.people.estimates}
    found = [(group, [by.get((group, name)) for name in names]) for group in run.people.names]
    whole = [(group, [e for e in those if e is not None and e.low is not None]) for group, those in found]
    kept = [(group, those) for group, those in whole if len(those) == len(names)]
    return [(group, tuple(simultaneous(e, len(names) * len(kept)) for e in those)) for group, those in kept]


def _of_people(names: tuple[str, ...], test: Callable[[tuple[Estimate, ...]], Answer], lacking: str, sure: str):
    """A claim on some numbers of people, tested on every group of them."""

    def answer(run: Run) -> Answer:
        if not run.people.names:
            return NOBODY_PLAYS
        known = _known(run, *names)
        if not known:
            return "not tested here", lacking, ""
        answers = [test(those) for _, those in known]
        said = "; ".join(f"{group}: {one[1]}" for (group, _), one in zip(known, answers, strict=True))
        verdicts = [one[0] for one in answers]
        verdict = over_arms(verdicts.count("holds here"), verdicts.count("does not hold here"), len(verdicts))
        return verdict, f"{said}.", f"{at_once(len(names) * len(known))} {sure}".strip()

    return answer


def _by_both(those: tuple[Estimate, ...]) -> Answer:
    empowerment, uncertainty = those
    said = f"empowerment {text(empowerment)}, uncertainty {text(uncertainty)}"
    both = side_of_zero(empowerment) == side_of_zero(uncertainty) == 1
    against = -1 in (side_of_zero(empowerment), side_of_zero(uncertainty)) or lies_above(uncertainty, empowerment)
    return judged(both and lies_above(empowerment, uncertainty), against), said, ""


def _positive(those: tuple[Estimate, ...]) -> Answer:
    return by_sign(those[0]), text(those[0]), ""


people_by_both = _of_people(
    tuple(named(term, PEOPLE.kind) for term in ("empowerment", "uncertainty")), _by_both,
    "The logs that were given allow no such regression.",
    "By the published regression, in which never repeating a pair counts as uncertainty.",
)  # fmt: skip
people_go_on = _of_people(
    ("stopping: empowerment",), _positive, "The logs that were given tell nobody's stopping.",
    "The coefficient of empowerment on going on, by the published regression.",
)  # fmt: skip
people_use = _of_people(
    ("usage: r of usage and children",), _positive, "The logs that were given have too few elements that were used.",
    "The correlation of immediate usage and children, over elements.",
)  # fmt: skip


def people_who_stay(run: Run) -> Answer:
    """Whether those who come to 500 trials hold more than twice what people hold on average when they stop."""
    if not run.people.names:
        return NOBODY_PLAYS
    by = {(one.group, one.name): one for one in run.people.estimates}
    pairs = [
        (group, simultaneous(long, 2), simultaneous(mean, 2)) for group in run.people.names
        if (long := by.get((stayed(group), FINAL))) and (mean := by.get((group, FINAL)))
        and long.low is not None and mean.low is not None
    ]  # fmt: skip
    if not pairs:
        return "not tested here", "Too few people in the logs that were given come to 500 trials.", ""
    above = sum((long.low or 0.0) > 2 * (mean.high or 0.0) for _, long, mean in pairs)
    below = sum((long.high or 0.0) < 2 * (mean.low or 0.0) for _, long, mean in pairs)
    said = "; ".join(f"{group}: {text(long)} there, {text(mean)} on average" for group, long, mean in pairs)
    return over_arms(above, below, len(pairs)), f"{said}.", at_once(2)


def most_below_people(run: Run) -> Answer:
    """Final inventories of models against those of people who play as many turns."""
    if not run.people.names:
        return NOBODY_PLAYS
    name = f"inventory after {run.turns} turns, still playing"
    theirs = [one for one in run.people.estimates if one.name == name and one.low is not None]
    mine = [(arm, run.by.get((arm.name, FINAL))) for arm in able(run)]
    known = [(arm, one) for arm, one in mine if one is not None and one.low is not None]
    if not theirs or not known:
        return "not tested here", f"There is no interval of people, or of models, after {run.turns} turns.", ""
    many = len(theirs) + len(known)
    people = [simultaneous(one, many) for one in theirs]
    wide = [(arm, simultaneous(one, many)) for arm, one in known]
    swift = [one for arm, one in wide if not reasons(arm)]
    slow = [one for arm, one in wide if any(is_model(n, arm.run.manifest.config["model"]) for n in REASONING)]

    def beyond(arms: list[Estimate], *, below: bool) -> int:
        return sum(all(lies_above(*((p, one) if below else (one, p))) for p in people) for one in arms)

    less, more = beyond(swift, below=True), beyond(swift, below=False)
    holds = 2 * less > len(swift) and beyond(slow, below=False) == len(slow)
    against = (bool(swift) and 2 * more >= len(swift)) or beyond(slow, below=True) > 0
    said = (
        f"People who play {run.turns} turns hold {'; '.join(text(one) for one in theirs)} then. Of "
        f"{arms_in_words(len(swift))} that answer at once {less} lie below, {more} above; "
    )
    said += f"of {arms_in_words(len(slow))} of o1 and R1 {beyond(slow, below=False)} above." if slow else (
        "neither o1 nor R1 plays here, so that it is half of the claim that is tested."
    )  # fmt: skip
    sure = f"{at_once(many)} Who plays so long is not like those who stop: that raises what people hold."
    return judged(holds, against), said, sure
