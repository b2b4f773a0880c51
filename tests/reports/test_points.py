"""The page of points runs: what it says, that it holds against hostile text, and the picture on it."""

from __future__ import annotations

import base64
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from athanor.core.records import Unreadable
from athanor.environments.points import Answer
from athanor.environments.points.drawing import LOOKS, draw
from athanor.reports.points import report
from tests.analysis.test_points import FOREIGN, HANDS, RIGHT, SCRIPT, WRONG, run
from tests.reports.test_report import HOSTILE, LABEL, PNG, Tags

SEEN = msgspec.json.decode(msgspec.json.encode(msgspec.structs.asdict(LOOKS["plain"])))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    path = tmp_path_factory.mktemp("runs")
    shouting = (Answer(formula=HOSTILE, text=HOSTILE), Unreadable(unreadable=HOSTILE), RIGHT)
    return [
        run(path / "plain", *SCRIPT, label="plain"),
        run(path / "seen", shouting, (RIGHT,), (WRONG, FOREIGN, FOREIGN), label=LABEL, look=SEEN),
        run(path / "random", (FOREIGN,) * 3, (RIGHT,), (WRONG,) * 3, label="random", agent="random", asked=False),
        run(path / "published", (FOREIGN, WRONG, RIGHT, RIGHT), label="published", verifier="chu2025", seed=7),
    ]


@pytest.fixture(scope="module")
def out(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(runs, tmp_path_factory.mktemp("out")).parent


@pytest.fixture(scope="module")
def page(out: Path) -> str:
    return (out / "report.html").read_text(encoding="utf-8")


def test_hostile_text_is_shown_and_never_obeyed(page: str) -> None:
    tags = Tags(page).found
    assert not {"script", "i", "iframe", "link", "object"} & {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert not set("\x00\x07\x1b\u202e") & set(page)
    assert "&lt;script&gt;alert(3)&lt;/script&gt;" in page


def test_only_the_arm_that_was_shown_a_picture_has_it_on_the_page(page: str) -> None:
    (picture,) = [attributes["src"] or "" for tag, attributes in Tags(page).found if tag == "img"]
    assert base64.b64decode(picture.removeprefix("data:image/png;base64,")) == draw(HANDS[0], LOOKS["plain"])
    assert "img-src data:" in page
    assert "4S, 3H, 2D, KC; numbers 4, 3, 2, 10 (J-Q-K 10); to make 24." in page


def test_the_page_says_how_many_hands_were_solved_and_what_was_left_out(page: str) -> None:
    assert "GeneralPoints: 3 arms against 1 baseline" in page
    assert "24 from 4 cards, J-Q-K 10, all hands, 3 rounds." in page
    assert "Random solved 33.3%" in page
    assert "<b>plain</b> solved 66.7%" in page
    assert "of 3 hands, 33.3%" in page
    assert "plain: 1 episode ended in an error and is left out." in page
    assert page.count("Nothing else was played on the same hands.") == 1  # the published one's, of another seed
    assert "the formula makes 24" in page


def test_every_figure_is_there_as_svg_and_png_and_on_the_page(out: Path, page: str) -> None:
    for name in ("rounds", "classes"):
        root = ElementTree.fromstring((out / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(PNG)
        assert f'<section id="{name}">' in page
    assert (out / "estimates.jsonl").read_text(encoding="utf-8").count("\n") > 50


def test_the_same_runs_give_the_same_files_and_nothing_is_written_into_them(runs, out, tmp_path) -> None:
    report(runs, tmp_path)
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        assert (tmp_path / path.relative_to(out)).read_bytes() == path.read_bytes()
    assert {file.name for path in runs for file in path.iterdir()} == {"manifest.json", "turns.jsonl", "episodes.jsonl"}


def test_a_run_in_which_nothing_has_ended_has_a_page_too(tmp_path: Path) -> None:
    one = run(tmp_path / "run", (RuntimeError("down"),))
    page = report([one], tmp_path / "page").read_text(encoding="utf-8")
    assert "has no hand that ended without an error yet." in page
