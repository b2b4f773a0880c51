"""Models that can be asked. Each backend imports its library only when it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from athanor.core.errors import UsageError
from athanor.core.options import changed
from athanor.core.protocols import Backend
from athanor.core.records import Sampling
from athanor.models.backends.llamacpp import LlamaConfig, LlamaCpp, model_path, request_of
from athanor.models.backends.openai_http import HttpConfig, OpenAIHttp, address, refuse_http
from athanor.models.backends.openai_wire import request_body
from athanor.models.backends.pretrained import digest_of, locate, sees
from athanor.models.backends.scripted import Scripted
from athanor.models.backends.torch_local import TorchBackend, TorchConfig, blind, refuse_sampling
from athanor.models.backends.unified_local import UnifiedBackend, UnifiedConfig, refuse_unified

Kind = Literal["llamacpp", "openai", "torch", "unified", "scripted"]
SEES: tuple[Kind, ...] = ("openai", "torch", "unified", "scripted")
"""Backends that take images; torch only with a model that does."""


@dataclass(frozen=True, kw_only=True)
class BackendConfig:
    """Which backend answers, and how each is set up."""

    backend: Kind = "llamacpp"
    """llamacpp: a GGUF model; torch: one of Hugging Face; unified: ours; openai: any such server; scripted: a file."""
    llama: LlamaConfig = field(default_factory=LlamaConfig)
    http: HttpConfig = field(default_factory=HttpConfig)
    torch: TorchConfig = field(default_factory=TorchConfig)
    unified: UnifiedConfig = field(default_factory=UnifiedConfig)


BACKENDS: dict[Kind, Callable[[str, BackendConfig], Backend]] = {
    "llamacpp": lambda model, config: LlamaCpp(model, config.llama),
    "openai": lambda model, config: OpenAIHttp(model, config.http),
    "torch": lambda model, config: TorchBackend(model, config.torch),
    "unified": lambda model, config: UnifiedBackend(model, config.unified),
    "scripted": lambda model, config: Scripted.from_file(Path(model)),
}


def idle(config: BackendConfig, *, asked: bool = True) -> list[str]:
    """The options given of backends that do not answer: of all, where no model is `asked`."""
    given = {
        "llamacpp": changed(config.llama, "llama"),
        "openai": changed(config.http, "http"),
        "torch": changed(config.torch, "torch"),
        "unified": changed(config.unified, "unified"),
    }
    others = [name for kind, names in given.items() if not (asked and kind == config.backend) for name in names]
    return others if asked else changed(config, but=("llama", "http", "torch", "unified")) + others


def refuse(config: BackendConfig, sampling: Sampling, *, images: bool = False, model: str = "") -> None:
    """UsageError if the backend would refuse every request that is sampled so, or has images: one is made up, and not
    sent. `model`: the one that is asked, where that is known."""
    if images and config.backend not in SEES:
        raise UsageError(
            f"the backend {config.backend} takes text only, and what is to be played is shown in pictures; pass "
            "--backend openai with a server whose model sees, --backend torch or unified with a model that does, or "
            "have it told in words (without --vision and --look)"
        )
    if images and config.backend == "torch" and model and not sees(locate(model, download=config.torch.download)):
        raise UsageError(blind(model))
    if config.backend == "openai":
        request_body(sampling, "max_tokens", config.http.grammar_parameter)
    elif config.backend == "llamacpp":
        request_of((), sampling, 0)
    elif config.backend == "torch":
        refuse_sampling(sampling)
    elif config.backend == "unified":
        refuse_unified(sampling)


def refuse_setup(model: str, config: BackendConfig) -> None:
    """Refuse, before anything is made, a model that is not there and a server whose address or key cannot be meant.

    UsageError or DataError as the backend itself has it. No model is loaded and no server is asked.
    """
    if config.backend == "openai":
        refuse_http(config.http)
    elif config.backend == "scripted":
        Scripted.from_file(Path(model))
    model_hash(model, config)


def takes_grammar(config: BackendConfig) -> bool:
    """Whether the backend can bind answers by a grammar."""
    return config.backend == "llamacpp" or (config.backend == "openai" and bool(config.http.grammar_parameter))


def answering(config: BackendConfig) -> dict[str, Any]:
    """What of a backend's configuration can change its answers: a resumed run must have the same."""
    if config.backend == "torch":
        return {"backend": config.backend, "dtype": config.torch.dtype}
    if config.backend == "unified":
        return {"backend": config.backend, "dtype": config.unified.dtype, "template": config.unified.template}
    if config.backend == "llamacpp":
        return {"backend": config.backend, **{name: getattr(config.llama, name) for name in _DECODING}}
    if config.backend != "openai":
        return {"backend": config.backend}
    http = {"base_url": address(config.http), **{name: getattr(config.http, name) for name in _ANSWERS}}
    return {"backend": config.backend, **http}


_DECODING = ("slots", "context")
"""Requests that llama.cpp works on at once share its matrix products, whose rounding depends on how many they are: the
same seed can then give another token. With one slot it does not."""
_ANSWERS = ("without_seed", "max_answer_bytes")
"""Without a seed a server answers otherwise each time; a shorter answer may read otherwise."""


def execution_of(config: BackendConfig) -> dict[str, Any]:
    """The rest of it, which may change when a run is gone on with."""
    http = {name: value for name, value in asdict(config.http).items() if name not in _ANSWERS}
    torch = {name: value for name, value in asdict(config.torch).items() if name != "dtype"}
    llama = {name: value for name, value in asdict(config.llama).items() if name not in _DECODING}
    unified = {name: value for name, value in asdict(config.unified).items() if name not in ("dtype", "template")}
    return {"llama": llama, "http": http, "torch": torch, "unified": unified}


def model_hash(model: str, config: BackendConfig) -> dict[str, str]:
    """SHA-256 of the file that answers, by the name `model`; nothing where a server answers."""
    if config.backend == "openai":
        return {}
    if config.backend == "torch":
        return {"model": digest_of(locate(model))}
    if config.backend == "unified":
        return {"model": digest_of(Path(model), ("*.bin",))}
    path = model_path(model) if config.backend == "llamacpp" else Path(model)
    with open(path, "rb") as file:
        return {"model": hashlib.file_digest(file, "sha256").hexdigest()}
