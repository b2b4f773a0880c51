import math
from base64 import b64decode
from typing import Any

import pytest

from athanor.core.errors import BackendError, UsageError
from athanor.core.records import Completion, Message, Sampling, TokenLogprob
from athanor.models.backends import openai_http
from athanor.models.backends.openai_http import OpenAIHttp
from tests.models.asking import ASKED, KEY, PLAIN, ask, failure, quick
from tests.models.fake_server import (
    Behaviour,
    FakeServer,
    apart,  # noqa: F401
    good,
    run,
    says,
)

pytestmark = pytest.mark.usefixtures("apart")


def test_a_good_answer_is_read_whole() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 8},
    }
    completion, _ = ask(good("fire + water", usage=usage, reasoning_content="hm"))
    assert completion.seconds > 0
    assert completion == Completion(
        text="fire + water",
        model="fake-1",
        reasoning="hm",
        finish="stop",
        prompt_tokens=100,
        cached_tokens=60,
        completion_tokens=20,
        reasoning_tokens=8,
        seconds=completion.seconds,
        attempts=1,
    )


def test_what_a_server_does_not_say_is_unknown() -> None:
    completion, _ = ask(says({"choices": [{"message": {"content": "a"}}]}), price_prompt=1.0, price_completion=1.0)
    unknown = completion.prompt_tokens, completion.cached_tokens, completion.completion_tokens, completion.cost
    assert unknown == (None, None, None, None)
    assert (completion.finish, completion.model, completion.logprobs) == ("unknown", "m", ())


@pytest.mark.parametrize(
    ("message", "reasoning"),
    [
        ({"reasoning": "a"}, "a"),
        ({"reasoning_content": "b"}, "b"),
        ({"reasoning": {"effort": 1}}, ""),
        ({"reasoning": None, "reasoning_content": None}, ""),
    ],
)
def test_reasoning_is_kept_apart_under_either_name(message: dict[str, Any], reasoning: str) -> None:
    completion, _ = ask(good("x", **message))
    assert (completion.text, completion.reasoning) == ("x", reasoning)


@pytest.mark.parametrize(
    ("parts", "text", "reasoning", "finish"),
    [
        ([{"type": "text", "text": "fire + water"}], "fire + water", "", "stop"),
        ([{"type": "text", "text": "fire "}, {"type": "text", "text": "+ water"}], "fire + water", "", "stop"),
        (["fire ", {"type": "text", "text": "+ water"}], "fire + water", "", "stop"),
        ([], "", "", "stop"),
        ([{"type": "refusal", "refusal": "no"}], "no", "", "refusal"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}], "x", "hm",
         "stop"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "y"}], "y", "", "stop"),
    ],
)  # fmt: skip
def test_a_message_in_parts_is_joined(parts: list[Any], text: str, reasoning: str, finish: str) -> None:
    completion, _ = ask(good(parts, usage={"completion_tokens": 1}))  # type: ignore[arg-type]
    assert (completion.text, completion.reasoning, completion.finish) == (text, reasoning, finish)


def test_deepseek_reports_cached_tokens_in_its_own_field() -> None:
    completion, _ = ask(good("x", usage={"prompt_tokens": 5, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}))
    assert completion.cached_tokens == 4


def test_log_probabilities_come_with_their_alternatives() -> None:
    tokens = [
        {"token": "fi", "logprob": -0.5, "bytes": None, "top_logprobs": [{"token": "wa", "logprob": -1.5}]},
        {"token": "re", "logprob": 0, "top_logprobs": None},
    ]
    completion, server = ask(good("fire", logprobs=tokens), sampling=Sampling(max_tokens=16, top_logprobs=2))
    assert completion.logprobs == (
        TokenLogprob(token="fi", logprob=-0.5, top=(("wa", -1.5),)),
        TokenLogprob(token="re", logprob=0.0),
    )
    assert (server.requests[0].body["logprobs"], server.requests[0].body["top_logprobs"]) == (True, 2)


def test_only_what_is_set_is_asked_for() -> None:
    _, server = ask(good("x"))
    request = server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "m",
        "max_tokens": 16,
        "messages": [{"role": "system", "content": "a game"}, {"role": "user", "content": "what now?"}],
    }


def test_what_is_set_is_asked_for() -> None:
    sampling = Sampling(
        max_tokens=16, temperature=0.0, top_p=0.5, seed=0, grammar='root ::= "a"', reasoning_effort="low"
    )
    _, server = ask(good("x"), sampling=sampling, grammar_parameter="grammar", token_parameter="max_completion_tokens")
    body = server.requests[0].body
    del body["messages"], body["model"]
    assert body == {
        "max_completion_tokens": 16, "temperature": 0.0, "top_p": 0.5, "seed": 0, "grammar": 'root ::= "a"',
        "reasoning_effort": "low",
    }  # fmt: skip


def test_openais_own_server_is_asked_with_its_newer_token_field(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> dict[str, Any]:
        async with FakeServer(good("x")) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
            backend = OpenAIHttp("m", quick(None))
            await backend.complete(ASKED, PLAIN)
            await backend.close()
            return server.requests[0].body

    body = run(main())
    assert body["max_completion_tokens"] == 16
    assert "max_tokens" not in body


def test_a_grammar_is_refused_where_the_server_takes_none() -> None:
    said = failure(good("x"), kind=UsageError, sampling=Sampling(max_tokens=1, grammar="root ::= [a]"))
    assert "--http.grammar-parameter is empty" in said


def test_images_are_sent_as_data_urls_before_the_text() -> None:
    png, jpeg = b"\x89PNG\r\n\x1a\n123", b"\xff\xd8\xff\xe0456"
    _, server = ask(good("x"), messages=(Message(role="user", text="which?", images=(png, jpeg)),))
    first, second, text = server.requests[0].body["messages"][0]["content"]
    for part, kind, image in ((first, "png", png), (second, "jpeg", jpeg)):
        head, _, data = part["image_url"]["url"].partition(",")
        assert head == f"data:image/{kind};base64"
        assert b64decode(data) == image
    assert text == {"type": "text", "text": "which?"}


def test_an_image_of_another_kind_is_refused() -> None:
    said = failure(good("x"), kind=UsageError, messages=(Message(role="user", text="?", images=(b"GIF89a..",)),))
    assert "GIF89a" in said
    assert "PNG or JPEG" in said


@pytest.mark.parametrize(
    ("behaviour", "text", "finish"),
    [
        (good(None, finish="content_filter"), "", "content_filter"),
        (good("", finish="content_filter"), "", "content_filter"),
        (good(None, finish="length", reasoning_content="so long"), "", "length"),
        (good(None, finish=None, reasoning="so long"), "", "unknown"),
        (good("", finish="stop", usage={"completion_tokens": 1}), "", "stop"),
        (good(None, finish="stop", refusal="I will not"), "I will not", "refusal"),
        (good(None, finish="content_filter", refusal="I cannot"), "I cannot", "content_filter"),
        (good("fire + water", finish="stop", refusal=""), "fire + water", "stop"),
    ],
)
def test_an_answer_without_words_is_none_and_its_finish_says_whose_doing_that_is(
    behaviour: Behaviour, text: str, finish: str
) -> None:
    completion, _ = ask(behaviour)
    assert (completion.text, completion.finish, completion.attempts) == (text, finish, 1)


@pytest.mark.parametrize("usage", [None, {"completion_tokens": 0}])
def test_an_empty_answer_for_which_no_token_was_counted_is_the_servers_fault(usage: dict[str, Any] | None) -> None:
    with pytest.raises(BackendError, match="is empty, and no token was counted"):
        ask(good("", finish="stop", usage=usage))
    completion, _ = ask(good("", finish="stop", usage=usage), good("fire + water"))
    assert (completion.text, completion.attempts) == ("fire + water", 2)


def test_a_huge_answer_is_cut_and_marked() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 500_000}
    tokens = [{"token": "fire + water", "logprob": -1.0}, {"token": "x" * 100_000, "logprob": -2.0}]
    text = "fire + water" + "x" * 2_000_000
    completion, _ = ask(good(text, usage=usage, reasoning="y" * 2_000_000, logprobs=tokens))
    assert completion.text == text[:65536]
    assert completion.reasoning == "y" * 65536
    assert (completion.finish, completion.completion_tokens, completion.attempts) == ("cut", 500_000, 1)
    assert [token.token for token in completion.logprobs] == ["fire + water"]


def test_a_cut_leaves_whole_characters() -> None:
    completion, _ = ask(good("ééé"), max_answer_bytes=5)
    assert (completion.text, completion.finish) == ("éé", "cut")
    completion, _ = ask(good("ééé"), max_answer_bytes=6)
    assert (completion.text, completion.finish) == ("ééé", "stop")


def test_a_cut_answer_keeps_the_log_probabilities_of_the_tokens_it_keeps() -> None:
    tokens = [{"token": "é", "logprob": -float(n)} for n in (1, 2, 3)]
    completion, _ = ask(good("ééé", logprobs=tokens), max_answer_bytes=4)
    assert [token.logprob for token in completion.logprobs] == [-1.0, -2.0]


def test_a_body_without_end_is_a_fault_not_a_full_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_http, "LARGEST_BODY", 10_000)
    completion, _ = ask(good("x" * 20_000), good("short"))
    assert (completion.text, completion.attempts) == ("short", 2)


@pytest.mark.parametrize(
    ("prices", "cached", "expected"),
    [
        ((2.0, 0.5, 10.0), 40, (60 * 2.0 + 40 * 0.5 + 20 * 10.0) / 1e6),
        ((2.0, 0.5, 10.0), 0, (100 * 2.0 + 20 * 10.0) / 1e6),
        ((2.0, None, 10.0), 0, (100 * 2.0 + 20 * 10.0) / 1e6),
        ((2.0, None, 10.0), None, (100 * 2.0 + 20 * 10.0) / 1e6),
        ((2.0, None, 10.0), 40, None),
        ((2.0, 0.5, 10.0), None, None),
        ((None, 0.5, 10.0), 40, None),
        ((2.0, 0.5, None), 40, None),
        ((0.0, 0.0, 0.0), 40, 0.0),
    ],
)
def test_the_cost_follows_from_the_prices_or_is_unknown(
    prices: tuple[float | None, ...], cached: int | None, expected: float | None
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": cached}}
    prompt, reused, completed = prices
    completion, _ = ask(good("x", usage=usage), price_prompt=prompt, price_cached=reused, price_completion=completed)
    if expected is None:
        assert completion.cost is None
    else:
        assert completion.cost is not None
        assert math.isclose(completion.cost, expected)
