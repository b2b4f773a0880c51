from __future__ import annotations

import asyncio

import numpy as np
import pytest

from athanor.agents.baselines import Uncertainty
from athanor.agents.cognitive import LIVE, Cognitive, weights_of
from athanor.agents.explored import candidates, element_value, explored
from athanor.core.errors import UsageError
from athanor.core.history import History
from athanor.core.play import Planned, play
from athanor.core.seeds import stream
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair
from athanor.environments.alchemy.worlds import table
from athanor.values.arrays import TableArrays
from athanor.values.formulas import PAST
from athanor.values.games import Choices, replay
from athanor.values.tables import PairValues
from athanor.values.turns import turn_values

WORLD = TableArrays(table("generated:opaque:3"))
TRUE = PairValues.true(WORLD)
STRICT = Alchemy(table=WORLD.table, rules=RULES["strict"])


def elements(action) -> tuple[str, str]:
    """Those of a pair, which an agent that chooses by values always gives."""
    assert isinstance(action, Pair)
    return action.first, action.second


def played(agent, turns: int, environment: Alchemy = STRICT):
    planned = Planned(key="0000", task=next(environment.tasks("open", 0)))
    return asyncio.run(play(environment, Discovery(environment=environment), agent, planned, seed=0, turns=turns))


@pytest.mark.parametrize("memory", ["none", "tried", "forgetful"])
def test_the_values_an_agent_sees_are_those_the_analysis_derives_from_its_log(memory):
    weights = (("uncertainty", 1.0), ("value", 0.5), ("recency", -0.5))
    episode = played(Cognitive(values=TRUE, weights=weights, temperature=1.0, memory=memory), 120)
    names = [elements(turn.action) for turn in episode.turns]
    first, second = (WORLD.indices([pair[side] for pair in names]) for side in (0, 1))
    games = replay(WORLD, RULES["strict"], Choices(np.array([0, len(names)]), first, second))
    later = turn_values(games, TRUE, np.zeros((len(names), 0, 2), dtype=np.int32))
    history = History("0000")
    for t, turn in enumerate(episode.turns):
        n = len(turn.observation.combinable)
        past = explored(history, n)
        places = [turn.observation.combinable.index(e) for e in names[t]]
        for name in PAST:
            assert element_value(name, past, n)[places].sum() == pytest.approx(later.chosen(name)[t]), (t, name)
        history.append(turn)
    assert len({turn.action for turn in episode.turns if turn.verdict.passed}) > 5


@pytest.mark.parametrize("memory", ["none", "tried", "forgetful"])
def test_of_the_pairs_tried_memory_leaves_out_none_all_or_all_but_one_for_every_five_turns(memory):
    """Counted turn by turn. A player who prefers what it used most chooses what is forgotten again."""
    agent = Cognitive(values=TRUE, weights=(("uncertainty", -1.0),), temperature=0.1, memory=memory)
    episode, history = played(agent, 120), History("0000")
    tried: list[tuple[str, ...]] = []
    for t, turn in enumerate(episode.turns):
        n, chosen = len(turn.observation.combinable), tuple(sorted(elements(turn.action)))
        repeats = len(tried) - len(set(tried))
        left_out = {"none": 0, "tried": len(set(tried)), "forgetful": len(tried) - t // 5}[memory]
        assert candidates(memory, history, n).sum() == n * (n + 1) // 2 - left_out, t
        if memory == "tried":
            assert chosen not in tried
        if memory == "forgetful":
            assert repeats <= t // 5
        tried.append(chosen)
        history.append(turn)
    repeats = len(tried) - len(set(tried))
    low, high = {"none": (100, 120), "tried": (0, 0), "forgetful": (15, 23)}[memory]
    assert low <= repeats <= high


def test_every_pair_left_out_is_as_likely_to_be_forgotten():
    """Which of the first five pairs of 400 games is a candidate again at the sixth turn."""
    agent = Cognitive(values=TRUE, weights=(("uncertainty", 0.0),), memory="forgetful")
    planned = [Planned(key=f"{k:04d}", task=next(STRICT.tasks("open", 0))) for k in range(400)]

    async def everything():
        skin = Discovery(environment=STRICT)
        return [await play(STRICT, skin, agent, one, seed=0, turns=6) for one in planned]

    counts = np.zeros(5)
    for episode in asyncio.run(everything()):
        history = History("0000")
        for turn in episode.turns[:5]:
            history.append(turn)
        seen = episode.turns[5].observation.combinable
        free = candidates("forgetful", history, len(seen))
        places = [sorted(seen.index(e) for e in elements(t.action)) for t in episode.turns[:5]]
        again = [free[low, high] for low, high in places]
        assert sum(again) == 1
        counts[int(np.argmax(again))] += 1
    assert ((counts - 80) ** 2 / 80).sum() < 18.5  # chi squared, 4 degrees of freedom: p = 0.001


def test_a_cold_agent_takes_the_best_pair_there_is():
    agent = Cognitive(values=TRUE, weights=(("true_empowerment", 1.0),), temperature=1e-6)
    for turn in played(agent, 60).turns:
        seen = WORLD.indices(turn.observation.combinable)
        worth = {
            (a, b): TRUE.values["true_empowerment"][max(a, b) * (max(a, b) + 1) // 2 + min(a, b)]
            for a in seen
            for b in seen
        }
        tried = {tuple(sorted(WORLD.indices(elements(t.action)))) for t in played(agent, turn.index).turns}
        best = max(value for pair, value in worth.items() if tuple(sorted(pair)) not in tried)
        chosen = WORLD.indices(elements(turn.action))
        assert worth[tuple(chosen)] == best


def test_the_compiled_uncertainty_agent_chooses_like_the_general_one():
    """The same distribution: mean uses of what they choose, over many draws from one past."""
    episode = played(Uncertainty(), 60)
    history = History("0000")
    for turn in episode.turns[:-1]:
        history.append(turn)
    seen, rng = episode.turns[-1].observation, stream(0, "t")
    uses = explored(history, len(seen.combinable)).uses
    found = []
    for agent in (
        Uncertainty(temperature=0.5),
        Cognitive(values=TRUE, weights=(("uncertainty", 1.0),), temperature=0.5),
    ):
        drawn = [elements(asyncio.run(agent.act(seen, history, rng)).action) for _ in range(1500)]
        total = [float(uses[[seen.combinable.index(element) for element in pair]].sum()) for pair in drawn]
        found.append((np.mean(total), np.std(total) / np.sqrt(len(total))))
    (one, error), (other, other_error) = found
    assert abs(one - other) < 4 * np.hypot(error, other_error)


@pytest.mark.parametrize("name", LIVE)
def test_agents_that_know_the_table_and_what_they_own_always_find_something_new(name):
    passed = [
        turn.verdict.passed
        for turn in played(Cognitive(values=TRUE, weights=((name, 1.0),), temperature=1e-3), 40).turns
    ]
    assert np.mean(passed) > 0.9


def test_what_cannot_be_chosen_by_is_refused():
    with pytest.raises(UsageError, match="'emp' is not one of uncertainty"):
        Cognitive(values=TRUE, weights=(("emp", 1.0),))
    with pytest.raises(UsageError, match="no value"):
        Cognitive(values=TRUE, weights=())
    with pytest.raises(UsageError, match="temperature"):
        Cognitive(values=TRUE, weights=(("value", 1.0),), temperature=0.0)


def test_weights_are_read_as_data_and_nothing_else():
    assert weights_of("uncertainty=1, value=-0.5") == (("uncertainty", 1.0), ("value", -0.5))
    for wrong in ("uncertainty", "=1", "a=b", "a=1,", "a=nan", ""):
        with pytest.raises(UsageError, match="NAME=NUMBER"):
            weights_of(wrong)
    with pytest.raises(UsageError, match="uncertainty has two weights in 'uncertainty=1, uncertainty=2'"):
        weights_of("uncertainty=1, uncertainty=2")
    with pytest.raises(UsageError, match="'value=-1e300' is beyond 1e\\+100"):
        weights_of("uncertainty=1,value=-1e300")


def test_the_largest_weights_choose_the_best_pair_without_a_warning():
    agent = Cognitive(values=TRUE, weights=weights_of("uncertainty=1e100,value=1e100"), temperature=1e-50)
    assert played(agent, 30).end == "truncated"
