"""Which failures of a server are worth another request, and how long to wait before it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np

from athanor.core.errors import AthanorError, BackendError, UsageError

PATIENCE = 300.0
"""Seconds that a server may ask to be left alone. One that asks for more is given up at once: the run can go on to
other episodes and come back with --resume."""

QUOTED = 300
"""Characters of a server's message that are quoted in an error."""

_REPEATED = frozenset({408, 409, 425, 429})
_SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_REFUSED = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})
# The words of OpenAI, vLLM, llama-server, TGI, SGLang and the compatible fronts of Anthropic and Google.
_TOO_LONG = re.compile(
    r"context[ _](length|size|window)|maximum model length|(prompt|input) is too long|max_new_tokens` must be"
    r"|maximum (allowed length|number of tokens)|longer than the model",
    re.IGNORECASE,
)


class Fault(Exception):
    """The server failed once and asking again may help. It never leaves a backend."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait
        """Seconds the server asked to wait, if it did."""


def judge(status: int, body: Any, message: str, retry_after: str | None = None) -> Fault | AthanorError:
    """The error that an HTTP status other than success stands for.

    `body` is the server's error object (or whatever it sent) and `message` what is quoted of it. A Fault may be
    tried again; a BackendError ends this episode only; a UsageError stops the run, as every request would fail.
    """
    said = f"the server answered HTTP {status}: {message}"
    marks = {str(body.get(name)) for name in ("code", "type")} if isinstance(body, dict) else set()
    if status != 429 and _TOO_LONG.search(" ".join((*marks, message_of(body)))):
        return BackendError(
            f"{said}; the prompt and the answer's bound do not fit the model: "
            "pass --history window or tried, or a smaller --max-tokens"
        )
    if marks & _SPENT:
        return UsageError(f"{said}; no credit is left for this key: add some and go on with --resume")
    if status in _REPEATED or status >= 500:
        return Fault(said, seconds_to_wait(retry_after, datetime.now(UTC)))
    if marks & _REFUSED:
        return BackendError(f"{said}; the server does not take this prompt: leave the episode out or ask another model")
    return UsageError(f"{said}; {_ADVICE.get(status, _ADVICE[400])}")


_ADVICE = {
    400: "leave out the setting that it names (a seed: --http.without-seed), or ask another server or model",
    401: "put a valid key in the environment variable that api_key_env names",
    403: "use a key that may ask this model",
    404: "check model and base_url (most end in /v1)",
}


def message_of(body: Any) -> str:
    """What a server says in an error body, whatever its shape, on one line."""
    if isinstance(body, dict):
        body = next((body[name] for name in ("message", "detail", "error") if body.get(name)), body)
    return " ".join(str(body).split()) if body else "(nothing said)"


def seconds_to_wait(value: str | None, now: datetime) -> float | None:
    """A Retry-After header, in seconds or as an HTTP date, as seconds from `now`; None if it says nothing.

    >>> seconds_to_wait("Wed, 21 Oct 2015 07:28:00 GMT", datetime(2015, 10, 21, 7, 27, 30, tzinfo=UTC))
    30.0
    """
    if value is None:
        return None
    if number := re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*", value):
        return float(number[1])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def backoff(attempt: int, first: float, longest: float, rng: np.random.Generator) -> float:
    """Seconds to wait after a failed attempt (counted from 1): doubled each time, from half of it to the whole."""
    whole = min(longest, first * 2.0 ** min(attempt - 1, 60))
    return whole * (0.5 + 0.5 * float(rng.random()))
