"""The processor of transformers writes a folder's conversations, and prepares its images, as this package does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from athanor.core.errors import DataError
from athanor.core.records import Message
from athanor.environments.scenes.drawing import png
from athanor.models.unified.answering import prepared
from athanor.models.unified.processors import files
from athanor.models.unified.templates import TEMPLATES
from tests.models.unified.small import published, saved

IMAGES = [np.random.default_rng(n).integers(0, 256, (40, 24, 3), dtype=np.uint8) for n in range(2)]
SHOWN = [{"type": "image", "image": Image.fromarray(image)} for image in IMAGES]


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(saved(tmp_path_factory.mktemp("p") / "model", published(), "huggingface"))


def said(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize(("conversation", "messages"), [
    ([{"role": "user", "content": [said("two red circles?")]}], [Message(role="user", text="two red circles?")]),
    ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two?"}],
     [Message(role="system", text="Be brief."), Message(role="user", text="two?")]),
    ([{"role": "user", "content": [SHOWN[0], said("two red circles?")]}],
     [Message(role="user", text="two red circles?", images=(png(IMAGES[0]),))]),
    ([{"role": "user", "content": [*SHOWN, said(" left? ")]}],
     [Message(role="user", text="left?", images=tuple(png(image) for image in IMAGES))]),
    ([{"role": "user", "content": "two?"}, {"role": "assistant", "content": "two circles"},
      {"role": "user", "content": "red?"}],
     [Message(role="user", text="two?"), Message(role="assistant", text="two circles"),
      Message(role="user", text="red?")]),
    ([{"role": "user", "content": [SHOWN[0]]}], [Message(role="user", text="", images=(png(IMAGES[0]),))]),
])  # fmt: skip
def test_conversations_become_the_same_tokens_and_pixels(processor: Any, conversation: list, messages: list[Message]):
    made = processor.apply_chat_template(
        conversation, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    mine = prepared(published(), messages)
    assert made["input_ids"][0].tolist() == list(mine.tokens)
    if any(message.images for message in messages):
        assert made["pixel_values"].shape == (len(mine.images), 3, 32, 32)
        torch.testing.assert_close(made["pixel_values"], torch.stack(list(mine.images)), atol=0.02, rtol=0)


def test_a_tokenizer_keeps_what_it_says_of_itself():
    made = files(
        TEMPLATES["janus"], 9, b'{"tokenizer_class": "X", "bos_token": "<s>", "extra_special_tokens": {"a": "b"}}'
    )
    assert b'"tokenizer_class": "X"' in made["tokenizer_config.json"]
    assert b'"bos_token": "<s>"' in made["tokenizer_config.json"]
    assert b'"a": "b"' in made["tokenizer_config.json"]
    assert b'"num_image_tokens": 9' in made["processor_config.json"]
    with pytest.raises(DataError, match="copy it again"):
        files(TEMPLATES["janus"], 9, b"[]")
