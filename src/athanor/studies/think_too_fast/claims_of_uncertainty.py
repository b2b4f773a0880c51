"""Claims about uncertainty: whether it moves the choices of models, and what not repeating gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from athanor.analysis.multiplicity import SURE, holm_of, simultaneous
from athanor.analysis.nulls import NULL, p_of
from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS
from athanor.analysis.reading import text
from athanor.analysis.weights import ALL, OBSERVED, PUBLISHED, named
from athanor.core.records import Estimate
from athanor.studies.think_too_fast.verdicts import (
    Answer,
    Run,
    able,
    arms_in_words,
    at_once,
    judged,
    lies_above,
    over_arms,
    rest_in_words,
    side_of_zero,
)

Side = Literal[1, -1, 0]
_TEST = p_of("weight of uncertainty")


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What tells of one arm's weight of uncertainty."""

    interval: Side | None
    """On which side of zero its interval among all pairs lies, as wide as holds for all arms at once; None where the
    weight runs away, and no interval can be given."""
    null: Side | None
    """Whether more or less than null choices give, by Holm; None where they tell nothing."""
    why: str = ""
    """Why null choices tell nothing; empty where none were drawn."""

    @property
    def side(self) -> Side:
        """What both say; one of them alone where the other says nothing."""
        if self.interval is None:
            return self.null or 0
        return self.interval if self.null in (None, self.interval) else 0


def driven_by_uncertainty(run: Run) -> Answer:
    """Models' weights of uncertainty beside those of the other values, among all pairs, and null choices beside them.

    A weight against one random pair is no evidence: not repeating gives one, and so do other values that play.
    """
    weights = [(arm.short, run.by.get((arm.short, named("uncertainty", ALL)))) for arm in able(run)]
    told = [(name, one) for name, one in weights if one is not None and (one.low is not None or _runs_away(one))]
    if not told:
        reasons = [one.method.rpartition("; ")[2] for _, one in weights if one is not None]
        why = f" ({reasons[0]})" if reasons else ""
        return "not tested here", f"No arm has a weight of uncertainty among all pairs with an interval{why}.", ""
    found = [_said(run, name, one, len(told)) for name, one in told]
    more, less = (
        sum((one.null if one.interval is None else one.interval) == side for one in found) for side in (1, -1)
    )
    said = (
        f"Of {arms_in_words(len(found))} {more} {_weighs(more)} uncertainty above zero among all pairs, with repeats, "
        f"doubles and the other values apart, {less} below{rest_in_words(len(found) - more - less)}."
    )
    agreed = [one.side for one in found]
    verdict = over_arms(agreed.count(1), agreed.count(-1), len(found))
    return verdict, said, f"{at_once(len(found))} {_beside(found, more + less)}"


def _said(run: Run, name: str, one: Estimate, arms: int) -> _Said:
    interval = None if _runs_away(one) else side_of_zero(simultaneous(one, arms))
    p = run.by.get((name, _TEST))
    if p is None:
        return _Said(interval=interval, null=None)
    observed, null = (run.by.get((name, named("uncertainty", kind))) for kind in (OBSERVED, NULL))
    if p.value is None or observed is None or observed.value is None or null is None or null.value is None:
        return _Said(interval=interval, null=None, why=(p if p.value is None else observed or p).method)
    adjusted = run.by.get((name, holm_of(_TEST)), p)
    if adjusted.value is None or adjusted.value >= SURE:
        return _Said(interval=interval, null=0)
    return _Said(interval=interval, null=1 if observed.value > null.value else -1)


def _beside(found: list[_Said], sided: int) -> str:
    """What null choices say, as a sentence."""
    drawn = [one for one in found if one.null is not None]
    lacking = [one.why for one in found if one.null is None]
    said = []
    if drawn:
        same = sum(one.side != 0 for one in drawn)
        said.append(
            "Null choices, which keep repeats, doubles and the weights of the other values, say the same of "
            f"{same} of these {sided} (Holm)."
        )
    if lacking:
        why = next((one for one in lacking if one), "")
        how = f"they tell nothing ({why})" if why else "none were drawn (--nulls)"
        said.append(f"Of {arms_in_words(len(lacking))} {how}." if drawn else f"Of null choices {how}.")
    return " ".join(said)


def _runs_away(one: Estimate) -> bool:
    """Whether a weight is unknown since nearly every choice is the best there is by uncertainty."""
    return one.value is None and "uncertainty separates" in one.method


def _weighs(number: int) -> str:
    return "weighs" if number == 1 else "weigh"


def confounded(run: Run) -> Answer:
    """The weights of uncertainty of the two random players."""
    never, random = (run.by.get((who, named("uncertainty", PUBLISHED))) for who in (NEVER_REPEATS, MEMORYLESS))
    if never is None or random is None or never.low is None or random.high is None:
        return "not tested here", "The random players have no weights with intervals.", ""
    never, random = simultaneous(never, 2), simultaneous(random, 2)
    said = f"Never repeating gives {text(never)}, repeating by chance {text(random)}."
    holds = side_of_zero(never) == 1 and lies_above(never, random)
    against = side_of_zero(never) == -1 or lies_above(random, never)
    verdict = judged(holds, against)
    return verdict, said, f"{at_once(2)} Of {never.n} simulated players each."
