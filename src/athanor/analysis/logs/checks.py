"""What the rules refuse in logged play, and how much may be left out before the logs are not believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from athanor.analysis.logs.records import Exclusion, Logs
from athanor.analysis.logs.rows import EXAMPLES, merged
from athanor.core.errors import DataError, UsageError
from athanor.environments.alchemy.rules import Rules
from athanor.values.arrays import Bools, Ints, TableArrays
from athanor.values.games import CAUSES as REFUSALS
from athanor.values.games import Games

ALLOWED = 0.01
"""Share of turns that may be left out, if nobody says otherwise."""

CAUSES = {
    "missing": "its player, trial or a name is not there, or is no number where one belongs",
    "unreadable": "no pair could be read from the model's answer, or from the record of the turn",
    "error": "its episode ended in an error, or has not ended",
    "duplicate": "its player has an earlier row with the same trial",
    "gap": "the numbering of trials says that it was played, and no row has it",
    "unknown": "it names something that is no element of the table",
    "unowned": "it names an element that the replay says was not owned",
    "final": "it names an element that is in no recipe, which the rules do not combine",
    "illegal player": "its player combined, at some turn, what the rules refuse",
}
"""Why a turn is left out."""


def checked(
    logs: Logs, world: TableArrays, rules: Rules, *, allow: float = ALLOWED, illegal: Literal["turn", "player"] = "turn"
) -> Logs:
    """The logs with what the rules refuse counted among the excluded.

    `illegal`: leave out a refused turn alone, or all of a player who has one (Brändle et al. 2023; then the player
    is no part of the logs). DataError if more than the share `allow` of all turns is left out, gaps included, or of the
    turns that count more than that share succeeded or failed, as the source has it, against the table.
    """
    if not 0 <= allow <= 1:
        raise UsageError(f"a share of {allow} may be excluded, 0 to 1 was expected; pass for example 0.05")
    if illegal not in ("turn", "player"):
        raise UsageError(f"illegal {illegal!r} is not one of turn, player; pass one of them")
    kept = tuple(one for one in logs.excluded if one.cause not in REFUSALS)  # of other rules, if checked before
    logs, games = replace(logs, excluded=kept), logs.games(world, rules)
    whole = logs.turns.num_rows + sum(one.count for one in logs.excluded)
    if illegal == "turn":
        left = replace(logs, excluded=merged([*logs.excluded, *_refused(logs, games)]))
    else:
        left = _legal(logs, games)
    notes = _odd(logs, games, allow, left.excluded, whole)
    if too_many := _too_many(left.excluded, whole, allow):
        raise DataError(f"{left.source}: {too_many}\n{_advice(left.excluded, whole, world)}")
    return replace(left, notes=logs.notes + notes + _granted(logs, games))


def _refused(logs: Logs, games: Games) -> list[Exclusion]:
    """The turns that the rules refuse, by cause."""
    found = []
    for number, cause in enumerate(REFUSALS[1:], 1):
        which = np.flatnonzero(games.refused == number)
        if len(which):
            found.append(Exclusion(cause=cause, count=len(which), examples=_examples(logs, which[:EXAMPLES].tolist())))
    return found


def _examples(logs: Logs, turns: Sequence[int]) -> tuple[str, ...]:
    ids, rows = logs.players["id"], logs.turns.take(list(turns)).to_pylist()
    return tuple(
        f"player {ids[row['player']]}, trial {row['trial']}: {row['first_name']!r} + {row['second_name']!r}"
        for row in rows
    )


def _legal(logs: Logs, games: Games) -> Logs:
    """The logs without the players who have a refused turn."""
    player = games.choices.player
    illegal = np.bincount(player[games.refused > 0], minlength=games.choices.players) > 0
    left_out = np.flatnonzero(illegal[player])
    if not len(left_out):
        return logs
    first = np.flatnonzero((games.refused > 0) & _first_refused(player, games.refused > 0))
    why = Exclusion(cause="illegal player", count=len(left_out), examples=_examples(logs, first[:EXAMPLES].tolist()))
    keep = pa.array(~illegal[player])
    renumbered = pa.array((np.cumsum(~illegal) - 1).astype(np.int32))
    turns, players = logs.turns.filter(keep), logs.players.filter(pa.array(~illegal))
    turns = turns.set_column(0, turns.schema.field(0), pc.take(renumbered, turns["player"]))
    players = players.set_column(0, players.schema.field(0), pa.array(np.arange(players.num_rows, dtype=np.int32)))
    return replace(logs, turns=turns, players=players, excluded=merged([*logs.excluded, why]))


def _first_refused(player: Ints, refused: Bools) -> Bools:
    """Whether a turn is the first refused one of its player."""
    first = np.zeros(len(player), dtype=bool)
    _, where = np.unique(player[refused], return_index=True)
    first[np.flatnonzero(refused)[where]] = True
    return first


def _granted(logs: Logs, games: Games) -> tuple[str, ...]:
    """What was taken as owned for turns are lacking in which it may have been made."""
    granted, owned, starts = games.choices.granted, games.owned, games.choices.starts
    before = np.concatenate([[0], games.owned_after[:-1]])
    there = np.diff(starts) > 0
    before[starts[:-1][there]] = len(games.world.base)
    which = np.flatnonzero(granted & (owned > before) & games.rules.ownership)
    if not len(which):
        return ()
    examples = "; ".join(_examples(logs, which[:EXAMPLES].tolist()))
    return (
        f"{int((owned - before)[which].sum())} elements are taken as owned from when they are first combined: earlier "
        f"trials of their players are lacking ({examples})",
    )


def _odd(logs: Logs, games: Games, allow: float, excluded: Sequence[Exclusion], turns: int) -> tuple[str, ...]:
    """What does not fit the table and yet leaves no turn out. DataError for more than the share `allow` of it: these
    games were played on another table, or by rules under which other pairs succeed. `excluded`: what is left out of all
    `turns`; more than may be has to be allowed as well, and is told in the same error."""
    told = ~logs.turns["success"].is_null().to_numpy()
    said = logs.turns["success"].fill_null(False).to_numpy()
    judged = told & (games.refused == 0)
    wrong, whole = np.flatnonzero(judged & (said != games.success)), int(judged.sum())
    notes = []
    if len(wrong):
        places = "; ".join(
            f"{place} is a {'success' if said[row] else 'failure'} in the source"
            for row, place in zip(wrong.tolist(), _examples(logs, wrong[:EXAMPLES].tolist()), strict=False)
        )
        what = f"in {len(wrong)} of {whole} turns ({len(wrong) / whole:.1%}) the source's success is not what table "
        what += f"{games.world.table.name} says under {games.rules.name} rules"
        if len(wrong) > allow * whole:
            besides = _too_many(excluded, turns, allow)
            needed = _needed(max(len(wrong) / whole, _share(excluded, turns)))
            raise DataError(
                f"{logs.source}: {what}, in at most {allow:.1%} it may be: {places}\n"
                + (f"besides, {besides}\n" if besides else "")
                + "pass the table and the rules that they were played by with --table and --rules, or "
                f"--allow-excluded {needed} to go on as if the table were right"
            )
        notes.append(f"{what} ({places})")
    if logs.form == "brandle2023" and not games.repeated.any():
        notes.append("no player repeats a pair: this is the `memory` form of the data, or only first tries")
    return tuple(notes)


def _too_many(excluded: Sequence[Exclusion], whole: int, allow: float) -> str:
    """How many of all turns are left out and why, cause by cause; nothing where no more are than may be."""
    if _share(excluded, whole) <= allow:
        return ""
    count = sum(one.count for one in excluded)
    head = f"{count} of {whole} turns ({count / whole:.1%}) would be excluded, at most {allow:.1%} may be:"
    return "\n".join([head, *(f"  {_told(one)}" for one in excluded)])


def _advice(excluded: Sequence[Exclusion], whole: int, world: TableArrays) -> str:
    """What to do about too many turns left out: to allow them is no help where most name what the table has not."""
    unknown = sum(one.count for one in excluded if one.cause == "unknown")
    if unknown > whole / 2:
        return (
            f"most turns name what table {world.table.name} does not have, so they were played on another table; pass "
            "that one with --table, or to a study a --setting whose first world has it"
        )
    return f"check the table and the rules, or pass --allow-excluded {_needed(_share(excluded, whole))}"


def _share(excluded: Sequence[Exclusion], whole: int) -> float:
    """The share of all turns that is left out."""
    return sum(one.count for one in excluded) / max(1, whole)


def _needed(share: float) -> str:
    """The share to be allowed so that this one passes.

    >>> _needed(0.0141)
    '0.015'
    """
    return f"{math.ceil(1000 * share) / 1000:g}"


def left_out(logs: Logs) -> list[str]:
    """What is left out of logs, cause by cause, with its number and examples."""
    return [_told(one) for one in logs.excluded]


def _told(one: Exclusion) -> str:
    return f"{one.count} {one.cause} ({CAUSES[one.cause]}): {'; '.join(one.examples)}"
