"""Shards that are torn, or made to do harm: what can be read is, and nothing else happens."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from athanor.core.errors import DataError, UsageError
from athanor.training.unified.tars import Shard, scan, scanned
from tests.training.unified.made_shards import number_of, numbered, picture, source, tar


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
