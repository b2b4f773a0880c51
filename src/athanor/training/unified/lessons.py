"""What a unified model is taught: pictures with prompts, questions and answers, and text, from any source.

A source gives examples by index, so that training goes on after an interruption with the examples that it would have
had. The generator of scenes is one (`scenes.py`); files of one's own are others, mixed with it at a set ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.scenes.drawing import Images

Use = Literal["drawing", "understanding", "text", "pictures", "captions"]
"""What examples are asked for: to draw (with a prompt), to understand (with questions), to read (with text), for their
pictures alone, or for pictures to see and the prompts that describe them."""


class Exchange(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A picture and what is known about it, or a text. What an example lacks it is not used for."""

    picture: Images | None = None
    """UInt8["height width 3"]; None in examples of text alone."""
    prompt: str | None = None
    """What the picture is drawn from."""
    questions: tuple[Exchange, ...] = ()
    """About the picture; about nothing but words where there is none."""
    text: str | None = None
    """To be read and continued."""
    category: str = "other"
    """Under which its loss is logged."""
    entropy: float | None = None
    """Nats of the picture given its prompt, where they are known: what the loss of its codes cannot fall below."""


class Examples(Protocol):
    """A source of examples."""

    @property
    def name(self) -> str:
        """Of the source, for people."""
        ...

    def take(self, use: Use, index: int, size: int) -> Sequence[Example]:
        """`size` examples for a use: the same for the same arguments, whatever was taken before. Each has what the use
        needs. UsageError if the source has none for it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Several sources, each example from one of them at random, with the given weights."""

    sources: tuple[tuple[Examples, float], ...]
    seed: int
    name: str = "mixed"

    def __post_init__(self) -> None:
        weights = [weight for _, weight in self.sources]
        if not weights or min(weights) < 0 or sum(weights) <= 0:
            raise UsageError(
                f"sources with the weights {weights} were given; numbers from 0 on, one of them above 0, were expected"
            )

    def take(self, use: Use, index: int, size: int) -> Sequence[Example]:
        """As `Examples.take`; from each source, those of the same index."""
        weights = np.array([weight for _, weight in self.sources])
        rng = stream(self.seed, "mixed", use, index)
        many = rng.multinomial(size, weights / weights.sum())
        found = [one for (source, _), n in zip(self.sources, many.tolist(), strict=True) if n
                 for one in source.take(use, index, n)]  # fmt: skip
        return [found[k] for k in rng.permutation(size).tolist()]


@dataclass(frozen=True, kw_only=True)
class Then:
    """One source for the first indices, and another after them: a curriculum."""

    first: Examples
    until: int
    then: Examples
    name: str = "then"

    def take(self, use: Use, index: int, size: int) -> Sequence[Example]:
        """As `Examples.take`."""
        return (self.first if index < self.until else self.then).take(use, index, size)
