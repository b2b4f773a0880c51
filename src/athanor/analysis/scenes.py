"""How often each arm drew what was asked for, by category of prompts, and what was wrong first where it did not.

Prompts that ask for the same are alike, however they are worded, so intervals count what was asked for and not
episodes; a value is the mean over episodes as they were played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from athanor.analysis.arms import Arm, World, comparable, named_arms
from athanor.analysis.exploration import UNFINISHED, count_of
from athanor.analysis.intervals import ANY, SHARE, Interval, Range, clustered
from athanor.analysis.tables import SPENT, Run, opening_of, refuse_none, refuse_other, spent_on
from athanor.analysis.trials import Shown
from athanor.core.errors import DataError
from athanor.core.records import Estimate, Turn, Unreadable
from athanor.core.store import EpisodeLine, RunFolder
from athanor.environments.scenes import CATEGORIES, Picture, Scenes, Spec
from athanor.environments.scenes.drawing import png
from athanor.environments.scenes.files import load
from athanor.environments.scenes.spec import key as asked_for

BASELINES = ("random", "gold")
"""Agents that every other arm is compared with: chance, and true pictures."""
UNIT = "prompts"
"""What is counted as independent: episodes in which the same was asked for, together."""
UNSEEN = "no picture"
"""What was wrong where there was no picture that could be looked at."""
RULES = ("present", "count", "color", "size", "texture", "place", "card", "position", "exclude", "nothing else", UNSEEN)
"""What can be wrong with a picture first: the checker's rules in their order, and no picture."""

TURNS = pa.schema([
    ("episode", pa.string()),
    ("turn", pa.int32()),
    ("wrong", pa.string()),
    ("reason", pa.string()),
    ("reward", pa.float64()),
    ("passed", pa.bool_()),
    *SPENT,
])  # fmt: skip
"""Columns of the turn table. `wrong`: the first of RULES that does not hold; null where the picture passed. The
pictures themselves are in turns.jsonl alone."""

EPISODES = pa.schema([
    ("episode", pa.string()),
    ("agent", pa.string()),
    ("end", pa.string()),
    ("failure", pa.string()),
    ("split", pa.string()),
    ("task", pa.string()),
    ("category", pa.string()),
    ("prompt", pa.string()),
    ("asked", pa.string()),
    ("turns", pa.int32()),
    ("solved", pa.int32()),
    ("return", pa.float64()),
    ("passed", pa.bool_()),
])  # fmt: skip
"""Columns of the episode table, a prompt each. `asked`: the same for prompts that ask for the same. `solved`: the
attempt that passed, null where none did. What only the last line of an episode tells is null while it is played."""


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Run folders of scenes, at least one and none twice. UsageError if it is otherwise; else as `read_run`."""
    refuse_none(paths)
    return [read_run(path) for path in paths]


def read_run(path: Path) -> Run:
    """Read a run folder, which may still be in the making, and derive its tables; nothing is written.

    UsageError if it is no run folder or not one of scenes; DataError if turns are missing or cannot be read.
    """
    folder: RunFolder[Picture] = RunFolder.read(path)
    refuse_other(folder, "scenes")
    ended, played = folder.played(Picture)
    keys = sorted({*played, *ended})
    turns = [_turn_row(key, turn) for key in keys for turn in played.get(key, [])]
    episodes = [_episode_row(key, played.get(key, []), ended.get(key)) for key in keys]
    columns = {name: [row[k] for row in turns] for k, name in enumerate(TURNS.names)}
    return Run(
        path=path, manifest=folder.manifest, turns=pa.table(columns, schema=TURNS),
        episodes=pa.Table.from_pylist(episodes, schema=EPISODES), opening=opening_of(keys, played, ended),
    )  # fmt: skip


def shown(path: Path) -> Iterator[Shown]:
    """The last picture of each prompt of a run whose episode ended without an error, of equal prompts the first."""
    folder: RunFolder[Picture] = RunFolder.read(path)
    ended, played = folder.played(Picture)
    told: set[str] = set()
    for key, line in sorted(ended.items()):
        spec = _spec(line)
        if line.end == "error" or spec.prompt in told or not played.get(key):
            continue
        last = played[key][-1]
        if isinstance(last.action, Unreadable):
            continue
        try:
            image = png(load(last.action.file))
        except DataError:  # the verdict says so; there is nothing to look at
            continue
        told.add(spec.prompt)
        yield Shown(
            category=spec.tag, prompt=spec.prompt, png=image, passed=last.verdict.passed, reason=last.verdict.reason
        )


def _spec(line: EpisodeLine) -> Spec:
    return Scenes().start(line.task).spec


def _turn_row(key: str, turn: Turn[Picture]) -> tuple[Any, ...]:
    """In the order of TURNS."""
    verdict = turn.verdict
    failed = verdict.parts.get("failed") or [{"rule": UNSEEN}]
    wrong = None if verdict.passed else str(failed[0]["rule"])
    return key, turn.index, wrong, verdict.reason, verdict.reward, verdict.passed, *spent_on(turn)


def _episode_row(key: str, turns: Sequence[Turn[Picture]], line: EpisodeLine | None) -> dict[str, Any]:
    row = {
        "episode": key, "turns": len(turns), "return": sum(turn.verdict.reward for turn in turns),
        "solved": next((turn.index + 1 for turn in turns if turn.verdict.passed), None),
        "passed": any(turn.verdict.passed for turn in turns),
    }  # fmt: skip
    if line is None:
        return row
    spec = _spec(line)
    return row | {
        "agent": line.agent, "end": line.end, "split": line.task.split, "task": line.task.key,
        "failure": None if line.failure is None else f"{line.failure.kind}: {line.failure.message}",
        "category": spec.tag, "prompt": spec.prompt, "asked": asked_for(spec),
    }  # fmt: skip


def arms_of(runs: Sequence[Run]) -> tuple[Arm, ...]:
    """The runs as arms. A world is what is asked for and how it is judged: style, categories, rules and split."""
    agents = [run.manifest.config.get("agent") for run in runs]
    return named_arms(runs, [_world(run) for run in runs], [a if a in BASELINES else None for a in agents])


def _world(run: Run) -> World:
    config = run.manifest.config
    split, attempts = str(config.get("split")), attempts_of(run)
    asked = tuple(config.get("categories") or CATEGORIES)
    only = "" if set(asked) == set(CATEGORIES) else f" of {', '.join(map(str, asked))}"
    told = f"{split} prompts{only}, {config.get('style')} pictures, {config.get('rules')} rules"
    return World(
        table=f"{config.get('style')} {' '.join(map(str, asked))}", rules=str(config.get("rules")), split=split,
        turns=attempts, title=f"{told}, {attempts} {_attempts(attempts)}",
    )  # fmt: skip


def attempts_of(run: Run) -> int:
    """How many pictures of a prompt were drawn, at most."""
    return int(run.manifest.config.get("attempts", 1))


def _attempts(number: int) -> str:
    return "attempt" if number == 1 else "attempts"


def passed_within(attempts: int, category: str = "") -> str:
    """What the share of prompts with a picture that passed within some attempts is called, of a category or of all."""
    return f"share passed within {attempts} {_attempts(attempts)}{': ' if category else ''}{category}"


def wrong_share(rule: str) -> str:
    """What the share of pictures is called in which this was the first that was wrong."""
    return f"share of pictures, first wrong: {rule}"


def estimates(runs: Sequence[Run]) -> tuple[Estimate, ...]:
    """Every estimate of every run, grouped by arm, with paired differences between arms that drew the same prompts.

    `n` counts what was asked for, and `excluded` episodes: those that ended in an error; in a difference, those that
    one of the two arms has not.
    """
    return estimates_of(arms_of(runs))


def estimates_of(arms: Sequence[Arm]) -> tuple[Estimate, ...]:
    """`estimates`, for arms already named."""
    return tuple(estimate for arm in arms for estimate in (*_measures(arm), *_differences(arm, arms)))


def categories_of(arm: Arm) -> tuple[str, ...]:
    """The categories that an arm was asked for, in their usual order."""
    known = set(_kept(arm, "category"))
    return (*(one for one in CATEGORIES if one in known), *sorted(known - set(CATEGORIES)))


def _kept(arm: Arm, column: str) -> list[str]:
    """A text of each kept episode."""
    return arm.run.episodes[column].filter(pa.array(arm.kept)).to_pylist()


def _measures(arm: Arm) -> Iterator[Estimate]:
    if arm.unfinished:
        yield count_of(arm, UNFINISHED, arm.unfinished)
    of, most = np.array(_kept(arm, "category"), dtype=object), attempts_of(arm.run)
    for attempts in range(1, most + 1):
        passed = _by_episode(arm)[passed_within(attempts)]
        yield _mean(arm, passed_within(attempts), passed)
        if attempts in (1, most):
            for category in categories_of(arm):
                only = np.where(of == category, passed, np.nan)
                yield _mean(arm, passed_within(attempts, category), only)
    yield _mean(arm, "return", arm.episodes("return"), within=ANY)
    wrong = set(arm.run.turns["wrong"].drop_null().to_pylist())
    for rule in (*(one for one in RULES if one in wrong), *sorted(wrong - set(RULES))):
        yield _mean(arm, wrong_share(rule), arm.turns_with("wrong", rule), of="pictures")
    yield _mean(arm, "reward per picture", arm.turns("reward"), of="pictures", within=ANY)


def _by_episode(arm: Arm) -> dict[str, np.ndarray]:
    """Each measure that a prompt has as Float["episodes"]."""
    solved = arm.episodes("solved")
    within = {passed_within(k): (solved <= k).astype(float) for k in range(1, attempts_of(arm.run) + 1)}
    return {**within, "return": arm.episodes("return")}


def _asked(arm: Arm) -> np.ndarray:
    """Int["episodes"]: which of the things asked for each kept episode has."""
    found = _kept(arm, "asked")
    place = {asked: k for k, asked in enumerate(dict.fromkeys(found))}
    return np.array([place[asked] for asked in found], dtype=np.int64)


def _mean(
    arm: Arm, name: str, values: np.ndarray, *, of: Literal["episodes", "pictures"] = "episodes", within: Range = SHARE
) -> Estimate:
    """Of a value of each episode or picture, where it is known."""
    episode = arm.episode if of == "pictures" else np.arange(arm.n)
    known = ~np.isnan(values)
    found = clustered(
        values[known].tolist(), _asked(arm)[episode][known].tolist(), within=within, of=of, unit=UNIT
    )  # fmt: skip
    return _estimate(arm, name, found, arm.errors)


def _estimate(arm: Arm, name: str, found: Interval, excluded: int) -> Estimate:
    return Estimate(
        name=name, value=found.value, low=found.low, high=found.high, level=None if found.low is None else found.level,
        n=found.n, unit=UNIT, method=found.method, excluded=excluded, group=arm.name,
    )  # fmt: skip


def compared(arm: Arm, arms: Sequence[Arm]) -> list[tuple[Arm, str]]:
    """The arms that one is compared with, which were asked for the same, and what each is called."""
    return comparable(arm, arms, BASELINES)


def _differences(arm: Arm, arms: Sequence[Arm]) -> Iterator[Estimate]:
    """Ours minus theirs, prompt by prompt."""
    for other, name in compared(arm, arms):
        mine, theirs = _tasks(arm), _tasks(other)
        both = [task for task in mine if task in theirs]
        here, there = [mine[task] for task in both], [theirs[task] for task in both]
        asked, ours, others = _asked(arm)[here], _by_episode(arm), _by_episode(other)
        attempts = min(attempts_of(arm.run), attempts_of(other.run))
        for measure in dict.fromkeys((passed_within(1), passed_within(attempts), "return")):
            values = ours[measure][here] - others[measure][there]
            found = clustered(values.tolist(), asked.tolist(), of="differences of the same episodes", unit=UNIT)
            yield _estimate(arm, f"{measure} minus {name}", found, len({*mine, *theirs}) - len(both))


def _tasks(arm: Arm) -> Mapping[str, int]:
    """The position of each kept episode by its task."""
    return {task: k for k, task in enumerate(_kept(arm, "task"))}
