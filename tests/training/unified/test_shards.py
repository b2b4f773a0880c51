"""Shards as a source of examples: what is read, in which order, and what hostile files cannot do."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from athanor.core.errors import DataError, StoreError, UsageError
from athanor.models.unified.pictures import Preparation
from athanor.training.unified import tars
from athanor.training.unified.lessons import Example, Exchange
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.shards import Ahead, Blend, Request, Shards
from athanor.training.unified.tars import Shard, scan, scanned, write

SEEN = Preparation(size=48)


def picture(number: int, size: tuple[int, int] = (48, 48)) -> bytes:
    """A picture that its number can be read from."""
    out = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256, 7)).save(out, "PNG")
    return out.getvalue()


def number_of(example: Example) -> int:
    assert example.picture is not None
    return int(example.picture[0, 0, 0]) + 256 * int(example.picture[0, 0, 1])


def tar(path: Path, members: Sequence[tuple[str, bytes]], **more: object) -> Path:
    """A tar file as WebDataset's own writer makes it: times that are no whole numbers, in extended headers."""
    with tarfile.open(path, "w") as file:
        for name, data in members:
            one = tarfile.TarInfo(name)
            one.size, one.mtime, one.uname = len(data), 1_700_000_000.25, "bigdata"  # type: ignore[assignment]
            for key, value in more.items():
                setattr(one, key, value)
            file.addfile(one, io.BytesIO(data))
    return path


def numbered(folder: Path, sizes: Sequence[int]) -> list[Shard]:
    """Shards of pictures with the numbers 0, 1, ..., each with its number as the caption."""
    made, number = [], 0
    folder.mkdir(exist_ok=True)
    for k, size in enumerate(sizes):
        members = []
        for n in range(number, number + size):
            members += [(f"{n:06d}.png", picture(n)), (f"{n:06d}.txt", str(n).encode())]
        made.append(scan(tar(folder / f"{k}.tar", members)))
        number += size
    return made


def source(shards: Sequence[Shard], seed: int = 1, **more) -> Shards:
    return Shards(shards, seed, seen=SEEN, drawn=48, **more)


def one(tmp_path: Path, members: Sequence[tuple[str, bytes]], **more) -> Shards:
    return source([scan(tar(tmp_path / "one.tar", members))], **more)


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
    assert str(found.faults).count("is no image that can be read") == 1
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


def test_names_that_lead_elsewhere_are_names_and_no_more(tmp_path: Path):
    (tmp_path / "in").mkdir()
    names = ("../../evil", "/etc/passwd", "a/../../b", "~/x", "x\n\x1b[31m", "ü" * 200)
    members = [(f"{name}.{e}", d) for name in names for e, d in (("png", picture(1)), ("txt", b"x"))]
    before = {str(p) for p in tmp_path.rglob("*")}
    found = source([scan(tar(tmp_path / "in" / "one.tar", members))])
    assert len(found.take("drawing", 0, 6)) == 6
    assert found.faults.spoilt == 0
    assert {str(p) for p in tmp_path.rglob("*")} - before == {str(tmp_path / "in" / "one.tar")}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_what_is_no_plain_file_is_passed_over(tmp_path: Path, kind: bytes):
    path = tmp_path / "one.tar"
    with tarfile.open(path, "w") as file:
        link = tarfile.TarInfo("x.txt")
        link.type, link.linkname = kind, "/etc/passwd"
        file.addfile(link)
        for name, data in (("x.png", picture(1)), ("x.txt", b"fine")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    assert source([scan(path)]).take("drawing", 0, 1)[0].prompt == "fine"


def test_the_first_of_two_members_of_one_kind_counts_and_samples_that_lie_apart_are_two(tmp_path: Path):
    members = [("x.png", picture(1)), ("x.jpg", picture(2)), ("x.txt", b"one"), ("x.txt", b"two"), ("y.txt", b"y")]
    shard = scan(tar(tmp_path / "one.tar", [*members, ("x.png", picture(3)), (".hidden", b""), ("none", b"")]))
    assert len(shard) == 3
    assert source([shard]).take("drawing", 0, 1)[0].prompt == "one"


def test_a_torn_shard_is_read_up_to_where_it_is_torn(tmp_path: Path):
    (shard,) = numbered(tmp_path / "shards", (30,))
    whole = shard.path.read_bytes()
    last = shard.place(17, "picture")
    assert last is not None
    shard.path.write_bytes(whole[: last.offset + 20])
    torn = scan(shard.path)
    assert (len(torn), torn.fault) == (17, "it ends within a member")
    shard.path.write_bytes(whole[: last.offset - 512] + b"\x07" * 5_000)
    assert scan(shard.path).fault
    assert sorted(number_of(e) for e in source([torn]).take("drawing", 0, 17)) == list(range(17))
    shard.path.write_bytes(whole[: last.offset])
    with pytest.raises(DataError, match="shorter than when it was indexed"):
        source([Shard(path=shard.path, places=np.array([[[last.offset, last.size], [0, -1], [0, -1]]]))]).take(
            "pictures", 0, 1
        )


def test_shards_at_fault_are_told_by_name_at_once_and_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, torn, cut = numbered(tmp_path / "shards", (10, 10, 10))
    data = torn.path.read_bytes()
    last, before = torn.place(7, "picture"), torn.place(6, "txt")
    assert last is not None
    assert before is not None
    torn.path.write_bytes(data[: last.offset + 20])
    cut.path.write_bytes(data[: before.offset + 512])  # between two members, where the library sees the end
    tar(tmp_path / "shards" / "empty.tar", [])
    found: list[Shard] = []
    for _ in range(2):  # the second is read from the index
        found = scanned([tmp_path / "shards"], tmp_path / "cache")
        said = capsys.readouterr().err
        assert f"the shard {torn.path} is at fault (it ends within a member): 7 samples of it are used" in said
        assert f"the shard {cut.path} is at fault (after the last member there is neither" in said
        assert "empty.tar is at fault (it has no samples): 0 samples" in said
        assert str(whole.path) not in said
    faults = source(found).faults
    assert str(faults).startswith("0 of 0 samples could not be used; of 4 shards 3 are at fault: ")
    assert f"{torn.path} (it ends within a member)" in str(faults)
    other = source(found).faults
    other.take(faults)  # another process says the same
    assert str(other) == str(faults)


def header(size: int, kind: bytes) -> bytes:
    """A header that says that so many bytes follow."""
    one = tarfile.TarInfo("x")
    one.size, one.type = size, kind
    return one.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_a_header_that_would_fill_memory_is_not_read(tmp_path: Path, kind: bytes):
    path = tmp_path / "one.tar"
    path.write_bytes(header(8 << 30, kind))
    os.truncate(path, 9 << 30)  # takes no room on the disk
    with pytest.raises(DataError, match="at most were expected"):
        scan(path)


def test_what_is_no_tar_file_is_refused(tmp_path: Path):
    for content in (b"", b"PK\x03\x04" * 600, gzip.compress(b"x" * 5_000), b"\xff" * 4_096):
        (tmp_path / "x.tar").write_bytes(content)
        if content:
            with pytest.raises(DataError, match="no tar file that can be read"):
                scan(tmp_path / "x.tar")
    with pytest.raises(DataError, match="cannot be read"):
        scan(tmp_path / "none.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"has no .tar file"):
        scanned([tmp_path / "empty"])
    with pytest.raises(UsageError, match=r"empty.tar: there is no sample, .* were expected"):
        source([scan(tar(tmp_path / "empty.tar", []))])
    with pytest.raises(UsageError, match="a window of 0 shards was given"):
        source(numbered(tmp_path / "shards", (3,)), window=0)


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
