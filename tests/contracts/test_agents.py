"""What every agent that needs no model and no person must keep to."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import msgspec
import pytest

from athanor.agents.registry import AGENTS, AgentOptions
from athanor.core.play import Planned, play
from athanor.core.replay import check_episode
from athanor.environments.registry import ENVIRONMENTS, Judged

ALONE = [name for name in AGENTS if name not in ("human", "language")]
EVERY = ENVIRONMENTS["alchemy"]()


def played(judged: Judged, name: str, turns: int = 40, past=()):
    agent = AGENTS[name](judged.environment, AgentOptions(), None)
    planned = Planned(key="0000", task=next(judged.environment.tasks("open", 0)), past=past)
    return asyncio.run(play(judged.environment, judged.verifier, agent, planned, seed=0, turns=turns))


def actions(episode) -> str:
    return msgspec.json.encode([turn.action for turn in episode.turns]).decode()


@pytest.mark.parametrize("judged", EVERY, ids=lambda judged: judged.name)
@pytest.mark.parametrize("name", ALONE)
def test_an_episode_replays_and_goes_on_from_any_turn(judged: Judged, name: str):
    episode = played(judged, name)
    assert episode.failure is None
    assert check_episode(judged.environment, judged.verifier, episode) == ()
    for cut in (0, 1, 17, 40):
        assert actions(played(judged, name, past=episode.turns[:cut])) == actions(episode)


@pytest.mark.parametrize("name", ALONE)
def test_episodes_are_equal_across_processes_and_hash_seeds(name: str):
    program = (
        "from tests.contracts.test_agents import *; "
        f"print(''.join(actions(played(judged, {name!r})) for judged in EVERY))"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    said = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert said == {"".join(actions(played(judged, name)) for judged in EVERY) + "\n"}
