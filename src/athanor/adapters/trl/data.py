"""Hands of GeneralPoints as datasets: conversations to be answered, with right answers or with the task to judge by."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from athanor.adapters.trl.worked import worked
from athanor.agents.points import random_formula
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Task, Turn
from athanor.core.seeds import below, digest, stream
from athanor.environments.points import Answer, Deal, Points, rule
from athanor.environments.points.cards import SUITS
from athanor.environments.points.drawing import LOOKS, draw
from athanor.environments.points.environment import Grade
from athanor.environments.points.judge import Judge, gold
from athanor.environments.points.solver import solutions
from athanor.environments.points.state import Seen
from athanor.environments.points.text import PointsDialogue

MANY = "many"
"""In place of the names of rules: J, Q and K mean numbers of 1 to 10, drawn anew for every hand."""
LEADS = ("", "Here is a new hand.", "Please solve the puzzle below.", "Work on this hand of cards.")
"""What a varied prompt may begin with."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which hands are dealt, and what of them is told and taught."""

    hands: int | None = None
    """Hands dealt, shown again when they are used up; left out, as many as the steps need."""
    solutions: Literal["canonical", "random", "all"] | None = None
    """sft: a hand's first solution, one at random, or every one as its own example; left out, the preset's."""
    answers: str = ""
    """sft: the right answers of a model's own in a run folder of `play points`, in place of solutions."""
    thoughts: bool = False
    """sft: answers begin with the solver's steps."""
    turns: Literal[1, 2] = 1
    """sft: 2 has every second answer put a wrong one right, which is not learned."""
    rules: tuple[str, ...] = ()
    """Further rules beside --rule, each as often; or many: for every hand three numbers of 1 to 10, drawn anew."""
    varied: bool = False
    """Prompts that differ in their first sentence and in the order of their parts."""
    target: int = 24
    """The number to be made."""
    cards: int = 4
    """Cards of a hand."""
    faces: Literal["any", "some", "none"] = "any"
    """Whether a hand may, must or must not have a J, Q or K."""
    suits: str = SUITS
    """Suits in the deck; SC is the published training set of pictures."""
    replacement: bool | None = None
    """Whether one card may be dealt twice, as in the published code; left out, the preset's."""
    look: str = ""
    """How the cards are drawn, for vision-language models; empty names them in words."""


class Row(NamedTuple):
    """A hand that is asked."""

    task: Task
    seen: Seen
    prompt: list[dict[str, Any]]


def environment_of(data: Data, name: str, judge: Judge) -> Points:
    """The environment that deals hands under a rule."""
    deal = Deal(cards=data.cards, faces=data.faces, suits=data.suits, replacement=bool(data.replacement))
    return Points(rule=rule(name), target=data.target, deal=deal, judge=judge)


def dialogue_of(data: Data) -> PointsDialogue:
    """The words in which hands are told. UsageError for a look that there is none of."""
    if data.look and data.look not in LOOKS:
        raise UsageError(f"look {data.look!r} is not one of {', '.join(LOOKS)}; pass --data.look with one of them")
    return PointsDialogue(look=LOOKS[data.look] if data.look else None)


def rows(data: Data, first: str, judge: Judge, split: str, seed: int, count: int) -> Iterator[Row]:
    """Hands in the order in which they are dealt; the rule of each is drawn by its number. Rules beside the first deal
    hands of their own."""
    dealt: dict[str, tuple[Points, Iterator[Task]]] = {}
    dialogue = dialogue_of(data)
    for number in range(count):
        name = _rule(data, first, seed, number)
        if name not in dealt:
            environment = environment_of(data, name, judge)
            dealt[name] = environment, environment.tasks(split, seed if name == first else digest(seed, name) % 2**31)
        environment, tasks = dealt[name]
        task = next(tasks)
        seen = environment.observe(environment.start(task))
        said = dialogue.say(seen, None)
        said = _varied(said, seed, number) if data.varied else said
        prompt = [{"role": "system", "content": dialogue.rules()}, {"role": "user", "content": said}]
        yield Row(task, seen, prompt)


def _rule(data: Data, first: str, seed: int, number: int) -> str:
    """The name of a hand's rule."""
    rng = stream(seed, "rule", number)
    if data.rules == (MANY,):
        return "-".join(str(1 + below(rng, 10)) for _ in range(3))
    names = list(dict.fromkeys((first, *data.rules)))
    return names[below(rng, len(names))]


def _varied(said: str, seed: int, number: int) -> str:
    """The parts of a prompt in either order, after one of LEADS."""
    rng = stream(seed, "wording", number)
    parts = said.split("\n")
    parts = parts[::-1] if rng.random() < 0.5 else parts
    lead = LEADS[below(rng, len(LEADS))]
    return "\n".join([lead, *parts] if lead else parts)


def asked(data: Data, found: Iterator[Row]) -> list[dict[str, Any]]:
    """Rows to be answered: `prompt`, `task` as JSON, and `cards` where they are drawn."""
    return [
        {"prompt": one.prompt, "task": msgspec.json.encode(one.task).decode(), **shown(data, one.seen)} for one in found
    ]


def answered(data: Data, judge: Judge, found: Iterator[Row], seed: int) -> list[dict[str, Any]]:
    """Rows with right answers: `prompt` and `completion`. Every answer is judged before it is taught.

    Answers that the judge fails (the published one: those that floating-point arithmetic misses) are left out, and
    counted on standard error. DataError if none is left.
    """
    taught, left_out = [], 0
    for number, one in enumerate(found):
        environment = environment_of(data, one.task.content["rule"], judge)
        for formula in _chosen(data, one, seed, number):
            text = answer(one.seen, formula, thoughts=data.thoughts)
            if not passes(data, environment, one, text):
                left_out += 1
                continue
            wrong = revised(data, environment, one, seed, number) if data.turns == 2 and number % 2 else []
            completion = [{"role": "assistant", "content": text}]
            taught.append({"prompt": [*one.prompt, *wrong], "completion": completion, **shown(data, one.seen)})
    if left_out:
        print(f"{left_out} answers are right and not so to the judge {judge.name}; left out", file=sys.stderr)
    if not taught:
        raise DataError(f"the judge {judge.name} passes no answer to these hands; pass another --verifier")
    return taught


def passes(data: Data, environment: Points, one: Row, text: str) -> bool:
    """Whether an answer to a hand solves it, read as in play."""
    action = dialogue_of(data).hear(text, one.seen)
    return environment.step(environment.start(one.task), action).terminated


def revised(data: Data, environment: Points, one: Row, seed: int, number: int) -> list[dict[str, Any]]:
    """A wrong answer and what the verifier says of it, in the words of play: the hand's numbers, joined by chance."""
    rng, state, dialogue = stream(seed, "wrong", number), environment.start(one.task), dialogue_of(data)
    while True:
        text = answer(one.seen, random_formula(state.values, rng))
        action = dialogue.hear(text, one.seen)
        after = environment.step(state, action)
        if not after.terminated:
            break
    verdict = Grade(environment=environment).verify(one.task, state, action, after.state)
    told = dialogue.say(one.seen, Turn(index=0, observation=one.seen, action=action, verdict=verdict))
    return [{"role": "assistant", "content": text}, {"role": "user", "content": told}]


def answer(seen: Seen, formula: str, *, thoughts: bool = False) -> str:
    """A right answer in the form that the prompt asks for, on a line of its own after the steps if there are any."""
    environment = Points(rule=seen.rule, target=seen.target)
    state = environment.start(
        Task(environment="points", split="all", key="", content={
            "cards": list(seen.cards), "rule": seen.rule.name, "target": seen.target,
        })
    )  # fmt: skip
    told: Answer = gold(state, formula)
    said = json.dumps({"cards": told.cards, "number": told.numbers, "formula": told.formula})
    return "\n".join([*worked(formula), said]) if thoughts else said


def _chosen(data: Data, one: Row, seed: int, number: int) -> tuple[str, ...]:
    found = solutions([one.seen.rule.value(card) for card in one.seen.cards], one.seen.target)
    match data.solutions:
        case "canonical":
            return found[:1]
        case "random":
            return (found[below(stream(seed, "solution", number), len(found))],)
        case _:
            return found


def shown(data: Data, seen: Seen) -> dict[str, Any]:
    """The column `cards`, of which `picture` is drawn when it is needed; nothing for hands in words."""
    return {"cards": list(seen.cards)} if data.look else {}


def picture(data: Data, cards: Sequence[str]) -> Any:
    """A hand as it is drawn."""
    from PIL import Image

    return Image.open(io.BytesIO(draw(tuple(cards), LOOKS[data.look])))
