"""Rows as a reader found them, and how they become a turn table: sorted, without duplicates, names as indices."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from athanor.analysis.logs.records import PLAYERS, TURNS, Exclusion, Logs
from athanor.core.errors import DataError
from athanor.values.arrays import Ints, Longs, TableArrays

EXAMPLES = 3
LONGEST = 200
"""Characters of a name that are kept; no element has a longer one."""
LATEST = 2**31 - 1
"""The greatest number that a trial can have."""

_NUMBER = re.compile(r"[+-]?\d{1,10}(\.0*)?", re.ASCII)
_FLAGS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_NOTHING = ("", "-1", "-1.0", "[]", "none")
"""How sources write that a turn had no result."""


@dataclass(frozen=True)
class Words:
    """A column of texts, each distinct one once: row t is `words[codes[t]]`, missing where the code is -1."""

    codes: Ints
    words: tuple[str, ...]

    @staticmethod
    def of(texts: Iterable[str | None]) -> Words:
        """The texts in order."""
        made = Coded()
        for text in texts:
            made.add(text)
        return made.words()

    def take(self, rows: Longs) -> Words:
        """Only these rows."""
        return Words(self.codes[rows], self.words)

    def through(self, values: Sequence[int]) -> Ints:
        """Int["rows"]: a value for each distinct text, row by row; -1 where missing."""
        return np.array([*values, -1], dtype=np.int32)[self.codes]

    def arrow(self, values: Sequence[object], type: pa.DataType) -> pa.Array:
        """A value for each distinct text, row by row, as an arrow array; null where missing."""
        return pa.array(list(values), type).take(pa.array(self.codes, mask=self.codes < 0))

    def at(self, row: int) -> str:
        return "nothing" if self.codes[row] < 0 else repr(shortened(self.words[self.codes[row]]))


class Coded:
    """A column of texts in the making: no more is kept of each than its code, and of all the distinct ones."""

    def __init__(self) -> None:
        self._codes, self._known = array("i"), dict[str, int]()

    def add(self, text: str | None) -> None:
        self._codes.append(-1 if text is None else self._known.setdefault(text, len(self._known)))

    def words(self) -> Words:
        """The column so far."""
        return Words(np.array(self._codes, dtype=np.int32), tuple(self._known))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a reader found, in the source's order."""

    source: str
    form: str
    players: pa.Table
    """Schema PLAYERS."""
    player: Ints
    """Int["rows"]: a row of `players`, -1 where missing."""
    trial: Longs
    """Int["rows"]: the source's own number, -1 where missing."""
    first: Words
    second: Words
    success: Words
    gained: Words
    numbered: bool = False
    """Whether elements are named by their index."""
    nameless: str = "missing"
    """The cause that leaves out a row without a name."""
    planned: Mapping[int, int] = field(default_factory=dict)
    """How many turns a player was to play, where the source says so: then the source ends its games."""
    stopped: frozenset[int] | None = None
    """The players who ended their games themselves; None where the source does not say who did."""
    begin: int | None = None
    """The number of the first trial; the smallest one found where the source does not say."""
    row: str = ""
    """What the source calls a row ("row"), if rows of it can be counted."""
    unreadable: Mapping[int, str] = field(default_factory=dict)
    """Rows in which no two names could be read, and why; each is there without a name, so that it is no gap."""
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()

    def take(self, rows: Longs) -> tuple[Ints, Longs, Words, Words]:
        """Player, trial and the two names of these rows."""
        return self.player[rows], self.trial[rows], self.first.take(rows), self.second.take(rows)

    def place(self, row: int) -> str:
        """Where a row is, for people."""
        player, trial = int(self.player[row]), int(self.trial[row])
        who = "unknown" if player < 0 else self.players["id"][player].as_py()
        number = f"{self.row} {row + 1}, " if self.row else ""
        return f"{number}player {who}, trial {'unknown' if trial < 0 else trial}"

    def told(self, row: int) -> str:
        """Where a row is, and what it says or why it says nothing."""
        return f"{self.place(row)}: {self.unreadable.get(row) or f'{self.first.at(row)} + {self.second.at(row)}'}"


def players_table(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Players in order; each row has at least `id` and `group`."""
    numbered = [{"player": number, **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(numbered, schema=PLAYERS)


def whole(text: str) -> int:
    """The whole number that a text says (`3`, `3.0`), -1 if it says none that a table or a game can have."""
    number = int(text.partition(".")[0]) if _NUMBER.fullmatch(text.strip()) else -1
    return number if 0 <= number <= LATEST else -1


def shortened(name: str) -> str:
    """A name cut to what is worth keeping."""
    return name if len(name) <= LONGEST else name[:LONGEST] + "…"


def settle(rows: Rows, world: TableArrays) -> Logs:
    """The rows as a turn table. What is left out: rows without a name, a player or a trial (`missing`), those of which
    the source could make nothing (`unreadable`), later rows of a trial that was there before (`duplicate`), and the
    numbers between that no row has (`gap`).

    DataError if nothing is left, but for a run: its answers may all have been unreadable.
    """
    nameless = (rows.first.codes < 0) | (rows.second.codes < 0)
    placed = (rows.player >= 0) & (rows.trial >= 0)
    order, late = _in_order(rows, np.flatnonzero(placed))
    key = rows.player[order].astype(np.int64) << 32 | rows.trial[order]
    again = np.concatenate([[False], key[1:] == key[:-1]]) if len(key) else np.zeros(0, dtype=bool)
    kept = order[~again & ~nameless[order]]
    damaged = np.isin(np.arange(len(nameless)), list(rows.unreadable))
    missing, unnamed = np.flatnonzero(~placed), np.sort(order[~again & nameless[order]])
    excluded = [
        *rows.excluded,
        *_exclusion(rows, "missing", missing),
        *_exclusion(rows, rows.nameless, unnamed[~damaged[unnamed]]),
        *_exclusion(rows, "unreadable", unnamed[damaged[unnamed]]),
        *_exclusion(rows, "duplicate", order[again]),
    ]
    if not len(kept) and rows.form != "run":  # a model of which no answer could be read is a run all the same
        said = "".join(f"\n  {one.count} {one.cause}: {'; '.join(one.examples)}" for one in merged(excluded))
        raise DataError(
            f"{rows.source} has no turn with two names, a log of play was expected; pass another file or say its form"
            + said
        )
    begin, due = _due(rows, order[~again])
    excluded += _gaps(rows, order[~again], begin, due)
    notes = list(rows.notes)
    if len(late):
        places = "; ".join(rows.place(int(row)) for row in late[:EXAMPLES])
        notes.append(f"{len(late)} rows came after a later trial of their player and were put in order ({places})")
    return Logs(
        source=rows.source, form=rows.form, table=world.table.digest, turns=_turns(rows, kept, world),
        players=_with_ends(rows, due), begin=begin, excluded=merged(excluded), notes=tuple(notes),
    )  # fmt: skip


def merged(excluded: Iterable[Exclusion]) -> tuple[Exclusion, ...]:
    """One exclusion a cause, in order of first appearance."""
    found: dict[str, Exclusion] = {}
    for one in excluded:
        before = found.get(one.cause, Exclusion(cause=one.cause, count=0))
        examples = (before.examples + one.examples)[:EXAMPLES]
        found[one.cause] = Exclusion(cause=one.cause, count=before.count + one.count, examples=examples)
    return tuple(found.values())


def _in_order(rows: Rows, placed: Longs) -> tuple[Longs, Longs]:
    """These rows in order of player and trial, equal ones in the source's order; and those that came too late."""
    order = placed[np.argsort(rows.player[placed], kind="stable")]
    player, trial = rows.player[order], rows.trial[order]
    late = np.flatnonzero((player[1:] == player[:-1]) & (trial[1:] < trial[:-1])) + 1
    if not len(late):
        return order, late
    return order[np.lexsort((trial, player))], np.sort(order[late])


def _exclusion(rows: Rows, cause: str, which: Longs) -> list[Exclusion]:
    if not len(which):
        return []
    return [Exclusion(cause=cause, count=len(which), examples=tuple(map(rows.told, which[:EXAMPLES].tolist())))]


def _due(rows: Rows, order: Longs) -> tuple[int, Longs]:
    """The number of a first trial, and Int["players"], how many turns each player played: numbers end at a player's
    last, or where it was planned to."""
    player, trial = rows.player[order], rows.trial[order]
    begin = rows.begin if rows.begin is not None else int(trial.min()) if len(trial) else 0
    starts = np.searchsorted(player, np.arange(rows.players.num_rows + 1))
    there = np.diff(starts) > 0
    due = np.zeros(rows.players.num_rows, dtype=np.int64)
    due[there] = trial[starts[1:][there] - 1] - begin + 1
    for number, planned in rows.planned.items():
        due[number] = max(due[number], planned)
    return begin, due


def _with_ends(rows: Rows, due: Longs) -> pa.Table:
    """The players with how long each played, and whether the game was cut off.

    Where the source does not say who stopped, those who were to play so many turns did not, and who played as many as
    anybody in the source may have wished to go on.
    """
    n = rows.players.num_rows
    if rows.stopped is None:
        planned = np.isin(np.arange(n), list(rows.planned))
        cut_off = planned | (due == due.max(initial=0))
    else:
        cut_off = ~np.isin(np.arange(n), list(rows.stopped))
    ends = {"played": pa.array(due), "cut_off": pa.array(cut_off)}
    whole = {name: ends[name] if name in ends else rows.players[name] for name in PLAYERS.names}
    return pa.table(whole, schema=PLAYERS)


def _gaps(rows: Rows, order: Longs, base: int, due: Longs) -> list[Exclusion]:
    """Trials that the numbering says were played and no row has."""
    player, trial = rows.player[order], rows.trial[order]
    starts = np.searchsorted(player, np.arange(rows.players.num_rows + 1))
    played = np.diff(starts)
    lacking = np.flatnonzero(due > played)
    examples = []
    for number in lacking[:EXAMPLES].tolist():
        mine = trial[starts[number] : starts[number + 1]] - base
        first = int(np.append(mine != np.arange(len(mine)), True).argmax())
        examples.append(f"player {rows.players['id'][number].as_py()} lacks trial {base + first}")
    count = int((due - played)[lacking].sum())
    return [Exclusion(cause="gap", count=count, examples=tuple(examples))] if count else []


def _turns(rows: Rows, kept: Longs, world: TableArrays) -> pa.Table:
    player, trial, first, second = rows.take(kept)
    columns: dict[str, pa.Array] = {"player": pa.array(player), "trial": pa.array(trial.astype(np.int32))}
    for name, words in (("first", first), ("second", second)):
        indices = _indices(words, world, rows.numbered)
        columns[name] = pa.array(words.through(indices))
        said = [world.table.elements[i] if i >= 0 else shortened(w) for i, w in zip(indices, words.words, strict=True)]
        columns[f"{name}_name"] = pa.DictionaryArray.from_arrays(pa.array(words.codes), pa.array(said, pa.string()))
    success, gained = rows.success.take(kept), rows.gained.take(kept)
    columns["success"] = success.arrow([_FLAGS.get(word.lower()) for word in success.words], pa.bool_())
    named = [_results(word, world, rows.numbered) for word in gained.words]
    columns["gained"] = gained.arrow(named, pa.list_(pa.string()))
    return pa.table([columns[name] for name in TURNS.names], schema=TURNS)


def _indices(words: Words, world: TableArrays, numbered: bool) -> list[int]:
    if not numbered:
        return world.indices(words.words).tolist()
    return [number if (number := whole(word)) < world.n else -1 for word in words.words]


def _results(text: str, world: TableArrays, numbered: bool) -> list[str]:
    """The results a source names: one name, or a list in brackets."""
    if text.strip().lower() in _NOTHING:
        return []
    found = [part.strip(" '\"") for part in text.strip(" []").split(",")]
    if not numbered:
        return [shortened(name) for name in found]
    numbers = [whole(name) for name in found]
    return [world.table.elements[i] if 0 <= i < world.n else shortened(w) for i, w in zip(numbers, found, strict=True)]
