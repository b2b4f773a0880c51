"""GeneralPoints as an environment: a hand of cards, a target, and as many answers as the episode has turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Record, Step, Task, Unreadable, Verdict
from athanor.core.seeds import stream
from athanor.environments.points.cards import DECK, TENS, Rule, rule
from athanor.environments.points.deal import SHARES, Deal, hands
from athanor.environments.points.judge import Exact, Judge
from athanor.environments.points.state import Answer, Hand, Seen, hand


class Content(Record, kw_only=True):
    """A hand as a task."""

    cards: tuple[str, ...]
    rule: str
    target: int


@dataclass(frozen=True, kw_only=True)
class Points:
    """Combine the numbers of all cards, each once, to make the target.

    Splits are the parts of `deal.SHARES` and `all`, endless: hands of a split have numbers that no hand of another
    part has. An episode ends when the hand is solved. A judge comes with the environment, since it decides that.
    """

    rule: Rule = TENS
    target: int = 24
    deal: Deal = field(default_factory=Deal)
    judge: Judge = field(default_factory=Exact)
    name: str = "points"
    action_type: type[Answer] = Answer
    splits: tuple[str, ...] = (*SHARES, "all")

    def tasks(self, split: str, seed: int) -> Iterator[Task]:
        if split not in self.splits:
            raise UsageError(f"split {split!r} is not one of {', '.join(self.splits)}; pass one of them")
        part, name = None if split == "all" else split, self.rule.name
        dealt = hands(self.deal, self.rule, self.target, part, stream(seed, "deal", split))
        for number, cards in enumerate(dealt):
            content = {"cards": list(cards), "rule": name, "target": self.target}
            yield Task(environment="points", split=split, key=f"{split}-{seed}-{number}", content=content)

    def start(self, task: Task) -> Hand:
        try:
            content = msgspec.convert(task.content, Content)
        except msgspec.ValidationError as error:
            raise DataError(
                f"task {task.key} is not a hand of points ({error}); play it with its environment"
            ) from error
        if not content.cards or not set(content.cards) <= set(DECK):
            raise DataError(f"task {task.key} has cards that are in no deck: {', '.join(content.cards)}")
        return hand(content.cards, rule(content.rule), content.target)

    def observe(self, state: Hand) -> Seen:
        return Seen(cards=state.cards, rule=state.rule, target=state.target)

    def step(self, state: Hand, action: Answer | Unreadable) -> Step[Hand]:
        judged = self.judge.judge(state, action)
        after = Hand(
            cards=state.cards, values=state.values, rule=state.rule, target=state.target,
            attempts=state.attempts + 1, judged=judged,
        )  # fmt: skip
        return Step(state=after, terminated=judged.passed)


@dataclass(frozen=True, kw_only=True)
class Grade:
    """The verifier of `Points`: the judgement of its judge as a verdict. `Verdict.parts` has `class` and what the judge
    tells beside it."""

    environment: Points

    def verify(self, task: Task, before: Hand, action: Answer | Unreadable, after: Hand) -> Verdict:
        return self.verdict(after)

    def verdict(self, after: Hand) -> Verdict:
        """Of the answer that led to a state. DataError for a state in which nothing was answered yet."""
        judged = after.judged
        if judged is None:
            raise DataError("nothing was answered yet; pass the state that followed an answer")
        parts = {"class": judged.kind, **judged.parts}
        return Verdict(reward=judged.reward, passed=judged.passed, reason=judged.reason, parts=parts)

    def gold(self, task: Task) -> Answer:
        found = self.environment.judge.gold(self.environment.start(task))
        if found is None:
            raise DataError(f"task {task.key} cannot be passed under the judge {self.environment.judge.name}")
        return found
