"""The page: what it says, that it holds against hostile text, and that it needs nothing beside it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import altair
import pytest

from athanor.analysis.arms import arms_of
from athanor.analysis.tables import read_run
from athanor.core.errors import UsageError
from athanor.core.records import Unreadable
from athanor.reports import drawing, figures, report
from tests.analysis.small import HAND, Scripted, baselines, run, script

HOSTILE = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\x00\x1b[31m\u202e{}"
LABEL = "<script>alert(3)</script> & \"quoted\" \x07 'arm'"
PNG = b"\x89PNG\r\n\x1a\n"


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A hostile arm of two episodes, one of one episode with an error, and two baselines."""
    path = tmp_path_factory.mktemp("runs")
    shouting = (Unreadable(unreadable=HOSTILE), *HAND[1:])
    return [
        run(path / "hostile", Scripted((HAND, shouting), reply=HOSTILE + "x" * 5000), episodes=2, label=LABEL,
            extra={"command": "athanor play <b>", "note": HOSTILE, "model": "fake"}),
        run(path / "one", script(HAND, (HAND[0], RuntimeError("<i>down</i>"))), episodes=2, label="one"),
        *baselines(path),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def out(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(runs, tmp_path_factory.mktemp("out")).parent


@pytest.fixture(scope="module")
def page(out: Path) -> str:
    return (out / "report.html").read_text(encoding="utf-8")


def test_hostile_text_is_shown_and_never_obeyed(page: str) -> None:
    tags = Tags(page).found
    assert not {"script", "img", "i", "iframe", "link", "object"} & {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;i&gt;down&lt;/i&gt;" in page
    assert not set("\x00\x07\x1b\u202e") & set(page)


def test_the_page_needs_nothing_beside_it(page: str) -> None:
    for _, attributes in Tags(page).found:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert "default-src 'none'" in page


def test_every_figure_is_there_as_svg_and_png_and_on_the_page(out: Path, page: str) -> None:
    for name in ("inventory", "categories", "repeats", "spending"):
        root = ElementTree.fromstring((out / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(PNG)
        assert f'<section id="{name}">' in page
    assert page.count("<svg ") == 4
    assert (out / "estimates.jsonl").read_text(encoding="utf-8").count("\n") > 50


def test_the_same_runs_give_the_same_files(runs: list[Path], out: Path, tmp_path: Path) -> None:
    report(runs, tmp_path)
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        assert (tmp_path / path.relative_to(out)).read_bytes() == path.read_bytes()


def test_nothing_is_written_into_the_runs(runs: list[Path], out: Path) -> None:
    assert {file.name for path in runs for file in path.iterdir()} == {"manifest.json", "turns.jsonl", "episodes.jsonl"}


def test_a_long_reply_is_cut_with_a_mark(page: str) -> None:
    assert re.search(r"… \[cut: [\d,]+ more characters\]", page)
    assert "x" * 2000 not in page


def test_the_page_says_what_one_episode_cannot_tell_and_what_was_left_out(page: str) -> None:
    assert "with one episode on a side, whether that is more than chance is unknown" in page
    assert "one: 1 episode ended in an error and is left out." in page
    assert "Left out everywhere: 1 that ended in an error, 0 not finished." in page
    assert "95% interval" in page
    assert "Student t" in page


def test_the_first_episode_can_be_read_turn_by_turn(page: str) -> None:
    assert "water + fire makes steam" in page
    assert "no pair could be read" in page
    assert "gift: luck" in page
    assert "100 (30 new) → 7" in page


def test_how_it_was_made_has_the_configuration_and_the_command(page: str) -> None:
    assert "athanor play &lt;b&gt;" in page
    assert "<dt>rules</dt><dd>strict</dd>" in page


def test_a_run_without_an_ended_episode_is_told_and_no_crash(tmp_path: Path) -> None:
    page = report([run(tmp_path / "r", script(), episodes=0, label="new")], tmp_path / "out").read_text()
    assert "<b>new</b> has not begun." in page
    assert "There is no figure yet" in page
    assert not (tmp_path / "out" / "figures").exists()


def test_a_run_beside_one_not_begun_is_drawn_and_the_page_has_no_address(
    tmp_path: Path,
) -> None:
    paths = [run(tmp_path / "a", script(), episodes=0, label="new"), run(tmp_path / "b", script(HAND), episodes=1)]
    page = report(paths, tmp_path / "out").read_text()
    assert page.count("<svg ") == 4
    assert "No random player was played in the same world" in page
    addresses = set(re.findall(r"https?://[^\"'<\s]*", page))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_no_run_is_a_misuse(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run folder was given"):
        report([], tmp_path)


def test_many_arms_with_names_alike_have_styles_and_labels_of_their_own(runs: list[Path], tmp_path: Path) -> None:
    long = "a name that is the same for more characters than a figure has room for, "
    paths = [run(tmp_path / str(i), script(HAND), episodes=1, label=f"{long}{i}") for i in range(14)]
    styles = drawing.styles_of(arms_of([read_run(path) for path in paths])).values()
    assert len({style.label for style in styles}) == 14
    assert len({(style.colour, style.dash) for style in styles}) == 14


def test_figures_are_valid_vega_lite(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[drawing.Spec] = []

    def keep(charts: list[drawing.Spec]) -> str:
        drawn.append({"vconcat": list(charts), "config": drawing.CONFIG})
        return "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"

    monkeypatch.setattr(figures, "to_svg", keep)
    figures.figures_of(arms_of([read_run(path) for path in runs[1:2]]))
    assert len(drawn) == 4
    for spec in drawn[:3]:  # the fourth is made of the same pieces as the third
        altair.VConcatChart.from_dict(spec)


def test_labels_are_moved_apart_and_stay_in_the_panel() -> None:
    placed = drawing.dodge([50.0, 51.0, 52.0, 99.0, 0.0], gap=10, length=100)
    ordered = sorted(placed)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(ordered))
    assert ordered[0] >= 0
    assert ordered[-1] <= 100
    assert placed[0] < placed[1] < placed[2]
