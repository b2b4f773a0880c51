"""Models that can be asked. Each backend imports its library only when it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from athanor.core.protocols import Backend
from athanor.models.backends.llamacpp import LlamaConfig, LlamaCpp
from athanor.models.backends.openai_http import HttpConfig, OpenAIHttp
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
