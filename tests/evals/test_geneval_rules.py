"""GenEval's rules, each as published, and where the strict ones differ."""

from __future__ import annotations

import pytest
from PIL import Image

from athanor.environments.scenes.spec import Entry, Spec
from athanor.evals.geneval.detecting import Box, Thing, kept, shared
from athanor.evals.geneval.judging import Looked, Rules, judged, look
from athanor.evals.geneval.prompts import told
from tests.evals.drawn import BENCH, BOTH, CLOCKS, DOG, PINK, Finds, Names, thing

PICTURE = Image.new("RGB", (100, 100))


def passes(spec: Spec, *things: Thing, rules: Rules = "published") -> bool | None:
    told = look(PICTURE, spec, Finds(things), Names())
    return judged(Looked(prompt=0, sample="0", digest="", **told), spec, rules).passed


def test_a_thing_counts_above_the_threshold_and_not_at_it() -> None:
    assert passes(BENCH, thing("bench", 0.301))
    assert not passes(BENCH, thing("bench", 0.3))
    assert not passes(BENCH, thing("chair", 0.99))
    assert not passes(BENCH)


def test_counting_has_a_threshold_of_its_own() -> None:
    assert passes(CLOCKS, thing("clock", 0.91), thing("clock", 0.92), thing("clock", 0.9))
    assert not passes(CLOCKS, thing("clock", 0.91), thing("clock", 0.9))


def test_counting_is_exact_and_other_categories_take_more() -> None:
    three = [thing("clock", 0.99, (k, 0, k + 5, 5)) for k in (0, 20, 40)]
    assert passes(CLOCKS, *three[:2])
    assert not passes(CLOCKS, *three)
    assert passes(BENCH, *[thing("bench", 0.9)] * 5)


def test_of_a_class_the_sixteen_most_confident_count() -> None:
    many = [thing("bench", 0.31 + k / 100) for k in range(30)]
    found = kept(many, threshold=0.3)
    assert [round(one.confidence, 2) for one in found] == [round(0.31 + k / 100, 2) for k in range(29, 13, -1)]


def test_boxes_overlap_as_if_their_last_pixel_belonged_to_them() -> None:
    assert shared((0, 0, 9, 9), (0, 0, 9, 9)) == 1
    assert shared((0, 0, 9, 9), (5, 0, 14, 9)) == pytest.approx(50 / 150)
    assert shared((0, 0, 9, 9), (10, 0, 19, 9)) == 0
    assert shared((5, 5, 3, 3), (9, 9, 2, 2)) == 0


def test_overlap_leaves_nothing_out_as_published_and_the_less_sure_one_where_it_is_on() -> None:
    twins = [
        thing("clock", 0.95, (0, 0, 99, 99)),
        thing("clock", 0.99, (0, 0, 99, 98)),
        thing("clock", 0.97, (0, 0, 9, 9)),
    ]
    assert len(kept(twins, threshold=0.3)) == 3
    assert [one.confidence for one in kept(twins, threshold=0.3, overlap=0.9)] == [0.99, 0.97]
    assert len(kept(twins, threshold=0.3, overlap=0.99)) == 2  # at the overlap itself it is left out
    assert not passes(CLOCKS, *twins)
    assert passes(CLOCKS, *twins, rules="strict")


def test_sixteen_are_taken_before_the_overlap_so_that_what_it_leaves_out_makes_no_room() -> None:
    many = [thing("clock", 0.99)] * 16 + [thing("clock", 0.98, (50, 50, 60, 60))]
    assert len(kept(many, threshold=0.3, overlap=0.5)) == 1


def test_the_colour_is_that_of_the_most_confident_thing() -> None:
    pink, red = thing("car", 0.9, colour="pink"), thing("car", 0.8, colour="red")
    assert passes(PINK, pink, red)
    assert not passes(PINK, thing("car", 0.7, colour="pink"), red)
    assert not passes(PINK, thing("car", 0.9))


def test_colours_are_asked_for_only_where_the_prompt_has_one_of_the_class() -> None:
    names = Names()
    look(PICTURE, PINK, Finds([thing("car"), thing("dog")]), names)
    look(PICTURE, BENCH, Finds([thing("bench")]), names)
    assert names.asked == ["car"]


def test_of_several_asked_for_in_a_colour_all_must_have_it() -> None:
    two = told("colors", Entry(kind="cup", count=2, colour="red"))
    red, blue = thing("cup", 0.9, colour="red"), thing("cup", 0.8, colour="blue")
    assert passes(two, red, red)
    assert not passes(two, red, blue)


def test_both_colours_must_be_right_each_on_its_own_thing() -> None:
    assert passes(BOTH, thing("cup", colour="green"), thing("pizza", colour="red"))
    assert not passes(BOTH, thing("cup", colour="red"), thing("pizza", colour="green"))


def at(x: float, y: float, half: float = 5) -> Box:
    return x - half, y - half, x + half, y + half


@pytest.mark.parametrize(
    ("dog", "cat", "holds"),
    [
        (at(20, 50), at(80, 50), True),
        (at(80, 50), at(20, 50), False),
        (at(50, 20), at(50, 80), False),
        (at(48.5, 50), at(50.5, 50), False),  # 2 apart: the tenth of both sizes, that is 2, is taken off
        (at(45, 50), at(50, 50), True),  # 5 apart, 3 left, more than half of 5
        (at(46.2, 50), at(50, 50), False),  # 3.8 apart, 1.8 left, less than half of it
        (at(50, 50), at(50, 50), False),
        (at(20, 20), at(80, 80), True),  # left of and above at once
    ],
)  # fmt: skip
def test_a_position_holds_beyond_its_margin(dog: Box, cat: Box, holds: bool) -> None:
    assert passes(DOG, thing("dog", box=dog), thing("cat", box=cat)) == holds


def test_a_position_goes_by_the_most_confident_things() -> None:
    left, right, cat = thing("dog", 0.9, at(10, 50)), thing("dog", 0.8, at(90, 50)), thing("cat", box=at(50, 50))
    assert passes(DOG, left, right, cat)
    assert not passes(DOG, thing("dog", 0.7, at(10, 50)), right, cat)
    assert not passes(DOG, left, right, cat, rules="strict")


def test_a_position_beside_what_was_not_found_or_has_the_wrong_colour_fails() -> None:
    assert not passes(DOG, thing("dog", box=at(10, 50)))
    red = told("position", Entry(kind="cat", colour="red"), Entry(kind="dog", position=("left of", 0)))
    dog = thing("dog", box=at(10, 50))
    assert passes(red, dog, thing("cat", box=at(80, 50), colour="red"))
    assert not passes(red, dog, thing("cat", box=at(80, 50), colour="blue"))


def test_strict_rules_ask_for_exact_counts_and_sure_things_in_every_category() -> None:
    sure, unsure = thing("bench", 0.95), thing("bench", 0.5)
    assert passes(BENCH, sure, unsure, rules="strict")
    assert not passes(BENCH, unsure, rules="strict")
    assert not passes(BENCH, sure, thing("bench", 0.95, (50, 50, 60, 60)), rules="strict")
    assert passes(BENCH, sure, thing("dog", 0.99), rules="strict")  # a photograph may have more in it


def test_strict_rules_ask_every_thing_for_its_colour() -> None:
    two = told("colors", Entry(kind="cup", count=2, colour="red"))
    cups = [thing("cup", 0.99, (0, 0, 9, 9), "red"), thing("cup", 0.98, (20, 0, 29, 9), "red")]
    assert passes(two, *cups, rules="strict")
    assert not passes(two, cups[0], thing("cup", 0.98, (20, 0, 29, 9), "blue"), rules="strict")


def test_what_could_not_be_looked_at_has_no_verdict() -> None:
    verdict = judged(Looked(prompt=0, sample="0", digest="", failure="torn"), BENCH, "published")
    assert verdict.passed is None
    assert "torn" in verdict.reason


def test_a_verdict_says_why() -> None:
    told = look(PICTURE, PINK, Finds([thing("car", colour="red")]), Names())
    verdict = judged(Looked(prompt=0, sample="0", digest="", **told), PINK, "published")
    assert verdict.reason == "color failed: a pink car: red found"
