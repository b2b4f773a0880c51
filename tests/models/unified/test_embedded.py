"""The unified model that comes with the package: it is what its recipe made, and draws and answers at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import to_builtins
from PIL import Image

from athanor.analysis.cards import estimates
from athanor.core.errors import DataError
from athanor.environments.scenes.drawing import draw as paint_scene
from athanor.environments.scenes.drawing import png
from athanor.environments.scenes.judge import Judge
from athanor.environments.scenes.reading import read as read_prompt
from athanor.environments.scenes.scene import Scene, Thing
from athanor.environments.scenes.spec import CATEGORIES, GENEVAL
from athanor.models.unified import embedded
from athanor.models.unified.checkpoints import read, write
from athanor.models.unified.embedded import usual
from athanor.models.unified.usual import Usual
from athanor.training.unified.recipes import tiny
from athanor.training.unified.scores import Trial, answered, drawn, mean
from tests.test_cli import athanor

FOLDER = embedded.folder_of(None)
CARD = json.loads((FOLDER / "card.json").read_text())
README = (Path(__file__).parents[3] / "src" / "athanor" / "models" / "unified" / "README.md").read_text()


def test_it_is_small_and_no_pickle() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 25_000_000
    assert not {path.suffix for path in FOLDER.iterdir()} - {".json", ".jsonl", ".safetensors"}


def test_it_is_made_by_the_recipe_that_is_the_default() -> None:
    made = CARD["recipe"]
    assert made == replace(tiny(made["seed"]), half=made["half"], compiled=made.get("compiled", False)).told()


def test_a_few_prompts_and_questions_come_out_as_its_card_has_it() -> None:
    unified, few = read(FOLDER), Trial(many=16, seed=3, **to_builtins(usual(None)))
    scores = drawn(unified, few, GENEVAL)
    found, told = mean(scores), CARD["summary"]["drawn mean"]
    assert found is not None
    assert abs(found - told) < 4 * (0.25 / (16 * 6)) ** 0.5  # of shares at their widest, to 4 standard errors
    asked = answered(unified, few)
    share = sum(one.right for one in asked) / sum(one.n for one in asked)
    assert abs(share - CARD["summary"]["answered all"]) < 4 * (0.25 / (16 * 9)) ** 0.5


def test_its_log_is_of_its_training() -> None:
    lines = [json.loads(line) for line in (FOLDER / "logs.jsonl").read_text().splitlines()]
    parts = [CARD["recipe"][name]["steps"] for name in ("tokenizer", "encoder")]
    assert lines[-1]["total"] == sum(parts) + sum(stage["steps"] for stage in CARD["recipe"]["stages"])
    assert lines[-1]["cpu_seconds"] <= CARD["cpu_seconds"] <= 2 * 3 * 3600  # three hours on two cores
    last = [line for line in lines if "drawn mean" in line][-1]
    assert last["drawn mean"] > 0.5


def test_its_readme_tells_the_card_s_numbers() -> None:
    found = {one.name: one for one in estimates(CARD)}

    def told(name: str, label: str) -> None:
        one = found[name]
        assert one.value is not None
        assert one.low is not None
        assert one.high is not None
        ends = f"{100 * one.low:.1f} to {100 * one.high:.1f}%"
        assert f"| {label} | {100 * one.value:.1f}% | {ends} | {one.n} |" in README

    told("share drawn right, mean of GenEval's six", "mean of GenEval's six")
    told("share answered right", "all")
    told("share drawn right: rank", "the ranks of cards asked for")
    told("share drawn right: suit", "the suits of cards asked for")
    for name in CATEGORIES:
        told(f"share drawn right: {name}", f"`{name}`")
    for kind in (one["name"] for one in CARD["scores"] if one["of"] == "answered"):
        told(f"share answered right: {kind}", kind)
    assert f"{CARD['parameters']:,} parameters" in README


def test_draw_and_ask_take_it_where_no_model_is_named(capsys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, told, _ = athanor(capsys, "draw", "a star", "--n", "8", "--out", str(out), "--device", "cpu")
    assert (code, len(told.split())) == (0, 8)
    asked, judge = read_prompt("a star"), Judge()
    assert sum(judge.judged(np.asarray(Image.open(path)), asked).passed for path in out.glob("*.png")) >= 4
    assert to_builtins(usual(None)).items() <= json.loads((out / "drawings.json").read_text())["config"].items()
    picture = tmp_path / "star.png"
    picture.write_bytes(png(paint_scene(Scene(things=(Thing(shape="star", colour="red", cell=3),)))))
    for question, answer in (
        ("how many stars are there?", "one"), ("is there a star?", "yes"), ("is there a ring?", "no"),
        ("are there stars?", "yes"), ("is the star red?", "yes"), ("is the star blue?", "no"),
        ("are there two stars?", "no"), ("is there a card?", "no"),
    ):  # fmt: skip
        code, told, _ = athanor(capsys, "ask", str(picture), question, "--device", "cpu")
        assert (code, told.strip()) == (0, answer), question


def test_a_question_in_other_words_is_asked_as_in_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "one.png"
    picture.write_bytes(png(paint_scene(Scene(things=(Thing(shape="star", colour="red", cell=3),)))))
    for question, answer, said in (
        ("How many stars?", "one", "asked as: how many stars are there?"),
        ("which colour is the star", "red", "asked as: what color is the star?"), ("is there a star?", "yes", ""),
        ("what do you see?", "a red star at the left", "asked as: describe the picture"),
        ("is the left red?", None, "note: scenes are not asked about so"),
    ):  # fmt: skip
        code, told, beside = athanor(capsys, "ask", str(picture), question, "--device", "cpu")
        assert code == 0
        assert answer is None or answer == told.strip()
        assert said in beside
        assert said or not ("asked as" in beside or "note" in beside)


def test_a_model_is_drawn_with_as_its_folder_says(tmp_path: Path) -> None:
    assert usual(None) == Usual(guidance=1.5, temperature=0.7)
    assert usual(FOLDER, 3.0, 0.0) == Usual(guidance=3.0, temperature=0.0)
    assert usual(tmp_path) == Usual() == Usual(guidance=5.0, temperature=1.0)
    write(tmp_path / "again", read(FOLDER))
    assert usual(tmp_path / "again") == usual(None)
    write(tmp_path / "plain", replace(read(FOLDER), usual=Usual()))
    assert usual(tmp_path / "plain") == Usual()


@pytest.mark.parametrize("drawing", [[], {"guidance": "much"}, {"temperature": None}])
def test_what_cannot_be_drawn_with_is_refused(tmp_path: Path, drawing: object) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"athanor": {"drawing": drawing}}))
    if drawing:
        with pytest.raises(DataError, match=r"config\.json cannot be read"):
            usual(tmp_path)
    else:
        assert usual(tmp_path) == Usual()
