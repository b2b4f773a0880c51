from __future__ import annotations

import json
from pathlib import Path

import pytest

from athanor.core.errors import DataError, UsageError
from athanor.environments.alchemy import RULES, Alchemy, Pair, worlds
from athanor.environments.alchemy.loaders import LA2_JOKES, from_json, load, to_own
from athanor.environments.alchemy.statistics import gini, statistics
from athanor.environments.alchemy.text import AlchemyDialogue
from tests.conftest import shared

OWN = {
    "schema": 1,
    "name": "t",
    "base": ["a", "b"],
    "elements": ["a", "b", "c"],
    "recipes": [["a", "b", "c"]],
    "gifts": [{"element": "c", "size": 3}],
}


def own(**changes) -> dict:
    return {**OWN, **changes}


def test_the_projects_own_format_reads_back_as_it_was_written(small):
    assert from_json("x", json.loads(to_own(small))) == small


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (own(recipes=[["a", "b", "c"], ["b", "a", "c"]]), "has the recipe b \\+ a -> c twice"),
        (own(recipes=[["a", "x", "c"]]), "names the unknown element 'x'"),
        (own(recipes=[["a", "b", "x"]]), "names the unknown element 'x'"),
        (own(elements=["a", "b", "c", "c"]), "lists the element 'c' twice"),
        (own(base=[]), "has no base elements"),
        (own(base=["a", "a"]), "lists the base element 'a' twice"),
        (own(recipes=[]), "has no recipes"),
        *(
            (own(elements=["a", "b", "c", name]), "a name that an answer can give was expected")
            for name in (
                "",
                " d",
                "d ",
                "d\n",
                "d\ne",
                "c++",
                "b + c",
                "d  e",
                "!?",
                "d\x00",
            )
        ),
        (own(elements=["a", "b", "c", "A"]), "elements 'a' and 'A', which an answer cannot tell apart"),
        (own(elements=["a", "b", "c", "b!"]), "elements 'b' and 'b!', which an answer cannot tell apart"),
        (own(base=["z"]), "the base names the unknown element 'z'|base names the unknown element 'z'"),
        (own(gifts=[{"element": "z", "size": 3}]), "the gift z names the unknown element 'z'"),
        (own(recipes=[["a", "b"]]), "does not have the form"),
        (own(recipes="ab"), "does not have the form"),
        (own(elements=[1, 2]), "does not have the form"),
        (own(schema=2), "has schema 2, this program reads schema 1"),
        (own(extra=1), "does not have the form"),
        ([], "none of the known formats"),
        ({}, "none of the known formats"),
        ({"a": 1}, "none of the known formats"),
        ({"entities": {"a": {"id": 1, "recipes": [["a"]]}}}, "does not have the form"),
        ({"entities": {"a": {"id": 1, "recipes": [["a", "nope"]]}}}, "unknown element 'nope'"),
        ({"1": {"n": "a"}, "2": {"n": "b", "p": [["1", "7"]]}}, "unknown id '7'"),
        ({"1": {"n": "a"}, "2": {"n": "a"}}, "two ids the same name"),
        ({"\u00b2": {"n": "a"}}, "none of the known formats"),
        ({"9" * 5000: {"n": "a"}}, "none of the known formats"),
    ],
)
def test_a_wrong_table_is_refused_with_what_is_wrong(content, says):
    with pytest.raises(DataError, match=says):
        from_json("t", content)


def test_a_missing_a_torn_and_a_binary_file_are_told_apart(tmp_path: Path):
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "no.json")
    (tmp_path / "torn.json").write_text(json.dumps(OWN)[:40])
    with pytest.raises(DataError, match="is not whole JSON"):
        load(tmp_path / "torn.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="is not whole JSON"):
        load(tmp_path / "deep.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read as text"):
        load(tmp_path / "bytes.json")


def test_brandles_combination_table_is_read_with_and_without_names(tmp_path: Path):
    file = tmp_path / "tinyCombinationTable.csv"
    file.write_text("first,second,success,result\n0,1,1,4\n0,1,1,5\n0,0,0,-1\n2,3,1,4\n0,1,1,4\n")
    world = load(file)
    assert world.elements == tuple(f"element {i}" for i in range(6))
    assert world.results == {
        ("element 0", "element 1"): ("element 4", "element 5"),
        ("element 2", "element 3"): ("element 4",),
    }
    names = {str(i): {"name": name, "parents": []} for i, name in enumerate("abcdef")}
    (tmp_path / "tinyGametree.json").write_text(json.dumps(names))
    assert load(file).results == {("a", "b"): ("e", "f"), ("c", "d"): ("e",)}
    assert load(file).base == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("first,second,success\n0,1,1\n", r"lacks the columns \['result'\]"),
        ("first,second,success,result\n0,x,1,2\n", "line 2: .* is not four whole numbers"),
        ("first,second,success,result\n0,inf,1,2\n", "line 2: .* is not four whole numbers"),
        ("first,second,success,result\n0,nan,1,2\n", "line 2: .* is not four whole numbers"),
        ("first,second,success,result\n0,1.5,1,2\n", "line 2: .* is not four whole numbers"),
        ('first,second,success,result\n"' + "1" * 200_000 + '",1,1,2\n', "field larger than field limit"),
        ("first,second,success,result\n0,1,1,-1\n", "line 2: a negative element index"),
        ("first,second,success,result\n0,1,1,999999999\n", "below 100000 was expected"),
        ("first,second,success,result\n0,1,1\n", "is not four whole numbers"),
    ],
)
def test_a_wrong_csv_is_refused_with_its_line(tmp_path: Path, text: str, says: str):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        load(tmp_path / "t.csv")


def test_jokes_and_expansion_elements_are_dropped_and_told():
    content = {
        "1": {"n": "water"}, "2": {"n": "fire"}, "3": {"n": "earth"}, "4": {"n": "air"},
        "5": {"n": "steam", "p": [["1", "2"]]},
        "6": {"n": sorted(LA2_JOKES)[0], "p": [["1", "5"]]},
        "7": {"n": "monster", "p": [["1", "1"]], "dlc": True},
        "8": {"n": "mist", "p": [["7", "1"], ["5", "4"], ["4", "5"]]},
    }  # fmt: skip
    world = from_json("t", content)
    assert world.elements == ("water", "fire", "earth", "air", "steam", "mist")
    assert world.results == {("fire", "water"): ("steam",), ("air", "steam"): ("mist",)}
    assert world.notes == (
        "2 downloadable-content and joke elements dropped",
        "1 rows that came twice merged: air + steam -> mist",
    )


def test_the_official_table_has_the_published_counts():
    """Counts of specification 1.1: 720 elements, 3,308 pairs (3,171 / 130 / 7), 3,452 rows, 185 finals."""
    count = statistics(load(shared("little-alchemy-2-official.json")))
    assert (count.elements, count.possible_pairs, count.pairs, count.rows) == (720, 259_560, 3308, 3452)
    assert count.pairs_by_results == {"1": 3171, "2": 130, "3": 7}
    assert (count.self_pairs, count.finals, count.unmakeable, count.returning_rows) == (137, 185, 2, 9)
    assert count.most_children[:5] == (("human", 83), ("container", 73), ("water", 53), ("tool", 50), ("house", 48))
    assert count.closures["by size"][-1] == count.closures["all"][-1] == 720


def test_the_official_index_and_gifts_are_the_published_ones():
    world = load(shared("little-alchemy-2-official.json"))
    names = ("water", "metal", "time", "science", "philosophy", "big", "container", "light")
    assert [world.index[name] for name in names] == [0, 35, 40, 605, 606, 566, 627, 121]
    assert [(g.element, g.size, g.count, len(g.of)) for g in world.gifts] == [
        ("metal", 50, 0, 0), ("time", 100, 0, 0), ("science", 150, 0, 0), ("philosophy", 150, 0, 0), ("big", 150, 0, 0),
        ("container", 300, 0, 0), ("light", 0, 5, 16), ("small", 0, 5, 12), ("motion", 0, 5, 15),
    ]  # fmt: skip
    assert sum(len(made) for made in world.children.values()) == 3632


@pytest.mark.parametrize("name", ["double rainbow!", "jack-o-lantern", "yin & yang", "7", "crème brûlée"])
def test_an_answer_names_any_element_that_a_table_accepts(name):
    world = from_json("t", own(elements=["a", "b", "c", name], recipes=[["a", "b", "c"], [name, name, "c"]]))
    environment = Alchemy(table=world, rules=RULES["strict"])
    seen = environment.observe(environment.start(next(environment.tasks("open", 0))))
    assert AlchemyDialogue(environment=environment).hear(f"{name} + {name}", seen) == Pair(first=name, second=name)


def test_wordcrafts_table_has_the_published_counts():
    count = statistics(load(shared("wordcraft-alchemy2.json")))
    assert (count.elements, count.pairs, count.rows, count.finals, count.self_pairs) == (700, 3285, 3426, 170, 135)
    assert count.pairs_by_results == {"1": 3151, "2": 127, "3": 7}


def test_table_names_that_are_not_known_say_what_is():
    for name in ("nope", "generated:greek:1", "generated:words:x", "renamed:3", "renamed:x:atelier"):
        with pytest.raises(UsageError):
            worlds.table(name)


def test_a_fetched_table_is_checked_by_its_digest(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(worlds, "data_folder", lambda: tmp_path / "data")
    with pytest.raises(UsageError, match="run `athanor fetch little-alchemy-2`"):
        worlds.table("little-alchemy-2")
    with pytest.raises(DataError, match="has SHA-256 .* was expected"):
        worlds.store("little-alchemy-2", b"{}", "a file")
    assert not (tmp_path / "data").exists()
    source = shared("little-alchemy-2-official.json")
    worlds.store("little-alchemy-2", source.read_bytes(), str(source))
    assert worlds.table("little-alchemy-2").digest == load(source).digest


def test_gini_of_known_counts():
    assert gini([3, 3, 3]) == 0.0
    assert gini([0, 0, 0, 4]) == pytest.approx(0.75)
    assert gini([1, 3]) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"entities": {"a": {"id": 1, "recipes": []}, "a": {"id": 2, "recipes": []}}}', "'a' twice in one object"),
        ('{"5": {"n": "x"}, "5": {"n": "y"}}', "'5' twice in one object"),
        ('{"entities": {"a": {"id": 1, "recipes": []}, "b": {"id": 1, "recipes": []}}}', "the id 1 to 2 elements"),
    ],
)
def test_what_a_file_says_twice_is_refused(tmp_path: Path, text: str, says: str):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(DataError, match=says):
        load(tmp_path / "t.json")
