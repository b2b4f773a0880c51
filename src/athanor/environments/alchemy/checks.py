"""The table and its verifier, tried."""

from __future__ import annotations

from itertools import islice

from athanor.core.replay import Complaint, validate
from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.state import Pair
from athanor.environments.alchemy.text import AlchemyDialogue
from athanor.environments.alchemy.verifier import Discovery

TASKS = 100
"""Targeted tasks tried of each split."""


def complaints(environment: Alchemy, seed: int) -> tuple[int, tuple[Complaint, ...]]:
    """Tasks tried, and the answers on which the verifier failed: gold must pass, empty talk must not."""
    splits = [list(islice(environment.tasks(split, seed), TASKS)) for split in environment.splits]
    tasks = [task for split in splits for task in split]
    dialogue = AlchemyDialogue(environment=environment)
    echoed = []
    for task in tasks:
        seen = environment.observe(environment.start(task))
        echoed.append(dialogue.hear(f"{dialogue.rules()}\n{dialogue.say(seen, None)}", seen))
    table = environment.table
    makes_nothing = (
        Pair(first=first, second=second)
        for i, first in enumerate(table.elements)
        for second in table.elements[i:]
        if (min(first, second), max(first, second)) not in table.results
    )
    found = validate(environment, Discovery(environment=environment), tasks, constant=next(makes_nothing), echoed=echoed)
    return len(tasks), found
