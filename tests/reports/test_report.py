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
from athanor.analysis.intervals import Point
from athanor.analysis.tables import read_run
from athanor.core.errors import UsageError
from athanor.core.records import Unreadable
from athanor.reports import drawing, figures, report
from athanor.reports.page import Answer
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
    assert "; whether that is more than chance is unknown" in page
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
    placed = drawing.dodge([50.0, 51.0, 52.0, 99.0, 0.0], gaps=[10.0] * 5, length=100)
    ordered = sorted(placed)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(ordered))
    assert ordered[0] >= 0
    assert ordered[-1] <= 100
    assert placed[0] < placed[1] < placed[2]


def test_names_lose_what_they_share_and_keep_the_words_that_tell_them_apart(tmp_path: Path) -> None:
    names = [f"a-model-of-a-long-name, engineered, T=0.7, {end}" for end in ("by number", "constrained, tried")]
    paths = [run(tmp_path / name[-4:], script(HAND), episodes=1, label=name) for name in names]
    arms = arms_of([read_run(path) for path in (*paths, *baselines(tmp_path / "b"))])
    labels = [drawing.styles_of(arms)[arm.name].label for arm in arms]
    assert labels == ["by number", "constrained, tried", "random", "random-never-repeat"]
    assert drawing.shared_start(arms) == "a-model-of-a-long-name, engineered, T=0.7, "
    (figure, *_) = figures.figures_of(arms)
    assert "begin with “a-model-of-a-long-name, engineered, T=0.7” are written without it" in figure.caption
    assert drawing.styles_of(arms[1:])[names[1]].label.endswith("constrained, tried")  # nothing to share: cut inside
    other = arms_of([read_run(path) for path in (*paths, run(tmp_path / "o", script(HAND), episodes=1, label="both"))])
    assert [style.label for style in drawing.styles_of(other).values()] == ["by number", "constrained, tried", "both"]


def test_an_oracle_little_above_the_others_is_shown_whole_and_another_leaves_through_the_top() -> None:
    style = drawing.Style(name="o", label="oracle", colour="#000", dash=(1, 0), muted=True)
    points = tuple(Point(at=k, value=float(k), low=None, high=None, n=1) for k in range(11))
    assert figures._cut(style, points, 10.6, True).left_at is None
    for top in (9.5, 5.5):
        cut = figures._cut(style, points, top, True)
        assert cut.left_at is not None
        assert max(p.value for p in cut.points) == top


def test_many_arms_are_drawn_in_panels_of_six_each_with_the_baselines_and_bands_that_do_not_fade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [run(tmp_path / f"{i}", script(HAND, HAND[2:5] * 2), episodes=2, label=f"arm {i}") for i in range(14)]
    arms = arms_of([read_run(path) for path in (*paths, *baselines(tmp_path / "b"))])
    groups = drawing.crowds(arms)
    assert [len(group) for group in groups] == [5 + 2, 5 + 2, 4 + 2]
    styles = drawing.styles_of(arms)
    assert all(len({styles[arm.name].colour for arm in group[:-2]}) == len(group) - 2 for group in groups)
    drawn: list[drawing.Spec] = []
    monkeypatch.setattr(figures, "to_svg", lambda charts: drawn.extend(charts) or "<svg/>")
    monkeypatch.setattr(figures, "to_png", lambda svg: b"")
    figures.inventories(arms, styles)
    assert [chart["title"]["text"][-8:] for chart in drawn] == ["(1 of 3)", "(2 of 3)", "(3 of 3)"]
    areas = [layer["mark"] for chart in drawn for layer in chart["layer"] if layer["mark"] != "line"]
    assert {mark["opacity"] for mark in areas if mark["type"] == "area"} == {0.16, 0.2}


def test_the_label_at_the_end_of_a_curve_has_a_piece_of_its_dash(tmp_path: Path) -> None:
    (arm,) = arms_of([read_run(baselines(tmp_path)[1])])
    style = drawing.styles_of([arm])[arm.name]
    line = drawing.Line(style=style, points=(Point(at=0, value=1, low=None, high=None, n=1),), last=1)
    spec = drawing.panel([line], title="", y_title="", turns=1, top=2, width=99, height=99, labels=True)
    rules = [layer["mark"] for layer in spec["layer"] if layer["mark"] != "line" and layer["mark"]["type"] == "rule"]
    assert list(style.dash) in [mark["strokeDash"] for mark in rules]


def test_a_band_is_not_drawn_across_turns_in_which_it_is_unknown() -> None:
    style = drawing.Style(name="", label="", colour="#111111", dash=(1, 0), muted=False)
    known = [Point(at=at, value=2, low=1, high=3, n=2) for at in (0, 1, 3, 4)]
    unknown = Point(at=2, value=2, low=None, high=None, n=2)
    line = drawing.Line(style=style, points=(*known[:2], unknown, *known[2:]), last=2)
    spec = drawing.panel([line], title="", y_title="", turns=4, top=4, width=99, height=99)
    (area,) = [layer for layer in spec["layer"] if layer["mark"] != "line" and layer["mark"]["type"] == "area"]
    assert [row["piece"] for row in area["data"]["values"]] == [0, 0, 1, 1]
    assert area["encoding"]["detail"]["field"] == "piece"


def test_the_title_counts_an_arm_once_and_names_what_was_played(tmp_path: Path) -> None:
    paths = []
    for rules in ("strict", "pan2025"):
        paths += baselines(tmp_path / rules, rules=rules)
        paths += [
            run(tmp_path / rules / name, script(HAND), episodes=1, rules=rules, label=name) for name in ("a", "b")
        ]
    page = report(paths, tmp_path / "out").read_text()
    assert "<h1>Exploration in tiny: 2 arms against 2 baselines in 2 worlds</h1>" in page
    assert "<h1>Exploration in tiny: 1 arm</h1>" in report(paths[2:3], tmp_path / "one").read_text()


def test_a_world_that_is_played_at_two_lengths_is_one_world(tmp_path: Path) -> None:
    paths = [run(tmp_path / f"{n}", script(HAND), episodes=1, turns=n, label="x") for n in (5, 6)]
    assert "<h1>Exploration in tiny: 1 arm</h1>" in report(paths, tmp_path / "out").read_text()


def test_the_first_episode_is_open_and_the_others_are_folded(page: str) -> None:
    episodes = page[page.index('<section id="episodes">') : page.index('<section id="made">')]
    assert re.findall("<details[^>]*>", episodes) == ["<details open>", "<details>"]


def test_answers_that_the_server_withheld_are_told_where_there_are_any(tmp_path: Path, page: str) -> None:
    filtered = Unreadable(unreadable="x", cause="filtered")
    arm = run(tmp_path / "r", script((filtered, filtered, *HAND[2:])), episodes=1, label="x")
    told = report([arm], tmp_path / "out").read_text()
    assert "2 of its answers were withheld by the server&#39;s content filter" in told
    assert '<th scope="col" class="number">invalid: filtered</th>' in told
    assert '<th scope="col" class="number">invalid: refused</th>' not in told
    assert '<th scope="col" class="number">invalid: filtered</th>' not in page


def test_who_was_given_the_table_is_not_ranked_and_the_page_says_so(tmp_path: Path) -> None:
    knowing = {"agent": "cognitive", "weights": "empowerment=1", "pair_values": "true"}
    runs = [
        run(tmp_path / "knows", script(HAND, HAND), episodes=2, label="knows", extra=knowing),
        run(tmp_path / "plays", script(HAND[:5] + HAND[:1], HAND[:5] + HAND[:1]), episodes=2, label="plays"),
    ]
    text = report(runs, tmp_path / "out").read_text()
    assert "Plays ended with 4.0 elements" in text
    assert "Not ranked, for it was given what the pairs make and no player could know that: knows (6.0)." in text


def test_the_page_counts_the_comparisons_that_hold_together_and_has_their_intervals(tmp_path: Path) -> None:
    games = (HAND, HAND[2:5] * 2, HAND[:5] + HAND[:1])
    runs = [run(tmp_path / name, script(*games), episodes=3, label=name) for name in ("one", "two")]
    text = report([*runs, *baselines(tmp_path / "b")], tmp_path / "out").read_text()
    assert "Of 4 comparisons with players who do not know the table, " in text
    assert '<th scope="col" class="number">minus random, all together</th>' in text


def test_a_study_puts_its_question_and_its_answer_above_all_else(runs: list[Path], tmp_path: Path) -> None:
    answer = Answer(question="Do they?", said="They <b>do</b>.", points=("One claim. Holds here.",))
    page = report(runs, tmp_path / "out", answer=answer).read_text()
    top = page[page.index("<h1>") : page.index("<nav>")]
    assert top.startswith("<h1>Do they?</h1>")
    assert "<title>Do they?</title>" in page
    order = [
        top.index(said)
        for said in ("They &lt;b&gt;do", "<li>One claim. Holds here.", "Exploration in tiny", "<b>tiny, ")
    ]
    assert order == sorted(order)


def test_a_panel_without_a_curve_says_so_and_is_not_drawn(tmp_path: Path) -> None:
    world = arms_of([read_run(baselines(tmp_path)[0])])[0].world
    style = drawing.Style(name="a", label="arm", colour="#000", dash=(1, 0), muted=False)
    flat, high = (tuple(Point(at=k, value=v, low=None, high=None, n=2) for k in (1, 2)) for v in (0.0, 0.5))
    empty = figures._share_panel("Invalid answers", world, [(style, flat)])
    assert empty["title"] == {"text": "Invalid answers", "subtitle": ["None by arm."]}
    assert empty["height"] < 20
    assert figures._share_panel("Invalid answers", world, [(style, high)])["height"] > 100


def test_the_page_has_one_font(page: str) -> None:
    assert re.findall(r"font(?:-family)?: [^;]*serif[^;]*;", page.partition("</style>")[0]) == [
        'font: 1rem/1.6 "Liberation Sans", Arial, Helvetica, sans-serif;'
    ]


def test_seconds_of_episodes_that_shared_a_model_have_no_band(tmp_path: Path) -> None:
    for at_once, told in ((1, False), (3, True)):
        execution = {"at_once": at_once}
        path = run(tmp_path / f"{at_once}", script(HAND, HAND), episodes=2, label="x", execution=execution)
        arms = arms_of([read_run(path)])
        (figure,) = [one for one in figures.figures_of(arms) if one.name == "spending"]
        assert ("No band of seconds for the arm listed below: several episodes were" in figure.caption) is told
        assert figure.lists == (((figures.UNBANDED, ("x",)),) if told else ())
        (curve,) = [figures._spent(arm, "seconds", arm.turns("seconds")) for arm in arms]
        assert all(point.low is None for point in curve) is told


def test_shares_are_told_to_be_at_least_as_sure_as_their_level(page: str) -> None:
    assert "an interval that holds at least 95% of the time (Gaffke&#39;s bound)" in page
    assert "Gaffke&#39;s bound in its beta form, at least 95%" in page


def test_the_prompt_of_a_run_is_shown_apart_from_its_configuration(tmp_path: Path) -> None:
    extra = {"prompt_rules": "Combine <two> elements.", "prompt_first": "You own:\nwater"}
    page = report([run(tmp_path / "r", script(HAND), episodes=1, extra=extra)], tmp_path / "out").read_text()
    assert '<pre class="prompt">Combine &lt;two&gt; elements.</pre>' in page
    assert '<pre class="prompt">You own:\nwater</pre>' in page
    assert "<dt>prompt_rules</dt>" not in page


def test_answers_cut_at_the_token_bound_are_told_when_they_are_more_than_a_few(tmp_path: Path) -> None:
    for cut, told in (((1, 2, 3), True), ((), False)):
        arm = run(tmp_path / str(told), Scripted((HAND,), cut=cut), episodes=1, label="x", extra={"max_tokens": 16})
        page = report([arm], tmp_path / f"out-{told}").read_text()
        assert ("50.0% of its answers were cut at the bound of 16 tokens" in page) is told
        assert "cut at the token bound" in page  # the column


def test_arms_that_agree_in_all_episodes_are_told_without_an_interval_and_as_descriptive(tmp_path: Path) -> None:
    paths = [run(tmp_path / "r", script(HAND, HAND, HAND), episodes=3, label="x"), *baselines(tmp_path / "b")]
    page = report(paths, tmp_path / "out").read_text()
    assert "ended with 6.0 elements (the same in all 3 episodes: the interval is unknown)" in page
    assert "Arms of fewer than 10 episodes (here of 3) are descriptive" in page
    assert not re.search(r"\[(-?[\d.]+), \1\]", page)  # no interval has zero width


@pytest.mark.parametrize(("tops", "percent"), [((1.0, 0.53), True), ((100.0, 53.0), False)])
def test_the_titles_of_panels_beside_each_other_are_at_one_height(tops: tuple[float, float], percent: bool) -> None:
    style = drawing.Style(name="", label="", colour="#111111", dash=(1, 0), muted=False)
    line = drawing.Line(style=style, points=(Point(at=0, value=0.2, low=None, high=None, n=1),), last=0.2)
    panels = [
        drawing.panel(
            [line], title=f"T{i}", note=["x"], y_title="y", turns=1, top=top, width=99, height=190, percent=percent
        )
        for i, top in enumerate(tops)
    ]
    svg = drawing.to_svg([{"hconcat": panels}])
    heights = [re.findall(r"translate\(0,(-[\d.]+)\)", svg[: svg.index(f">T{i}<")])[-1] for i in range(2)]
    assert abs(float(heights[0]) - float(heights[1])) <= 1
