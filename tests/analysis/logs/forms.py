"""Tiny logs of every form, made up on the world of `tests.analysis.small`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from athanor.environments.alchemy.rules import RULES
from athanor.values.arrays import TableArrays
from tests.analysis.small import TABLE

WORLD = TableArrays(TABLE)
STRICT = RULES["strict"]


def trial(first: str | None, second: str | None, success: int = 0, result: str | int = -1, **more: Any) -> Any:
    """A record of the published logs of models."""
    return {
        "first": first, "second": second, "success": success, "result": result, "result_prompt": "…",
        "inventory": ["water"], "top_logprob": {"water": -0.1}, **more,
    }  # fmt: skip


CONFIG = {"max_trials": 4, "temperature": 0.7, "seed": 3, "logprobs": True, "top_logprobs": 20, "model": "gpt"}
TRIALS = {
    "0": trial("water", "earth", 1, "mud", config=CONFIG),
    "1": trial("mud", "water", config=CONFIG),
    "3": trial("water", "fire", 1, "steam", config=CONFIG),
}
"""Four trials were planned, and the third has no record."""

CSV = """id,trial,inventory,first,second,success,results
p1,0,3,0,1,1,"[3]"
p1,1,4,1,0,1,"[3]"
p1,2,4,0,0,0,-1
p2,0,3,0,2,1,"[4, 5]"
p2,1,4,5,0,0,-1
"""
"""Two people by index; the last turn names brick, which is not owned."""


def person(*tried: tuple[Any, Any, Any]) -> Any:
    """Someone of the validation experiment with one rating."""
    return {
        "collect": tried, "currentcombinationstring": [["mud", "fire"]], "elementanswers": ["brick"],
        "elementoptionsshuffeld": [["brick", "steam"]], "elements": ["steam"], "empowermentanswers": ["6"],
        "linkanswers": ["-99"], "playedLA": [1], "randomcombinations": [54], "randomempelement": ["mud"], "id": ["1"],
    }  # fmt: skip


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
