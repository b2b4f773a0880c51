"""What every agent that needs no model and no person must keep to."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from itertools import islice

import msgspec
import pytest

from athanor.agents.points import POINTS_AGENTS
from athanor.agents.registry import AGENTS, AgentOptions
from athanor.agents.scenes import PAINTERS
from athanor.core.play import Planned, play
from athanor.core.replay import check_episode
from athanor.environments.points.text import PointsDialogue
from athanor.environments.registry import ENVIRONMENTS, Judged
from athanor.environments.scenes import Look, Scenes

ASKED = ("human", "language")
"""Agents that ask a person or a model."""
MAKERS = {
    "alchemy": {name: lambda game, make=make: make(game, AgentOptions(), None) for name, make in AGENTS.items()},
    "points": {
        name: lambda game, make=make: make((game, PointsDialogue()), AgentOptions().language, None)
        for name, make in POINTS_AGENTS.items()
    },
    "scenes": PAINTERS,
}
"""The agents of each environment, made over one of its settings."""
ALONE = [(game, name) for game, makers in MAKERS.items() for name in makers if name not in ASKED]
EVERY = [(judged, name) for game, name in ALONE for judged in ENVIRONMENTS[game]()]


def test_every_environment_has_agents():
    assert set(MAKERS) == set(ENVIRONMENTS)


def played(judged: Judged, name: str, turns: int = 40, past=()):
    agent = MAKERS[judged.environment.name][name](judged.environment)
    task = next(judged.environment.tasks(judged.environment.splits[0], 0))
    planned = Planned(key="0000", task=task, past=past)
    return asyncio.run(play(judged.environment, judged.verifier, agent, planned, seed=0, turns=turns))


def actions(episode) -> str:
    return msgspec.json.encode([turn.action for turn in episode.turns]).decode()


def test_the_gold_painter_always_passes_and_chance_hardly_ever():
    game = Scenes()
    passed = {}
    for name, make in PAINTERS.items():
        tasks = islice(game.tasks("all", 1), 120)
        planned = [Planned(key=f"{k:04}", task=task, past=()) for k, task in enumerate(tasks)]
        ends = [asyncio.run(play(game, Look(environment=game), make(game), one, seed=1, turns=1)) for one in planned]
        passed[name] = sum(episode.turns[-1].verdict.passed for episode in ends)
    assert passed["gold"] == 120
    assert passed["random"] < 12


@pytest.mark.parametrize(("judged", "name"), EVERY, ids=lambda one: one if isinstance(one, str) else one.name)
def test_an_episode_replays_and_goes_on_from_any_turn(judged: Judged, name: str):
    episode = played(judged, name)
    assert episode.failure is None
    assert check_episode(judged.environment, judged.verifier, episode) == ()
    for cut in (0, 1, 17, 40):
        assert actions(played(judged, name, past=episode.turns[:cut])) == actions(episode)


def told() -> dict[str, str]:
    """What every agent that needs nobody does in every setting of its environment."""
    return {
        f"{game} {name}": "".join(actions(played(judged, name)) for judged in ENVIRONMENTS[game]())
        for game, name in ALONE
    }


@pytest.fixture(scope="module")
def elsewhere() -> list[dict[str, str]]:
    """The same told by two other processes, of different hash seeds."""
    program = "import json; from tests.contracts.test_agents import told; print(json.dumps(told()))"
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    said = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    return [json.loads(text) for text in said]


@pytest.mark.parametrize(("game", "name"), ALONE)
def test_episodes_are_equal_across_processes_and_hash_seeds(game: str, name: str, elsewhere):
    here = "".join(actions(played(judged, name)) for judged in ENVIRONMENTS[game]())
    assert [one[f"{game} {name}"] for one in elsewhere] == [here, here]
