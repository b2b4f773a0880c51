"""From run folders and logs to groups of players with the values of their turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from athanor.analysis.arms import arms_of
from athanor.analysis.logs import Logs, checked, from_arms, read_logs
from athanor.analysis.logs.checks import ALLOWED
from athanor.analysis.logs.read import Form
from athanor.analysis.regressions import Comparison, Group, group
from athanor.analysis.tables import read_runs, refuse_other, refuse_twice
from athanor.analysis.weights import SAMPLED
from athanor.core.errors import UsageError
from athanor.core.store import RunFolder
from athanor.environments.alchemy.rules import RULES, Rules
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import Bools, TableArrays
from athanor.values.games import CAUSES
from athanor.values.tables import PairValues

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How played games are to be read."""

    seed: int
    rules: str = ""
    """Rules to replay by; empty takes the runs' own."""
    table: str = ""
    """Table of logs that do not name theirs; run folders do."""
    comparison: Comparison = "uniform"
    form: Form = "auto"
    """Of files."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Of files."""
    allow: float = ALLOWED
    illegal: Literal["turn", "player"] = "turn"
    first_tries: bool = False
    """Leave out pairs that a player combined before (the `memory` form of Brändle et al. 2023)."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """Logs of one world, replayed by one set of rules."""

    world: TableArrays
    rules: Rules
    logs: tuple[Logs, ...]


def read(paths: Sequence[Path], reading: Reading) -> list[Played]:
    """Run folders and files of logs by world and rules, in the order in which those first come.

    UsageError for a file without --table or --rules, an unknown rule, or a path given twice; else as `from_arms` and
    `read_logs`.
    """
    refuse_twice(paths)
    runs: dict[tuple[str, str], list[Path]] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist, a run folder or a file of logs was expected; check its name")
        folder = RunFolder.read(path) if path.is_dir() else None
        if folder:
            refuse_other(folder, "alchemy")
        config = folder.manifest.config if folder else {}
        key = config.get("table") or reading.table, reading.rules or config.get("rules", "")
        if not all(key):
            raise UsageError(
                f"{path} does not say by which table and rules it was played; pass them with --table and --rules"
            )
        if key[1] not in RULES:
            raise UsageError(f"rules {key[1]!r} are not one of {', '.join(RULES)}; pass one of them with --rules")
        runs.setdefault(key, []).append(path)
    if not runs:
        raise UsageError("no run was given, at least one was expected; pass run folders or files of logs")
    return [_played(TableArrays(table(named)), RULES[rules], paths, reading) for (named, rules), paths in runs.items()]


def _played(world: TableArrays, rules: Rules, paths: Sequence[Path], reading: Reading) -> Played:
    folders = [path for path in paths if path.is_dir()]
    arms = arms_of(read_runs(folders)) if folders else []
    allow, illegal = reading.allow, reading.illegal
    logs = [checked(from_arms([arm], world), world, rules, allow=allow, illegal=illegal) for arm in arms]
    for path in paths:
        if not path.is_dir():
            logs.append(read_logs(
                path, world, rules, form=reading.form, columns=reading.columns or None, allow=allow, illegal=illegal
            ))  # fmt: skip
    return Played(world=world, rules=rules, logs=tuple(logs))


def groups_of(played: Played, fixed: PairValues, reading: Reading) -> tuple[Group, ...]:
    """The groups of players (arms, models) with the values of their turns, as `weights` wants them.

    What a source of several groups lacks (gaps, duplicates) is counted as left out of each.
    """
    return tuple(one for logs in played.logs for one in _groups(logs, played, fixed, reading))


def _groups(logs: Logs, played: Played, fixed: PairValues, reading: Reading) -> Iterator[Group]:
    games, names = logs.games(played.world, played.rules), logs.players["group"].to_pylist()
    games = games.first_tries() if reading.first_tries else games
    temperatures, models = logs.players["temperature"].to_pylist(), logs.players["model"].to_pylist()
    left_out = sum(one.count for one in logs.excluded if one.cause not in CAUSES)  # the rules' refusals are in games
    for name in dict.fromkeys(names):
        mine = np.array([other == name for other in names])
        warm, model = _common(temperatures, mine), _common(models, mine)
        yield group(
            name or logs.source, games.of(mine), fixed, seed=reading.seed, comparison=reading.comparison,
            count=SAMPLED, excluded=left_out, temperature=warm, model=model,
        )  # fmt: skip


def _common(values: Sequence[T | None], mine: Bools) -> T | None:
    """What a group's players have in common; None if they differ."""
    own = {value for value, is_mine in zip(values, mine, strict=True) if is_mine}
    return own.pop() if len(own) == 1 else None
