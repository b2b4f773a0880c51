"""The agents of alchemy by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, Literal

from athanor.agents.baselines import Random, RandomNeverRepeat, Uncertainty
from athanor.agents.cognitive import TEMPERATURE, Cognitive, CognitiveOptions, weights_of
from athanor.agents.human import Human
from athanor.agents.language import Language, Memory
from athanor.agents.oracle import Oracle
from athanor.core.errors import UsageError
from athanor.core.options import changed, refuse_outside
from athanor.core.protocols import Agent, Backend
from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.text import AlchemyDialogue, Condition
from athanor.values.arrays import TableArrays

AgentName = Literal["random", "random-never-repeat", "uncertainty", "cognitive", "oracle", "human", "language"]


@dataclass(frozen=True, kw_only=True)
class LanguageOptions:
    """How a language model is told the game and asked. Of this other agents heed what `_HEEDED` says."""

    model: str = ""
    """llamacpp: smollm2-135m-instruct or a GGUF file; openai: the server's name for it; scripted: a file."""
    condition: Condition = "base"
    """The prompt: base, engineered (look back, pick a new pair) or reasoning (think aloud, then answer)."""
    temperature: float | None = None
    """Sampling temperature; left out, the backend's own default applies."""
    top_p: float | None = None
    """Nucleus sampling; left out, the backend's own default applies."""
    max_tokens: int | None = None
    """Bound on an answer's tokens, reasoning included; left out: 24, 1024 when asked to reason, 4096 with a server."""
    history: Literal["whole", "window", "tried"] = "whole"
    """The past shown: all turns, the latest ones (see --window), or a summary of the pairs tried."""
    window: int = 50
    """Turns shown at most with --history window; dropped in blocks of half as many, so that the prompt cache holds."""
    answer: Literal["name", "number"] = "name"
    """Whether elements are answered by name, or by their number in the order of discovery."""
    inventory: Literal["announced", "restated"] = "announced"
    """Whether a turn tells what joined the elements since the last one, or restates them all."""
    constrained: bool = False
    """Decode only answers that name combinable elements (a grammar)."""
    top_logprobs: int = 0
    """Record the answer's log-probabilities with this many alternatives a token; 0 records none."""
    reasoning_effort: str | None = None
    """Passed to servers that know it: low, medium, high."""


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """The options of every agent that has any."""

    language: LanguageOptions = field(default_factory=LanguageOptions)
    cognitive: CognitiveOptions = field(default_factory=CognitiveOptions)


def make_cognitive(environment: Alchemy, options: AgentOptions) -> Cognitive:
    """An agent that chooses by values."""
    from athanor.values.meaning import pair_values

    check_options(options.language)
    chosen, temperature = options.cognitive, options.language.temperature
    return Cognitive(
        values=pair_values(chosen.pair_values, TableArrays(environment.table)), weights=weights_of(chosen.weights),
        temperature=TEMPERATURE if temperature is None else temperature, memory=chosen.memory,
    )  # fmt: skip


def make_language(environment: Alchemy, options: LanguageOptions, backend: Backend | None) -> Language[Any, Any]:
    """A language agent over a backend."""
    if backend is None:
        raise UsageError("the agent language needs a model; pass --model (for example --model smollm2-135m-instruct)")
    check_options(options)
    return Language(
        backend=backend,
        dialogue=make_dialogue(environment, options),
        max_tokens=max_tokens_of(options),
        memory=Memory(kind=options.history, window=options.window),
        temperature=options.temperature,
        top_p=options.top_p,
        constrained=options.constrained,
        top_logprobs=options.top_logprobs,
        reasoning_effort=options.reasoning_effort,
    )


def max_tokens_of(options: LanguageOptions, *, server: bool = False) -> int:
    """The bound on an answer's tokens: as given, or what the condition and the kind of backend need.

    A small model in this process is cut early when it rambles; a server's model may have hidden reasoning, which the
    bound counts: one too small leaves every answer empty.
    """
    if options.max_tokens is not None:
        return options.max_tokens
    return 4096 if server else 1024 if options.condition == "reasoning" else 24


def check_options(options: LanguageOptions) -> None:
    """UsageError naming the first option that cannot be meant."""
    ranges = {"temperature": (0, inf), "top_p": (0, 1), "max_tokens": (1, inf), "window": (1, inf)}
    refuse_outside(options, {**ranges, "top_logprobs": (0, inf)})


def idle(agent: AgentName, options: AgentOptions) -> list[str]:
    """The options given that an agent does not heed."""
    heeded = [field.name for field in fields(LanguageOptions)] if agent == "language" else _HEEDED.get(agent, ())
    return changed(options.language, but=heeded) + ([] if agent == "cognitive" else changed(options.cognitive))


_HEEDED: dict[AgentName, tuple[str, ...]] = {
    "cognitive": ("temperature",), "human": ("condition", "answer", "inventory")
}  # fmt: skip
"""The language options that other agents heed."""


def make_dialogue(environment: Alchemy, options: LanguageOptions) -> AlchemyDialogue:
    """The text skin that the options ask for."""
    return AlchemyDialogue(
        environment=environment, condition=options.condition, answer=options.answer, inventory=options.inventory
    )


AGENTS: dict[AgentName, Callable[[Alchemy, AgentOptions, Backend | None], Agent[Any, Any]]] = {
    "random": lambda environment, options, backend: Random(),
    "random-never-repeat": lambda environment, options, backend: RandomNeverRepeat(),
    "uncertainty": lambda environment, options, backend: Uncertainty(),
    "cognitive": lambda environment, options, backend: make_cognitive(environment, options),
    "oracle": lambda environment, options, backend: Oracle(environment),
    "human": lambda environment, options, backend: Human(dialogue=make_dialogue(environment, options.language)),
    "language": lambda environment, options, backend: make_language(environment, options.language, backend),
}
