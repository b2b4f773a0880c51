"""The findings in plain words, made from the estimates and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from athanor.analysis.arms import Arm, world_names, worlds_of
from athanor.analysis.exploration import CUT, FINAL, LEVEL_TEXT, WITHHELD, baselines_of, decimals
from athanor.analysis.multiplicity import ALL_HOLD, excludes_zero
from athanor.core.records import Estimate
from athanor.reports.text import listed, one_line

Found = dict[tuple[str, str], Estimate]
"""Estimates by arm and name."""

CALLED = {
    "random": "the memoryless random player",
    "random-never-repeat": "the random player that never repeats",
    "uncertainty": "the player that follows uncertainty",
    "oracle": "the oracle, which knows the table and takes what gives most at once,",
}
RANDOM = ("random", "random-never-repeat")
FEW = 10
"""Units below which an arm describes itself and little more."""
MUCH_CUT = 0.03
"""The share of answers cut at the token bound from which the findings tell it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found in one world: who discovered most, then each compared arm beside the random players."""

    world: str
    lead: str
    arms: tuple[tuple[str, str], ...]
    """Name of the arm, and what is said of it."""


def findings(arms: Sequence[Arm], found: Found) -> list[Finding]:
    """The findings, world by world."""
    worlds = worlds_of(arms)
    names = world_names(worlds)
    said = []
    for world in worlds:
        here = [arm for arm in arms if arm.world == world]
        kept = [arm for arm in here if arm.n]
        compared = tuple((_label(arm), _against(arm, kept, found)) for arm in here if not arm.baseline)
        said.append(Finding(world=one_line(names[world], 90), lead=" ".join(_leader(kept, found)), arms=compared))
    return said


def left_out(arms: Sequence[Arm]) -> str:
    """The episodes that no number counts, arm by arm, as sentences; empty if there are none."""
    said = []
    for arm in arms:
        if arm.errors:
            said.append(f"{_label(arm)}: {_episodes(arm.errors)} ended in an error and {_is(arm.errors)} left out.")
        if arm.unfinished:
            said.append(f"{_label(arm)}: {_episodes(arm.unfinished)} {_is(arm.unfinished)} not finished and left out.")
    return " ".join(said)


def few(arms: Sequence[Arm], found: Found) -> str:
    """That arms of few episodes are descriptive, as a sentence; empty if there are none."""
    small = [e.n for arm in arms if not arm.baseline and (e := found.get((arm.name, FINAL))) and 0 < e.n < FEW]
    if not small:
        return ""
    span = f"{min(small)}" if min(small) == max(small) else f"{min(small)} to {max(small)}"
    return (
        f"Arms of fewer than {FEW} episodes (here of {span}) are descriptive: they tell how those episodes went, and "
        "their intervals are wide or unknown."
    )


def _leader(kept: Sequence[Arm], found: Found) -> list[str]:
    """Who discovered most among those that do not know the table, and beside it what those reached who do."""
    if not kept:
        return ["No episode has ended without an error yet, so there is nothing to compare."]
    players = sorted(
        (arm for arm in kept if not arm.knows_table), key=lambda arm: -(found[arm.name, FINAL].value or 0.0)
    )
    said = []
    if players:
        most = " discovered most: it" if len(players) > 1 else ""
        first = found[players[0].name, FINAL]
        said.append(f"{_capital(_called(players[0]))}{most} ended with {_mean(first)}.")
    for oracle in (arm for arm in kept if arm.baseline == "oracle"):
        said.append(f"{_capital(_called(oracle))} reached {found[oracle.name, FINAL].value:.1f}.")
    told = [
        f"{_label(arm)} ({found[arm.name, FINAL].value:.1f})"
        for arm in kept if arm.knows_table and arm.baseline != "oracle"
    ]  # fmt: skip
    if told:
        one = len(told) == 1
        said.append(
            f"Not ranked, for {'it was' if one else 'they were'} given what the pairs make and no player could know "
            f"that: {listed(told)}."
        )
    return said


def _against(arm: Arm, kept: Sequence[Arm], found: Found) -> str:
    """Whether an arm beats the two random players, and how many of its answers were cut if many were."""
    if not arm.n:
        begun = arm.run.episodes.num_rows
        return "has no episode that ended without an error yet." if begun else "has not begun."
    head = f"ended with {_mean(found[arm.name, FINAL])}.{_cut(arm, found)}{_withheld(arm, found)}"
    random = [(other, name) for other, name in baselines_of(arm, kept) if other.baseline in RANDOM]
    if not random:
        return f"{head} No random player was played in the same world, so whether that is good is unknown."
    beside = [
        (
            found[arm.name, f"{FINAL} minus {name}"],
            CALLED[other.baseline or ""] + ("" if name == other.baseline else f" ({one_line(name, 60)})"),
        )
        for other, name in random
    ]
    said = "; it ".join(
        _verdict(difference, who, few=arm.n < FEW) + _alone(difference, found) for difference, who in beside
    )
    if any(difference.low is None for difference, _ in beside):
        said += "; whether that is more than chance is unknown"
    missing = [CALLED[agent] for agent in RANDOM if agent not in [other.baseline for other, _ in random]]
    return f"{head} It {said}." + "".join(f" {_capital(who)} was not played." for who in missing)


def _cut(arm: Arm, found: Found) -> str:
    cut = found.get((arm.name, CUT))
    if cut is None or cut.value is None or cut.value < MUCH_CUT:
        return ""
    bound = arm.run.manifest.config.get("max_tokens")
    of = f" of {bound} tokens" if isinstance(bound, int) else " of tokens"
    return f" {decimals(CUT, cut.value)} of its answers were cut at the bound{of}: it may have wanted to say more."


def _withheld(arm: Arm, found: Found) -> str:
    """How many answers the server's filter withheld, and how many the model refused to give."""
    said = {
        "filtered": "withheld by the server's content filter, which is not the model's mistake",
        "refused": "refused by the model",
    }
    counts = {cause: found.get((arm.name, name)) for cause, name in WITHHELD.items()}
    return "".join(f" {_answers(e)} {said[cause]}: invalid, for nothing was read." for cause, e in counts.items() if e)


def _answers(count: Estimate) -> str:
    return f"{count.value:.0f} of its answers {'was' if count.value == 1 else 'were'}"


def _verdict(difference: Estimate, who: str, *, few: bool) -> str:
    """How an arm compares; with `few` episodes only what those did."""
    value, low, high = difference.value, difference.low, difference.high
    if value is None:
        return f"cannot be compared with {who}"
    if low is None or high is None:
        return f"has {abs(value):.1f} {'more' if value >= 0 else 'fewer'} than {who} (interval unknown)"
    said = f"({_signed(value)}, {_signed(low)} to {_signed(high)})"
    if low > 0:
        return f"{'did better in these episodes than' if few else 'beats'} {who} {said}"
    if high < 0:
        return f"{'did worse in these episodes than' if few else 'falls short of'} {who} {said}"
    return f"cannot be told apart from {who} {said}"


def _alone(difference: Estimate, found: Found) -> str:
    """That a difference is told from zero by itself only, if it is."""
    together = found.get((difference.group, f"{difference.name}, {ALL_HOLD}"))
    alone = together is not None and excludes_zero(difference) and not excludes_zero(together)
    return " by itself only" if alone else ""


def _label(arm: Arm) -> str:
    return one_line(arm.short, 80)


def _called(arm: Arm) -> str:
    return CALLED[arm.baseline] if arm.baseline else _label(arm)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _mean(estimate: Estimate) -> str:
    if estimate.value is None:
        return "an unknown number of elements"
    head = f"{estimate.value:.1f} elements"
    if estimate.low is None or estimate.high is None:
        why = "one episode" if estimate.n == 1 else f"the same in all {_units(estimate)}"
        return f"{head} ({why}: the interval is unknown)"
    interval = f"{LEVEL_TEXT} interval {estimate.low:.1f} to {estimate.high:.1f}"
    return f"{head} on average ({interval}, {_units(estimate)})"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _units(estimate: Estimate) -> str:
    return f"{estimate.n} {estimate.unit}"


def _episodes(n: int) -> str:
    return f"{n} episode" if n == 1 else f"{n} episodes"


def _is(n: int) -> str:
    return "is" if n == 1 else "are"
