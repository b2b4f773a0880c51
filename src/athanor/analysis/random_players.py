"""Random players, simulated to stand beside any group: its rules, as long games, and no preferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from athanor.analysis.regressions import Group
from athanor.values.arrays import Longs
from athanor.values.games import Games, simulate

PLAYERS = 200
"""Random players of each kind, at least."""
NEVER_REPEATS, MEMORYLESS = "random-never-repeat (simulated)", "random (simulated)"
ALIKE = 0.05
"""Games are as long as others where their mean and their greatest length differ by less than this share."""


def random_games(
    groups: Sequence[Group], seed: int, *, turns: Literal["counted", "played"] = "counted"
) -> tuple[tuple[str, Games], ...]:
    """Never-repeating and memoryless players by name, with the groups' rules and numbers of turns.

    `turns`: the numbers are of turns that count, as what was chosen in them is asked of, or of those played, as how far
    players come is: random players have none that does not count. They take over the groups' lengths and who was cut
    off in their order, from the first again until there are PLAYERS. That a game ended has so nothing to do with what
    happened in it.
    """
    games = groups[0].games
    lengths = np.concatenate([_lengths(one, turns) for one in groups])
    cut_off = np.concatenate([one.games.choices.cut_off for one in groups])
    n = max(PLAYERS, len(lengths))
    lengths, cut_off = np.resize(lengths, n), np.resize(cut_off, n)
    return tuple(
        (name, simulate(games.world, games.rules, lengths, seed, never_repeats=never, cut_off=cut_off))
        for name, never in ((NEVER_REPEATS, True), (MEMORYLESS, False))
    )


@dataclass(frozen=True)
class Beside:
    """Random players and the groups that they stand beside."""

    name: str
    games: Games
    groups: tuple[str, ...]


def random_games_as_long(groups: Sequence[Group], seed: int) -> tuple[tuple[str, Games], ...]:
    """`random_games` of turns played, for numbers that depend on how many they are: a pair for all groups whose games
    are as long.

    Where there are several pairs, a name says which groups it is for.
    """
    return tuple((one.name, one.games) for one in random_games_beside(groups, seed))


def random_games_beside(groups: Sequence[Group], seed: int) -> tuple[Beside, ...]:
    """`random_games_as_long`, with the groups that each pair is for."""
    sets = _as_long(groups)
    found = []
    for alike in sets:
        names = tuple(one.name for one in alike)
        told = "" if len(sets) == 1 else f", as long as {', '.join(names)}"
        found += [Beside(f"{name}{told}", games, names) for name, games in random_games(alike, seed, turns="played")]
    return tuple(found)


def is_random(group: str) -> bool:
    """Whether a group's name is one of these.

    >>> is_random("random (simulated), as long as a, b"), is_random("random")
    (True, False)
    """
    return group.startswith((NEVER_REPEATS, MEMORYLESS))


def _as_long(groups: Sequence[Group]) -> list[list[Group]]:
    """The groups in sets whose games are about as long as those of the set's first."""
    sets: list[list[Group]] = []
    for one in groups:
        same = next((alike for alike in sets if np.allclose(_extent(one), _extent(alike[0]), rtol=ALIKE)), None)
        sets.append([one]) if same is None else same.append(one)
    return sets


def _lengths(one: Group, turns: Literal["counted", "played"]) -> Longs:
    choices = one.games.choices
    return choices.played if turns == "played" else np.diff(choices.starts)


def _extent(one: Group) -> tuple[float, float]:
    lengths = _lengths(one, "played")
    return float(lengths.mean()), float(lengths.max())
