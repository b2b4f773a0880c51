"""The detector and the colours on transformers: tiny models of random weights, and what their logits become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from athanor.core.errors import DataError
from athanor.evals.geneval import colours, mask2former
from athanor.evals.geneval.colours import HIDDEN, Clip, cut
from athanor.evals.geneval.detecting import Thing
from athanor.evals.geneval.mask2former import Mask2Former, box_of, scaled, things
from athanor.evals.geneval.prompts import CLASSES, COLOURS
from tests.evals.drawn import thing


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    torch.manual_seed(0)
    stages = ["stage1", "stage2", "stage3", "stage4"]
    stages_of: Any = {"out_features": stages}
    swin = SwinConfig(image_size=64, embed_dim=8, depths=[1] * 4, num_heads=[1, 1, 2, 2], window_size=4, **stages_of)
    labels: Any = {"num_labels": 80}
    config = Mask2FormerConfig(
        backbone_config=swin, hidden_dim=32, feature_size=32, mask_feature_size=32, encoder_layers=1, **labels,
        decoder_layers=2, num_attention_heads=2, num_queries=6, dim_feedforward=16, encoder_feedforward_dim=16,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("m2f") / "tiny"
    Mask2FormerForUniversalSegmentation(config).save_pretrained(path)
    return path


def test_the_detector_sees_pictures_of_any_shape_without_a_network(
    detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mask2former, "SHORTER", 64)
    monkeypatch.setattr(mask2former, "LONGER", 100)
    monkeypatch.setattr(mask2former, "THRESHOLD", 0.0)
    found = Mask2Former(str(detector), device="cpu")
    assert found.name == "mask2former tiny"
    assert found.classes == CLASSES
    seen = found.see(Image.new("RGB", (90, 37), (200, 30, 30)))
    assert len(seen.things) > 0
    for one in seen.things:
        assert one.mask is not None
        assert one.mask.shape == (37, 90)
        assert one.box == box_of(one.mask)


def test_the_logits_of_a_folder_are_those_of_the_class_itself_on_the_same_pixels(detector: Path) -> None:
    from transformers import Mask2FormerForUniversalSegmentation

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    small, whole = mask2former.SHORTER, mask2former.prepared(image)
    assert whole[1] == (small, small)
    assert whole[0].shape == (3, small, small)
    reference = Mask2FormerForUniversalSegmentation.from_pretrained(detector).eval()
    with torch.inference_mode():
        out = reference(pixel_values=whole[0][None])
        masks = torch.nn.functional.interpolate(out.masks_queries_logits, (small, small), mode="bilinear")
        masks = torch.nn.functional.interpolate(masks, (64, 64), mode="bilinear")
    expected = things(out.class_queries_logits[0], masks[0])
    seen = Mask2Former(str(detector), device="cpu").see(image).things
    assert [(a.found.kind, a.box) for a in seen] == [(b.found.kind, b.box) for b in expected]


def test_a_picture_is_scaled_as_the_published_configuration_says() -> None:
    assert scaled(384, 384) == (800, 800)
    assert scaled(1333, 800) == (1333, 800)
    assert scaled(2000, 500) == (1333, 333)
    assert scaled(400, 1000) == (533, 1333)


def test_confidence_is_the_probability_of_the_class_times_how_sure_the_mask_is() -> None:
    classes = torch.full((2, 81), -20.0)
    classes[0, CLASSES.index("dog")] = 20.0
    classes[1, [CLASSES.index("cat"), 80]] = 20.0  # half a cat, half nothing
    masks = torch.full((2, 4, 6), -9.0)
    masks[0, 1:3, 2:5] = float(np.log(3))  # a probability of 3/4
    masks[1, :, 0] = 20.0
    dog, cat = things(classes, masks)
    assert (dog.found.kind, dog.box) == ("dog", (2.0, 1.0, 5.0, 3.0))
    assert dog.confidence == pytest.approx(0.75)
    assert (cat.found.kind, cat.box) == ("cat", (0.0, 0.0, 1.0, 4.0))
    assert cat.confidence == pytest.approx(0.5)


def test_one_query_can_be_things_of_several_classes_and_an_empty_mask_is_none() -> None:
    classes = torch.full((2, 81), -20.0)
    classes[0, [0, 1]] = 20.0
    classes[1, 2] = 20.0
    masks = torch.full((2, 2, 2), 20.0)
    masks[1] = -1.0
    assert sorted(one.found.kind for one in things(classes, masks)) == ["bicycle", "person"]


@pytest.mark.parametrize("harm", ["labels", "torn", "pickle", "other", "lacking"])
def test_a_folder_that_is_no_such_detector_is_refused(detector: Path, tmp_path: Path, harm: str) -> None:
    for file in detector.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights, config = tmp_path / "model.safetensors", json.loads((tmp_path / "config.json").read_text())
    if harm == "labels":
        config["id2label"] = {"0": "a", "1": "b"}
        config["label2id"] = {"a": 0, "b": 1}
        (tmp_path / "config.json").write_text(json.dumps(config))
    elif harm == "torn":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif harm == "pickle":
        weights.rename(tmp_path / "pytorch_model.bin")
    elif harm == "lacking":  # what is not there would be drawn at random
        kept = load_file(weights)
        save_file({name: kept[name] for name in sorted(kept)[1:]}, weights, {"format": "pt"})
    else:
        (tmp_path / "config.json").write_text("[]")
    with pytest.raises(DataError, match="expected|pass a folder"):
        Mask2Former(str(tmp_path), device="cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("clip") / "tiny"
    path.mkdir()
    letters = [chr(n) for n in range(33, 127)]
    words = [*letters, *(f"{x}</w>" for x in letters), "<|startoftext|>", "<|endoftext|>"]
    (path / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (path / "merges.txt").write_text("#version: 0.2\n")
    small: Any = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1}
    text = CLIPTextConfig(**small, **ends, vocab_size=len(words), max_position_embeddings=77)
    vision = CLIPVisionConfig(**small, image_size=32, patch_size=16)
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=8)
    CLIPModel(config).save_pretrained(path)
    transformers.CLIPTokenizerFast.from_pretrained(path).save_pretrained(path)  # pyright: ignore
    return path


def test_a_colour_is_the_one_whose_sentences_mean_is_nearest(clip: Path) -> None:
    """The same with transformers' own class, sentence by sentence."""
    from transformers import AutoTokenizer, CLIPModel

    found = Clip(str(clip), device="cpu")
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    one = thing("dog", box=(3, 4, 30, 36))
    (said,) = found.named(image, [one], "dog")
    model, tokenizer = CLIPModel.from_pretrained(clip).eval(), AutoTokenizer.from_pretrained(clip)
    pixels = colours.prepared(image.crop((3, 4, 30, 36)), 32)[None]
    scores = []
    with torch.inference_mode():
        for colour in COLOURS:
            total = torch.zeros(8)
            for text in (
                f"a photo of a {colour} dog",
                f"a photo of a {colour}-colored dog",
                f"a photo of a {colour} object",
            ):
                out = model(pixel_values=pixels, **tokenizer(text, return_tensors="pt"))
                total += out.text_embeds[0]
            scores.append(float(torch.cosine_similarity(total, out.image_embeds[0], dim=0)))
    assert said == COLOURS[int(np.argmax(scores))]
    assert found.named(image, [], "dog") == ()


@pytest.mark.parametrize("part", ["text_config", "vision_config"])
def test_weights_with_another_activation_than_they_were_trained_with_are_refused(
    clip: Path, tmp_path: Path, part: str
) -> None:
    for file in clip.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config[part]["hidden_act"] = "gelu"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="activation 'gelu', 'quick_gelu' was expected"):
        Clip(str(tmp_path), device="cpu")


def test_what_is_outside_the_mask_is_grey_and_the_picture_is_cut_to_the_box() -> None:
    image = Image.new("RGB", (8, 6), (250, 0, 0))
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:6] = True
    one = Thing(found=thing("dog", box=(2, 2, 7, 4)).found, mask=mask)
    shown = cut(image, one)
    assert shown.size == (5, 2)
    assert [shown.getpixel((x, 0)) for x in range(5)] == [HIDDEN, *[(250, 0, 0)] * 3, HIDDEN]
    assert cut(image, thing("dog", box=(2.4, 1.5, 4.6, 4.5))).size == (3, 2)  # ends are rounded, halves to even
    with pytest.raises(DataError, match="a mask of 8 by 6"):
        cut(image.resize((9, 9)), one)


def test_the_shorter_side_is_scaled_and_the_middle_kept() -> None:
    wide = Image.new("RGB", (60, 20), (0, 0, 0))
    wide.paste((255, 255, 255), (20, 0, 40, 20))
    pixels = colours.prepared(wide, 10)
    assert pixels.shape == (3, 10, 10)
    white = (1 - torch.tensor(colours.MEAN)) / torch.tensor(colours.STD)
    torch.testing.assert_close(pixels[:, 5, 5], white)
    assert float(pixels[0, 5, 2]) > 0


def test_weights_that_are_not_here_are_not_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from athanor.core.errors import UsageError

    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for kind in (Mask2Former, Clip):
        with pytest.raises(UsageError, match="neither a folder here nor in the local cache"):
            kind("nobody/nothing-of-the-kind", device="cpu")
