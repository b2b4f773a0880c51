"""Batches: deterministic by seed and index, in closed words, and every question has its one right answer."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from athanor.core.errors import UsageError
from athanor.core.seeds import stream
from athanor.environments.scenes import CATEGORIES, STYLES, Judge, Scene, Thing, read, split_of
from athanor.environments.scenes.batches import Batch, Source, batch, entropies
from athanor.environments.scenes.questions import DRAWS, ask
from athanor.environments.scenes.spec import key
from athanor.environments.scenes.splits import held
from athanor.environments.scenes.words import COLOURS, CORNERS, NUMBERS, PLACES, SHAPES, WORDS, card_words, plural

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


def answered(text: str, scene: Scene) -> str:
    """A second reading of questions: by patterns, over the scene's records."""
    things, names = scene.things, {**{s: s for s in SHAPES}, **{plural(s): s for s in SHAPES}}
    words = text.rstrip("?").split()
    if text == "how many cards are there?":
        return NUMBERS[len(scene.cards)]
    if scene.cards:
        told = {card_words(one.card): one for one in scene.cards}
        place = next((corner for corner in sorted(CORNERS, key=len, reverse=True) if f"at the {corner}?" in text), None)
        if text.startswith("where"):
            return CORNERS[told[text[len("where is the ") : -1]].cell]
        if text.startswith("is there"):
            return "yes" if re.sub(r"is there an? ", "", text)[:-1] in told else "no"
        (one,) = [c for c in scene.cards if place is None or CORNERS[c.cell] == place]
        return card_words(one.card).split()[0 if "rank" in text else 2]
    if words[0] == "how":
        colour = next((word for word in words if word in COLOURS), None)
        shape = next((names[word] for word in words if word in names), None)
        return NUMBERS[sum(colour in (None, t.colour) and shape in (None, t.shape) for t in things)]
    if words[:2] == ["is", "there"]:
        return "yes" if any((t.colour, t.shape) == tuple(words[3:5]) for t in things) else "no"
    if words[0] == "is":
        (one,), (other,) = ([t for t in things if t.shape == words[k]] for k in (2, -1))
        right, down = other.cell % 3 - one.cell % 3, other.cell // 3 - one.cell // 3
        said = " ".join(words[3:-2])
        along = {"left of": right, "right of": -right, "above": down, "below": -down}[said]
        return "yes" if along > 0 and along > min(abs(right), abs(down)) else "no"
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
    assert set(kinds) == {"count", "color", "shape", "place", "exists", "position", "size", "texture", "rank", "suit"}


def test_no_and_yes_come_about_equally_often():
    those = [batch(Source(split=split_of("all")), 3, index, 1_000) for index in range(3)]
    for kind in ("exists", "position"):
        said = Counter(q.answer for one in those for q in one.questions if q.kind == kind)
        assert abs(said["yes"] / said.total() - 0.5) < 0.08


def test_training_questions_name_nothing_that_is_held_out():
    train = [q for index in range(4) for q in batch(Source(), 4, index, 1_000).questions]
    test = batch(Source(split=split_of("test")), 4, 0, 2_000).questions

    def names(question) -> bool:
        words = question.text.rstrip("?").split()
        if question.kind == "position":
            return held("relation", words[2], " ".join(words[3:-2]), words[-1])
        return question.kind == "exists" and words[4] in SHAPES and held("pair", words[4], words[3])

    assert not any(map(names, train))
    assert sum(map(names, test)) > 20


def test_nothing_is_asked_of_an_empty_scene():
    with pytest.raises(UsageError, match="nothing"):
        ask(Scene(), STYLES["aligned"], split_of("all"), [0.0] * DRAWS)
    rng = stream(0, "t")
    alone = Scene(things=(Thing(shape="star", colour="red", cell=4),))
    for _ in range(300):
        question = ask(alone, STYLES["aligned"], split_of("all"), rng.random(DRAWS).tolist())
        assert answered(question.text, alone) == question.answer
