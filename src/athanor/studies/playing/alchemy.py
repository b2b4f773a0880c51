"""Alchemy as it is played into a run folder: its settings, and what of them is science."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from athanor.agents.cognitive import TEMPERATURE, CognitiveOptions
from athanor.agents.registry import (
    AGENTS,
    AgentName,
    AgentOptions,
    LanguageOptions,
    idle,
    make_dialogue,
    max_tokens_of,
)
from athanor.core.errors import UsageError
from athanor.core.options import refuse_outside
from athanor.core.play import Planned
from athanor.environments.alchemy import RULES, Alchemy, Discovery
from athanor.environments.alchemy.rules import RulesName
from athanor.environments.alchemy.worlds import table
from athanor.studies.playing import running
from athanor.studies.playing.running import RANGES, Common, Ended, Match, model_name, model_words, told

PREDICTED = "predicted"
"""What a run's configuration says in place of the folder of its pair values. Their digest says which they are, so that
the folder may be moved, or called by another path."""

__all__ = ["Config", "match_of", "planned", "play", "refuse_idle_options", "told"]


@dataclass(frozen=True, kw_only=True)
class Config(Common):
    """Play episodes of alchemy and write them to a run folder."""

    table: str
    """atelier, little-alchemy-2, wordcraft, generated:words:SEED, generated:opaque:SEED, renamed:SEED:TABLE, a file."""
    rules: RulesName
    """strict is exact; the others are the published studies' games, defects included."""
    agent: AgentName
    """Who plays. `language` needs --model."""
    turns: int
    """Turns of an episode, at most."""
    split: Literal["open", "train", "test"] = "open"
    """open: discover as much as possible. train, test: targeted tasks, one after the other."""
    language: Annotated[LanguageOptions, tyro.conf.arg(name="")] = field(default_factory=LanguageOptions)
    cognitive: Annotated[CognitiveOptions, tyro.conf.arg(name="")] = field(default_factory=CognitiveOptions)


def play(config: Config) -> Ended:
    """Play what is not yet played, and give what ended now."""
    refuse_outside(config, {**RANGES, "turns": (1, inf)})
    environment = Alchemy(table=table(config.table), rules=RULES[config.rules])
    match = match_of(config, environment)
    _warn_of_repeats(config, match.plan)
    return running.play(config, match)


def refuse_idle_options(config: Config) -> None:
    """UsageError naming the options given that do nothing beside the agent, the backend or the history given."""
    given = idle(config.agent, AgentOptions(language=config.language, cognitive=config.cognitive))
    running.refuse_idle_options(config, config.agent, config.language, given)


def match_of(config: Config, environment: Alchemy) -> Match:
    """Who plays what. The bound on an answer's tokens depends on the backend where it was left out."""
    bound = max_tokens_of(config.language, server=config.backend.backend == "openai")
    asked = replace(config.language, max_tokens=bound) if config.agent == "language" else None
    options = AgentOptions(language=asked or config.language, cognitive=config.cognitive)
    return Match(
        environment=environment,
        verifier=Discovery(environment=environment),
        plan=tuple(planned(environment, config.split, config.seed, config.episodes)),
        turns=config.turns,
        agent=config.agent,
        make=lambda backend: AGENTS[config.agent](environment, options, backend),
        asked=asked,
        science=_science(config, environment),
        hashes=lambda: {"table": environment.table.digest, **_values_hash(config)},
        label=label_of(config),
    )


def _science(config: Config, environment: Alchemy) -> dict[str, Any]:
    science: dict[str, Any] = {name: getattr(config, name) for name in ("table", "rules", "split", "turns")}
    if config.agent == "cognitive":
        warm = config.language.temperature
        science |= {**asdict(config.cognitive), "temperature": TEMPERATURE if warm is None else warm}
        science["pair_values"] = "true" if config.cognitive.pair_values == "true" else PREDICTED
    return science | (_told(config, environment) if config.agent in ("language", "human") else {})


def _told(config: Config, environment: Alchemy) -> dict[str, Any]:
    """How the game is told: the settings, and the words with which the first episode begins."""
    dialogue, options = make_dialogue(environment, config.language), config.language
    begins = environment.observe(environment.start(planned(environment, config.split, config.seed, 1)[0].task))
    return {
        "condition": options.condition,
        "answer": options.answer,
        "inventory": options.inventory,
        "prompt_rules": dialogue.rules(),
        "prompt_first": dialogue.say(begins, None),
    }


def _values_hash(config: Config) -> dict[str, str]:
    """SHA-256 of the manifest of the predicted values that an agent chooses by."""
    named = config.cognitive.pair_values
    if config.agent != "cognitive" or named == "true":
        return {}
    return {"pair_values": hashlib.sha256((Path(named) / "manifest.json").read_bytes()).hexdigest()}


def label_of(config: Config) -> str:
    """The arm's name: the agent, and for a model what was not left at its default."""
    if config.agent == "cognitive":
        warm = config.language.temperature
        values = ", true values" if config.cognitive.pair_values == "true" else ""
        return f"cognitive, {config.cognitive.weights}{values}" + ("" if warm is None else f", T={warm:g}")
    if config.agent != "language":
        return config.agent
    options = config.language
    parts = [model_name(options)]
    parts += [options.condition] if options.condition != LanguageOptions().condition else []
    parts += model_words(options)
    parts += ["by number"] if options.answer == "number" else []
    parts += [f"effort {options.reasoning_effort}"] if options.reasoning_effort else []
    return ", ".join(parts)


def planned(environment: Alchemy, split: str, seed: int, episodes: int) -> list[Planned]:
    """The episodes of a run: its split's tasks in order, from the first again when there are more episodes than tasks.

    UsageError if the split has no task.
    """
    tasks = list(environment.tasks(split, seed))
    if not tasks:
        raise UsageError(f"table {environment.table.name} has no task of the split {split}; pass --split open")
    return [Planned(key=f"{i:04d}", task=tasks[i % len(tasks)]) for i in range(episodes)]


def _warn_of_repeats(config: Config, plan: tuple[Planned, ...]) -> None:
    """Say when targeted tasks are played more than once. The open task always is: its episodes differ by their seed."""
    tasks = len({each.task.key for each in plan})
    if config.split != "open" and config.episodes > tasks:
        print(
            f"split {config.split} has {tasks} tasks, {config.episodes} episodes play each about "
            f"{config.episodes / tasks:.1f} times: episodes of one task are not independent (the column `task` of "
            f"episodes.parquet tells them apart); pass --episodes {tasks} to play every task once",
            file=sys.stderr,
        )
