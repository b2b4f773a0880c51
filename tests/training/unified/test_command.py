"""The command: what it writes, and what it says of bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from athanor.cli import main
from athanor.models.unified.checkpoints import read
from athanor.models.unified.unified import Unified, fresh
from athanor.training import checkpoint
from athanor.training.unified import recipes
from athanor.training.unified.recipes import JANUS_PRO
from athanor.training.unified.run import CARD, KIND, LOG, MODEL
from tests.models.unified.small import JANUS, fast, model, saved
from tests.training.unified.micro import micro


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "tiny", micro)


def athanor(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["train", "unified", *arguments, "--threads", "1"])
    return int(ended.value.code or 0)


def test_every_curve_is_logged_and_the_model_can_be_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert athanor("--out", str(out), "--many", "1", "--quick") == 0
    printed = capsys.readouterr()
    folder = Path(printed.out.strip())
    assert folder == (out / MODEL).resolve()
    assert "share drawn right, mean of GenEval's six" in printed.err
    lines = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    names = {(line["part"], name) for line in lines for name in line}
    assert {
        ("tokenizer", "mse"), ("tokenizer", "reconstructed cards"), ("encoder", "contrast"),
        ("encoder", "retrieved description"), ("language", "text"), ("I", "understanding"), ("I", "drawing"),
        ("II", "excess colors"), ("II", "gap"), ("II", "gap position"), ("II", "drawn mean"), ("II", "drawn rank"),
        ("II", "tokens_per_second"), ("III", "answered all"), ("III", "cpu_seconds"),
    } <= names  # fmt: skip
    assert ("I", "text") not in names
    assert [line["total"] for line in lines] == sorted(line["total"] for line in lines)
    card = json.loads((folder / CARD).read_bytes())
    assert sum(one["n"] for one in card["scores"] if one["of"] == "drawn" and one["name"] == "colors") == 1
    pictures = tmp_path / "pictures"
    with pytest.raises(SystemExit) as ended:
        main(["draw", "a red star", "--model", str(folder), "--out", str(pictures), "--device", "cpu"])
    assert ended.value.code == 0


def larger(side: int = 64, drawn: int = 64) -> Unified:
    """In the published shape, on pictures of another size than the default's."""
    shape = replace(
        JANUS, encoder=replace(JANUS.encoder, image_size=side), tokenizer=replace(JANUS.tokenizer, image_size=drawn),
        backbone=replace(JANUS.backbone, context=512),
    )  # fmt: skip
    return replace(fresh(model(shape), fast()), template="janus-pro")


@pytest.mark.slow
def test_published_stages_are_trained_one_after_the_other_on_scenes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved(tmp_path / "init", larger())
    for stage in JANUS_PRO:
        asked = f"--tune.stage janus-pro-{stage.name} --tune.scenes 1 --tune.rows 1 --tune.steps 1".split()
        assert athanor("--init", str(model), *asked, "--out", str(tmp_path / stage.name)) == 0
        made = Path(capsys.readouterr().out.strip())
        before, after = (read(path).model.state_dict() for path in (model, made))
        other = {name.split(".")[0] for name, tensor in before.items() if not torch.equal(tensor, after[name])}
        assert other == set(stage.trained)
        (line,) = (json.loads(text) for text in (tmp_path / stage.name / "log.jsonl").read_text().splitlines())
        assert line["samples"] > 4  # a row of 4,096 tokens has room for many pictures of 64 codes
        model = made


def test_a_model_that_draws_another_size_than_it_sees_takes_no_scenes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init = saved(tmp_path / "init", larger(48, 64))
    assert athanor("--init", str(init), "--tune.scenes", "1", "--out", str(tmp_path / "other")) == 2
    assert "draws pictures of 64 pixels and sees them at 48" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--tune.scenes", "1"), "pass --init"),
        (("--tune.stage", "janus-pro-I"), "has nothing to learn; pass --tune.data, or --tune.scenes 1"),
        (("--device", "nowhere"), "the device 'nowhere' cannot be used"),
        (("--length", "0"), "--length 0.0"),
        (("--threads", "0"), "--threads"),
        (("--many", "0"), "--many 0"),
        (("--init", "nowhere"), "pass --tune.data, or --tune.scenes 1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "unified", "--out", str(tmp_path / "out"), *more])
    assert ended.value.code in (1, 2)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("mine")
    assert athanor("--out", str(tmp_path)) == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.slow
def test_another_recipe_is_not_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert athanor("--out", str(tmp_path / "out"), "--many", "1", "--quick", "--seed", "1") == 0
    assert athanor("--out", str(tmp_path / "out"), "--many", "1", "--quick", "--seed", "2", "--resume") != 0
    assert "seed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_torn_checkpoint_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert athanor("--out", str(out), "--many", "1", "--quick") == 0
    last = checkpoint.newest(out)
    assert last is not None
    assert checkpoint.read(last, KIND).about["name"] == "III"
    last.write_bytes(last.read_bytes()[:1000])
    assert athanor("--out", str(out), "--many", "1", "--quick", "--resume") == 1
    assert last.name in capsys.readouterr().err
