"""Label files: JSON lines appended a passage at a time, so that labelling can be killed anywhere and go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from athanor.analysis.traces.labeller import Labeller
from athanor.analysis.traces.labels import Labelled, Passage
from athanor.core.errors import DataError, UsageError
from athanor.core.lines import LineFile
from athanor.core.store import whole_lines


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


LabelFile = LineFile[Labelled]
"""A label file open for appending."""


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
