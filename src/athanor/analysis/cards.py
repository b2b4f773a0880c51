"""What the card of a unified model says of its scores, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from athanor.analysis.intervals import SHARE, Interval, clustered, mean_of_means
from athanor.core.records import Estimate
from athanor.environments.scenes.spec import GENEVAL

NAMES = {
    "drawn": "share drawn right", "answered": "share answered right", "reconstructed": "share right after the tokenizer"
}  # fmt: skip


def estimates(card: Mapping[str, Any], name: str = "") -> list[Estimate]:
    """GenEval's mean, the share of all answers, and each score, with intervals of 95%: over different prompts, for one
    that is drawn often is no more than one; of answers, over questions. `name`: of the model."""
    every = {(one["of"], one["name"]): one for one in card["scores"]}
    found: dict[str, Interval] = {}
    drawn = [_interval([every["drawn", category]]) for category in GENEVAL if ("drawn", category) in every]
    if len(drawn) == len(GENEVAL):
        found["share drawn right, mean of GenEval's six"] = mean_of_means(drawn, of="GenEval's six")
    if answered := [one for one in every.values() if one["of"] == "answered"]:
        found[NAMES["answered"]] = _interval(answered)
    found |= {f"{NAMES.get(of, of)}: {what}": _interval([one]) for (of, what), one in every.items()}
    return [
        Estimate(name=what, value=one.value, low=one.low, high=one.high, level=one.level, n=one.n,
                 unit="questions" if what.startswith(NAMES["answered"]) else "prompts", method=one.method, group=name)
        for what, one in found.items()
    ]  # fmt: skip


def _interval(scores: Sequence[Mapping[str, Any]]) -> Interval:
    """Of all that was right in some scores."""
    values, cluster, many = list[float](), list[int](), 0
    for one in scores:
        each = one.get("by_prompt") or [(1, 1)] * one["right"] + [(0, 1)] * (one["n"] - one["right"])
        for right, n in each:
            values += [1.0] * right + [0.0] * (n - right)
            cluster += [many] * n
            many += 1
    return clustered(values, cluster, within=SHARE, of="drawings" if many < len(values) else "values", unit="prompts")
