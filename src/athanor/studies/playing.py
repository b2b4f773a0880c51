"""An agent plays alchemy into a run folder: every turn is written as it happens."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
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
    check_options,
    idle,
    make_dialogue,
    max_tokens_of,
)
from athanor.core.build import build_name, versions
from athanor.core.errors import UsageError
from athanor.core.options import changed, refuse_idle, refuse_outside
from athanor.core.play import Planned, play_many
from athanor.core.progress import progress
from athanor.core.protocols import Agent
from athanor.core.records import Episode, Failure, Sampling, Turn, Unreadable
from athanor.core.store import Manifest, RunFolder
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair, Sight
from athanor.environments.alchemy.rules import RulesName
from athanor.environments.alchemy.worlds import table
from athanor.models.backends import BACKENDS, BackendConfig, answering, execution_of, model_hash, refuse
from athanor.models.backends import idle as idle_backends

FEW_CUT = 0.03
"""Share of answers cut at the token bound above which a run warns."""

Ended = dict[str, Failure | None]
"""The key of each episode that ended, with the failure that ended it if one did. The episodes are on disk: a run's
turns are not kept in memory for this."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Play episodes of alchemy and write them to a run folder."""

    table: str
    """atelier, little-alchemy-2, wordcraft, generated:words:SEED, generated:opaque:SEED, renamed:SEED:TABLE, a file."""
    rules: RulesName
    """strict is exact; the others are the published studies' games, defects included."""
    agent: AgentName
    """Who plays. `language` needs --model."""
    episodes: int
    """Episodes to play."""
    turns: int
    """Turns of an episode, at most."""
    seed: int
    """All randomness follows from it."""
    out: Path
    """The run folder to make; refused if it exists, unless --resume is given."""
    split: Literal["open", "train", "test"] = "open"
    """open: discover as much as possible. train, test: targeted tasks, one after the other."""
    resume: bool = False
    """Go on with the run in --out, if there is one, to as many or more --episodes; errors are tried again."""
    concurrency: int = 0
    """Episodes played at once; 0 is as many as the backend can work on."""
    label: str = ""
    """What reports call this run; left out, it is made from the agent and its settings."""
    language: Annotated[LanguageOptions, tyro.conf.arg(name="")] = field(default_factory=LanguageOptions)
    cognitive: Annotated[CognitiveOptions, tyro.conf.arg(name="")] = field(default_factory=CognitiveOptions)
    backend: Annotated[BackendConfig, tyro.conf.arg(name="")] = field(default_factory=BackendConfig)


def play(config: Config) -> Ended:
    """Play what is not yet played, and give what ended now."""
    refuse_outside(config, {"episodes": (1, inf), "turns": (1, inf), "concurrency": (0, inf)})
    environment = Alchemy(table=table(config.table), rules=RULES[config.rules])
    _warn_of_repeats(config, environment)
    return asyncio.run(_whole(_resolved(config), environment))


def refuse_idle_options(config: Config) -> None:
    """UsageError naming the options given that do nothing beside the agent, the backend or the history given."""
    given = idle(config.agent, AgentOptions(language=config.language, cognitive=config.cognitive))
    given += [] if _asks(config) else idle_backends(config.backend, asked=False)
    refuse_idle(given, f"--agent {config.agent}")
    refuse_idle(idle_backends(config.backend), f"--backend {config.backend.backend}")
    past = config.language.history
    refuse_idle(
        ["--window"] if past != "window" and "--window" in changed(config.language) else [], f"--history {past}"
    )


def _resolved(config: Config) -> Config:
    """The bound on an answer's tokens depends on the backend where it was left out."""
    bound = max_tokens_of(config.language, server=config.backend.backend == "openai")
    return replace(config, language=replace(config.language, max_tokens=bound)) if _asks(config) else config


def _asks(config: Config) -> bool:
    return config.agent == "language"


async def _whole(config: Config, environment: Alchemy) -> Ended:
    """The backend and the agent are made first: a model or a setting that cannot be had leaves no folder behind."""
    make, model = BACKENDS[config.backend.backend], config.language.model
    if _asks(config):
        check_options(config.language)
        refuse(config.backend, _sampling(config.language))
    backend = make(model, config.backend) if _asks(config) and model else None
    try:
        options = AgentOptions(language=config.language, cognitive=config.cognitive)
        agent = AGENTS[config.agent](environment, options, backend)
        slots = 1 if config.agent == "human" else backend.slots if backend else 8
        at_once = config.concurrency or slots
        manifest = manifest_of(config, environment, at_once)
        begun = config.resume and (config.out / "manifest.json").exists()
        folder = (
            RunFolder[Pair].resume(config.out, manifest, grows="episodes")
            if begun
            else RunFolder[Pair].create(config.out, manifest)
        )
        try:
            return await _play(config, environment, agent, at_once, folder)
        finally:
            folder.close()
    finally:
        if backend:
            await backend.close()


def _sampling(options: LanguageOptions) -> Sampling:
    """What every turn asks of the backend, the grammar's text aside."""
    return Sampling(
        max_tokens=max_tokens_of(options),
        grammar="" if options.constrained else None,
        top_logprobs=options.top_logprobs,
        reasoning_effort=options.reasoning_effort,
    )


def manifest_of(config: Config, environment: Alchemy, at_once: int) -> Manifest:
    """What the run is. Settings that cannot change the science are told apart, and may change on --resume.

    The number of episodes may grow: each is drawn by its own key, so the first ones stay what they are.
    """
    science: dict[str, Any] = {
        name: getattr(config, name) for name in ("table", "rules", "agent", "split", "episodes", "turns", "seed")
    }
    execution: dict[str, Any] = {"concurrency": config.concurrency, "at_once": at_once}
    execution["command"] = " ".join(["athanor", *sys.argv[1:]])
    if config.agent == "cognitive":
        warm = config.language.temperature
        science |= {**asdict(config.cognitive), "temperature": TEMPERATURE if warm is None else warm}
    if config.agent in ("language", "human"):
        science |= _told(config, environment)
    if _asks(config):
        science |= {**asdict(config.language), **answering(config.backend)}
        execution |= execution_of(config.backend)
    model = model_hash(config.language.model, config.backend) if _asks(config) else {}
    return Manifest(
        kind="play alchemy",
        config=science,
        execution=execution,
        build=build_name(),
        versions=versions(),
        hashes={"table": environment.table.digest, **model, **_values_hash(config)},
        label=config.label or label_of(config),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


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
    if not _asks(config):
        return config.agent
    options, plain = config.language, LanguageOptions()
    parts = [Path(options.model).stem if options.model.endswith((".gguf", ".json")) else options.model]
    parts += [options.condition] if options.condition != plain.condition else []
    parts += [f"T={options.temperature:g}"] if options.temperature is not None else []
    parts += ["constrained"] if options.constrained else []
    parts += [options.history] if options.history != plain.history else []
    parts += ["by number"] if options.answer == "number" else []
    parts += [f"effort {options.reasoning_effort}"] if options.reasoning_effort else []
    return ", ".join(parts)


async def _play(
    config: Config, environment: Alchemy, agent: Agent[Sight, Pair], at_once: int, folder: RunFolder[Pair]
) -> Ended:
    plan = _plan(config, environment, folder)
    ended: Ended = {}
    done = sum(len(each.past) for each in plan)
    with progress(len(plan) * config.turns, "turn", folder.manifest.label, done) as bar:
        watched = _Watched(folder, bar)
        episodes = play_many(
            environment,
            Discovery(environment=environment),
            agent,
            plan,
            seed=config.seed,
            turns=config.turns,
            concurrency=at_once,
            sink=watched,
        )
        async for episode in episodes:
            ended[episode.key] = episode.failure
    watched.warn(config.language.max_tokens)
    return ended


def planned(environment: Alchemy, split: str, seed: int, episodes: int) -> list[Planned]:
    """The episodes of a run: its split's tasks in order, from the first again when there are more episodes than tasks.

    UsageError if the split has no task.
    """
    tasks = list(environment.tasks(split, seed))
    if not tasks:
        raise UsageError(f"table {environment.table.name} has no task of the split {split}; pass --split open")
    return [Planned(key=f"{i:04d}", task=tasks[i % len(tasks)]) for i in range(episodes)]


def _warn_of_repeats(config: Config, environment: Alchemy) -> None:
    """Say when targeted tasks are played more than once. The open task always is: its episodes differ by their seed."""
    tasks = len({each.task.key for each in planned(environment, config.split, config.seed, config.episodes)})
    if config.split != "open" and config.episodes > tasks:
        print(
            f"split {config.split} has {tasks} tasks, {config.episodes} episodes play each about "
            f"{config.episodes / tasks:.1f} times: episodes of one task are not independent (the column `task` of "
            f"episodes.parquet tells them apart); pass --episodes {tasks} to play every task once",
            file=sys.stderr,
        )


def _plan(config: Config, environment: Alchemy, folder: RunFolder[Pair]) -> list[Planned]:
    """What is left to play: episodes not begun, interrupted, or ended in an error."""
    ended, turns = folder.ended(), folder.turns(Pair)
    return [
        Planned(key=each.key, task=each.task, past=tuple(turns.get(each.key, ())))
        for each in planned(environment, config.split, config.seed, config.episodes)
        if each.key not in ended or ended[each.key].end == "error"
    ]


class _Watched:
    """The run folder as a sink, with a progress bar that counts the turns; counts the answers cut and withheld."""

    def __init__(self, folder: RunFolder[Pair], bar: Any) -> None:
        self._folder, self._bar = folder, bar
        self._answers = self._cut = self._lost = 0
        self._withheld: Counter[str] = Counter()

    def turn(self, episode: str, turn: Turn[Pair]) -> None:
        self._folder.turn(episode, turn)
        if turn.completion:
            cut = turn.completion.finish == "length"
            self._answers += 1
            self._cut += cut
            self._lost += cut and isinstance(turn.action, Unreadable)
        if isinstance(turn.action, Unreadable):
            self._withheld[turn.action.cause] += 1
        self._bar.update()

    def episode(self, episode: Episode[Pair]) -> None:
        self._folder.episode(episode)

    def warn(self, bound: int | None) -> None:
        """Say so on standard error when answers were cut (a bound too small looks like a model that cannot play) or
        withheld: those are invalid turns too."""
        for cause, whose in (("filtered", "withheld by the server's content filter"), ("refused", "refusals")):
            if count := self._withheld[cause]:
                print(f"{count} of {self._answers} answers were {whose}: invalid turns, cause {cause}", file=sys.stderr)
        if self._cut > FEW_CUT * self._answers:
            print(
                f"{self._cut} of {self._answers} answers were cut at the bound of {bound} tokens, and {self._lost} of "
                "those could not be read; pass a larger --max-tokens if they were still on their way",
                file=sys.stderr,
            )


def told(config: Config, ended: Ended) -> int:
    """Say on standard error which episodes ended in an error, and why; 1 if any did."""
    failed = {key: failure for key, failure in ended.items() if failure}
    if not failed:
        return 0
    causes = {f"{failure.kind}: {failure.message}": key for key, failure in failed.items()}
    print(f"{len(failed)} of {len(ended)} episodes ended in an error:", file=sys.stderr)
    for cause, key in list(causes.items())[:5]:
        print(f"  episode {key}: {cause[:500]}", file=sys.stderr)
    print(f"their turns are kept; try them again with --resume --out {config.out}", file=sys.stderr)
    return 1
