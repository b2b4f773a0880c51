"""A chat-completions server on 127.0.0.1 that follows a script: one behaviour a request, the last one for ever."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Request:
    """What a client asked, and when (seconds of the event loop's clock)."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    moment: float


Behaviour = Callable[[Request, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def content(text: str | None, *, finish: str | None = "stop", usage: Any = None, logprobs: Any = None, **message: Any):
    """The JSON of an answer; more of its message can be named."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    if logprobs is not None:
        choice["logprobs"] = {"content": logprobs}
    answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "fake-1", "choices": [choice]}
    return answer if usage is None else {**answer, "usage": usage}


def says(body: Any, *, status: int = 200, **headers: str) -> Behaviour:
    """Answers with this body: bytes as they are, anything else as JSON."""

    async def behave(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        writer.write(_head(status, len(data), headers) + data)
        await writer.drain()

    return behave


def good(text: str | None, **fields: Any) -> Behaviour:
    """A good answer."""
    return says(content(text, **fields))


def fails(status: int, message: str = "no", *, code: str = "", type: str = "", **headers: str) -> Behaviour:
    """An error in OpenAI's shape."""
    return says({"error": {"message": message, "type": type, "code": code}}, status=status, **headers)


def by_seed(replies: Sequence[str]) -> Behaviour:
    """A model: its answer is a function of what it is asked (here, of the seed)."""

    async def behave(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = replies[request.body["seed"] % len(replies)]
        await good(text, usage={"prompt_tokens": 10, "completion_tokens": 3})(request, reader, writer)

    return behave


def long_by_seed(replies: Sequence[str], size: int) -> Behaviour:
    """The same model with very much to add."""
    return by_seed([reply + "\n" + "x" * size for reply in replies])


async def hang(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing until the client goes away."""
    await reader.read()
    writer.close()


async def drop(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Breaks the connection off before answering."""
    writer.transport.abort()


async def half(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Breaks the connection off in the middle of an answer whose length it has declared."""
    data = json.dumps(content("fire + water")).encode()
    writer.write(_head(200, len(data), {}) + data[: len(data) // 2])
    await writer.drain()
    writer.close()


no_choices = says({"id": "x", "object": "chat.completion", "created": 1, "model": "fake-1", "choices": []})
half_but_whole = says(json.dumps(content("fire + water")).encode()[:60])
"""Half an answer that declares its own length: whole HTTP, torn JSON."""


def _head(status: int, length: int, headers: dict[str, str]) -> bytes:
    fields = {"Content-Type": "application/json", "Content-Length": str(length)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return "".join([f"HTTP/1.1 {status} X\r\n", *(f"{k}: {v}\r\n" for k, v in fields.items()), "\r\n"]).encode()


class FakeServer:
    """Listens while it is entered. `requests` are those it got, in order; `connected` the open connections."""

    def __init__(self, *script: Behaviour) -> None:
        self._script = script
        self.requests: list[Request] = []
        self.at_once = 0
        self.most_at_once = 0
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> int:
        return len(self._handlers)

    async def __aenter__(self) -> FakeServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for handler in tuple(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while not writer.is_closing():
                    await self._one(reader, writer)
        finally:
            self._handlers.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        request = Request(head[0].split()[1], headers, body, asyncio.get_running_loop().time())
        self.requests.append(request)
        behave = self._script[min(len(self.requests), len(self._script)) - 1]
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await behave(request, reader, writer)
        finally:
            self.at_once -= 1


async def until(so: Callable[[], bool]) -> None:
    """Return when it is so; TimeoutError if it is not within two seconds."""
    async with asyncio.timeout(2):
        while not so():
            await asyncio.sleep(0.002)


def run(main: Awaitable[Any]) -> Any:
    """Run a coroutine to its end, within 8 seconds, and see that it leaves no task behind."""

    async def whole() -> Any:
        result = await asyncio.wait_for(main, 8)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"
        return result

    return asyncio.run(whole())


OUTSIDE = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "SSL_CERT_FILE")
OUTSIDE += tuple(name for proxy in ("http", "https", "all") for name in (f"{proxy}_proxy", f"{proxy.upper()}_PROXY"))


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests whose clients know nothing of this machine, and a check that none of them left a socket open."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OUTSIDE:
            patch.delenv(name, raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("no-certificates")))  # reading them all takes 50 ms
        yield
    gc.collect()  # a socket left open warns here, and warnings are errors
