from __future__ import annotations

import asyncio
import re

import pytest
from msgspec.structs import replace

from athanor.core.errors import BackendError, UsageError
from athanor.core.play import Planned, play, play_many
from athanor.core.records import Decision, Unreadable
from athanor.core.replay import check_episode, replay, validate
from athanor.core.store import RunFolder
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair, Table


class Follows:
    """Plays a fixed list of actions; an exception in the list is raised."""

    name = "follows"

    def __init__(self, *actions):
        self.actions = actions

    async def act(self, observation, history, rng):
        action = self.actions[len(history)]
        if isinstance(action, Exception):
            raise action
        return Decision(action=action)


def pair(text: str) -> Pair:
    return Pair(first=text.split("+")[0], second=text.split("+")[1])


def playing(environment: Alchemy, agent, turns=10, past=()):
    planned = Planned(key="0000", task=next(environment.tasks("open", 0)), past=past)
    return asyncio.run(play(environment, Discovery(environment=environment), agent, planned, seed=0, turns=turns))


def test_an_episode_is_truncated_at_its_turns(strict):
    episode = playing(strict, Follows(pair("ink+pen"), pair("ink+ink")), turns=2)
    assert (episode.end, len(episode.turns), episode.total) == ("truncated", 2, 2.0)


def test_an_episode_is_terminated_when_nothing_is_left_to_try():
    results = {("a", "a"): ("c",), ("b", "b"): ("c",)}
    dead = Alchemy(
        table=Table(name="dead", elements=("a", "b", "c"), base=("a", "b"), results=results), rules=RULES["strict"]
    )
    episode = playing(dead, Follows(pair("a+a"), pair("b+a"), pair("b+b"), pair("a+a")))
    assert (episode.end, len(episode.turns)) == ("terminated", 3)


def test_an_agents_exception_ends_the_episode_with_its_cause(strict):
    episode = playing(strict, Follows(pair("ink+pen"), BackendError("the server is down")))
    assert episode.end == "error"
    assert episode.failure is not None
    assert (episode.failure.kind, episode.failure.message) == ("BackendError", "the server is down")
    assert len(episode.turns) == 1


class Gives:
    """Gives the same thing at every turn, whatever it is."""

    name = "gives"

    def __init__(self, thing):
        self.thing = thing

    async def act(self, observation, history, rng):
        return self.thing


@pytest.mark.parametrize(
    ("thing", "told"),
    [
        ("ink + pen", "'ink \\+ pen'"),
        (None, "None"),
        (Decision(action=("ink", "pen")), "a Decision on \\('ink', 'pen'\\)"),  # type: ignore[arg-type]
        (pair("ink+pen"), "Pair\\(.*\\)"),
    ],
)
def test_what_is_no_decision_on_an_action_is_the_agents_error_and_not_written(strict, tmp_path, manifest, thing, told):
    folder: RunFolder[Pair] = RunFolder.create(tmp_path / "run", manifest)
    planned = Planned(key="0000", task=next(strict.tasks("open", 0)))
    judge = Discovery(environment=strict)
    episode = asyncio.run(play(strict, judge, Gives(thing), planned, seed=0, turns=3, sink=folder))
    folder.close()
    assert episode.end == "error"
    assert episode.failure is not None
    assert re.fullmatch(f"the agent gave {told}, a Decision on a Pair or Unreadable was .*", episode.failure.message)
    assert list(RunFolder.read(tmp_path / "run").episodes(Pair)) == [episode]


def test_an_error_of_usage_stops_the_run(strict):
    with pytest.raises(UsageError, match="no such model"):
        playing(strict, Follows(UsageError("no such model")))


def test_an_exception_of_the_verifier_is_a_bug_and_propagates(strict):
    class Broken(Discovery):
        def verify(self, task, before, action, after):
            raise ZeroDivisionError

    planned = Planned(key="0000", task=next(strict.tasks("open", 0)))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(play(strict, Broken(environment=strict), Follows(pair("ink+pen")), planned, seed=0, turns=1))


def test_an_interrupted_episode_goes_on_to_the_same_end(strict):
    actions = [pair("ink+pen"), Unreadable(unreadable="?"), pair("line+line"), pair("text+text"), pair("ink+ink")]
    whole = playing(strict, Follows(*actions), turns=5)
    for cut in range(6):
        again = playing(strict, Follows(*actions), turns=5, past=whole.turns[:cut])
        assert [t.verdict for t in again.turns] == [t.verdict for t in whole.turns]
        assert [t.observation for t in again.turns] == [t.observation for t in whole.turns]
        assert again.end == whole.end


def test_many_episodes_are_bounded_and_all_end(strict):
    now, most = 0, 0

    class Slow:
        name = "slow"

        async def act(self, observation, history, rng):
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= 1
            return Decision(action=pair("ink+pen"))

    async def collect():
        task = next(strict.tasks("open", 0))
        plan = [Planned(key=f"{i:04d}", task=task) for i in range(9)]
        verifier = Discovery(environment=strict)
        return [e async for e in play_many(strict, verifier, Slow(), plan, seed=0, turns=3, concurrency=4)]

    episodes = asyncio.run(collect())
    assert sorted(e.key for e in episodes) == [f"{i:04d}" for i in range(9)]
    assert most == 4


def test_a_bug_in_one_episode_cancels_the_others(strict):
    class Bug:
        name = "bug"

        async def act(self, observation, history, rng):
            if history.episode == "0001":
                raise UsageError("stop")
            await asyncio.sleep(30)

    async def collect():
        task = next(strict.tasks("open", 0))
        plan = [Planned(key=f"{i:04d}", task=task) for i in range(3)]
        async for _ in play_many(strict, Discovery(environment=strict), Bug(), plan, seed=0, turns=3, concurrency=3):
            pass  # fmt: skip

    with pytest.raises(UsageError, match="stop"):
        asyncio.run(asyncio.wait_for(collect(), 5))


def test_replay_derives_every_verdict_again(strict):
    actions = [pair("ink+pen"), pair("line+line"), pair("gold+pen"), Unreadable(unreadable="?")]
    episode = playing(strict, Follows(*actions), turns=4)
    verifier = Discovery(environment=strict)
    assert [r.verdict for r in replay(strict, verifier, episode.task, actions)] == [t.verdict for t in episode.turns]
    assert check_episode(strict, verifier, episode) == ()


def test_replay_finds_a_changed_verdict_and_a_changed_end(strict):
    episode = playing(strict, Follows(pair("ink+pen"), pair("ink+ink")), turns=2)
    turn = episode.turns[1]
    forged = replace(episode, turns=(episode.turns[0], replace(turn, verdict=replace(turn.verdict, reward=1.0))))
    verifier = Discovery(environment=strict)
    assert [d.turn for d in check_episode(strict, verifier, forged)] == [1]
    assert len(check_episode(strict, verifier, replace(episode, end="terminated"))) == 1


def test_validate_complains_of_a_verifier_that_passes_everything(strict):
    class Lenient(Discovery):
        def verify(self, task, before, action, after):
            return replace(super().verify(task, before, action, after), passed=True)

    tasks = list(strict.tasks("train", 0))
    echoed = [Unreadable(unreadable="echo")] * len(tasks)
    constant = pair("ink+ink")
    assert validate(strict, Discovery(environment=strict), tasks, constant=constant, echoed=echoed) == ()
    found = validate(strict, Lenient(environment=strict), tasks, constant=constant, echoed=echoed)
    assert {c.answer for c in found} >= {"constant", "empty", "echoed"}


def test_validate_complains_of_a_verifier_that_passes_nothing(strict):
    class Harsh(Discovery):
        def verify(self, task, before, action, after):
            return replace(super().verify(task, before, action, after), passed=False)

    tasks = list(strict.tasks("train", 0))
    found = validate(
        strict,
        Harsh(environment=strict),
        tasks,
        constant=pair("ink+ink"),
        echoed=[Unreadable(unreadable="")] * len(tasks),
    )
    assert {c.answer for c in found} == {"gold"}
