"""Scores are counts of what is right, by the exact checker and by the words of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from athanor.core.errors import UsageError
from athanor.core.records import Message
from athanor.core.seeds import stream
from athanor.environments.points.cards import DECK
from athanor.environments.scenes.drawing import png, render
from athanor.environments.scenes.prompts import drawn as drawn_prompts
from athanor.environments.scenes.scene import STYLES
from athanor.environments.scenes.splits import split_of
from athanor.models.unified.answering import Answering, ask
from athanor.models.unified.drawing import Drawing, draw
from athanor.models.unified.layout import collate
from athanor.models.unified.losses import losses
from athanor.training.unified import scores
from athanor.training.unified.measures import answer_measures, drawing_measures, held
from athanor.training.unified.run import begun
from athanor.training.unified.scores import Score, Trial, answered, checked, mean
from athanor.training.unified.teaching import conversation, pixels_of
from tests.training.unified.micro import micro


def test_true_pictures_are_right_and_those_of_another_prompt_wrong() -> None:
    asked, made = drawn_prompts("color_attr", STYLES["aligned"], split_of("test"), stream(1, "x"), 6)
    images = render(made)
    (found,) = checked("drawn", "color_attr", zip(asked, images, strict=True))
    assert (found.of, found.name, found.right, found.n) == ("drawn", "color_attr", 6, 6)
    assert found.by_prompt == ((1, 1),) * 6
    twice = [pair for pair in zip(asked, images, strict=True) for _ in range(2)]
    assert checked("drawn", "color_attr", twice[1:])[0].by_prompt == ((1, 1), *((2, 2),) * 5)
    turned = [(spec, image) for spec, image in zip(asked, np.roll(images, 1, 0), strict=True)]
    assert checked("drawn", "color_attr", turned)[0].right < 3


def test_ranks_and_suits_are_counted_by_card() -> None:
    asked, made = drawn_prompts("cards", STYLES["aligned"], split_of("all"), stream(1, "y"), 8)
    right = checked("drawn", "cards", zip(asked, render(made), strict=True))
    cards = sum(len(spec.include) for spec in asked)
    assert [(one.name, one.right, one.n) for one in right] == [
        ("cards", 8, 8), ("rank", cards, cards), ("suit", cards, cards)
    ]  # fmt: skip
    turned = {"S": "H", "H": "D", "D": "C", "C": "S"}
    to = np.array([DECK.index(card[:-1] + turned[card[-1]]) for card in DECK])
    other = replace(made, card=np.where(made.card >= 0, to[made.card], -1).astype(np.int8))
    found = {one.name: one.right for one in checked("drawn", "cards", zip(asked, render(other), strict=True))}
    assert found["cards"] == 0
    assert found["rank"] == cards
    assert found["suit"] < cards


def test_geneval_takes_the_mean_of_six_shares_and_none_of_five() -> None:
    names = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
    found = [Score(of="drawn", name=name, right=k, n=10) for k, name in enumerate(names)]
    assert mean(found) == pytest.approx(0.25)
    assert mean(found[:5]) is None
    assert Score(of="drawn", name="x", right=0, n=0).share is None


def test_a_prompt_that_comes_again_is_drawn_with_another_seed() -> None:
    unified = begun(micro(), "cpu")
    trial = Trial(many=9, guidance=1.0)
    found = list(scores._drawn(unified, scores.Counter({"a star": 3, "a ring": 1}), trial))
    assert sorted(prompt for prompt, _ in found) == ["a ring", "a star", "a star", "a star"]
    stars = [image for prompt, image in found if prompt == "a star"]
    expected = draw(unified, ["a star"], range(3), Drawing(guidance=1.0, batch=64)).pixels[0]
    for mine, theirs in zip(stars, scores.to_images(expected), strict=True):
        assert np.abs(mine.astype(int) - np.asarray(theirs).astype(int)).max() <= 1
    assert not np.array_equal(stars[0], stars[1])


def test_answers_are_right_word_for_word(monkeypatch: pytest.MonkeyPatch) -> None:
    unified = begun(micro(), "cpu")
    asked: list[Sequence[Message]] = []

    def told(_: object, conversations: Sequence[Sequence[Message]], how: object) -> tuple[str, ...]:
        asked.extend(conversations)
        return tuple("two" if "how many" in one[-1].text else "yes indeed" for one in conversations)

    monkeypatch.setattr(scores, "ask", told)
    found = {one.name: one for one in answered(unified, Trial(many=4))}
    assert sum(one.n for one in found.values()) == len(asked) == 36
    assert all(one.right == 0 for name, one in found.items() if name != "count")
    assert found["exists"].n > 0


def test_likeliest_tokens_are_right_where_the_greedy_answer_is() -> None:
    unified, some = begun(micro(), "cpu"), held(1, 2, "aligned").understanding
    pixels = pixels_of([one.picture for one in some if one.picture is not None])
    batch = collate([[conversation(unified.layout, one, image)] for one, image in zip(some, pixels, strict=True)])
    learner = torch.optim.AdamW(unified.model.parameters(), 0.01)
    for _ in range(12):  # until some are right and some are not
        losses(unified.model, batch)["understanding"].mean.backward()
        learner.step()
        learner.zero_grad()
    asked = [
        [Message(role="user", text=one.questions[0].question, images=(png(one.picture),))]
        for one in some if one.picture is not None
    ]  # fmt: skip
    told = ask(unified, asked, Answering(most=6))
    right = sum(answer == one.questions[0].answer for answer, one in zip(told, some, strict=True))
    assert 0 < right < len(some)
    assert sum(one.right for one in answer_measures(unified, some)) == right


def test_the_gap_between_prompts_is_nothing_for_a_model_that_does_not_read() -> None:
    unified = begun(micro(), "cpu")
    some = held(1, 2, "aligned").drawing
    with torch.no_grad():
        for layer in unified.model.backbone.layers:
            layer.self_attn.o_proj.weight.zero_()  # type: ignore[union-attr]
    found = drawing_measures(unified, some)
    assert found["gap"] == pytest.approx(0, abs=1e-4)
    assert found["excess dense"] > found["excess two_object"]  # nothing is left open, or much is


def test_a_trial_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="1 or more"):
        Trial(many=0)
