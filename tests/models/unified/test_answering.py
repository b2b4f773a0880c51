"""From conversations with images to words, and what training learns from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from athanor.core.errors import DataError, UsageError
from athanor.core.records import Message
from athanor.models.unified.answering import Answering, ask, prepared
from athanor.models.unified.layout import TASKS, collate
from athanor.models.unified.losses import losses, total
from athanor.models.unified.sampling import Sampling
from athanor.models.unified.unified import Unified
from tests.models.unified.small import published, unified
from tests.models.unified.test_pictures import file


@pytest.fixture(scope="module")
def small() -> Unified:
    return unified()


def picture(seed: int) -> bytes:
    return file(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)))


def user(text: str, *images: bytes) -> Message:
    return Message(role="user", text=text, images=images)


def several() -> list[list[Message]]:
    return [
        [user("how many circles?", picture(0))],
        [user("what is the colour of the square?", picture(1), picture(2))],
        [user("two red circles")],
        [user("what?", picture(3)), Message(role="assistant", text="a circle"), user("what colour?")],
    ]


@torch.no_grad()
def slowly(content: Unified, messages: list[Message], most: int) -> str:
    """One conversation, greedily, read from the beginning at every token."""
    sample = prepared(content, messages)
    tokens: list[int] = []
    batch = collate([[sample]])
    for _ in range(most):
        rows = torch.cat([batch.tokens, torch.tensor([tokens], dtype=torch.long)], 1)
        kinds = torch.cat([batch.kinds, torch.zeros(1, len(tokens), dtype=torch.long)], 1)
        x = content.model.embed(rows, kinds, batch.pixels)
        hidden = content.model.backbone(inputs_embeds=x, use_cache=False).last_hidden_state[0, -1]
        token = int(content.model.text_logits(hidden).argmax())
        if token == content.words.special.end:
            break
        tokens.append(token)
    return content.words.decode(tokens).strip()


@pytest.mark.parametrize(("content", "gain"), [(unified(), 1), (published(), 3)], ids=["words", "published"])
def test_answers_of_a_batch_are_those_of_each_alone_read_again_at_every_token(content: Unified, gain: float):
    with torch.no_grad():  # so that answers end, and not all at once
        content.model.text_head.weight[content.words.special.end] *= gain
    answers = ask(content, several(), Answering(most=12, batch=3))
    expected = [slowly(content, messages, 12) for messages in several()]
    assert list(answers) == expected
    assert len({len(answer.split()) for answer in answers}) > 1


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_sampled_answer_does_not_depend_on_its_company(small: Unified, batch: int):
    how = Answering(most=8, sampling=Sampling(top_p=0.9), seed=3, batch=batch)
    together = ask(small, several(), how)
    assert together == tuple(ask(small, [messages], how)[0] for messages in several())
    assert together != ask(small, several(), Answering(most=8, sampling=Sampling(top_p=0.9), seed=4))


def test_an_answer_longer_than_its_first_room_goes_on_and_ends_with_the_context(small: Unified):
    with torch.no_grad():
        never = small.model.text_head.weight[small.words.special.end].clone()
        small.model.text_head.weight[small.words.special.end] = 0
    try:
        one, other = [user("two red circles")], [user("red " * 60)]
        found = ask(small, [one, other], Answering(most=100))
        assert found[0] == slowly(small, one, 100)
        assert found[1] == slowly(small, other, small.layout.context - len(prepared(small, other)))
    finally:
        small.model.text_head.weight.data[small.words.special.end] = never


def test_what_an_image_shows_reaches_the_answer(small: Unified):
    batches = [collate([[prepared(small, [user("what?", picture(seed))])]]) for seed in (0, 1)]
    with torch.no_grad():
        hidden = [small.model.hidden(batch)[0, -1] for batch in batches]
    assert not torch.allclose(hidden[0], hidden[1], atol=1e-3)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([user("what?", b"torn")], "none of the formats"),
        ([user("what?", picture(0)[:200])], "could not be decoded"),
        ([user("what?"), Message(role="assistant", text="a")], "must be a user's"),
        ([], "must be a user's"),
        ([user("red " * 5000)], "shorten it"),
        ([user("two <image_placeholder>")], "1 places for images and has 0"),
    ],
)
def test_one_conversation_that_is_wrong_stops_all_before_the_first_is_answered(
    small: Unified, messages: list[Message], said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("athanor.models.unified.answering._answers", None)
    with pytest.raises((UsageError, DataError), match=said):
        ask(small, [[user("what?")], messages])


def test_losses_are_means_of_each_task_and_packing_changes_none(small: Unified):
    layout, model = small.layout, small.model
    image = small.preparation.seen(Image.new("RGB", (9, 9), (200, 0, 0)))
    samples = [
        layout.drawing("two red circles", np.arange(layout.codes) % 50),
        layout.conversation([user("how many?", b"x"), Message(role="assistant", text="two")], [image]),
        layout.text("a red circle"),
        layout.text("a blue square left of the circle"),
    ]
    apart = losses(model, collate([[sample] for sample in samples]))
    packed = losses(model, collate([samples[1:], samples[:1]]))
    assert list(apart) == list(packed) == list(TASKS)
    assert [loss.tokens for loss in apart.values()] == [2, 4 + 8, layout.codes]
    for name, loss in apart.items():
        assert packed[name].mean.item() == pytest.approx(loss.mean.item(), abs=1e-5)
    assert total(apart).item() == pytest.approx(sum(loss.mean.item() for loss in apart.values()), abs=1e-5)


def test_losses_are_the_negative_log_probabilities_of_what_follows(small: Unified):
    layout, model = small.layout, small.model
    codes = np.arange(layout.codes) % 50
    batch = collate([[layout.drawing("two", codes)]])
    first = len(layout.prompt("two")) - 1
    with torch.no_grad():
        logprobs = model.code_logits(model.hidden(batch)[0, first:-1]).log_softmax(-1)
        expected = -logprobs[torch.arange(len(codes)), torch.from_numpy(codes)].mean()
        assert losses(model, batch)["drawing"].mean.item() == pytest.approx(expected.item(), abs=1e-5)


def test_gradients_of_a_task_reach_its_own_way_in_and_out_alone(small: Unified):
    layout, model = small.layout, small.model
    image = small.preparation.seen(Image.new("RGB", (9, 9), (200, 0, 0)))
    seen = layout.conversation([user("how many?", b"x"), Message(role="assistant", text="two")], [image])
    parts = {
        "drawing": (
            layout.drawing("two", np.zeros(layout.codes, np.int64)),
            {"code_head", "code_adaptor", "code_embedding"},
        ),
        "understanding": (seen, {"text_head", "encoder", "encoder_adaptor"}),
        "text": (layout.text("two red circles"), {"text_head"}),
    }
    for task, (sample, own) in parts.items():
        model.zero_grad()
        total(losses(model, collate([[sample]]))).backward()
        reached = {
            name
            for name, part in model.named_children()
            if any(weight.grad is not None for weight in part.parameters())
        }
        assert reached == own | {"backbone"}, task
    model.zero_grad()
