"""DPG-Bench's score worked out by hand, and each defect of the published script."""

from __future__ import annotations

import pytest

from athanor.core.records import Estimate
from athanor.evals.dpg import legacy, scoring
from athanor.evals.dpg.answering import heard
from athanor.evals.dpg.asking import Answer, Key
from athanor.evals.dpg.table import Question, items


def row(item: str, number: int, parents: tuple[int, ...] = (), detailed: str = "entity - whole") -> Question:
    return Question(item=item, text="t", id=number, parents=parents, detailed=detailed, question=f"{number}?")


def said(item: str, *pictures: str) -> dict[Key, Answer]:
    """Answers of pictures, each a word a question: y, n, Y (`Yes`), ? (neither), ! (failed)."""
    words = {"y": "yes", "n": "no", "Y": "Yes", "?": "perhaps", "!": ""}
    return {
        (item, picture, number): Answer(item=item, picture=picture, question=number, digest="", text=words[mark],
                                        failure="down" if mark == "!" else "")
        for picture, marks in enumerate(pictures) for number, mark in enumerate(marks, 1)
    }  # fmt: skip


def named(found: tuple[Estimate, ...]) -> dict[str, Estimate]:
    return {one.name: one for one in found}


A = (
    row("a", 1), row("a", 2, (1,), "attribute - color"), row("a", 3, (2,), "attribute - size"),
    row("a", 4, (), "other - count"),
)  # fmt: skip
B = (row("b", 1), row("b", 2, (), "relation - spatial"))
FIRST = (row("0", 1), row("0", 2))
"""A prompt before the others, so that the row that the script drops is none of theirs."""


def correct(rows: tuple[Question, ...], answers: dict[Key, Answer], each: int) -> dict[str, Estimate]:
    return named(scoring.estimates(items(rows), answers, each, "correct"))


def old(rows: tuple[Question, ...], answers: dict[Key, Answer], each: int, **how: int) -> dict[str, Estimate]:
    return named(legacy.estimates(rows, answers, each, "legacy", **how))


def test_the_score_is_worked_out_by_hand() -> None:
    """a: 4/4, then 2 without its parent: 1/4 (4 alone). b: 1/2 and 2/2. Mean of 0.625 and 0.75."""
    answers = {**said("a", "yyyy", "nyyy"), **said("b", "ny", "yy")}
    found = correct((*A, *B), answers, 2)
    assert found["score"].value == pytest.approx(68.75)
    assert found["score"].n == 2
    assert found["score entity"].value == pytest.approx(50)
    assert found["score attribute"].value == pytest.approx(50)
    assert found["score attribute - color"].value == pytest.approx(50)
    assert found["score other"].value == pytest.approx(100)
    assert found["score relation - spatial"].value == pytest.approx(100)


def test_parents_come_first_whatever_the_order_of_the_rows() -> None:
    """The script looks at what the parent is at that moment, so that no does not reach a grandchild above it."""
    rows = (row("a", 3, (2,)), row("a", 2, (1,)), row("a", 1))
    answers = said("a", "nyy")
    assert correct(rows, answers, 1)["score"].value == 0
    assert old((*FIRST, *rows), answers, 1)["score"].value == pytest.approx(100 / 3)
    assert old((*FIRST, *sorted(rows, key=lambda one: one.id)), answers, 1)["score"].value == 0


def test_the_script_drops_the_first_row_and_every_prompt_that_needs_it() -> None:
    answers = {**said("a", "yyyy"), **said("b", "ny")}
    found = old((*A, *B), answers, 1)
    assert (found["score"].value, found["score"].n, found["score"].excluded) == (50, 1, 1)
    assert correct((*A, *B), answers, 1)["score"].value == 75
    assert old((*B, *A), answers, 1)["score"].value == 100  # nothing depends on the row dropped: one question fewer


def test_the_script_counts_categories_before_dependencies_and_from_the_last_picture_alone() -> None:
    answers = said("a", "yyyy", "nyyy")
    found = old((*FIRST, *A), answers, 2)
    assert found["score"].value == pytest.approx(62.5)
    assert [found[f"score {name}"].value for name in ("entity", "attribute", "other")] == [0, 100, 100]
    assert [correct(A, answers, 2)[f"score {name}"].value for name in ("entity", "attribute", "other")] == [50, 50, 100]


def test_the_script_takes_nothing_but_yes_in_small_letters() -> None:
    assert old((*FIRST, *B), said("b", "yY"), 1)["score"].value == 50
    assert correct(B, said("b", "yY"), 1)["score"].value == 100
    assert [heard(text) for text in ("YES!", " no, it", "yesterday", "not", "")] == [True, False, None, None, None]


def test_the_script_leaves_out_what_is_missing_without_a_word() -> None:
    answers = {**said("b", "yy"), **said("a", "yy!y")}
    assert old((*FIRST, *A, *B), answers, 1)["score"].value == 100
    found = correct((*A, *B, row("c", 1)), answers, 1)
    assert found["score"].excluded == 1
    assert found["score, missing images 0"].value == pytest.approx(200 / 3)
    assert found["number of prompts without a score"].value == 1
    assert found["number of answers that failed"].value == 1


def test_an_answer_that_failed_is_unknown_and_so_are_the_children_of_its_yes() -> None:
    one = items(A)[0]
    assert scoring.held(one, {1: None, 2: True, 3: False, 4: True}) == {1: None, 2: None, 3: False, 4: True}
    assert scoring.held(one, {1: False, 2: True, 3: None, 4: None}) == {1: False, 2: False, 3: False, 4: None}
    found = correct(A, said("a", "!yny"), 1)
    assert found["score"].value == pytest.approx(50)
    assert found["number of answers that failed"].value == 1
    assert found["score attribute"].excluded == 1


def test_an_answer_that_is_neither_counts_as_no_and_what_yes_would_give_stands_beside() -> None:
    """Evasive where it is wrong, a model has the score of one that says no there, not more."""
    evasive, plain = (
        correct((*A, *B), {**said("a", a), **said("b", b)}, 1) for a, b in (("?yyy", "y?"), ("nyyy", "yn"))
    )
    assert evasive["score"].value == plain["score"].value == pytest.approx(37.5)
    assert evasive["score attribute"] == plain["score attribute"]
    assert evasive["score, answers neither yes nor no as yes"].value == 100
    assert evasive["number of answers neither yes nor no"].value == 2
    assert "score, answers neither yes nor no as yes" not in plain
    assert correct(A, said("a", "????"), 1)["score"].value == 0


def test_processes_scramble_the_script_s_categories_and_not_its_score() -> None:
    names = ("entity - whole", "attribute - color", "relation - spatial", "other - count", "global")
    rows = tuple(row(f"p{k:03d}", n, (), name) for k in range(40) for n, name in enumerate(names, 1))
    answers = {}
    for k in range(40):
        answers |= said(f"p{k:03d}", "y" + "n" * 3 + "y")
    alone, eight = (old((*FIRST, *rows), answers, 1, processes=n) for n in (1, 8))
    assert alone["score"].value == eight["score"].value == pytest.approx(40)
    assert [alone[f"score {name}"].value for name in ("entity", "attribute", "global")] == [100, 0, 100]
    scrambled = [eight[f"score {name}"].value for name in ("entity", "attribute", "relation", "other", "global")]
    assert all(value is not None for value in scrambled)
    assert any(0 < (value or 0) < 100 for value in scrambled)
    assert sum(value or 0 for value in scrambled) == pytest.approx(200)  # the same answers under other names


def test_the_first_process_gathers_others_categories_under_its_own_names() -> None:
    """Two processes with one prompt each: what the second has under its k-th name goes under the first's k-th."""
    told = [[("a", 0, True), ("b", 0, False)], [("a", 1, True), ("b", 1, False)]]
    seen = {tuple(sorted(legacy.mixed(told, 2, seed))) for seed in range(12)}
    straight = (("a", 0, True), ("a", 1, True), ("b", 0, False), ("b", 1, False))
    crossed = (("a", 0, True), ("a", 1, False), ("b", 0, False), ("b", 1, True))
    assert seen == {straight, crossed}


def test_an_interval_counts_prompts() -> None:
    rows = tuple(row(f"p{k}", n) for k in range(4) for n in range(1, 26))
    answers = {}
    for k in range(4):
        answers |= said(f"p{k}", ("y" if k % 2 else "n") * 25)
    one = correct(rows, answers, 1)["score entity"]
    assert (one.value, one.n) == (50, 4)
    assert one.low is not None
    assert one.low < 10
