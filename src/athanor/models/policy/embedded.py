"""The base policies that come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from athanor.core.errors import UsageError

EMBEDDED = ("base-points-1", "base-points-2")


def path_of(name: str) -> Path:
    """The file of a base policy: one of EMBEDDED by name, else a path. UsageError if it is neither."""
    if name in EMBEDDED:
        return Path(str(files("athanor.models.policy") / "data" / f"{name}.safetensors"))
    if Path(name).is_file():
        return Path(name)
    raise UsageError(f"the policy {name!r} is not one of {', '.join(EMBEDDED)} and no file; pass one of them or a file")
