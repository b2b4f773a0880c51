"""athanor check run: every episode of a run folder played again from its actions."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from athanor.core.errors import DataError
from athanor.core.replay import check_episode
from athanor.core.store import RunFolder
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.worlds import table


@dataclass(frozen=True, kw_only=True)
class Config:
    """Replay a run's episodes and compare every verdict with the stored one."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""


def run(config: Config) -> int:
    """Print what was compared; 1 if anything differs."""
    folder: RunFolder[Pair] = RunFolder.read(config.run)
    setting = folder.manifest.config
    world = table(setting["table"])
    if world.digest != folder.manifest.hashes["table"]:
        raise DataError(
            f"the table {setting['table']} is not the one that {config.run} was played on (SHA-256 "
            f"{world.digest[:12]}... against {folder.manifest.hashes['table'][:12]}...); bring that table back"
        )
    environment = Alchemy(table=world, rules=RULES[setting["rules"]])
    verifier = Discovery(environment=environment)
    episodes = list(folder.episodes(Pair))
    differences = [d for episode in episodes for d in check_episode(environment, verifier, episode)]
    turns = sum(len(episode.turns) for episode in episodes)
    print(f"{len(episodes)} episodes, {turns} turns replayed, {len(differences)} differences")
    for difference in differences[:20]:
        print(f"episode {difference.episode}, turn {difference.turn}: {difference.what}", file=sys.stderr)
    return 1 if differences else 0
