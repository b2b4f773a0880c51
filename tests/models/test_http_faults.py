"""A whole run against a server that fails in every way: nothing is lost, and no fault becomes a model's mistake."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from athanor.core.errors import UsageError
from athanor.core.history import History
from athanor.core.play import Planned, play_many
from athanor.core.protocols import Backend
from athanor.core.records import Decision, Episode, Message, Sampling, Unreadable
from athanor.core.seeds import below
from athanor.core.store import Manifest, RunFolder
from athanor.environments.alchemy import RULES, Alchemy, Discovery, Pair, Sight, Table
from athanor.models.backends.openai_http import HttpConfig, OpenAIHttp
from tests.models.fake_server import (
    Behaviour,
    FakeServer,
    apart,  # noqa: F401
    by_seed,
    drop,
    fails,
    half,
    half_but_whole,
    hang,
    long_by_seed,
    no_choices,
    run,
)

pytestmark = pytest.mark.usefixtures("apart")

TABLE = Table(
    name="tiny",
    elements=("air", "earth", "fire", "water", "dust", "lava", "mud", "rain", "steam", "brick"),
    base=("air", "earth", "fire", "water"),
    results={
        ("air", "earth"): ("dust",),
        ("earth", "fire"): ("lava",),
        ("earth", "water"): ("mud",),
        ("air", "water"): ("rain",),
        ("fire", "water"): ("steam",),
        ("fire", "mud"): ("brick",),
    },
)
ENVIRONMENT = Alchemy(table=TABLE, rules=RULES["strict"])
REPLIES = tuple(f"{a} + {b}" for a in TABLE.base for b in TABLE.base)
"""Always legal: an invalid turn can only come from a server's fault."""

EPISODES, TURNS = 10, 4
MIXED = [
    fails(429, "slow down", Retry_After="0"),
    by_seed(REPLIES),
    fails(500, "oops"),
    hang,
    half,
    no_choices,
    long_by_seed(REPLIES, 2_000_000),
    by_seed(REPLIES),
    drop,
    half_but_whole,
    fails(503),
    long_by_seed(REPLIES, 2_000_000),
    by_seed(REPLIES),
]


@dataclass(frozen=True)
class Asker:
    """Asks once a turn and reads `a + b` from the reply."""

    backend: Backend
    name: str = "asker"

    async def act(self, observation: Sight, history: History[Pair], rng: np.random.Generator) -> Decision[Pair]:
        said = (Message(role="user", text=", ".join(observation.combinable)),)
        completion = await self.backend.complete(said, Sampling(max_tokens=8, seed=below(rng, 2**31)))
        found = re.search(r"(\w+) \+ (\w+)", completion.text)
        action = Pair(first=found[1], second=found[2]) if found else Unreadable(unreadable="no pair is in it")
        return Decision(action=action, completion=completion)


def manifest() -> Manifest:
    return Manifest(kind="play alchemy", config={}, build="b", versions={}, hashes={}, label="asker", created="now")


def plan(folder: RunFolder[Pair]) -> list[Planned]:
    """The episodes that have not ended, or ended in an error, with the turns that they already have."""
    task = next(ENVIRONMENT.tasks("open", 0))
    ended = {key for key, line in folder.ended().items() if line.end != "error"}
    past = folder.turns(Pair)
    keys = [f"{number:04}" for number in range(EPISODES)]
    return [Planned(key=key, task=task, past=tuple(past.get(key, ()))) for key in keys if key not in ended]


def play_against(
    folder: RunFolder[Pair], script: Sequence[Behaviour], **settings: Any
) -> tuple[dict[str, Episode[Pair]], FakeServer]:
    """Play what is left of the run, at once, against a server that follows the script."""

    async def main() -> tuple[dict[str, Episode[Pair]], FakeServer]:
        async with FakeServer(*script) as server:
            config = HttpConfig(base_url=server.url, **{"timeout": 0.6, "first_delay": 0.001, **settings})
            backend = OpenAIHttp("m", config)
            played: dict[str, Episode[Pair]] = {}
            try:
                async for episode in play_many(
                    ENVIRONMENT, Discovery(environment=ENVIRONMENT), Asker(backend), plan(folder),
                    seed=1, turns=TURNS, concurrency=EPISODES, sink=folder,
                ):  # fmt: skip
                    played[episode.key] = episode
            finally:
                await backend.close()
            return played, server

    try:
        return run(main())
    finally:
        folder.close()


def undisturbed(path: Path) -> dict[str, Episode[Pair]]:
    return play_against(RunFolder.create(path, manifest()), [by_seed(REPLIES)])[0]


def moves(episodes: dict[str, Episode[Pair]]) -> dict[str, Any]:
    """What was done and how it was judged."""
    return {key: [(turn.action, turn.verdict) for turn in episodes[key].turns] for key in sorted(episodes)}


def stored(path: Path) -> dict[str, Episode[Pair]]:
    return {episode.key: episode for episode in RunFolder[Pair].read(path).episodes(Pair)}


def lines(episodes: dict[str, Episode[Pair]]) -> dict[str, Any]:
    """All that is kept of an episode on disk."""
    return {
        key: (e.end, e.failure, [(t.index, t.action, t.verdict, t.completion) for t in e.turns])
        for key, e in sorted(episodes.items())
    }


def test_faults_change_nothing_that_is_played(tmp_path: Path) -> None:
    expected = undisturbed(tmp_path / "calm")
    folder = RunFolder.create(tmp_path / "storm", manifest())
    played, server = play_against(folder, MIXED, attempts=12, timeout=2.5)  # a busy machine is slower than 0.6 s
    faults = len(MIXED) - 5
    assert len(server.requests) == EPISODES * TURNS + faults
    assert {episode.end for episode in played.values()} == {"truncated"}
    assert moves(played) == moves(expected)
    completions = [turn.completion for episode in played.values() for turn in episode.turns]
    assert sum(completion.attempts for completion in completions if completion) == EPISODES * TURNS + faults
    assert sorted(c.finish for c in completions if c) == ["cut"] * 2 + ["stop"] * (EPISODES * TURNS - 2)


def test_what_is_on_disk_is_what_was_played(tmp_path: Path) -> None:
    played, _ = play_against(RunFolder.create(tmp_path / "storm", manifest()), MIXED, attempts=12)
    assert len(played) == EPISODES
    assert lines(stored(tmp_path / "storm")) == lines(played)


def test_with_few_attempts_some_episodes_end_in_an_error_and_none_in_a_mistake(tmp_path: Path) -> None:
    expected = undisturbed(tmp_path / "calm")
    played, _ = play_against(RunFolder.create(tmp_path / "storm", manifest()), MIXED, attempts=1)
    failed = [episode for episode in played.values() if episode.end == "error"]
    assert len(failed) == min(EPISODES, len(MIXED) - 5)
    assert lines(stored(tmp_path / "storm")) == lines(played)
    for episode in failed:
        assert episode.failure is not None
        assert episode.failure.kind == "BackendError"
        assert "no answer in 1 attempts, the last time because" in episode.failure.message
    for key, turns in moves(played).items():
        assert turns == moves(expected)[key][: len(turns)]
        assert all(verdict.parts["category"] != "invalid" for _, verdict in turns)


def test_a_server_that_always_fails_ends_every_episode_with_the_cause(tmp_path: Path) -> None:
    played, server = play_against(RunFolder.create(tmp_path / "run", manifest()), [fails(500, "melted")], attempts=2)
    assert len(server.requests) == 2 * EPISODES
    assert len(played) == EPISODES
    for episode in played.values():
        assert (episode.end, episode.turns) == ("error", ())
        assert episode.failure is not None
        assert "HTTP 500: melted" in episode.failure.message
        assert "in 2 attempts" in episode.failure.message
    assert lines(stored(tmp_path / "run")) == lines(played)


@pytest.mark.parametrize("answered", [0, 13])
def test_a_run_that_failed_goes_on_to_the_same_episodes(tmp_path: Path, answered: int) -> None:
    expected = undisturbed(tmp_path / "calm")
    dying = [by_seed(REPLIES)] * answered + [fails(500)]
    broken, _ = play_against(RunFolder.create(tmp_path / "run", manifest()), dying, attempts=2)
    assert sum(len(episode.turns) for episode in broken.values()) == answered
    assert "error" in {episode.end for episode in broken.values()}
    _, server = play_against(RunFolder.resume(tmp_path / "run", manifest()), [by_seed(REPLIES)])
    assert len(server.requests) == EPISODES * TURNS - answered
    mended = stored(tmp_path / "run")
    assert {episode.end for episode in mended.values()} == {"truncated"}
    assert moves(mended) == moves(expected)


def test_a_refused_key_stops_the_run_and_keeps_the_turns(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="HTTP 401"):
        play_against(RunFolder.create(tmp_path / "run", manifest()), [by_seed(REPLIES)] * 10 + [fails(401)])
    kept = RunFolder[Pair].read(tmp_path / "run")
    assert sum(len(turns) for turns in kept.turns(Pair).values()) == 10
    assert kept.ended() == {}
