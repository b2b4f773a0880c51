"""In what stored work and the work that is asked for differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from athanor.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from athanor.core.store import Manifest

QUOTED = 120
"""Characters of a text that an error quotes."""


def refuse_differences(path: Path, stored: Manifest, asked: Manifest) -> None:
    """UsageError naming everything that can change a result in which stored work and what is asked for differ."""
    for what in ("kind", "config", "hashes"):
        _refuse_difference(path, what, getattr(stored, what), getattr(asked, what))


def _refuse_difference(path: Path, what: str, stored: Any, asked: Any) -> None:
    if stored == asked:
        return
    if not isinstance(stored, dict):
        raise UsageError(f"{path} was made by {stored!r}, {asked!r} was asked for; pass another --out")
    differ = [(k, *_apart(was, now)) for k, was, now in _differing(stored, asked)]
    if what == "hashes":
        files = " and ".join(f"the {k} has {_digest(now)}, {_digest(was)} was expected" for k, was, now in differ)
        raise UsageError(f"{path} was made from other data: {files}; restore it, or pass another --out")
    detail = "; ".join(f"{k} was {was!r} and is now {now!r}" for k, was, now in differ)
    raise UsageError(f"{path} was made with other settings: {detail}; resume it as it was made, or pass another --out")


def _differing(stored: dict[str, Any], asked: dict[str, Any], group: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What differs, with what it was and is now; of groups of settings what differs in them."""
    for name in {**stored, **asked}:
        was, now = stored.get(name), asked.get(name)
        if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
            was, now = _numbered(was), _numbered(now)
        if isinstance(was, dict) and isinstance(now, dict):
            yield from _differing(was, now, f"{group}{name}.")
        elif was != now:
            yield group + name, was, now


def _numbered(some: list[Any]) -> dict[str, Any]:
    return {str(number): one for number, one in enumerate(some, 1)}


def _apart(one: Any, other: Any) -> tuple[Any, Any]:
    """Two values as an error quotes them: of long ones, what is around the first difference."""
    if max(len(str(one)), len(str(other))) <= QUOTED:
        return one, other
    one, other = str(one), str(other)
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = max(0, same - QUOTED // 4)
    was, now = (f"{'...' if start else ''}{text[start : start + QUOTED]}" for text in (one, other))
    return was, now


def _digest(sha256: str | None) -> str:
    return f"SHA-256 {sha256[:12]}…" if sha256 else "no file"
