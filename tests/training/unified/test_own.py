"""One module trained alone on pictures of one's own: what is learned, held out, kept, gone on with and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from athanor.cli import main
from athanor.models.unified import checkpoints
from athanor.models.unified.pictures import Preparation
from athanor.training.unified import run
from athanor.training.unified.encoder import padded
from athanor.training.unified.lessons import Example
from athanor.training.unified.own import parted, reconstruction
from athanor.training.unified.run import CARD, LOG, MODEL, begun
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.shards import Shards
from athanor.training.unified.tars import KINDS, scan, scanned, write
from tests.models.unified.small import published, saved
from tests.training.unified.made_shards import picture, tar
from tests.training.unified.micro import micro
from tests.training.unified.small import small

COUNT = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of pictures with captions, texts without pictures, and models."""
    path = tmp_path_factory.mktemp("own")
    write(path / "data", Scenes(seed=1).take("drawing", 0, COUNT), each=25)
    write(path / "texts", Scenes(seed=1).take("text", 0, 3))
    tar(path / "torn.tar", [(f"{k}.png", f"no picture {k}".encode()) for k in range(9)])
    saved(path / "original", small())
    saved(path / "seeing", begun(micro(), "cpu"))
    return path


def athanor(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["train", *map(str, arguments), "--threads", "1", "--device", "cpu"])
    return int(ended.value.code or 0)


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def weights(model: Path) -> dict[str, torch.Tensor]:
    return checkpoints.stored(model).model.state_dict()


def modules(one: Path, other: Path) -> set[str]:
    """Those in which two models differ."""
    theirs = weights(other)
    return {name.split(".")[0] for name, tensor in weights(one).items() if not torch.equal(tensor, theirs[name])}


def test_the_tokenizer_of_a_model_learns_pictures_and_the_rest_keeps_every_bit(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, out = folder / "original", tmp_path / "out"
    asked = ("--init", base, "--data", folder / "data", "--steps", "60", "--batch", "8", "--rate", "1e-2")
    assert athanor("tokenizer", *asked, "--codes", "new", "--every", "2", "--out", out) == 0
    made = Path(capsys.readouterr().out.strip())
    assert made == (out / MODEL).resolve()
    assert modules(base, made) == {"visual_tokenizer"}
    held = [line for line in lines(out) if "held psnr" in line]
    assert held[-1]["held psnr"] > held[0]["held psnr"] + 1
    assert held[-1]["held pictures"] == 2
    assert 1 <= held[-1]["held perplexity"] <= held[-1]["held codes"] <= 20
    assert held[-1]["read"] == 60 * 8
    assert json.loads((made / CARD).read_bytes())["summary"]["held psnr"] == pytest.approx(held[-1]["held psnr"])


def test_a_model_keeps_its_layout_and_its_dtypes(tmp_path: Path, folder: Path) -> None:
    base, out = tmp_path / "base", tmp_path / "out"
    checkpoints.write(base, published(), "huggingface", torch.bfloat16)
    asked = ("--init", base, "--data", folder / "data", "--steps", "2", "--batch", "2", "--rate", "1e-2")
    assert athanor("tokenizer", *asked, "--out", out) == 0
    assert checkpoints.layout_of(out / MODEL) == "huggingface"
    assert modules(base, out / MODEL) == {"visual_tokenizer"}
    assert {tensor.dtype for tensor in weights(out / MODEL).values()} == {torch.bfloat16}


def test_what_was_made_in_a_shape_is_assembled_with_others(tmp_path: Path, folder: Path) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    assert athanor("tokenizer", "--shape", "tiny", "--scenes", "1", "--steps", "1", "--batch", "2", "--out", out) == 0
    parts = ("--language", folder / "seeing", "--encoder", folder / "seeing", "--codes", out / MODEL)
    with pytest.raises(SystemExit) as ended:
        main(["assemble", *map(str, parts), "--out", str(whole)])
    assert not ended.value.code
    made, mine = weights(whole), weights(out / MODEL)
    assert all(torch.equal(made[n], mine[n].float()) for n in mine if n.startswith("visual_tokenizer."))


def test_kept_codes_move_little_and_new_ones_do_not(tmp_path: Path, folder: Path) -> None:
    name, base = "visual_tokenizer.quantize.embedding.weight", folder / "original"
    before, moved = weights(base)[name], {}
    for codes in ("kept", "new"):
        asked = ("--init", base, "--scenes", "1", "--steps", "2", "--batch", "2", "--codes", codes)
        assert athanor("tokenizer", *asked, "--out", tmp_path / codes) == 0
        after = weights(tmp_path / codes / MODEL)[name]
        moved[codes] = float(1 - torch.cosine_similarity(before, after, dim=-1).mean())
    assert 0 < moved["kept"] < 0.2 * moved["new"]


def test_a_new_tokenizer_is_made_in_a_shape_and_has_a_codebook_however_few_the_steps(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert athanor("tokenizer", "--shape", "tiny", "--scenes", "1", "--steps", "1", "--batch", "2", "--out", out) == 0
    assert "codes" in lines(out)[-1] or "codes" in lines(out)[0]
    assert checkpoints.read(out / MODEL).model.config.tokenizer.codes == 512


class Killed(Exception):
    """What stands for the end of the process."""


@pytest.mark.parametrize(("after", "command"), [(1, "tokenizer"), (3, "tokenizer"), (2, "encoder")])
def test_gone_on_with_after_being_killed_it_is_the_same_bit_for_bit(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, command: str
) -> None:
    asked = (command, "--init", folder / "seeing", "--data", folder / "data", "--scenes", "0.5", "--steps", "8")
    asked = (*asked, "--batch", "4")
    assert athanor(*asked, "--out", tmp_path / "whole") == 0
    kept, save = [], run._save

    def saved(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        kept.append(1)
        if len(kept) == after:
            raise Killed

    monkeypatch.setattr(run, "_save", saved)
    with pytest.raises(Killed):
        main(["train", *map(str, asked), "--out", str(tmp_path / "out"), "--threads", "1", "--device", "cpu"])
    monkeypatch.undo()
    assert athanor(*asked, "--out", tmp_path / "out", "--resume") == 0
    mine, theirs = weights(tmp_path / "out" / MODEL), weights(tmp_path / "whole" / MODEL)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())
    own = ("cpu_seconds", "read", "unusable", "lacking", "faults")
    told = [[{k: v for k, v in line.items() if k not in own} for line in lines(tmp_path / n)] for n in ("out", "whole")]
    assert told[0] == told[1]
    assert athanor(*asked, "--seed", "2", "--out", tmp_path / "out", "--resume") == 2


@pytest.mark.parametrize(
    ("more", "said", "code"),
    [
        (("--data", "{}/data", "--steps", "0"), "--steps 0", 2),
        (("--data", "{}/data", "--batch", "0"), "--batch 0", 2),
        (("--data", "{}/data", "--rate", "0"), "--rate 0", 2),
        (("--data", "{}/nowhere.tar"), "nowhere.tar cannot be read", 1),
        (("--data", "{}/original"), "has no .tar file", 1),
        (("--data", "{}/texts"), "the shards have no sample for pictures: a picture was expected", 2),
        (("--data", "{}/torn.tar"), "no picture that can be read", 1),
        (("--data", "{}/data", "--held", "{}/texts"), "no sample for pictures", 2),
        (("--held", "{}/data", "--scenes", "1"), "--held has no effect without --data", 2),
        (("--scenes", "2"), "--scenes 2.0 was given", 2),
        ((), "no --data were given", 2),
        (("--data", "{}/data", "--shape", "tiny"), "one of --init and --shape", 2),
        (("--data", "{}/data", "--device", "nowhere"), "the device 'nowhere' cannot be used", 2),
    ],
)
def test_bad_input_is_refused_and_leaves_no_folder(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str, code: int
) -> None:
    told = [one.format(folder) for one in more]
    with pytest.raises(SystemExit) as ended:
        main(["train", "tokenizer", "--init", str(folder / "original"), *told, "--out", str(tmp_path / "out")])
    assert said in capsys.readouterr().err
    assert ended.value.code == code
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_not_there_and_a_folder_in_use_are_refused(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("tokenizer", "--data", folder / "data", "--init")
    assert athanor(*asked, tmp_path / "none", "--out", tmp_path / "out") == 1
    assert "config.json is not there" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").write_text("mine")
    assert athanor(*asked, folder / "original", "--out", tmp_path) == 2
    assert "--resume" in capsys.readouterr().err


def test_equal_pictures_are_on_one_side_and_the_sides_are_the_whole(tmp_path: Path) -> None:
    members = [(f"{k:03d}.png", picture(k // 2)) for k in range(80)]
    shards = [scan(tar(tmp_path / "a.tar", members[:30])), scan(tar(tmp_path / "b.tar", members[30:]))]
    learned, held = parted(shards, [tmp_path])
    numbers = []
    for side in (learned, held):
        source = Shards(side, 1, seen=Preparation(size=48), drawn=48)
        count = source.order("pictures").count
        numbers.append(sorted(int(one.picture[0, 0, 0]) for one in source.take("pictures", 0, count)))  # type: ignore[index]
    assert sorted(numbers[0] + numbers[1]) == sorted(k // 2 for k in range(80))
    assert not set(numbers[0]) & set(numbers[1])
    assert len(numbers[1]) == 4


def test_a_description_that_cannot_be_read_does_not_spoil_a_picture_for_its_pixels(tmp_path: Path) -> None:
    (shard,) = scanned([tar(tmp_path / "one.tar", [("0.png", picture(3)), ("0.json", b"{torn")])])
    assert shard.place(0, KINDS[2]) is not None
    (one,) = Shards([shard], 1, seen=Preparation(size=48), drawn=48).take("pictures", 0, 1)
    assert isinstance(one, Example)


def test_measures_of_a_reconstruction_are_the_closed_forms() -> None:
    pixels = torch.zeros(2, 3, 4, 4)
    made = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 2.0)])
    found = reconstruction(made, pixels, torch.tensor([0, 0, 5, 5]))
    by_hand = [10 * np.log10(4 / 0.04), 10 * np.log10(4 / 1)]  # 2 is cut to 1
    assert found["held psnr"] == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert found["held l1"] == pytest.approx(0.6)
    assert (found["held codes"], found["held perplexity"]) == (2, pytest.approx(2.0))
    assert reconstruction(pixels, pixels, torch.tensor([1]))["held psnr"] == pytest.approx(
        10 * np.log10(4e10), rel=1e-5
    )


def test_the_encoder_of_a_model_learns_captions_and_the_rest_keeps_every_bit(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, out = folder / "seeing", tmp_path / "out"
    asked = (
        "--init",
        base,
        "--data",
        folder / "data",
        "--steps",
        "40",
        "--batch",
        "16",
        "--share",
        "1",
        "--rate",
        "3e-3",
    )
    held = ("--held", folder / "data")  # what is learned is retrieved
    assert athanor("encoder", *asked, *held, "--out", out) == 0
    made = Path(capsys.readouterr().out.strip())
    assert modules(base, made) == {"encoder"}
    told = [line for line in lines(out) if "held contrast" in line]
    assert told[-1]["held contrast"] < told[0]["held contrast"] - 0.2
    assert told[-1]["held pairs"] <= COUNT
    assert told[-1]["retrieved description"] > 2 / told[-1]["held pairs"]
    assert {one["of"] for one in json.loads((made / CARD).read_bytes())["scores"]} == {"retrieved"}


def test_the_matrices_of_blocks_alone_learn_by_muon_where_it_is_asked_for(tmp_path: Path, folder: Path) -> None:
    asked = ("--init", folder / "seeing", "--scenes", "1", "--steps", "1", "--batch", "4", "--share", "1")
    for name, more in (("plain", ()), ("muon", ("--muon", "0.01"))):
        assert athanor("encoder", *asked, *more, "--out", tmp_path / name) == 0
    plain, muon = (weights(tmp_path / name / MODEL) for name in ("plain", "muon"))
    other = {name for name, tensor in plain.items() if not torch.equal(tensor, muon[name])}
    assert other == {n for n, w in plain.items() if n.startswith("encoder.") and "layers." in n and w.ndim == 2}


def test_an_encoder_learns_more_slowly_by_its_share_of_the_rate(tmp_path: Path, folder: Path) -> None:
    before, moved = weights(folder / "seeing"), {}
    for share in ("1", "0.1"):
        out = tmp_path / share
        asked = ("--init", folder / "seeing", "--scenes", "1", "--steps", "1", "--batch", "4", "--share", share)
        assert athanor("encoder", *asked, "--out", out) == 0
        after = weights(out / MODEL)
        moved[share] = max(float((after[n] - before[n]).abs().max()) for n in before if n.startswith("encoder."))
    assert moved["0.1"] == pytest.approx(0.1 * moved["1"], rel=0.05)


@pytest.mark.parametrize(
    ("more", "said", "code"),
    [
        (("--data", "{}/data", "--steps", "0"), "--steps 0", 2),
        (("--data", "{}/data", "--batch", "1"), "--batch 1", 2),
        (("--data", "{}/data", "--batch", "39"), "38 pairs to learn were found and 39 of a step", 2),
        (("--data", "{}/bare.tar"), "no sample for captions: a picture with .txt or .json was expected", 2),
        (("--data", "{}/foreign.tar", "--batch", "2"), "the model does not know the word 'zebra'", 1),
        (("--data", "{}/nowhere.tar"), "nowhere.tar cannot be read", 1),
        ((), "no --data were given", 2),
    ],
)
def test_bad_pairs_are_refused_and_leave_no_folder(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str, code: int
) -> None:
    tar(folder / "bare.tar", [(f"{k}.png", picture(k)) for k in range(9)])
    tar(
        folder / "foreign.tar", [(f"{k}.{e}", d) for k in range(9) for e, d in (("png", picture(k)), ("txt", b"zebra"))]
    )
    told = [one.format(folder) for one in more]
    with pytest.raises(SystemExit) as ended:
        main(["train", "encoder", "--init", str(folder / "seeing"), *told, "--out", str(tmp_path / "out")])
    assert said in capsys.readouterr().err
    assert ended.value.code == code
    assert not (tmp_path / "out").exists()


def test_a_caption_is_read_whatever_else_a_description_has_and_cut_at_its_longest(tmp_path: Path) -> None:
    told = {"caption": "a star", "conversations": [{"from": "gpt", "value": "of one side"}]}
    shard = scan(tar(tmp_path / "one.tar", [("0.png", picture(3)), ("0.json", json.dumps(told).encode())]))
    (one,) = Shards([shard], 1, seen=Preparation(size=48), drawn=64).take("captions", 0, 1)
    assert one.picture is not None
    assert (one.prompt, one.picture.shape) == ("a star", (48, 48, 3))
    tokens, there = padded(begun(micro(), "cpu").words, ["a red star and a blue ring", "a star"], 3)
    assert (tokens.shape, there.sum().item()) == ((2, 3), 5)
