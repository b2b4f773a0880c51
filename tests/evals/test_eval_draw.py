"""athanor eval draw: images that eval geneval and eval dpg read, drawn once and gone on with."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from athanor.cli import main
from athanor.environments.scenes.spec import CATEGORIES, GENEVAL, Entry
from athanor.environments.scenes.splits import told_held
from athanor.environments.scenes.words import WORDS
from athanor.evals.dpg.pictures import cut, files, grid
from athanor.evals.geneval import folder, prompts
from athanor.evals.images import of_scenes
from athanor.models.unified.drawing import Drawing, draw
from athanor.models.unified.initial import initialise
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.pictures import to_images
from athanor.models.unified.text_tokenizer import WordTokenizer
from athanor.models.unified.unified import Unified, fresh
from tests.models.unified.small import saved
from tests.training.unified.micro import SHAPE

SPECS = (
    prompts.told("single_object", Entry(kind="circle")), prompts.told("colors", Entry(kind="star", colour="red")),
    prompts.told("counting", Entry(kind="ring", count=2)),
)  # fmt: skip


def unified() -> Unified:
    return fresh(initialise(UnifiedModel(SHAPE), torch.Generator().manual_seed(0)).eval(), WordTokenizer((*WORDS, ":")))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of random weights, whose words are those of scenes."""
    return saved(tmp_path_factory.mktemp("model") / "model", unified())


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        main(["eval", *map(str, words)])
    assert isinstance(end.value.code, int)
    return end.value.code


def drawing(model: Path, out: Path, *words: object) -> tuple[object, ...]:
    return ("draw", "--model", model, "--out", out, "--guidance", 2, "--device", "cpu", *words)


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def bytes_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*.png"))}


def test_images_are_those_of_the_prompt_and_the_seed_in_the_layout_that_is_read(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.jsonl").write_bytes(prompts.written(SPECS))
    asked = drawing(model, tmp_path / "out", "--benchmark", "geneval", "--prompts", tmp_path / "p.jsonl", "--each", 2)
    assert run(*asked, "--seed", 5) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    found = folder.read(tmp_path / "out", SPECS, 2)
    assert (found.missing, found.strangers) == ((0, 0, 0), ())
    expected = draw(unified(), [spec.prompt for spec in SPECS], [5, 6], Drawing(guidance=2)).pixels
    for one in found.samples:
        image = to_images(expected[one.prompt])[int(one.name)]
        assert np.abs(opened(one.path).astype(int) - np.asarray(image)).max() <= 1
    assert prompts.read(tmp_path / "out" / "prompts.jsonl") == SPECS


@pytest.mark.slow
def test_a_drawing_that_was_killed_goes_on_to_the_same_bytes(model: Path, tmp_path: Path) -> None:
    words = ("--benchmark", "geneval", "--scenes", 1, "--each", 1, "--batch", 2)
    assert run(*drawing(model, tmp_path / "whole", *words)) == 0
    whole = bytes_of(tmp_path / "whole")
    assert run(*drawing(model, tmp_path / "killed", *words)) == 0
    for number in (1, 4):
        folder.sample(tmp_path / "killed", number, 0).unlink()
    kept = folder.sample(tmp_path / "killed", 0, 0)
    before = kept.stat().st_mtime_ns
    assert run(*drawing(model, tmp_path / "killed", *words)) == 2
    assert run(*drawing(model, tmp_path / "killed", *words, "--seed", 1, "--resume")) == 2
    assert run(*drawing(model, tmp_path / "killed", *words, "--resume")) == 0
    assert bytes_of(tmp_path / "killed") == whole
    assert kept.stat().st_mtime_ns == before


def test_scenes_of_geneval_are_judged_by_the_exact_checker(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    assert run(*drawing(model, images, "--benchmark", "geneval", "--scenes", 2, "--each", 1)) == 0
    judge = ("geneval", "--images", images, "--prompts", images / "prompts.jsonl", "--detector", "exact", "--each", 1)
    assert run(*judge, "--out", tmp_path / "out") == 0
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert len(told["hashes"]["drawn"]) == 64
    tags = [prompt.tag for prompt in prompts.read(images / "prompts.jsonl")]
    assert {tag: tags.count(tag) for tag in tags} == dict.fromkeys(GENEVAL, 2)


@pytest.mark.slow
def test_scenes_of_dpg_are_grids_and_judged_by_the_exact_checker(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    assert run(*drawing(model, images, "--benchmark", "dpg", "--scenes", 1, "--batch", 64)) == 0
    rows = list(csv.DictReader((images / "questions.csv").read_text().splitlines()))
    assert {row["item_id"] for row in rows} == set(files(images))
    assert {name[:-4] for name in files(images)} == set(CATEGORIES)
    side = SHAPE.tokenizer.image_size
    assert {opened(path).shape for path in files(images).values()} == {(2 * side, 2 * side, 3)}
    judge = ("dpg", "--images", images, "--questions", images / "questions.csv", "--answerer", "exact")
    assert run(*judge, "--out", tmp_path / "out") == 0
    (tmp_path / "few.csv").write_bytes(b"".join((images / "questions.csv").read_bytes().splitlines(keepends=True)[:3]))
    again = ("--prompts", tmp_path / "few.csv", "--each", 1, "--benchmark", "dpg")
    assert run(*drawing(model, tmp_path / "again", *again)) == 0
    first = {row["item_id"] for row in rows[:2]}
    assert {name: opened(path).shape for name, path in files(tmp_path / "again").items()} == dict.fromkeys(
        first, (side, side, 3)
    )


def test_a_grid_is_cut_into_the_pictures_that_it_was_made_of() -> None:
    pictures = [Image.new("RGB", (16, 16), (40 * k, 0, 0)) for k in range(4)]
    for each in (1, 2, 4):
        found = cut(grid(pictures[:each]), each, None)
        assert len(found) == each
    assert cut(grid(pictures), 4, 16)[2] == grid(pictures[2:3])


def test_prompts_of_scenes_are_different_and_held_out() -> None:
    specs = of_scenes(30, GENEVAL, 1)
    assert len({spec.prompt for spec in specs}) == len(specs)
    assert all(told_held(spec) for spec in specs if spec.tag != "single_object")
    assert sum(spec.tag == "single_object" for spec in specs) < 30 == sum(spec.tag == "color_attr" for spec in specs)
    assert of_scenes(30, GENEVAL, 2) != specs == of_scenes(30, GENEVAL, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--benchmark", "geneval"), "does not know the word"),
        (("--benchmark", "dpg"), "--prompts was not given"),
        (("--benchmark", "dpg", "--scenes", 1, "--each", 5), "--each 5"),
        (("--benchmark", "geneval", "--scenes", 1, "--prompts", "p"), "one of them was expected"),
        (("--benchmark", "geneval", "--scenes", 1, "--top-p", 2), "top_p is 2.0"),
        (("--benchmark", "geneval", "--scenes", 1, "--model", "nowhere"), "holds no model"),
    ],
)
def test_what_cannot_be_drawn_is_told_before_a_folder_is_made(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], said: str
) -> None:
    assert run(*drawing(model, tmp_path / "out", *words)) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "the package's model" not in told
    assert not (tmp_path / "out").exists()


def test_published_prompts_for_the_package_s_model_are_refused_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("draw", "--benchmark", "geneval", "--out", tmp_path / "out", "--device", "cpu") == 2
    assert "the package's model draws scenes: pass --scenes 50, or a --model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
