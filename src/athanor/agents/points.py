"""The agents of points by name: the solver, chance, a person, a language model; a small policy has its own file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from athanor.agents.asking import ModelOptions, bound_of, language
from athanor.agents.human import Human
from athanor.core.history import History
from athanor.core.protocols import Agent, Backend
from athanor.core.records import Decision, Unreadable
from athanor.core.seeds import below
from athanor.environments.points import Answer, Points, Seen
from athanor.environments.points.answers import read
from athanor.environments.points.cards import rank_of
from athanor.environments.points.chu2025 import written
from athanor.environments.points.solver import solutions
from athanor.environments.points.state import hand
from athanor.environments.points.text import PointsDialogue

PointsAgentName = Literal["gold", "random", "human", "policy", "language"]
Skin = tuple[Points, PointsDialogue]
"""The environment, and the words and pictures in which it is told."""


def answer(seen: Seen, formula: str) -> Answer:
    """A formula with cards and numbers told right, and the whole as both verifiers read it."""
    dealt = hand(seen.cards, seen.rule, seen.target)
    return Answer(
        formula=f"{formula}={seen.target}", cards=tuple(map(rank_of, seen.cards)), numbers=dealt.values,
        text=written(dealt, formula),
    )  # fmt: skip


@dataclass(frozen=True)
class Gold:
    """Answers with a solution that the environment's verifier lets pass; with an exact one where it lets none."""

    environment: Points
    name: str = "gold"

    async def act(self, observation: Seen, history: History[Answer], rng: np.random.Generator) -> Decision[Answer]:
        dealt = hand(observation.cards, observation.rule, observation.target)
        passing = self.environment.judge.gold(dealt)
        found = [passing.formula.split("=")[0]] if passing else solutions(dealt.values, dealt.target)
        if not found:
            return Decision(action=Unreadable(unreadable=f"no formula makes {dealt.target}"))
        return Decision(action=answer(observation, found[0]))


@dataclass(frozen=True)
class RandomFormula:
    """Right numbers, random operators and brackets: what chance solves. It remembers nothing.

    Two of the numbers, then two of what is there, and so on, are joined by one of the four operations, all uniformly.
    """

    name: str = "random"

    async def act(self, observation: Seen, history: History[Answer], rng: np.random.Generator) -> Decision[Answer]:
        numbers = hand(observation.cards, observation.rule, observation.target).values
        return Decision(action=answer(observation, random_formula(numbers, rng)))


def random_formula(numbers: Sequence[int], rng: np.random.Generator) -> str:
    """A formula that has each of the numbers once."""
    parts = list(map(str, numbers))
    while len(parts) > 1:
        left = parts.pop(below(rng, len(parts)))
        right = parts.pop(below(rng, len(parts)))
        joined = f"{left}{'+-*/'[below(rng, 4)]}{right}"
        parts.append(f"({joined})" if parts else joined)
    return parts[0]


def typed(reply: str, seen: Seen) -> Answer | Unreadable:
    """What a person typed: a formula is enough, and the cards count as told right."""
    found = read(reply)
    return found if isinstance(found, Unreadable) else answer(seen, found.formula.split("=")[0].strip())


def max_tokens_of(options: ModelOptions, *, server: bool = False) -> int:
    """The bound on an answer's tokens, by default that of the published evaluation."""
    return bound_of(options, 256, server=server)


POINTS_AGENTS: dict[PointsAgentName, Callable[[Skin, ModelOptions, Backend | None], Agent[Any, Any]]] = {
    "gold": lambda skin, options, backend: Gold(skin[0]),
    "random": lambda skin, options, backend: RandomFormula(),
    "human": lambda skin, options, backend: Human(
        dialogue=skin[1], hear=typed, shows="the hand and what you have tried",
        form="a formula, like this: (10-4)*(3+1)",
    ),
    "language": lambda skin, options, backend: language(options, skin[1], backend, max_tokens_of(options)),
}  # fmt: skip
