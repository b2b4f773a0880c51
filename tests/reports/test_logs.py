"""The page over logs of anybody: its numbers by hand, its figures, and that it holds against hostile names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import altair
import pytest

from athanor.analysis.groups import Reading
from athanor.analysis.intervals import Point
from athanor.analysis.logged import PLAYERS, STOPPED, TURNS, UNCOUNTED, LoggedWorld, logged
from athanor.analysis.regressions import REGRESSIONS
from athanor.analysis.weights import Options
from athanor.core.errors import UsageError
from athanor.environments.alchemy.worlds import table
from athanor.reports import figures, logs
from tests.reports.test_report import HOSTILE, PNG, Tags
from tests.test_cli import athanor, play

ATELIER = table("atelier")
MAKES = next(pair for pair in sorted(ATELIER.results) if set(pair) <= set(ATELIER.base))
MADE = ATELIER.results[MAKES]
FAILS = next(
    tuple(sorted((e, m))) for m in MADE for e in (*ATELIER.base, m)
    if m not in ATELIER.finals and tuple(sorted((e, m))) not in ATELIER.results
)  # fmt: skip
LATE = next(e for e in ATELIER.elements if e not in (*ATELIER.base, *MADE))
"""A pair that makes something, one with what it makes that makes nothing, and an element that nobody has then."""
READ = Reading(seed=0, table="atelier", rules="strict", allow=1.0)
FOUR = {
    "a": [MAKES, MAKES, FAILS, FAILS],  # stops after four turns, as many as anybody: cut off
    "b": [MAKES, FAILS],  # stops by herself
    "c": [MAKES, (LATE, MAKES[0]), None, FAILS],  # names what is not owned, and lacks a record
}


def log(path: Path, players: dict[str, Any], group: str = "people") -> Path:
    lines = ["player,trial,first,second,group"]
    for who, pairs in players.items():
        lines += [f'{who},{t},{pair[0]},{pair[1]},"{group}"' for t, pair in enumerate(pairs) if pair]
    path.write_text("\n".join(lines) + "\n")
    return path


def described(*paths: Path, regression: str = "") -> list[LoggedWorld]:
    return logged(paths, READ, REGRESSIONS[regression] if regression else None, Options(seed=0))


def test_counts_lengths_and_shares_by_hand(tmp_path: Path):
    (world,) = described(log(tmp_path / "log.csv", FOUR))
    found = {one.name: one for one in world.estimates if one.group == "people"}
    assert [found[name].value for name in (PLAYERS, STOPPED, TURNS, UNCOUNTED)] == [3, 1, 10, 2]
    assert found["turns of a player"].value == pytest.approx(10 / 3)
    begun = len(ATELIER.base) + len(MADE)
    assert found["final inventory"].value == begun
    shares = {
        "success-new": (1 / 4 + 1 / 2 + 1 / 4) / 3, "success-existing": (1 / 4) / 3,
        "failure-new": (1 / 4 + 1 / 2 + 1 / 4) / 3, "failure-existing": (1 / 4) / 3, "invalid": (2 / 4) / 3,
    }  # fmt: skip
    assert {name: found[f"share {name}"].value for name in shares} == pytest.approx(shares)
    assert found["share going on after 4 turns"].value == pytest.approx(2 / 3)
    assert (found["inventory after 4 turns, still playing"].n, found["share invalid"].unit) == (2, "players")


def test_curves_say_who_is_left_and_shares_fall_in_steps(tmp_path: Path):
    (world,) = described(log(tmp_path / "log.csv", FOUR))
    own, *random = world.curves
    assert (world.turns, own.beside, {one.beside for one in random}) == (4, (), {("people",)})
    assert [(point.at, point.n) for point in own.playing] == [(0, 3), (1, 3), (2, 3), (3, 2), (4, 2)]
    assert [point.n for point in own.carried] == [3] * 5
    assert [(point.at, point.value) for point in own.staying] == [(2, pytest.approx(2 / 3))]
    steps = logs._steps(own.staying, 4)
    two = pytest.approx(2 / 3)
    assert [(point.at, point.value) for point in steps] == [(0, 1), (2, 1), (2, two), (4, two)]
    assert logs._steps((), 4)[-1].value == 1.0


def test_a_long_curve_of_shares_keeps_its_end_when_it_is_thinned():
    curve = [Point(at=k, value=1 - k / 1000, low=None, high=None, n=9) for k in range(1, 900)]
    steps = logs._steps(curve, 2000)
    assert len(steps) <= 2 * (logs.STEPS + 1) + 2
    assert (steps[-2].at, steps[-1].at, steps[-1].value) == (899, 2000, curve[-1].value)


def test_curves_end_where_hardly_anybody_of_many_is_left(tmp_path: Path):
    many = {f"p{k}": [MAKES] * 3 for k in range(150)} | {"last": [MAKES] * 40}
    (world,) = described(log(tmp_path / "log.csv", many))
    assert world.turns == 3
    figure = logs._survival([world])
    assert "Curves end where fewer than one in a hundred players" in figure.caption


def test_the_mean_of_those_still_playing_is_drawn_while_five_do_and_the_table_says_how_many(tmp_path: Path):
    several = {f"p{k}": [MAKES] * (2 + k) for k in range(6)}
    (world,) = described(log(tmp_path / "log.csv", several))
    own = world.curves[0]
    assert [(point.at, point.n) for point in logs._of_enough(own.playing)] == [(0, 6), (1, 6), (2, 6), (3, 5)]
    assert logs._of_enough(own.carried) == list(own.carried)
    (few,) = described(log(tmp_path / "few.csv", FOUR))
    assert logs._of_enough(few.curves[0].playing) == list(few.curves[0].playing)
    (table,) = logs._matrices([world], lambda world: [("left", "inventory after 7 turns, still playing")])
    assert table["rows"][0]["cells"][0]["interval"] == "[unknown] of 1"
    caption = logs._survival([world]).caption
    assert "it may rise because players find more, and because those who find little leave" in caption
    assert "The mean of those who still play ends where fewer than 5 do" in caption


def test_random_players_beside_logs_have_no_interval_where_they_cannot_but_be_zero(tmp_path: Path):
    (world,) = described(log(tmp_path / "log.csv", FOUR))
    shares = {(e.group.partition(" (")[0], e.name): e for e in world.estimates if e.name.startswith("share ")}
    for key in (("random", "share invalid"), ("random-never-repeat", "share success-existing")):
        assert shares[key].method.startswith("0 by construction")
    assert shares["random", "share success-existing"].low is not None
    assert shares["people", "share invalid"].low is not None


def test_sources_that_name_their_groups_alike_are_told_apart_by_their_files(tmp_path: Path):
    paths = [log(tmp_path / name, FOUR) for name in ("one.csv", "two.csv")]
    (world,) = described(*paths)
    assert [one.name for one in world.groups] == ["people (one.csv)", "people (two.csv)"]


def test_logs_without_a_turn_that_counts_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="no group of atelier, strict rules has a turn that counts"):
        described(log(tmp_path / "log.csv", {"a": [(LATE, LATE)]}))


def test_the_figures_follow_the_schema_of_the_drawing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    worlds = described(log(tmp_path / "log.csv", FOUR))
    drawn: list[dict[str, Any]] = []

    def keep(charts: list[dict[str, Any]]) -> str:
        drawn.append({"vconcat": charts})
        return "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"

    monkeypatch.setattr(figures, "to_svg", keep)
    logs._survival(worlds)
    logs._categories(worlds)
    assert len(drawn) == 2
    for spec in drawn:
        altair.VConcatChart.from_dict(spec)


def test_the_command_writes_a_page_with_every_figure_and_the_weights(capsys, tmp_path: Path):
    own = log(tmp_path / "log.csv", FOUR)
    asked = ("--table", "atelier", "--rules", "strict", "--allow-excluded", "0.5", "--out", tmp_path / "page")
    code, out, _ = athanor(capsys, "report", own, *asked, "--regression", "uncertainty")
    assert (code, out.strip()) == (0, str(tmp_path / "page" / "report.html"))
    page = (tmp_path / "page" / "report.html").read_text()
    for title in ("How far players come", "What became of the turns", "What drives choices", "What was read"):
        assert f"<h2>{title}</h2>" in page
    assert "3 players of 3.3 [0.5, 6.2] turns on average, of whom 1 stopped by themselves" in page
    assert "1 unowned" in page
    assert "No episode was left out" not in page
    made = {path.name for path in (tmp_path / "page" / "figures").iterdir()}
    assert {"survival.svg", "survival.png", "categories.png"} <= made
    assert (tmp_path / "page" / "figures" / "survival.png").read_bytes().startswith(PNG)
    found = [json.loads(line) for line in (tmp_path / "page" / "estimates.jsonl").read_text().splitlines()]
    assert any(one["name"].startswith("weight of uncertainty") for one in found)


def test_run_folders_stand_beside_logs_and_worlds_apart(capsys, tmp_path: Path):
    own = log(tmp_path / "log.csv", FOUR)
    athanor(capsys, *play("atelier", tmp_path / "run"))
    asked = ("--table", "atelier", "--rules", "brandle2023", "--regression", "none", "--allow-excluded", "0.5")
    code, _, _ = athanor(capsys, "report", own, tmp_path / "run", *asked, "--out", tmp_path / "one")
    assert code == 0
    page = (tmp_path / "one" / "report.html").read_text()
    assert "2 groups of 6 players" in page
    assert "What drives choices" not in page
    worlds = [*described(own), *logged([own], Reading(seed=0, table="atelier", rules="pan2025", allow=1.0), None,
                                       Options(seed=0))]  # fmt: skip
    path = logs.report(worlds, tmp_path / "two", ())
    page = path.read_text()
    assert "<b>atelier, strict rules.</b>" in page
    assert "people, atelier, pan2025 rules" in page


def test_options_of_logs_beside_run_folders_alone_are_misuse(capsys, tmp_path: Path):
    athanor(capsys, *play("atelier", tmp_path / "run"))
    for given in (["--rules", "strict"], ["--nagq", "0"], ["--regression", "none"]):
        code, _, err = athanor(capsys, "report", tmp_path / "run", *given, "--out", tmp_path / "page")
        assert (code, f"{given[0]} says nothing of run folders, and no file of logs was given" in err) == (2, True)


def test_hostile_names_are_shown_and_never_obeyed(tmp_path: Path):
    path = log(tmp_path / "log.csv", FOUR, group=HOSTILE.replace('"', "").replace("\x00", ""))
    page = logs.report(described(path), tmp_path / "page", ()).read_text()
    tags = Tags(page).found
    assert not {"script", "img", "iframe", "link", "object"} & {tag for tag, _ in tags}
    assert not set("\x1b\u202e") & set(page)
