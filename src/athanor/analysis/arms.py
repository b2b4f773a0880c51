"""Arms and worlds: which runs may be compared, and what each is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from athanor.agents.registry import AgentName
from athanor.analysis.tables import Run
from athanor.core.records import Record
from athanor.values.formulas import PAST

BASELINES: tuple[AgentName, ...] = ("random", "random-never-repeat", "uncertainty", "oracle")
"""Agents that every other arm is compared with, from the least that must be beaten to one that knows the table."""


class World(Record, kw_only=True):
    """What two runs must share to be compared: the table, the rules, the split and the number of turns."""

    table: str
    """Name and digest, as the tasks have it."""
    rules: str
    split: str
    turns: int
    """Turns an episode may have at most."""
    title: str = ""
    """What it is called, where that is not made of the rest."""

    @property
    def name(self) -> str:
        if self.title:
            return self.title
        split = "" if self.split == "open" else f", {self.split} tasks"
        return f"{self.table.partition('@')[0]}, {self.rules} rules{split}, {self.turns} turns"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One run as an arm of a comparison, with its turns as arrays.

    An episode is kept when it ended without an error; everything below is over kept episodes, in order of the key.
    """

    name: str
    """Unique among the arms compared."""
    short: str
    """Unique in its world: the label, where that is enough."""
    world: World
    baseline: str | None
    """The agent's name if it is one that others are compared with: of alchemy, one of BASELINES."""
    run: Run

    @cached_property
    def kept(self) -> np.ndarray:
        """Bool["all episodes"]: whether each episode of the run is kept."""
        end = self.run.episodes["end"].to_pylist()
        return np.array([e is not None and e != "error" for e in end], dtype=bool)

    @cached_property
    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows of the turn table are of kept episodes, and the position of each one's episode among them."""
        lengths = np.array(self.run.episodes["turns"].to_pylist(), dtype=int)
        position = np.where(self.kept, np.cumsum(self.kept) - 1, -1)
        of_row = np.repeat(position, lengths)  # both tables are in order of the key
        rows = np.flatnonzero(of_row >= 0)
        return rows, of_row[rows]

    @property
    def n(self) -> int:
        """Episodes kept."""
        return int(self.kept.sum())

    @cached_property
    def unit(self) -> np.ndarray:
        """Int["episodes"]: the position of the independent unit that each kept episode belongs to.

        The episode itself, unless several tasks were played and one of them more than once: episodes of one task are
        alike, so then each task is a unit.
        """
        tasks = self.run.episodes["task"].filter(pa.array(self.kept)).to_pylist()
        distinct = {task: position for position, task in enumerate(dict.fromkeys(tasks))}
        if 1 < len(distinct) < len(tasks):
            return np.array([distinct[task] for task in tasks], dtype=int)
        return np.arange(self.n)

    @property
    def units(self) -> str:
        """What is counted as independent: episodes or tasks."""
        return "tasks" if len(set(self.unit.tolist())) < self.n else "episodes"

    def by_unit(self, by_episode: np.ndarray) -> np.ndarray:
        """Float["units"]: the mean over each unit's episodes where it is known; NaN where nowhere."""
        return group_means(by_episode, self.unit, int(self.unit.max(initial=-1)) + 1)

    @property
    def knows_table(self) -> bool:
        """Whether the agent chooses by what the table makes, as the oracle does; no player could."""
        config = self.run.manifest.config
        weights = [part.partition("=")[0].strip() for part in str(config.get("weights", "")).split(",")]
        by_table = config.get("pair_values") == "true" or any(name.startswith("true_") for name in weights)
        return self.baseline == "oracle" or (
            config["agent"] == "cognitive" and by_table and any(name not in PAST for name in weights)
        )

    @property
    def one_game(self) -> bool:
        """Whether this is an oracle, which chance only breaks ties for, and all of its games end alike."""
        return self.baseline == "oracle" and self.n > 1 and float(np.ptp(self.episodes("inventory"))) == 0

    @property
    def errors(self) -> int:
        """Episodes that ended in an error."""
        return self.run.episodes["end"].to_pylist().count("error")

    @property
    def unfinished(self) -> int:
        """Episodes begun and not ended."""
        return self.run.episodes["end"].null_count

    @property
    def asked(self) -> bool:
        """Whether a model was asked in any turn."""
        return self.run.turns["attempts"].null_count < self.run.turns.num_rows

    @property
    def shared(self) -> bool:
        """Whether a model answered several episodes at once, so that one's seconds are also the others' doing.

        So too where a manifest does not say how many were played at once.
        """
        manifest = self.run.manifest
        every = [manifest.execution, *(one.get("execution") or {} for one in manifest.resumptions)]
        at_once = [one.get("at_once", one.get("concurrency")) for one in every]
        return self.asked and self.run.episodes.num_rows > 1 and any(number != 1 for number in at_once)

    @cached_property
    def episode(self) -> np.ndarray:
        """Int["turns"]: the position of each turn's episode among those kept."""
        return self._rows[1]

    def turns(self, column: str) -> np.ndarray:
        """Float["turns"]: a column of the turn table, NaN where unknown."""
        values = self.run.turns[column].take(self._rows[0]).cast("float64")
        return values.to_numpy(zero_copy_only=False)

    def turns_with(self, column: str, *values: str) -> np.ndarray:
        """Float["turns"]: 1 where a text column has one of these values, else 0."""
        found = self.run.turns[column].take(self._rows[0]).to_pylist()
        return np.array([float(value in values) for value in found])

    def episodes(self, column: str) -> np.ndarray:
        """Float["episodes"]: a column of the episode table, NaN where unknown."""
        values = np.array(self.run.episodes[column].cast("float64").to_pylist(), dtype=float)
        return values[self.kept]

    def by_episode(self, values: np.ndarray) -> np.ndarray:
        """Float["episodes"]: the mean of a column over each episode's turns where it is known; NaN where nowhere."""
        return group_means(values, self.episode, self.n)


def group_means(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Float["groups"]: the mean of the known values of each group (numbered from 0); NaN where none is known."""
    known = ~np.isnan(values)
    totals = np.bincount(group[known], weights=values[known], minlength=groups)
    counts = np.bincount(group[known], minlength=groups)
    return np.divide(totals, counts, out=np.full(groups, np.nan), where=counts > 0)


def arms_of(runs: Sequence[Run]) -> tuple[Arm, ...]:
    """The runs as arms: worlds told apart, names made unique.

    A name that is not unique is made so by its world, then by the folder's name, then by a number.
    """
    tables = _tables(runs)
    worlds = [_world(run, table) for run, table in zip(runs, tables, strict=True)]
    return named_arms(runs, worlds, [_baseline(run) for run in runs])


def named_arms(runs: Sequence[Run], worlds: Sequence[World], baselines: Sequence[str | None]) -> tuple[Arm, ...]:
    """Runs in their worlds as arms, their names made unique; `baselines`: the agent of each that is one."""
    labels = [run.manifest.label or str(run.manifest.config.get("agent") or run.path.name) for run in runs]
    names = _apart(labels, lambda i: worlds[i].name)
    names = _apart(names, lambda i: runs[i].path.name)
    names = _apart(names, lambda i: f"run {i + 1}")
    within = Counter(zip(labels, worlds, strict=True))
    return tuple(
        Arm(name=name, short=label if within[label, world] == 1 else name, world=world, baseline=baseline, run=run)
        for name, label, world, baseline, run in zip(names, labels, worlds, baselines, runs, strict=True)
    )


def worlds_of(arms: Sequence[Arm]) -> tuple[World, ...]:
    """The worlds in order of first appearance."""
    return tuple(dict.fromkeys(arm.world for arm in arms))


def world_names(worlds: Sequence[World]) -> dict[World, str]:
    """What each world is called; the table's digest is added when two would be called the same."""
    count = Counter(world.name for world in worlds)
    return {w: w.name if count[w.name] == 1 else f"{w.name} ({w.table})" for w in worlds}


def _apart(names: list[str], more: Callable[[int], str]) -> list[str]:
    """The names with more said in brackets where several are the same and what is said tells some apart."""
    said: dict[str, set[str]] = {}
    for position, name in enumerate(names):
        said.setdefault(name, set()).add(more(position))
    return [f"{name} ({more(i)})" if len(said[name]) > 1 else name for i, name in enumerate(names)]


def _tables(runs: Sequence[Run]) -> list[str]:
    """The table of each run as its tasks name it; a run without an ended episode takes it from one like it."""
    found = [run.episodes["table"].drop_null() for run in runs]
    configured = [str(run.manifest.config.get("table", "unknown table")) for run in runs]
    known = {asked: str(names[0]) for asked, names in zip(configured, found, strict=True) if len(names)}
    return [
        str(names[0]) if len(names) else known.get(asked, asked) for asked, names in zip(configured, found, strict=True)
    ]


def _world(run: Run, table: str) -> World:
    config = run.manifest.config
    splits = run.episodes["split"].drop_null()
    longest = max(run.episodes["turns"].to_pylist(), default=0)
    return World(
        table=table,
        rules=str(config.get("rules", "unknown")),
        split=str(splits[0]) if len(splits) else "open",
        turns=int(config.get("turns") or longest),
    )


def _baseline(run: Run) -> str | None:
    agent = run.manifest.config.get("agent")
    if not isinstance(agent, str):
        known = run.episodes["agent"].drop_null()
        agent = str(known[0]) if len(known) else None
    return agent if agent in BASELINES else None


def comparable(arm: Arm, arms: Sequence[Arm], baselines: Sequence[str]) -> list[tuple[Arm, str]]:
    """The arms that one is compared with, and what each is called: the baselines, in this order, that were given the
    same tasks, and the arms before it that were."""
    if arm.baseline or not arm.n:
        return []
    before = [other for other in arms[: arms.index(arm)] if not other.baseline]
    those = [other for name in baselines for other in arms if other.baseline == name]
    return [(other, other.name) for other in (*those, *before) if other.n and _given(other) == _given(arm)]


def _given(arm: Arm) -> tuple[object, ...]:
    """What two runs share that were given the same tasks."""
    return arm.world.table, arm.world.rules, arm.world.split, arm.run.manifest.config.get("seed")
