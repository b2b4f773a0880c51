from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.analysis.logs import Logs, columns_of, read_logs, read_ratings
from athanor.core.errors import AthanorError, DataError, UsageError
from athanor.values.arrays import TableArrays
from tests.analysis.logs.forms import CSV, STRICT, WORLD, person, trial, written

TABLE = "player,trial,first,second\n"


def read(tmp_path: Path, text: str, allow: float = 1.0) -> Logs:
    return read_logs(written(tmp_path / "own.csv", TABLE + text), WORLD, STRICT, allow=allow)


def test_missing_values_duplicates_and_gaps_are_counted_with_their_rows(tmp_path: Path):
    logs = read(tmp_path, "a,0,water,fire\na,1,,fire\n,2,water,fire\na,x,water,fire\na,0,earth,earth\na,4,mud,fire\n")
    assert [(one.cause, one.count, one.examples) for one in logs.excluded] == [
        (
            "missing",
            3,
            (
                "row 3, player unknown, trial 2: 'water' + 'fire'",
                "row 4, player a, trial unknown: 'water' + 'fire'",
                "row 2, player a, trial 1: nothing + 'fire'",
            ),
        ),
        ("duplicate", 1, ("row 5, player a, trial 0: 'earth' + 'earth'",)),
        ("gap", 2, ("player a lacks trial 2",)),
    ]
    assert (
        "1 elements are taken as owned from when they are first combined: earlier trials of their players are "
        in (logs.notes[-1])
    )
    assert logs.turns["trial"].to_pylist() == [0, 4]


def test_a_gap_is_no_reason_to_doubt_what_is_combined_after_it_and_what_is_combined_before_it_is_still_refused(
    tmp_path: Path,
):
    """mud is made in the lacking trial 1; b has no gap, and has mud from nowhere."""
    logs = read(tmp_path, "a,0,water,fire\na,2,mud,fire\na,3,mud,mud\nb,0,water,fire\nb,1,mud,fire\nb,3,fire,fire\n")
    assert [(one.cause, one.count) for one in logs.excluded] == [("gap", 2), ("unowned", 1)]
    assert logs.excluded[1].examples == ("player b, trial 1: 'mud' + 'fire'",)
    games = logs.games(WORLD, STRICT)
    mud = WORLD.table.index["mud"]
    assert mud in games.found[0][: games.owned[1]]
    assert mud not in games.found[0][: games.owned[0]]
    assert games.success[1]
    assert WORLD.table.index["brick"] in games.found[0]


def test_a_row_with_too_few_or_too_many_fields_is_counted_with_its_number_and_is_no_gap(tmp_path: Path):
    rows = [f"a,{trial},water,fire" for trial in range(200)]
    rows[7], rows[9] = "a,7,water", "a,9,water,fire,fire"
    logs = read(tmp_path, "\n".join(rows) + "\n", allow=0.01)
    assert [(one.cause, one.count, one.examples) for one in logs.excluded] == [(
        "unreadable", 2, (
            "row 8, player a, trial 7: it has 3 fields, 4 were expected: 'a,7,water'",
            "row 10, player a, trial 9: it has 5 fields, 4 were expected: 'a,9,water,fire,fire'",
        ),
    )]  # fmt: skip
    assert logs.turns.num_rows == 198
    assert logs.turns["trial"].to_pylist() == [trial for trial in range(200) if trial not in (7, 9)]


def test_the_share_that_is_advised_is_enough(tmp_path: Path):
    """Successes against the table, and turns left out: what is to be allowed for one is not enough for the other."""
    head = "player,trial,first,second,success\n"
    rows = [f"a,{trial},water,fire,{int(trial > 4)}" for trial in range(60)] + [f"b,{k},lava,fire,1" for k in range(40)]
    path = written(tmp_path / "own.csv", head + "\n".join(rows) + "\n")
    with pytest.raises(DataError, match=r"besides, 40 of 100 turns \(40\.0%\)[\s\S]*--allow-excluded 0\.4 to go on"):
        read_logs(path, WORLD, STRICT)
    assert read_logs(path, WORLD, STRICT, allow=0.4).turns.num_rows == 100


def test_rows_out_of_order_are_sorted_and_told(tmp_path: Path):
    logs = read(tmp_path, "a,1,mud,fire\nb,0,water,fire\na,0,water,earth\nb,1,fire,fire\n", allow=0)
    assert logs.turns["trial"].to_pylist() == [0, 1, 0, 1]
    assert logs.turns["first_name"].to_pylist() == ["water", "mud", "water", "fire"]
    assert any("1 rows came after a later trial" in note and "row 3" in note for note in logs.notes)


def test_interleaved_players_are_no_disorder(tmp_path: Path):
    logs = read(tmp_path, "a,0,water,fire\nb,0,water,earth\na,1,fire,fire\nb,1,mud,fire\n", allow=0)
    assert logs.turns["player"].to_pylist() == [0, 0, 1, 1]
    assert len(logs.notes) == 1


def test_too_much_left_out_is_an_error_that_says_how_to_allow_it(tmp_path: Path):
    text = "a,0,water,fire\na,1,lava,fire\na,2,fire,brick\n"
    with pytest.raises(DataError) as error:
        read(tmp_path, text, allow=0.01)
    said = str(error.value)
    assert "2 of 3 turns (66.7%) would be excluded, at most 1.0% may be" in said
    assert "1 unknown (it names something that is no element of the table): player a, trial 1: 'lava' + 'fire'" in said
    assert "1 unowned" in said
    assert "--allow-excluded 0.667" in said
    assert read(tmp_path, text, allow=0.667).turns.num_rows == 3


def test_an_impossible_allowance_or_form_is_refused(tmp_path: Path):
    path = written(tmp_path / "people.csv", CSV)
    for wrong in (float("nan"), -0.1, 2.0):
        with pytest.raises(UsageError, match="0 to 1 was expected"):
            read_logs(path, WORLD, STRICT, allow=wrong)
    with pytest.raises(UsageError, match="form 'xml' is not one of"):
        read_logs(path, WORLD, STRICT, form="xml")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="only the form table has a choice"):
        read_logs(path, WORLD, STRICT, form="brandle2023", columns={"first": "a"})


def test_columns_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(UsageError, match="has no column 'first' for first, only a, b; say which it is with --columns"):
        read_logs(written(tmp_path / "own.csv", "a,b\n1,2\n"), WORLD, STRICT)
    with pytest.raises(UsageError, match="--columns has 'frist=a', NAME=COLUMN was expected"):
        columns_of("frist=a")


def test_a_source_that_disagrees_with_the_table_is_told(tmp_path: Path):
    rows = "water,fire,1\n" * 199
    path = written(tmp_path / "own.csv", f"first,second,success\n{rows}fire,fire,True\n")
    what = "in 1 of 200 turns (0.5%) the source's success is not what table tiny says under strict rules"
    assert (
        f"{what} (player 1, trial 199: 'fire' + 'fire' is a success in the source)"
        in read_logs(path, WORLD, STRICT).notes
    )


def test_a_source_that_disagrees_with_the_table_in_more_turns_than_allowed_is_refused(tmp_path: Path):
    rows = "water,fire,1\n" * 95 + "fire,fire,1\n" * 3 + "fire,water,0\n" * 2
    path = written(tmp_path / "own.csv", f"first,second,success\n{rows}")
    with pytest.raises(DataError) as error:
        read_logs(path, WORLD, STRICT)
    assert str(error.value) == (
        f"{path}: in 5 of 100 turns (5.0%) the source's success is not what table tiny says under strict rules, in at "
        "most 1.0% it may be: player 1, trial 95: 'fire' + 'fire' is a success in the source; player 1, trial 96: "
        "'fire' + 'fire' is a success in the source; player 1, trial 97: 'fire' + 'fire' is a success in the source\n"
        "pass the table and the rules that they were played by with --table and --rules, or --allow-excluded 0.05 to "
        "go on as if the table were right"
    )
    assert any("in 5 of 100 turns (5.0%)" in note for note in read_logs(path, WORLD, STRICT, allow=0.05).notes)


def test_what_contradicts_the_table_and_what_is_left_out_are_told_in_one_error(tmp_path: Path):
    text = "a,0,water,fire,0\na,1,lava,fire,0\na,1,water,fire,1\na,2,earth,water,1\n"
    path = written(tmp_path / "own.csv", f"player,trial,first,second,success\n{text}")
    with pytest.raises(DataError) as error:
        read_logs(path, WORLD, STRICT)
    said = str(error.value)
    assert "in 1 of 2 turns (50.0%) the source's success is not what table tiny says" in said
    assert "besides, 2 of 4 turns (50.0%) would be excluded, at most 1.0% may be:" in said
    assert "\n  1 duplicate (" in said
    assert "\n  1 unknown (it names something that is no element of the table): player a, trial 1: 'lava'" in said
    assert "--allow-excluded 0.5 to go on" in said
    assert read_logs(path, WORLD, STRICT, allow=0.5).turns.num_rows == 3


def test_logs_that_mostly_name_what_the_table_has_not_are_of_another_table_and_not_to_be_allowed(tmp_path: Path):
    text = "a,0,water,fire\na,1,lava,fire\na,2,lava,lava\n"
    with pytest.raises(DataError) as error:
        read(tmp_path, text, allow=0.01)
    assert "most turns name what table tiny does not have, so they were played on another table" in str(error.value)
    assert "--allow-excluded" not in str(error.value)
    assert read(tmp_path, text, allow=1).turns.num_rows == 3


def test_logs_come_back_from_parquet_as_they_were_and_other_files_are_refused(tmp_path: Path, small):
    logs, path = read(tmp_path, "a,0,water,fire\nb,0,lava,fire\n"), tmp_path / "logs.parquet"
    logs.write_parquet(path)
    again = read_logs(path, WORLD, STRICT, allow=1)
    assert again.turns.equals(logs.turns)
    assert again.players.equals(logs.players)
    assert again.excluded == logs.excluded
    with pytest.raises(DataError, match="was read with the table .* small@.* was passed"):
        read_logs(path, TableArrays(small), STRICT, allow=1)
    header = pq.read_schema(path).metadata[b"athanor.logs"].replace(b'"schema":2', b'"schema":9')
    pq.write_table(logs.turns.replace_schema_metadata({b"athanor.logs": header}), path)
    with pytest.raises(DataError, match="has schema 9, this program reads schema 2"):
        Logs.read_parquet(path)
    replace(logs, turns=logs.turns.take([1, 0])).write_parquet(path)
    with pytest.raises(DataError, match="has other columns than it was written with, or they changed"):
        Logs.read_parquet(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"gpt": {"7": {"one": {}}}}, r"no turn with two names.*\n  1 missing: .*'one' is not the number of a trial"),
        ({"gpt": {"7": []}}, r"gpt, run 7: Expected `object`"),
        ({"gpt": {"7": {"results": None}}}, r"gpt, run 7, results: Expected `object`"),
        ({"gpt": {"7": {}}}, "has no turn with two names"),
        ({}, "is an empty object"),
        ([{"first": "water", "second": "fire"}], "is a JSON list, an object was expected"),
        ("null\n", "is the JSON value null, an object was expected"),
        ("12.5", "is the JSON value 12.5, an object was expected"),
        ('"logs"', 'is the JSON value "logs", an object was expected'),
        ('{"gpt": {}}\n{"o1": {}}\n', "more follows: for the turns.jsonl of a run, pass the run's folder"),
        ('{"gpt": {"1": {}}, "gpt": {}}', "has 'gpt' twice"),
        ("{", "the file ends before it is whole"),
        ("", "is empty, logged play was expected"),
        (" \n", "is empty, logged play was expected"),
        ('{"gpt": ' + "[" * 200_000, "recursion"),
        ('{"gpt": \\u0000}', "malformed"),
        ("a,b\n1\n", r"only a, b|Expected 2 columns"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_an_error_with_its_place(tmp_path: Path, content: object, said: str):
    path = written(tmp_path / "logs.json", content)
    with pytest.raises(AthanorError, match=said) as error:
        read_logs(path, WORLD, STRICT, allow=1)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(b"{}", mtime=0), "is packed with gzip, its content was expected; unpack it first"),
        (b"PK\x03\x04rest", "is packed with zip"),
        (b"\x7fELF\0\0\0", "has bytes that are no text; a JSON, CSV or Parquet file"),
        ("{}".encode("utf-16"), "has bytes that are no text"),
        (b"PAR1 and no more", "cannot be read as a table"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_text_is_told_by_what_it_is(tmp_path: Path, content: bytes, said: str):
    path = tmp_path / "logs"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as error:
        read_logs(path, WORLD, STRICT)
    assert str(path) in str(error.value)


def test_ratings_without_an_answer_to_each_question_are_refused(tmp_path: Path):
    content = {"1": person(("water", "fire", "steam")) | {"linkanswers": []}}
    with pytest.raises(DataError, match="person 1 has 1, 1, 0, 1, 1, 1, 1 answers"):
        read_ratings(written(tmp_path / "behavior.json", content))


def test_numbers_that_json_does_not_have_are_read_as_null(tmp_path: Path):
    content = {"gpt": {"1": {"0": trial("water", "fire", 1, top=[float("nan"), -float("inf")], result="mud")}}}
    text = json.dumps(content)
    assert "NaN" in text
    assert read_logs(written(tmp_path / "a.json", text), WORLD, STRICT).turns.num_rows == 1


def test_a_huge_name_is_cut_and_unknown(tmp_path: Path):
    content = {"gpt": {"1": {"0": trial("x" * 1_000_000, "fire")}}}
    logs = read_logs(written(tmp_path / "a.json", content), WORLD, STRICT, allow=1)
    assert len(logs.turns["first_name"][0].as_py()) == 201
    assert logs.turns["first"].to_pylist() == [-1]


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
FIELDS = st.sampled_from(
    ["first", "second", "success", "result", "config", "results", "temperature", "0", "1", "collect"]
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4))
RECORDS = st.fixed_dictionaries({"first": LEAVES, "second": LEAVES, "result": LEAVES}) | VALUES
TRIALS_OF = st.dictionaries(st.integers(-1, 9).map(str) | FIELDS, RECORDS, max_size=4)
RUNS = st.dictionaries(st.text(max_size=3), TRIALS_OF | st.fixed_dictionaries({"results": TRIALS_OF}), max_size=3)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=3), RUNS, max_size=2), st.integers(0, 30), st.booleans())
def test_no_json_makes_the_reader_fail_with_anything_but_an_error_for_people(
    tmp_path_factory: pytest.TempPathFactory, content: object, cut: int, ascii: bool
):
    path = tmp_path_factory.mktemp("fuzz") / "logs.json"
    text = json.dumps(content, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    path.write_bytes(text[: len(text) - cut % 3] if cut > 25 else text)
    try:
        logs = read_logs(path, WORLD, STRICT, allow=1)
    except AthanorError:
        return
    assert logs.turns.num_rows > 0


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"{", b"first,second\n", b"PAR1"]))
def test_no_bytes_make_it_fail_either(tmp_path_factory: pytest.TempPathFactory, junk: bytes, head: bytes):
    path = tmp_path_factory.mktemp("fuzz") / "logs"
    path.write_bytes(head + junk)
    try:
        read_logs(path, WORLD, STRICT, allow=1)
    except AthanorError:
        return
