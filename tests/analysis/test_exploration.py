"""Estimates of hand-made runs, and what may be compared with what."""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats

from athanor.agents.oracle import Oracle
from athanor.analysis.arms import arms_of
from athanor.analysis.curves import bin_width, binned, inventory_curve, inventory_matrix
from athanor.analysis.exploration import estimates, spending_columns, spending_range, table_text, write_estimates
from athanor.analysis.intervals import SHARE, mean
from athanor.analysis.tables import read_run
from athanor.core.records import Estimate, Unreadable
from athanor.environments.alchemy import CATEGORIES, RULES, Alchemy, Table
from tests.analysis.small import HAND, TABLE, Scripted, baselines, pair, run, script


def found_in(*paths: Path) -> dict[tuple[str, str], Estimate]:
    return {(e.group, e.name): e for e in estimates([read_run(path) for path in paths])}


def test_the_estimates_of_a_hand_made_episode_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    found = found_in(run(tmp_path / "r", script(HAND), episodes=1, label="hand"))
    values = {name: e.value for (_, name), e in found.items()}
    assert values["final inventory"] == 6
    assert values["discoveries"] == 2  # the gift is no discovery
    assert [values[f"share {c}"] for c in CATEGORIES] == pytest.approx([2 / 6, 1 / 6, 1 / 6, 0, 2 / 6])
    assert values["share invalid: unreadable"] == values["share invalid: unowned"] == pytest.approx(1 / 6)
    assert values["share of repeated pairs among read"] == pytest.approx(1 / 5)
    assert values["share of successes among new pairs"] == pytest.approx(2 / 3)
    assert values["share naming an element not owned"] == pytest.approx(1 / 6)
    assert values["prompt tokens per turn"] == pytest.approx(125)
    assert values["newly evaluated prompt tokens per turn"] == pytest.approx(30)
    assert values["cost in total"] == pytest.approx(0.006)
    assert values["reasoning tokens per turn"] is None  # the model did not say
    assert all(e.low is None and e.level is None and e.n == (e.value is not None) for e in found.values())


def test_episodes_that_ended_in_an_error_are_left_out_and_counted(tmp_path: Path) -> None:
    broken = (HAND[0], RuntimeError("no answer"))
    found = found_in(run(tmp_path / "r", script(HAND, broken, HAND[2:5] * 2), episodes=3, label="hand"))
    final = found["hand", "final inventory"]
    assert (final.value, final.n, final.excluded) == (4.5, 2, 1)
    assert found["hand", "cost in total"].value == pytest.approx(0.013)  # what the error cost was spent too


def test_an_episode_without_a_new_pair_is_left_out_of_the_success_rate_and_counted(tmp_path: Path) -> None:
    found = found_in(run(tmp_path / "r", script(HAND, [HAND[3]] * 6), episodes=2, label="hand"))
    rate = found["hand", "share of successes among new pairs"]
    assert (rate.value, rate.n, rate.excluded) == (pytest.approx(2 / 3), 1, 1)
    assert found["hand", "share success-new"].n == 2


def test_a_cost_that_one_turn_does_not_tell_leaves_the_sum_unknown(tmp_path: Path) -> None:
    found = found_in(run(tmp_path / "r", Scripted((HAND,), known=False), episodes=1, label="silent"))
    total = found["silent", "cost in total"]
    assert total.value is None
    assert "6 of 6 turns" in total.method
    assert found["silent", "prompt tokens per turn"].value is None
    assert found["silent", "prompt tokens per turn"].excluded == 1


def test_the_difference_to_a_baseline_is_welchs_over_episodes(tmp_path: Path) -> None:
    ours = run(tmp_path / "r", script(HAND, HAND[2:5] * 2, HAND[:5] + HAND[:1]), episodes=3, label="hand")
    theirs = baselines(tmp_path / "b", episodes=4)
    found = found_in(ours, *theirs)
    them = read_run(theirs[0]).episodes["inventory"].to_pylist()
    expected = stats.ttest_ind([6, 3, 4], them, equal_var=False).confidence_interval()
    got = found["hand", "final inventory minus random"]
    assert got.value == pytest.approx(13 / 3 - np.mean(them))
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high))
    assert got.n == 7
    assert ("hand", "final inventory minus random-never-repeat") in found
    assert not any(group == "random" and "minus" in name for group, name in found)


def test_a_difference_has_an_interval_that_holds_with_all_the_others_but_those_from_the_oracle(tmp_path: Path) -> None:
    ours = run(tmp_path / "r", script(HAND, HAND[2:5] * 2, HAND[:5] + HAND[:1]), episodes=3, label="hand")
    oracle = run(tmp_path / "o", Oracle(Alchemy(table=TABLE, rules=RULES["strict"])), episodes=3)
    theirs = baselines(tmp_path / "b", episodes=4)
    found = found_in(ours, *theirs, oracle)
    them = read_run(theirs[0]).episodes["inventory"].to_pylist()
    expected = stats.ttest_ind([6, 3, 4], them, equal_var=False).confidence_interval(1 - 0.05 / 2)
    wide = found["hand", "final inventory minus random, all together"]
    assert (wide.low, wide.high, wide.level) == (pytest.approx(expected.low), pytest.approx(expected.high), 0.95)
    assert wide.method.endswith("simultaneous over 2 comparisons (Bonferroni)")
    assert ("hand", "final inventory minus oracle") in found
    assert ("hand", "final inventory minus oracle, all together") not in found
    alone = found_in(ours, theirs[0])
    assert ("hand", "final inventory minus random, all together") not in alone


def test_runs_of_other_tables_rules_or_turns_are_never_compared(tmp_path: Path) -> None:
    other = Table(name="tiny", elements=TABLE.elements, base=TABLE.base, results={("fire", "water"): ("steam",)})
    hand = script(HAND, HAND)
    runs = [
        run(tmp_path / "rules", hand, episodes=2, rules="pan2025"),
        run(tmp_path / "turns", hand, episodes=2, turns=5),
        run(tmp_path / "table", hand, episodes=2, table=other),
    ]
    found = found_in(*runs, *baselines(tmp_path / "b"))
    assert not any("minus" in name for _, name in found)


def test_runs_of_the_same_label_are_kept_apart(tmp_path: Path) -> None:
    hand = script(HAND)
    paths = [
        run(tmp_path / "a", hand, episodes=1, label="x"),
        run(tmp_path / "b", hand, episodes=1, label="x"),
        run(tmp_path / "c", hand, episodes=1, label="x", rules="pan2025"),
        run(tmp_path / "d" / "a", hand, episodes=1, label="x"),
    ]
    arms = arms_of([read_run(path) for path in paths])
    assert len({arm.name for arm in arms}) == 4
    assert "pan2025 rules" in arms[2].name
    assert arms[2].short == "x"
    assert len({arm.short for arm in arms if arm.world == arms[0].world}) == 3


def test_an_episode_that_terminated_early_keeps_its_last_inventory(tmp_path: Path) -> None:
    base = ("water", "fire", "earth")
    every = [pair(f"{a} + {b}") for i, a in enumerate(base) for b in base[i:]]
    flat = Table(name="flat", elements=("water", "fire", "earth", "steam"), base=base,
                 results={("fire", "water"): ("steam",)})  # fmt: skip
    path = run(tmp_path / "r", script(every, every[:1] * 9), episodes=2, turns=9, table=flat)
    (arm,) = arms_of([read_run(path)])
    assert arm.run.episodes["end"].to_pylist() == ["terminated", "truncated"]
    assert inventory_matrix(arm).tolist() == [[3, 3, 4, 4, 4, 4, 4, 4, 4, 4], [3] * 10]
    curve = inventory_curve(arm)
    assert curve[-1].value == 3.5
    assert {point.n for point in curve} == {2}


def test_bins_are_tenths_of_an_episode_averaged_within_episodes_first(tmp_path: Path) -> None:
    (arm,) = arms_of([read_run(run(tmp_path / "r", script(HAND, HAND), episodes=2))])
    points = binned(arm, arm.turns_with("category", "invalid"), within=SHARE)
    assert bin_width(500) == 50
    assert bin_width(6) == 1
    assert [point.value for point in points] == [0, 0, 0, 1, 1, 0]
    assert [point.at for point in points] == [1, 2, 3, 4, 5, 6]


def test_no_ended_episode_gives_unknowns_and_no_crash(tmp_path: Path) -> None:
    paths = [run(tmp_path / "empty", script(), episodes=0), run(tmp_path / "e", script([ValueError("x")]), episodes=1)]
    found = estimates([read_run(path) for path in paths])
    assert all(e.value is None and e.low is None for e in found if e.name != "cost in total")
    assert "no episode has ended whole: 1 ended in an error, 0 not finished" in table_text(found)


def test_targeted_tasks_have_a_share_of_goals_made(tmp_path: Path) -> None:
    split = "train"
    never = script(*[[HAND[3]]] * 20)
    found = found_in(run(tmp_path / "r", never, episodes=20, turns=1, split=split, label="t"))
    goal = found["t", "share of episodes that made the goal"]
    assert (goal.value, goal.low, goal.n) == (0.0, 0.0, 20)
    assert goal.high == pytest.approx(0.168, abs=0.001)
    none = found["t", "share success-new"]  # every share that is 0 in the same episodes is as sure as the others
    assert (none.value, none.low, none.high) == (goal.value, goal.low, goal.high)


def test_episodes_that_repeat_their_tasks_count_as_their_tasks_and_the_method_says_so(tmp_path: Path) -> None:
    miss, brick = [HAND[3]], [pair("fire + mud")]
    said = script(brick, brick, brick, miss, miss, miss, brick, brick, miss)
    path = run(tmp_path / "r", said, episodes=9, turns=1, split="train", tasks=3, label="t")
    (arm,) = arms_of([read_run(path)])
    made = arm.episodes("passed").reshape(3, 3).mean(axis=0)  # the tasks took turns
    assert arm.by_unit(arm.episodes("passed")).tolist() == pytest.approx(made.tolist())
    goal = found_in(path)["t", "share of episodes that made the goal"]
    alike = mean(made.tolist(), within=SHARE)
    assert (goal.value, goal.low, goal.high) == pytest.approx((alike.value, alike.low, alike.high))
    assert (goal.n, goal.unit) == (3, "tasks")
    assert "each the mean of its episodes" in goal.method
    assert {point.n for point in inventory_curve(arm)} == {3}
    assert {point.n for point in binned(arm, arm.turns_with("category", "invalid"), within=SHARE)} == {3}


def test_episodes_of_one_task_or_of_a_task_each_count_themselves(tmp_path: Path) -> None:
    for episodes, tasks in ((4, 1), (3, 3)):
        path = run(
            tmp_path / f"{tasks}", script(*[[HAND[3]]] * 4), episodes=episodes, turns=1, split="train", tasks=tasks
        )
        goal = found_in(path)["language", "share of episodes that made the goal"]
        assert (goal.n, goal.unit) == (episodes, "episodes")


def test_the_answers_that_the_token_bound_cut_are_a_share_of_those_given(tmp_path: Path) -> None:
    cut = Scripted((HAND, HAND), cut=(0, 2, 3))
    found = found_in(run(tmp_path / "r", cut, episodes=2, label="hand"), *baselines(tmp_path / "b"))
    assert found["hand", "share of answers cut at the token bound"].value == pytest.approx(0.5)
    assert ("random", "share of answers cut at the token bound") not in found


def test_seconds_of_episodes_that_shared_a_model_have_no_interval_and_the_method_says_why(tmp_path: Path) -> None:
    alone, many = {"concurrency": 0, "at_once": 1}, {"concurrency": 0, "at_once": 3}
    told = {
        name: found_in(run(tmp_path / name, script(HAND, HAND, HAND), episodes=3, label="x", execution=execution))
        for name, execution in {"alone": alone, "many": many, "unsaid": {}, "older": {"concurrency": 1}}.items()
    }
    seconds = {name: found["x", "seconds per turn"] for name, found in told.items()}
    assert all(e.value is not None for e in seconds.values())
    assert [e.low is None for e in seconds.values()] == [False, True, True, False]
    assert "several episodes were played at once and shared the model's time" in seconds["many"].method
    assert all(found["x", "share invalid: unreadable"].low is not None for found in told.values())
    (random, _) = baselines(tmp_path / "b")
    assert found_in(random)["random", "seconds per turn"].low is not None  # no model to share


def test_seconds_have_no_interval_once_a_resumption_shared_the_model(tmp_path: Path) -> None:
    path = run(tmp_path / "r", script(HAND, HAND), episodes=2, label="x", execution={"at_once": 1})
    manifest = msgspec.json.decode((path / "manifest.json").read_bytes())
    manifest["resumptions"] = [{"at": "now", "execution": {"at_once": 2}}]
    (path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    assert found_in(path)["x", "seconds per turn"].low is None


def test_tokens_of_an_answer_reach_no_further_than_their_bound_in_table_and_curve(tmp_path: Path) -> None:
    said = Scripted((HAND, HAND, HAND), said=(16, 16, 16, 2))
    for bound, high in ((16, 16.0), (None, None), (9, None)):  # a server that breaks the bound is not bounded by it
        path = run(tmp_path / f"{bound}", said, episodes=3, label="x", extra={"max_tokens": bound})
        estimate = found_in(path)["x", "completion tokens per turn"]
        (arm,) = arms_of([read_run(path)])
        values = spending_columns(arm)["completion tokens"]
        curve = binned(arm, values, within=spending_range(arm, "completion tokens", values))
        highest = max(point.high or 0.0 for point in curve)
        assert highest == high if high else highest > 16
        assert all(point.low is None or point.low >= 0 for point in curve)
        assert estimate.high is not None
        assert estimate.high <= 16 or not high
        assert ("clipped at 0 and 16" in estimate.method) is (high is not None)


def test_answers_withheld_by_the_server_are_counted_apart_from_those_that_cannot_be_read(tmp_path: Path) -> None:
    filtered, refused = (Unreadable(unreadable="x", cause=cause) for cause in ("filtered", "refused"))
    said = script((filtered, refused, filtered, *HAND[3:]), HAND)
    found = found_in(run(tmp_path / "r", said, episodes=2, label="x"), *baselines(tmp_path / "b"))
    assert found["x", "share invalid: filtered"].value == pytest.approx(2 / 12)
    assert found["x", "share invalid: refused"].value == pytest.approx(1 / 12)
    assert found["x", "share invalid: unreadable"].value == pytest.approx(2 / 12)
    assert found["x", "answers withheld by the server's filter"].value == 2
    assert found["x", "answers refused by the model"].value == 1
    assert not any("filter" in name or "refused" in name for group, name in found if group != "x")
    assert re.search(r"answers withheld by the server's filter +2 ", table_text(list(found.values())))


def test_no_interval_of_an_inventory_reaches_below_its_start(tmp_path: Path) -> None:
    path = run(tmp_path / "r", script(HAND, HAND[2:5] * 2, HAND[2:5] * 2), episodes=3, label="hand")
    final = found_in(path)["hand", "final inventory"]
    assert (final.low, final.value) == (3.0, 4.0)
    assert "clipped at 3" in final.method
    (arm,) = arms_of([read_run(path)])
    assert all(point.low is None or point.low >= 3 for point in inventory_curve(arm))


def test_episodes_not_finished_are_counted_in_the_estimates_and_in_the_table(tmp_path: Path) -> None:
    path = run(tmp_path / "r", script(HAND, HAND, HAND), episodes=3, label="hand")
    lines = (path / "episodes.jsonl").read_text().splitlines(keepends=True)
    (path / "episodes.jsonl").write_text(lines[0])
    found = estimates([read_run(path)])
    (left,) = [e for e in found if e.name == "episodes not finished"]
    assert (left.value, left.low, left.n) == (2, None, 3)
    assert re.search(r"episodes not finished +2 +3 +0\n", table_text(found))
    (path / "episodes.jsonl").write_text("")
    assert "no episode has ended whole: 0 ended in an error, 3 not finished" in table_text(
        [e for e in estimates([read_run(path)]) if e.name != "cost in total"]
    )


@pytest.mark.parametrize(
    ("config", "execution", "reason"),
    [
        ({"backend": "openai"}, {"http": {"price_prompt": None}}, "no prices were set; pass --http.price-prompt"),
        ({"backend": "openai"}, {"http": {"price_prompt": 1, "price_completion": 2}}, "did not tell its tokens"),
        ({"backend": "llamacpp"}, {}, "not asked over HTTP"),
    ],
)
def test_an_unknown_cost_has_its_reason_in_the_table(
    tmp_path: Path, config: dict, execution: dict, reason: str
) -> None:
    path = run(tmp_path / "r", Scripted((HAND,), known=False), episodes=1, label="silent", extra=config)
    manifest = msgspec.json.decode((path / "manifest.json").read_bytes())
    (path / "manifest.json").write_bytes(msgspec.json.encode({**manifest, "execution": execution}))
    text = " ".join(table_text(estimates([read_run(path)])).split())
    assert reason in text


def test_estimates_are_written_a_line_each_and_no_bound_is_nan(tmp_path: Path) -> None:
    found = estimates(
        [read_run(path) for path in (run(tmp_path / "r", script(HAND), episodes=1), *baselines(tmp_path))]
    )
    write_estimates(tmp_path / "estimates.jsonl", found)
    lines = (tmp_path / "estimates.jsonl").read_bytes().splitlines()
    assert tuple(msgspec.json.decode(line, type=Estimate) for line in lines) == found
    assert not any(b is not None and math.isnan(b) for e in found for b in (e.value, e.low, e.high))


def test_the_table_in_text_is_aligned_and_says_unknown(tmp_path: Path) -> None:
    text = table_text(estimates([read_run(run(tmp_path / "r", script(HAND), episodes=1, label="a\x1b[31m b"))]))
    rows = [line for line in text.splitlines() if re.search(r" \d+$", line)]
    assert len(rows) > 15
    assert len({len(row) for row in rows}) == 1
    assert "unknown" in text
    assert "\x1b" not in text
    said = " ".join(text.split())
    assert " interval unknown: " in said
    assert "final inventory" in said.partition(" interval unknown: ")[2]
    assert ") unknown: reasoning tokens per turn (mean over episodes: known for none)" in said
    several = table_text(estimates([read_run(run(tmp_path / "s", script(HAND, HAND), episodes=2))]))
    assert several.endswith("\nIntervals of shares hold at least 95% of the time, others about as often.\n")
