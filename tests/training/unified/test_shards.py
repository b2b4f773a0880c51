"""Shards as a source of examples: what is read, in which order, and what hostile files cannot do."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from athanor.core.errors import DataError, StoreError, UsageError
from athanor.training.unified import tars
from athanor.training.unified.lessons import Exchange
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.shards import Ahead, Blend, Request
from athanor.training.unified.tars import scan, scanned, write
from tests.training.unified.made_shards import number_of, numbered, one, picture, source, tar


def test_scenes_that_are_written_as_shards_are_read_again_as_they_were(tmp_path: Path):
    scenes = Scenes(seed=3)
    for use in ("drawing", "understanding", "text", "pictures"):
        folder = tmp_path / use
        told = [example for index in range(2) for example in scenes.take(use, index, 5)]
        paths = write(folder, told, each=4)
        assert [len(scan(path)) for path in paths] == [4, 4, 2]
        again = source(scanned([folder], tmp_path / "cache")).take(use, 0, 10)
        assert len({example.picture.tobytes() for example in again if example.picture is not None}) in (0, 10)
        for example in again:
            same = [
                old for old in told
                if (old.picture is None or np.array_equal(old.picture, example.picture))  # type: ignore[arg-type]
                and (old.text is None or old.text == example.text)
                and (old.prompt, old.questions, old.category) == (example.prompt, example.questions, example.category)
            ]  # fmt: skip
            assert len(same) >= 1
    write(tmp_path / "again", told, each=4)
    assert [p.read_bytes() for p in sorted((tmp_path / "again").iterdir())] == [p.read_bytes() for p in paths]
    with pytest.raises(UsageError, match="is there already"):
        write(tmp_path / "again", told)
    with pytest.raises(UsageError, match="no example"):
        write(tmp_path / "none", [])


def test_a_disk_that_refuses_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write(tmp_path / "file" / "below", Scenes(seed=1).take("text", 0, 1))


@pytest.mark.parametrize("sizes", [(7,), (3, 9, 1, 5, 0, 8)])
def test_an_epoch_has_every_sample_once_in_an_order_of_its_own(tmp_path: Path, sizes: tuple[int, ...]):
    shards, count = numbered(tmp_path / "shards", sizes), sum(sizes)
    found = [[number_of(e) for e in source(shards, window=2).span("drawing", k * count, count)] for k in range(3)]
    assert all(sorted(epoch) == list(range(count)) for epoch in found)
    assert len({tuple(epoch) for epoch in found}) == 3
    other = [number_of(e) for e in source(shards, window=2).span("pictures", 0, count)]
    assert sorted(other) == list(range(count))
    assert other != found[0] != [number_of(e) for e in source(shards, 2, window=2).span("drawing", 0, count)]


def test_samples_are_shuffled_among_so_many_shards_at_once(tmp_path: Path):
    shards = numbered(tmp_path / "shards", (6,) * 6)
    order = [number_of(e) // 6 for e in source(shards, window=2).span("drawing", 0, 36)]
    groups = [order[i : i + 12] for i in range(0, 36, 12)]
    assert all(len(set(group)) == 2 for group in groups)
    assert any(a != sorted(a) and a != sorted(a, reverse=True) for a in groups)


def test_a_batch_depends_on_its_index_alone_so_that_processes_share_an_epoch(tmp_path: Path):
    shards = numbered(tmp_path / "shards", (5, 11, 8))
    whole = [number_of(e) for index in range(6) for e in source(shards).take("drawing", index, 4)]
    assert sorted(whole) == list(range(24))
    ranks: list[list[int]] = []
    for rank in range(2):  # each reads its own batches alone, one of them in another order
        mine = source(shards)
        indices = range(rank, 6, 2) if rank else reversed(range(0, 6, 2))
        ranks.append([number_of(e) for index in indices for e in mine.take("drawing", index, 4)])
    assert sorted(ranks[0] + ranks[1]) == list(range(24))
    assert ranks[1] == whole[4:8] + whole[12:16] + whole[20:24]


def test_real_and_made_examples_are_mixed_in_exact_shares(tmp_path: Path):
    real = source(numbered(tmp_path / "shards", (40, 60)))
    mixed = Blend(((real, 0.4), (Scenes(seed=1), 0.6)), seed=1)
    numbers: list[int] = []
    for index in range(50):
        batch = mixed.take("drawing", index, 5)
        assert len(batch) == 5
        captioned = [e for e in batch if e.prompt is not None and e.prompt.isdecimal()]
        assert len(captioned) == 2
        numbers += [number_of(e) for e in captioned]
    assert sorted(numbers) == list(range(100))  # 100 of 250: an epoch, each once
    uneven = Blend(((real, 1.0), (Scenes(seed=1), 2.0)), seed=1)
    counts = [sum((e.prompt or "").isdecimal() for e in uneven.take("drawing", k, 4)) for k in range(9)]
    assert sum(counts) == 12
    assert set(counts) == {1, 2}
    again = Blend(((real, 0.4), (Scenes(seed=1), 0.6)), seed=1).take("drawing", 7, 5)
    assert [e.prompt for e in again] == [e.prompt for e in mixed.take("drawing", 7, 5)]
    with pytest.raises(UsageError, match="shares of"):
        Blend(((real, -1.0),), seed=1)


def test_pictures_are_padded_to_be_understood_and_cut_to_be_drawn(tmp_path: Path):
    told = json.dumps({"caption": "a thing", "questions": [{"question": "what?", "answer": "it"}]}).encode()
    wide = one(tmp_path, [("a.jpg", picture(300, (96, 48))), ("a.json", told)])
    drawn, seen = wide.take("drawing", 0, 1)[0], wide.take("understanding", 0, 1)[0]
    assert drawn.picture is not None
    assert seen.picture is not None
    assert drawn.picture.shape == seen.picture.shape == (48, 48, 3)
    assert (drawn.picture == drawn.picture[0, 0]).all()
    assert tuple(seen.picture[0, 0]) == (127, 127, 127)
    assert tuple(seen.picture[24, 24]) == (300 % 256, 1, 7)
    assert (drawn.prompt, seen.questions) == ("a thing", (Exchange("what?", "it"),))


def test_conversations_captions_and_texts_are_understood(tmp_path: Path):
    said = [{"from": "human", "value": "<image>\nwhat is it?"}, {"from": "gpt", "value": "a dog"}]
    chat = json.dumps({"id": "x", "conversations": said}).encode()
    found = one(tmp_path, [("a/b.PNG", picture(1)), ("a/b.JSON", chat), ("a/b.cls", b"3")])
    assert found.take("understanding", 0, 1)[0].questions == (Exchange("what is it?", "a dog"),)
    captioned = one(tmp_path, [("a.png", picture(1)), ("a.txt", b" a dog \n")], question="describe it.")
    assert captioned.take("understanding", 0, 1)[0].questions == (Exchange("describe it.", "a dog"),)
    assert captioned.take("drawing", 0, 1)[0].prompt == "a dog"
    with pytest.raises(UsageError, match=r"no sample for text: .txt or .json without a picture"):
        captioned.take("text", 0, 1)
    assert one(tmp_path, [("a.txt", b"einst")]).take("text", 0, 1)[0].text == "einst"


BOMB = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x02\x00\x00\x00" + b"\0" * 4
SPOILT = {
    "a torn picture": [("x.png", picture(1)[:40]), ("x.txt", b"x")],
    "an empty picture": [("x.png", b""), ("x.txt", b"x")],
    "a picture of four thousand million pixels": [("x.png", BOMB), ("x.txt", b"x")],
    "no picture but a script": [("x.png", b"#!/bin/sh\nrm -rf /"), ("x.txt", b"x")],
    "an empty caption": [("x.png", picture(1)), ("x.txt", b"  \n")],
    "no text": [("x.png", picture(1)), ("x.txt", b"\xff\xfe\x00")],
    "a text that is too long": [("x.png", picture(1)), ("x.txt", b"x" * 200_000)],
    "deep brackets": [("x.png", picture(1)), ("x.json", b"[" * 50_000)],
    "another kind of description": [("x.png", picture(1)), ("x.json", b'{"prompt": 3}')],
    "a description that is torn": [("x.png", picture(1)), ("x.json", b'{"prompt": "a')],
    "a conversation of one": [("x.png", picture(1)), ("x.json", b'{"conversations": [{"from": "gpt", "value": "x"}]}')],
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_sample_is_passed_over_counted_and_named(tmp_path: Path, name: str):
    good = [(f"g{n}.{ending}", data) for n in range(30) for ending, data in (("png", picture(n)), ("txt", b"fine"))]
    found = one(tmp_path, [*good[:20], *SPOILT[name], *good[20:]])
    examples = found.take("drawing", 0, 31)
    assert len(examples) == 31
    assert {e.prompt for e in examples} == {"fine"}
    assert (found.faults.spoilt + found.faults.apart, found.faults.read) == (1, 32)
    assert found.faults.apart == (name == "an empty caption")
    told = "without what they were read for: 1" if found.faults.apart else "1 of 32 samples could not be used"
    assert told in str(found.faults)
    assert f"sample 10 of {tmp_path / 'one.tar'}" in str(found.faults)
    again = one(tmp_path, [*good[:20], *SPOILT[name], *good[20:]]).take("drawing", 0, 31)
    assert [number_of(e) for e in again] == [number_of(e) for e in examples]


def test_samples_for_different_uses_may_lie_in_one_shard(tmp_path: Path):
    asked = json.dumps({"questions": [{"question": "what?", "answer": "it"}]}).encode()
    members = []
    for n in range(10):
        members += [
            (f"a{n}.png", picture(n)),
            (f"a{n}.txt", b"a dog"),
            (f"b{n}.txt", b"read me"),
            (f"c{n}.png", picture(n)),
        ]
        members += [(f"d{n}.png", picture(n)), (f"d{n}.json", asked), (f"e{n}.png", b"x")]
    found = one(tmp_path, members)
    assert {e.prompt for e in found.take("drawing", 0, 30)} == {"a dog"}
    assert {e.text for e in found.take("text", 0, 10)} == {"read me"}
    assert {e.questions for e in found.take("understanding", 0, 10)} == {(Exchange("what?", "it"),)}
    assert found.faults.spoilt == 0
    assert found.faults.apart > 0  # of what has a description and no caption
    with pytest.raises(DataError, match="not for drawing"):
        one(tmp_path, [("a.png", picture(1)), ("a.json", asked)]).take("drawing", 0, 1)


def test_too_many_spoilt_samples_stop_the_work_with_a_report(tmp_path: Path):
    members = [(f"{n}.{e}", d) for n in range(50) for e, d in (("png", picture(n) if n % 5 else b"no"), ("txt", b"x"))]
    found = one(tmp_path, members)
    with pytest.raises(DataError, match=r"no picture that can be read: sample .* at most 10% were expected"):
        found.take("drawing", 0, 500)
    assert found.faults.read >= 100
    assert str(found.faults).count("is in none of the formats that are read") == 1
    assert str(found.faults).count("likewise") == 1
    assert all(len(named) <= 10 for named in found.faults.which.values())


def test_what_does_not_fit_the_model_is_passed_over(tmp_path: Path):
    found = source(
        numbered(tmp_path / "shards", (20,)),
        fits=lambda use, example: "13 is too many" if example.prompt == "13" else "",
    )
    assert 13 not in {number_of(e) for e in found.take("drawing", 0, 20)}
    assert "does not fit the model: sample 13 of" in str(found.faults)
    assert "(13 is too many)" in str(found.faults)


def test_an_index_is_kept_and_made_again_where_the_file_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    numbered(tmp_path / "shards", (3, 4))
    scans: Counter[str] = Counter()
    real = tars.scan
    monkeypatch.setattr(tars, "scan", lambda path: scans.update([path.name]) or real(path))
    first = scanned([tmp_path / "shards"], tmp_path / "cache")
    again = scanned([tmp_path / "shards"], tmp_path / "cache")
    assert scans == {"0.tar": 1, "1.tar": 1}
    assert all(np.array_equal(a.places, b.places) and a.path == b.path for a, b in zip(first, again, strict=True))
    tar(tmp_path / "shards" / "1.tar", [("x.png", picture(1))])
    assert [len(shard) for shard in scanned([tmp_path / "shards"], tmp_path / "cache")] == [3, 1]
    assert scans == {"0.tar": 1, "1.tar": 2}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_other_processes_make_the_same_examples_ready(tmp_path: Path):
    members = [(f"{n}.{e}", d) for n in range(40) for e, d in (("png", picture(n) if n - 7 else b"no"), ("txt", b"x"))]
    plain, ready = (one(tmp_path, members) for _ in range(2))

    def request(number: int) -> Request:
        return ("drawing", "pictures")[number % 2], number // 2, 4

    ahead = Ahead(ready, request, 6, workers=2)
    for number in range(6, 26):
        wanted = plain.take(*request(number))
        assert [number_of(e) for e in ahead.take(*request(number))] == [number_of(e) for e in wanted]
    assert str(ready.faults) == str(plain.faults)
    assert plain.faults.spoilt >= 1
    spoilt = one(tmp_path, [("a.png", b"no"), ("a.txt", b"x")])
    with pytest.raises(DataError, match="no picture that can be read"):
        Ahead(spoilt, request, 0, workers=1).take("drawing", 0, 4)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_what_shards_lack_is_told_by_other_processes_in_the_same_words(tmp_path: Path):
    pictures = one(tmp_path, [("a.png", picture(1)), ("a.txt", b"x")])

    def request(number: int) -> Request:
        return "text", number, 1

    with pytest.raises(UsageError, match="^the shards have no sample for text"):
        Ahead(pictures, request, 0, workers=1).take("text", 0, 1)
