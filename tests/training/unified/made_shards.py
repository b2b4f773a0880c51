"""Shards of pictures for tests."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from athanor.models.unified.pictures import Preparation
from athanor.training.unified.lessons import Example
from athanor.training.unified.shards import Shards
from athanor.training.unified.tars import Shard, scan

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
