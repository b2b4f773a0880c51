from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from athanor.core.errors import DataError
from athanor.core.seeds import stream
from athanor.environments.alchemy.environment import Alchemy
from athanor.environments.alchemy.rules import RULES, Rules
from athanor.environments.alchemy.state import Pair
from athanor.environments.alchemy.table import Gift, Table
from athanor.environments.alchemy.verifier import Discovery
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import CAUSES, Choices, replay

ATELIER = table("atelier")
RUNGS = [*range(4, 10), *range(15, 21)]
LADDER = dataclasses.replace(
    ATELIER,
    name="ladder",
    gifts=tuple(Gift(element=e, size=size) for e, size in zip(ATELIER.elements[-12:], RUNGS, strict=True)),
)
"""Gifts each of which lifts the inventory to the size of the next; the base of four earns the first by itself."""
WORLDS = [ATELIER, table("generated:opaque:3"), LADDER]


def busy_choices(world: TableArrays, players: int, turns: int, seed: int) -> Choices:
    """Mostly pairs that make something of what the strict rules would give, else any pair, unknown names among them."""
    rng, pairs = stream(seed, "choices"), []
    ends = [tuple(world.table.index[name] for name in pair) for pair in world.table.results]
    for _ in range(players):
        known = set(world.base.tolist())
        for _ in range(turns):
            open_ones = [r for r, (a, b) in enumerate(ends) if a in known and b in known]
            if rng.random() < 0.6:
                recipe = open_ones[int(rng.integers(len(open_ones)))]
                known.update(world.results[recipe].tolist())
                pairs.append(ends[recipe])
            else:
                pairs.append(tuple(np.maximum(rng.integers(world.n + 40, size=2) - 40, -1).tolist()))
    first, second = np.array(pairs, dtype=np.int32).T.copy()
    return Choices(np.arange(players + 1, dtype=np.int64) * turns, first, second)


def by_the_rules(world: Table, rules: Rules, choices: Choices):
    """The same games by `Rules` and `Discovery`, the renderings to read."""
    environment = Alchemy(table=world, rules=rules)
    judge, task = Discovery(environment=environment), next(environment.tasks("open", 0))
    for player in range(choices.players):
        state = environment.start(task)
        for t in range(choices.starts[player], choices.starts[player + 1]):
            names = [world.elements[i] if i >= 0 else "no such thing" for i in (choices.first[t], choices.second[t])]
            action = Pair(first=names[0], second=names[1])
            seen = environment.observe(state)
            after = environment.step(state, action).state
            verdict = judge.verify(task, state, action, after)
            yield player, seen, verdict, after, len(after.owned) - len(state.owned)
            state = after


@pytest.mark.parametrize("rules", RULES.values(), ids=list(RULES))
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_the_compiled_replay_does_what_the_rules_say_turn_by_turn(world: Table, rules: Rules):
    arrays = TableArrays(world)
    choices = busy_choices(arrays, players=3, turns=250, seed=1)
    games = replay(arrays, rules, choices)
    rows, joined = games.joined()
    gifts = refusals = 0
    for t, (player, seen, verdict, after, gained) in enumerate(by_the_rules(world, rules, choices)):
        combinable = [world.elements[i] for i in games.order[player][: games.pool[t]]]
        assert tuple(combinable) == seen.combinable
        assert games.owned[t] == len(seen.owned)
        assert games.owned_after[t] == len(after.owned)
        assert (*combinable, *(world.elements[i] for i in joined[rows == t])) == after.combinable
        category = verdict.parts["category"]
        unknown = min(choices.first[t], choices.second[t]) < 0
        if category == "invalid" or unknown:
            cause = "unknown" if unknown else verdict.parts["cause"]
            assert CAUSES[games.refused[t]] == cause
            refusals += 1
            continue
        assert games.refused[t] == 0
        assert games.success[t] == category.startswith("success")
        assert games.repeated[t] == category.endswith("existing")
        assert games.gained[t] == gained
        gifts += len(verdict.parts.get("gifts", ()))
    assert refusals > 10
    assert games.gained.sum() > 50
    assert gifts > 0


def test_a_player_without_turns_and_a_table_without_gifts_are_no_trouble():
    world = TableArrays(Table(name="w", elements=("a", "b", "c"), base=("a", "b"), results={("a", "b"): ("c",)}))
    choices = Choices(np.array([0, 0, 2, 2]), np.array([0, 0], np.int32), np.array([1, 1], np.int32))
    games = replay(world, RULES["strict"], choices)
    assert games.gained.tolist() == [1, 0]
    assert games.repeated.tolist() == [False, True]
    assert [games.order[p].tolist() for p in range(3)] == [[0, 1]] * 3
    assert games.first_tries().choices.starts.tolist() == [0, 0, 1, 1]


def test_choices_of_another_table_are_refused():
    world = TableArrays(Table(name="w", elements=("a", "b", "c"), base=("a", "b"), results={("a", "b"): ("c",)}))
    with pytest.raises(DataError, match="element 7, the table has 3"):
        replay(world, RULES["strict"], Choices(np.array([0, 1]), np.array([7], np.int32), np.array([0], np.int32)))
    with pytest.raises(DataError, match="one of each a turn"):
        Choices(np.array([0, 2]), np.array([1], np.int32), np.array([0], np.int32))


def test_the_games_of_some_players_are_what_those_players_alone_would_give():
    choices = busy_choices(TableArrays(WORLDS[1]), players=4, turns=30, seed=2)
    games = replay(TableArrays(WORLDS[1]), RULES["strict"], choices)
    some = games.of(np.array([False, True, False, True]))
    for part, player in enumerate((1, 3)):
        rows, mine = slice(30 * player, 30 * (player + 1)), slice(30 * part, 30 * (part + 1))
        assert some.choices.first[mine].tolist() == choices.first[rows].tolist()
        assert some.gained[mine].tolist() == games.gained[rows].tolist()
        assert some.order[part].tolist() == games.order[player].tolist()
    assert some.choices.starts.tolist() == [0, 30, 60]


def test_games_are_shown_in_one_line():
    games = replay(TableArrays(WORLDS[1]), RULES["strict"], busy_choices(TableArrays(WORLDS[1]), 4, 30, seed=2))
    assert repr(games) == f"Games({WORLDS[1].name}, strict rules, 4 players, 120 turns)"
    assert repr(games.world) == f"TableArrays({WORLDS[1].name}, {len(WORLDS[1].elements)} elements)"


def test_turns_left_out_were_played_and_first_tries_are_numbered_without_repeats():
    """Five turns played: mud + mud, one not there, mud + mud again, an unknown name, sun + sun."""
    table = Table(name="w", elements=("mud", "sun", "brick"), base=("mud", "sun"), results={("mud", "sun"): ("brick",)})
    choices = Choices(
        np.array([0, 4]), np.array([0, 0, -1, 1], np.int32), np.array([0, 0, 0, 1], np.int32),
        np.array([0, 2, 3, 4], np.int32), np.array([6]), np.array([True]),
    )  # fmt: skip
    games = replay(TableArrays(table), RULES["strict"], choices)
    counted = games.counted().choices
    assert (counted.turn.tolist(), counted.played.tolist(), counted.cut_off.tolist()) == ([0, 2, 4], [6], [True])
    assert counted.position().tolist() == [0, 1, 2]
    tries = games.first_tries().counted().choices
    assert (tries.turn.tolist(), tries.played.tolist(), tries.cut_off.tolist()) == ([0, 3], [5], [True])
    assert games.of(np.array([True])).choices.turn.tolist() == [0, 2, 3, 4]
    assert games.of(np.array([False])).choices.played.tolist() == []
    assert games.last_owned().tolist() == [2]


@pytest.mark.parametrize(
    ("turn", "played"), [([0, 0], [2]), ([1, 0], [2]), ([-1, 0], [2]), ([0, 3], [3]), ([0], [2]), ([0, 1], [2, 2])]
)
def test_numbers_of_turns_that_no_game_has_are_refused(turn: list[int], played: list[int]):
    with pytest.raises(DataError, match="expected|must rise"):
        Choices(np.array([0, 2]), np.zeros(2), np.zeros(2), np.array(turn), np.array(played))
