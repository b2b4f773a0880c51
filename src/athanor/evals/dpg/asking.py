"""Every question about every picture asked once, each answer written as it comes: killed anywhere, it can go on."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from athanor.core.errors import BackendError, DataError
from athanor.core.image_files import contents
from athanor.core.lines import LineFile, read_lines
from athanor.core.progress import progress
from athanor.core.records import Record
from athanor.evals.dpg.answering import Answerer
from athanor.evals.dpg.pictures import cut
from athanor.evals.dpg.table import Item, Question

FILE = "answers.jsonl"
Key = tuple[str, int, int]
"""Item, picture from 0, question."""


class Answer(Record, kw_only=True):
    """One answer, or why there is none."""

    item: str
    picture: int
    question: int
    digest: str
    """SHA-256 of the image file."""
    text: str = ""
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How pictures are cut and asked about."""

    each: int
    """Pictures in a file: 1, or up to 4 in a grid."""
    side: int | None = None
    """Pixels of a picture's side; None is told by the file."""
    legacy: bool = False
    concurrency: int = 0
    """Questions asked at once; 0 is as many as the answerer can work on."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What came of it."""

    answers: dict[Key, Answer]
    unread: dict[str, str]
    """Items whose file is there and could not be read or cut, with the reason."""


async def ask_all(items: Sequence[Item], files: dict[str, Path], who: Answerer, how: Asking, out: Path) -> Asked:
    """Ask about every picture that is there. What fails is written with its reason, and tried again the next time."""
    stored = {(one.item, one.picture, one.question): one for one in read_lines(out / FILE, Answer)}
    mine = [item for item in items if item.name in files]
    total = how.each * sum(len(item.questions) for item in mine)
    answers, unread = dict[Key, Answer](), dict[str, str]()
    at_once = asyncio.Semaphore(how.concurrency or who.slots)
    with LineFile[Answer](out / FILE) as file, progress(total, "question", "ask") as bar:

        async def one(picture: bytes, number: int, question: Question, digest: str) -> None:
            key = (question.item, number, question.id)
            past = stored.get(key)
            if past is None or past.failure or past.digest != digest:
                async with at_once:
                    past = await _answer(who, picture, number, question, digest)
                file.append(past)
            answers[key] = past
            bar.update()

        for item in mine:  # one file's pictures are in memory at a time
            try:
                data = contents(files[item.name])
                pictures = cut(data, how.each, how.side, legacy=how.legacy)
            except DataError as error:
                unread[item.name] = str(error)
                continue
            digest = hashlib.sha256(data).hexdigest()
            await _all(
                one(picture, number, question, digest)
                for number, picture in enumerate(pictures) for question in item.questions
            )  # fmt: skip
    return Asked(answers=answers, unread=unread)


async def _all(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Wait for all; the first error stops the others and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(who: Answerer, picture: bytes, number: int, question: Question, digest: str) -> Answer:
    text = failure = ""
    try:
        text = await who.answer(picture, question)
    except (BackendError, DataError) as error:
        failure = str(error)
    return Answer(item=question.item, picture=number, question=question.id, digest=digest, text=text, failure=failure)
