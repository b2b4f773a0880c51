"""The agents of alchemy by name; those of points are in `agents.points`, which alchemy has no need to load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from athanor.agents.asking import ModelOptions, bound_of, check_options, language
from athanor.agents.baselines import Random, RandomNeverRepeat, Uncertainty
from athanor.agents.cognitive import TEMPERATURE, Cognitive, CognitiveOptions, weights_of
from athanor.agents.human import Human
from athanor.agents.oracle import Oracle
from athanor.core.options import changed
from athanor.core.protocols import Agent, Backend
from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.state import Pair, Sight
from athanor.environments.alchemy.text import AlchemyDialogue, Condition
from athanor.values.arrays import TableArrays

AgentName = Literal["random", "random-never-repeat", "uncertainty", "cognitive", "oracle", "human", "language"]


@dataclass(frozen=True, kw_only=True)
class LanguageOptions(ModelOptions):
    """How a language model is told the game and asked. Of this other agents heed what `_HEEDED` says."""

    condition: Condition = "base"
    """The prompt: base, engineered (look back, pick a new pair) or reasoning (think aloud, then answer)."""
    answer: Literal["name", "number"] = "name"
    """Whether elements are answered by name, or by their number in the order of discovery."""
    inventory: Literal["announced", "restated"] = "announced"
    """Whether a turn tells what joined the elements since the last one, or restates them all."""


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


def max_tokens_of(options: LanguageOptions, *, server: bool = False) -> int:
    """The bound on an answer's tokens: as given, or what the condition and the kind of backend need.

    A small model in this process is cut early when it rambles.
    """
    return bound_of(options, 1024 if options.condition == "reasoning" else 24, server=server)


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


def _human(dialogue: AlchemyDialogue) -> Human[Sight, Pair]:
    form = "two elements, like this: first + second"
    return Human(dialogue=dialogue, hear=dialogue.hear, shows="what you own and have tried", form=form)


AGENTS: dict[AgentName, Callable[[Alchemy, AgentOptions, Backend | None], Agent[Any, Any]]] = {
    "random": lambda environment, options, backend: Random(),
    "random-never-repeat": lambda environment, options, backend: RandomNeverRepeat(),
    "uncertainty": lambda environment, options, backend: Uncertainty(),
    "cognitive": lambda environment, options, backend: make_cognitive(environment, options),
    "oracle": lambda environment, options, backend: Oracle(environment),
    "human": lambda environment, options, backend: _human(make_dialogue(environment, options.language)),
    "language": lambda environment, options, backend: language(
        options.language, make_dialogue(environment, options.language), backend, max_tokens_of(options.language)
    ),
}
