"""Fine-tuning on own right drawings: what passes is learned, prompts weigh alike, and nothing else changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from athanor.cli import main
from athanor.core.errors import Stopped, UsageError
from athanor.models.unified import checkpoints
from athanor.models.unified.layout import Layout
from athanor.models.unified.losses import drawing_logprobs
from athanor.models.unified.sampling import Sampling
from athanor.training.optimizers import Rates
from athanor.training.unified.drawing_rl import DrawingRL, Judged, learner
from athanor.training.unified.rejection import Own, Rejection, collect, fine_tune, train
from tests.training.unified.small import small

DRAWS = DrawingRL(
    categories=("single_object", "colors"), prompts=3, samples=4, guidance=2.0, steps=2, micro=5,
    rates=Rates(adamw=1e-2),
)  # fmt: skip


def every_other(images, specs) -> Judged:
    """Passes the first two of each prompt's four images."""
    passed = [k % 4 < 2 for k in range(len(images))]
    return Judged([float(one) for one in passed], passed, [float(one) for one in passed])


def none(images, specs) -> Judged:
    return Judged([0.0] * len(images), [False] * len(images), [0.0] * len(images))


def test_what_passes_is_kept_by_prompt():
    run = learner(small(), DRAWS)
    kept = collect(run, DRAWS, 0, every_other)
    prompts = [those[0].prompt for those in kept]
    assert len(set(prompts)) == len(prompts)
    assert all({one.prompt for one in those} == {those[0].prompt} for those in kept)
    assert sum(map(len, kept)) == DRAWS.steps * DRAWS.prompts * 2
    assert run.ledger.episodes == DRAWS.steps * DRAWS.prompts * DRAWS.samples


def test_own_right_drawings_become_likelier():
    run = learner(small(), DRAWS)
    kept = collect(run, DRAWS, 0, every_other)
    prompts = [those[0].prompt for those in kept]
    codes = torch.stack([torch.from_numpy(those[0].codes) for those in kept])

    def likely() -> float:
        with torch.no_grad():
            return float(drawing_logprobs(run.unified, prompts, codes, guidance=1, sampling=Sampling()).mean())

    before = likely()
    lines = list(train(run, Rejection(sampled=DRAWS, steps=15, batch=12), 0, kept))
    assert likely() > before + 0.3
    assert lines[-1]["drawing"] < lines[0]["drawing"]
    assert lines[-1]["flop_trained"] > lines[0]["flop_trained"] > 0
    assert lines[-1]["flop_generated"] == lines[0]["flop_generated"] > 0


def test_prompts_weigh_alike_however_many_of_their_images_passed(monkeypatch):
    run = learner(small(), DRAWS)
    codes = torch.zeros(9, dtype=torch.long).numpy()
    kept = [[Own("a photo of a red star", codes)] * 30, [Own("a photo of a ring", codes)]]
    seen, drawing = list[str](), Layout.drawing

    def told(layout: Layout, prompt: str, image, *, conditional: bool = True):
        seen.append(prompt)
        return drawing(layout, prompt, image, conditional=conditional)

    monkeypatch.setattr(Layout, "drawing", told)
    list(train(run, Rejection(sampled=DRAWS, steps=3, batch=64, unconditional=0.0), 0, kept))
    assert 0.35 < seen.count("a photo of a ring") / len(seen) < 0.65


def test_a_folder_is_made_once_and_what_is_not_trained_keeps_every_bit(tmp_path: Path):
    checkpoints.write(tmp_path / "base", small())
    config = Rejection(sampled=DRAWS, steps=2, batch=6)
    made = fine_tune(config, tmp_path / "base", tmp_path / "out", 1, verify=every_other)
    one, other = (checkpoints.stored(path).model.state_dict() for path in (tmp_path / "base", made))
    changed = {name.split(".")[0] for name in one if not torch.equal(one[name], other[name])}
    assert "backbone" in changed
    assert not changed & {"encoder", "encoder_adaptor", "visual_tokenizer", "text_head"}
    told = json.loads((tmp_path / "out" / "kept.json").read_text())
    assert told == {"images": 24, "prompts": told["prompts"], "passed": 12}
    assert fine_tune(config, tmp_path / "base", tmp_path / "out", 1, resume=True) == made
    with pytest.raises(UsageError, match="--resume"):
        fine_tune(config, tmp_path / "base", tmp_path / "out", 1)
    with pytest.raises(UsageError, match="steps"):
        fine_tune(replace(config, steps=3), tmp_path / "base", tmp_path / "out", 1, resume=True)


def test_where_nothing_passes_the_reason_is_told(tmp_path: Path):
    with pytest.raises(Stopped, match="of 24 images none passed"):
        collect(learner(small(), DRAWS), DRAWS, 0, none)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--method own --rl.kl 0.1", "--rl.kl has no effect with --method own"),
        ("--method own --mixed", "--mixed has no effect with --method own"),
        ("--method own --own-steps 0", "--own-steps 0"),
        ("--own-steps 3", "--own-steps has no effect with --method reinforce"),
        ("--method own --lora.rank 4", "--lora.rank has no effect"),
    ],
)
def test_the_command_refuses_what_does_nothing(words: str, said: str, tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "drawing", "--model", "m", "--out", str(tmp_path / "x"), *words.split()])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
