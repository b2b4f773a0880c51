"""A backend that answers from a list: for tests, demonstrations, and trying a study without a model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter

import msgspec

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Completion, Message, Record, Sampling


class _Script(Record, forbid_unknown_fields=True, kw_only=True):
    replies: tuple[str, ...]
    delay: float = 0.0


class Scripted:
    """Answers `replies[seed % len(replies)]` after `delay` seconds, whatever it is asked; the first without a seed.

    The seed is all that it heeds, so a run with it is the same however its requests are interleaved.
    """

    def __init__(self, replies: tuple[str, ...], delay: float = 0.0, name: str = "scripted", slots: int = 8) -> None:
        if not replies:
            raise UsageError("replies is empty, at least one reply was expected; pass one or more")
        if not 0 <= delay < float("inf"):
            raise UsageError(f"delay {delay} was given, seconds from 0 on were expected; pass 0 or more")
        self._replies = tuple(replies)
        self._delay = delay
        self.name = name
        self.slots = slots

    @classmethod
    def from_file(cls, path: Path) -> Scripted:
        """Replies from a JSON file such as `{"replies": ["fire + water"], "delay": 0.01}`. DataError if it is not."""
        expected = 'a JSON object such as {"replies": ["fire + water"], "delay": 0.01} was expected; correct the file'
        try:
            script = msgspec.json.decode(path.read_bytes(), type=_Script)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error}), {expected}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is not a script of replies ({error}), {expected}") from error
        try:
            return cls(script.replies, script.delay)
        except UsageError as error:
            raise DataError(f"{path}: {error}") from error

    async def complete(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        started = perf_counter()
        await asyncio.sleep(self._delay)
        text = self._replies[(sampling.seed or 0) % len(self._replies)]
        return Completion(text=text, model=self.name, seconds=perf_counter() - started)

    async def close(self) -> None: ...
