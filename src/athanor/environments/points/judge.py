"""The exact judge of an answer: one class, one reward, and a reason that tells nothing of the solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from athanor.core.records import Unreadable
from athanor.environments.points.cards import rank_of, ranks_of
from athanor.environments.points.formula import Broken, Ratio, plain, read, shown
from athanor.environments.points.solver import solutions
from athanor.environments.points.state import Answer, Hand, Judgement

REWARDS = {"solved": 5.0, "value": -1.0, "cards": -1.5, "numbers": -2.0, "form": -3.0}
"""By class, the most severe last, as published (Chu et al. 2025, section 4.1). `value`: the right numbers make another
value. `cards`: the cards of the picture were not told right. `numbers`: other numbers than the hand's, or not each
once. `form`: no formula, or one with a sign, an order or a bracket that is not allowed."""


class Judge(Protocol):
    """Judges an answer to a hand."""

    @property
    def name(self) -> str: ...

    @property
    def vision(self) -> bool: ...

    def judge(self, hand: Hand, action: Answer | Unreadable) -> Judgement: ...

    def gold(self, hand: Hand) -> Answer | None:
        """An answer that passes; None where none can."""
        ...


@dataclass(frozen=True, kw_only=True)
class Exact:
    """Exact fractions, and the reward of the most severe class that an answer falls into.

    Parts: `value` of the formula as an exact number ("8/3"; None if it divides by zero or could not be read);
    `cards` and `numbers`, whether what was said of them is right (None if nothing was said).
    """

    vision: bool = False
    """Whether the cards are shown as a picture: then they must be told right."""
    hint: bool = False
    """Whether the reason of a wrong value tells the longest beginning of a solution that the answer has, as the
    published feedback does. That gives the model what only the solver knows."""
    name: str = "exact"

    def judge(self, hand: Hand, action: Answer | Unreadable) -> Judgement:
        if isinstance(action, Unreadable):
            return _judged("form", action.unreadable, {"value": None})
        said = recognised(hand, action)
        formula = plain(action.formula)
        found = read(formula)
        if isinstance(found, Broken):
            return _judged("form", f"the formula cannot be read: {found.why}", {"value": None, **said})
        said["value"] = None if found.value is None else shown(found.value)
        values = hand.values
        if sorted(found.numbers) != sorted(values):
            return _judged("numbers", _off(found.numbers, values), said)
        if self.vision and not said.get("cards"):
            told = "are not those of the picture" if "cards" in said else "of the picture were not told"
            return _judged("cards", f"the cards {told}", said)
        if _is(found.value, hand.target):
            return _judged("solved", f"the formula makes {hand.target}", said)
        makes = "divides by zero" if found.value is None else f"makes {said['value']}"
        return _judged("value", f"the formula {makes}, not {hand.target}{self._hint(hand, formula)}", said)

    def gold(self, hand: Hand) -> Answer | None:
        found = solutions(hand.values, hand.target)
        return gold(hand, found[0]) if found else None

    def _hint(self, hand: Hand, formula: str) -> str:
        if not self.hint:
            return ""
        close = formula.replace(" ", "")
        begun = max((_common(close, one) for one in solutions(hand.values, hand.target)), key=len, default="")
        return f"; a solution begins with {begun}" if begun else "; no solution begins as it does"


def gold(hand: Hand, formula: str) -> Answer:
    """An answer with everything said right."""
    return Answer(formula=f"{formula}={hand.target}", cards=tuple(map(rank_of, hand.cards)), numbers=hand.values)


def recognised(hand: Hand, answer: Answer) -> dict[str, Any]:
    """By `cards` and `numbers`, left out where nothing was said: whether what was said is the hand's, in any order."""
    said: dict[str, Any] = {}
    if answer.cards is not None:
        ranks = ranks_of(hand.cards)
        said["cards"] = answer.cards == ranks or sorted(answer.cards) == sorted(ranks)
    if answer.numbers is not None:
        said["numbers"] = answer.numbers == hand.values or sorted(answer.numbers) == sorted(hand.values)
    return said


def _off(used: tuple[int, ...], values: tuple[int, ...]) -> str:
    """How the numbers of a formula are not the hand's."""
    left, foreign = list(values), []
    for number in used:
        if number in left:
            left.remove(number)
        else:
            foreign.append(number)
    parts = [f"{', '.join(map(str, foreign[:8]))} too many"] if foreign else []
    parts += [f"{', '.join(map(str, left))} missing"] if left else []
    return f"the formula does not use each number of the hand once: {'; '.join(parts)}"


def _is(value: Ratio | None, target: int) -> bool:
    return value is not None and value[0] == target * value[1]


def _common(one: str, other: str) -> str:
    """The longest beginning that two texts share."""
    length = next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


def _judged(kind: str, reason: str, parts: dict[str, Any]) -> Judgement:
    return Judgement(kind=kind, reward=REWARDS[kind], passed=kind == "solved", reason=reason, parts=parts)
