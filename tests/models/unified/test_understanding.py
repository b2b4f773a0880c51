"""One encoder for both tasks: images understood by the codes that they would be drawn with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from athanor.core.errors import UsageError
from athanor.core.records import Message
from athanor.environments.scenes.drawing import png
from athanor.models.unified import checkpoints
from athanor.models.unified.answering import Answering, ask
from athanor.models.unified.layout import collate
from athanor.models.unified.losses import losses
from athanor.models.unified.unified import Unified, understanding
from tests.models.unified.small import JANUS, OTHER, unified

PIXELS = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
ASKED = Message(role="user", text="how many circles ?", images=(b"",))


@pytest.fixture
def shared() -> Unified:
    return understanding(unified(), "codes")


def test_an_image_is_read_as_the_codes_that_it_would_be_drawn_with(shared: Unified):
    model = shared.model
    assert (shared.layout.seen, shared.preparation.size) == (100, 40)
    seen = model.see(PIXELS)
    assert torch.equal(seen, model.embed_codes(model.visual_tokenizer.encode(PIXELS)))
    assert seen.shape == (2, 100, 32)


def test_the_codes_are_the_same_where_products_are_taken_in_bfloat16(shared: Unified):
    many = torch.rand(40, 3, 40, 40, generator=torch.Generator().manual_seed(1)) * 2 - 1
    tokenizer = shared.model.visual_tokenizer
    with torch.no_grad():
        codes, painted = tokenizer.encode(many), tokenizer.decode(tokenizer.encode(many[:2]))
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(tokenizer.encode(many), codes)
            assert torch.equal(tokenizer.decode(codes[:2]), painted)
            assert not torch.equal(tokenizer.quantize(tokenizer.latents(many)).codes, codes)  # so it matters


def test_what_it_reads_trains_the_table_and_adaptor_of_codes_and_no_encoder(shared: Unified):
    messages = [ASKED, Message(role="assistant", text="two")]
    losses(shared.model, collate([[shared.layout.conversation(messages, [PIXELS[0]])]]))[
        "understanding"
    ].mean.backward()
    moved = {name.split(".")[0] for name, weight in shared.model.named_parameters() if weight.grad is not None}
    assert moved == {"code_embedding", "code_adaptor", "backbone", "text_head"}


def test_it_is_written_and_read_and_answers_alike(shared: Unified, tmp_path: Path):
    checkpoints.write(tmp_path / "model", shared)
    again = checkpoints.read(tmp_path / "model")
    assert again.model.config.understanding == "codes"
    image = png(((PIXELS[0].permute(1, 2, 0) + 1) * 127.5).byte().numpy())
    asked = [[question(image)]]
    assert ask(again, asked, Answering(most=4)) == ask(shared, asked, Answering(most=4))
    own = understanding(shared, "encoder")
    assert (own.layout.seen, own.preparation.size) == (16, 32)


def question(image: bytes) -> Message:
    return Message(role="user", text="how many circles ?", images=(image,))


def test_the_class_of_transformers_cannot_hold_it(tmp_path: Path):
    with pytest.raises(UsageError, match="by their codes"):
        checkpoints.write(tmp_path / "model", understanding(unified(JANUS), "codes"), "huggingface")


def test_both_kinds_have_the_same_parts():
    assert replace(OTHER, understanding="codes").seen == OTHER.tokenizer.tokens != OTHER.seen
