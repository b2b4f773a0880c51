"""Any server that speaks OpenAI's chat completions over HTTP: hosted models, vLLM, llama-server, SGLang."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec
import numpy as np

from athanor.core.errors import BackendError, UsageError
from athanor.core.options import refuse_outside
from athanor.core.records import Completion, Message, Sampling
from athanor.core.seeds import stream
from athanor.models.backends.openai_wire import Usage, read_answer, request_body, wire_message
from athanor.models.backends.rate import Pace
from athanor.models.backends.retries import PATIENCE, QUOTED, Fault, backoff, judge, message_of

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

LARGEST_BODY = 64 * 2**20
"""Bytes of an answer that are read; 16,384 tokens with 20 alternatives each take about half of it."""


@dataclass(frozen=True, kw_only=True)
class HttpConfig:
    """Which server is asked, and how patiently."""

    base_url: str | None = None
    """Address of the server, usually ending in /v1; None is OpenAI's own, or what OPENAI_BASE_URL says."""
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key. With --http.base-url it may be unset."""
    timeout: float = 120.0
    """Seconds for one request, from connecting to the last byte of its answer."""
    attempts: int = 6
    """Requests made for one completion, at most."""
    first_delay: float = 1.0
    """Seconds to wait after the first failure; doubled after each further one. A Retry-After of the server is kept."""
    longest_delay: float = 60.0
    """Bound of that doubling, in seconds."""
    requests_per_minute: float = 0.0
    """Requests sent in a minute, at most and evenly spaced, retries included; 0 is no bound."""
    concurrency: int = 8
    """Requests in flight at once, at most."""
    price_prompt: float | None = None
    """Price of a million prompt tokens. The cost is unknown without it and --http.price-completion."""
    price_cached: float | None = None
    """Price of a million cached prompt tokens; None leaves the cost unknown where the server reports any."""
    price_completion: float | None = None
    """Price of a million completion tokens, those of reasoning included."""
    max_answer_bytes: int = 65536
    """Text kept of one answer, and of its reasoning, in bytes of UTF-8; the rest is dropped and finish is `cut`."""
    grammar_parameter: str = ""
    """Request field in which the server takes a GBNF grammar (`grammar` for llama-server); empty if it takes none."""
    without_seed: bool = False
    """Send no seed, for servers that refuse one; the same run then gives other answers each time."""
    token_parameter: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    """Request field for the token bound; auto: max_tokens with --http.base-url, else max_completion_tokens."""


class OpenAIHttp:
    """Backend over one server. The key stays inside: no record and no message has it.

    A completion's `seconds` are those of its answer with failed attempts and all waiting; its `cost` is that of the
    successful request, as servers do not say what they charge for failed ones.
    """

    def __init__(self, model: str, config: HttpConfig) -> None:
        """`model` is its name as the server knows it."""
        check_http(config)
        self._config = config
        self._key = _key(config)
        self._client = _client(config, self._key)
        self._create = self._client.chat.completions.with_streaming_response.create  # imports much: not in a request
        auto = "max_tokens" if config.base_url else "max_completion_tokens"
        self._token_parameter = auto if config.token_parameter == "auto" else config.token_parameter
        self._turnstile = asyncio.Semaphore(config.concurrency)
        self._pace = Pace(config.requests_per_minute)
        self._asked = 0
        self.name = model
        self.slots = config.concurrency

    async def complete(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        """Answer once, after at most `attempts` requests.

        BackendError if the server keeps failing or the prompt is too long for the model; UsageError if it refuses
        the key, the model or a setting.
        """
        started = perf_counter()
        said = [wire_message(message) for message in messages]
        if self._config.without_seed:
            sampling = msgspec.structs.replace(sampling, seed=None)
        body = request_body(sampling, self._token_parameter, self._config.grammar_parameter)
        self._asked += 1
        rng = stream(0, "backoff", self.name, self._asked)
        attempt = 0
        while True:
            attempt += 1
            try:
                completion, usage = await self._answer(said, body)
                break
            except Fault as fault:
                await asyncio.sleep(self._delay(fault, attempt, rng))
        return msgspec.structs.replace(
            completion, cost=cost(self._config, usage), seconds=perf_counter() - started, attempts=attempt
        )

    async def close(self) -> None:
        await self._client.close()

    async def _answer(self, messages: list[dict[str, Any]], body: dict[str, Any]) -> tuple[Completion, Usage]:
        """One request, when there is room for it. Fault if it failed in a way that may pass."""
        async with self._turnstile:  # the pace is kept inside: moments taken while still in the queue would bunch up
            await self._pace.turn()
            data = await self._ask(messages, body)
        try:
            return read_answer(data, self.name, self._config.max_answer_bytes)
        except Fault as fault:
            raise Fault(self._clean(str(fault))) from None

    async def _ask(self, messages: list[Any], body: dict[str, Any]) -> bytes:
        """The body of the answer to one request."""
        import httpx2
        import openai

        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._create(model=self.name, messages=messages, extra_body=body) as response,
            ):
                return await _whole(response.iter_bytes())
        except TimeoutError as error:
            raise Fault(f"the server gave no whole answer in {self._config.timeout:g} seconds") from error
        except openai.APIStatusError as error:
            raise self._judged(error) from None  # its text is the server's whole body
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            cause = error.__cause__ or error  # the SDK says only "Connection error."
            raise Fault(f"the connection failed ({type(cause).__name__}: {self._clean(str(cause))})") from error

    def _judged(self, error: APIStatusError) -> Exception:
        message = self._clean(message_of(error.body))
        return judge(error.status_code, error.body, message, error.response.headers.get("retry-after"))

    def _clean(self, text: str) -> str:
        """A server's words without the key, which some repeat, and not too many of them."""
        text = text.replace(self._key, "[key]") if self._key else text
        return text if len(text) <= QUOTED else f"{text[:QUOTED]}..."

    def _delay(self, fault: Fault, attempt: int, rng: np.random.Generator) -> float:
        """Seconds to wait after a fault; BackendError if it was the last attempt or the wait would be too long."""
        config, where = self._config, f"{self.name} at {self._client.base_url}"
        if attempt >= config.attempts:
            raise BackendError(
                f"{where} gave no answer in {attempt} attempts, the last time because {fault}; "
                "check the server, or pass more --http.attempts or a longer --http.timeout, and go on with --resume"
            ) from fault
        if fault.wait is not None and fault.wait > PATIENCE:
            raise BackendError(
                f"{where} asks to wait {fault.wait:.0f} seconds after {attempt} attempts, because {fault}; "
                f"at most {PATIENCE:.0f} are waited: go on later with --resume"
            ) from fault
        return max(fault.wait or 0.0, backoff(attempt, config.first_delay, config.longest_delay, rng))


async def _whole(chunks: Any) -> bytes:
    """All chunks of a body as bytes. Fault if they are more than LARGEST_BODY."""
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > LARGEST_BODY:
            raise Fault(f"the server's answer is longer than {LARGEST_BODY} bytes")
    return bytes(data)


def cost(config: HttpConfig, usage: Usage) -> float | None:
    """What a completion cost at the configured prices; None if a price or a count that it takes is unknown."""
    prompt, completion, cached = usage.prompt_tokens, usage.completion_tokens, usage.cached
    if prompt is None or completion is None or config.price_prompt is None or config.price_completion is None:
        return None
    total = prompt * config.price_prompt + completion * config.price_completion
    if config.price_cached is None:
        return None if cached else total / 1e6
    return None if cached is None else (total + cached * (config.price_cached - config.price_prompt)) / 1e6


def address(config: HttpConfig) -> str:
    """The server that is asked: as configured, or else as the SDK finds it."""
    found = config.base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or "https://api.openai.com/v1"
    return found.rstrip("/")


def _client(config: HttpConfig, key: str) -> AsyncOpenAI:
    """The SDK's client, without its own retries and time bounds: there is one of each, in `OpenAIHttp`."""
    try:
        import httpx2
        import openai
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed; run `pip install 'athanor-lab[http]'`") from error
    try:
        return openai.AsyncOpenAI(api_key=key or "no-key", base_url=config.base_url, timeout=None, max_retries=0)
    except httpx2.InvalidURL as error:
        raise UsageError(_BASE_URL.format(config.base_url)) from error


_BASE_URL = "--http.base-url {!r} was given, an HTTP address was expected; pass one such as http://127.0.0.1:8080/v1"


def refuse_http(config: HttpConfig) -> None:
    """UsageError for an address or a key that cannot be meant, and where the library is not installed."""
    check_http(config)
    _client(config, _key(config))


def check_http(config: HttpConfig) -> None:
    """UsageError naming the first setting that cannot be meant."""
    least = {"attempts": 1, "concurrency": 1, "max_answer_bytes": 1, "timeout": 0.001, "first_delay": 0}
    least |= dict.fromkeys(("longest_delay", "requests_per_minute", "price_prompt", "price_cached"), 0)
    refuse_outside(config, {name: (bound, inf) for name, bound in {**least, "price_completion": 0}.items()}, "http")
    url = address(config)
    if not url.startswith(("http://", "https://")):
        raise UsageError(_BASE_URL.format(url))
    if "@" in urlsplit(url).netloc:  # a run's manifest and its failures name the address
        raise UsageError(
            "--http.base-url (or OPENAI_BASE_URL) holds a user name or password, an address without them was expected; "
            "put the key in the environment variable that --http.api-key-env names"
        )


def _key(config: HttpConfig) -> str:
    """The key from the environment; empty if there is none and a server of one's own is asked."""
    key = os.environ.get(config.api_key_env, "").strip()
    if not key and config.base_url is None:
        raise UsageError(
            f"the environment variable {config.api_key_env} is not set, a key for OpenAI's server was expected in it; "
            "set it, name another one with --http.api-key-env, or pass --http.base-url with your own server"
        )
    if not (key.isascii() and key.isprintable()):  # the HTTP library would quote it in its error
        raise UsageError(
            f"the environment variable {config.api_key_env} holds characters that no key has; set it to the bare key"
        )
    return key
