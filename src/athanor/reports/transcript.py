"""An episode to be read by people: what was said, what was read, what became of it, and what it took."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from athanor.analysis.arms import Arm
from athanor.core.records import Completion, Turn, Unreadable
from athanor.environments.alchemy import Pair
from athanor.reports.text import block, one_line

TURNS = 500
"""Turns of an episode that are shown, at most."""
REPLY = 1200
"""Characters of a reply that are shown, at most."""
REASONING = 1200
"""Characters of a hidden reasoning that are shown, at most."""

ENDS = {
    "terminated": "the game was over",
    "truncated": "the turns were used up",
    "error": "it ended in an error",
    None: "it is not finished",
}


def transcript_of(arm: Arm, row: Callable[[Turn[Any]], dict[str, Any]]) -> dict[str, Any] | None:
    """The first episode of an arm that is compared; None for baselines and where no turn was played.

    `row`: a turn as texts. `told` and `picture`, the task in words and as a data URL, are empty.
    """
    opening = arm.run.opening
    if arm.baseline or opening is None:
        return None
    shown = opening.turns[:TURNS]
    left = len(opening.turns) - len(shown)
    return {
        "arm": one_line(arm.name, 120),
        "episode": one_line(opening.episode, 60),
        "end": ENDS[opening.end],
        "count": len(opening.turns),
        "turns": [row(turn) for turn in shown],
        "told": "",
        "picture": "",
        "left": f"{left:,} more turns are in {one_line(str(arm.run.path), 300)}/turns.jsonl" if left else "",
    }


def turn_row(turn: Turn[Pair]) -> dict[str, Any]:
    """One turn of alchemy as texts."""
    action, parts = turn.action, turn.verdict.parts
    read = "nothing" if isinstance(action, Unreadable) else f"{action.first} + {action.second}"
    return spoken(turn, category=str(parts.get("category", "unknown")), read=read) | {
        "new": [one_line(str(e), 60) for e in parts.get("new", ())][:20],
        "gifts": [one_line(str(e), 60) for e in parts.get("gifts", ())][:20],
    }


def spoken(turn: Turn[Any], *, category: str, read: str) -> dict[str, Any]:
    """One turn as texts, whatever is played. Turns are counted from 1, as people do."""
    completion = turn.completion
    return {
        "number": turn.index + 1,
        "category": one_line(category, 40),
        "reply": "no model was asked" if completion is None else block(completion.text, REPLY),
        "reasoning": "" if completion is None else block(completion.reasoning, REASONING),
        "finish": one_line(completion.finish, 40) if completion and completion.finish != "stop" else "",
        "read": one_line(read, 120),
        "reason": one_line(turn.verdict.reason, 300),
        "tokens": _tokens(completion),
        "seconds": f"{turn.seconds:.2f}" if turn.seconds >= 0.01 else "<0.01",
    }


def _tokens(completion: Completion | None) -> str:
    """Prompt tokens (of them newly evaluated) and completion tokens; a question mark where unknown."""
    if completion is None:
        return "–"
    prompt, cached, said = completion.prompt_tokens, completion.cached_tokens, completion.completion_tokens
    new = "?" if prompt is None or cached is None else f"{prompt - cached:,}"
    return f"{_count(prompt)} ({new} new) → {_count(said)}"


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"
