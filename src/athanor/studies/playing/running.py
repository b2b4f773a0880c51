"""An agent plays into a run folder, whatever the environment: every turn is written as it happens."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Annotated, Any

import tyro

from athanor.agents.asking import ModelOptions, check_options, sampling_of
from athanor.core.build import build_name, versions
from athanor.core.options import changed, refuse_idle
from athanor.core.play import Planned, play_many
from athanor.core.progress import progress
from athanor.core.protocols import Agent, Backend, Environment, Verifier
from athanor.core.records import Episode, Failure, Turn, Unreadable
from athanor.core.store import Manifest, RunFolder
from athanor.models.backends import BACKENDS, BackendConfig, answering, execution_of, idle, model_hash, refuse

FEW_CUT = 0.03
"""Share of answers cut at the token bound above which a run warns."""

Ended = dict[str, Failure | None]
"""The key of each episode that ended, with the failure that ended it if one did. The episodes are on disk: a run's
turns are not kept in memory for this."""


@dataclass(frozen=True, kw_only=True)
class Common:
    """What is asked of every run, whatever is played."""

    episodes: int
    """Episodes to play."""
    seed: int
    """All randomness follows from it."""
    out: Path
    """The run folder to make; refused if it exists, unless --resume is given."""
    resume: bool = False
    """Go on with the run in --out, if there is one, to as many or more --episodes; errors are tried again."""
    concurrency: int = 0
    """Episodes played at once; 0 is as many as the backend can work on."""
    label: str = ""
    """What reports call this run; left out, it is made from the agent and its settings."""
    backend: Annotated[BackendConfig, tyro.conf.arg(name="")] = field(default_factory=BackendConfig)


RANGES = {"episodes": (1, inf), "concurrency": (0, inf)}
"""What numbers of `Common` may be."""


def _unread(action: Any) -> bool:
    return isinstance(action, Unreadable)


@dataclass(frozen=True, kw_only=True)
class Match:
    """Who plays what: all that a run is beside `Common`."""

    environment: Environment[Any, Any, Any]
    verifier: Verifier[Any, Any]
    plan: tuple[Planned, ...]
    """Every episode of the run; those of a longer run begin with these."""
    turns: int
    """Turns of an episode, at most."""
    agent: str
    """Its name among the agents of the environment."""
    make: Callable[[Backend | None], Agent[Any, Any]]
    """The agent, over the backend if a model is asked."""
    asked: ModelOptions | None
    """How a model is asked, its bound on tokens resolved; None where none is."""
    images: bool = False
    """Whether the model is shown pictures."""
    science: dict[str, Any]
    """The settings that can change what is played, those of the backend apart."""
    hashes: Callable[[], dict[str, str]] = dict
    """SHA-256 of the data that is read; taken when the agent has been made."""
    label: str
    unread: Callable[[Any], bool] = _unread
    """Whether nothing was read of an answer, going by its action."""

    @property
    def kind(self) -> str:
        return f"play {self.environment.name}"


def play(config: Common, match: Match) -> Ended:
    """Play what is not yet played, and give what ended now."""
    return asyncio.run(_whole(config, match))


def refuse_idle_options(config: Common, agent: str, options: ModelOptions, given: Sequence[str]) -> None:
    """UsageError naming the options given that do nothing beside the agent, the backend or the history given.

    `given`: the options given that the agent does not heed.
    """
    asks = agent == "language"
    refuse_idle([*given, *([] if asks else idle(config.backend, asked=False))], f"--agent {agent}")
    refuse_idle(idle(config.backend), f"--backend {config.backend.backend}")
    past = options.history
    refuse_idle(["--window"] if past != "window" and "--window" in changed(options) else [], f"--history {past}")


async def _whole(config: Common, match: Match) -> Ended:
    """The backend and the agent are made first: a model or a setting that cannot be had leaves no folder behind."""
    asked = match.asked
    if asked is not None:
        check_options(asked)
        refuse(config.backend, sampling_of(asked, asked.max_tokens or 1), images=match.images, model=asked.model)
    make = BACKENDS[config.backend.backend]
    backend = make(asked.model, config.backend) if asked is not None and asked.model else None
    try:
        agent = match.make(backend)
        slots = 1 if match.agent == "human" else backend.slots if backend else 8
        at_once = config.concurrency or slots
        manifest = manifest_of(config, match, at_once)
        begun = config.resume and (config.out / "manifest.json").exists()
        folder = (
            RunFolder[Any].resume(config.out, manifest, grows="episodes")
            if begun
            else RunFolder[Any].create(config.out, manifest)
        )
        try:
            return await _play(config, match, agent, at_once, folder)
        finally:
            folder.close()
    finally:
        if backend:
            await backend.close()


def manifest_of(config: Common, match: Match, at_once: int) -> Manifest:
    """What the run is. Settings that cannot change the science are told apart, and may change on --resume.

    The number of episodes may grow: each is drawn by its own key, so the first ones stay what they are.
    """
    science = {**match.science, "agent": match.agent, "episodes": config.episodes, "seed": config.seed}
    execution: dict[str, Any] = {"concurrency": config.concurrency, "at_once": at_once}
    execution["command"] = " ".join(["athanor", *sys.argv[1:]])
    hashes = match.hashes()
    if match.asked is not None:
        science |= {**asdict(match.asked), **answering(config.backend)}
        execution |= execution_of(config.backend)
        hashes |= model_hash(match.asked.model, config.backend)
    return Manifest(
        kind=match.kind,
        config=science,
        execution=execution,
        build=build_name(),
        versions=versions(),
        hashes=hashes,
        label=config.label or match.label,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def model_name(options: ModelOptions) -> str:
    """What a model is called: a file by its stem."""
    return Path(options.model).stem if options.model.endswith((".gguf", ".json")) else options.model


def model_words(options: ModelOptions) -> list[str]:
    """What was not left at its default of how a model is asked, in words."""
    parts = [f"T={options.temperature:g}"] if options.temperature is not None else []
    parts += ["constrained"] if options.constrained else []
    return parts + ([options.history] if options.history != ModelOptions().history else [])


async def _play(config: Common, match: Match, agent: Agent[Any, Any], at_once: int, folder: RunFolder[Any]) -> Ended:
    plan = _left(match, folder)
    ended: Ended = {}
    done = sum(len(each.past) for each in plan)
    with progress(len(plan) * match.turns, "turn", folder.manifest.label, done) as bar:
        watched = _Watched(folder, bar, match.unread)
        episodes = play_many(
            match.environment,
            match.verifier,
            agent,
            plan,
            seed=config.seed,
            turns=match.turns,
            concurrency=at_once,
            sink=watched,
        )
        async for episode in episodes:
            ended[episode.key] = episode.failure
    watched.warn(match.asked.max_tokens if match.asked is not None else None)
    return ended


def _left(match: Match, folder: RunFolder[Any]) -> list[Planned]:
    """What is left to play: episodes not begun, interrupted, or ended in an error."""
    ended, turns = folder.ended(), folder.turns(match.environment.action_type)
    return [
        Planned(key=each.key, task=each.task, past=tuple(turns.get(each.key, ())))
        for each in match.plan
        if each.key not in ended or ended[each.key].end == "error"
    ]


class _Watched:
    """The run folder as a sink, with a progress bar that counts the turns; counts the answers cut and withheld."""

    def __init__(self, folder: RunFolder[Any], bar: Any, unread: Callable[[Any], bool]) -> None:
        self._folder, self._bar, self._unread = folder, bar, unread
        self._answers = self._cut = self._lost = 0
        self._withheld: Counter[str] = Counter()

    def turn(self, episode: str, turn: Turn[Any]) -> None:
        self._folder.turn(episode, turn)
        if turn.completion:
            cut = turn.completion.finish == "length"
            self._answers += 1
            self._cut += cut
            self._lost += cut and self._unread(turn.action)
        if isinstance(turn.action, Unreadable):
            self._withheld[turn.action.cause] += 1
        self._bar.update()

    def episode(self, episode: Episode[Any]) -> None:
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


def told(config: Common, ended: Ended) -> int:
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
