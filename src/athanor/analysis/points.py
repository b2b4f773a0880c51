"""How often each arm solved its hands, in how many rounds, and what its answers were.

Hands with the same numbers are alike, whatever the suits and the order, so intervals count multisets of numbers and
not hands; a value is the mean over hands as they were dealt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from athanor.analysis.arms import Arm, World, comparable, named_arms
from athanor.analysis.exploration import (
    CUT,
    SHARED,
    UNFINISHED,
    WITHHELD,
    count_of,
    spending_columns,
    spending_range,
    total_cost,
)  # fmt: skip
from athanor.analysis.intervals import ANY, SHARE, Interval, Range, clustered
from athanor.analysis.tables import SPENT, Run, opening_of, refuse_none, refuse_other, spent_on
from athanor.core.records import Estimate, Turn, Unreadable
from athanor.core.store import EpisodeLine, RunFolder
from athanor.environments.points import REWARDS, Answer, Deal, Hand, Points
from athanor.environments.points.judge import recognised

BASELINES = ("random", "gold")
"""Agents that every other arm is compared with: chance, and the solver."""
UNIT = "multisets"
"""What is counted as independent: hands of one multiset of numbers, together."""
UNGRADED = "ungraded"
RECOGNISED = ("cards", "numbers")
"""What an answer may say of the hand beside its formula."""
RECOGNITION = "share of hands recognised"
"""Of hands in pictures: the first answer says what the cards are, and they are those that were shown."""
MISREASONED = "share of hands recognised and not solved at once"
"""What was not solved by the first answer though the cards were read right; what was not recognised was misread."""
REASONED = "share solved at once of hands recognised"

TURNS = pa.schema([
    ("episode", pa.string()),
    ("turn", pa.int32()),
    ("class", pa.string()),
    ("formula", pa.string()),
    ("cause", pa.string()),
    ("reward", pa.float64()),
    ("passed", pa.bool_()),
    ("cards", pa.bool_()),
    ("numbers", pa.bool_()),
    *SPENT,
])  # fmt: skip
"""Columns of the turn table. `class`: as the run's verifier says (the first violation, under chu2025). `formula` is
null where none was read, `cause` where the answer was not withheld or empty. `cards`, `numbers`: whether what the
answer said of them is right; null where it said nothing, and while the episode has not ended."""

EPISODES = pa.schema([
    ("episode", pa.string()),
    ("agent", pa.string()),
    ("end", pa.string()),
    ("failure", pa.string()),
    ("split", pa.string()),
    ("task", pa.string()),
    ("cards", pa.string()),
    ("numbers", pa.string()),
    ("rule", pa.string()),
    ("target", pa.int64()),
    ("turns", pa.int32()),
    ("solved", pa.int32()),
    ("return", pa.float64()),
    ("passed", pa.bool_()),
])  # fmt: skip
"""Columns of the episode table, a hand each. `numbers`: their multiset, in order. `solved`: the round in which the
hand was solved, null where it was not. What only the last line of an episode tells is null while it is played."""


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Run folders of points, at least one and none twice. UsageError if it is otherwise; else as `read_run`."""
    refuse_none(paths)
    return [read_run(path) for path in paths]


def read_run(path: Path) -> Run:
    """Read a run folder, which may still be in the making, and derive its tables; nothing is written.

    UsageError if it is no run folder or not one of points; DataError if turns are missing or cannot be read.
    """
    folder: RunFolder[Answer] = RunFolder.read(path)
    refuse_other(folder, "points")
    ended, played = folder.played(Answer)
    keys = sorted({*played, *ended})
    hands = {key: Points().start(line.task) for key, line in ended.items()}
    turns = [row for key in keys for row in _turn_rows(key, played.get(key, []), hands.get(key))]
    episodes = [_episode_row(key, played.get(key, []), ended.get(key), hands.get(key)) for key in keys]
    columns = {name: [row[k] for row in turns] for k, name in enumerate(TURNS.names)}
    return Run(
        path=path, manifest=folder.manifest, turns=pa.table(columns, schema=TURNS),
        episodes=pa.Table.from_pylist(episodes, schema=EPISODES), opening=opening_of(keys, played, ended),
    )  # fmt: skip


def _turn_rows(key: str, turns: Sequence[Turn[Answer]], hand: Hand | None) -> Iterator[tuple[Any, ...]]:
    """The rows of one episode, in the order of TURNS."""
    for turn in turns:
        action, verdict = turn.action, turn.verdict
        formula, cause, said = None, None, {}
        if isinstance(action, Unreadable):
            cause = action.cause
        else:
            formula, said = action.formula or None, {} if hand is None else recognised(hand, action)
        yield (
            key, turn.index, verdict.parts.get("class"), formula, cause, verdict.reward, verdict.passed,
            *(said.get(name) for name in RECOGNISED), *spent_on(turn),
        )  # fmt: skip


def _episode_row(
    key: str, turns: Sequence[Turn[Answer]], line: EpisodeLine | None, hand: Hand | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "episode": key, "turns": len(turns), "return": sum(turn.verdict.reward for turn in turns),
        "solved": next((turn.index + 1 for turn in turns if turn.verdict.passed), None),
        "passed": any(turn.verdict.passed for turn in turns),
    }  # fmt: skip
    if line is None or hand is None:
        return row
    return row | {
        "agent": line.agent, "end": line.end, "split": line.task.split, "task": line.task.key,
        "failure": None if line.failure is None else f"{line.failure.kind}: {line.failure.message}",
        "cards": ",".join(hand.cards), "numbers": ",".join(map(str, sorted(hand.values))), "rule": hand.rule.name,
        "target": hand.target,
    }  # fmt: skip


def arms_of(runs: Sequence[Run]) -> tuple[Arm, ...]:
    """The runs as arms. A world is what hands are dealt: rule, deal, target and split."""
    agents = [run.manifest.config.get("agent") for run in runs]
    return named_arms(runs, [_world(run) for run in runs], [a if a in BASELINES else None for a in agents])


def _world(run: Run) -> World:
    config = run.manifest.config
    deal, printed = config.get("deal") or {}, bool(config.get("printed"))
    told = [f"{config.get('target')} from {deal.get('cards')} cards", f"J-Q-K {config.get('rule')}"]
    told += [f"{name} {value}" for name, value in deal.items() if name != "cards" and value != getattr(Deal(), name)]
    told += ["printed"] if printed else []
    split = str(config.get("split"))
    return World(
        table=told[0], rules=", ".join(told[1:]), split=split, turns=rounds_of(run),
        title=", ".join([*told, f"{split} hands", f"{rounds_of(run)} {_rounds(rounds_of(run))}"]),
    )  # fmt: skip


def rounds_of(run: Run) -> int:
    """How many answers to a hand are graded, at most."""
    return int(run.manifest.config.get("rounds", 1))


def _rounds(number: int) -> str:
    return "round" if number == 1 else "rounds"


def solved_within(rounds: int) -> str:
    """What the share of hands solved within some rounds is called."""
    return f"share solved within {rounds} {_rounds(rounds)}"


def class_share(kind: str, *, first: bool = False) -> str:
    """What the share of answers of a class is called, of all or of the first ones."""
    return f"share of {'first ' if first else ''}answers: {kind}"


CLASSES = (*REWARDS, UNGRADED)
"""The classes of the exact verifier, and the answer after the last graded one."""
_PUBLISHED = {"OK": "solved", "WRONG_VALUE": "value", "FLOAT_MISS": "value", "PARTIAL": "value", "VISION": "cards",
              "NUM_INVALID": "numbers", "NUM_OVERUSED": "numbers", "NUM_MISSING": "numbers",
              "STEP_LIMIT": UNGRADED}  # fmt: skip
"""To which of CLASSES those of the published verifier belong; the others, all of a formula's form, to `form`."""


def class_of(kind: str) -> str:
    """The class of CLASSES that an answer's class, of either verifier, belongs to.

    >>> class_of("SEQ_OP"), class_of("FLOAT_MISS"), class_of("numbers")
    ('form', 'value', 'numbers')
    """
    return kind if kind in CLASSES else _PUBLISHED.get(kind, "form")


def classes_of(arm: Arm) -> tuple[str, ...]:
    """The classes that an arm's answers can have."""
    config = arm.run.manifest.config
    never = {"cards"} if config.get("look") is None else set()
    never |= {UNGRADED} if config.get("verifier") != "chu2025" else set()
    return tuple(kind for kind in CLASSES if kind not in never)


def of_class(arm: Arm, kind: str) -> np.ndarray:
    """Float["answers"]: 1 where an answer belongs to a class of CLASSES, else 0."""
    return arm.turns_with("class", *(one for one in _kinds(arm) if class_of(one) == kind))


def _kinds(arm: Arm) -> list[str]:
    return sorted({one for one in arm.run.turns["class"].to_pylist() if one})


def said_share(name: str) -> str:
    """What the share of first answers that say the cards, or the numbers, is called."""
    return f"share of first answers that say the {name}"


def right_share(name: str) -> str:
    """What the share of those that say them right is called."""
    return f"share of first answers with the {name} right, if said"


def estimates(runs: Sequence[Run]) -> tuple[Estimate, ...]:
    """Every estimate of every run, grouped by arm, with paired differences between arms that played the same hands.

    `n` counts multisets of numbers and `excluded` hands: those that ended in an error, or of which the measure is
    unknown; in a difference, those that one of the two arms has not.
    """
    return estimates_of(arms_of(runs))


def estimates_of(arms: Sequence[Arm]) -> tuple[Estimate, ...]:
    """`estimates`, for arms already named."""
    return tuple(estimate for arm in arms for estimate in (*_measures(arm), *_differences(arm, arms)))


def _measures(arm: Arm) -> Iterator[Estimate]:
    if arm.unfinished:
        yield count_of(arm, UNFINISHED, arm.unfinished)
    for name, values in _by_hand(arm).items():
        yield _mean(arm, name, values, of="hands", within=SHARE if name.startswith("share") else ANY)
    if shown_in_pictures(arm):
        recognised, solved = _recognised(arm), (arm.episodes("solved") == 1).astype(float)
        misreasoned = np.where(recognised == 1, 1 - solved, recognised)
        yield _mean(arm, MISREASONED, misreasoned, of="hands", within=SHARE)
        yield _mean(arm, REASONED, np.where(recognised == 1, solved, np.nan), of="hands", within=SHARE)
    first = arm.turns("turn") == 0
    for kind in classes_of(arm):
        yield _mean(arm, class_share(kind), of_class(arm, kind), within=SHARE)
    for kind in classes_of(arm):
        if kind != UNGRADED:
            only = np.where(first, of_class(arm, kind), np.nan)
            yield _mean(arm, class_share(kind, first=True), only, within=SHARE)
    if arm.run.manifest.config.get("verifier") == "chu2025":
        for kind in _kinds(arm):
            yield _mean(arm, class_share(kind), arm.turns_with("class", kind), within=SHARE)
    for name in RECOGNISED:
        right = np.where(first, arm.turns(name), np.nan)
        told = np.where(first, ~np.isnan(right), np.nan)
        yield _mean(arm, said_share(name), told, within=SHARE)
        yield _mean(arm, right_share(name), right, within=SHARE)
    yield _mean(arm, "reward per answer", arm.turns("reward"))
    yield from _spending(arm)


def _by_hand(arm: Arm) -> dict[str, np.ndarray]:
    """Each measure that a hand has as Float["hands"]."""
    solved = arm.episodes("solved")
    within = {solved_within(k): (solved <= k).astype(float) for k in range(1, rounds_of(arm.run) + 1)}
    seen = {RECOGNITION: _recognised(arm)} if shown_in_pictures(arm) else {}
    return {**within, **seen, "return": arm.episodes("return")}


def shown_in_pictures(arm: Arm) -> bool:
    """Whether the cards were drawn, and not named."""
    return arm.run.manifest.config.get("look") is not None


def _recognised(arm: Arm) -> np.ndarray:
    """Float["hands"]: 1 where the first answer says the cards that were shown, 0 where it says others or none."""
    first = arm.turns("turn") == 0
    found = np.full(arm.n, np.nan)
    found[arm.episode[first]] = np.nan_to_num(arm.turns("cards")[first])
    return found


def _spending(arm: Arm) -> Iterator[Estimate]:
    """What a model took; nothing where none was asked."""
    if not arm.asked:
        return
    cut = np.where(np.isnan(arm.turns("attempts")), np.nan, arm.turns_with("finish", "length"))
    yield _mean(arm, CUT, cut, within=SHARE)
    for cause, name in WITHHELD.items():
        if count := arm.run.turns["cause"].to_pylist().count(cause):
            yield count_of(arm, name, count, "count over all turns stored")
    for name, values in spending_columns(arm).items():
        dependent = SHARED if name == "seconds" and arm.shared else ""
        within = spending_range(arm, name, values)
        yield _mean(arm, f"{name} per answer", values, within=within, dependent=dependent)
    yield total_cost(arm)


def numbers_of(arm: Arm) -> np.ndarray:
    """Int["hands"]: which multiset of numbers each kept hand has."""
    found = arm.run.episodes["numbers"].filter(pa.array(arm.kept)).to_pylist()
    place = {numbers: k for k, numbers in enumerate(dict.fromkeys(found))}
    return np.array([place[numbers] for numbers in found], dtype=np.int64)


def _mean(
    arm: Arm, name: str, values: np.ndarray, *, of: Literal["answers", "hands"] = "answers", within: Range = ANY,
    dependent: str = "",
) -> Estimate:  # fmt: skip
    """Of a value of each answer or hand; without an interval where hands are `dependent`, which says why."""
    hand = arm.episode if of == "answers" else np.arange(arm.n)
    known = ~np.isnan(values)
    numbers = numbers_of(arm)[hand][known].tolist()
    found = clustered(values[known].tolist(), numbers, within=within, of=of, unit=UNIT)
    unknown = arm.n - len(np.unique(hand[known]))
    return _estimate(arm, name, found, arm.errors + unknown, dependent)


def _estimate(arm: Arm, name: str, found: Interval, excluded: int, dependent: str = "") -> Estimate:
    low, high = (None, None) if dependent else (found.low, found.high)
    method = f"{found.method.split(',')[0]}, no interval: {dependent}" if dependent else found.method
    return Estimate(
        name=name, value=found.value, low=low, high=high, level=None if low is None else found.level, n=found.n,
        unit=UNIT, method=method, excluded=excluded, group=arm.name,
    )  # fmt: skip


def compared(arm: Arm, arms: Sequence[Arm]) -> list[tuple[Arm, str]]:
    """The arms that one is compared with, which were dealt the same hands, and what each is called."""
    return comparable(arm, arms, BASELINES)


def _differences(arm: Arm, arms: Sequence[Arm]) -> Iterator[Estimate]:
    """Ours minus theirs, hand by hand."""
    for other, name in compared(arm, arms):
        mine, theirs = _tasks(arm), _tasks(other)
        both = [task for task in mine if task in theirs]
        here, there = [mine[task] for task in both], [theirs[task] for task in both]
        numbers, ours, others = numbers_of(arm)[here], _by_hand(arm), _by_hand(other)
        rounds = min(rounds_of(arm.run), rounds_of(other.run))
        for measure in dict.fromkeys((solved_within(1), solved_within(rounds), RECOGNITION, "return")):
            if measure not in ours or measure not in others:
                continue
            values = ours[measure][here] - others[measure][there]
            found = clustered(values.tolist(), numbers.tolist(), of="differences of the same hands", unit=UNIT)
            yield _estimate(arm, f"{measure} minus {name}", found, len({*mine, *theirs}) - len(both))


def _tasks(arm: Arm) -> Mapping[str, int]:
    """The position of each kept hand by its task."""
    tasks = arm.run.episodes["task"].filter(pa.array(arm.kept)).to_pylist()
    return {task: k for k, task in enumerate(tasks)}
