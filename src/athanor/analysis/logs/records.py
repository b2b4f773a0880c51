"""The turn table of logged play: who combined what, in order, and what was left out and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.core.disk import write_atomically
from athanor.core.errors import DataError
from athanor.core.records import Record
from athanor.environments.alchemy.rules import Rules
from athanor.values.arrays import Ints, TableArrays
from athanor.values.games import Choices, Games, replay

SCHEMA = 2
FRUITLESS = ("run", "pan2025")
"""Forms in which a turn that is lacking was an answer without a pair, so that nothing came of it. In others something
may have: elements that later turns of its player name are then taken as owned, for the game let them be combined."""
HEADER = b"athanor.logs"
"""Key of the file's metadata under which all but the turns is kept."""

NAME = pa.dictionary(pa.int32(), pa.string())

TURNS = pa.schema([
    ("player", pa.int32()),
    ("trial", pa.int32()),
    ("first", pa.int32()),
    ("second", pa.int32()),
    ("first_name", NAME),
    ("second_name", NAME),
    ("success", pa.bool_()),
    ("gained", pa.list_(pa.string())),
])  # fmt: skip
"""Columns of the turns, in order of player and trial. `player` is a row of the players, `trial` the source's own
number. `first` and `second` are indices of elements of the table, -1 for a name that is none; `first_name` and
`second_name` say what the source named. `success` is the source's own flag and `gained` the results it names (empty
for a failure); null where the source does not say."""

PLAYERS = pa.schema([
    ("player", pa.int32()),
    ("id", pa.string()),
    ("group", pa.string()),
    ("model", pa.string()),
    ("condition", pa.string()),
    ("temperature", pa.float64()),
    ("seed", pa.int64()),
    ("played", pa.int64()),
    ("cut_off", pa.bool_()),
])  # fmt: skip
"""Columns of the players. `group` is the arm that they are compared by; what a source does not say is null. `played`:
turns played, those included that are no part of the turns. `cut_off`: the game did not end because its player stopped.
The two are never null; `rows.settle` makes them."""


class Exclusion(Record, kw_only=True):
    """Turns left out for one cause (one of `checks.CAUSES`), with the first few as text."""

    cause: str
    count: int
    examples: tuple[str, ...] = ()


class _Header(Record, kw_only=True):
    schema: int
    source: str
    form: str
    table: str
    players: list[dict[str, Any]]
    begin: int
    excluded: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Logs:
    """Logged play of any source, on one table. Row t of `turns` is turn t of `choices()` and of `games(...)`.

    `turns` has every turn in which two names were given. Those that the rules refuse (unknown, unowned, final) are
    among them, for what is refused depends on the rules: `games(world, rules).counted()` leaves them out.
    """

    source: str
    form: str
    """How the source was read, one of `read.FORMS`."""
    table: str
    """Digest of the table that the indices belong to."""
    turns: pa.Table
    players: pa.Table
    begin: int = 0
    """The source's number of a first trial."""
    excluded: tuple[Exclusion, ...] = ()
    """What is no part of `turns`, and after `checks.checked` what the rules refuse."""
    notes: tuple[str, ...] = ()
    """What was mended or looks odd and leaves nothing out, in words."""

    def choices(self) -> Choices:
        """The pairs combined, one player after the other, in the order of `players`, and how their games ended."""
        player, ends = self._column("player"), self.players
        starts = np.searchsorted(player, np.arange(ends.num_rows + 1)).astype(np.int64)
        made = Choices(
            starts, self._column("first"), self._column("second"), self._column("trial") - self.begin,
            ends["played"].to_numpy(), ends["cut_off"].to_numpy(),
        )  # fmt: skip
        return made if self.form in FRUITLESS else replace(made, granted=made.turn > made.position())

    def games(self, world: TableArrays, rules: Rules) -> Games:
        """All turns replayed under the rules. DataError if the world has another table than the logs."""
        if world.table.digest != self.table:
            passed = f"{world.table.name}@{world.table.digest[:12]}"
            raise DataError(
                f"{self.source} was read with the table {self.table[:12]}, {passed} was passed; "
                "read it again with that table"
            )
        return replay(world, rules, self.choices())

    def write_parquet(self, path: Path) -> None:
        """Write everything to one Parquet file, whole or not at all: the turns as its rows, the rest in its header."""
        header = _Header(
            schema=SCHEMA, source=self.source, form=self.form, table=self.table, players=self.players.to_pylist(),
            begin=self.begin, excluded=self.excluded, notes=self.notes,
        )  # fmt: skip
        buffer = pa.BufferOutputStream()
        kept = {**(self.turns.schema.metadata or {}), HEADER: msgspec.json.encode(header)}
        pq.write_table(self.turns.replace_schema_metadata(kept), buffer, compression="zstd")
        write_atomically(path, buffer.getvalue().to_pybytes())

    @staticmethod
    def read_parquet(path: Path) -> Logs:
        """What `write_parquet` wrote. DataError if it is another version's, changed, or not whole."""
        try:
            turns = pq.read_table(path)
            turns.validate(full=True)
            header = msgspec.json.decode((turns.schema.metadata or {}).get(HEADER, b""), type=_Header)
            players = pa.Table.from_pylist(header.players, schema=PLAYERS)
        except (OSError, ValueError, OverflowError, pa.ArrowException, msgspec.MsgspecError) as error:
            raise DataError(f"{path} is not a file of logs of this program ({error}); read the logs again") from error
        if header.schema != SCHEMA:
            raise DataError(
                f"{path} has schema {header.schema}, this program reads schema {SCHEMA}; read the logs again from "
                f"{header.source}"
            )
        turns = turns.replace_schema_metadata(None)
        if not turns.schema.equals(TURNS) or _out_of_order(turns, players.num_rows):
            raise DataError(f"{path} has other columns than it was written with, or they changed; read the logs again")
        return Logs(
            source=header.source, form=header.form, table=header.table, turns=turns, players=players,
            begin=header.begin, excluded=header.excluded, notes=header.notes,
        )  # fmt: skip

    def _column(self, name: str) -> Ints:
        return self.turns[name].to_numpy()


def _out_of_order(turns: pa.Table, players: int) -> bool:
    """Whether a turn is of no player, or the turns are not one player after the other."""
    if any(turns[name].null_count for name in ("player", "trial", "first", "second")):
        return True
    player = turns["player"].to_numpy()
    return len(player) > 0 and bool(player[0] < 0 or player[-1] >= players or (np.diff(player) < 0).any())
