"""The game in words: what a model is told, and how its answer is read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from athanor.core.history import History
from athanor.core.records import Turn, Unreadable
from athanor.environments.alchemy.answers import read
from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.state import Pair, Sight
from athanor.environments.alchemy.table import ordered, spelling

Condition = Literal["base", "engineered", "reasoning"]

_GAME = """You are playing a game of discovery. You own a few elements and combine two of them a turn. If the two \
make something, it joins your elements{further}. An element may be combined with itself, \
and the order of the two does not matter. {results} Try to discover as many different elements as you can."""

_FURTHER = {
    True: " and can be combined like any other",
    False: " and can be combined in its turn, unless you are told that it is final",
}
"""Whether final elements may be combined."""

_RESULTS = {
    "all": "A pair always makes the same, and now and then it makes two or three elements at once.",
    "next": "A pair makes one element at a time; a few pairs have more than one, and give the next when repeated.",
}

_CONDITION: dict[Condition, str] = {
    "base": "",
    "engineered": """Before you answer, do two things silently. First look back: which kinds of pairs worked so far, \
and which did not? Then pick a pair that follows from what worked and that you have not tried yet; check that it is \
not among your past attempts.""",
    "reasoning": """Think before you answer: say in a few sentences what your past attempts show, which pairs look \
promising and why, and check that the pair you settle on was not tried before.""",
}

_ANSWER = "Answer with {two}, joined by a plus sign, and nothing else. For example: {example}"
_LAST_LINE = "Then end with one line that has {two}, joined by a plus sign. For example:\nAnswer: {example}"
_TWO = {"name": "two of your elements", "number": "the numbers of two of your elements"}

_EXAMPLES = ("walrus", "teapot", "glacier", "trombone", "meteor", "slipper")
"""Names for the example of an answer; the first two that are not elements of the world are shown."""

ECHOED = 200
"""Characters that are remembered of an answer that names no two elements; of a reasoned one, the last."""

_CONTROL = re.compile(r"<\|?[^<>]{0,40}\|?>")
_NUMBER = re.compile(r"(?:numbers? |no\.? ?|#)?([0-9]{1,8})(?:[\s.:)=–—-]+(.+))?")
_NAME_AND_NUMBER = re.compile(r"(.*[^\s:=–—-])[\s:=–—-]+(?:number |no\.? ?|#)?([0-9]{1,8})")
_ASIDE = re.compile(r"\(([^()\n]{1,60})\)")
_WORDS = re.compile(r"[\s_‐‑-]+")
LONGEST_NAME = 200
"""Characters of an answer that are looked up as a name, at most."""


@dataclass(frozen=True, kw_only=True)
class AlchemyDialogue:
    """Text skin of `Alchemy`. Messages only ever grow at their end, so that a backend can keep its prompt cache."""

    environment: Alchemy
    condition: Condition = "base"
    answer: Literal["name", "number"] = "name"
    inventory: Literal["announced", "restated"] = "announced"
    """Whether a turn's message tells what has joined the elements since the last one, or names them all."""

    def rules(self) -> str:
        rules = self.environment.rules
        parts = (
            _GAME.format(further=_FURTHER[rules.finals_combine], results=_RESULTS[rules.results]),
            _CONDITION[self.condition],
            (_LAST_LINE if self.condition == "reasoning" else _ANSWER).format(
                two=_TWO[self.answer], example=self._example()
            ),
        )
        return "\n\n".join(part for part in parts if part)

    def say(self, observation: Sight, last: Turn[Pair] | None) -> str:
        lines = [] if last is None else [self._feedback(last), *self._gifts(observation, last)]
        if last is None or self.inventory == "restated":
            lines.append(self._inventory(observation))
        else:
            lines += self._news(observation, last.observation)
        return "\n".join([*lines, self._question()])

    def show(self, observation: Sight, last: Turn[Pair] | None) -> tuple[bytes, ...]:
        return ()

    def recall(self, observation: Sight, history: History[Pair]) -> str:
        made: list[str] = []
        nothing: dict[str, list[str]] = {}
        seen: set[tuple[str, str]] = set()
        for turn in history:
            if isinstance(turn.action, Unreadable) or turn.verdict.parts["category"] == "invalid":
                continue
            first, second = ordered(turn.action.first, turn.action.second)
            new = turn.verdict.parts.get("new")
            if (first, second) in seen and not new:
                continue
            seen.add((first, second))
            if turn.verdict.parts["category"].startswith("success"):
                made.append(f"{first} + {second} -> {', '.join(new) if new else 'nothing new'}")
            else:
                nothing.setdefault(first, []).append(second)
        lines = [self._inventory(observation)]
        if made:
            lines.append(f"Pairs that made something: {'; '.join(made)}.")
        if nothing:
            pairs = "; ".join(f"{first} with {', '.join(seconds)}" for first, seconds in nothing.items())
            lines.append(f"Pairs that made nothing: {pairs}.")
        if history:
            lines += [self._feedback(history[-1]), *self._gifts(observation, history[-1])]
        return "\n".join([*lines, self._question()])

    def echo(self, turn: Turn[Pair]) -> str:
        """Two elements by their names (or numbers); anything else in the model's own words, cut short."""
        action, elements = turn.action, self.environment.table.index
        if isinstance(action, Pair) and action.first in elements and action.second in elements:
            names = (action.first, action.second)
            if self.answer == "number":
                owned = turn.observation.owned
                names = tuple(str(owned.index(name) + 1) if name in owned else name for name in names)
            return ("Answer: " if self.condition == "reasoning" else "") + " + ".join(names)
        said = turn.completion.text if turn.completion else str(action) if isinstance(action, Pair) else ""
        said = _CONTROL.sub(" ", said).strip()
        kept = said[-ECHOED:] if self.condition == "reasoning" else said[:ECHOED]
        return kept.strip() or "(no answer)"

    def hear(self, reply: str, observation: Sight, cut: bool = False) -> Pair | Unreadable:
        numbered = self.answer == "number" and reply.rstrip()[-1:].isdecimal()
        if self.answer == "number":
            reply = _ASIDE.sub(self._opened, reply)
        return read(
            reply,
            lambda name: self._known(name, observation),
            self.environment.table.index,
            last=self.condition == "reasoning",
            longer=(lambda name: self._longer(name, observation, numbered=numbered)) if cut else None,
        )

    def grammar(self, observation: Sight) -> str:
        names = observation.combinable
        if self.answer == "number":
            index = {name: number for number, name in enumerate(observation.owned, 1)}
            names = tuple(str(index[name]) for name in names)
        element = " | ".join(json.dumps(name, ensure_ascii=False) for name in names)
        root = 'element " + " element'
        if self.condition == "reasoning":
            root = f'[^\\n+]{{1,800}} "\\nAnswer: " {root}'
        return f"root ::= {root}\nelement ::= {element}\n"

    def _example(self) -> str:
        """An answer that has the right form and can never be legal, so that an echo of it is not mistaken for one."""
        if self.answer == "number":
            beyond = 10 ** len(str(len(self.environment.table.elements)))
            return f"{beyond + 1} + {beyond + 2}"
        first, second = [name for name in _EXAMPLES if name not in self.environment.table.index][:2]
        return f"{first} + {second}"

    def _question(self) -> str:
        """The last line of every turn. It repeats the form of an answer: without it small models drift into prose."""
        form = self._form()
        such = f", such as {self._example()}" if self.answer == "number" else ""
        if self.condition == "reasoning":
            return f'Which two elements do you combine? Think, then end with a line of "Answer:" and {form}{such}.'
        return f"Which two elements do you combine? Answer with {form} only{such}."

    def _form(self) -> str:
        return f"two {self.answer}s joined by a plus sign"

    def _shown(self, names: tuple[str, ...], first: int) -> str:
        if self.answer == "name":
            return ", ".join(names)
        return ", ".join(f"{number} {name}" for number, name in enumerate(names, first))

    def _inventory(self, observation: Sight) -> str:
        lines = [f"Your elements, in the order of their discovery: {self._shown(observation.owned, 1)}."]
        finals = [name for name in observation.owned if name not in set(observation.combinable)]
        if finals:
            lines.append(f"Final, and not to be combined any more: {', '.join(finals)}.")
        if observation.goal:
            lines.append(f"This time, make one element in one turn: {observation.goal}.")
        return "\n".join(lines)

    def _gifts(self, now: Sight, last: Turn[Pair]) -> list[str]:
        """What joined the elements since the last turn and was not made by it; unsaid by rules that give it unseen."""
        if self.environment.rules.timing == "next turn":
            return []
        made = last.verdict.parts.get("new", ())
        gifts = [name for name in now.owned[len(last.observation.owned) :] if name not in made]
        return [f"A gift for what you have discovered so far: {', '.join(gifts)}."] if gifts else []

    def _news(self, now: Sight, before: Sight) -> list[str]:
        new = now.owned[len(before.owned) :]
        if not new:
            return []
        finals = [name for name in new if name not in set(now.combinable)]
        tail = f" Final, and not to be combined: {', '.join(finals)}." if finals else ""
        return [f"New among your elements: {self._shown(new, len(before.owned) + 1)}.{tail}"]

    def _feedback(self, last: Turn[Pair]) -> str:
        reason = last.verdict.reason[:200]
        match last.verdict.parts["category"]:
            case "invalid" if last.verdict.parts["cause"] == "unreadable":
                return f"That was not a valid turn: no pair could be read in the answer. The form is {self._form()}."
            case "invalid":
                return f"That was not a valid turn: {reason}."
            case "success-new" | "success-existing":
                return f"Success: {reason}."
            case _:
                again = " You had tried that before." if last.verdict.parts["category"] == "failure-existing" else ""
                return f"No success: {reason}.{again}"

    @cached_property
    def _names(self) -> dict[str, str]:
        """Every element under its cleaned spelling."""
        return {spelling(name): name for name in self.environment.table.elements}

    @cached_property
    def _parted(self) -> dict[str, str]:
        """Elements under the spelling that has blanks for hyphens, where no two share it."""
        found: dict[str, list[str]] = {}
        for spelt, name in self._names.items():
            found.setdefault(_WORDS.sub(" ", spelt), []).append(name)
        return {spelt: names[0] for spelt, names in found.items() if len(names) == 1}

    def _known(self, name: str, observation: Sight) -> str:
        """The element that a cleaned name stands for, or its number in the order of discovery."""
        if len(name) > LONGEST_NAME:
            return ""
        numbered = self._numbered(name, observation.owned) if self.answer == "number" else ""
        return numbered or self._named(name)

    def _named(self, name: str) -> str:
        return self._names.get(name) or self._parted.get(_WORDS.sub(" ", name), "")

    def _longer(self, name: str, observation: Sight, *, numbered: bool) -> str:
        """An element whose spelling, or number, goes on where that of another ends; empty if there is none."""
        if not numbered:
            spelt = _WORDS.sub(" ", spelling(name))
            told = ((_WORDS.sub(" ", other), element) for other, element in self._names.items())
        else:
            spelt = str(observation.owned.index(name) + 1) if name in observation.owned else ""
            told = ((str(number), element) for number, element in enumerate(observation.owned, 1))
        return next((element for other, element in told if other.startswith(spelt) and other != spelt), "")

    def _numbered(self, name: str, owned: tuple[str, ...]) -> str:
        """The element of a number, with or without its name; the words as they are if number and name disagree."""
        if found := _NUMBER.fullmatch(name):
            number, told = found[1], found[2]
        elif found := _NAME_AND_NUMBER.fullmatch(name):
            told, number = found[1], found[2]
        else:
            return ""
        index = int(number) - 1
        element = owned[index] if 0 <= index < len(owned) else f"number {int(number)}"
        named = self._named(spelling(told)) if told else element
        return element if named == element else name if named else ""

    def _opened(self, aside: re.Match[str]) -> str:
        """An aside without its brackets if it tells an element by name or number: 1 (ink), ink (1)."""
        told = spelling(aside[1])
        return f" {told} " if told.isdecimal() or self._named(told) else aside[0]
