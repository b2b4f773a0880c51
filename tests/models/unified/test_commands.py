"""athanor draw and athanor ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from athanor.models.unified.drawing import Drawing, draw
from athanor.models.unified.pictures import to_images
from tests.models.unified.small import saved, unified
from tests.models.unified.test_pictures import file
from tests.test_cli import athanor


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(saved(tmp_path_factory.mktemp("model") / "model", unified()))


def test_drawings_are_files_with_what_they_were_made_with(capsys: Any, model: str, tmp_path: Path):
    out = tmp_path / "out"
    asked = ("draw", "two red circles", "--model", model, "--out", str(out), "--guidance", "2", "--device", "cpu")
    code, told, _ = athanor(capsys, *asked, "--n", "2", "--seed", "7")
    assert (code, told.split()) == (0, [str(out / "7.png"), str(out / "8.png")])
    about = json.loads((out / "drawings.json").read_text())
    expected = draw(unified(), ["two red circles"], [7, 8], Drawing(guidance=2))
    assert [one["codes"] for one in about["images"]] == expected.codes[0].tolist()
    assert (about["config"]["guidance"], about["images"][1]["seed"]) == (2, 8)
    shown = [np.array(Image.open(out / f"{seed}.png")).astype(int) for seed in (7, 8)]
    for image, other in zip(shown, to_images(expected.pixels[0]), strict=True):
        assert np.abs(image - np.array(other)).max() <= 1
    code, _, said = athanor(capsys, *asked)
    assert (code, "holds drawings already" in said) == (2, True)


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("a red elephant",), 2, "does not know the word 'elephant'"),
        (("two", "--guidance", "-1"), 2, "guidance is -1.0, 0 or more was expected"),
        (("two", "--n", "0"), 2, "--n is 0"),
        (("two", "--top-p", "2"), 2, "top_p is 2.0"),
        (("two", "--device", "nowhere"), 2, "the device 'nowhere' cannot be used"),
        (("two", "--device", "cuda:99"), 2, "the device 'cuda:99' cannot be used"),
        (("two", "--temperature", "0", "--n", "2"), 2, "--n has no effect with --temperature 0"),
        (("two", "--temperature", "0", "--top-p", "0.5"), 2, "--top-p has no effect with --temperature 0"),
    ],
)
def test_what_cannot_be_drawn_is_told_and_nothing_is_written(
    capsys: Any, model: str, tmp_path: Path, more: tuple[str, ...], code: int, said: str
):
    found, _, told = athanor(capsys, "draw", *more, "--model", model, "--out", str(tmp_path / "out"))
    assert (found, said in told) == (code, True), told
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_model_is_told(capsys: Any, tmp_path: Path):
    code, _, said = athanor(capsys, "draw", "two", "--model", str(tmp_path), "--out", str(tmp_path / "out"))
    assert (code, "config.json is not there" in said) == (1, True)


def test_a_question_is_answered_on_standard_output(capsys: Any, model: str, tmp_path: Path):
    image = tmp_path / "image.png"
    image.write_bytes(file(Image.new("RGB", (9, 5), (200, 0, 0))))
    asked = ("--model", model, "--most", "5", "--device", "cpu")
    code, told, _ = athanor(capsys, "ask", str(image), "how many circles?", *asked)
    assert (code, told.endswith("\n")) == (0, True)
    code, both, _ = athanor(capsys, "ask", str(image), "how many circles?", "--also", str(image), *asked)
    assert code == 0
    code, _, said = athanor(capsys, "ask", str(tmp_path / "no.png"), "what?", *asked)
    assert (code, "no.png cannot be read" in said) == (1, True)
    (tmp_path / "torn.png").write_bytes(image.read_bytes()[:40])
    code, _, said = athanor(capsys, "ask", str(tmp_path / "torn.png"), "what?", *asked)
    assert (code, "torn.png" in said) == (1, True)
    code, _, said = athanor(capsys, "ask", str(image), "what?", "--most", "0", *asked[:2])
    assert (code, "--most 0 was given" in said) == (2, True)
    code, _, said = athanor(capsys, "ask", str(image), "what?", "--top-p", "0.5", *asked)
    assert (code, "--top-p has no effect with --temperature 0" in said) == (2, True)


def test_weights_that_are_not_finite_neither_draw_nor_answer(capsys: Any, tmp_path: Path):
    broken = unified()
    with torch.no_grad():
        broken.model.backbone.norm.weight[0] = torch.nan
    folder = str(saved(tmp_path / "model", broken))
    code, _, said = athanor(capsys, "draw", "two", "--model", folder, "--out", str(tmp_path / "out"))
    assert (code, "logits that are not finite" in said, (tmp_path / "out").exists()) == (1, True, False)
    (tmp_path / "image.png").write_bytes(file(Image.new("RGB", (9, 5), (200, 0, 0))))
    code, told, said = athanor(capsys, "ask", str(tmp_path / "image.png"), "what?", "--model", folder)
    assert (code, told, "logits that are not finite" in said) == (1, "", True)
