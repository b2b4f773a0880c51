"""The judge of a turn: five behaviour categories, with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from athanor.core.errors import DataError
from athanor.core.records import Task, Unreadable, Verdict
from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.rules import Cause
from athanor.environments.alchemy.state import Inventory, Pair
from athanor.environments.alchemy.table import ordered

CATEGORIES = ("success-new", "success-existing", "failure-new", "failure-existing", "invalid")
"""Success: the pair is in the table. New: it was not combined before in this episode (Pan et al. 2025)."""

_REFUSED: dict[Cause, str] = {
    "unreadable": "no pair could be read",
    "filtered": "the server's content filter withheld the answer",
    "refused": "the model refused to answer",
    "unknown": "it names something that is not an element",
    "unowned": "it names an element that is not owned",
    "final": "it names a final element, which cannot be combined",
}


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """Judges turns of `Alchemy`.

    The reward is the number of new elements that the combination made, gifts aside. A turn passes when it makes
    the goal, or in open-ended play anything new. `Verdict.parts` has: `category`, one of CATEGORIES; `cause` of an
    invalid turn (unreadable, filtered, refused, unknown, unowned, final); `new`, elements made; `gifts`, elements given
    since the last turn's judgement; `foreign`, when rules that do not enforce ownership looked up what was not owned
    (`unowned`) or does not exist (`unknown`). `cause` of an unowned name in a pair with an unknown one is unknown.
    """

    environment: Alchemy

    def verify(self, task: Task, before: Inventory, action: Pair | Unreadable, after: Inventory) -> Verdict:
        rules, table = self.environment.rules, self.environment.table
        settled = rules.settle(table, before) if before.due else before
        cause = rules.refuse(table, settled, action)
        gifts = after.gifts[len(before.gifts) :] if after.gifts else ()
        if cause or not isinstance(action, Pair):
            return _invalid(action, cause or "unreadable", gifts)
        first, second = pair = ordered(action.first, action.second)
        made = table.results.get(pair)
        repeated = pair in before.tried
        if made is None:
            new = []
            parts: dict[str, Any] = {"category": "failure-existing" if repeated else "failure-new"}
        else:
            new = [e for e in after.owned[len(before.owned) :] if e not in gifts]
            parts = {"category": "success-existing" if repeated else "success-new"}
            if new:
                parts["new"] = new
        if gifts:
            parts["gifts"] = list(gifts)
        if not rules.ownership and not (first in settled.known and second in settled.known):
            parts["foreign"] = "unowned" if first in table.index and second in table.index else "unknown"
        passed = after.goal in new if after.goal else bool(new)
        return Verdict(reward=float(len(new)), passed=passed, reason=_reason(action, made, new), parts=parts)

    def gold(self, task: Task) -> Pair:
        """A pair that passes from the task's start: for the goal, or for the most new elements."""
        content = self.environment.content(task)
        best: tuple[int, Pair] | None = None
        start = self.environment.start(task)
        for i, first in enumerate(content.start):
            for second in content.start[i:]:
                one, other = ordered(first, second)
                pair = Pair(first=one, second=other)
                after = self.environment.step(start, pair).state
                new = len(after.owned) - len(start.owned)
                if new and (not content.goal or content.goal in after.known) and (best is None or new > best[0]):
                    best = (new, pair)
        if best is None:
            raise DataError(f"task {task.key} has no pair that passes; the table or the task is broken")
        return best[1]


def _invalid(action: Pair | Unreadable, cause: Cause, gifts: tuple[str, ...]) -> Verdict:
    why = f": {action.unreadable}" if isinstance(action, Unreadable) else f" ({action})"
    parts: dict[str, Any] = {"category": "invalid", "cause": cause}
    if gifts:
        parts["gifts"] = list(gifts)
    return Verdict(reward=0.0, passed=False, reason=_REFUSED[cause] + why, parts=parts)


def _reason(action: Pair, made: tuple[str, ...] | None, new: list[str]) -> str:
    if not made:
        return f"{action.first} + {action.second} makes nothing"
    if not new:
        return f"{action.first} + {action.second} makes {', '.join(made)}, which is already owned"
    return f"{action.first} + {action.second} makes {', '.join(new)}"
