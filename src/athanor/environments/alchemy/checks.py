"""The table and its verifier, tried."""

from __future__ import annotations

from itertools import islice

from athanor.core.records import Task, Unreadable
from athanor.core.replay import Complaint, validate
from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.state import Pair
from athanor.environments.alchemy.table import ordered
from athanor.environments.alchemy.text import AlchemyDialogue
from athanor.environments.alchemy.verifier import Discovery

TASKS = 100
"""Targeted tasks tried of each split."""


def complaints(environment: Alchemy, seed: int) -> tuple[int, tuple[Complaint, ...]]:
    """Tasks tried, and the answers on which the verifier failed: gold must pass, empty talk must not.

    The open task is tried beside a targeted one whose gold pair is not owned in it, so that under rules that
    enforce ownership that pair must fail.
    """
    verifier = Discovery(environment=environment)
    opened = next(environment.tasks("open", seed))
    targeted = [task for split in environment.splits[1:] for task in islice(environment.tasks(split, seed), TASKS)]
    base = set(environment.table.base)
    far = [t for t in targeted if not {verifier.gold(t).first, verifier.gold(t).second} <= base]
    found: list[Complaint] = []
    for tasks in ([opened, *far[:1]], targeted):
        echoed = [_echo(environment, task) for task in tasks]
        found += validate(environment, verifier, tasks, constant=_nothing(environment), echoed=echoed)
    return 1 + len(targeted), tuple(found)


def _echo(environment: Alchemy, task: Task) -> Pair | Unreadable:
    """What is heard when a model gives its prompt back."""
    dialogue = AlchemyDialogue(environment=environment)
    seen = environment.observe(environment.start(task))
    return dialogue.hear(f"{dialogue.rules()}\n{dialogue.say(seen, None)}", seen)


def _nothing(environment: Alchemy) -> Pair | None:
    """The first pair that makes nothing, if there is one."""
    table = environment.table
    barren = (
        Pair(first=first, second=second)
        for i, first in enumerate(table.elements)
        for second in table.elements[i:]
        if ordered(first, second) not in table.results
    )
    return next(barren, None)
