from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from athanor.analysis.behaviour import BEHAVIOUR, WORSE_BY, behaviour
from athanor.analysis.logs import checked, from_runs, read_logs
from athanor.analysis.nulls import NULL, p_of
from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS, is_random, random_games, random_games_as_long
from athanor.analysis.regressions import Group, group
from athanor.analysis.stopping import MODELS, coefficient, stopping_columns
from athanor.analysis.survival import Careers
from athanor.analysis.weights import SAMPLED, TOGETHER, Options
from athanor.core.errors import UsageError
from athanor.environments.alchemy import RULES
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.games import Games, simulate
from athanor.values.tables import PairValues
from tests.analysis.small import HAND, TABLE, pair, run, script

WORLD = TableArrays(table("generated:opaque:3"))
TINY = TableArrays(TABLE)
TRUE = PairValues.true(WORLD)
TRUE = TRUE.with_values(empowerment=TRUE.values["true_empowerment"])
OPTIONS = Options(seed=0, nagq=0)


def players(name: str, temperature: float | None, seed: int, lengths: np.ndarray) -> Group:
    """Never-repeating players, of whom those with the longest games were cut off."""
    longest = lengths == lengths.max()
    played = simulate(WORLD, RULES["strict"], lengths, seed, never_repeats=True, cut_off=longest)
    return group(name, played, TRUE, seed=seed, temperature=temperature, count=SAMPLED)


def quitting(seed: int, most: int = 30) -> np.ndarray:
    """Forty games of players who stop after any turn with probability 1/20, and a limit of turns."""
    return np.minimum(np.random.default_rng(seed).geometric(1 / 20, size=40), most)


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    return [players("m, T=0", 0.0, 1, quitting(0)), players("m, T=1", 1.0, 2, quitting(0))]


@pytest.mark.parametrize("name", list(BEHAVIOUR))
def test_random_players_stand_beside_every_analysis(name: str, groups: list[Group]):
    found, _ = behaviour(name, groups, TRUE, OPTIONS)
    beside = [e for e in found if is_random(e.group)]
    assert {e.group.partition(", stopping")[0] for e in beside} == {NEVER_REPEATS, MEMORYLESS}
    ours = {e.name.partition(" (")[0] for e in found if not is_random(e.group)}
    assert any(e.value is not None for e in beside)
    if name not in ("inventory",):  # the groups' are by model and temperature, which random players do not have
        assert {e.name.partition(" (")[0] for e in beside} <= ours
    assert all(e.group for e in found)


def test_what_stands_for_all_groups_is_said_to_and_who_is_left_out_is_told(groups: list[Group]):
    one = players("o1", None, 3, quitting(0))
    for name in ("temperature", "inventory"):
        found, told = behaviour(name, [*groups, one], TRUE, OPTIONS)
        assert TOGETHER in {e.group for e in found}
        assert "left out, having no temperature: o1 (40 players)" in told
    assert told[0] == (
        "the model that others are compared with is m, the first seen at two temperatures or more; "
        "pass --baseline for another"
    )
    assert "log inventory: model m" in {e.name for e in found}
    _, told = behaviour("inventory", groups, TRUE, OPTIONS, baseline="m")
    assert told == ["the model that others are compared with is m"]
    with pytest.raises(UsageError, match="the baseline 'M' was seen at 0 temperatures.* --baseline with one of: m"):
        behaviour("inventory", groups, TRUE, OPTIONS, baseline="M")


def test_random_players_who_stop_when_others_do_do_not_stop_for_what_happened(groups: list[Group]):
    found, told = behaviour("stopping", groups[:1], TRUE, OPTIONS)
    by_success = [e for e in found if e.name == coefficient("success", "success") and is_random(e.group)]
    assert [e.group for e in by_success] == [NEVER_REPEATS, MEMORYLESS]
    assert all(e.low < 0 < e.high for e in by_success)
    assert told[0].startswith("m, T=0: the best model by AIC is ")
    drawn, _ = behaviour("stopping", groups[:1], TRUE, Options(seed=0, nagq=0, nulls=3))
    name = coefficient("empowerment + success", "success")
    assert {e.n for e in drawn if e.name in (f"{name} ({NULL})", p_of(name))} == {3}


def test_a_group_in_which_nobody_stopped_is_unknown_and_no_end(groups: list[Group]):
    endless = players("endless", None, 4, np.full(20, 30))
    found, _ = behaviour("stopping", [endless, groups[0]], TRUE, OPTIONS)
    (one,) = [e for e in found if e.group == "endless"]
    assert (one.value, one.n) == (None, 20)
    assert "none of 20 players stopped by themselves" in one.method
    assert f"{NEVER_REPEATS}, stopping as m, T=0" in {e.group for e in found}
    with pytest.raises(UsageError, match="none of 20 players stopped by themselves"):
        behaviour("stopping", [endless], TRUE, OPTIONS)


def test_survivors_are_told_after_the_last_turn_too_and_random_players_have_no_share_of_their_own(groups: list[Group]):
    found, _ = behaviour("survival", groups, TRUE, OPTIONS)
    names = {e.name for e in found if e.group == "m, T=0"}
    assert {"share going on after 10 turns", "share going on after 30 turns"} <= names
    assert {e.name for e in found if is_random(e.group)} == {name for name in names if name.startswith("inventory")}
    (few,) = {e.method for e in behaviour("survival", [players("x", None, 1, np.full(3, 1))], TRUE, OPTIONS)[0]
              if e.group == "x" and e.name.startswith("share")}  # fmt: skip
    assert few.endswith("nobody had stopped")


def lengths(games: Games) -> list[int]:
    return np.diff(games.choices.starts).tolist()


def test_random_players_play_as_long_as_those_they_stand_beside():
    short, long = players("short", None, 1, np.full(5, 10)), players("long", None, 2, np.full(5, 30))
    alike = players("alike", None, 3, np.array([10, 10, 10, 10, 9]))
    both = random_games_as_long([short, long, alike], 0)
    assert [name for name, _ in both] == [
        f"{NEVER_REPEATS}, as long as short, alike", f"{MEMORYLESS}, as long as short, alike",
        f"{NEVER_REPEATS}, as long as long", f"{MEMORYLESS}, as long as long",
    ]  # fmt: skip
    assert [set(lengths(games)) for _, games in both] == [{9, 10}, {9, 10}, {30}, {30}]
    (never, games), _ = random_games_as_long([short], 0)
    assert (never, len(lengths(games)), games.repeated.any()) == (NEVER_REPEATS, 200, False)
    assert [lengths(games)[:2] for _, games in random_games([long], 0)] == [[30, 30]] * 2


def test_nobody_stopped_in_a_run_that_all_played_to_its_end_whatever_could_not_be_read(tmp_path: Path):
    """Two episodes of six turns: in the first an answer is unreadable and a pair is not owned."""
    plain = [pair(text) for text in ("water + fire", "fire + fire", "water + water", "earth + earth", "water + earth")]
    agent = script(HAND, (*plain, pair("fire + earth")))
    logs = checked(from_runs([run(tmp_path / "run", agent, episodes=2)], TINY), TINY, RULES["strict"], allow=1)
    assert {one.cause: one.count for one in logs.excluded} == {"unreadable": 1, "unowned": 1}
    games = logs.games(TINY, RULES["strict"])
    assert games.counted().choices.starts.tolist() == [0, 4, 10]
    assert games.counted().choices.turn.tolist() == [0, 1, 2, 5, *range(6)]
    one = group("run", games, PairValues.true(TINY), seed=0, count=SAMPLED)
    with pytest.raises(UsageError, match="none of 2 players stopped by themselves"):
        behaviour("stopping", [one], PairValues.true(TINY), OPTIONS)
    found = {e.name: e for e in behaviour("survival", [one], PairValues.true(TINY), OPTIONS)[0] if e.group == "run"}
    assert found["share going on after 6 turns"].method.endswith("nobody had stopped")
    still = found["inventory after 6 turns, still playing"]
    assert (still.value, still.n, still.excluded) == (6, 2, 0)


def test_an_episode_ended_before_the_bound_and_not_by_the_environment_is_a_stop(tmp_path: Path):
    """The same episodes in a run that says eight turns: what ended them was not the bound."""
    path = run(tmp_path / "run", script(HAND, HAND[:1] * 6), episodes=2)
    lines = (path / "episodes.jsonl").read_text().splitlines()
    (path / "episodes.jsonl").write_text("\n".join([lines[0], lines[1].replace("truncated", "terminated")]) + "\n")
    assert from_runs([path], TINY).players["cut_off"].to_pylist() == [True, True]
    manifest = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(manifest.replace('"turns": 6', '"turns": 8'))
    logs = from_runs([path], TINY)
    assert (logs.players["played"].to_pylist(), logs.players["cut_off"].to_pylist()) == ([6, 6], [False, True])


def test_random_players_play_the_turns_that_count_or_those_played_and_are_cut_off_alike():
    games = players("m", None, 1, np.array([4, 6])).games
    kept = games.keep(games.choices.turn != 2)  # a turn of each is none that counts
    one = group("m", kept, TRUE, seed=0, count=SAMPLED)
    for turns, wanted in (("counted", [3, 5]), ("played", [4, 6])):
        for _, random in random_games([one], 0, turns=turns):
            assert lengths(random)[:2] == wanted
            assert random.choices.cut_off[:2].tolist() == [False, True]
    assert lengths(random_games_as_long([one], 0)[0][1])[:2] == [4, 6]


def test_in_logs_with_gaps_only_who_left_early_stopped(tmp_path: Path):
    """Six players of eight turns, every other without a record of one or two of them; two more left after five."""
    played = {f"whole {k}": [t for t in range(8) if k % 2 == 0 or t not in (3, 7 - k)] for k in (0, 1, 2, 3, 4, 5)}
    left = {f"left {k}": list(range(5)) for k in range(2)}
    rows = [f"{who},{t},water,fire" for who, turns in (played | left).items() for t in turns]
    (tmp_path / "log.csv").write_text("player,trial,first,second\n" + "\n".join(rows) + "\n")
    logs = read_logs(tmp_path / "log.csv", TINY, RULES["strict"], allow=0.2)
    columns, censored = stopping_columns(logs.games(TINY, RULES["strict"]).counted())
    assert np.flatnonzero(np.bincount(columns["player"].astype(int), columns["going_on"] == 0)).tolist() == [6, 7]
    assert censored == 6
    careers = Careers.of(logs.games(TINY, RULES["strict"]))
    assert careers.lengths.tolist() == [8] * 6 + [5] * 2
    assert careers.stopped.tolist() == [False] * 6 + [True] * 2


def test_the_published_variants_and_how_much_worse_each_stopping_model_is_can_be_asked_for(groups: list[Group]):
    told = {}
    for variant in ("exact", "published"):
        found, _ = behaviour("stopping", groups[:1], TRUE, OPTIONS, variant=variant)
        worse = [e for e in found if e.name.startswith(WORSE_BY) and e.group == groups[0].name]
        assert [e.value for e in worse] == sorted(e.value for e in worse if e.value is not None)
        assert worse[0].value == 0
        assert len(worse) == len(MODELS)
        told[variant] = next(e.method for e in found if e.name == coefficient("success", "success"))
    assert "a game cut off counts as a stop" in told["published"]
    assert "a game cut off counts as a stop" not in told["exact"]
    found, _ = behaviour("temperature", groups, TRUE, OPTIONS, variant="published")
    assert any(e.name.endswith(", as published") for e in found)
