"""Prompts: told, read back, parted; and how much each leaves open."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields
from math import comb, exp, log

import msgspec
import numpy as np
import pytest

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.scenes import (
    CATEGORIES,
    KINDS,
    PARTS,
    STYLES,
    Entry,
    Spec,
    Split,
    Style,
    read,
    split_of,
    tell,
)
from athanor.environments.scenes.checks import counted, held_out
from athanor.environments.scenes.entropy import entropy, scene_for
from athanor.environments.scenes.layouts import corners, layouts, mainly
from athanor.environments.scenes.prompts import drawn, prompts
from athanor.environments.scenes.rules import relations, sight_of, strict
from athanor.environments.scenes.sample import plans, realise, specs
from athanor.environments.scenes.scene import Scene, Thing, scenes
from athanor.environments.scenes.spec import WORDINGS, decoded, key
from athanor.environments.scenes.splits import allowed, held, held_table, told_held
from athanor.environments.scenes.words import CONVERSE, RELATIONS, SHAPES

ALL, TRAIN, TEST = split_of("all"), split_of("train"), split_of("test")
PLAIN = STYLES["aligned"]


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_prompt_in_any_wording_is_read_as_what_it_was_told_from(category):
    for style in (PLAIN, STYLES["textured"]):
        for spec in prompts(category, style, ALL, stream(0, "t", category), 80):
            for wording in range(WORDINGS):
                again = read(tell(spec, wording))
                assert key(again) == key(spec)
            assert read(spec.prompt).tag == category or category in ("mixed", "dense")
            assert decoded(msgspec.json.encode(spec)) == spec


def test_prompts_are_in_genevals_words():
    told = {
        "single_object": Spec(tag="", include=(Entry(kind="circle"),)),
        "counting": Spec(tag="", include=(Entry(kind="cross", count=3),)),
        "colors": Spec(tag="", include=(Entry(kind="star", colour="orange"),)),
        "position": Spec(tag="", include=(Entry(kind="square"), Entry(kind="ring", position=("left of", 0)))),
        "color_attr": Spec(tag="", include=(Entry(kind="ring", colour="red"), Entry(kind="star", colour="black"))),
    }
    assert {name: tell(spec) for name, spec in told.items()} == {
        "single_object": "a photo of a circle", "counting": "a photo of three crosses",
        "colors": "a photo of an orange star", "position": "a photo of a ring left of a square",
        "color_attr": "a photo of a red ring and a black star",
    }  # fmt: skip
    square, ring = {"class": "square", "count": 1}, {"class": "ring", "count": 1, "position": ["left of", 0]}
    line = {"tag": "position", "include": [square, ring], "prompt": "a photo of a ring left of a square"}
    assert decoded(json.dumps(line)) == msgspec.structs.replace(told["position"], tag="position", prompt=line["prompt"])
    assert read(line["prompt"]).include == told["position"].include


@pytest.mark.parametrize(("text", "same"), [
    ("Draw two red circles left of a blue square.", "two red circles to the left of a blue square"),
    ("a square and a circle", "a circle and a square"),
    ("a circle above a ring", "a ring under a circle"),
    ("a picture of 3 stars", "three stars"),
    ("a ring, a star, and a cross", "a cross and a ring and a star"),
    ("the queen of hearts", "a queen of hearts"),
])  # fmt: skip
def test_prompts_that_ask_for_the_same_have_the_same_key(text, same):
    assert key(read(text)) == key(read(same))


def test_prompts_that_ask_for_different_things_do_not():
    assert key(read("a circle left of a ring")) != key(read("a ring left of a circle"))
    assert key(read("a red circle and a ring")) != key(read("a circle and a red ring"))


@pytest.mark.parametrize("text", [
    "", "   ", ".", "a dog", "a circle left of", "a circle left of a ring above a star", "zero circles",
    "nine circles and a star", "five cards", "a card and a star", "the king of circles", "a red red circle",
    "the ace of spades at the left", "circle " * 5_000, "a" * 100_000, "a circle and", "a circle\x00", "two card",
])  # fmt: skip
def test_a_prompt_that_cannot_be_meant_is_refused_and_says_why(text):
    if text == "two card":
        assert read(text).include[0].count == 2
        return
    with pytest.raises(UsageError) as told:
        read(text)
    assert len(str(told.value)) < 600


@pytest.mark.parametrize("text", [
    "", "{", "[]", '{"tag": "x"}', '{"tag": "x", "include": []}', '{"tag": "x", "include": [{"class": "dog"}]}',
    '{"tag": "x", "include": [{"class": "star", "count": 99}]}',
    '{"tag": "x", "include": [{"class": "star", "color": "mauve"}]}',
    '{"tag": "x", "include": [{"class": "star", "position": ["left of", 0]}]}', "[" * 100_000,
    '{"tag": "x", "include": [{"class": "star"}, {"class": "ring", "position": ["near", 0]}]}',
    '{"tag": "x", "include": [{"class": "star", "card": "QH"}]}',
])  # fmt: skip
def test_a_specification_that_cannot_be_meant_is_refused(text):
    with pytest.raises(UsageError):
        decoded(text)


def test_train_and_test_share_no_held_out_combination_and_no_prompt():
    for category in CATEGORIES:
        for style in (PLAIN, STYLES["jittered"]):
            train, made = drawn(category, style, TRAIN, stream(1, "t", category), 800)
            test, _ = drawn(category, style, TEST, stream(1, "t", category), 800)
            assert not any(told_held(spec) for spec in train)
            if category == "single_object":
                continue
            assert all(told_held(spec) for spec in test)
            assert not {key(spec) for spec in train} & {key(spec) for spec in test}
            for scene in scenes(made):
                shapes = Counter(thing.shape for thing in scene.things)
                assert not any(held("pair", thing.shape, thing.colour) for thing in scene.things)
                assert not any(held("count", shape, n) for shape, n in shapes.items() if 2 <= n <= 4)
                assert not any(held("card", placed.card) for placed in scene.cards)


def test_kinds_part_one_at_a_time():
    for kind in KINDS:
        split = Split(part="test", kinds=(kind,))
        found = [told for spec in prompts("mixed", PLAIN, split, stream(2, kind), 200) for told in told_held(spec)]
        if kind != "card":
            assert {name for name, _ in found} >= {kind}
    one = Split(part="train", kinds=("count",))
    told = [spec.include[0] for spec in prompts("colors", PLAIN, one, stream(0, "x"), 400)]
    assert any(held("pair", entry.kind, entry.colour or "") for entry in told)


def test_what_is_held_out_is_balanced():
    pair, count, couple = (held_table(kind) for kind in ("pair", "count", "couple"))
    assert (pair.sum(1) <= 3).all()
    assert (pair.sum(1) >= 1).all()
    assert (pair.sum(0) <= 2).all()
    assert (count[:, 2:5].sum(1) <= 1).all()
    assert not count[:, [0, 1, 5, 9]].any()
    assert (couple.sum(1) <= 2).all()
    assert {kind: (n, len(names)) for kind, (n, names) in held_out().items()} == {
        "pair": (48, 10), "count": (18, 5), "relation": (60, 11), "couple": (15, 3), "card": (52, 12)
    }  # fmt: skip
    for a in SHAPES:
        for b in SHAPES:
            for relation in RELATIONS:
                assert a == b or held("relation", a, relation, b) == held("relation", b, CONVERSE[relation], a)


def test_counts_of_prompts_are_closed_forms():
    found = {category: counted(category, PLAIN).prompts["all"] for category in CATEGORIES}
    assert found["single_object"] == 6
    assert found["two_object"] == comb(6, 2)
    assert found["counting"] == 6 * 3
    assert found["colors"] == 6 * 8
    assert found["position"] == 6 * 5 * 2
    assert found["color_attr"] == comb(6, 2) * 8 * 7
    assert found["cards"] == 52 + comb(52, 2)
    some = prompts("mixed", Style(shapes=("ring", "star"), colours=("red", "blue")), ALL, stream(0, "t"), 9_000)
    room = [sum(len(layouts(a, b, r)) > 0 for a in (1, 2, 3) for b in (1, 2, 3)) for r in ("left of", "above")]
    assert len({key(spec) for spec in some}) == 7 * (9 + 2 * sum(room))  # both told, one told, or none; and both ways
    assert found["mixed"] == comb(6, 2) * (8 * 7 + 2 * 8 + 1) * (9 + 2 * sum(room))
    parts = counted("color_attr", PLAIN).prompts
    assert parts["train"] + parts["test"] == parts["all"]


@pytest.mark.parametrize(("text", "style", "split", "many"), [
    ("a red star", PLAIN, ALL, 9),
    ("a star", PLAIN, ALL, 9 * 8),
    ("a star", PLAIN, TRAIN, 9 * 7),  # orange is held out
    ("two stars", PLAIN, ALL, comb(9, 2) * 8),
    ("a red star and a blue ring", PLAIN, ALL, 9 * 8),
    ("a red star left of a blue ring", PLAIN, ALL, 13),
    ("two red stars left of a blue ring", PLAIN, ALL, 11),
    ("a red star", Style(jitter=1), ALL, 9 * 9),
    ("a red star at the top", Style(jitter=1, sizes=("small", "large")), ALL, 9 * 2),
    ("the queen of hearts", PLAIN, ALL, 4),
    ("the queen of hearts and the ten of clubs", Style(backgrounds=(112, 144)), ALL, 12 * 2),
])  # fmt: skip
def test_the_entropy_of_a_prompt_is_that_of_the_scenes_that_are_drawn(text, style, split, many):
    """All scenes that fit, and no others, come up, about equally often."""
    spec = read(text)
    nats = entropy(spec, style, split)
    assert nats is not None
    if text != "two red stars left of a blue ring":
        assert round(exp(nats)) == many
    many, rng = round(exp(nats)), stream(3, text)
    drawn_ones = Counter(scene_for(spec, style, split, rng) for _ in range(40 * many))
    assert len(drawn_ones) == many
    expected = 40
    statistic = sum((n - expected) ** 2 / expected for n in drawn_ones.values())
    assert statistic < many - 1 + 5 * (2 * many) ** 0.5
    assert all(all(fact.held for fact in strict(spec, sight_of(scene))) for scene in drawn_ones)


@pytest.mark.parametrize("category", [category for category in CATEGORIES if category != "dense"])
def test_scenes_drawn_at_once_are_those_drawn_one_by_one(category):
    """The vectorised drawing against the plain one: the same scenes for a prompt, each about as often."""
    style = Style(colours=("red", "blue", "black"))
    for seed in range(200):
        asked = plans(category, style, TRAIN, stream(seed, "one"), 1)
        (spec,) = specs(category, asked)
        many = round(exp(entropy(spec, style, TRAIN) or 0))
        if 4 <= many < 800:
            break
    repeated = type(asked)(**{f.name: np.repeat(getattr(asked, f.name), 20 * many, 0) for f in fields(asked)})
    together = Counter(scenes(realise(repeated, style, TRAIN, stream(4, category))))
    alone = {scene_for(spec, style, TRAIN, rng) for rng in [stream(5, category)] for _ in range(20 * many)}
    assert set(together) == alone
    assert len(together) == many
    assert sum((n - 20) ** 2 / 20 for n in together.values()) < many - 1 + 5 * (2 * many) ** 0.5


def test_no_entropy_is_given_where_one_scene_has_several_readings():
    for text in ("a circle and a red circle", "a ring, a star and a cross", "two cards"):
        assert entropy(read(text), PLAIN, ALL) is None
    assert entropy(read("a blue circle and a red circle"), PLAIN, ALL) == log(72)


def test_free_prompts_have_scenes_too():
    rng = stream(6, "t")
    for text in (
        "two red circles, a star and three crosses", "a star at the top, two rings and a cross", "three cards",
        "a circle left of a circle", "the queen of hearts above the ten of clubs", "nine stars",
    ):  # fmt: skip
        spec = read(text)
        for _ in range(5):
            assert all(fact.held for fact in strict(spec, sight_of(scene_for(spec, STYLES["jittered"], ALL, rng))))
    for text in ("a star at the top and a ring at the top", "three stars left of three rings"):
        with pytest.raises(UsageError, match="arrangement"):
            scene_for(read(text), PLAIN, ALL, rng)


def test_cells_that_lie_mainly_one_way_do_so_by_the_published_rule_whatever_the_jitter():
    for relation in RELATIONS:
        assert len(layouts(1, 1, relation)) == 13
        for a in range(9):
            for b in range(9):
                if a != b and mainly(relation, a, b):
                    for shift in ((1, 1, -1, -1), (-1, 1, 1, -1), (1, -1, -1, 1), (-1, -1, 1, 1)):
                        for sizes in (("large", "large"), ("small", "large"), ("small", "small")):
                            one = Thing(shape="star", colour="red", cell=a, dx=shift[0], dy=shift[1], size=sizes[0])
                            other = Thing(shape="ring", colour="red", cell=b, dx=shift[2], dy=shift[3], size=sizes[1])
                            found = sight_of(Scene(things=(one, other))).found
                            assert relation in relations(found[0].box, found[1].box)
    assert [len(layouts(n)) for n in (1, 2, 9)] == [9, 36, 1]
    assert [len(corners(n)) for n in (1, 2, 4)] == [4, 12, 24]


def test_unknown_parts_kinds_and_categories_are_refused():
    with pytest.raises(UsageError, match="split"):
        split_of("tset")
    with pytest.raises(UsageError, match="kinds"):
        split_of("test", ("dog",))  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="category"):
        prompts("dogs", PLAIN, ALL, stream(0, "t"), 1)
    with pytest.raises(UsageError, match="style"):
        prompts("colors", Style(shapes=("circle",), colours=("red",)), TRAIN, stream(0, "t"), 1)
    assert set(PARTS) == {"train", "test", "all"}
    assert allowed(TRAIN, "star", ("orange", "red")) == ("red",)
