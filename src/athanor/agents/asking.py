"""How a language model is asked, whatever it plays: the options, their defaults, and the agent they make."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal, TypeVar

from athanor.agents.language import Language, Memory
from athanor.core.errors import UsageError
from athanor.core.options import refuse_outside
from athanor.core.protocols import Backend, Dialogue
from athanor.core.records import Sampling

O = TypeVar("O")  # noqa: E741
A = TypeVar("A")

SERVER_TOKENS = 4096
"""Bound on an answer's tokens where a server answers and none is given: its model may have hidden reasoning, which
the bound counts, and one too small leaves every answer empty."""


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a language model is asked."""

    model: str = ""
    """llamacpp: smollm2-135m-instruct or a GGUF file; openai: the server's name for it; scripted: a file."""
    temperature: float | None = None
    """Sampling temperature; left out, the backend's own default applies."""
    top_p: float | None = None
    """Nucleus sampling; left out, the backend's own default applies."""
    max_tokens: int | None = None
    """Bound on an answer's tokens, with reasoning; left out: alchemy 24 (1024 to reason), points 256, servers 4096."""
    history: Literal["whole", "window", "tried"] = "whole"
    """The past shown: all turns, the latest ones (see --window), or a summary of what was tried."""
    window: int = 50
    """Turns shown at most with --history window; dropped in blocks of half as many, so that the prompt cache holds."""
    constrained: bool = False
    """Decode only answers of the form asked for (a grammar): of combinable elements, or of the hand's numbers."""
    top_logprobs: int = 0
    """Record the answer's log-probabilities with this many alternatives a token; 0 records none."""
    reasoning_effort: str | None = None
    """Passed to servers that know it: low, medium, high."""


def check_options(options: ModelOptions) -> None:
    """UsageError naming the first option that cannot be meant."""
    ranges = {"temperature": (0, inf), "top_p": (0, 1), "max_tokens": (1, inf), "window": (1, inf)}
    refuse_outside(options, {**ranges, "top_logprobs": (0, inf)})


def bound_of(options: ModelOptions, alone: int, *, server: bool) -> int:
    """The bound on an answer's tokens: as given; else `alone` for a model in this process, or a server's."""
    return options.max_tokens if options.max_tokens is not None else SERVER_TOKENS if server else alone


def language(
    options: ModelOptions, dialogue: Dialogue[O, A], backend: Backend | None, max_tokens: int
) -> Language[O, A]:
    """A language agent over a backend. UsageError without one, and for options that cannot be meant."""
    if backend is None:
        raise UsageError("the agent language needs a model; pass --model (for example --model smollm2-135m-instruct)")
    check_options(options)
    return Language(
        backend=backend,
        dialogue=dialogue,
        max_tokens=max_tokens,
        memory=Memory(kind=options.history, window=options.window),
        temperature=options.temperature,
        top_p=options.top_p,
        constrained=options.constrained,
        top_logprobs=options.top_logprobs,
        reasoning_effort=options.reasoning_effort,
    )


def sampling_of(options: ModelOptions, max_tokens: int) -> Sampling:
    """What every turn asks of the backend, the grammar's text aside."""
    return Sampling(
        max_tokens=max_tokens,
        grammar="" if options.constrained else None,
        top_logprobs=options.top_logprobs,
        reasoning_effort=options.reasoning_effort,
    )
