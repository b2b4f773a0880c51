"""athanor check run: every episode of a run folder played again from its actions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from athanor.core.records import Task, Turn
from athanor.core.replay import Difference, check_ending, check_turns
from athanor.core.store import EpisodeLine, RunFolder
from athanor.studies.playing.again import Again, again


@dataclass(frozen=True, kw_only=True)
class Config:
    """Replay a run's episodes and compare every verdict and every ending with what is stored."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""


def run(config: Config) -> int:
    """Print what was compared; 1 if anything differs."""
    folder: RunFolder[Any] = RunFolder.read(config.run)
    played, setting = again(folder), folder.manifest.config
    plan = played.plan
    tasks = {each.key: each.task for each in plan}
    ended, turns = folder.played(played.environment.action_type)
    found = [*_ended_again(folder), *_gaps([each.key for each in plan], ended, turns)]
    for key in sorted({*ended, *turns}):
        found += _check(played, setting, tasks.get(key), key, turns.get(key, []), ended.get(key))
    left = sum(key not in ended or ended[key].end == "error" for key in tasks)
    unfinished = f" ({left} of {len(plan)} not finished)" if left else ""
    count = sum(map(len, turns.values()))
    print(f"{len({*ended, *turns})} episodes{unfinished}, {count} turns replayed, differences: {len(found)}")
    for difference in found[:20]:
        where = "" if difference.turn is None else f", turn {difference.turn}"
        print(f"episode {difference.episode}{where}: {difference.what}", file=sys.stderr)
    return 1 if found else 0


def _ended_again(folder: RunFolder[Any]) -> Iterator[Difference]:
    """Episodes with a further line after an ending that stands: only one that ended in an error is played again."""
    for key, lines in folder.endings().items():
        stands = next((line for line in lines[:-1] if line.end != "error"), None)
        if stands:
            what = f"{len(lines)} lines in episodes.jsonl, although it had ended ({stands.end}); remove the surplus"
            yield Difference(episode=key, turn=None, what=what)


def _gaps(plan: Sequence[str], ended: Mapping[str, EpisodeLine], turns: Mapping[str, object]) -> Iterator[Difference]:
    """Episodes of which nothing is there though later ones have ended: they begin in the order of their numbers."""
    last = max((position for position, key in enumerate(plan) if key in ended), default=-1)
    for key in plan[: last + 1]:
        if key not in ended and key not in turns:
            what = f"nothing of it is there, although episode {plan[last]} has ended; play it with --resume"
            yield Difference(episode=key, turn=None, what=what)


def _check(
    played: Again,
    setting: dict[str, Any],
    task: Task | None,
    key: str,
    turns: list[Turn[Any]],
    line: EpisodeLine | None,
) -> tuple[Difference, ...]:
    """One episode, ended or not, against the rules and against the run's own setting."""
    if task is None:
        what = f"the run has {setting['episodes']} episodes, numbered from 0000, not this one"
        return (Difference(episode=key, turn=None, what=what),)
    found, derived = check_turns(played.environment, played.verifier, task, key, turns)
    if line is None:
        return found
    agent = line.agent if setting["agent"] == "language" else setting["agent"]  # a model's name is not in the setting
    return found + check_ending(line, derived, task=task, agent=agent, seed=setting["seed"], most=played.turns)
