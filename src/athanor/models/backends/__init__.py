"""Models that can be asked. Each backend imports its library only when it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from athanor.core.protocols import Backend
from athanor.core.records import Sampling
from athanor.models.backends.llamacpp import LlamaConfig, LlamaCpp, model_path, request_of
from athanor.models.backends.openai_http import HttpConfig, OpenAIHttp
from athanor.models.backends.openai_wire import request_body
from athanor.models.backends.scripted import Scripted

Kind = Literal["llamacpp", "openai", "scripted"]


@dataclass(frozen=True, kw_only=True)
class BackendConfig:
    """Which backend answers, and how each is set up."""

    backend: Kind = "llamacpp"
    """llamacpp runs a GGUF model in this process; openai asks any OpenAI-compatible server; scripted reads a file."""
    llama: LlamaConfig = field(default_factory=LlamaConfig)
    http: HttpConfig = field(default_factory=HttpConfig)


BACKENDS: dict[Kind, Callable[[str, BackendConfig], Backend]] = {
    "llamacpp": lambda model, config: LlamaCpp(model, config.llama),
    "openai": lambda model, config: OpenAIHttp(model, config.http),
    "scripted": lambda model, config: Scripted.from_file(Path(model)),
}


def refuse(config: BackendConfig, sampling: Sampling) -> None:
    """UsageError if the backend would refuse every request that is sampled so: one is made up, and not sent."""
    if config.backend == "openai":
        request_body(sampling, "max_tokens", config.http.grammar_parameter)
    elif config.backend == "llamacpp":
        request_of((), sampling, 0)


def model_hash(model: str, config: BackendConfig) -> dict[str, str]:
    """SHA-256 of the file that answers, by the name `model`; nothing where a server answers."""
    if config.backend == "openai":
        return {}
    path = model_path(model) if config.backend == "llamacpp" else Path(model)
    with open(path, "rb") as file:
        return {"model": hashlib.file_digest(file, "sha256").hexdigest()}
