"""From stored turns to tables."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from athanor.analysis.tables import EPISODES, TURNS, game_of, read_run, write_tables
from athanor.core.errors import DataError, UsageError
from athanor.core.store import Manifest
from tests.analysis.small import HAND, Scripted, baselines, pair, run, script


def test_a_hand_made_episode_has_the_categories_and_inventories_worked_out_by_hand(tmp_path: Path) -> None:
    turns = read_run(run(tmp_path / "r", script(HAND), episodes=1)).turns
    assert turns["category"].to_pylist() == [
        "success-new", "success-existing", "failure-new", "invalid", "invalid", "success-new"
    ]  # fmt: skip
    assert turns["cause"].to_pylist() == [None, None, None, "unreadable", "unowned", None]
    assert turns["inventory"].to_pylist() == [4, 4, 4, 4, 4, 6]
    assert turns["new"].to_pylist() == [1, 0, 0, 0, 0, 1]
    assert turns["gifts"].to_pylist() == [0, 0, 0, 0, 0, 1]
    assert turns["repeated"].to_pylist() == [False, True, False, None, False, False]
    assert turns["first"].to_pylist()[2:5] == ["water", None, "fire"]
    assert turns["prompt_tokens"].to_pylist() == [100, 110, 120, 130, 140, 150]
    assert turns["finish"].to_pylist() == ["stop"] * 6


def test_gifts_that_come_a_turn_later_still_sum_to_the_inventory(tmp_path: Path) -> None:
    late = (pair("water + fire"), pair("earth + water"), pair("fire + mud"), pair("water + water"))
    found = read_run(run(tmp_path / "r", script(late), episodes=1, turns=4, rules="pan2025"))
    assert found.turns["gifts"].to_pylist() == [0, 0, 1, 0]
    assert found.turns["inventory"].to_pylist() == [4, 5, 7, 7]
    assert found.episodes["inventory"].to_pylist() == [7]


def test_what_a_completion_does_not_say_is_null_and_not_zero(tmp_path: Path) -> None:
    silent = read_run(run(tmp_path / "r", Scripted((HAND,), known=False), episodes=1)).turns
    assert silent["prompt_tokens"].null_count == silent["cost"].null_count == 6
    assert silent["attempts"].to_pylist() == [1] * 6
    baseline = read_run(baselines(tmp_path / "b")[0]).turns
    assert baseline["attempts"].null_count == baseline.num_rows


def test_a_run_in_the_making_has_turns_of_an_unknown_inventory(tmp_path: Path) -> None:
    path = run(tmp_path / "r", script(HAND, HAND), episodes=2)
    lines = (path / "episodes.jsonl").read_text().splitlines(keepends=True)
    (path / "episodes.jsonl").write_text(lines[0])
    found = read_run(path)
    assert found.episodes["end"].to_pylist() == ["truncated", None]
    assert found.turns["inventory"].to_pylist() == [4, 4, 4, 4, 4, 6] + [None] * 6


def test_an_error_keeps_its_turns_and_its_cause(tmp_path: Path) -> None:
    found = read_run(run(tmp_path / "r", script((HAND[0], RuntimeError("no answer")), HAND), episodes=2))
    assert found.episodes["end"].to_pylist() == ["error", "truncated"]
    assert found.episodes["failure"].to_pylist() == ["RuntimeError: no answer", None]
    assert found.opening is not None
    assert found.opening.episode == "0001"


def test_the_tables_are_written_whole_and_can_be_made_again(tmp_path: Path) -> None:
    found = read_run(run(tmp_path / "r", script(HAND), episodes=1))
    first = [path.read_bytes() for path in write_tables(found)]
    paths = write_tables(found)
    assert [path.read_bytes() for path in paths] == first
    assert pq.read_table(paths[0]).schema == TURNS
    assert pq.read_table(paths[1]).schema == EPISODES
    assert {path.name for path in (tmp_path / "r" / "tables").iterdir()} == {"turns.parquet", "episodes.parquet"}


def test_missing_turns_are_refused(tmp_path: Path) -> None:
    path = run(tmp_path / "r", script(HAND), episodes=1)
    (path / "turns.jsonl").write_text("")
    with pytest.raises(DataError, match="0 turns of episode 0000, 6 were expected"):
        read_run(path)


def test_a_run_of_another_environment_is_refused(tmp_path: Path) -> None:
    path = run(tmp_path / "r", script(HAND), episodes=1, extra={"environment": "points"})
    with pytest.raises(UsageError, match="'points'"):
        read_run(path)


def test_the_folder_of_a_study_or_a_training_is_no_run(tmp_path: Path) -> None:
    manifest = Manifest(kind="study sft-vs-rl", config={}, build="b", versions={}, hashes={}, label="", created="")
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    for read in (lambda: game_of([tmp_path]), lambda: read_run(tmp_path)):
        with pytest.raises(UsageError, match="holds the 'study sft-vs-rl', a run of `athanor play` was expected; pass"):
            read()
    (tmp_path / "report.html").touch()
    with pytest.raises(UsageError, match="its page is"):
        read_run(tmp_path)
