"""What weights say, in words: an arm beside the random players, and by which estimate."""

from __future__ import annotations

from collections.abc import Sequence

from athanor.analysis.weights import ALL, MEMORYLESS, NEVER_REPEATS, NULL, PUBLISHED, TOGETHER, named
from athanor.core.records import Estimate


def readings(found: Sequence[Estimate]) -> list[str]:
    """Sentences on the weights of one world and its rules: what not repeating gives, then one for each group."""
    by = {(one.group, one.name): one for one in found}
    said = _of_the_random_players(by)
    for name in dict.fromkeys(one.group for one in found):
        mine = [one for one in found if one.group == name and one.name.startswith("weight of ")]
        if not mine or name in (TOGETHER, NEVER_REPEATS, MEMORYLESS):
            continue
        if all(one.value is None for one in mine):
            said.append(f"{name}: no weight can be estimated ({mine[0].method}).")
        else:
            said.append(f"{name}: " + "; ".join([*_uncertainty(name, by), *_others(name, by)]) + ".")
    return said


Found = dict[tuple[str, str], Estimate]


def _of_the_random_players(by: Found) -> list[str]:
    never = by.get((NEVER_REPEATS, named("uncertainty", PUBLISHED)))
    random = by.get((MEMORYLESS, named("uncertainty", PUBLISHED)))
    if never is None or random is None or never.value is None or random.value is None:
        return []
    return [
        f"A player who draws pairs at random and never repeats one has a published weight of uncertainty of "
        f"{text(never)}, a memoryless one {text(random)}: a weight near the first is what not repeating gives, and no "
        "sign of a preference for what is uncertain."
    ]


def _uncertainty(name: str, by: Found) -> list[str]:
    ours, never = (by.get((group, named("uncertainty", PUBLISHED))) for group in (name, NEVER_REPEATS))
    exact, null = (by.get((name, named("uncertainty", kind))) for kind in (ALL, NULL))
    if ours is None or never is None:
        return []
    said = f"the published weight of uncertainty is {text(ours)}{_place(ours, never, null)}"
    if exact is not None:
        said += f"; among all pairs, with repeats and doubles apart, it is {text(exact)}{_verdict(exact)}"
    return [said]


def _place(ours: Estimate, never: Estimate, null: Estimate | None) -> str:
    """How a published weight lies to what repeating as the player does gives, or, without that, to never repeating."""
    if null is not None and null.value is not None:
        observed, p = _observed(null)
        if p >= 0.05:
            return f", not to be told from random choices that repeat as it does (p = {p:.2g})"
        more = "more" if observed > null.value else "less"
        return f", {more} than random choices that repeat as it does give (p = {p:.2g})"
    if ours.low is None or ours.high is None or never.low is None or never.high is None:
        return ""
    if ours.low > never.high:
        return ", more than not repeating gives"
    if ours.high < never.low:
        return ", less than not repeating gives"
    return ", not to be told from what not repeating gives"


def _observed(null: Estimate) -> tuple[float, float]:
    """The observed weight and the p-value that a null estimate tells in its method."""
    observed, _, p = null.method.rpartition("observed ")[2].partition(", p = ")
    return float(observed), float(p)


def _others(name: str, by: Found) -> list[str]:
    said = []
    ending = f" ({ALL})"
    for (group, full), one in by.items():
        term = full.removeprefix("weight of ").removesuffix(ending)
        if group == name and full.endswith(ending) and term not in ("uncertainty", "tried", "self_pair"):
            said.append(f"that of {term} among all pairs is {text(one)}{_verdict(one)}")
    return said


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
