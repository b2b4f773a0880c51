from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.agents.registry import LanguageOptions
from athanor.analysis.logs import columns_of, from_runs, read_logs, read_ratings
from athanor.analysis.logs.read import form_of
from athanor.core.errors import DataError, UsageError
from athanor.environments.alchemy.loaders import load
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.worlds import table
from athanor.models.backends import BackendConfig
from athanor.studies.playing import alchemy as playing
from athanor.values.arrays import TableArrays
from tests.analysis.logs.forms import CONFIG, CSV, STRICT, TRIALS, WORLD, person, trial, written
from tests.analysis.small import HAND, run, script
from tests.conftest import shared


def pairs(logs) -> list[tuple[str, str]]:
    return list(zip(logs.turns["first_name"].to_pylist(), logs.turns["second_name"].to_pylist(), strict=True))


def counts(logs) -> dict[str, int]:
    return {one.cause: one.count for one in logs.excluded}


def test_a_run_folder_gives_its_turns_and_keeps_unreadable_answers_apart(tmp_path: Path):
    path = run(tmp_path / "arm", script(HAND, (*HAND[:5], HAND[0])), episodes=2, label="an arm")
    logs = read_logs(path, WORLD, STRICT, allow=1)
    assert logs.players.select(["id", "group", "seed"]).to_pylist() == [
        {"id": "arm/0000", "group": "an arm", "seed": 0},
        {"id": "arm/0001", "group": "an arm", "seed": 0},
    ]
    assert logs.turns["trial"].to_pylist() == [0, 1, 2, 4, 5] * 2
    assert logs.turns["success"].to_pylist() == [True, True, False, None, True] * 2
    assert counts(logs) == {"unreadable": 2, "unowned": 2}
    games = logs.games(WORLD, STRICT).counted()
    assert games.gained.tolist() == [1, 0, 0, 2, 1, 0, 0, 0]
    assert games.choices.starts.tolist() == [0, 4, 8]


def test_runs_that_ended_in_an_error_are_left_out_and_counted(tmp_path: Path):
    path = run(tmp_path / "arm", script(HAND[:3], (HAND[0], ValueError("no answer"))), episodes=2, turns=3)
    logs = read_logs(path, WORLD, STRICT, allow=0.5)
    assert counts(logs) == {"error": 1}
    assert "ValueError: no answer" in logs.excluded[0].examples[0]
    assert logs.players["id"].to_pylist() == ["arm/0000"]


def test_several_runs_are_one_log_with_a_group_each_and_another_table_is_refused(tmp_path: Path, small):
    paths = [run(tmp_path / name, script(HAND[:3]), episodes=1, turns=3, label=name) for name in ("a", "b")]
    assert from_runs(paths, WORLD).players["group"].to_pylist() == ["a", "b"]
    with pytest.raises(UsageError, match="was played on tiny@.*the table small@"):
        from_runs(paths, TableArrays(small))


def test_the_published_logs_of_models_are_read_in_both_layouts(tmp_path: Path):
    nested = {"config": {**CONFIG, "model": "llama", "temperature": 1}, "results": TRIALS}
    gpt = read_logs(written(tmp_path / "gpt.json", {"gpt": {"16": TRIALS}}), WORLD, STRICT, allow=0.5)
    llama = read_logs(written(tmp_path / "llama.json", {"llama": {"16": nested}}), WORLD, STRICT, allow=0.5)
    assert pairs(gpt) == pairs(llama) == [("water", "earth"), ("mud", "water"), ("water", "fire")]
    assert gpt.turns["gained"].to_pylist() == [["mud"], [], ["steam"]]
    assert gpt.turns["success"].to_pylist() == [True, False, True]
    assert gpt.turns["trial"].to_pylist() == [0, 1, 3]
    assert gpt.players.to_pylist() == [
        {"player": 0, "id": "gpt/16", "group": "gpt, T=0.7", "model": "gpt", "condition": None, "temperature": 0.7,
         "seed": 3, "played": 4, "cut_off": True}
    ]  # fmt: skip
    assert llama.players["group"].to_pylist() == ["llama, T=1"]
    for logs in (gpt, llama):
        assert [(one.cause, one.count) for one in logs.excluded] == [("gap", 1)]
        assert "lacks trial 2" in logs.excluded[0].examples[0]


def test_the_trials_that_a_run_lacks_at_its_end_are_gaps_too(tmp_path: Path):
    last = {"0": TRIALS["0"]}
    logs = read_logs(written(tmp_path / "a.json", {"gpt": {"1": last}}), WORLD, STRICT, allow=1)
    assert counts(logs) == {"gap": 3}


def test_an_intervention_is_a_condition_named_by_its_factor(tmp_path: Path):
    content = {"0.5": {"0": {"results": {"0": trial("water", "", reason="x")}}}, "0.0": {"0": {"results": {}}}}
    logs = read_logs(written(tmp_path / "a.json", content), WORLD, STRICT, allow=1)
    assert logs.players["condition"].to_pylist() == ["factor 0.5", "factor 0.0"]
    assert logs.players["group"].to_pylist() == ["factor 0.5", "factor 0.0"]
    assert logs.choices().starts.tolist() == [0, 1, 1]


def test_the_logs_of_people_are_read_by_index_and_the_memory_form_is_told(tmp_path: Path):
    path = written(tmp_path / "people.csv", CSV)
    logs = read_logs(path, WORLD, STRICT, allow=0.2)
    assert form_of(path) == logs.form == "brandle2023"
    assert pairs(logs)[0] == ("water", "fire")
    assert pairs(logs)[-1] == ("brick", "water")
    assert logs.turns["gained"].to_pylist() == [["steam"], ["steam"], [], ["mud", "brick"], []]
    assert logs.players["group"].to_pylist() == ["human", "human"]
    assert counts(logs) == {"unowned": 1}
    assert not any("memory" in note for note in logs.notes)
    memory = "\n".join(line for line in CSV.splitlines() if not line.startswith("p1,1"))
    notes = read_logs(written(tmp_path / "memory.csv", memory), WORLD, STRICT, allow=0.5).notes
    assert any("`memory` form" in note for note in notes)


def test_a_player_with_an_illegal_combination_can_be_left_out_as_published(tmp_path: Path):
    logs = read_logs(written(tmp_path / "people.csv", CSV), WORLD, STRICT, allow=0.4, illegal="player")
    assert logs.players["id"].to_pylist() == ["p1"]
    assert counts(logs) == {"illegal player": 2}
    assert logs.excluded[0].examples == ("player p2, trial 1: 'brick' + 'water'",)
    assert logs.games(WORLD, STRICT).refused.tolist() == [0, 0, 0]


def test_the_validation_experiment_gives_combinations_and_ratings(tmp_path: Path):
    content = {"1": person(("water", "fire", "steam"), ("water", "water", "none"), ("isle", "fire", "none"))}
    path = written(tmp_path / "behavior.json", content)
    logs = read_logs(path, WORLD, STRICT, allow=0.5)
    assert logs.form == "validation"
    assert logs.turns["first"].to_pylist() == [0, 0, -1]
    assert logs.turns["success"].to_pylist() == [True, False, False]
    assert logs.excluded[0].examples == ("player 1, trial 2: 'isle' + 'fire'",)
    assert read_ratings(path).to_pylist() == [
        {"player": 0, "id": "1", "item": 0, "combination": 54, "first": "mud", "second": "fire", "link": None,
         "options": ["brick", "steam"], "answer": "brick", "element": "mud", "empowerment": 6, "played": True}
    ]  # fmt: skip


def test_the_public_validation_data_are_read_whole():
    path, world = shared("brandle-validation-behavior.json"), shared("little-alchemy-2-official.json")
    arrays = TableArrays(load(world))
    with pytest.raises(DataError, match="in 162 of 2058 turns .* the source's success is not what table"):
        read_logs(path, arrays, RULES["pan2025"])  # their game was another
    logs = read_logs(path, arrays, RULES["pan2025"], allow=0.08)
    assert (logs.players.num_rows, logs.turns.num_rows) == (103, 2060)
    assert counts(logs) == {"unknown": 2}
    ratings = read_ratings(path)
    assert ratings.num_rows == 2060
    assert not any(ratings[name].null_count for name in ratings.column_names)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_of_ones_own_is_read_with_a_mapping_of_its_columns(tmp_path: Path, form: str):
    table = pa.table({
        "subject": ["b", "b", "a", "b"], "a": ["water", "earth", "fire", "nought"], "b": ["fire"] * 4,
        "arm": ["x", "x", "y", "x"], "temperature": [0.5] * 4,
    })  # fmt: skip
    path = tmp_path / f"own.{form}"
    if form == "csv":
        rows = [",".join(str(row[name]) for name in table.column_names) for row in table.to_pylist()]
        written(path, "\n".join([",".join(table.column_names), *rows]))
    else:
        pq.write_table(table, path)
    logs = read_logs(path, WORLD, STRICT, columns=columns_of("player=subject,first=a,second=b,group=arm"), allow=0.3)
    assert logs.players.select(["id", "group", "temperature"]).to_pylist() == [
        {"id": "b", "group": "x", "temperature": 0.5},
        {"id": "a", "group": "y", "temperature": 0.5},
    ]
    assert logs.turns["trial"].to_pylist() == [0, 1, 2, 0]
    assert logs.turns["first"].to_pylist() == [0, 2, -1, 1]
    assert logs.turns["success"].null_count == 4


def test_indices_may_be_written_as_floats_and_beyond_the_table_they_are_unknown(tmp_path: Path):
    path = written(tmp_path / "own.csv", "first,second\n0.0,1.0\n7,0\n-1,0\n99999999999999999999,0\n1.5,0\n")
    logs = read_logs(path, WORLD, STRICT, allow=1)
    assert logs.turns["first"].to_pylist() == [0, -1, -1, -1, -1]
    assert logs.turns["first_name"].to_pylist()[:2] == ["water", "7"]


def test_the_values_of_a_log_are_one_call_away(tmp_path: Path):
    logs = read_logs(written(tmp_path / "people.csv", CSV), WORLD, STRICT, allow=0.2)
    games = logs.games(WORLD, STRICT).counted()
    assert np.unique(games.choices.player).tolist() == [0, 1]
    assert games.repeated.tolist() == [False, True, False, False]
    assert games.gained.tolist() == [1, 0, 0, 1]


def test_a_run_of_which_no_answer_could_be_read_is_an_empty_log_and_not_an_error(tmp_path: Path):
    script = tmp_path / "prose.json"
    script.write_text('{"replies": ["I do not know what to do"]}')
    config = playing.Config(
        table="generated:opaque:1", rules="strict", agent="language", episodes=2, turns=3, seed=1, out=tmp_path / "run",
        language=LanguageOptions(model=str(script)), backend=BackendConfig(backend="scripted"),
    )  # fmt: skip
    playing.play(config)
    world = TableArrays(table("generated:opaque:1"))
    logs = read_logs(tmp_path / "run", world, RULES["strict"], allow=1.0)
    assert logs.turns.num_rows == 0
    assert logs.players.num_rows == 2
    assert [(one.cause, one.count) for one in logs.excluded] == [("unreadable", 6)]
    assert len(logs.games(world, RULES["strict"]).pool) == 0


def test_who_was_cut_off_is_told_by_the_last_trial_and_not_by_how_many_are_there(tmp_path: Path):
    """Of four turns: a has all, b lacks two within, c stopped after two, d after three of which two are there."""
    rows = ["a,1", "a,2", "a,3", "a,4", "b,1", "b,4", "c,1", "c,2", "d,1", "d,3"]
    path = written(tmp_path / "own.csv", "player,trial,first,second\n" + "".join(f"{r},water,fire\n" for r in rows))
    logs = read_logs(path, WORLD, STRICT, allow=0.5)
    assert counts(logs) == {"gap": 3}
    assert logs.players["played"].to_pylist() == [4, 4, 2, 3]
    assert logs.players["cut_off"].to_pylist() == [True, True, False, False]
    choices = logs.games(WORLD, STRICT).counted().choices
    assert (choices.played.tolist(), choices.cut_off.tolist()) == ([4, 4, 2, 3], [True, True, False, False])
    assert choices.turn.tolist() == [0, 1, 2, 3, 0, 3, 0, 1, 0, 2]


def test_a_model_that_was_to_play_so_many_turns_did_not_stop(tmp_path: Path):
    short = {"config": {**CONFIG, "max_trials": 3}, "results": {"0": TRIALS["0"], "1": TRIALS["1"]}}
    long = {"config": {**CONFIG, "max_trials": 9}, "results": {"0": TRIALS["0"]}}
    logs = read_logs(written(tmp_path / "a.json", {"llama": {"1": short, "2": long}}), WORLD, STRICT, allow=1)
    assert logs.players["played"].to_pylist() == [3, 9]
    assert logs.players["cut_off"].to_pylist() == [True, True]
