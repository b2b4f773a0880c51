"""What weights say, in words: an arm beside the random players, and by which estimate."""

from __future__ import annotations

from collections.abc import Sequence

from athanor.analysis.choice import LEFT_OUT
from athanor.analysis.contrasts import MINUS
from athanor.analysis.contrasts import names as names_of_contrast
from athanor.analysis.multiplicity import SURE, holm_of
from athanor.analysis.nulls import NULL, p_of
from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS, is_random
from athanor.analysis.weights import ALL, MARKS, OBSERVED, ONE, PUBLISHED, TOGETHER, named
from athanor.core.records import Estimate


def readings(found: Sequence[Estimate]) -> list[str]:
    """Sentences on the weights of one world and its rules: what not repeating gives, then one for each group.

    Where `multiplicity.with_adjusted` has put adjusted p-values among the estimates, they are told beside the raw.
    """
    by = {(one.group, one.name): one for one in found}
    said = _of_the_random_players(by)
    for name in dict.fromkeys(one.group for one in found):
        mine = [one for one in found if one.group == name]
        weights = [one for one in mine if one.name.startswith("weight of ")]
        if not weights or name == TOGETHER or is_random(name):
            continue
        if all(one.value is None for one in weights):
            said.append(f"{name}: no weight can be estimated ({weights[0].method}).")
        else:
            parts = [*_uncertainty(name, by), *_others(name, by), *_which_weighs_more(name, by), *_left_out(mine)]
            said.append(f"{name}: " + "; ".join(parts) + ".")
    return said


Found = dict[tuple[str, str], Estimate]


def _of_the_random_players(by: Found) -> list[str]:
    never, what = _single(NEVER_REPEATS, by)
    random, _ = _single(MEMORYLESS, by)
    if never is None or random is None or never.value is None or random.value is None:
        return []
    return [
        f"A player who draws pairs at random and never repeats one has a {what} of {text(never)}, a memoryless one "
        f"{text(random)}: a weight near the first is what not repeating gives, and no sign of a preference for what is "
        "uncertain."
    ]


def _single(group: str, by: Found) -> tuple[Estimate | None, str]:
    """A group's weight of uncertainty against one random pair, and what it is called."""
    published = by.get((group, named("uncertainty", PUBLISHED)))
    if published is not None:
        return published, "published weight of uncertainty"
    return by.get((group, named("uncertainty", ONE))), "weight of uncertainty against one random pair"


def _uncertainty(name: str, by: Found) -> list[str]:
    (ours, what), (never, _) = (_single(group, by) for group in (name, NEVER_REPEATS))
    exact = by.get((name, named("uncertainty", ALL)))
    if ours is None or never is None:
        return []
    said = f"the {what} is {text(ours)}{_place(ours, never)}"
    if exact is not None:
        said += f"; among all pairs, with repeats and doubles apart, it is {text(exact)}{_verdict(exact)}"
    return [said + _against_null(name, by)]


def _place(ours: Estimate, never: Estimate) -> str:
    """How a weight against one random pair lies to what never repeating gives."""
    if ours.low is None or ours.high is None or never.low is None or never.high is None:
        return ""
    if ours.low > never.high:
        return ", more than not repeating gives"
    if ours.high < never.low:
        return ", less than not repeating gives"
    return ", not to be told from what not repeating gives"


def _against_null(name: str, by: Found) -> str:
    """How the choices lie to null choices, which follow all other values of the regression; nothing where none were
    drawn, and the reason where they could not be."""
    test = p_of("weight of uncertainty")
    kinds = named("uncertainty", OBSERVED), named("uncertainty", NULL), test
    observed, null, p = (by.get((name, kind)) for kind in kinds)
    if observed is None or null is None or p is None:
        return ""
    if observed.value is None or null.value is None or p.value is None:
        return f"; null choices tell nothing ({p.method if p.value is None else observed.method})"
    others = [term for term in terms_tested(name, by) if term != "uncertainty"]
    beside = f" and weigh {' and '.join(others)} as it does, but not uncertainty" if others else ""
    how_sure, alone, together = _by_holm(name, p, by, "null tests")
    those = f"what choices give that repeat as it does{beside}"
    if not alone:
        return f"; not to be told from {those} ({how_sure})"
    if not together:
        return f"; not to be told among so many tests from {those} ({how_sure})"
    return f"; {'more' if observed.value > null.value else 'less'} than {those} ({how_sure})"


def _by_holm(name: str, p: Estimate, by: Found, tests: str) -> tuple[str, bool, bool]:
    """A known p-value with the adjusted one in words, and whether it is small alone and among all `tests`."""
    adjusted, value = by.get((name, holm_of(p.name))), p.value or 0.0
    if adjusted is None or adjusted.value is None:
        return f"p = {value:.2g}", value < SURE, value < SURE
    return f"p = {value:.2g}; {adjusted.value:.2g} by Holm, among all {tests}", value < SURE, adjusted.value < SURE


def terms_tested(name: str, by: Found) -> list[str]:
    """The values of a group's choices that null choices were drawn for."""
    ending = f" ({OBSERVED})"
    return [
        full.removeprefix("weight of ").removesuffix(ending) for group, full in by
        if group == name and full.endswith(ending)
    ]  # fmt: skip


def _left_out(mine: Sequence[Estimate]) -> list[str]:
    """The turns that are no choice among all pairs, cause by cause."""
    counts = [(one.name.removeprefix(LEFT_OUT), one.value) for one in mine if one.name.startswith(LEFT_OUT)]
    told = ", ".join(f"{count:.0f} {why.removesuffix(f' ({ALL})')}" for why, count in counts if count)
    return [f"no choice among all pairs, and left out of that estimate, are the turns: {told}"] if told else []


def _others(name: str, by: Found) -> list[str]:
    said = []
    ending = f" ({ALL})"
    for (group, full), one in by.items():
        term = full.removeprefix("weight of ").removesuffix(ending)
        if (group, full) == (name, named(term, ALL)) and term not in ("uncertainty", MINUS, *MARKS):
            said.append(f"that of {term} among all pairs is {text(one)}{_verdict(one)}")
    return said


def _which_weighs_more(name: str, by: Found) -> list[str]:
    """Whether empowerment weighs more than uncertainty, among all pairs; nothing where that is not known."""
    difference, p = (by.get((name, each)) for each in names_of_contrast(ALL))
    if difference is None or p is None or difference.value is None or p.value is None:
        return []
    how_sure, alone, together = _by_holm(name, p, by, "such differences")
    told = f"the difference is {text(difference)} ({how_sure})"
    if not together:
        among = " among so many tests" if alone else ""
        return [f"which of the two weighs more there cannot be told{among}: {told}"]
    return [f"empowerment weighs {'more' if difference.value > 0 else 'less'} than uncertainty there: {told}"]


def _verdict(one: Estimate) -> str:
    if one.value is None and "separates" in one.method:
        return ": nearly every choice is the best there is by it, so that its weight has no upper bound"
    if one.low is None or one.high is None:
        return ""
    return ", which cannot be told from none" if one.low <= 0 <= one.high else ""


def text(one: Estimate) -> str:
    """A value with its interval, or that it is unknown.

    >>> from athanor.core.records import Estimate
    >>> text(Estimate(name="w", value=None, low=None, high=None, level=None, n=1, unit="players", method=""))
    'unknown'
    """
    if one.value is None:
        return "unknown"
    if one.low is None or one.high is None:
        return f"{one.value:.2f} (interval unknown)"
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"
