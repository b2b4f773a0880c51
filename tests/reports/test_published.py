from __future__ import annotations

from dataclasses import replace as dataclass_replace
from types import SimpleNamespace
from typing import Any

import altair
import pytest
from msgspec.structs import replace

from athanor.analysis.arms import World
from athanor.analysis.weights import PUBLISHED, named
from athanor.core.records import Estimate
from athanor.reports import drawing
from athanor.reports.forest import Row, forest
from athanor.reports.published import BLACK, estimate_of, label_of, published_figure, published_weights
from athanor.reports.weights import weights_figure
from athanor.studies.think_too_fast.claims import compare
from athanor.studies.think_too_fast.places import Place
from athanor.studies.think_too_fast.published import NEVER
from athanor.studies.think_too_fast.published import PUBLISHED as NUMBERS

TERMS = ("uncertainty", "empowerment")


def estimate(name: str, value: float | None, group: str, method: str = "m") -> Estimate:
    known = value is not None
    return Estimate(
        name=name, value=value, low=value - 0.2 if known else None, high=value + 0.2 if known else None,
        level=0.95 if known else None, n=5, unit="players", method=method, group=group,
    )  # fmt: skip


def arm(name: str, baseline: str | None = None) -> Any:
    world = World(table="atelier@0", rules="strict", split="open", turns=20)
    return SimpleNamespace(name=f"{name} (atelier)", short=name, baseline=baseline, world=world)


def test_published_weights_stand_in_the_figure_of_weights_under_the_first_world_only():
    worlds = [(world, [estimate(named(term, PUBLISHED), 0.5, "m, T=1") for term in TERMS]) for world in ("a", "b")]
    without, found = weights_figure(worlds, TERMS), weights_figure(worlds, TERMS, published_weights(TERMS))
    assert without is not None
    assert found is not None
    for label in ("people (Brändle et al.)", "llama-3.1-70b (Pan et al.)", "empowerment agent (Brändle et al.)"):
        assert label not in without.svg
        assert found.svg.count(f">{label}</text>") == len(TERMS)
    assert "Tiny" not in found.svg
    assert "ablated" not in found.svg
    assert "in black: published weights" in found.caption
    assert "in black" not in without.caption


def test_a_published_number_is_drawn_with_the_interval_that_its_source_gives_and_no_other():
    by = {(one.quantity, one.of): one for one in NUMBERS}
    people = estimate_of(by["empowerment", "people"])
    assert people.low == pytest.approx(0.378 - 1.96 * 0.001)
    alone = estimate_of(by["final inventory", "o1"])
    assert (alone.value, alone.low, alone.level) == (177, None, None)
    assert label_of(by["share invalid", "llama-3.1-8b, T=1"]) == "llama-3.1-8b (Pan et al.)"
    rows = published_weights(TERMS)
    assert {row.colour for row in rows["uncertainty"]} == {BLACK}
    assert all(len({row.label for row in each}) == len(each) for each in rows.values())


def test_inventories_and_shares_of_the_first_world_stand_under_the_published_ones_each_arm_in_a_row_of_its_own():
    model = "a-model-with-a-name-of-some-length"
    ways = [f"{model}, {way}, T=1, constrained" for way in ("base", "engineered")]
    arms = [arm("random", "random"), *(arm(way) for way in ways)]
    by = {(one.name, "final inventory"): estimate("final inventory", 9.0, one.name) for one in arms}
    place = Place(name="atelier, strict rules", table="atelier", arms=tuple(arms), by=by, empowerment="")
    found = published_figure(place)
    assert found is not None
    for label in ("base, T=1, constrained (here)", "engineered, T=1, constrained (here)", "random (here)",
                  "random (re-analysis)", "o1 (Pan et al.)"):  # fmt: skip
        assert found.svg.count(f">{label}</text>") == 1
    assert "20 turns of atelier, strict rules" in found.caption
    assert published_figure(Place(name="n", table="t", arms=tuple(arms), by={}, empowerment="")) is None


def test_why_a_weight_is_unknown_is_said_in_its_row():
    name = named("uncertainty", PUBLISHED)
    found = [
        estimate(name, None, "a", "withheld: 40 of 80 turns"),
        estimate(name, None, "b", "no turn counts as an attempt"),
        estimate(name, None, "c", "separated"),
        estimate(name, 0.4, "d"),
    ]
    figure = weights_figure([("w", found)], ("uncertainty",))
    assert figure is not None
    for said in ("withheld: too many left out", "no valid attempt", "no finite estimate"):
        assert figure.svg.count(f">{said}</text>") == 1


def test_a_dot_has_room_at_the_ends_of_a_bent_scale_and_a_logarithmic_one_begins_near_its_numbers():
    rows = [Row(str(value), replace(estimate("w", value, "g"), low=None, high=None), "#000") for value in (4.0, 500.0)]
    for scale, kind in (("bent", "symlog"), ("logarithmic", "log")):
        spec = forest(rows, title="t", x_title="x", scale=scale, zero=False, width=200, ticks=(10, 100))
        altair.LayerChart.from_dict(spec)
        places = [layer["encoding"]["x"]["scale"] for layer in spec["layer"] if "scale" in layer["encoding"]["x"]]
        assert {one["type"] for one in places} == {kind}
        assert all(one["padding"] > 3 for one in places)
    spec = forest(rows, title="t", x_title="x", zero=False)
    assert not any("scale" in layer["encoding"]["x"] for layer in spec["layer"])


def marks(low: float, high: float, width: int = 195) -> list[float]:
    """The marks of a bent scale between two numbers."""
    row = Row("r", replace(estimate("w", low, "g"), low=low, high=high), "#000")
    spec = forest([row], title="t", x_title="x", scale="bent", width=width)
    altair.LayerChart.from_dict(spec)
    on = [layer["encoding"]["x"] for layer in spec["layer"] if "field" in layer["encoding"]["x"]]
    assert len(on) == 3  # the line at zero, the interval and the dot, all on one axis
    assert {tuple(one["axis"]["values"]) for one in on} == {tuple(on[0]["axis"]["values"])}
    assert not any(one["axis"]["labelOverlap"] for one in on)
    return on[0]["axis"]["values"]


def test_a_bent_scale_has_a_mark_at_zero_and_as_many_others_as_have_room():
    assert marks(-20, 3) == [-10, -3, -1, 0, 1, 3]
    assert marks(-20, 3, width=90) == [-10, 0, 3]
    assert marks(0.1, 45) == [0, 0.3, 1, 3, 10, 30]
    assert marks(-0.02, 0.03) == [-0.01, 0, 0.01, 0.03]
    assert marks(0, 0) == [-1, -0.3, 0, 0.3, 1]


def test_a_models_name_is_left_out_in_every_world_and_the_caption_says_which():
    name = named("uncertainty", PUBLISHED)
    model = "a-model-with-a-name-of-some-length"
    ways = [f"{model}, {way}, T=1, constrained" for way in ("base", "engineered")]
    worlds = [("a", [estimate(name, 0.5, way) for way in ways]), ("b", [estimate(name, 0.5, ways[0])])]
    figure = weights_figure(worlds, ("uncertainty",))
    assert figure is not None
    assert figure.svg.count(">base, T=1, constrained</text>") == 2
    assert model not in figure.svg
    assert f"Names that begin with “{model}” are written without it." in figure.caption
    alone = weights_figure(worlds[1:], ("uncertainty",))
    assert alone is not None
    assert "are written without it" not in alone.caption


def test_random_players_of_the_published_game_stand_below_the_published_ones():
    one = next(each for each in NUMBERS if (each.quantity, each.of) == ("uncertainty", NEVER))
    ours = estimate("uncertainty", 0.46, "random-never-repeat (simulated)")
    same, another = compare(one, ours, None), compare(one, ours, None, another=("another world",))
    rows = [row.label for row in published_weights(TERMS, [same])["uncertainty"]]
    at = rows.index("random-never-repeat (re-analysis)")
    assert rows[at + 1] == "random-never-repeat (here, the same game)"
    assert published_weights(TERMS, [another]) == published_weights(TERMS)
    figure = weights_figure([("w", [estimate(named("uncertainty", PUBLISHED), 0.5, "m")])], ("uncertainty",),
                            published_weights(TERMS, [same]))  # fmt: skip
    assert figure is not None
    assert "In grey below them: ours of the same players in the same game." in figure.caption
    place = Place(name="here", table="t", arms=(arm("m"),), by={}, empowerment="")
    theirs = {("random (atelier)", "final inventory"): estimate("final inventory", 39.0, "random")}
    there = Place(name="there", table="t", arms=(arm("random", "random"),), by=theirs, empowerment="")
    place = dataclass_replace(place, by={("m (atelier)", "final inventory"): estimate("final inventory", 9.0, "m")})
    found = published_figure(place, there)
    assert found is not None
    assert found.svg.count(">random (here, the same game)</text>") == 1
    assert "these are to be compared number by number" in found.caption


def test_an_oracle_that_leaves_is_named_beside_its_curve_where_there_is_room():
    style = drawing.Style(name="o", label="oracle", colour="#000", dash=(1, 0), muted=True)
    spots = {}
    for at in (11.3, 19.5):
        point = drawing.Point(at=at, value=20.0, low=None, high=None, n=1)
        line = drawing.Line(style=style, points=(point,), last=32.0, left_at=at)
        mark = drawing._exit_label(line, 20, 590)
        spots[at] = (mark["mark"]["align"], mark["encoding"]["x"]["value"] > at / 20 * 590)
    assert spots == {11.3: ("left", True), 19.5: ("right", False)}
