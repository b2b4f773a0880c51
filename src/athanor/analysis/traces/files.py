"""Label files: JSON lines appended a passage at a time, so that labelling can be killed anywhere and go on."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from athanor.analysis.traces.labeller import Labeller
from athanor.analysis.traces.labels import Labelled, Passage
from athanor.core.disk import write_atomically
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.core.store import Manifest, drop_torn_line, refuse_difference, whole_lines


def read_labels(path: Path) -> dict[str, Labelled]:
    """The labelled passages of a file, by key and sorted by it; the last line of a passage counts.

    A torn last line is left out. UsageError if there is no such file; DataError naming the line if one is not a
    labelled passage.
    """
    if not path.is_file():
        raise UsageError(f"{path} is not there, a label file was expected; pass the labels.jsonl that labelling made")
    decoder = msgspec.json.Decoder(Labelled)
    found: dict[str, Labelled] = {}
    for number, raw in whole_lines(path):
        try:
            line = decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DataError(f"{path}:{number} is no labelled passage ({error}); correct or remove it") from error
        if len(line.labels) != len(line.sentences):
            raise DataError(
                f"{path}:{number} has {len(line.labels)} labels for {len(line.sentences)} sentences, one each was "
                "expected; correct the line (null stands for no label)"
            )
        found[line.passage] = line
    return dict(sorted(found.items()))


def open_folder(path: Path, manifest: Manifest, *, resume: bool) -> None:
    """Make a folder for label files with its manifest, or see that the one to go on in was made alike.

    UsageError if something is there already and `resume` is false, or if it was made with other settings.
    """
    file = path / "manifest.json"
    if resume and file.exists():
        try:
            stored = msgspec.json.decode(file.read_bytes(), type=Manifest)
        except msgspec.MsgspecError as error:
            raise DataError(f"{file} is not a manifest of this program ({error}); restore it or label again") from error
        for what in ("kind", "config", "hashes"):
            refuse_difference(path, what, getattr(stored, what), getattr(manifest, what))
        return
    if path.exists() and (not path.is_dir() or any(not f.name.startswith(".manifest.json.") for f in path.iterdir())):
        raise UsageError(
            f"{path} already holds something, an empty or new folder was expected; "
            "pass --resume to go on with a labelling, or another --out"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_atomically(file, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(f"cannot create {path}: {error.strerror or error}; pass another --out") from error


class LabelFile:
    """A label file open for appending, by one process at a time. A torn last line is dropped on opening."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open(path, "ab", buffering=0)
        except OSError as error:
            raise StoreError(f"cannot open {path}: {error.strerror or error}; pass another --out") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise UsageError(f"another process is writing to {path}; wait for it, or pass another --out") from error
        drop_torn_line(self._file)

    def append(self, line: Labelled) -> None:
        """Write one line, at once. StoreError if the disk does not take it whole."""
        data = msgspec.json.encode(line) + b"\n"
        try:
            written = self._file.write(data)
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror or error}; free some and resume") from error
        if written != len(data):
            raise StoreError(f"{self.path} took {written} of {len(data)} bytes: the disk is full; free some and resume")

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> LabelFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def left(passages: Iterable[Passage], file: Path) -> list[Passage]:
    """The passages that a label file lacks, or has only as failed.

    UsageError if the file labels a passage that is not among these, or whose sentences are others now.
    """
    found = read_labels(file) if file.exists() else {}
    passages = list(passages)
    now = {passage.key: passage.sentences for passage in passages}
    for key, line in found.items():
        if now.get(key) != line.sentences:
            what = "sentences that are no longer those of the trace" if key in now else "a trace that is not there now"
            raise UsageError(
                f"{file} has for passage {key} {what}, the same traces were expected; "
                "label the run as it was, or pass another --out"
            )
    return [passage for passage in passages if passage.key not in found or found[passage.key].failed]


async def label_all(
    passages: Iterable[Passage], labeller: Labeller, file: LabelFile, *, concurrency: int = 0,
    each: Callable[[Labelled], object] = lambda line: None,
) -> dict[str, Labelled]:  # fmt: skip
    """Label what the file lacks, appending each passage as it is done, and give all that the file then has.

    At most `concurrency` passages at once; 0 is as many as the backend can work on. `each` is told of every line.
    An error of usage or of the store stops all; a failed backend does not.
    """
    passages = list(passages)
    if concurrency < 0:
        raise UsageError(f"--concurrency {concurrency} was given, 0 or more was expected; pass such a number")
    waiting = iter(left(passages, file.path))

    async def work() -> None:
        for passage in waiting:
            line = await labeller.label(passage)
            file.append(line)
            each(line)

    workers = [asyncio.create_task(work()) for _ in range(concurrency or labeller.backend.slots)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return read_labels(file.path)
