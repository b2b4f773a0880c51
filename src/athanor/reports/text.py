"""Text from models and users made fit to be shown: nothing unprintable, nothing endless."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def one_line(text: str, limit: int) -> str:
    """Text on one line of at most `limit` characters, what cannot be printed replaced, the cut marked.

    The drawing library ends the whole process on a control character, so no text reaches it but through here.

    >>> one_line("water\\n+ fire", 40)
    'water + fire'
    """
    line = " ".join(text[: 4 * limit].split())
    line = "".join(c if c.isprintable() else REPLACEMENT for c in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def block(text: str, limit: int) -> str:
    """Text of several lines, what cannot be printed replaced; beyond `limit` characters it is cut and says so."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else REPLACEMENT for c in text[:limit])
    left = len(text) - limit
    return shown if left <= 0 else f"{shown}… [cut: {left:,} more characters]"


def listed(names: list[str]) -> str:
    """Names as in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
