"""From a run folder to tables: one row a turn, one row an episode. Derived, and made again at any time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.core.disk import all_or_nothing
from athanor.core.errors import UsageError
from athanor.core.records import Task, Turn, Unreadable
from athanor.core.store import EpisodeLine, Manifest, RunFolder
from athanor.environments.alchemy import Pair
from athanor.environments.alchemy.table import ordered

SPENT = (
    ("prompt_tokens", pa.int64()),
    ("cached_tokens", pa.int64()),
    ("completion_tokens", pa.int64()),
    ("reasoning_tokens", pa.int64()),
    ("seconds", pa.float64()),
    ("cost", pa.float64()),
    ("attempts", pa.int32()),
    ("finish", pa.string()),
)
"""Columns of what a turn cost, the last of every turn table; `spent_on` gives their values."""

TURNS = pa.schema([
    ("episode", pa.string()),
    ("turn", pa.int32()),
    ("first", pa.string()),
    ("second", pa.string()),
    ("category", pa.string()),
    ("cause", pa.string()),
    ("foreign", pa.string()),
    ("reward", pa.float64()),
    ("passed", pa.bool_()),
    ("new", pa.int32()),
    ("gifts", pa.int32()),
    ("inventory", pa.int32()),
    ("repeated", pa.bool_()),
    *SPENT,
])  # fmt: skip
"""Columns of the turn table. `first` and `second` are null when no pair could be read, `inventory` (elements owned
after the turn) when the episode has not ended and its start is not stored, and what a completion says when no model
was asked or it did not say. `repeated`: the same unordered pair was read in an earlier turn of the episode, whatever
came of it. `seconds` is the whole turn's. `finish`: how the answer ended, `length` where the token bound cut it."""

EPISODES = pa.schema([
    ("episode", pa.string()),
    ("agent", pa.string()),
    ("end", pa.string()),
    ("failure", pa.string()),
    ("table", pa.string()),
    ("split", pa.string()),
    ("task", pa.string()),
    ("goal", pa.string()),
    ("turns", pa.int32()),
    ("start", pa.int32()),
    ("inventory", pa.int32()),
    ("return", pa.float64()),
    ("passed", pa.bool_()),
])  # fmt: skip
"""Columns of the episode table, in order of the key. `end` is null while an episode is being played, and so is what
only its last line tells. `task`: the task's key; episodes that share one are not independent. `passed`: some turn
passed. `inventory` is what was owned at the end."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """The first episode of a run, to be read by people: the first that ended without an error, if there is one."""

    episode: str
    end: str | None
    task: Task | None
    """None while it is being played."""
    turns: tuple[Turn[Any], ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder as tables."""

    path: Path
    manifest: Manifest
    turns: pa.Table
    episodes: pa.Table
    opening: Opening | None


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Run folders of alchemy, at least one and none twice. UsageError if it is otherwise; else as `read_run`."""
    refuse_none(paths)
    return [read_run(path) for path in paths]


GAMES = ("alchemy", "points", "scenes")
"""Environments whose runs can be analysed."""


def game_of(paths: Sequence[Path]) -> str:
    """The environment that all runs were played in. UsageError where there are two, none that is known, or no run."""
    refuse_none(paths)
    folders = {path: RunFolder[Any].read(path) for path in paths}
    for folder in folders.values():
        refuse_unplayed(folder)
    games = {path: game(folder.manifest) for path, folder in folders.items()}
    first, *others = dict.fromkeys(games.values())
    if others:
        one, other = (next(path for path, name in games.items() if name == wanted) for wanted in (first, others[0]))
        raise UsageError(
            f"{one} is a run of {first!r} and {other} of {others[0]!r}, runs of one environment were expected; pass "
            "those of each to a command of their own"
        )
    if first not in GAMES:
        raise UsageError(f"{paths[0]} is a run of {first!r}, a run of {' or '.join(GAMES)} was expected; leave it out")
    return first


def game(manifest: Manifest) -> str:
    """The environment of a run by name: `alchemy` where the manifest does not say."""
    return str(manifest.config.get("environment", "alchemy"))


def refuse_none(paths: Sequence[Path]) -> None:
    """UsageError if no path was given, or one twice."""
    if not paths:
        raise UsageError("no run folder was given, at least one was expected; pass the folders that --out made")
    refuse_twice(paths)


def refuse_twice(paths: Sequence[Path]) -> None:
    """UsageError if a path was given twice, however it is written: its episodes would count as independent ones."""
    seen: dict[Path, Path] = {}
    for path in paths:
        place = path.resolve()
        if place in seen:
            raise UsageError(f"{seen[place]} was given twice (as {path}), once was expected; leave one of them out")
        seen[place] = path


def read_run(path: Path) -> Run:
    """Read a run folder, which may still be in the making, and derive its tables; nothing is written.

    UsageError if it is no run folder or not one of alchemy; DataError if turns are missing or cannot be read.
    """
    folder: RunFolder[Pair] = RunFolder.read(path)
    refuse_other(folder, "alchemy")
    ended, played = folder.played(Pair)
    keys = sorted({*played, *ended})
    return Run(
        path=path,
        manifest=folder.manifest,
        turns=_turn_table((key, played.get(key, []), ended.get(key)) for key in keys),
        episodes=_episode_table((key, played.get(key, []), ended.get(key)) for key in keys),
        opening=opening_of(keys, played, ended),
    )


def refuse_unplayed(folder: RunFolder[Any]) -> None:
    """UsageError for the folder of a study or a training, in which nothing was played."""
    kind, page = folder.manifest.kind, folder.path / "report.html"
    if kind.startswith("play"):
        return
    whole = f"its page is {page}, its estimates are beside it; pass" if page.exists() else "pass"
    raise UsageError(f"{folder.path} holds the {kind!r}, a run of `athanor play` was expected; {whole} such a run")


def refuse_other(folder: RunFolder[Any], wanted: str) -> None:
    """UsageError if a run was played in another environment than the one wanted, or nothing was played."""
    refuse_unplayed(folder)
    found = game(folder.manifest)
    if found != wanted:
        raise UsageError(f"{folder.path} is a run of {found!r}, a run of {wanted!r} was expected; leave it out")


def write_tables(run: Run) -> tuple[Path, Path]:
    """Write RUN/tables/turns.parquet and episodes.parquet, each whole or not at all, and give their paths.

    OSError where they cannot be written; then nothing new is left behind.
    """
    folder = run.path / "tables"
    paths = folder / "turns.parquet", folder / "episodes.parquet"
    with all_or_nothing() as write:
        for path, table in zip(paths, (run.turns, run.episodes), strict=True):
            buffer = pa.BufferOutputStream()
            pq.write_table(table, buffer, compression="zstd")
            write(path, buffer.getvalue().to_pybytes())
    return paths


_Played = tuple[str, Sequence[Turn[Pair]], EpisodeLine | None]


def _turn_table(episodes: Iterator[_Played]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in TURNS.names}
    add = [columns[name].append for name in TURNS.names]
    for key, turns, line in episodes:
        for row in _turn_rows(key, turns, line):
            for append, value in zip(add, row, strict=True):
                append(value)
    return pa.table(columns, schema=TURNS)


def _turn_rows(key: str, turns: Sequence[Turn[Pair]], line: EpisodeLine | None) -> Iterator[tuple[Any, ...]]:
    """The rows of one episode, in the order of TURNS."""
    owned = _start_of(line)
    seen: set[tuple[str, str]] = set()
    for turn in turns:
        action, verdict, parts = turn.action, turn.verdict, turn.verdict.parts
        named = (None, None) if isinstance(action, Unreadable) else (action.first, action.second)
        pair = None if isinstance(action, Unreadable) else ordered(action.first, action.second)
        new, gifts = len(parts.get("new", ())), len(parts.get("gifts", ()))
        owned = None if owned is None else owned + new + gifts
        yield (
            key, turn.index, *named,
            parts.get("category"), parts.get("cause"), parts.get("foreign"), verdict.reward, verdict.passed,
            new, gifts, owned, None if pair is None else pair in seen,
            *spent_on(turn),
        )  # fmt: skip
        if pair is not None:
            seen.add(pair)


def spent_on(turn: Turn[Any]) -> tuple[float | int | str | None, ...]:
    """The values of SPENT: seconds are the whole turn's, the rest is unknown where no model was asked."""
    one = turn.completion
    if one is None:
        return (None, None, None, None, turn.seconds, None, None, None)
    return (
        one.prompt_tokens, one.cached_tokens, one.completion_tokens, one.reasoning_tokens, turn.seconds, one.cost,
        one.attempts, one.finish,
    )  # fmt: skip


def _start_of(line: EpisodeLine | None) -> int | None:
    """How many elements an episode starts with; None while it has not ended, for its task is not stored yet."""
    return None if line is None else len(line.task.content.get("start", ()))


def _episode_table(episodes: Iterator[_Played]) -> pa.Table:
    rows = [_episode_row(key, turns, line) for key, turns, line in episodes]
    return pa.Table.from_pylist(rows, schema=EPISODES)


def _episode_row(key: str, turns: Sequence[Turn[Pair]], line: EpisodeLine | None) -> dict[str, Any]:
    row: dict[str, Any] = {"episode": key, "turns": len(turns)}
    row["return"] = sum(turn.verdict.reward for turn in turns)
    row["passed"] = any(turn.verdict.passed for turn in turns)
    if line is None:
        return row
    start = _start_of(line)
    gained = sum(len(t.verdict.parts.get("new", ())) + len(t.verdict.parts.get("gifts", ())) for t in turns)
    return row | {
        "agent": line.agent,
        "end": line.end,
        "failure": None if line.failure is None else f"{line.failure.kind}: {line.failure.message}",
        "table": line.task.content.get("table"),
        "split": line.task.split,
        "task": line.task.key,
        "goal": line.task.content.get("goal") or None,
        "start": start,
        "inventory": None if start is None else start + gained,
    }


def opening_of(
    keys: Sequence[str], played: Mapping[str, Sequence[Turn[Any]]], ended: Mapping[str, EpisodeLine]
) -> Opening | None:
    """The episode of a run that people are to read; None where nothing was played."""

    def rank(key: str) -> tuple[int, str]:
        line = ended.get(key)
        return (1 if line is None else 2 if line.end == "error" else 0, key)

    key = min((key for key in keys if played.get(key)), key=rank, default=None)
    if key is None:
        return None
    line = ended.get(key)
    return Opening(
        episode=key, end=line and line.end, task=line and line.task, turns=tuple(played[key])
    )  # fmt: skip
