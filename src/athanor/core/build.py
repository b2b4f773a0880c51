"""Which program made a record: its version and a digest of its source."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def build_name() -> str:
    """Version and the first 12 digits of the SHA-256 over the package's Python files, e.g. `0.1.0+src.5f0a...`."""
    root = Path(__file__).resolve().parent.parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    try:
        number = version("athanor-lab")
    except PackageNotFoundError:
        number = "unknown"
    return f"{number}+src.{total.hexdigest()[:12]}"
