"""Drawing from the command line: played, gone on with, and every picture judged again."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from athanor.core.seeds import TurnStreams, below
from athanor.environments.scenes.drawing import png
from athanor.environments.scenes.words import WORDS
from athanor.models.unified.drawing import Drawing, draw
from athanor.models.unified.initial import initialise
from athanor.models.unified.model import UnifiedModel
from athanor.models.unified.pictures import to_images
from athanor.models.unified.text_tokenizer import WordTokenizer
from athanor.models.unified.unified import Unified, fresh
from tests.models.unified.small import saved
from tests.test_cli import athanor
from tests.training.unified.micro import SHAPE

SMALL = replace(SHAPE, tokenizer=replace(SHAPE.tokenizer, image_size=40))


def unified(shape: Any = SHAPE, words: tuple[str, ...] = WORDS) -> Unified:
    return fresh(initialise(UnifiedModel(shape), torch.Generator().manual_seed(0)).eval(), WordTokenizer((*words, ":")))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of random weights, whose words are those of scenes."""
    return saved(tmp_path_factory.mktemp("model") / "tiny", unified())


def scenes(out: Path, *more: object, agent: str = "random", episodes: int = 9, attempts: int = 2) -> list[str]:
    return [
        "play", "scenes", "--agent", agent, "--split", "test", "--style", "aligned", "--rules", "strict", "--attempts",
        str(attempts), "--episodes", str(episodes), "--seed", "1", "--out", str(out), *map(str, more),
    ]  # fmt: skip


def lines(path: Path, name: str = "turns") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / f"{name}.jsonl").read_text().splitlines()]


def pictures(path: Path) -> dict[tuple[str, int], str]:
    return {(line["episode"], line["index"]): line["action"]["file"] for line in lines(path)}


def test_pictures_are_drawn_into_a_run_that_is_judged_again(capsys, tmp_path):
    for agent, more in (("gold", ()), ("random", ("--style", "textured", "--rules", "lenient"))):
        code, told, _ = athanor(capsys, *scenes(tmp_path / agent, *more, agent=agent))
        assert (code, told.strip()) == (0, str(tmp_path / agent))
        code, told, err = athanor(capsys, "check", "run", str(tmp_path / agent))
        assert (code, err) == (0, "")
        assert "9 episodes" in told
        assert "differences: 0" in told
    assert [line["verdict"]["passed"] for line in lines(tmp_path / "gold")] == [True] * 9
    assert not all(line["verdict"]["passed"] for line in lines(tmp_path / "random"))
    manifest = json.loads((tmp_path / "random" / "manifest.json").read_text())
    assert (manifest["label"], manifest["config"]["rules"]) == ("random, textured, lenient", "lenient")


def test_chance_draws_the_category_that_was_asked_for(capsys, tmp_path):
    athanor(capsys, *scenes(tmp_path / "run", "--categories", "cards", "counting", episodes=20, attempts=1))
    tags = [line["task"]["content"]["spec"]["tag"] for line in lines(tmp_path / "run", "episodes")]
    assert sorted(set(tags)) == ["cards", "counting"]
    asked = {line["episode"]: line["task"]["content"]["spec"]["tag"] for line in lines(tmp_path / "run", "episodes")}
    for line in lines(tmp_path / "run"):
        found = {one["class"] for one in line["verdict"]["parts"]["found"]}
        assert ("card" in found) == (asked[line["episode"]] == "cards")


def test_a_unified_model_draws_what_its_prompt_its_episode_and_its_attempt_say(capsys, tmp_path, model):
    options = ("--model", model, "--guidance", "2", "--top-k", "8", "--device", "cpu")
    assert athanor(capsys, *scenes(tmp_path / "run", *options, agent="unified", episodes=3))[0] == 0
    code, told, _ = athanor(capsys, "check", "run", str(tmp_path / "run"))
    assert (code, "3 episodes, 6 turns replayed, differences: 0" in told) == (0, True)
    asked = {line["episode"]: line["task"]["content"]["spec"]["prompt"] for line in lines(tmp_path / "run", "episodes")}
    drawn = pictures(tmp_path / "run")
    assert len(set(drawn.values())) == 6
    how = Drawing(guidance=2, sampling=replace(Drawing().sampling, top_k=8))
    for (episode, index), file in drawn.items():
        seed = below(TurnStreams(1, "agent", episode).at(index), 2**53)
        (image,) = to_images(draw(unified(), [asked[episode]], [seed], how).pixels[0])
        assert b64decode(file) == png(np.asarray(image))
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["label"] == "tiny, guidance 2, top 8 codes"
    assert len(manifest["hashes"]["model"]) == 64
    assert (manifest["config"]["guidance"], manifest["config"]["top_k"]) == (2.0, 8)


def test_a_run_that_was_cut_off_goes_on_to_the_same_pictures(capsys, tmp_path, model):
    options = ("--model", model, "--guidance", "1", "--device", "cpu")
    athanor(capsys, *scenes(tmp_path / "whole", *options, agent="unified", episodes=5))
    athanor(capsys, *scenes(tmp_path / "cut", *options, agent="unified", episodes=4))
    turns = (tmp_path / "cut" / "turns.jsonl").read_text()
    (tmp_path / "cut" / "turns.jsonl").write_text("\n".join(turns.splitlines()[:5])[:-20])
    (tmp_path / "cut" / "episodes.jsonl").write_text("")
    code, _, _ = athanor(capsys, *scenes(tmp_path / "cut", *options, "--resume", agent="unified", episodes=5))
    assert code == 0
    assert pictures(tmp_path / "cut") == pictures(tmp_path / "whole")
    assert athanor(capsys, "check", "run", str(tmp_path / "cut"))[0] == 0
    code, _, err = athanor(capsys, *scenes(tmp_path / "cut", *options, "--resume", "--top-k", "3", agent="unified"))
    assert (code, "top_k" in err) == (2, True)


def test_another_picture_and_another_verdict_are_noticed(capsys, tmp_path):
    athanor(capsys, *scenes(tmp_path / "run", agent="gold"))
    turns = tmp_path / "run" / "turns.jsonl"
    grey = b64encode(png(np.full((48, 48, 3), 128, np.uint8))).decode()
    changed = lines(tmp_path / "run")
    changed[0]["action"]["file"] = grey
    changed[1]["verdict"]["passed"] = False
    turns.write_text("".join(json.dumps(line) + "\n" for line in changed))
    code, told, err = athanor(capsys, "check", "run", str(tmp_path / "run"))
    assert code == 1
    assert err.count("stored verdict") == 2
    assert f"episode {changed[0]['episode']}, turn 0" in err


@pytest.mark.parametrize(("more", "says"), [
    ("--guidance 2", "--guidance has no effect with --agent random"),
    ("--agent unified --model nowhere", "nowhere holds no model"),
    ("--agent unified --model nosuch --temperature 0", "--attempts above 1 has no effect with --temperature 0"),
    ("--categories cards cards", "--categories cards cards was given, different ones of"),
    ("--categories cats", "--categories cats was given"),
    ("--attempts 0", "--attempts 0 was given, 1 or more was expected"),
    ("--backend openai", "--backend"),
])  # fmt: skip
def test_wrong_arguments_are_misuse_and_leave_nothing_behind(capsys, tmp_path, more, says):
    code, _, err = athanor(capsys, *scenes(tmp_path / "run", *more.split()))
    assert code == 2
    assert says in " ".join(err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("shape", "lacks", "says"), [
    (SMALL, "", "pictures of 40 pixels a side, 48 or more were expected"), (SHAPE, "circle", "circle"),
])  # fmt: skip
def test_a_model_that_cannot_be_judged_or_asked_leaves_nothing_behind(capsys, tmp_path, shape, lacks, says):
    made = unified(shape, tuple(word for word in WORDS if word != lacks))
    options = ("--model", saved(tmp_path / "model", made), "--device", "cpu")
    code, _, err = athanor(capsys, *scenes(tmp_path / "run", *options, agent="unified", episodes=40))
    assert code == 2
    assert says in err
    assert not (tmp_path / "run").exists()


def test_a_manifest_that_does_not_say_how_it_was_drawn_is_refused(capsys, tmp_path):
    athanor(capsys, *scenes(tmp_path / "run", episodes=1))
    file = tmp_path / "run" / "manifest.json"
    manifest = json.loads(file.read_text())
    for name, value in (("style", "baroque"), ("attempts", None)):
        config = {key: one for key, one in manifest["config"].items() if key != name}
        file.write_text(json.dumps(manifest | {"config": config | ({name: value} if value else {})}))
        code, _, err = athanor(capsys, "check", "run", str(tmp_path / "run"))
        assert (code, "does not say how scenes was played" in err) == (2, True)


def test_runs_are_analysed_and_their_tables_hold_no_picture(capsys, tmp_path):
    for agent in ("gold", "random"):
        athanor(capsys, *scenes(tmp_path / agent, agent=agent))
    code, told, _ = athanor(capsys, "analyse", str(tmp_path / "gold"), str(tmp_path / "random"), "--json")
    assert code == 0
    found = {(one["group"], one["name"]): one for one in json.loads(told)}
    assert found["gold", "share passed within 1 attempt"]["value"] == 1
    assert found["gold", "share passed within 2 attempts: dense"]["value"] == 1
    assert found["random", "share passed within 1 attempt"]["value"] < 0.5
    made = {path.name: path.stat().st_size for path in (tmp_path / "gold").rglob("*.*")}
    assert set(made) >= {"turns.parquet", "episodes.parquet", "estimates.jsonl"}
    assert b"iVBOR" not in (tmp_path / "gold" / "tables" / "turns.parquet").read_bytes()


def test_runs_have_a_page(capsys, tmp_path):
    athanor(capsys, *scenes(tmp_path / "run"))
    code, told, _ = athanor(capsys, "report", str(tmp_path / "run"), "--out", str(tmp_path / "page"))
    assert (code, told.strip()) == (0, str(tmp_path / "page" / "report.html"))
    assert "data:image/png;base64," in (tmp_path / "page" / "report.html").read_text()
    assert "<dt>prompts</dt>" in (tmp_path / "page" / "report.html").read_text()
