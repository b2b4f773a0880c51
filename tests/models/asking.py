"""One completion from a fake server, for the tests of the HTTP backend."""

from typing import Any

import pytest

from athanor.core.errors import BackendError
from athanor.core.records import Completion, Message, Sampling
from athanor.models.backends.openai_http import HttpConfig, OpenAIHttp
from tests.models.fake_server import Behaviour, FakeServer, run, until

ASKED = (Message(role="system", text="a game"), Message(role="user", text="what now?"))
PLAIN = Sampling(max_tokens=16)
KEY = "sk-very-secret-0123456789"


def quick(url: str | None, **settings: Any) -> HttpConfig:
    given = {"base_url": url, "timeout": 2.0, "attempts": 3, "first_delay": 0.001, **settings}
    return HttpConfig(**given)


def ask(
    *script: Behaviour, sampling: Sampling = PLAIN, messages: tuple[Message, ...] = ASKED, **settings: Any
) -> tuple[Completion, FakeServer]:
    """One completion from a server that follows the script."""

    async def main() -> tuple[Completion, FakeServer]:
        async with FakeServer(*script) as server:
            backend = OpenAIHttp("m", quick(server.url, **settings))
            try:
                return await backend.complete(messages, sampling), server
            finally:
                await backend.close()
                await until(lambda: server.connected == 0)  # or close has left a connection open

    return run(main())


def failure(*script: Behaviour, kind: type[Exception] = BackendError, **settings: Any) -> str:
    with pytest.raises(kind) as caught:
        ask(*script, **settings)
    return str(caught.value)
