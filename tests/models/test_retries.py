from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from athanor.core.errors import BackendError, UsageError
from athanor.core.seeds import stream
from athanor.models.backends.rate import Pace
from athanor.models.backends.retries import Fault, backoff, judge, message_of, seconds_to_wait

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_failures_that_may_pass_are_faults(status: int) -> None:
    verdict = judge(status, {"message": "busy"}, "busy")
    assert type(verdict) is Fault
    assert str(verdict) == f"the server answered HTTP {status}: busy"


@pytest.mark.parametrize(
    ("status", "advice"), [(400, "setting"), (401, "key"), (403, "key"), (404, "base-url"), (422, "setting")]
)
def test_failures_that_never_pass_stop_the_run_with_advice(status: int, advice: str) -> None:
    verdict = judge(status, {"message": "bad", "code": None}, "bad")
    assert type(verdict) is UsageError
    assert f"HTTP {status}: bad; " in str(verdict)
    assert advice in str(verdict)


OPENAI = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
ONLY_ONE = (
    "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported."
)


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (400, {"message": OPENAI, "param": "max_tokens"}, "pass --http.token-parameter max_completion_tokens"),
        (400, {"message": OPENAI}, "pass --http.token-parameter max_completion_tokens"),
        (400, {"message": "Unrecognized request argument supplied: max_completion_tokens"},
         "pass --http.token-parameter max_tokens"),
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"]}]},
         "pass --http.token-parameter max_tokens"),
        (400, {"message": "max_tokens is too large: 99999. This model takes at most 16384"}, "pass another --max-tok"),
        (400, {"message": "Unknown parameter: 'seed'."}, "pass --http.without-seed"),
        (422, {"message": "seed: extra_forbidden"}, "pass --http.without-seed"),
        (400, {"message": ONLY_ONE, "param": "temperature", "code": "unsupported_value"}, "leave --temperature out"),
        (400, {"message": "temperature must be in [0, 1]"}, "pass another --temperature"),
        (400, {"message": "top_p is not supported"}, "leave --top-p out"),
        (400, {"message": "reasoning_effort: Extra inputs are not permitted"}, "leave --reasoning-effort out"),
        (400, {"message": "logprobs are not allowed here"}, "leave --top-logprobs out"),
        (400, {"message": "what?"}, "leave out the setting that it names"),
    ],
)  # fmt: skip
def test_a_field_that_a_server_refuses_is_answered_with_the_option_behind_it(status, body, advice) -> None:
    verdict = judge(status, body, message_of(body))
    assert type(verdict) is UsageError
    assert str(verdict).partition("; ")[2].startswith(advice)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"code": "context_length_exceeded", "message": "too much"}),
        (400, {"type": "exceed_context_size_error", "message": "too much"}),
        (400, {"message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"}),
        (400, {"message": "The decoder prompt (length 9) is longer than the maximum model length of 8."}),
        (500, {"message": "the request exceeds the available context size. try increasing it"}),
        (400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}),
        (422, {"message": "`inputs` tokens + `max_new_tokens` must be <= 4096"}),
        (400, {"message": "The input token count (9) exceeds the maximum number of tokens allowed (8)."}),
    ],
)
def test_a_prompt_that_is_too_long_ends_its_episode_only(status: int, body: dict[str, Any]) -> None:
    verdict = judge(status, body, body["message"])
    assert type(verdict) is BackendError
    assert "--history window" in str(verdict)


def test_a_refused_prompt_ends_its_episode_only() -> None:
    assert type(judge(400, {"code": "content_filter", "message": "no"}, "no")) is BackendError


def test_a_key_without_credit_stops_the_run_and_is_not_asked_again() -> None:
    verdict = judge(429, {"code": "insufficient_quota", "message": "pay"}, "pay")
    assert type(verdict) is UsageError
    assert "credit" in str(verdict)


def test_a_rate_limit_is_a_fault_even_when_it_speaks_of_context() -> None:
    said = "context window tokens per minute"
    assert type(judge(429, {"message": said}, said)) is Fault


def test_the_wait_that_a_server_asks_for_is_kept_with_the_fault() -> None:
    verdict = judge(503, {}, "busy", "7")
    assert isinstance(verdict, Fault)
    assert verdict.wait == 7.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        ("0.5", 0.5),
        (" 12 ", 12.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Fri, 02 Jan 2026 04:04:05 +0100", 0.0),
        ("Fri, 02 Jan 2026 03:04:15 -0000", 10.0),
        ("soon", None),
        ("-3", None),
        ("nan", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, NOW) == seconds


@given(st.text(max_size=40))
@example("0\x1f")
@example("٣")
@example("Fri, 02 Jan 99999999999 03:04:15 GMT")
def test_no_retry_after_header_breaks_the_reader(header: str) -> None:
    seconds = seconds_to_wait(header, NOW)
    assert seconds is None or seconds >= 0


def test_backoff_doubles_up_to_its_bound_and_is_jittered_by_at_most_half() -> None:
    rng = stream(0, "test")
    for attempt, whole in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (5000, 5.0)):
        waits = [backoff(attempt, 1.0, 5.0, rng) for _ in range(200)]
        assert whole / 2 <= min(waits) < 0.6 * whole
        assert 0.9 * whole < max(waits) <= whole


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "a\n b"}, "a b"),
        ({"detail": [{"loc": ["seed"]}]}, "[{'loc': ['seed']}]"),
        ({"error": "x"}, "x"),
        ({"reason": "y"}, "{'reason': 'y'}"),
        ("plain  text", "plain text"),
        (None, "(nothing said)"),
        ("", "(nothing said)"),
    ],
)
def test_what_a_server_says_is_found_in_any_shape_of_body(body: Any, said: str) -> None:
    assert message_of(body) == said


def test_moments_are_evenly_spaced_and_an_idle_time_saves_nothing_up() -> None:
    pace = Pace(60)
    assert [pace.reserve(now) for now in (100.0, 100.0, 100.5, 200.0, 200.0)] == [0.0, 1.0, 1.5, 0.0, 1.0]


def test_without_a_bound_nobody_waits() -> None:
    pace = Pace(0)
    assert [pace.reserve(5.0) for _ in range(3)] == [0.0, 0.0, 0.0]
