"""A model as a labeller: one request a passage (a block of it, where it is long), and one more if the answer is bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from athanor.analysis.traces.asking import blocks, grammar, objection, question, read_answer, wording
from athanor.analysis.traces.labels import Label, Labelled, Passage
from athanor.core.errors import BackendError, StoreError, UsageError
from athanor.core.options import refuse_outside
from athanor.core.protocols import Backend
from athanor.core.records import Completion, Message, Sampling
from athanor.core.seeds import digest

TOKENS_A_SENTENCE = 16
"""Bound on an answer's tokens for each sentence asked about: the longest line, `100: element_property_reasoning`,
takes 7 to 12 with the tokenizers in use."""
TOKENS_BESIDE = 64


@dataclass(frozen=True, kw_only=True)
class Labeller:
    """Asks a backend for the labels of passages. Keeps no progress: passages can be labelled at once and in any order.

    Of a passage in which some sentences got no label, after being asked about once more, the others keep theirs;
    `cause` says what was wrong. If the backend fails, the passage is `failed`.
    """

    backend: Backend
    block: int = 40
    """Sentences in one request, at most."""
    temperature: float | None = 0.0
    """None for models that take none."""
    constrained: bool = False
    """Decode only well-formed answers, by a GBNF grammar, where the backend takes one."""
    max_tokens: int | None = None
    """Bound on an answer's tokens; left out, what the labels take. A model that reasons first needs more."""
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_outside(self, {"block": (1, inf), "temperature": (0, inf), "max_tokens": (1, inf)})

    @property
    def settings(self) -> dict[str, Any]:
        """What a resumed labelling must have in common; the wording of the requests as a digest."""
        return {
            "labeller": self.backend.name,
            "block": self.block,
            "temperature": self.temperature,
            "constrained": self.constrained,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "wording": wording(),
        }

    async def label(self, passage: Passage) -> Labelled:
        """Label every sentence of a passage. UsageError if the backend can never answer as asked."""
        labels: dict[int, Label] = {}
        answers: list[Completion] = []
        causes: list[str] = []
        failed = False
        try:
            for asked in blocks(passage.sentences, self.block):
                found, wrong = await self._block(passage, asked, answers)
                labels |= found
                causes += wrong
        except BackendError as error:
            failed, causes = True, [str(error)]
        return Labelled(
            passage=passage.key, episode=passage.episode, turn=passage.turn, sentences=passage.sentences,
            labels=tuple(labels.get(i) for i in range(1, len(passage.sentences) + 1)),
            cut=passage.cut, tokens=passage.tokens, cause="; ".join(causes)[:1000], failed=failed,
            model=answers[-1].model if answers else self.backend.name, calls=len(answers),
            prompt_tokens=_sum([a.prompt_tokens for a in answers]),
            completion_tokens=_sum([a.completion_tokens for a in answers]),
            cost=_sum([a.cost for a in answers]), seconds=round(sum(a.seconds for a in answers), 6),
        )  # fmt: skip

    async def _block(
        self, passage: Passage, asked: range, answers: list[Completion]
    ) -> tuple[dict[int, Label], tuple[str, ...]]:
        """The labels of one block and what stayed wrong, after one request or two; the answers are added to a list."""
        messages = question(passage.sentences, asked)
        first = await self._answer(messages, asked, f"{passage.key}/{asked.start}", answers)
        reading = read_answer(first, asked)
        missing = [n for n in asked if n not in reading.labels]
        if not missing:
            return reading.labels, ()
        messages += objection(first, reading, missing)
        second = await self._answer(messages, missing, f"{passage.key}/{asked.start} again", answers)
        again = read_answer(second, asked)
        labels = again.labels | reading.labels  # what the first answer said stands
        return labels, () if len(labels) == len(asked) else again.wrong or reading.wrong

    async def _answer(
        self, messages: tuple[Message, ...], numbers: Sequence[int], name: str, answers: list[Completion]
    ) -> str:
        """One answer's text. Any exception but one of usage or of the store becomes a BackendError."""
        sampling = Sampling(
            max_tokens=self.max_tokens or TOKENS_BESIDE + TOKENS_A_SENTENCE * len(numbers),
            temperature=self.temperature,
            seed=digest(self.seed, "label", name) % 2**31,
            grammar=grammar(numbers) if self.constrained else None,
            conversation="label",  # all requests begin with the same instructions
        )
        try:
            answer = await self.backend.complete(messages, sampling)
        except (UsageError, StoreError, BackendError):
            raise
        except Exception as error:
            raise BackendError(f"{type(error).__name__}: {error}") from error
        answers.append(answer)
        return answer.text


def _sum(values: Sequence[Any]) -> Any:
    """The sum, None if any is unknown."""
    return None if not values or None in values else sum(values)
