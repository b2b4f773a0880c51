from __future__ import annotations

import asyncio

import numpy as np
import pytest

from athanor.agents.baselines import Random, RandomNeverRepeat, Uncertainty
from athanor.agents.oracle import Oracle
from athanor.core.history import History
from athanor.core.play import Planned, play
from athanor.core.seeds import stream
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Gift, Pair, Table
from athanor.environments.alchemy.generate import WorldSpec, generate
from athanor.environments.alchemy.loaders import load
from tests.conftest import shared


@pytest.fixture(scope="module")
def world() -> Alchemy:
    return Alchemy(table=generate(WorldSpec(), 0, "opaque"), rules=RULES["pan2025"])


def played(environment: Alchemy, agent, turns: int, key: str = "0000"):
    planned = Planned(key=key, task=next(environment.tasks("open", 0)))
    return asyncio.run(play(environment, Discovery(environment=environment), agent, planned, seed=0, turns=turns))


def pairs(episode) -> list[tuple[str, str]]:
    return [tuple(sorted((turn.action.first, turn.action.second))) for turn in episode.turns]


def test_the_memoryless_player_draws_self_pairs_half_as_often_as_others(world):
    start = world.observe(world.start(next(world.tasks("open", 0))))
    rng, history = stream(0, "t"), History("0")
    drawn = [asyncio.run(Random().act(start, history, rng)).action for _ in range(4000)]
    share = np.mean([pair.first == pair.second for pair in drawn])
    assert abs(share - 1 / 4) < 0.03


@pytest.mark.parametrize("agent", [RandomNeverRepeat(), Uncertainty()], ids=lambda agent: agent.name)
def test_a_player_with_memory_never_repeats_while_anything_is_left(world, agent):
    tried = pairs(played(world, agent, 150))
    assert len(set(tried)) == 150


@pytest.mark.parametrize("agent", [RandomNeverRepeat(), Uncertainty()], ids=lambda agent: agent.name)
def test_a_player_that_has_tried_everything_repeats_rather_than_fail(small, agent):
    environment = Alchemy(table=small, rules=RULES["brandle2023"])
    episode = played(environment, agent, 60)
    assert episode.end == "truncated"
    n = len(environment.observe(environment.start(episode.task)).combinable)
    assert len(set(pairs(episode))) >= n * (n + 1) // 2


def test_the_uncertain_player_prefers_what_it_has_used_least(world):
    episode = played(world, Uncertainty(temperature=0.01), 40)
    uses: dict[str, int] = {}
    for position, turn in enumerate(episode.turns):
        owned = turn.observation.combinable
        if position > 5 and min(uses.get(e, 0) for e in owned) == 0:
            assert 0 in (uses.get(turn.action.first, 0), uses.get(turn.action.second, 0))
        for element in (turn.action.first, turn.action.second):
            uses[element] = uses.get(element, 0) + 1


@pytest.mark.parametrize("rules", list(RULES))
def test_the_oracle_makes_something_new_at_every_turn_it_can(world, rules):
    environment = Alchemy(table=world.table, rules=RULES[rules])
    episode = played(environment, Oracle(environment), 150)
    assert all(turn.verdict.passed for turn in episode.turns)


def test_the_oracle_makes_the_goal_of_a_targeted_task(world):
    for task in list(world.tasks("test", 0))[:20]:
        planned = Planned(key=task.key, task=task)
        episode = asyncio.run(play(world, Discovery(environment=world), Oracle(world), planned, seed=0, turns=1))
        assert episode.turns[0].verdict.passed


@pytest.mark.parametrize("agent", [Random(), RandomNeverRepeat(), Uncertainty()], ids=lambda agent: agent.name)
def test_episodes_are_fixed_by_seed_and_key_and_differ_between_keys(world, agent):
    assert played(world, agent, 50).turns[-1].action == played(world, agent, 50).turns[-1].action
    assert pairs(played(world, agent, 50)) != pairs(played(world, agent, 50, key="0001"))


def test_the_oracle_is_no_upper_bound_for_it_makes_what_would_have_been_given():
    """Of two pairs as good now it takes the one that makes more later: luck, which the third element would bring."""
    world = Table(
        name="greedy", elements=("ink", "pen", "luck", "mud", "fame"), base=("ink", "pen"),
        results={("ink", "pen"): ("luck",), ("ink", "ink"): ("mud",), ("luck", "luck"): ("fame",)},
        gifts=(Gift(element="luck", size=3),),
    )  # fmt: skip
    environment = Alchemy(table=world, rules=RULES["strict"])
    greedy = played(environment, Oracle(environment=environment), 2)
    state = environment.start(greedy.task)
    for pair in (("ink", "ink"), ("luck", "luck")):
        state = environment.step(state, Pair(first=pair[0], second=pair[1])).state
    assert 2 + greedy.total == 4 < len(state.owned) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agent", "inventory"),
    [(RandomNeverRepeat(), 48.3), (Random(), 38.6)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_random_players_reach_the_published_inventories_under_the_published_rules(agent, inventory):
    """500 runs of 500 turns under pan2025 on the official table: 48.3 and 38.6 elements, each within 1.0."""
    environment = Alchemy(table=load(shared("little-alchemy-2-official.json")), rules=RULES["pan2025"])
    sizes = []
    for run in range(500):
        episode = played(environment, agent, 500, key=f"{run:04d}")
        gifts = sum(len(turn.verdict.parts.get("gifts", ())) for turn in episode.turns)
        sizes.append(4 + episode.total + gifts)
    assert np.mean(sizes) == pytest.approx(inventory, abs=1.0)
