"""Both layouts, read and written; and files that are wrong."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from athanor.core.errors import DataError, UsageError
from athanor.models.unified import checkpoints, names
from athanor.models.unified.checkpoints import read, write
from athanor.models.unified.config import JANUS_PRO_1B, JANUS_PRO_7B, UnifiedConfig
from athanor.models.unified.configurations import DESCRIBED, of_huggingface, of_original
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.names import LayoutName, Source, source
from athanor.models.unified.reading import PICKLED, SAFE
from athanor.models.unified.text_tokenizer import Special
from athanor.models.unified.unified import Unified
from tests.models.unified.small import JANUS, OTHER, fast, published, saved, unified

LAYOUTS: tuple[LayoutName, ...] = ("original", "huggingface")


def equal(one: Unified, other: Unified) -> bool:
    first, second = one.model.state_dict(), other.model.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def content() -> Unified:
    return published()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_model_is_read_again_as_it_was_written(content: Unified, layout: LayoutName, tmp_path: Path):
    again = read(saved(tmp_path / "model", content, layout))
    assert equal(again, content)
    assert again.model.config == content.model.config
    assert (again.template, again.preparation) == (content.template, content.preparation)
    assert again.words.special == content.words.special
    assert not again.model.training


def test_files_of_a_model_can_be_read_by_whom_its_folder_lets(content: Unified, tmp_path: Path):
    folder = saved(tmp_path / "model", content)
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


def test_from_layout_to_layout_and_back_no_byte_of_the_weights_changes(content: Unified, tmp_path: Path):
    first = saved(tmp_path / "1", content, "original")
    other = saved(tmp_path / "2", read(first), "huggingface")
    last = saved(tmp_path / "3", read(other), "original")
    assert (first / SAFE).read_bytes() == (last / SAFE).read_bytes()
    assert (first / "config.json").read_bytes() == (last / "config.json").read_bytes()
    again = saved(tmp_path / "4", read(last), "huggingface")
    assert (other / SAFE).read_bytes() == (again / SAFE).read_bytes()


def test_a_table_that_serves_as_the_head_too_is_read(content: Unified, tmp_path: Path):
    folder = saved(tmp_path / "model", content, "huggingface")
    changed(folder, lambda tensors: tensors.pop("lm_head.weight"))
    with pytest.raises(DataError, match=r"lacks lm_head\.weight"):
        read(folder)
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(described | {"tie_word_embeddings": True}))
    model = read(folder).model
    assert torch.equal(model.text_head.weight, model.backbone.embed_tokens.weight)


def test_what_nothing_runs_is_kept_and_written_again(content: Unified, tmp_path: Path):
    dead = {
        "vision_model.vision_tower.attn_pool.latent": torch.randn(1, 1, 32),
        "gen_vision_model.quantize.codebook_used": torch.arange(65_536.0),
    }
    first = saved(tmp_path / "1", content)
    save_file(load_file(first / SAFE) | dead, first / SAFE)
    again = load_file(saved(tmp_path / "2", read(first)) / SAFE)
    assert all(torch.equal(again[name], tensor) for name, tensor in dead.items())
    assert not set(dead) & set(load_file(saved(tmp_path / "3", read(first), "huggingface") / SAFE))


def test_a_model_of_ones_own_shape_is_read_again_from_the_original_layout(tmp_path: Path):
    one = unified()
    again = read(saved(tmp_path / "model", one))
    assert equal(again, one)
    assert again.model.config == OTHER
    assert again.template == "words"


@pytest.mark.parametrize(
    ("change", "said"),
    [({"encoder": "patches"}, "encodes patches"), ({"attention": False}, "without attention"),
     ({"groups": 16}, "32 groups"), ({"image_size": 64}, "grid of codes")],
)  # fmt: skip
def test_what_the_class_of_transformers_cannot_hold_is_not_written_for_it(
    change: dict[str, object], said: str, tmp_path: Path
):
    config = replace(JANUS, tokenizer=replace(JANUS.tokenizer, **change))
    with pytest.raises(UsageError, match=said):
        write(tmp_path / "model", unified(config), "huggingface")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("ours", "original", "huggingface"),
    [
        ("encoder.embeddings.patch_embedding.bias", Source("vision_model.vision_tower.patch_embed.proj.bias"),
         "model.vision_model.embeddings.patch_embedding.bias"),
        ("encoder.embeddings.position_embedding.weight", Source("vision_model.vision_tower.pos_embed", batched=True),
         "model.vision_model.embeddings.position_embedding.weight"),
        ("encoder.encoder.layers.7.layer_norm2.weight", Source("vision_model.vision_tower.blocks.7.norm2.weight"),
         "model.vision_model.encoder.layers.7.layer_norm2.weight"),
        ("encoder.encoder.layers.7.self_attn.k_proj.bias",
         Source("vision_model.vision_tower.blocks.7.attn.qkv.bias", part=1),
         "model.vision_model.encoder.layers.7.self_attn.k_proj.bias"),
        ("encoder.encoder.layers.7.self_attn.out_proj.weight",
         Source("vision_model.vision_tower.blocks.7.attn.proj.weight"),
         "model.vision_model.encoder.layers.7.self_attn.projection_layer.weight"),
        ("encoder.encoder.layers.7.mlp.fc1.weight", Source("vision_model.vision_tower.blocks.7.mlp.fc1.weight"),
         "model.vision_model.encoder.layers.7.mlp.fc1.weight"),
        ("encoder.post_layernorm.bias", Source("vision_model.vision_tower.norm.bias"),
         "model.vision_model.post_layernorm.bias"),
        ("encoder_adaptor.layers.1.weight", Source("aligner.layers.2.weight"), "model.aligner.hidden_layers.0.weight"),
        ("visual_tokenizer.encoder.conv_blocks.4.res.1.conv1.weight",
         Source("gen_vision_model.encoder.conv_blocks.4.res.1.conv1.weight"),
         "model.vqmodel.encoder.down.4.block.1.conv1.weight"),
        ("visual_tokenizer.encoder.conv_blocks.4.attn.1.q.weight",
         Source("gen_vision_model.encoder.conv_blocks.4.attn.1.q.weight"),
         "model.vqmodel.encoder.down.4.attn.1.q.weight"),
        ("visual_tokenizer.decoder.conv_blocks.0.upsample.conv.bias",
         Source("gen_vision_model.decoder.conv_blocks.0.upsample.conv.bias"),
         "model.vqmodel.decoder.up.0.upsample.conv.bias"),
        ("visual_tokenizer.decoder.mid.1.proj_out.bias", Source("gen_vision_model.decoder.mid.1.proj_out.bias"),
         "model.vqmodel.decoder.mid.attn_1.proj_out.bias"),
        ("visual_tokenizer.quantize.embedding.weight", Source("gen_vision_model.quantize.embedding.weight"),
         "model.vqmodel.quantize.embedding.weight"),
        ("code_embedding.weight", Source("gen_embed.weight"), "model.generation_embeddings.weight"),
        ("code_adaptor.layers.0.bias", Source("gen_aligner.layers.0.bias"), "model.generation_aligner.fc1.bias"),
        ("code_head.into.weight", Source("gen_head.output_mlp_projector.weight"),
         "model.generation_head.proj_out.weight"),
        ("code_head.out.bias", Source("gen_head.vision_head.bias"), "model.generation_head.vision_head.bias"),
        ("backbone.layers.3.mlp.up_proj.weight", Source("language_model.model.layers.3.mlp.up_proj.weight"),
         "model.language_model.layers.3.mlp.up_proj.weight"),
        ("text_head.weight", Source("language_model.lm_head.weight"), "lm_head.weight"),
    ],
)  # fmt: skip
def test_tensors_have_their_published_names(ours: str, original: Source, huggingface: str):
    assert source(ours, "original") == original
    assert source(ours, "huggingface") == Source(huggingface)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("config", [JANUS_PRO_1B, JANUS_PRO_7B], ids=["1B", "7B"])
def test_every_tensor_of_the_published_models_has_one_place(config: UnifiedConfig, layout: LayoutName):
    with torch.device("meta"):
        ours = UnifiedModel(config).state_dict()
    places = [source(name, layout) for name in ours]
    assert len(set(places)) == len(ours)
    written = names.written(ours, layout)
    assert sum(tensor.numel() for tensor in written.values()) == sum(tensor.numel() for tensor in ours.values())
    if layout == "original":
        assert written["vision_model.vision_tower.blocks.0.attn.qkv.weight"].shape == (3072, 1024)
        assert written["vision_model.vision_tower.pos_embed"].shape == (1, 576, 1024)


def test_every_name_of_the_huggingface_layout_is_one_of_its_class():
    from transformers import JanusConfig, JanusForConditionalGeneration

    with torch.device("meta"):
        ours = names.written(UnifiedModel(JANUS_PRO_1B).state_dict(), "huggingface")
        described = DESCRIBED["huggingface"](JANUS_PRO_1B, Special(0, 1, 2, 3, 4, 5))
        theirs = JanusForConditionalGeneration(JanusConfig(**described)).state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {
        name: tensor.shape for name, tensor in theirs.items()
    }


@pytest.mark.parametrize("config", [JANUS_PRO_1B, JANUS_PRO_7B], ids=["1B", "7B"])
def test_published_configurations_are_understood_without_our_own_words(config: UnifiedConfig):
    special = Special(100_000, 100_001, 100_002, 100_003, 100_580, 100_581)
    described = DESCRIBED["original"](config, special)
    for silent in ("rms_norm_eps", "rope_theta"):  # as in the released file
        del described["language_config"][silent]
    assert of_original(described) == config
    assert of_huggingface(DESCRIBED["huggingface"](config, special)) == config


def test_a_tower_can_be_cut_as_the_published_rule_says():
    described = DESCRIBED["original"](JANUS_PRO_1B, Special(0, 1, 2, 3, 4, 5))
    for layer, kept in ((-1, 24), (-2, 23), (0, 24), (5, 5)):
        described["vision_config"]["params"]["select_layer"] = layer
        assert of_original(described).encoder.layers == kept


def test_weights_in_several_files_are_read_as_one(content: Unified, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoints, "PART", 200_000)
    folder = saved(tmp_path / "model", content)
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    assert not (folder / SAFE).exists()
    assert equal(read(folder), content)
    next(iter(sorted(folder.glob("model-00002-*")))).unlink()
    with pytest.raises(DataError, match="copy the missing part"):
        read(folder)


def test_a_pickle_of_tensors_is_read(content: Unified, tmp_path: Path):
    folder = saved(tmp_path / "model", content)
    torch.save(load_file(folder / SAFE), folder / PICKLED)
    (folder / SAFE).unlink()
    assert equal(read(folder), content)


class Code:
    """Runs something when it is unpickled."""

    def __init__(self, where: Path) -> None:
        self.where = where

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (Path.write_text, (self.where, "run"))


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_with_code_is_not_run(content: Unified, how: str, tmp_path: Path):
    folder = saved(tmp_path / "model", content)
    (folder / SAFE).unlink()
    poison = {"gen_embed.weight": torch.zeros(1), "x": Code(tmp_path / "ran")}
    if how == "torch":
        torch.save(poison, folder / PICKLED)
    else:
        (folder / PICKLED).write_bytes(pickle.dumps(poison))
    with pytest.raises(DataError, match="it was not run"):
        read(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", [SAFE, PICKLED])
@pytest.mark.parametrize("part", [0.0, 0.001, 0.5, 0.999])
def test_a_torn_file_of_weights_is_refused(content: Unified, name: str, part: float, tmp_path: Path):
    folder = saved(tmp_path / "model", content)
    if name == PICKLED:
        torch.save(load_file(folder / SAFE), folder / PICKLED)
        (folder / SAFE).unlink()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        read(folder)


def changed(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    tensors = load_file(folder / SAFE)
    change(tensors)
    save_file(tensors, folder / SAFE)
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.update({"gen_vision_model.quantize.embedding.weight": torch.zeros(65, 8)}),
         r"quantize\.embedding\.weight of shape \[65, 8\], config\.json says \[64, 8\]"),
        (lambda t: t.pop("gen_embed.weight"), r"lacks gen_embed\.weight; its config"),
        (lambda t: t.update({"lora.weight": torch.zeros(1)}), r"holds lora\.weight, which the model has not"),
        (lambda t: t.update({"vision_model.vision_tower.pos_embed": torch.zeros(16, 32)}), r"says \[1, 16, 32\]"),
        (lambda t: t.update({"gen_embed.weight": t["gen_embed.weight"].to(torch.int8)}), "in int8, as quantised"),
    ],
    ids=["codebook", "missing", "extra", "shape", "quantised"],
)  # fmt: skip
def test_weights_that_do_not_fit_the_configuration_are_refused(
    content: Unified, change: Callable[[dict[str, Tensor]], object], said: str, tmp_path: Path
):
    with pytest.raises(DataError, match=said):
        read(changed(saved(tmp_path / "model", content), change))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("config.json", "{", "cannot be read"),
        ("config.json", "[]", "no JSON object"),
        ("config.json", '{"model_type": "llama"}', "describes a model of type 'llama'"),
        ("config.json", '{"model_type": "multi_modality"}', "does not describe a unified model"),
        ("config.json", '{"athanor": {"config": {"backbone": 3}}}', "does not describe a unified model"),
        ("preprocessor_config.json", '{"image_mean": [1]}', "how images are prepared"),
        ("preprocessor_config.json", '{"image_std": [0, 0, 0]}', "stds above 0 were expected"),
    ],
)
def test_files_beside_the_weights_that_are_wrong_are_refused(
    content: Unified, file: str, text: str, said: str, tmp_path: Path
):
    folder = saved(tmp_path / "model", content)
    (folder / file).write_text(text)
    with pytest.raises(DataError, match=said):
        read(folder)


@pytest.mark.parametrize(
    ("index", "said"),
    [({"weight_map": {"x": "../../etc/passwd"}}, "must lie beside it"), ({}, "no index of weights"), ([], "no index")],
)
def test_an_index_that_leads_astray_is_refused(content: Unified, index: object, said: str, tmp_path: Path):
    folder = saved(tmp_path / "model", content)
    (folder / SAFE).unlink()
    (folder / f"{SAFE}.index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=said):
        read(folder)


def test_folders_without_a_model_and_weights_of_another_are_refused(content: Unified, tmp_path: Path):
    with pytest.raises(DataError, match=r"config\.json is not there"):
        read(tmp_path)
    folder = saved(tmp_path / "model", content)
    save_file({"x": torch.zeros(1)}, folder / SAFE)
    with pytest.raises(DataError, match="another kind of model"):
        read(folder)
    (folder / SAFE).unlink()
    with pytest.raises(DataError, match="has neither"):
        read(folder)


def test_a_model_is_not_written_over_another(content: Unified, tmp_path: Path):
    folder = saved(tmp_path / "model", content)
    with pytest.raises(UsageError, match="holds a model already"):
        write(folder, content)


def test_parts_that_do_not_belong_together_are_refused(content: Unified):
    with pytest.raises(UsageError, match=r"has \d+ ids, the model 40 rows"):
        replace(unified(), words=fast())
    with pytest.raises(UsageError, match="template 'x' is not one of"):
        replace(content, template="x")
    with pytest.raises(UsageError, match="make them equal"):
        replace(content, preparation=replace(content.preparation, size=9))


def test_half_precision_is_written_and_read_as_asked(content: Unified, tmp_path: Path):
    write(tmp_path / "model", content, dtype=torch.bfloat16)
    assert {tensor.dtype for tensor in load_file(tmp_path / "model" / SAFE).values()} == {torch.bfloat16}
    half = read(tmp_path / "model")
    assert half.model.text_head.weight.dtype == torch.bfloat16
    assert half.model.visual_tokenizer.quantize.embedding.weight.dtype == torch.float32
    whole = read(tmp_path / "model", dtype=torch.float32)
    assert torch.equal(whole.model.text_head.weight, content.model.text_head.weight.bfloat16().float())
    assert half.model.backbone.rotary_emb.inv_freq.dtype == torch.float32
