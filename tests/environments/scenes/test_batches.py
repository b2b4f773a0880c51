"""Batches: deterministic by seed and index, in closed words, and every question has its one right answer."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.points.cards import DECK
from athanor.environments.scenes import CATEGORIES, STYLES, Judge, Scene, Thing, read, split_of
from athanor.environments.scenes.batches import Batch, Source, batch, entropies
from athanor.environments.scenes.propositions import propositions
from athanor.environments.scenes.questions import DRAWS, ask, tells_held
from athanor.environments.scenes.scene import Placed
from athanor.environments.scenes.spec import key
from athanor.environments.scenes.splits import held
from athanor.environments.scenes.words import (
    COLOURS,
    CORNERS,
    NUMBERS,
    PLACES,
    RANK_WORDS,
    SHAPES,
    SIZES,
    SUIT_WORDS,
    TEXTURES,
    WORDS,
    card_words,
    plural,
)  # fmt: skip

TEXTURED = Source(style=STYLES["textured"])


@pytest.fixture(scope="module")
def made() -> Batch:
    return batch(TEXTURED, 0, 0, 1_500)


def test_a_batch_depends_on_the_seed_and_its_index_alone():
    first, again = batch(TEXTURED, 1, 4, 50), batch(TEXTURED, 1, 4, 50)
    assert np.array_equal(first.images, again.images)
    assert (first.captions, first.dense, first.questions, first.scenes) == (
        again.captions, again.dense, again.questions, again.scenes
    )  # fmt: skip
    for other in (batch(TEXTURED, 1, 5, 50), batch(TEXTURED, 2, 4, 50)):
        assert other.captions != first.captions
        assert not np.array_equal(other.images, first.images)


def test_every_part_of_a_batch_is_of_the_same_scene(made):
    assert made.images.shape == (1_500, 48, 48, 3)
    assert made.images.dtype == np.uint8
    judge = Judge()
    for k in range(0, 1_500, 5):
        assert judge.judged(made.images[k], read(made.captions[k])).passed
        assert judge.judged(made.images[k], read(made.dense[k])).passed
        assert key(made.specs[k]) == key(read(made.captions[k]))
    assert set(made.categories) == set(CATEGORIES)


def test_all_text_is_of_the_closed_vocabulary(made):
    known, texts = set(WORDS), [*made.captions, *made.dense]
    texts += [text for question in made.questions for text in (question.text, question.answer)]
    used = {word for text in texts for word in re.findall(r"[a-z0-9]+|[^a-z0-9 ]", text)}
    assert used <= known
    assert len(used) > 70
    assert len(WORDS) == len(known) < 128


def test_categories_come_as_often_as_they_are_weighed():
    source = replace(TEXTURED, weights=(("colors", 3.0), ("dense", 1.0), ("cards", 0.0)), pixels=64)
    found = Counter(batch(source, 0, 0, 2_000).categories)
    assert set(found) == {"colors", "dense"}
    assert abs(found["colors"] - 1_500) < 100
    assert set(batch(replace(TEXTURED, wordings=1), 0, 0, 50).captions[0].split()[:3]) == {"a", "photo", "of"}


@pytest.mark.parametrize("source", [
    Source(weights=()), Source(weights=(("dogs", 1.0),)), Source(weights=(("colors", -1.0),)),
    Source(weights=(("colors", 0.0),)), Source(wordings=0), Source(pixels=4),
])  # fmt: skip
def test_a_source_of_nothing_is_refused(source):
    with pytest.raises(UsageError):
        batch(source, 0, 0, 4)
    with pytest.raises(UsageError):
        batch(Source(), 0, 0, 0)


def test_entropies_stand_beside_every_caption(made):
    assert all(nats is not None and nats > 0 for nats in entropies(TEXTURED, made))


SINGULAR = {**{plural(shape): shape for shape in SHAPES}, "things": "thing", "cards": "card"}


def found_by(words: list[str], scene: Scene) -> list[Thing | Placed]:
    """What a name means: `star`, `red star`, `red thing`, `card`, `ten of hearts`."""
    named = " ".join(words)
    if scene.cards:
        return [one for one in scene.cards if named in ("card", card_words(one.card))]
    noun = words[-1]
    return [
        one for one in scene.things
        if noun in ("thing", one.shape) and set(words[:-1]) <= {one.colour, one.size, one.texture}
    ]  # fmt: skip


def place_of(one: Thing | Placed) -> str:
    return CORNERS[one.cell] if isinstance(one, Placed) else PLACES[one.cell]


def lies(relation: str, one: Thing, other: Thing) -> bool:
    right, down = other.cell % 3 - one.cell % 3, other.cell // 3 - one.cell // 3
    along = {"left of": right, "right of": -right, "above": down, "below": -down}[relation]
    return along > 0 and along > min(abs(right), abs(down))


def said_of(text: str, scene: Scene) -> bool:
    """Whether what a question asks to be confirmed holds."""
    words = [SINGULAR.get(word, word) for word in text.rstrip("?").split()]
    if words[:2] == ["is", "there"]:
        return bool(found_by(words[3:], scene))
    if words[:2] == ["are", "there"]:
        many = len(found_by(words[3:] if words[2] in NUMBERS else words[2:], scene))
        return many == NUMBERS.index(words[2]) if words[2] in NUMBERS else many > 0
    if words[-2] == "the" and words[-1] in SHAPES:
        those, others = ([t for t in scene.things if t.shape == words[k]] for k in (2, -1))
        assert ("are" in words) == (len(those) > 1)
        return all(lies(" ".join(words[3:-2]), one, other) for one in those for other in others)
    card = re.search(r"^is the card (?:at the (.*) )?the (\w+ of \w+)\?$", text)
    if card:
        (one,) = [c for c in scene.cards if card[1] in (None, place_of(c))]
        return card_words(one.card) == card[2]
    if " at the " in text:
        name, place = text[len("is the ") : -1].split(" at the ")
        (one,) = found_by(name.split(), scene)
        return place_of(one) == place
    those = found_by(words[2:-1], scene)
    assert those
    assert (words[0] == "is") == (len(those) == 1)
    return all(words[-1] in (one.colour, one.size, one.texture) for one in those)


def answered(text: str, scene: Scene) -> str:
    """A second reading of questions: by patterns, over the scene's records."""
    things = scene.things
    words = text.rstrip("?").split()
    if words[0] in ("is", "are"):
        return "yes" if said_of(text, scene) else "no"
    if words[0] == "how":
        return NUMBERS[len(found_by([SINGULAR.get(word, word) for word in words[2:-2]], scene))]
    if scene.cards:
        place = next((corner for corner in sorted(CORNERS, key=len, reverse=True) if f"at the {corner}?" in text), None)
        if text.startswith("where"):
            return CORNERS[{card_words(one.card): one for one in scene.cards}[text[len("where is the ") : -1]].cell]
        (one,) = [c for c in scene.cards if place is None or CORNERS[c.cell] == place]
        return card_words(one.card).split()[0 if "rank" in text else 2]
    place = re.search(r"at the ([a-z ]+)\?", text)
    matching = [
        t for t in things
        if all(w not in COLOURS or w == t.colour for w in words) and all(w not in SHAPES or w == t.shape for w in words)
        and (place is None or PLACES[t.cell] == place[1])
    ]  # fmt: skip
    asked = "place" if words[0] == "where" else words[1]
    found = {
        {"place": PLACES[t.cell], "color": t.colour, "shape": t.shape, "size": t.size, "texture": t.texture}[asked]
        for t in matching
    }
    (answer,) = found
    assert asked != "place" or len(matching) == 1
    return answer


def test_every_answer_is_right_by_a_second_reading(made):
    for question, scene in zip(made.questions, made.scenes, strict=True):
        assert answered(question.text, scene) == question.answer, (question, scene)
    kinds = Counter(question.kind for question in made.questions)
    assert set(kinds) == {
        "count", "color", "shape", "place", "exists", "holds", "position", "size", "texture", "rank", "suit"
    }  # fmt: skip


def test_no_and_yes_come_about_equally_often():
    said = dict[str, Counter[str]]()
    for index in range(4):
        for one in batch(replace(TEXTURED, split=split_of("all")), 3, index, 1_500).questions:
            if one.answer in ("yes", "no"):
                for what in (one.kind, " ".join(one.text.split()[:2])):
                    said.setdefault(what, Counter())[one.answer] += 1
    assert set(said) == {"exists", "holds", "position", "is there", "are there", "is the", "are the"}
    for what, counts in said.items():
        assert abs(counts["yes"] / counts.total() - 0.5) < 0.09, (what, counts)


def blank(text: str) -> str:
    """A question's form: its words for shapes, colours, numbers and places left out."""
    text = re.sub("|".join(sorted(PLACES, key=len, reverse=True)), "PLACE", text.lower())
    text = re.sub(rf"(?:{'|'.join(RANK_WORDS)}) of (?:{'|'.join(SUIT_WORDS.values())})", "CARD", text)
    kinds = {**dict.fromkeys(SHAPES, "SHAPE"), **{plural(shape): "SHAPES" for shape in SHAPES}}
    kinds |= dict.fromkeys(COLOURS, "COLOUR") | dict.fromkeys(SIZES, "SIZE") | dict.fromkeys(TEXTURES, "TEXTURE")
    kinds |= dict.fromkeys(NUMBERS, "NUMBER") | {"an": "a"}
    return " ".join(kinds.get(word, word) for word in text.rstrip("?").split())


def test_every_form_of_question_that_dpg_asks_of_prompts_is_asked_in_training():
    source = replace(TEXTURED, split=split_of("train"))
    asked = {blank(one.text) for index in range(6) for one in batch(source, 7, index, 1_500).questions}
    told = Counter[str]()
    for spec in batch(TEXTURED, 8, 0, 1_500).specs:
        alone = len(spec.include) == 1
        for one in propositions(spec):
            if alone or not one.question.startswith(("is the card", "are the cards")):
                told[blank(one.question)] += 1
    assert len(told) > 12
    assert {form for form, many in told.items() if many > 3} - asked == set()


def test_training_questions_name_nothing_that_is_held_out():
    train = [q for index in range(4) for q in batch(Source(), 4, index, 1_000).questions]
    test = batch(Source(split=split_of("test")), 4, 0, 2_000).questions

    def names(question) -> bool:
        words = question.text.rstrip("?").split()
        shapes = [SINGULAR.get(word, word) for word in words if SINGULAR.get(word, word) in SHAPES]
        if question.kind == "position":
            return held("relation", shapes[0], " ".join(words[3:-2]), shapes[1])
        coloured = any(held("pair", shape, word) for shape in shapes for word in words if word in COLOURS)
        numbers = [NUMBERS.index(word) for word in (*words, question.answer) if word in ("two", "three", "four")]
        cards = any(card_words(card) in question.text for card in DECK if held("card", card))
        return coloured or cards or any(held("count", shape, many) for shape in shapes for many in numbers)

    assert not any(map(names, train))
    for kind in ("exists", "holds", "position", "count"):
        assert sum(names(one) for one in test if one.kind == kind) > 10
    for one in (*train, *test):
        if one.kind != "color" and one.kind != "shape":
            assert names(one) <= tells_held(one.text, one.answer), one


@pytest.mark.parametrize(("question", "answer", "tells"), [
    ("what color is the circle?", "red", True), ("what color is the circle?", "blue", False),
    ("is the circle red?", "no", True), ("are there red circles?", "no", True), ("is there a circle?", "yes", False),
    ("are there circles?", "yes", False), ("how many red circles are there?", "one", True),
    ("is the circle at the top left?", "yes", False), ("are there two red things?", "yes", False),
])  # fmt: skip
def test_what_a_question_tells(question, answer, tells):
    assert held("pair", "circle", "red")
    assert not held("pair", "circle", "blue")
    assert tells_held(question, answer) == tells


def test_a_number_of_a_shape_is_told_by_the_question_or_its_answer():
    shape, many = next((a, n) for a in SHAPES for n in (2, 3, 4) if held("count", a, n))
    assert tells_held(f"how many {plural(shape)} are there?", NUMBERS[many])
    assert tells_held(f"are there {NUMBERS[many]} {plural(shape)}?", "no")
    assert not tells_held(f"are there {plural(shape)}?", "yes")


def test_nothing_is_asked_of_an_empty_scene():
    with pytest.raises(UsageError, match="nothing"):
        ask(Scene(), STYLES["aligned"], split_of("all"), [0.0] * DRAWS)
    rng = stream(0, "t")
    alone = Scene(things=(Thing(shape="star", colour="red", cell=4),))
    for _ in range(300):
        question = ask(alone, STYLES["aligned"], split_of("all"), rng.random(DRAWS).tolist())
        assert answered(question.text, alone) == question.answer
