"""The page of scenes runs: what it says, the drawings on it, and that it holds against hostile text."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from athanor.environments.scenes import Look
from athanor.environments.scenes.drawing import png
from athanor.environments.scenes.files import load
from athanor.reports.scenes import report
from tests.analysis.test_scenes import GAME, GREY, SCRIPT, run
from tests.reports.test_report import HOSTILE, LABEL, Tags


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    path = tmp_path_factory.mktemp("runs")
    return [
        run(path / "random", "ww", "wr", "ww", "ww", "ww", agent="random", label="random"),
        run(path / "mine", *SCRIPT),
        run(path / "hostile", "r", "be", label=LABEL, reason=HOSTILE, seed=3),
        run(path / "once", "r", "r", "w", label="once", attempts=1),
    ]


@pytest.fixture(scope="module")
def page(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    return report(runs, tmp_path_factory.mktemp("out")).read_text(encoding="utf-8")


def test_hostile_text_is_shown_and_never_obeyed(page: str) -> None:
    tags = Tags(page).found
    assert not {"script", "i", "iframe", "link", "object"} & {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert not set("\x00\x07\x1b\u202e") & set(page)
    assert "&lt;script&gt;alert(3)&lt;/script&gt;" in page


def test_the_page_says_how_many_were_right_beside_chance_and_what_was_left_out(page: str) -> None:
    assert "Drawing scenes: 3 arms against 1 baseline" in page
    assert "test prompts of cards, counting, aligned pictures, strict rules, 2 attempts." in page
    assert "Random drew 20.0%" in page
    assert "<b>mine</b> drew 50.0%" in page
    assert "of 4 prompts right, 25.0%" in page
    assert "cannot be told apart from random (+25.0 points" in page
    assert "mine: 1 episode ended in an error and is left out." in page
    assert "It cannot be told apart from random" in page


def test_the_table_has_every_category_and_both_attempts_where_there_are_two(page: str) -> None:
    for title in ("cards", "counting", "everything", "everything, at the first attempt"):
        assert f'">{title}</td>' in page
    assert page.count('">everything, at the first attempt</td>') == 1  # not of the run of one attempt
    assert "what was wrong first" in page.lower()
    assert '">present</td>' in page


def test_the_drawings_on_the_page_are_the_runs_with_their_verdicts(page: str) -> None:
    images = [attributes["src"] or "" for tag, attributes in Tags(page).found if tag == "img"]
    files = [base64.b64decode(one.removeprefix("data:image/png;base64,")) for one in images]
    gold = png(load(Look(environment=GAME).gold(next(GAME.tasks("test", 1))).file))
    assert files.count(gold) == 2  # of mine and of once
    assert GREY.file in files
    assert "img-src data:" in page
    assert "wrong: no three of spades" in page


def test_the_same_runs_give_the_same_page_and_nothing_is_written_into_them(runs, page, tmp_path) -> None:
    before = {path: path.stat().st_mtime_ns for one in runs for path in one.rglob("*")}
    assert report(runs, tmp_path).read_text(encoding="utf-8") == page
    assert {path: path.stat().st_mtime_ns for one in runs for path in one.rglob("*")} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["estimates.jsonl", "report.html"]


def test_a_run_of_which_nothing_has_ended_has_a_page_that_says_so(tmp_path) -> None:
    said = report([run(tmp_path / "run", "e", "we")], tmp_path / "out").read_text(encoding="utf-8")
    assert "has no episode that ended without an error yet." in said
    assert "no episode has ended without an error. Play on" in said
