"""A unified model in this process, asked about images like any other model; requests that wait share a batch."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Literal

from athanor.core.errors import BackendError, DataError, UsageError
from athanor.core.options import refuse_outside
from athanor.core.records import Completion, Message, Sampling
from athanor.models.backends.pretrained import Dtype, device_of


@dataclass(frozen=True, kw_only=True)
class UnifiedConfig:
    """How a unified model is run."""

    device: str = "auto"
    """auto is the first GPU, else the CPU; or a name such as cpu, cuda:1, mps."""
    dtype: Dtype = "float32"
    """Of the weights and the arithmetic."""
    batch: int = 16
    """Requests answered at once."""
    template: Literal["janus-pro", "janus", "words"] | None = None
    """How the model was taught to converse; janus for a released Janus-1.3B, which does not say it itself."""


_Waiting = tuple[tuple[Message, ...], Sampling, "asyncio.Future[Completion]"]


class UnifiedBackend:
    """Backend over one unified model. An answer does not depend on which others it shared a batch with."""

    def __init__(self, model: str, config: UnifiedConfig) -> None:
        """`model` is its folder, in the layout of its release or of transformers."""
        refuse_outside(config, {"batch": (1, inf)}, "unified")
        folder = Path(model)
        if not folder.is_dir():
            raise UsageError(f"{model} is no folder, that of a unified model was expected; pass one with --model")
        try:
            import torch

            from athanor.models.unified.checkpoints import read
        except ImportError as error:
            raise UsageError(
                "torch and transformers are not installed; run `pip install 'athanor-lab[torch]'`"
            ) from error  # fmt: skip
        try:
            dtype = getattr(torch, config.dtype)
            self._unified = read(folder, template=config.template, device=device_of(config.device), dtype=dtype)
        except RuntimeError as error:
            raise UsageError(
                f"the model cannot be put on the device {config.device!r} ({str(error).splitlines()[0]}); pass another "
                "--unified.device"
            ) from error
        self.name = folder.resolve().name
        self.slots = config.batch
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="unified")
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    async def complete(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        refuse_unified(sampling)
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, sampling, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def close(self) -> None:
        self._pool.shutdown(wait=True)

    async def _work(self) -> None:
        """Answer what waits: of the first request's sampling, as many as fit in a batch."""
        await asyncio.sleep(0)  # requests of the same moment join the first batch
        while self._waiting:
            first = self._waiting[0][1]
            alike = [one for one in self._waiting if one[1] == first][: self.slots]
            self._waiting = [one for one in self._waiting if one not in alike]
            try:
                found = await asyncio.get_running_loop().run_in_executor(self._pool, self._answered, alike)
            except (UsageError, DataError) as error:  # one conversation that cannot be written brings down its batch
                found = await self._one_by_one(alike) if len(alike) > 1 else [BackendError(str(error))]
            except Exception as error:
                why = BackendError(
                    f"the model {self.name} could not answer ({error}); pass a smaller --unified.batch if memory is out"
                )
                found = [why] * len(alike)
            for (_, _, future), answer in zip(alike, found, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    async def _one_by_one(self, requests: list[_Waiting]) -> list[Completion | BackendError]:
        found: list[Completion | BackendError] = []
        for request in requests:
            try:
                found += await asyncio.get_running_loop().run_in_executor(self._pool, self._answered, [request])
            except (UsageError, DataError) as error:
                found.append(BackendError(str(error)))
        return found

    def _answered(self, requests: list[_Waiting]) -> list[Completion | BackendError]:
        from athanor.models.unified.answering import Answering, ask
        from athanor.models.unified.sampling import Sampling as Drawing

        started, sampling = perf_counter(), requests[0][1]
        drawn = Drawing(
            temperature=0.0 if sampling.temperature is None else sampling.temperature, top_p=sampling.top_p
        )  # fmt: skip
        how = Answering(most=sampling.max_tokens, sampling=drawn, seed=sampling.seed or 0, batch=self.slots)
        answers = ask(self._unified, [messages for messages, _, _ in requests], how)
        seconds = (perf_counter() - started) / len(requests)
        return [Completion(text=text, model=self.name, seconds=seconds) for text in answers]


def refuse_unified(sampling: Sampling) -> None:
    """UsageError for what a unified model cannot do here."""
    if sampling.grammar is not None or sampling.top_logprobs or sampling.reasoning_effort is not None:
        raise UsageError(
            "a grammar, log-probabilities or a reasoning effort was asked of a unified model, which has none; leave "
            "--constrained, --top-logprobs and --reasoning-effort out, or pass another --backend"
        )
