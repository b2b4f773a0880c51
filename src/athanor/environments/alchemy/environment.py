"""Little Alchemy as an environment: open-ended discovery, and targeted tasks over the same rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Record, Step, Task, Unreadable
from athanor.core.seeds import stream
from athanor.environments.alchemy.rules import Rules
from athanor.environments.alchemy.state import Inventory, Pair, Sight
from athanor.environments.alchemy.table import Names, Table

DISTRACTORS = 8
"""Elements beside the ingredients that a targeted task starts with, at most."""


class Content(Record, kw_only=True):
    """What a task starts from: the table it belongs to, the inventory, and the element to make ("" if open)."""

    table: str
    """Name of the table and the first digits of its digest."""
    start: tuple[str, ...]
    goal: str = ""


@dataclass(frozen=True, kw_only=True)
class Alchemy:
    """Two elements are combined a turn; what they make joins the inventory.

    Splits: `open` is one task, to discover as much as possible from the base elements and the gifts that these earn at
    once. `train` and `test` are targeted tasks (make this element in one turn from these few), parted by a hash of the
    element to make. DataError if the rules let no element of the base be combined.
    """

    table: Table
    rules: Rules
    name: str = "alchemy"
    action_type: type[Pair] = Pair
    splits: tuple[str, ...] = ("open", "train", "test")

    def __post_init__(self) -> None:
        if not self.observe(self.rules.start(self.table, self.table.base)).combinable:
            raise DataError(
                f"table {self.table.name} leaves nothing to combine under the rules {self.rules.name}: every element "
                "of its base is final; give one of them a recipe, or pass other --rules"
            )

    def tasks(self, split: str, seed: int) -> Iterator[Task]:
        if split not in self.splits:
            raise UsageError(f"split {split!r} is not one of {', '.join(self.splits)}; pass one of them")
        if split == "open":
            yield self._task(split, "open", self.rules.start(self.table, self.table.base).owned, "")
            return
        goals = [goal for goal in self._makeable if split_of(goal) == split]
        order = stream(seed, "tasks", split).permutation(len(goals))
        for position in order:
            goal = goals[position]
            yield self._task(split, goal, self._start(goal, seed), goal)

    def start(self, task: Task) -> Inventory:
        content = self.content(task)
        return self.rules.start(self.table, content.start, content.goal)

    def observe(self, state: Inventory) -> Sight:
        if state.due:
            state = self.rules.settle(self.table, state)
        return Sight(owned=state.owned, combinable=state.combinable, goal=state.goal)

    def step(self, state: Inventory, action: Pair | Unreadable) -> Step[Inventory]:
        after = self.rules.combine(self.table, state, action)
        over = after.goal in after.known if after.goal else self.rules.exhausted(after)
        return Step(state=after, terminated=over)

    def content(self, task: Task) -> Content:
        """A task's content, typed. DataError if the task is of another table."""
        try:
            content = msgspec.convert(task.content, Content)
        except msgspec.ValidationError as error:
            raise DataError(
                f"task {task.key} is not a task of alchemy ({error}); play it with its environment"
            ) from error
        if content.table != self.table_name:
            raise DataError(
                f"task {task.key} is of the table {content.table}, this environment has {self.table_name}; "
                "pass the table that the task was made with"
            )
        return content

    @property
    def table_name(self) -> str:
        """Name and digest, short: two tables with the same one are the same."""
        return f"{self.table.name}@{self.table.digest[:12]}"

    def _task(self, split: str, key: str, start: tuple[str, ...], goal: str) -> Task:
        content = {"table": self.table_name, "start": list(start), "goal": goal}
        return Task(environment=self.name, split=split, key=key, content=content)

    @cached_property
    def _makeable(self) -> dict[str, Names]:
        """Each element that one turn can make, with the first pair that does."""
        found: dict[str, Names] = {}
        for pair, made in self.table.results.items():
            for result in made if self.rules.results == "all" else made[:1]:
                if result not in pair:
                    found.setdefault(result, pair)
        return found

    def _start(self, goal: str, seed: int) -> tuple[str, ...]:
        """The ingredients of one recipe among distractors, in a random order."""
        pair = self._makeable[goal]
        rng = stream(seed, "distractors", goal)
        pool = [e for e in self.table.elements if e not in pair and e != goal and e not in self.table.finals]
        chosen = rng.choice(len(pool), size=min(DISTRACTORS, len(pool)), replace=False)
        start = [*dict.fromkeys(pair), *(pool[i] for i in chosen)]
        return tuple(start[i] for i in rng.permutation(len(start)))


def split_of(goal: str) -> str:
    """`test` for a fifth of all elements, `train` for the rest, by a hash of the name alone."""
    return "test" if hashlib.sha256(goal.encode()).digest()[0] < 51 else "train"
