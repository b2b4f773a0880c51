"""A run against a server: what it is asked, what its manifest says, and what is told of answers that were cut."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from athanor.agents.registry import LanguageOptions
from athanor.core.errors import UsageError
from athanor.environments.alchemy.loaders import to_own
from athanor.models.backends import BackendConfig
from athanor.models.backends.openai_http import HttpConfig
from athanor.studies.playing import Config, play
from tests.models.fake_server import (
    Behaviour,
    FakeServer,
    apart,  # noqa: F401
    fails,
    good,
    run,
)

pytestmark = pytest.mark.usefixtures("apart")


@pytest.fixture
def world(tmp_path: Path, small) -> Path:
    (tmp_path / "small.json").write_bytes(to_own(small))
    return tmp_path


def played(world: Path, *script: Behaviour, http: dict[str, Any] | None = None, **options: Any) -> FakeServer:
    """A run of two turns in `world`/run (gone on with if it is there) over a server that follows the script."""

    async def main() -> FakeServer:
        async with FakeServer(*script) as server:
            config = Config(
                table=str(world / "small.json"), rules="strict", agent="language", episodes=1, turns=2, seed=1,
                out=world / "run", resume=True, language=LanguageOptions(model="m", **options),
                backend=BackendConfig(
                    backend="openai", http=HttpConfig(base_url=server.url, attempts=1, timeout=2.0, **(http or {}))
                ),
            )  # fmt: skip
            await asyncio.to_thread(play, config)
            return server

    return run(main())


def manifest(world: Path) -> dict[str, Any]:
    return json.loads((world / "run" / "manifest.json").read_text())


def test_a_server_may_reason_before_it_answers_unless_a_bound_is_given(world: Path):
    assert played(world, good("ink + pen")).requests[0].body["max_tokens"] == 4096
    assert manifest(world)["config"]["max_tokens"] == 4096


def test_a_given_bound_is_kept(world: Path):
    assert played(world, good("ink + pen"), max_tokens=7).requests[0].body["max_tokens"] == 7


def test_answers_cut_at_the_bound_are_told(world: Path, capsys: pytest.CaptureFixture[str]):
    played(world, good("", finish="length", reasoning_content="hm"), good("ink + pen", finish="length"))
    assert "2 of 2 answers were cut at the bound of 4096 tokens, and 1 of those could not be read" in (
        capsys.readouterr().err
    )


def test_whole_answers_are_not_warned_of(world: Path, capsys: pytest.CaptureFixture[str]):
    played(world, good("no idea"))
    assert "cut" not in capsys.readouterr().err


def test_a_server_that_refuses_seeds_can_be_asked_without_one(world: Path):
    with pytest.raises(UsageError, match="--http.without-seed"):
        played(world, fails(422, "seed: extra_forbidden"))
    (world / "again").mkdir()
    (world / "small.json").rename(world / "again" / "small.json")
    server = played(world / "again", good("ink + pen"), http={"without_seed": True})
    assert len(server.requests) == 2
    assert not any("seed" in request.body for request in server.requests)


def test_whether_seeds_are_sent_is_what_a_run_is_and_its_patience_is_not(world: Path):
    played(world, good("ink + pen"))
    config, execution = manifest(world)["config"], manifest(world)["execution"]
    assert (config["without_seed"], "without_seed" in execution["http"]) == (False, False)
    assert (execution["http"]["timeout"], execution["at_once"]) == (2.0, 8)
    stored = (world / "run" / "manifest.json").read_text()
    (world / "run" / "manifest.json").write_text(stored.replace('"without_seed": false', '"without_seed": true'))
    with pytest.raises(UsageError, match="without_seed was True and is now False"):
        played(world, good("ink + pen"))


def test_answers_that_the_server_withheld_are_told(world: Path, capsys: pytest.CaptureFixture[str]):
    played(world, good(None, finish="content_filter"), good(None, refusal="I will not"))
    said = capsys.readouterr().err
    assert "1 of 2 answers were withheld by the server's content filter: invalid turns, cause filtered" in said
    assert "1 of 2 answers were refusals: invalid turns, cause refused" in said


def test_a_run_is_not_gone_on_with_by_another_server(world: Path):
    first = played(world, good("ink + pen"))
    assert manifest(world)["config"]["base_url"] == first.url
    with pytest.raises(UsageError, match=f"base_url was '{first.url}' and is now"):
        played(world, good("ink + pen"))
