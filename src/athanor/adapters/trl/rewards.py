"""The judge of GeneralPoints as a reward function of `trl`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

import msgspec

from athanor.core.records import Completion, Task, Unreadable
from athanor.environments.points import Answer, Points, rule
from athanor.environments.points.judge import Judge
from athanor.environments.points.state import Judgement
from athanor.environments.points.text import PointsDialogue
from athanor.models.backends.thoughts import part_thoughts

Kind = Literal["binary", "classes"]


@dataclass
class Told:
    """What the reward function said of the episodes that this process sampled last, in their order."""

    passed: list[bool] = field(default_factory=list)
    worths: list[Sequence[float]] = field(default_factory=list)
    """The reward of each answer of an episode."""
    ends: frozenset[int] = frozenset()
    """Tokens that end an answer: one that ends with another was cut at the bound. Empty where they are not known."""

    def cut(self, ids: Sequence[int]) -> bool:
        """Whether an answer of these tokens was cut."""
        return bool(self.ends) and len(ids) > 0 and ids[-1] not in self.ends


def heard(
    dialogue: PointsDialogue, environment: Points, task: Task, text: str, cut: bool = False
) -> Answer | Unreadable:
    """What an answer says, read as in play: what a model thinks aloud is not part of it, and the end of one that was
    `cut` may be half a formula."""
    said = part_thoughts(Completion(text=text, model="")).text
    return dialogue.hear(said, environment.observe(environment.start(task)), cut)


def environment_of(task: Task, judge: Judge) -> Points:
    return Points(rule=rule(task.content["rule"]), target=task.content["target"], judge=judge)


def judged(dialogue: PointsDialogue, judge: Judge, task: Task, text: str, cut: bool = False) -> Judgement:
    """The judgement of a single answer."""
    environment = environment_of(task, judge)
    found = environment.step(environment.start(task), heard(dialogue, environment, task, text, cut)).state.judged
    assert found is not None
    return found


def worth(judgement: Judgement, kind: Kind) -> float:
    """1 for a solved hand and 0 else, or the reward of the judge."""
    return float(judgement.passed) if kind == "binary" else judgement.reward


def text_of(completion: Any) -> str:
    """The text of a completion as `trl` gives it: messages, whose content is text or parts, or plain text."""
    if isinstance(completion, str):
        return completion
    content = completion[-1]["content"] or ""
    return content if isinstance(content, str) else "".join(part.get("text") or "" for part in content)


def verdict_reward(dialogue: PointsDialogue, judge: Judge, kind: Kind, told: Told) -> Callable[..., list[float]]:
    """A reward function over completions and the column `task`; it logs the share that passed as `passed`, and
    pass@k. `told` has what it said last."""

    def verdict(
        completions: Sequence[Any], task: Sequence[str], log_metric: Any = None,
        completion_ids: Sequence[Sequence[int]] | None = None, **columns: Any,
    ) -> list[float]:  # fmt: skip
        ids = [()] * len(task) if completion_ids is None else completion_ids
        found = [
            judged(dialogue, judge, msgspec.json.decode(one, type=Task), text_of(completion), told.cut(tokens))
            for one, completion, tokens in zip(task, completions, ids, strict=True)
        ]
        told.passed = [one.passed for one in found]
        told.worths = [[worth(one, kind)] for one in found]
        if log_metric is not None:
            log_metric("passed", sum(told.passed) / len(found))
            _log_any(log_metric, task, told.passed)
        return [worth(one, kind) for one in found]

    return verdict


def any_passed(task: Sequence[str], passed: Sequence[bool]) -> tuple[int, float] | None:
    """How many samples each hand has, which come one after the other, and the share of hands of which any passed. None
    where hands have not as many samples as each other: a process may hold parts of them.

    >>> any_passed(["a", "a", "b", "b"], [False, True, False, False])
    (2, 0.5)
    """
    hands = [[right for _, right in some] for _, some in groupby(zip(task, passed, strict=True), lambda one: one[0])]
    sizes = {len(one) for one in hands}
    return (sizes.pop(), sum(map(any, hands)) / len(hands)) if len(sizes) == 1 else None


def _log_any(log_metric: Callable[[str, float], None], task: Sequence[str], passed: Sequence[bool]) -> None:
    """Log pass@k of the k samples of each hand."""
    found = any_passed(task, passed)
    if found is not None and found[0] > 1:
        log_metric(f"pass@{found[0]}", found[1])


def episode_reward(told: Told) -> Callable[..., list[float]]:
    """A reward function over episodes of several answers, which were judged as they were played. `told`: as in
    `verdict_reward`; its answers' rewards are the column `worths`."""

    def episode(completions: Sequence[Any], worths: Sequence[Sequence[float]], passed: Sequence[bool],
                told_tokens: Sequence[int], task: Sequence[str] = (), log_metric: Any = None,
                **columns: Any) -> list[float]:  # fmt: skip
        told.passed, told.worths = list(passed), list(worths)
        if log_metric is not None:
            log_metric("passed", sum(passed) / len(passed))
            log_metric("turns", sum(map(len, worths)) / len(worths))
            log_metric("told", sum(told_tokens) / len(told_tokens))
            if task:
                _log_any(log_metric, task, passed)
        return [float(sum(one)) for one in worths]

    return episode
