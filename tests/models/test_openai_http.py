import asyncio
import logging
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from athanor.core.errors import BackendError, UsageError
from athanor.core.records import Message
from athanor.models.backends.openai_http import HttpConfig, OpenAIHttp
from tests.models.asking import ASKED, KEY, PLAIN, ask, failure, quick
from tests.models.fake_server import (
    Behaviour,
    FakeServer,
    apart,  # noqa: F401
    drop,
    fails,
    good,
    half,
    half_but_whole,
    hang,
    no_choices,
    run,
    says,
    until,
)

pytestmark = pytest.mark.usefixtures("apart")


SERVER_FAULTS = {
    "a rate limit": fails(429, "slow down", Retry_After="0"),
    "an error": fails(500, "oops"),
    "an overload": fails(503, "later"),
    "a timeout of its own": fails(408),
    "a conflict": fails(409),
    "a page": says(b"<html>bad gateway</html>", status=502),
    "a hang": hang,
    "a dropped connection": drop,
    "half a body": half,
    "half a JSON": half_but_whole,
    "no choices": no_choices,
    "an error under 200": says({"error": {"message": "upstream", "code": 502}}),
    "an error as finish": good("", finish="error"),
    "another JSON": says([1, 2]),
    "no JSON": says(b"hello"),
    "no UTF-8": says(b'{"choices": [{"message": {"content": "\xff"}}]}'),
    "nothing at all": good(None, finish=None),
}


@pytest.mark.parametrize("what", SERVER_FAULTS)
def test_a_fault_of_the_server_is_asked_again(what: str) -> None:
    completion, server = ask(SERVER_FAULTS[what], good("fire + water"), timeout=0.3 if what == "a hang" else 2.0)
    assert (completion.text, completion.attempts, len(server.requests)) == ("fire + water", 2, 2)


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("a rate limit", "HTTP 429: slow down"),
        ("an error", "HTTP 500: oops"),
        ("a page", "HTTP 502: <html>"),
        ("a hang", "no whole answer in 0.1 seconds"),
        ("a dropped connection", "the connection failed"),
        ("half a body", "the connection failed"),
        ("half a JSON", "not a chat completion in JSON"),
        ("no choices", "no choices"),
        ("an error under 200", "no choices: upstream"),
    ],
)
def test_after_the_last_attempt_the_cause_the_count_and_advice_are_told(what: str, cause: str) -> None:
    said = failure(SERVER_FAULTS[what], timeout=0.1 if what == "a hang" else 2.0, attempts=2)
    assert cause in said
    assert "no answer in 2 attempts" in said
    assert "--resume" in said


def test_no_more_requests_are_made_than_allowed() -> None:
    async def main() -> int:
        async with FakeServer(fails(500)) as server:
            backend = OpenAIHttp("m", quick(server.url, attempts=4))
            with pytest.raises(BackendError):
                await backend.complete(ASKED, PLAIN)
            await backend.close()
            return len(server.requests)

    assert run(main()) == 4


def test_a_server_that_is_not_there_is_a_failure_with_its_cause() -> None:
    async def main() -> str:
        async with FakeServer(good("x")) as server:
            url = server.url
        backend = OpenAIHttp("m", quick(url, attempts=2))
        with pytest.raises(BackendError) as caught:
            await backend.complete(ASKED, PLAIN)
        await backend.close()
        return str(caught.value)

    assert "the connection failed (ConnectError" in run(main())


def test_retry_after_is_waited_for_and_counted_in_the_seconds() -> None:
    completion, server = ask(fails(429, Retry_After="0.2"), good("x"))
    assert server.requests[1].moment - server.requests[0].moment >= 0.2
    assert completion.seconds >= 0.2


def test_the_backoff_grows_from_its_first_delay() -> None:
    _, server = ask(fails(500), fails(500), good("x"), first_delay=0.1)
    one, two, three = (request.moment for request in server.requests)
    assert two - one >= 0.05
    assert three - two >= 0.1


def test_a_server_that_asks_for_an_hour_is_given_up_at_once() -> None:
    said = failure(fails(503, "maintenance", Retry_After="3600"), attempts=5)
    assert "asks to wait 3600 seconds after 1 attempts" in said
    assert "maintenance" in said


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_will_never_work_is_asked_once_and_stops_the_run(status: int) -> None:
    async def main() -> tuple[str, int]:
        async with FakeServer(fails(status, "no such thing " + "x" * 5000)) as server:
            backend = OpenAIHttp("m", quick(server.url))
            with pytest.raises(UsageError) as caught:
                await backend.complete(ASKED, PLAIN)
            await backend.close()
            return str(caught.value), len(server.requests)

    said, requests = run(main())
    assert requests == 1
    assert f"HTTP {status}: no such thing" in said
    assert len(said) < 600


def test_a_prompt_too_long_is_asked_once_and_ends_the_episode_only() -> None:
    said = failure(fails(400, "too long", code="context_length_exceeded"), good("never asked"))
    assert "--history window" in said


def many(count: int, behaviour: Behaviour, **settings: Any) -> FakeServer:
    """Completions asked for all at once."""

    async def main() -> FakeServer:
        async with FakeServer(behaviour) as server:
            backend = OpenAIHttp("m", quick(server.url, timeout=2.0, **settings))
            await asyncio.gather(*(backend.complete((Message(role="user", text=str(n)),), PLAIN) for n in range(count)))
            await backend.close()
            return server

    return run(main())


async def slow(*request: Any) -> None:
    await asyncio.sleep(0.03)
    await good("x")(*request)


def test_requests_in_flight_are_bounded_and_slots_says_so() -> None:
    assert many(9, slow, concurrency=3).most_at_once == 3
    assert OpenAIHttp("m", quick("http://127.0.0.1:1/v1", concurrency=3)).slots == 3


def test_requests_are_evenly_spaced_and_served_in_their_order() -> None:
    requests = many(6, good("x"), requests_per_minute=60 / 0.25).requests
    assert [request.body["messages"][0]["content"] for request in requests] == list("012345")
    moments = [request.moment for request in requests]
    assert moments[-1] - moments[1] >= 3 * 0.25  # of 4 * 0.25: the way to the server takes its time too


def test_retries_count_as_requests_for_the_rate() -> None:
    _, server = ask(fails(500), fails(500), good("x"), requests_per_minute=60 / 0.15)
    assert server.requests[2].moment - server.requests[1].moment >= 0.1


def test_a_cancelled_request_leaves_nothing_and_frees_its_slot() -> None:
    async def main() -> str:
        async with FakeServer(hang, good("x")) as server:
            backend = OpenAIHttp("m", quick(server.url, timeout=5.0, concurrency=1))
            task = asyncio.create_task(backend.complete(ASKED, PLAIN))
            await until(lambda: len(server.requests) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            completion = await backend.complete(ASKED, PLAIN)
            await backend.close()
            return completion.text

    assert run(main()) == "x"


def test_the_key_is_sent_and_appears_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    caplog.set_level(logging.DEBUG)
    _, server = ask(good("x"), api_key_env="MY_KEY")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    refused = failure(fails(401, "x" * 290 + f"bad key {KEY} given"), kind=UsageError, api_key_env="MY_KEY")
    broken = failure(fails(500, f"bad key {KEY} given"), api_key_env="MY_KEY")
    gateway = failure(says({"error": {"message": f"bad key {KEY}"}}), api_key_env="MY_KEY")
    assert "[key]" in broken
    for text in (refused, broken, gateway, caplog.text, repr(quick(None, api_key_env="MY_KEY"))):
        assert KEY not in text
        assert KEY[:8] not in text


def test_a_server_of_ones_own_needs_no_key() -> None:
    _, server = ask(good("x"))
    assert server.requests[0].headers["authorization"] == "Bearer no-key"


def test_openais_server_is_not_asked_without_a_key() -> None:
    with pytest.raises(UsageError, match="MY_KEY is not set"):
        OpenAIHttp("m", quick(None, api_key_env="MY_KEY"))


def test_a_key_with_a_line_break_is_refused_without_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-one\nsk-two")
    with pytest.raises(UsageError, match="MY_KEY") as caught:
        OpenAIHttp("m", quick("http://127.0.0.1:1/v1", api_key_env="MY_KEY"))
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("attempts", 0),
        ("concurrency", 0),
        ("timeout", 0.0),
        ("timeout", float("nan")),
        ("first_delay", -1.0),
        ("longest_delay", -1.0),
        ("requests_per_minute", -1.0),
        ("max_answer_bytes", 0),
        ("url", "localhost:8080/v1"),
        ("url", "http://localhost:port/v1"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_name(setting: str, value: Any) -> None:
    with pytest.raises(UsageError, match="expected") as caught:
        OpenAIHttp("m", quick(**{"url": "http://127.0.0.1:1/v1", setting: value}))
    assert setting.replace("_", "-") in str(caught.value)


def test_a_password_in_the_address_is_refused_without_being_told() -> None:
    with pytest.raises(UsageError, match="base-url .* holds") as caught:
        OpenAIHttp("m", quick("http://me:secret@127.0.0.1:1/v1"))
    assert "secret" not in str(caught.value)


def test_a_missing_package_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(UsageError, match=r"pip install 'athanor-lab\[http\]'"):
        OpenAIHttp("m", quick("http://127.0.0.1:1/v1"))


def test_importing_the_module_does_not_import_the_package() -> None:
    code = "import sys, athanor.models.backends.openai_http; print('openai' in sys.modules, 'httpx2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_config_stays_small() -> None:
    assert len(fields(HttpConfig)) <= 15
