"""GenEval's prompts come out as published, and files of prompts are not trusted."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from athanor.core.errors import DataError
from athanor.evals.geneval import prompts
from athanor.evals.geneval.prompts import CLASSES, DIGEST, line, published, read, tags, written
from tests.conftest import shared


def test_the_prompts_are_the_published_file_to_the_byte() -> None:
    assert hashlib.sha256(written(published())).hexdigest() == DIGEST


def test_the_prompts_are_those_of_the_published_file_itself() -> None:
    path = shared("geneval-prompts.jsonl")
    assert path.read_bytes() == written(published())
    assert read(path) == published()


def test_there_are_553_prompts_in_six_categories_in_the_published_order_and_numbers() -> None:
    counts = Counter(spec.tag for spec in published())
    assert list(counts.items()) == [
        ("single_object", 80), ("two_object", 99), ("counting", 80), ("colors", 94), ("position", 100),
        ("color_attr", 100),
    ]  # fmt: skip
    assert tags(published()) == tuple(counts)


def test_counting_excludes_one_more_and_positions_name_the_reference_first() -> None:
    counting = [spec for spec in published() if spec.tag == "counting"]
    assert Counter(spec.include[0].count for spec in counting) == {2: 26, 3: 28, 4: 26}
    assert all(spec.exclude[0].count == spec.include[0].count + 1 for spec in counting)
    position = [spec for spec in published() if spec.tag == "position"]
    relations = [entry.position for spec in position if (entry := spec.include[1]).position]
    assert Counter(relations) == {("below", 0): 28, ("right of", 0): 27, ("above", 0): 26, ("left of", 0): 19}
    assert position[0].prompt == "a photo of a dog right of a teddy bear"
    assert [entry.kind for entry in position[0].include] == ["teddy bear", "dog"]


def test_a_person_is_never_coloured_and_plurals_are_mechanical() -> None:
    assert not [spec for spec in published() for one in spec.include if one.colour and one.kind == CLASSES[0]]
    words = " ".join(spec.prompt for spec in published())
    assert all(word in words for word in ("two sheeps", "four knifes", "four benchs", "two sandwichs", "three persons"))


def test_a_numpy_that_draws_otherwise_is_an_error_and_not_other_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "SEED", 44)
    published.cache_clear()
    with pytest.raises(DataError, match=f"numpy {np.__version__} draws .* --prompts"):
        published()
    monkeypatch.undo()
    assert len(published()) == 553


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("{", "1 is no prompt"),
        ("[" * 100_000, "1 is no prompt"),
        ("\xff", "1 is no prompt"),
        ('{"tag": "a", "include": [], "prompt": "p"}', "lacks include"),
        ('{"tag": "a", "include": [{"class": "dog", "count": 1}]}', "lacks include, prompt"),
        ('{"tag": "a", "include": [{"class": "dog", "count": 0}], "prompt": "p"}', "asks for 0"),
        ('{"tag": "a", "include": [{"class": "dog", "count": 17}], "prompt": "p"}', "1 to 16 was expected"),
        (line(published()[0]).replace('"count": 1', '"position": ["near", 0]'), "an earlier entry was expected"),
        (line(published()[0]).replace('"count": 1', '"position": ["above", 0]'), "an earlier entry was expected"),
        (line(published()[180]).replace('"count": 3', '"count": 99'), "excludes a count outside"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_of_prompts_is_refused_with_the_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "prompts.jsonl").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=said):
        read(tmp_path / "prompts.jsonl")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "none.jsonl")
