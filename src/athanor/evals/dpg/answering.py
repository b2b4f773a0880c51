"""Who answers a question about a picture: a model behind any backend, or the checker of scenes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from athanor.core.errors import DataError, UsageError
from athanor.core.protocols import Backend
from athanor.core.records import Message, Sampling
from athanor.environments.scenes.files import load
from athanor.environments.scenes.propositions import answers, propositions
from athanor.environments.scenes.reading import read
from athanor.environments.scenes.seeing import Sight, see
from athanor.evals.dpg.table import Question

ASKED = "{question} Answer with yes or no."
"""What a model is asked; the published script asks its own model the bare question."""
_SAID = re.compile(r"[^a-z]*(yes|no)(?![a-z])")


class Answerer(Protocol):
    """Answers questions about pictures."""

    @property
    def name(self) -> str: ...

    @property
    def slots(self) -> int:
        """How many questions it can usefully work on at once."""
        ...

    async def answer(self, picture: bytes, question: Question) -> str:
        """In words. BackendError or DataError if it cannot this time, UsageError if it never will."""
        ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A model behind a backend that takes images."""

    backend: Backend
    wording: str = ASKED
    max_tokens: int = 16
    temperature: float | None = 0.0
    seed: int = 0

    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def slots(self) -> int:
        return self.backend.slots

    async def answer(self, picture: bytes, question: Question) -> str:
        said = self.wording.replace("{question}", question.question)
        sampling = Sampling(max_tokens=self.max_tokens, temperature=self.temperature, seed=self.seed)
        completion = await self.backend.complete((Message(role="user", text=said, images=(picture,)),), sampling)
        return completion.text


class Exact:
    """The checker of scenes: right about pictures of shapes and cards, if the questions are those of `propositions`."""

    name = "exact checker of scenes"
    slots = 1

    async def answer(self, picture: bytes, question: Question) -> str:
        try:
            spec = read(question.text)
        except UsageError as error:
            raise UsageError(f"{question.item} is no prompt of a scene ({error}); pass another --backend") from error
        known = {one.id: one.question for one in propositions(spec)}
        if known.get(question.id, "").casefold() != question.question.casefold():
            raise DataError(f"question {question.id} of {question.item} is not one of its scene's: {question.question}")
        return "yes" if answers(spec, _seen(picture))[question.id] else "no"


@lru_cache(maxsize=8)
def _seen(picture: bytes) -> Sight:
    return see(load(picture))


def heard(answer: str) -> bool | None:
    """Whether an answer is yes, by its first word whatever its case; None if that is neither yes nor no.

    >>> heard("Yes, it is."), heard("**No**"), heard("There is none.")
    (True, False, None)
    """
    found = _SAID.match(answer.casefold())
    return found[1] == "yes" if found else None
