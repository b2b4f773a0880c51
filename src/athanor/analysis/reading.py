"""What weights say, in words: an arm beside the random players, and by which estimate."""

from __future__ import annotations

from collections.abc import Sequence

from athanor.analysis.weights import ALL, MEMORYLESS, NEVER_REPEATS, NULL, PUBLISHED, TOGETHER, named
from athanor.core.records import Estimate


def readings(found: Sequence[Estimate]) -> list[str]:
    """Sentences on the weights of one world and its rules: what not repeating gives, then each group of players."""
    by = {(one.group, one.name): one for one in found}
    said = _of_the_random_players(by)
    for name in dict.fromkeys(one.group for one in found):
        if name not in (TOGETHER, NEVER_REPEATS, MEMORYLESS):
            said += [*_uncertainty(name, by), *_others(name, by)]
    return said


Found = dict[tuple[str, str], Estimate]


def _of_the_random_players(by: Found) -> list[str]:
    never = by.get((NEVER_REPEATS, named("uncertainty", PUBLISHED)))
    random = by.get((MEMORYLESS, named("uncertainty", PUBLISHED)))
    if never is None or random is None:
        return []
    return [
        f"A player who draws pairs at random and never repeats one has a published weight of uncertainty of "
        f"{text(never)}, a memoryless one {text(random)}: a weight near the first is what not repeating gives, and no "
        "sign of a preference for what is uncertain."
    ]


def _uncertainty(name: str, by: Found) -> list[str]:
    ours, never = (
        by.get((name, named("uncertainty", PUBLISHED))),
        by.get((NEVER_REPEATS, named("uncertainty", PUBLISHED))),
    )
    exact = by.get((name, named("uncertainty", ALL)))
    if ours is None or never is None or ours.value is None:
        return []
    if ours.low is None or ours.high is None or never.low is None or never.high is None:
        place = "how it lies to that of never repeating is not known"
    elif ours.low > never.high:
        place = "more than not repeating gives"
    elif ours.high < never.low:
        place = "less than not repeating gives"
    else:
        place = "not to be told from what not repeating gives"
    said = f"{name}: the published weight of uncertainty is {text(ours)}, {place}"
    if exact is not None:
        said += f"; among all pairs, with repeats and doubles apart, it is {text(exact)}{_verdict(exact)}"
    null = by.get((name, named("uncertainty", NULL)))
    return [said + "." + (f" Random choices that repeat as it does give {text(null)}." if null else "")]


def _others(name: str, by: Found) -> list[str]:
    said = []
    ending = f" ({ALL})"
    for (group, full), one in by.items():
        term = full.removeprefix("weight of ").removesuffix(ending)
        if group == name and full.endswith(ending) and term not in ("uncertainty", "tried", "self_pair"):
            said.append(f"{name}: the weight of {term} among all pairs is {text(one)}{_verdict(one)}.")
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
