"""The checker passes every true picture, and none that just misses."""

from __future__ import annotations

import numpy as np
import pytest

from athanor.core.seeds import stream
from athanor.environments.scenes import CATEGORIES, STYLES, Entry, Judge, Placed, Scene, Spec, Thing, read, split_of
from athanor.environments.scenes.checks import complaints, tried
from athanor.environments.scenes.drawing import draw, render, roughen
from athanor.environments.scenes.prompts import drawn
from athanor.environments.scenes.propositions import answers, dpg, propositions, rows
from athanor.environments.scenes.rules import lenient, relations, sight_of, strict
from athanor.environments.scenes.scene import scenes
from athanor.environments.scenes.seeing import see
from athanor.environments.scenes.swaps import near_misses

ALL = split_of("all")
RED, BLUE = Thing(shape="circle", colour="red", cell=3), Thing(shape="square", colour="blue", cell=5)


def judged(prompt: str, *things: Thing | Placed, rules="strict", image=None):
    cards = tuple(one for one in things if isinstance(one, Placed))
    scene = Scene(things=tuple(one for one in things if isinstance(one, Thing)), cards=cards)
    judge = Judge(rules=rules)
    return judge.verdict(judge.judged(draw(scene) if image is None else image, read(prompt)))


def failed(verdict) -> set[str]:
    return {fact["rule"] for fact in verdict.parts["failed"]}


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize(("style", "pixels"), [("textured", 48), pytest.param("jittered", 384, marks=pytest.mark.slow)])
def test_every_true_picture_passes(category, style, pixels):
    found = tried(category, STYLES[style], pixels, 200, 11, ALL, misses=0)
    assert (found.passed_strict, found.passed_lenient) == (200, 200)


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_near_miss_passes_and_each_is_one_by_the_scenes_own_truth(category):
    """200 of each category, 1,800 in all; by the rules on the scene, without a picture, too."""
    found = tried(category, STYLES["textured"], 48, 80, 12, ALL, misses=200)
    assert found.near_misses == 200
    assert found.accepted == {}
    asked, made = drawn(category, STYLES["textured"], ALL, stream(12, "t"), 50)
    for spec, scene in zip(asked, scenes(made), strict=True):
        assert all(fact.held for fact in strict(spec, sight_of(scene)))
        assert all(fact.held for fact in lenient(spec, sight_of(scene)))
        for what, miss in near_misses(spec, scene):
            assert not all(fact.held for fact in strict(spec, sight_of(miss))), what


def test_what_is_seen_is_what_is_there():
    for style in STYLES.values():
        asked, made = drawn("dense", style, ALL, stream(13, "t"), 60)
        for image, scene in zip(roughen(render(made), style, stream(13, "r")), scenes(made), strict=True):
            sight, truth = see(image), sight_of(scene)
            told = [
                {(o.kind, o.colour, o.size, o.texture, o.card, o.place) for o in one.found} for one in (sight, truth)
            ]
            assert told[0] == told[1]
            assert sight.unclear == 0
            assert sight.stray == 0


def test_the_verifier_holds_from_both_sides():
    tasks, found = complaints(STYLES["aligned"], 3)
    assert tasks > 100
    assert not found


@pytest.mark.parametrize(("box", "reference", "told"), [
    ((0.0, 0.4, 0.2, 0.6), (0.6, 0.4, 0.8, 0.6), {"left of"}),
    ((0.6, 0.4, 0.8, 0.6), (0.0, 0.4, 0.2, 0.6), {"right of"}),
    ((0.4, 0.0, 0.6, 0.2), (0.4, 0.6, 0.6, 0.8), {"above"}),
    ((0.4, 0.6, 0.6, 0.8), (0.4, 0.0, 0.6, 0.2), {"below"}),
    ((0.0, 0.0, 0.2, 0.2), (0.6, 0.6, 0.8, 0.8), {"left of", "above"}),  # on the diagonal both hold
    ((0.4, 0.4, 0.6, 0.6), (0.4, 0.4, 0.6, 0.6), set()),  # the same place
    ((0.0, 0.0, 0.8, 0.8), (0.1, 0.0, 0.9, 0.8), set()),  # off by less than a tenth of the sizes together
])  # fmt: skip
def test_relations_by_hand(box, reference, told):
    """GenEval: an offset counts beyond 0.1 of the sizes together, and a relation needs half of the distance."""
    assert set(relations(box, reference)) == told


def test_the_threshold_of_a_relation_is_half_of_the_distance():
    """Offset (-1, 0.1 k) between unit boxes: what is left of 1 after a margin of 0.2 is 0.8."""

    def left(down: float) -> bool:
        return "left of" in relations((0, down, 1, 1 + down), (1, 0, 2, 1))

    assert left(1.2)  # 0.8 / hypot(1, 1.2) = 0.512
    assert not left(1.3)  # 0.8 / hypot(1, 1.3) = 0.488


def test_a_verdict_says_which_rule_failed_and_what_was_found():
    assert judged("a red circle", RED).passed
    wrong = judged("a blue circle", RED)
    assert failed(wrong) == {"color"}
    assert wrong.reason == "color failed: a blue circle: red found"
    assert wrong.parts["found"][0]["color"] == "red"
    assert 0 < wrong.reward < 1
    assert failed(judged("a circle left of a square", RED, BLUE)) == set()
    assert failed(judged("a circle right of a square", RED, BLUE)) == {"position"}
    assert failed(judged("a circle", RED, BLUE)) == {"nothing else"}
    assert failed(judged("two circles", RED)) == {"present", "count"}
    assert failed(judged("a circle", RED, Thing(shape="circle", colour="red", cell=0))) == {"count", "nothing else"}
    assert failed(judged("a circle at the top", RED)) == {"place"}
    assert failed(judged("a small circle", RED)) == {"size"}
    assert failed(judged("a striped circle", RED)) == {"texture"}
    assert failed(judged("the queen of spades", Placed(card="QH", cell=0))) == {"card"}


def test_lenient_rules_are_genevals():
    """More is accepted, but not of what is excluded; only the most confident things are looked at."""
    more = Thing(shape="circle", colour="blue", cell=0)
    assert judged("a circle", RED, BLUE, rules="lenient").passed
    assert judged("a circle", RED, more, rules="lenient").passed
    assert failed(judged("two circles", RED, more, Thing(shape="circle", colour="red", cell=8), rules="lenient")) == {
        "exclude"
    }
    assert failed(judged("three circles", RED, more, rules="lenient")) == {"present"}
    assert failed(judged("a green circle", RED, more, rules="lenient")) == {"color"}
    late = Spec(tag="position", include=(Entry(kind="square"), Entry(kind="circle", position=("left of", 0))))
    missing = lenient(late, sight_of(Scene(things=(RED,))))
    assert [(fact.rule, fact.held) for fact in missing] == [("present", False), ("present", True), ("position", False)]


def test_one_class_twice_is_told_apart_by_what_is_asked_of_each():
    other = Thing(shape="circle", colour="blue", cell=5)
    for rules in ("strict", "lenient"):
        assert judged("a blue circle and a red circle", RED, other, rules=rules).passed
        assert not judged("a blue circle and a green circle", RED, other, rules=rules).passed
    assert judged("a circle left of a circle", RED, other).passed
    assert judged("a blue circle right of a red circle", RED, other).passed
    assert not judged("a red circle right of a blue circle", RED, other).passed


def test_reward_is_one_only_for_a_pass_and_nothing_for_an_empty_picture():
    asked, made = drawn("mixed", STYLES["aligned"], ALL, stream(14, "t"), 60)
    judge = Judge()
    for image, spec in zip(np.roll(render(made), 1, 0), asked, strict=True):
        verdict = judge.verdict(judge.judged(image, spec))
        assert 0 <= verdict.reward <= 1
        assert (verdict.reward == 1) == verdict.passed
    assert judged("a red circle").reward == 0
    blunt = Judge(graded=False)
    assert blunt.verdict(blunt.judged(draw(Scene(things=(RED, BLUE))), read("a red circle"))).reward == 0


def test_fragments_blends_and_stray_paint_do_not_pass():
    image = draw(Scene(things=(RED,)))
    halved, blended, painted, faint = (image.copy() for _ in range(4))
    halved[16:32, 7:10] = 128
    blended[16:32, 8:16] = draw(Scene(things=(Thing(shape="circle", colour="blue", cell=3),)))[16:32, 8:16]
    painted[36:46, 20:23] = (20, 170, 40)
    faint[16:32, :16] = (0.25 * image[16:32, :16] + 0.75 * 128).astype(np.uint8)
    for wrong in (halved, blended, painted, faint):
        assert not judged("a red circle", image=wrong).passed
    assert failed(judged("a red circle", image=painted)) == {"nothing else"}
    assert judged("a red circle", image=painted, rules="lenient").passed


def test_a_blank_or_faint_card_is_no_card():
    image = draw(Scene(cards=(Placed(card="KC", cell=0),)))
    assert see(image).found[0].card == "KC"
    blank = image.copy()
    blank[2:22, 5:19] = 250
    assert not [one for one in see(blank).found if one.kind == "card"]
    washed = (250 - 0.2 * (250 - image.astype(float))).astype(np.uint8)
    washed[image == 128] = 128
    assert not [one for one in see(washed).found if one.kind == "card"]


def test_a_blurred_picture_is_still_read():
    from scipy.ndimage import gaussian_filter

    asked, made = drawn("color_attr", STYLES["aligned"], ALL, stream(15, "t"), 60)
    blurred = gaussian_filter(render(made).astype(float), (0, 0.6, 0.6, 0)).astype(np.uint8)
    assert sum(Judge().judged(image, spec).passed for image, spec in zip(blurred, asked, strict=True)) == 60


@pytest.mark.parametrize("seed", range(3))
def test_noise_and_flat_pictures_are_seen_without_passing(seed):
    rng = stream(seed, "noise")
    for image in (
        rng.integers(0, 256, (48, 48, 3), np.uint8), rng.integers(0, 256, (384, 384, 3), np.uint8),
        np.zeros((96, 96, 3), np.uint8), np.full((48, 48, 3), 255, np.uint8),
    ):  # fmt: skip
        assert not judged("a red circle", image=image).passed


def test_propositions_have_their_parents_before_them_and_zeros_cascade():
    spec = read("two red circles left of a blue square")
    made = propositions(spec)
    assert [one.question for one in made] == [
        "is there a square?", "is the square blue?", "are there circles?", "are the circles red?",
        "are there two circles?", "are the circles left of the square?",
    ]  # fmt: skip
    assert [one.parents for one in made] == [(), (1,), (), (3,), (3,), (3, 1)]
    two = (RED, Thing(shape="circle", colour="red", cell=0))
    whole, without = (sight_of(Scene(things=things)) for things in ((*two, BLUE), two))
    assert dpg(spec, whole) == 1
    assert answers(spec, without) == {1: False, 2: False, 3: True, 4: True, 5: True, 6: False}
    assert dpg(spec, without) == 0.5
    assert dpg(spec, sight_of(Scene())) == 0
    table = rows("x", read("a photo of a red circle"))
    assert table[0]["dependency"] == "0"
    assert table[1]["dependency"] == "1"
    assert table[1]["tuple"] == "attribute - color (circle, red)"


def test_every_proposition_of_a_true_picture_holds_and_some_of_a_near_miss_do_not():
    for category in CATEGORIES:
        asked, made = drawn(category, STYLES["textured"], ALL, stream(16, category), 30)
        for spec, scene in zip(asked, scenes(made), strict=True):
            assert dpg(spec, sight_of(scene)) == 1
            for what, miss in near_misses(spec, scene):
                if what not in ("one more", "one less"):
                    assert dpg(spec, sight_of(miss)) < 1, (what, spec)
