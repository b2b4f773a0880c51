"""What `athanor analyse` refuses, and what it prints beside its tables."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from athanor.agents.baselines import Random
from athanor.analysis.multiplicity import holm, holm_of
from athanor.analysis.nulls import is_p
from athanor.environments.alchemy.worlds import table
from tests.analysis.small import HAND, run, script
from tests.analysis.test_ratings import experiment
from tests.test_cli import athanor


def log(path: Path, *players: tuple[str, str, int]) -> str:
    """A file of logs: group, temperature and number of turns of each player, who combine one pair after the other."""
    base, lines = table("atelier").base, ["player,trial,first,second,group,temperature"]
    for number, (group, temperature, turns) in enumerate(players):
        pairs = [(a, b) for a in base for b in base[number % 2 :]] * 3
        lines += [f"{number},{t},{a},{b},{group},{temperature}" for t, (a, b) in enumerate(pairs[:turns])]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


ATELIER = ("--table", "atelier", "--rules", "strict")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--nulls", "5"], "--nulls says nothing without --regression; leave it out, or pass --regression stopping"),
        (["--seed", "3"], "--seed says nothing without --regression"),
        (["--baseline", "m"], "--baseline says nothing without --regression; leave it out, or"),
        (["--regression", "usage", "--nulls", "5"], "--nulls says nothing with --regression usage"),
        (["--regression", "survival", "--nagq", "0"], "--nagq says nothing with --regression survival"),
        (["--regression", "main", "--baseline", "m"], "--baseline says nothing with --regression main"),
        (["--regression", "stopping", "--pair-values", "x"], "--pair-values says nothing with --regression stopping"),
        (["--category", "success-new"], "--category"),
        (["--regresion", "main"], "--regresion"),
        ([], "no/such/path does not exist, a run folder was expected"),
        (["--regression", "main"], "no/such/path does not exist, a run folder or a file of logs was expected"),
    ],
)  # fmt: skip
def test_options_that_say_nothing_and_paths_that_are_not_there_are_misuse(capsys, more, says):
    code, out, err = athanor(capsys, "analyse", "no/such/path", *more)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())


def test_logs_without_a_regression_are_told_what_they_need(capsys, tmp_path):
    code, _, err = athanor(capsys, "analyse", log(tmp_path / "log.csv", ("m", "", 3)))
    assert (code, "is a file, a run folder was expected; logs need --regression main, say" in err) == (2, True)


def test_a_file_that_is_no_text_is_a_clear_error(capsys, tmp_path):
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)) * 40)
    code, _, err = athanor(capsys, "analyse", str(tmp_path / "noise.csv"), *ATELIER, "--regression", "main")
    assert code == 1
    assert f"{tmp_path / 'noise.csv'} " in err
    assert "Traceback" not in err


def test_who_has_no_temperature_and_what_is_unknown_is_printed(capsys, tmp_path):
    players = [(f"m at {t}", t, 8 + k) for t in ("0", "1") for k in range(4)] + [("o1", "", 11)] * 3
    path = log(tmp_path / "log.csv", *players)
    code, out, _ = athanor(capsys, "analyse", path, *ATELIER, "--regression", "temperature", "--nagq", "0")
    assert code == 0
    assert out.startswith("all groups\n")
    assert "left out, having no temperature: o1 (3 players)" in out
    assert "weight of uncertainty (at temperature 1)" in out
    code, out, _ = athanor(capsys, "analyse", path, *ATELIER, "--regression", "stopping", "--nagq", "0")
    assert code == 0
    assert "no episode has ended whole" not in out
    assert "unknown: everything (none of 3 players stopped by themselves" in out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("stopping", "none of 3 players stopped by themselves in 21 turns; the question needs players who end"),
        ("temperature", "1 temperatures are known among 1 groups; what temperature changes needs groups at two"),
        ("inventory", "no model was seen at two temperatures (m at 1); pass runs of one model at several"),
    ],
)
def test_logs_of_which_a_question_cannot_be_asked_are_misuse_whatever_the_question(capsys, tmp_path, name, says):
    path = log(tmp_path / "log.csv", *[("m", "1", 8)] * 3)
    code, out, err = athanor(capsys, "analyse", path, *ATELIER, "--regression", name)
    assert (code, out) == (2, "")
    assert says in err


def test_a_log_of_another_table_is_refused_and_allowed_by_the_share_of_what_may_be_left_out(capsys, tmp_path):
    path, atelier = tmp_path / "log.csv", table("atelier")
    one = next(e for e in atelier.base if (e, e) in atelier.results)
    path.write_text("player,trial,first,second,success\n" + "".join(f"a,{k},{one},{one},0\n" for k in range(9)))
    asked = ("analyse", str(path), "--table", "atelier", "--rules", "pan2025", "--regression", "survival")
    code, out, err = athanor(capsys, *asked)
    assert (code, out) == (1, "")
    assert "in 9 of 9 turns (100.0%) the source's success is not what table atelier" in err
    assert "pass the table and the rules that they were played by with --table and --rules" in err
    code, out, _ = athanor(capsys, *asked, "--allow-excluded", "1")
    assert code == 0
    assert "in 9 of 9 turns (100.0%) the source's success" in out


def test_ctrl_c_is_told_what_can_be_done(capsys, tmp_path, monkeypatch):
    def interrupted(config):
        raise KeyboardInterrupt

    monkeypatch.setattr("athanor.commands.train_empowerment.train", interrupted)
    code, _, err = athanor(
        capsys, "train", "empowerment", "--table", "atelier", "--seed", "1", "--out", str(tmp_path / "o")
    )
    assert (code, err.strip()) == (130, "interrupted; run it again")
    monkeypatch.setattr("athanor.commands.play_alchemy.play", interrupted)
    asked = ["--agent", "random", "--episodes", "1", "--turns", "1", "--seed", "1", "--out", str(tmp_path / "p")]
    code, _, err = athanor(capsys, "play", "alchemy", *ATELIER, *asked)
    assert (code, "go on with --resume" in err, os.listdir(tmp_path)) == (130, True, [])


def test_null_tests_of_several_runs_are_adjusted_together_in_the_output_and_counted_in_words(capsys, tmp_path):
    players = [(name, "", 8) for name in "aabb"]
    logs = log(tmp_path / "log.csv", *players)
    code, out, err = athanor(
        capsys, "analyse", logs, *ATELIER, "--regression", "uncertainty", "--nulls", "10", "--json"
    )
    assert code == 0
    found = {(one["group"], one["name"]): one["value"] for one in json.loads(out)}
    families = {is_null: [key for key in found if key[1].startswith("p of ") and is_p(key[1]) == is_null and
                          "simulated" not in key[0]] for is_null in (True, False)}  # fmt: skip
    for family in families.values():  # null tests; what the value adds to repeats and doubles
        assert len(family) == 2
        adjusted = [found[group, holm_of(name)] for group, name in family]
        assert adjusted == pytest.approx(holm([found[key] for key in family]))
    assert "Of 2 comparisons with null choices, " in err
    assert "With 10 draws no p is below 0.091" in err


def table_log(path: Path, suffix: str) -> str:
    """Eight turns of two players of whom one names what is not owned, with columns of other names."""
    base, finals = table("atelier").base, sorted(set(table("atelier").elements) - set(table("atelier").base))
    pairs = [(a, b) for a in base for b in base][:4]
    rows = [{"who": who, "a": a, "b": b} for who in ("p", "q") for a, b in pairs]
    rows[-1] |= {"a": finals[0]}
    found = pa.Table.from_pylist(rows)
    if suffix == "parquet":
        pq.write_table(found, path)
    else:
        csv.write_csv(found, path)
    return str(path)


NAMES = ("--columns", "player=who,first=a,second=b")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_of_turns_are_read_from_csv_and_parquet_and_players_with_a_refused_turn_can_be_left_out(
    capsys, tmp_path, suffix
):
    path = table_log(tmp_path / f"log.{suffix}", suffix)
    asked = ("analyse", path, *ATELIER, *NAMES, "--regression", "survival", "--json", "--allow-excluded", "0.5")
    code, out, err = athanor(capsys, *asked)
    (own, *_) = [one for one in json.loads(out) if one["name"] == "inventory after 4 turns, still playing"]
    assert (code, own["n"], "1 unowned" in err) == (0, 2, True)
    code, out, err = athanor(capsys, *asked, "--illegal", "player")
    (own, *_) = [one for one in json.loads(out) if one["name"] == "inventory after 4 turns, still playing"]
    assert (code, own["n"], "4 illegal player" in err) == (0, 1, True)


def test_a_form_can_be_said_and_says_nothing_of_run_folders(capsys, tmp_path):
    path = log(tmp_path / "log.csv", ("m", "", 8), ("m", "", 8))
    asked = (*ATELIER, "--regression", "survival")
    assert athanor(capsys, "analyse", path, *asked, "--form", "table")[0] == 0
    code, _, err = athanor(capsys, "analyse", path, *asked, "--form", "pan2025")
    assert (code, "malformed" in err or "JSON" in err) == (1, True)
    code, _, err = athanor(capsys, "analyse", path, *asked, "--form", "brandle2023")
    assert (code, "has no column 'id' for player" in err) == (2, True)
    folder = run(tmp_path / "run", script(HAND), episodes=1)
    code, _, err = athanor(capsys, "analyse", str(folder), "--regression", "survival", "--form", "table")
    assert (code, "--form says nothing of run folders" in err) == (2, True)


@pytest.mark.parametrize("named", ["nonsense", "atelier"])
def test_run_folders_have_their_own_table_and_another_is_not_passed_over_in_silence(capsys, tmp_path, named):
    folder = str(run(tmp_path / "run", script(HAND), episodes=1))
    code, out, err = athanor(capsys, "analyse", folder, "--regression", "survival", "--table", named)
    assert (code, out, "--table says nothing of run folders" in err) == (2, "", True)


def test_beside_logs_a_run_folder_keeps_its_table(capsys, tmp_path):
    folder = str(run(tmp_path / "run", Random(), episodes=1, table=table("atelier")))
    path = log(tmp_path / "log.csv", ("m", "", 8))
    assert athanor(capsys, "analyse", folder, path, *ATELIER, "--regression", "survival")[0] == 0


def test_turns_are_kept_as_parquet_and_read_again_in_place_of_the_logs(capsys, tmp_path):
    path, kept = log(tmp_path / "log.csv", *[("m", "", 8)] * 3), tmp_path / "kept" / "turns.parquet"
    asked = (*ATELIER, "--regression", "survival", "--json")
    code, first, _ = athanor(capsys, "analyse", path, *asked, "--out", str(kept))
    assert (code, kept.is_file()) == (0, True)
    assert athanor(capsys, "analyse", str(kept), *asked)[:2] == (0, first)
    code, _, err = athanor(capsys, "analyse", path, *asked, "--out", str(kept))
    assert (code, "already exists, a new file was expected" in err) == (2, True)
    code, _, err = athanor(capsys, "analyse", path, str(kept), *asked, "--out", str(tmp_path / "two.parquet"))
    assert (code, "--out keeps one file or run, 2 were given" in err) == (2, True)
    code, _, err = athanor(capsys, "analyse", str(tmp_path), "--out", str(tmp_path / "x.parquet"))
    assert (code, "--out says nothing without --regression" in err) == (2, True)


def test_ratings_are_analysed_by_name(capsys, tmp_path):
    path = experiment(tmp_path / "validation.json")
    elements = tmp_path / "elements.csv"
    elements.write_text("element_string,emp_value_predicted,emp_value_true\nwater,9,2\nmud,4,1\nbrick,1,0\nsteam,0,0\n")
    code, out, _ = athanor(capsys, "analyse", str(path), "--regression", "ratings", "--pair-values", str(elements))
    assert code == 0
    assert "rating of an element's empowerment by predicted (predicted + true), as published" in out
    code, _, err = athanor(capsys, "analyse", str(path), "--regression", "ratings")
    assert (code, "--pair-values true needs a table of elements; pass it with --table" in err) == (2, True)
    code, _, err = athanor(capsys, "analyse", str(path), "--regression", "ratings", "--seed", "3")
    assert (code, "--seed says nothing with --regression ratings" in err) == (2, True)
