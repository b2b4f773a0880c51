"""What a model's card says, with intervals over what was different."""

from __future__ import annotations

from typing import Any

import pytest

from athanor.analysis.cards import estimates
from athanor.core.records import Estimate
from athanor.environments.scenes.spec import GENEVAL


def score(of: str, name: str, *by_prompt: tuple[int, int], right: int = 0, n: int = 0) -> dict[str, Any]:
    return {
        "of": of, "name": name, "right": right or sum(one for one, _ in by_prompt),
        "n": n or sum(every for _, every in by_prompt), "by_prompt": [list(one) for one in by_prompt],
    }  # fmt: skip


def found(*scores: dict[str, Any]) -> dict[str, Estimate]:
    return {one.name: one for one in estimates({"scores": scores}, "m")}


def ends(one: Estimate) -> tuple[float, float]:
    assert one.low is not None
    assert one.high is not None
    return one.low, one.high


def test_intervals_are_over_prompts_however_often_each_is_drawn() -> None:
    few = found(score("drawn", "cards", *[(10, 10)] * 3, (0, 10)))["share drawn right: cards"]
    many = found(score("drawn", "cards", *[(1, 1)] * 30, *[(0, 1)] * 10))["share drawn right: cards"]
    assert (few.value, few.n, many.value, many.n) == (0.75, 4, 0.75, 40)
    assert ends(few)[0] < 0.3 < 0.55 < ends(many)[0] < 0.75 < ends(many)[1] < ends(few)[1]
    assert (few.group, few.unit) == ("m", "prompts")


def test_the_mean_of_six_categories_is_surer_than_each_and_needs_all() -> None:
    six = [score("drawn", name, *[(1, 1)] * 30, *[(0, 1)] * 10) for name in GENEVAL]
    whole = found(*six)["share drawn right, mean of GenEval's six"]
    one = found(*six)["share drawn right: counting"]
    assert whole.value == pytest.approx(0.75)
    assert ends(one)[0] < ends(whole)[0] < 0.75 < ends(whole)[1] < ends(one)[1]
    assert "share drawn right, mean of GenEval's six" not in found(*six[:5])


def test_answers_are_pooled_over_kinds() -> None:
    told = found(
        score("answered", "count", right=2, n=3), score("answered", "shape", right=97, n=97),
        score("reconstructed", "cards", *[(1, 1)] * 9),
    )  # fmt: skip
    every = told["share answered right"]
    assert (every.value, every.n, every.unit) == (0.99, 100, "questions")
    assert 0.94 < ends(every)[0] < 0.99 < ends(every)[1] < 1
    assert ends(told["share right after the tokenizer: cards"]) == (pytest.approx(0.664, abs=0.001), 1.0)
    assert found() == {}
