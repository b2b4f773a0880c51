"""DPG-Bench's questions, read from its CSV file with checks, or made of scenes."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from athanor.core.errors import DataError
from athanor.core.records import Record

COLUMNS = (
    "item_id", "text", "keywords", "proposition_id", "dependency", "category_broad", "category_detailed", "tuple",
    "question_natural_language",
)  # fmt: skip
NEEDED = ("item_id", "text", "proposition_id", "dependency", "tuple", "question_natural_language")
LARGEST = 256_000_000
"""Bytes of a file of questions."""
_ITEM = re.compile(r"[^/\\\0]+")


class Question(Record, kw_only=True):
    """One row: something that a prompt says, as a question whose answer should be yes."""

    item: str
    """The prompt's name, and the image file's."""
    text: str
    """The prompt."""
    id: int
    """Within the prompt."""
    parents: tuple[int, ...]
    """Questions without whose yes this one is not asked."""
    detailed: str
    """Category, as the tuple begins, such as `attribute - color`."""
    question: str

    @property
    def broad(self) -> str:
        """The first part of its category, such as `attribute`."""
        return self.detailed.partition("-")[0].strip()


class Item(Record, kw_only=True):
    """One prompt with its questions in the file's order."""

    name: str
    text: str
    questions: tuple[Question, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """Indices of the questions, parents before children."""
        where = {one.id: k for k, one in enumerate(self.questions)}
        graph = {where[one.id]: [where[parent] for parent in one.parents] for one in self.questions}
        return tuple(TopologicalSorter(graph).static_order())


def read(path: Path) -> tuple[Question, ...]:
    """The rows of a file, in its order. DataError naming the row that is wrong: see `checked`."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); pass the benchmark's CSV file") from error
    if len(data) > LARGEST:
        raise DataError(f"{path} has more than {LARGEST:,} bytes, a file of questions was expected; pass a smaller one")
    return parsed(data, str(path))


def parsed(data: bytes, path: str) -> tuple[Question, ...]:
    """The rows of a file's bytes, which errors call `path`."""
    try:
        lines = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        lacking = [name for name in NEEDED if name not in (lines.fieldnames or ())]
        if lacking:
            raise DataError(
                f"{path} has no column {', '.join(lacking)}, those of DPG-Bench were expected ({', '.join(COLUMNS)})"
            )
        return tuple(_question(row, f"{path}:{lines.line_num}") for row in lines)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no CSV file in UTF-8 ({error}); pass the benchmark's") from error


def _question(row: dict[str, str | None], where: str) -> Question:
    told = {name: (row.get(name) or "").strip() for name in NEEDED}
    if empty := [name for name in NEEDED if not told[name]]:
        raise DataError(f"{where} has nothing in {', '.join(empty)}, something was expected; correct the row")
    if not _ITEM.fullmatch(told["item_id"]) or told["item_id"] in (".", ".."):
        raise DataError(f"{where} has the item_id {told['item_id']!r}, a name of a file was expected; correct the row")
    try:
        number, parents = int(told["proposition_id"]), [int(one) for one in told["dependency"].split(",")]
    except ValueError as error:
        raise DataError(
            f"{where} has the proposition_id {told['proposition_id'][:40]!r} and the dependency "
            f"{told['dependency'][:40]!r}, a number and numbers between commas were expected; correct the row"
        ) from error
    return Question(
        item=told["item_id"], text=told["text"], id=number, parents=tuple(one for one in parents if one != 0),
        detailed=told["tuple"].partition("(")[0].strip(), question=told["question_natural_language"],
    )  # fmt: skip


def items(rows: Iterable[Question]) -> tuple[Item, ...]:
    """Rows by prompt, in the order in which prompts first come."""
    found: dict[str, list[Question]] = {}
    for row in rows:
        found.setdefault(row.item, []).append(row)
    return tuple(Item(name=name, text=mine[0].text, questions=tuple(mine)) for name, mine in found.items())


def checked(found: Sequence[Item]) -> tuple[Item, ...]:
    """The same. DataError for a question twice, a parent that is not there, or questions that wait for each other."""
    if not found:
        raise DataError("the table has no question, a row for each was expected; pass the benchmark's CSV file")
    for item in found:
        ids = [one.id for one in item.questions]
        if twice := [number for number in ids if ids.count(number) > 1]:
            raise DataError(f"{item.name} has question {twice[0]} twice, each once was expected; remove one")
        for one in item.questions:
            if lost := [parent for parent in one.parents if parent not in ids]:
                raise DataError(
                    f"question {one.id} of {item.name} depends on {lost[0]}, which is not there; correct the row"
                )
        try:
            assert len(item.order) == len(ids)
        except CycleError as error:
            raise DataError(f"questions of {item.name} depend on each other in a circle; correct the rows") from error
    return tuple(found)


def digest(rows: Iterable[Question]) -> str:
    """SHA-256 of the questions."""
    total = hashlib.sha256()
    for row in rows:
        total.update(repr((row.item, row.text, row.id, row.parents, row.detailed, row.question)).encode())
    return total.hexdigest()
