"""Tables of turns in CSV or Parquet files, with a mapping of columns; the published logs of people are one such.

Every column is read as codes of its distinct texts, block by block: a file of any size needs four bytes a row and
column, and what is distinct in it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from athanor.analysis.logs.rows import Rows, Words, players_table, shortened, whole
from athanor.core.errors import DataError, UsageError
from athanor.values.arrays import Ints, Longs, TableArrays

PER_PLAYER = ("group", "model", "condition", "temperature", "seed")
COLUMNS = ("player", "trial", "first", "second", "success", "gained", *PER_PLAYER)
"""What a column can be mapped to. Only `first` and `second` are needed."""

BRANDLE2023 = {
    "player": "id", "trial": "trial", "first": "first", "second": "second", "success": "success", "gained": "results",
}  # fmt: skip
"""The columns of the published logs of people (Brändle et al. 2023), raw and `memory`; elements by index."""

MISSING = ["", "NaN", "nan", "NA", "NULL", "null"]
BLOCK = 1 << 24
"""Bytes of a CSV file that are read at once: 16 MiB."""
_UNREADABLE = (OSError, UnicodeDecodeError, pa.ArrowException)


def columns_of(text: str) -> dict[str, str]:
    """A mapping from the command line, `player=subject,first=a`: what the column is, and what the file calls it."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, column = part.partition("=")
        if not equals or name.strip() not in COLUMNS or not column:
            raise UsageError(
                f"--columns has {part!r}, NAME=COLUMN was expected with a NAME of {', '.join(COLUMNS)}; "
                "pass for example player=subject,first=a,second=b"
            )
        found[name.strip()] = column
    return found


def header_of(path: Path) -> tuple[list[str], dict[bytes, bytes]]:
    """The names of a file's columns, and a Parquet file's metadata. DataError if it cannot be read as a table."""
    try:
        if is_parquet(path):
            schema = pq.read_schema(path)
        else:
            read = csv.ReadOptions(block_size=1 << 20)
            with csv.open_csv(path, read_options=read, parse_options=_parsing(path, [])) as reader:
                schema = reader.schema
        return schema.names, schema.metadata or {}
    except _UNREADABLE as error:
        raise _not_a_table(path, error) from error


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet files do."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); pass a file of logs") from error


def read_table(path: Path, world: TableArrays, columns: Mapping[str, str], form: str = "table") -> Rows:
    """A table of turns. Columns not in `columns` are looked for under their own name.

    Without a player column all rows are one player's; without a trial column a player's rows are numbered in their
    order. Elements are named by index if none of the names is an element of the table. A row with more or fewer fields
    than the table has columns is `unreadable`. UsageError if a column that is mapped or needed is not there.
    """
    there, _ = header_of(path)
    columns = {name: name for name in COLUMNS if name in there} | dict(columns)
    _refuse_absent(path, columns, there)
    read, torn = _read(path, columns, there)
    rows = len(read["first"].codes)
    nothing = Words(np.full(rows, -1, dtype=np.int32), ())
    player = read.get("player", Words(np.zeros(rows, dtype=np.int32), ("1",)))
    names = {*read["first"].words, *read["second"].words}
    return Rows(
        source=str(path),
        form=form,
        players=_players(read, player, "human" if form == "brandle2023" else "all"),
        player=player.codes,
        trial=_trials(read.get("trial"), player.codes),
        first=read["first"],
        second=read["second"],
        success=read.get("success", nothing),
        gained=read.get("gained", nothing),
        numbered=names.isdisjoint(world.table.index),
        row="row",
        unreadable=torn,
    )


def _refuse_absent(path: Path, columns: Mapping[str, str], there: list[str]) -> None:
    wanted = {name: columns.get(name, name) for name in ("first", "second", *columns)}
    absent = {name: column for name, column in wanted.items() if column not in there}
    if absent:
        raise UsageError(
            f"{path} has no column {', '.join(f'{column!r} for {name}' for name, column in absent.items())}, only "
            f"{', '.join(map(shortened, there[:30]))}; say which with --columns "
            + ",".join(f"{name}=COLUMN" for name in absent)
        )


def _read(path: Path, columns: Mapping[str, str], there: list[str]) -> tuple[dict[str, Words], dict[int, str]]:
    """The columns by what they are, and the rows that are none, with the reason.

    Of these only the player and the trial are taken, where their places have some, so that the row is no gap.
    """
    known: dict[str, dict[str, int]] = {name: {} for name in columns}
    codes: dict[str, list[Ints]] = {name: [] for name in columns}
    torn: list[csv.InvalidRow] = []
    try:
        for batch in _parquet(path, columns) if is_parquet(path) else _csv(path, columns, torn):
            for name, column in columns.items():
                codes[name].append(_coded(batch.column(column), known[name]))
    except _UNREADABLE as error:
        raise _not_a_table(path, error) from error
    rows = [row.number - 2 for row in torn]  # counted from 1, and the first has the names of the columns
    places = np.array([row - k for k, row in enumerate(rows)], dtype=np.int64)
    empty, words = np.zeros(0, dtype=np.int32), {}
    for name in columns:
        said = [_said(row, name, there.index(columns[name]), known[name]) for row in torn]
        whole_rows = np.concatenate([empty, *codes[name]])
        found = np.insert(whole_rows, np.minimum(places, len(whole_rows)), np.array(said, dtype=np.int32))
        words[name] = Words(found, tuple(known[name]))
    return words, {row: _torn(one) for row, one in zip(rows, torn, strict=True)}


def _said(row: csv.InvalidRow, name: str, place: int, known: dict[str, int]) -> int:
    """The code of the trial that a row which is none names, or of the player if other rows name it, too; else -1."""
    fields = row.text.split(",")
    if name not in ("player", "trial") or place >= len(fields):
        return -1
    if name == "trial" and whole(fields[place]) >= 0:
        return known.setdefault(fields[place], len(known))
    return known.get(fields[place], -1)


def _torn(row: csv.InvalidRow) -> str:
    return f"it has {row.actual_columns} fields, {row.expected_columns} were expected: {shortened(row.text)!r}"


def _coded(column: pa.DictionaryArray, known: dict[str, int]) -> Ints:
    """The column's texts as codes that go on from block to block; -1 where missing."""
    texts = column.dictionary.to_pylist()
    code = np.array([-1 if t is None else known.setdefault(t, len(known)) for t in texts] + [-1], dtype=np.int32)
    return code[column.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)]


def _csv(path: Path, columns: Mapping[str, str], torn: list[csv.InvalidRow]) -> Iterator[pa.RecordBatch]:
    """The blocks of a file; rows with another number of fields are put into `torn` instead."""
    wanted = list(dict.fromkeys(columns.values()))
    text = pa.dictionary(pa.int32(), pa.string())
    options = csv.ConvertOptions(
        include_columns=wanted, column_types=dict.fromkeys(wanted, text), null_values=MISSING,
        strings_can_be_null=True,
    )  # fmt: skip
    block = csv.ReadOptions(block_size=BLOCK, use_threads=False)  # threads would lose the number of a faulty row
    parsing = _parsing(path, torn)
    with csv.open_csv(path, read_options=block, parse_options=parsing, convert_options=options) as reader:
        yield from reader


def _parsing(path: Path, torn: list[csv.InvalidRow]) -> csv.ParseOptions:
    """Rows with another number of fields are put into `torn`; where the file is no text they are an error."""

    def skip(row: csv.InvalidRow) -> str:
        torn.append(row)
        return "skip"

    return csv.ParseOptions(invalid_row_handler=skip if _is_text(path) else None)


def _is_text(path: Path) -> bool:
    """Whether a file is UTF-8 throughout: pyarrow cannot hand on a row that is not."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _parquet(path: Path, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    wanted = list(dict.fromkeys(columns.values()))
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1 << 20, columns=wanted):
            arrays = [batch.column(name).cast(pa.string()).dictionary_encode() for name in wanted]
            yield pa.RecordBatch.from_arrays(arrays, names=wanted)


def _trials(trial: Words | None, player: Ints) -> Longs:
    """The trials as numbers, -1 where missing or none; counted from 0 where there is no such column."""
    if trial is not None:
        return trial.through([whole(word) for word in trial.words]).astype(np.int64)
    order = np.argsort(player, kind="stable")
    sorted_ = player[order]
    found = np.empty(len(player), dtype=np.int64)
    found[order] = np.arange(len(player)) - np.searchsorted(sorted_, sorted_)
    return found


def _not_a_table(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read as a table ({error}); pass a whole CSV or Parquet file")


def _players(read: Mapping[str, Words], player: Words, group: str) -> pa.Table:
    """The players in order of appearance; what describes a player is read in its first row."""
    codes, rows = np.unique(player.codes, return_index=True)
    first = dict(zip(codes.tolist(), rows.tolist(), strict=True))

    def said(name: str) -> list[str | None]:
        if name not in read:
            return [None] * len(player.words)
        words = read[name]
        found = [words.codes[first[number]] if number in first else -1 for number in range(len(player.words))]
        return [shortened(words.words[code]) if code >= 0 else None for code in found]

    described = zip(*map(said, PER_PLAYER), strict=True)
    found: list[dict[str, Any]] = [
        {
            "id": shortened(word), "group": arm or model or group, "model": model, "condition": condition,
            "temperature": _temperature(heat), "seed": None if seed is None or whole(seed) < 0 else whole(seed),
        }
        for word, (arm, model, condition, heat, seed) in zip(player.words, described, strict=True)
    ]  # fmt: skip
    return players_table(found)


def _temperature(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
