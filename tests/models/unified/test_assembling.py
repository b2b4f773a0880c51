"""A unified model of a language model, an encoder and a visual tokenizer of others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM, SiglipConfig, SiglipModel, SiglipVisionModel

from athanor.core.errors import DataError
from athanor.models.unified.assembling import FRESH, assemble
from athanor.models.unified.checkpoints import read, stored
from athanor.models.unified.config import BackboneConfig, EncoderConfig, VisualTokenizerConfig
from athanor.models.unified.model import llama_config, siglip_config
from athanor.models.unified.names import source
from athanor.models.unified.text_tokenizer import SPECIAL_NAMES
from athanor.models.unified.visual_tokenizer import VisualTokenizer
from tests.models.unified.small import published, saved
from tests.test_cli import athanor

SPOKEN = BackboneConfig(vocabulary=290, width=48, inner=64, layers=2, heads=4, kv_heads=2, context=256)
SEEN = EncoderConfig(image_size=32, patch=8, width=32, inner=64, layers=2, heads=4)


def plain_tokenizer(marks: tuple[str, ...] = ()) -> bytes:
    """Of a language model that knows no images."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    inner: Any = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet)  # type: ignore[call-arg]
    inner.train_from_iterator(["two red circles left of a blue square"], trainer)
    inner.add_special_tokens(["<s>", "</s>", *marks])
    return inner.to_str().encode()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `llama`, `tied`, `siglip`, `tower` and `unified`, of random weights."""
    path = tmp_path_factory.mktemp("parts")
    torch.manual_seed(0)
    for name, tied in (("llama", False), ("tied", True)):
        config = llama_config(SPOKEN)
        config.tie_word_embeddings = tied
        config.bos_token_id, config.eos_token_id = 280, [281]
        LlamaForCausalLM(config).save_pretrained(path / name)
        (path / name / "tokenizer.json").write_bytes(plain_tokenizer())
    tower = siglip_config(SEEN)
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "vocab_size": 60_000}  # fmt: skip
    SiglipModel(SiglipConfig(text_config=text, vision_config=tower.to_dict())).save_pretrained(path / "siglip")
    SiglipVisionModel(tower).save_pretrained(path / "tower")
    saved(path / "unified", published())
    return path


@torch.no_grad()
@pytest.mark.parametrize(("language", "encoder"), [("llama", "siglip"), ("tied", "tower")])
def test_parts_compute_what_they_computed_alone(parts: Path, language: str, encoder: str):
    made = assemble(parts / language, parts / encoder, parts / "unified", 1)
    tokens = torch.tensor([[5, 7, 11, 13]])
    alone: Any = LlamaForCausalLM.from_pretrained(parts / language).eval()
    backbone: Any = made.model.backbone
    logits = made.model.text_logits(backbone(inputs_embeds=made.model.embed_text(tokens)).last_hidden_state)
    torch.testing.assert_close(logits[..., :280], alone(tokens).logits[..., :280])
    pixels = torch.rand(2, 3, 32, 32) * 2 - 1
    whole: Any = (SiglipModel if encoder == "siglip" else SiglipVisionModel).from_pretrained(parts / encoder).eval()
    tower = whole.vision_model if encoder == "siglip" else whole
    seen: Any = made.model.encoder
    torch.testing.assert_close(
        seen(pixel_values=pixels).last_hidden_state, tower(pixel_values=pixels).last_hidden_state
    )
    other = stored(parts / "unified").model
    assert torch.equal(made.model.visual_tokenizer.encode(pixels), other.visual_tokenizer.encode(pixels))
    for name in FRESH:
        assert not any(
            torch.equal(a, b) for a, b in zip(
                getattr(made.model, name).parameters(), getattr(other, name).parameters(), strict=True
            ) if a.ndim > 1
        )  # fmt: skip


def test_marks_that_the_tokenizer_lacks_are_added_with_rows(parts: Path):
    made = assemble(parts / "llama", parts / "tower", parts / "unified", 1)
    special, table = made.words.special, made.model.backbone.embed_tokens.weight
    assert len(set(special)) == len(SPECIAL_NAMES)
    assert min(special) == 282
    assert len(table) == SPOKEN.vocabulary  # rows that were there for no token
    before: Any = LlamaForCausalLM.from_pretrained(parts / "llama")
    assert torch.equal(table[special.begin], before.model.embed_tokens.weight[280])
    assert torch.equal(table[special.end], before.model.embed_tokens.weight[281])
    torch.testing.assert_close(table[special.image], before.model.embed_tokens.weight.mean(0))
    assert torch.equal(table[:282], before.model.embed_tokens.weight[:282])
    assert made.words.decode(made.words.encode("two red circles")) == "two red circles"


def test_tables_grow_where_they_have_no_room(parts: Path, tmp_path: Path):
    folder = tmp_path / "llama"
    LlamaForCausalLM(llama_config(replace(SPOKEN, vocabulary=282))).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(plain_tokenizer())
    made = assemble(folder, parts / "tower", parts / "unified", 1)
    assert made.model.config.backbone.vocabulary == made.words.size == 288
    assert made.model.text_head.weight.shape == (288, 48)


def test_a_unified_model_begins_again_with_new_adaptors(parts: Path):
    old = stored(parts / "unified").model.state_dict()
    whole = parts / "unified"
    made = assemble(whole, whole, whole, 1)
    again, other = (assemble(whole, whole, whole, seed).model.state_dict() for seed in (1, 2))
    for name, tensor in made.model.state_dict().items():
        assert torch.equal(tensor, again[name])
        fresh = name.split(".")[0] in FRESH
        assert torch.equal(tensor, old[name]) != (fresh and tensor.ndim > 1) or tensor.ndim == 1
        assert not fresh or tensor.ndim == 1 or not torch.equal(tensor, other[name])


@pytest.mark.slow
def test_the_visual_tokenizer_is_read_from_a_file_as_its_authors_write_it(parts: Path, tmp_path: Path):
    painter = VisualTokenizer(VisualTokenizerConfig(image_size=32))
    called = {n: source(f"visual_tokenizer.{n}", "original").name.removeprefix("gen_vision_model.")
              for n in painter.state_dict()}  # fmt: skip
    tensors = {called[n]: t for n, t in painter.state_dict().items()}
    torch.save({"model": {**tensors, "quantize.codebook_used": torch.zeros(65_536)}}, tmp_path / "vq.pt")
    made = assemble(parts / "llama", parts / "tower", tmp_path / "vq.pt", 1)
    pixels = torch.rand(1, 3, 32, 32) * 2 - 1
    assert torch.equal(made.model.visual_tokenizer.encode(pixels), painter.eval().encode(pixels))
    assert made.model.config.tokenizer.codes == 16_384


def test_the_command_writes_a_model_that_is_read_again(parts: Path, tmp_path: Path, capsys: Any):
    asked = ("assemble", "--language", str(parts / "llama"), "--encoder", str(parts / "siglip"), "--codes",
             str(parts / "unified"), "--out", str(tmp_path / "out"), "--dtype", "bfloat16")  # fmt: skip
    code, out, _ = athanor(capsys, *asked)
    assert (code, out.strip()) == (0, str((tmp_path / "out").resolve()))
    made = read(tmp_path / "out")
    assert made.model.text_head.weight.dtype == torch.bfloat16
    assert made.model.visual_tokenizer.quantize.embedding.weight.dtype == torch.float32
    about = json.loads((tmp_path / "out" / "assembled.json").read_text())
    assert set(about["parts"]) == {"language", "encoder", "codes"}
    code, _, said = athanor(capsys, *asked)
    assert (code, "already holds something" in said) == (2, True)


@pytest.mark.parametrize(
    ("which", "said"),
    [
        (("siglip", "siglip", "unified"), "type 'siglip', a llama or a unified model was expected"),
        (("llama", "llama", "unified"), "type 'llama', a siglip or a unified model was expected"),
        (("llama", "siglip", "llama"), "a folder without a unified model"),
        (("llama", "siglip", "nothing"), "is not there"),
        (("nothing", "siglip", "unified"), "is not there"),
        (("llama", "siglip", "llama/model.safetensors"), "has 0 tensors whose names end in quantize.embedding.weight"),
    ],
)
def test_parts_that_are_none_are_told(parts: Path, which: tuple[str, str, str], said: str):
    language, encoder, codes = (parts / one for one in which)
    with pytest.raises(DataError, match=said):
        assemble(language, encoder, codes, 1)
