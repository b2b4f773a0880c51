"""What a target and a rule leave to solve, and their judge tried from both sides."""

from __future__ import annotations

from itertools import islice

from athanor.core.records import Record, Unreadable
from athanor.core.replay import Complaint, validate
from athanor.environments.points.cards import Rule
from athanor.environments.points.deal import SHARES, multisets, part_of
from athanor.environments.points.environment import Grade, Points
from athanor.environments.points.solver import solutions, solvable
from athanor.environments.points.state import Answer

TASKS = 100
"""Hands tried of each split."""


class Counts(Record, kw_only=True):
    """How many hands (multisets of ranks that a deck can deal) there are, and how many of them can be solved."""

    rule: str
    cards: int
    target: int
    hands: int
    with_face: int
    """Hands with a J, Q or K."""
    solvable: int
    solvable_with_face: int
    solvable_without_face: int
    solvable_by_faces: tuple[int, ...]
    """By the number of face cards, none first."""
    multisets: int
    """Different multisets of numbers among the solvable hands: what the splits part."""
    multisets_by_part: dict[str, int]
    solutions: tuple[int, int, int]
    """Fewest, median and most solutions of a solvable hand, each counted in its one form."""


def counts(cards: int, rule: Rule, target: int) -> Counts:
    """Counts over every hand. For six cards this takes minutes."""
    every = multisets(cards)
    valued = {row: tuple(rule.values[rank] for rank in row) for row in every}
    good = [row for row in every if solvable(valued[row], target)]
    faces = [sum(rank > 9 for rank in row) for row in good]
    numbers = {tuple(sorted(valued[row])) for row in good}
    parts = [part_of(values) for values in numbers]
    ways = sorted(len(solutions(values, target)) for values in numbers) or [0]
    return Counts(
        rule=rule.name, cards=cards, target=target, hands=len(every),
        with_face=sum(max(row) > 9 for row in every), solvable=len(good),
        solvable_with_face=sum(map(bool, faces)), solvable_without_face=faces.count(0),
        solvable_by_faces=tuple(faces.count(k) for k in range(cards + 1)), multisets=len(numbers),
        multisets_by_part={part: parts.count(part) for part in SHARES},
        solutions=(ways[0], ways[len(ways) // 2], ways[-1]),
    )  # fmt: skip


def complaints(environment: Points, seed: int) -> tuple[int, tuple[Complaint, ...]]:
    """Hands tried, and the answers on which the verifier failed. Hands that the judge lets nobody solve are not
    tried. The constant answer is the target itself; the echo is what is heard when the prompt is given back.
    """
    verifier, found, tried = Grade(environment=environment), [], 0
    for split in environment.splits:
        dealt = list(islice(environment.tasks(split, seed), TASKS))
        hands = {task.key: environment.start(task) for task in dealt}
        different = {
            tuple(sorted(hands[task.key].values)): task for task in dealt
        }  # equal numbers have equal solutions
        tasks = [task for task in different.values() if environment.judge.gold(hands[task.key]) is not None]
        tried += len(tasks)
        constant = Answer(formula=str(environment.target), text=str(environment.target))
        found += validate(
            environment, verifier, tasks, constant=constant, echoed=[_echo(environment, t) for t in tasks]
        )
    return tried, tuple(found)


def _echo(environment: Points, task) -> Answer | Unreadable:
    """What is heard when a model gives its prompt back."""
    from athanor.environments.points.text import PointsDialogue

    dialogue, seen = PointsDialogue(), environment.observe(environment.start(task))
    return dialogue.hear(f"{dialogue.rules()}\n{dialogue.say(seen, None)}", seen)
