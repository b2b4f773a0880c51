"""Arms beside their baselines in words, for the reports of tasks that are solved or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from athanor.analysis.arms import Arm
from athanor.core.records import Estimate
from athanor.reports.shares import points
from athanor.reports.text import one_line
from athanor.reports.words import Finding


def title(what: str, arms: Sequence[Arm]) -> str:
    """What is reported, and how many arms and baselines there are."""
    numbers = sum(arm.baseline is None for arm in arms), len({arm.baseline for arm in arms if arm.baseline})
    said = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(numbers, ("arm", "baseline"), strict=True) if n]
    return f"{what}: {' against '.join(said)}"


def finding(
    world: str, here: Sequence[Arm], did: str, told: Callable[[Arm], str], said: Callable[[Arm], str]
) -> Finding:
    """What the baselines of a world did, told of each, and what is said of every other arm."""
    lead = "; ".join(f"{one_line(arm.short, 80)} {did} {told(arm)}" for arm in here if arm.baseline and arm.n)
    return Finding(
        world=world, lead=f"{lead[:1].upper()}{lead[1:]}." if lead else "No baseline was played.",
        arms=tuple((one_line(arm.short, 80), said(arm)) for arm in here if not arm.baseline),
    )  # fmt: skip


def verdict(difference: Estimate, other: Arm, did: str, task: str) -> str:
    """How an arm compares with another by a difference of shares of tasks."""
    value, low, high, name = difference.value, difference.low, difference.high, one_line(other.short, 80)
    if value is None:
        return f"has no {task} in common with {name}"
    if low is None or high is None:
        word = f"{did} {'as many as' if not value else 'more than' if value > 0 else 'fewer than'}"
    else:
        word = "beats" if low > 0 else "falls short of" if high < 0 else "cannot be told apart from"
    return f"{word} {name} ({points(difference)})"
