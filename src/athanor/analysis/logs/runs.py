"""Run folders of alchemy as logs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from athanor.analysis.arms import Arm, arms_of
from athanor.analysis.logs.records import Exclusion, Logs
from athanor.analysis.logs.rows import EXAMPLES, Rows, Words, players_table, settle
from athanor.analysis.tables import read_runs
from athanor.core.errors import UsageError
from athanor.values.arrays import Bools, TableArrays


def from_runs(paths: Sequence[Path], world: TableArrays) -> Logs:
    """The turns of run folders: `from_arms`, and errors as `read_runs`."""
    return from_arms(arms_of(read_runs(paths)), world)


def from_arms(arms: Sequence[Arm], world: TableArrays) -> Logs:
    """The turns of arms, an episode a player, named FOLDER/KEY; the group is the arm's name.

    Left out: turns of episodes that ended in an error or have not ended (`error`), and turns from whose answer no pair
    could be read (`unreadable`). A player stopped whose episode ended before the run's bound on turns and not by the
    environment, which has nothing left to try then. UsageError if a run is of another table or of targeted tasks, which
    start from other elements.
    """
    for arm in arms:
        _refuse_other_games(arm, world)
    players, tables, excluded, stopped = [], [], [], set[int]()
    for arm in arms:
        of_kept = np.repeat(arm.kept, arm.run.episodes["turns"].to_numpy())  # both tables are in order of the key
        number = pa.array(arm.episode + len(players), pa.int32())
        tables.append(arm.run.turns.filter(pa.array(of_kept)).append_column("player", number))
        keys = arm.run.episodes["episode"].filter(pa.array(arm.kept)).to_pylist()
        stopped.update((len(players) + np.flatnonzero(_stopped(arm))).tolist())
        players += [{"id": f"{arm.run.path.name}/{key}", **_described(arm)} for key in keys]
        excluded += _unkept(arm)
    turns = pa.concat_tables(tables)
    return settle(
        Rows(
            source=", ".join(str(arm.run.path) for arm in arms),
            form="run",
            players=players_table(players),
            player=turns["player"].to_numpy(),
            trial=turns["turn"].to_numpy().astype(np.int64),
            first=Words.of(turns["first"].to_pylist()),
            second=Words.of(turns["second"].to_pylist()),
            success=Words.of(_success(category) for category in turns["category"].to_pylist()),
            gained=Words.of([None] * turns.num_rows),
            nameless="unreadable",
            begin=0,
            stopped=frozenset(stopped),
            excluded=tuple(excluded),
        ),
        world,
    )


def _refuse_other_games(arm: Arm, world: TableArrays) -> None:
    played = arm.run.manifest.hashes.get("table")
    if played != world.table.digest:
        raise UsageError(
            f"{arm.run.path} was played on {arm.world.table}, the table {world.table.name}@{world.table.digest[:12]} "
            "was passed; pass the table of the run"
        )
    if arm.world.split != "open":
        raise UsageError(
            f"{arm.run.path} has targeted tasks ({arm.world.split}), open-ended play was expected; leave it out"
        )


def _described(arm: Arm) -> dict[str, Any]:
    """What the manifest says of an arm's players; null what it does not."""
    config = arm.run.manifest.config
    seed, temperature = config.get("seed"), config.get("temperature")
    return {
        "group": arm.name,
        "model": str(config["model"]) if config.get("model") else None,
        "condition": str(config["condition"]) if config.get("model") and config.get("condition") else None,
        "temperature": float(temperature) if isinstance(temperature, int | float) else None,
        "seed": seed if isinstance(seed, int) else None,
    }


def _stopped(arm: Arm) -> Bools:
    """Bool["episodes"]: which of those kept ended before the manifest's bound and not by the environment."""
    ended = arm.run.episodes.filter(pa.array(arm.kept))
    by_itself = np.array(ended["end"].to_pylist()) == "terminated"
    return ~by_itself & (ended["turns"].to_numpy() < arm.world.turns)


def _unkept(arm: Arm) -> list[Exclusion]:
    episodes = arm.run.episodes.filter(pa.array(~arm.kept))
    count = sum(episodes["turns"].to_pylist())
    if not count:
        return []
    rows = episodes.slice(0, EXAMPLES).to_pylist()
    examples = tuple(f"{arm.run.path.name}/{row['episode']}: {row['failure'] or 'not ended'}" for row in rows)
    return [Exclusion(cause="error", count=count, examples=examples)]


def _success(category: str | None) -> str | None:
    """The verdict's flag, null for a turn that counted as no attempt."""
    return None if category in (None, "invalid") else str(category.startswith("success"))
