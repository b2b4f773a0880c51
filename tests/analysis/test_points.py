"""Estimates of points runs against hands counted by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from scipy import stats

from athanor.analysis import points
from athanor.analysis.points import (
    MISREASONED,
    REASONED,
    RECOGNITION,
    class_of,
    class_share,
    estimates,
    read_run,
    right_share,
    said_share,
    solved_within,
)  # fmt: skip
from athanor.analysis.tables import game_of, write_tables
from athanor.core.errors import UsageError
from athanor.core.play import Planned, play
from athanor.core.records import Completion, Decision, Estimate, Task, Unreadable
from athanor.core.store import Manifest, RunFolder
from athanor.environments.points import Answer, Grade
from athanor.environments.points.drawing import LOOKS
from athanor.studies.playing.points import environment_of
from tests.analysis import small

HANDS = (("4S", "3H", "2D", "KC"), ("3S", "4S", "KS", "2S"), ("8S", "3S", "8H", "3H"), ("6S", "6H", "6D", "6C"))
"""Four hands of three multisets: the first two have the same numbers."""
RIGHT = Answer(formula="4*3+2+10=24", cards=("4", "3", "2", "K"), numbers=(4, 3, 2, 10))
WRONG = Answer(formula="4+3+2+10=24", cards=("4", "3", "2", "Q"))
FOREIGN = Answer(formula="12+12=24")
NOTHING = Unreadable(unreadable="the answer is empty")

Said = Answer | Unreadable | Exception


@dataclass(frozen=True)
class Scripted:
    """Says what it was given, hand after hand."""

    script: tuple[tuple[Said, ...], ...]
    name: str = "fake"
    asked: bool = True

    async def act(self, observation, history, rng) -> Decision[Answer]:
        said = self.script[int(history.episode)][len(history)]
        if isinstance(said, Exception):
            raise said
        if not self.asked:
            return Decision(action=said)
        text = "so: " + (said.formula if isinstance(said, Answer) else "")
        finish = "length" if isinstance(said, Unreadable) else "stop"
        return Decision(action=said, completion=Completion(text=text, model="fake", completion_tokens=7, finish=finish))


SETTING: dict[str, Any] = {
    "environment": "points", "split": "all", "rule": "10", "target": 24, "deal": {"cards": 4}, "printed": False,
    "look": None, "verifier": "exact", "hint": False, "rounds": 3, "seed": 0, "agent": "language", "max_tokens": 16,
}  # fmt: skip


def run(path: Path, *script: tuple[Said, ...], label: str = "arm", asked: bool = True, **change: Any) -> Path:
    """A whole run folder of the HANDS, as many as there are scripts."""
    setting = {**SETTING, **change, "episodes": len(script)}
    environment, agent = environment_of(setting), Scripted(script, asked=asked)
    manifest = Manifest(
        kind="play points", config=setting, build="0", versions={}, hashes={}, label=label, created="",
        execution={"at_once": 1},
    )  # fmt: skip
    folder: RunFolder[Answer] = RunFolder.create(path, manifest)

    async def everything() -> None:
        for k in range(len(script)):
            content = {"cards": list(HANDS[k]), "rule": setting["rule"], "target": 24}
            task = Task(environment="points", split="all", key=f"all-0-{k}", content=content)
            await play(
                environment, Grade(environment=environment), agent, Planned(key=f"{k:04d}", task=task), seed=0,
                turns=setting["rounds"] + (setting["verifier"] == "chu2025"), sink=folder,
            )  # fmt: skip

    asyncio.run(everything())
    folder.close()
    return path


SCRIPT = (
    (RIGHT,),
    (WRONG, FOREIGN, RIGHT),
    (NOTHING, FOREIGN, FOREIGN),
    (RuntimeError("down"),),
)


def found(*runs: Path) -> dict[tuple[str, str], Estimate]:
    return {(e.group, e.name): e for e in estimates([read_run(one) for one in runs])}


def test_shares_by_round_are_over_hands_and_their_intervals_over_multisets(tmp_path):
    one = found(run(tmp_path / "run", *SCRIPT))
    shares = [one["arm", solved_within(k)] for k in (1, 2, 3)]
    assert [e.value for e in shares] == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert {(e.n, e.unit, e.excluded) for e in shares} == {(2, "multisets", 1)}
    assert one["arm", "return"].value == pytest.approx((5 + (-1 - 2 + 5) + (-3 - 2 - 2)) / 3)


def test_classes_and_what_was_recognised_are_counted(tmp_path):
    one = found(run(tmp_path / "run", *SCRIPT))
    every = {kind: one["arm", class_share(kind)].value for kind in ("solved", "value", "numbers", "form")}
    assert every == pytest.approx({"solved": 2 / 7, "value": 1 / 7, "numbers": 3 / 7, "form": 1 / 7})
    first = {kind: one["arm", class_share(kind, first=True)].value for kind in ("solved", "value", "form")}
    assert first == pytest.approx({"solved": 1 / 3, "value": 1 / 3, "form": 1 / 3})
    assert ("arm", class_share("cards")) not in one  # no picture was shown
    assert one["arm", said_share("cards")].value == pytest.approx(2 / 3)
    assert one["arm", right_share("cards")].value == pytest.approx(1 / 2)
    assert one["arm", said_share("numbers")].value == pytest.approx(1 / 3)
    right = one["arm", right_share("numbers")]
    assert (right.value, right.low, right.n, right.excluded) == (1.0, None, 1, 3)


def test_of_pictures_what_was_misread_is_told_from_what_was_misreasoned(tmp_path):
    look = msgspec.json.decode(msgspec.json.encode(msgspec.structs.asdict(LOOKS["plain"])))
    misread = Answer(formula="4*3+2+10=24", cards=("4", "3", "2", "Q"), numbers=(4, 3, 2, 10))
    misreasoned = Answer(formula="4+3+2+10=24", cards=("K", "4", "3", "2"))
    silent = Answer(formula="8/(3-8/3)=24")
    script = (RIGHT,), (misreasoned, RIGHT), (silent,) * 3, (misread,) * 3
    one = found(run(tmp_path / "seen", *script, look=look, label="seen"))
    shares = {name: one["seen", name].value for name in (RECOGNITION, MISREASONED, REASONED, solved_within(1))}
    assert shares == pytest.approx({RECOGNITION: 2 / 4, MISREASONED: 1 / 4, REASONED: 1 / 2, solved_within(1): 1 / 4})
    assert one["seen", RECOGNITION].n == 3
    assert (one["seen", REASONED].n, one["seen", REASONED].excluded) == (1, 2)
    better = run(tmp_path / "better", (RIGHT,), (RIGHT,), (silent,) * 3, (misread,) * 3, look=look, label="better")
    words = run(tmp_path / "words", (RIGHT,), (RIGHT,), (silent,) * 3, (FOREIGN,) * 3, label="words")
    every = found(tmp_path / "seen", better, words)
    assert every["better", f"{RECOGNITION} minus seen"].value == 0
    assert ("words", RECOGNITION) not in every
    assert ("words", f"{RECOGNITION} minus seen") not in every


def test_what_a_model_took_is_told_where_one_was_asked(tmp_path):
    one = found(run(tmp_path / "asked", *SCRIPT), run(tmp_path / "not", *SCRIPT, asked=False, label="other"))
    assert one["arm", "completion tokens per answer"].value == 7.0
    assert one["arm", "share of answers cut at the token bound"].value == pytest.approx(1 / 7)
    assert one["arm", "prompt tokens per answer"].value is None
    assert ("other", "completion tokens per answer") not in one


def test_a_difference_is_taken_hand_by_hand(tmp_path):
    better = run(tmp_path / "better", (RIGHT,), (RIGHT,), (FOREIGN,) * 3, (FOREIGN,) * 3, label="better")
    worse = run(tmp_path / "worse", (WRONG, RIGHT), (WRONG,) * 3, (FOREIGN,) * 3, label="worse")
    one = found(worse, better)
    first = one["better", f"{solved_within(1)} minus worse"]
    assert (first.value, first.n, first.excluded) == (pytest.approx(2 / 3), 2, 1)
    # differences 1, 1 of one multiset and 0 of another: sums of deviations 2/3 and -2/3, variance 2 * (8/9) / 9
    half = stats.t.ppf(0.975, 1) * (2 * (8 / 9) / 9) ** 0.5
    assert (first.low, first.high) == pytest.approx((2 / 3 - half, 2 / 3 + half))
    assert one["better", f"{solved_within(3)} minus worse"].value == pytest.approx(1 / 3)
    assert not [name for group, name in one if group == "worse" and " minus " in name]


def test_other_hands_are_not_compared_and_baselines_not_with_each_other(tmp_path):
    runs = [
        run(tmp_path / "a", (RIGHT,), label="a"),
        run(tmp_path / "b", (RIGHT,), label="b", seed=1),
        run(tmp_path / "c", (FOREIGN,) * 3, label="c", rule="11-12-13"),
        run(tmp_path / "d", (FOREIGN,), label="d", rounds=1, verifier="exact"),
        run(tmp_path / "r", (FOREIGN,) * 3, label="random", agent="random", asked=False),
        run(tmp_path / "g", (RIGHT,), label="gold", agent="gold", asked=False),
    ]
    minus = {(group, name.split(" minus ")[1]) for group, name in found(*runs) if " minus " in name}
    assert minus == {("a", "random"), ("a", "gold"), ("d", "random"), ("d", "gold"), ("d", "a")}


def test_the_published_classes_are_told_apart_and_put_together(tmp_path):
    said = (NOTHING, FOREIGN, WRONG, RIGHT)
    one = found(run(tmp_path / "run", said, said, verifier="chu2025"))
    kinds = {kind: one["arm", class_share(kind)].value for kind in ("value", "numbers", "form", "ungraded")}
    assert kinds == {"value": 0.25, "numbers": 0.25, "form": 0.25, "ungraded": 0.25}
    raw = {name.removeprefix("share of answers: ") for _, name in one if name.startswith("share of answers: ")}
    assert {"WRONG_VALUE", "NUM_INVALID", "ILLEGAL_CHAR", "STEP_LIMIT"} <= raw
    assert {class_of(kind) for kind in ("OK", "VISION", "SEQ_OPEN", "PARTIAL", "NUM_MISSING")} == {
        "solved", "cards", "form", "value", "numbers",
    }  # fmt: skip


def test_a_run_that_is_being_played_is_told_so(tmp_path):
    path = run(tmp_path / "run", *SCRIPT)
    lines = (path / "episodes.jsonl").read_text().splitlines(keepends=True)
    (path / "episodes.jsonl").write_text("".join(lines[:2]))
    one = found(path)
    assert one["arm", "episodes not finished"].value == 1  # the one that failed has no turn
    assert one["arm", solved_within(1)].value == 0.5


def test_tables_have_a_row_an_answer_and_a_row_a_hand(tmp_path):
    turns, episodes = map(pq.read_table, write_tables(read_run(run(tmp_path / "run", *SCRIPT))))
    assert (turns.num_rows, episodes.num_rows) == (7, 4)
    assert episodes["numbers"].to_pylist() == ["2,3,4,10", "2,3,4,10", "3,3,8,8", "6,6,6,6"]
    assert episodes["solved"].to_pylist() == [1, 3, None, None]
    assert turns["formula"].to_pylist()[4] is None
    assert turns["cause"].to_pylist()[4] == "unreadable"


def test_runs_of_two_environments_are_refused(tmp_path):
    other = small.baselines(tmp_path / "alchemy")[0]
    mine = run(tmp_path / "run", (RIGHT,))
    with pytest.raises(UsageError, match="runs of one environment were expected"):
        game_of([other, mine])
    assert (game_of([other]), game_of([mine])) == ("alchemy", "points")
    with pytest.raises(UsageError, match="is a run of 'chess', a run of alchemy or points or scenes was expected"):
        game_of([run(tmp_path / "chess", (RIGHT,), environment="chess")])
    with pytest.raises(UsageError, match="a run of 'points' was expected"):
        points.read_runs([other])
    with pytest.raises(UsageError, match="given twice"):
        points.read_runs([mine, mine])
