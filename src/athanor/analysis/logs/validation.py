"""The validation experiment (Brändle et al. 2023): people who combined 20 pairs in Tiny Alchemy and then rated.

The table of Tiny Alchemy is not in the data. Names are looked up in the table that is passed, and what that table
does not have is counted.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from athanor.analysis.logs.json_file import decoded, top_level
from athanor.analysis.logs.rows import Rows, Words, players_table, shortened
from athanor.core.errors import DataError

RATINGS = pa.schema([
    ("player", pa.int32()),
    ("id", pa.string()),
    ("item", pa.int32()),
    ("combination", pa.int32()),
    ("first", pa.string()),
    ("second", pa.string()),
    ("link", pa.int32()),
    ("options", pa.list_(pa.string())),
    ("answer", pa.string()),
    ("element", pa.string()),
    ("empowerment", pa.int32()),
    ("played", pa.bool_()),
])  # fmt: skip
"""Columns of the ratings, a row an item. `link`: the rating of the pair `first` + `second`, 1 to 7; `answer`: the
result chosen among `options`; `empowerment`: the rating of `element`, 1 to 7, a question apart from the pair's.
`combination`: the experiment's number of the pair; `played`: whether the person had played the game before."""


class _Person(msgspec.Struct):
    """The answers of one person, under the experiment's names."""

    collect: list[msgspec.Raw]
    currentcombinationstring: list[tuple[str, str]] = []
    elementanswers: list[str] = []
    elementoptionsshuffeld: list[list[str]] = []
    linkanswers: list[str] = []
    empowermentanswers: list[str] = []
    randomempelement: list[str] = []
    randomcombinations: list[int] = []
    playedLA: list[int] = []


_combination = msgspec.json.Decoder(tuple[str, str, str])


def read_validation(path: Path) -> Rows:
    """The combinations that people tried; a result `none` is a failure. One that cannot be read is counted with the
    reason; DataError names a person who is none."""
    people = _people(path)
    tried = [(number, t, *_turn(raw)) for number, (_, one) in enumerate(people) for t, raw in enumerate(one.collect)]
    return Rows(
        source=str(path),
        form="validation",
        players=players_table([{"id": shortened(key), "group": "human"} for key, _ in people]),
        player=np.array([turn[0] for turn in tried], dtype=np.int32),
        trial=np.array([turn[1] for turn in tried], dtype=np.int64),
        first=Words.of(turn[2] for turn in tried),
        second=Words.of(turn[3] for turn in tried),
        success=Words.of(None if turn[4] is None else str(turn[4] != "none") for turn in tried),
        gained=Words.of(turn[4] for turn in tried),
        begin=0,
        unreadable={row: turn[5] for row, turn in enumerate(tried) if turn[5]},
    )


def _turn(raw: msgspec.Raw) -> tuple[str | None, str | None, str | None, str]:
    """The two names and the result, or why they cannot be read."""
    try:
        return *_combination.decode(raw), ""
    except (msgspec.MsgspecError, UnicodeError) as error:
        return None, None, None, str(error)


def read_ratings(path: Path) -> pa.Table:
    """The ratings, schema RATINGS. DataError if a person has not as many answers as questions."""
    rows = []
    for number, (key, person) in enumerate(_people(path)):
        asked = (
            person.randomcombinations, person.currentcombinationstring, person.linkanswers,
            person.elementoptionsshuffeld, person.elementanswers, person.randomempelement, person.empowermentanswers,
        )  # fmt: skip
        if len({len(column) for column in asked}) > 1:
            raise DataError(
                f"{path}, person {shortened(key)} has {', '.join(str(len(column)) for column in asked)} answers to "
                "seven questions, as many to each were expected; copy the file again"
            )
        for item, (combination, pair, link, options, answer, element, worth) in enumerate(zip(*asked, strict=True)):
            rows.append((
                number, key, item, _small(combination), *pair, _rating(link), options, answer, element,
                _rating(worth), person.playedLA[0] == 1 if person.playedLA else None,
            ))  # fmt: skip
    return pa.Table.from_pylist([dict(zip(RATINGS.names, row, strict=True)) for row in rows], schema=RATINGS)


def _people(path: Path) -> list[tuple[str, _Person]]:
    decoder = msgspec.json.Decoder(_Person)
    return [(key, decoded(decoder, raw, f"{path}, person {shortened(key)}")) for key, raw in top_level(path).items()]


def _small(number: int) -> int | None:
    return number if 0 <= number < 2**31 else None


def _rating(text: str) -> int | None:
    """A rating from 1 to 7, None for anything else."""
    return int(text) if text in ("1", "2", "3", "4", "5", "6", "7") else None
