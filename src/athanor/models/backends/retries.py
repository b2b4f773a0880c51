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


# Fields of a request that a server may refuse: the option whose value it may be, and what to do if it takes none.
_FIELDS = {
    "max_completion_tokens": ("--max-tokens", "pass --http.token-parameter max_tokens"),
    "max_tokens": ("--max-tokens", "pass --http.token-parameter max_completion_tokens"),
    "seed": ("", "pass --http.without-seed (the same run then gives other answers each time)"),
    "temperature": ("--temperature", "leave --temperature out (`athanor label`: --temperature None)"),
    "top_p": ("--top-p", "leave --top-p out"),
    "reasoning_effort": ("--reasoning-effort", "leave --reasoning-effort out"),
    "top_logprobs": ("--top-logprobs", "leave --top-logprobs out"),
    "logprobs": ("--top-logprobs", "leave --top-logprobs out"),
}
_FIELD = re.compile(rf"(?<![a-z_-])({'|'.join(_FIELDS)})(?![a-z_-])", re.IGNORECASE)
_NOT_TAKEN = re.compile(
    r"unsupported|not supported?|unrecogni[sz]ed|unknown|unexpected|extra[ _](inputs|fields|forbidden)"
    r"|not (permitted|allowed)|deprecated|instead|only the default",
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
    advice = _ADVICE.get(status) or _field_advice(body) or "leave out the setting that it names, or ask another server"
    return UsageError(f"{said}; {advice}")


_ADVICE = {
    401: "put a valid key in the environment variable that --http.api-key-env names",
    403: "use a key that may ask this model",
    404: "check --model and --http.base-url (most end in /v1)",
}


def _field_advice(body: Any) -> str:
    """What to do where a server names a field of the request: the first named is the one that it means. Else empty."""
    named = str(body.get("param") or "") if isinstance(body, dict) else ""
    words = message_of(body)
    found = _FIELD.search(named) or _FIELD.search(words)
    if not found:
        return ""
    option, otherwise = _FIELDS[found[1].lower()]
    return f"pass another {option}" if option and not _NOT_TAKEN.search(words) else otherwise


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
