"""The same step on one process and on several: the same losses and the same weights."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from athanor.cli import main
from athanor.core.errors import Stopped, UsageError
from athanor.models.unified.config import Mean
from athanor.models.unified.losses import token_losses
from athanor.training import checkpoint
from athanor.training.unified import many as module
from athanor.training.unified.joint import Trainer, freeze
from athanor.training.unified.kept import newest
from athanor.training.unified.many import Losses, Many, processes
from athanor.training.unified.scenes import Scenes
from athanor.training.unified.teaching import lesson, passes
from tests.training.unified.many_worker import PARTS, STAGE, STEPS, beginner, learner, trained

ROOT = Path(__file__).parents[3]


def launched(folder: Path, how: str, world: int) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """What so many processes came to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1", "WORLD_SIZE": str(world)}
    base |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_WORLD_SIZE": str(world)}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.unified.many_worker", how, str(folder)], cwd=ROOT,
            env={**base, "RANK": str(rank), "LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(world)
    ]  # fmt: skip
    try:
        said = [one.communicate(timeout=500)[1] for one in running]
    finally:
        for one in running:
            one.kill()
    assert [one.returncode for one in running] == [0] * world, said
    return checkpoint.read(folder / "weights.safetensors").tensors, json.loads((folder / "told.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["copied", "parted", "adapters"])
def test_two_processes_compute_what_one_does(tmp_path: Path, how: str):
    weights, told = launched(tmp_path, how, 2)
    alone, expected = trained(processes("cpu"), rank=2 if how == "adapters" else 0)
    assert [set(line) for line in told] == [set(line) for line in expected]
    for found, wanted in zip(told, expected, strict=True):
        assert all(found[name] == pytest.approx(wanted[name], rel=2e-4) for name in wanted)
    assert weights.keys() == alone.weights.keys()
    assert all(torch.allclose(weights[name], one, atol=2e-5) for name, one in alone.weights.items())
    start = beginner(processes("cpu"), PARTS, STAGE, 2 if how == "adapters" else 0).weights
    assert all(not torch.equal(weights[name], start[name]) for name in weights)
    folder = newest(tmp_path)
    assert folder is not None
    assert sorted(path.name for path in folder.iterdir()) == (["part-0-of-1.safetensors"] if how == "copied" else
                             ["part-0-of-2.safetensors", "part-1-of-2.safetensors"])  # fmt: skip


@pytest.mark.parametrize("mean", ["task", "token"])
def test_one_process_computes_what_the_trainer_of_a_stage_computes(mean: Mean):
    stage = replace(STAGE, steps=2, mean=mean)
    many, told = trained(processes("cpu"), parts=1, stage=stage)
    unified = learner()
    trainer = Trainer(unified, stage, Scenes(seed=1), 1)
    for step in range(stage.steps):
        line = trainer.step(step)
        for name, value in told[step].items():
            assert line[name] == pytest.approx(value, rel=1e-5)
    weights = dict(unified.model.named_parameters())
    # a bias of keys changes no attention: its gradient is rounding alone, which AdamW makes steps of
    told_by_gradients = {name: one for name, one in many.weights.items() if not name.endswith("k_proj.bias")}
    assert len(told_by_gradients) > 0.9 * len(many.weights)
    assert all(torch.allclose(one, weights[name], atol=1e-6) for name, one in told_by_gradients.items())


def test_parts_of_a_step_are_one_step_and_each_process_has_its_own():
    accelerator = processes("cpu")
    many = Many(learner(), replace(STAGE, dose=replace(STAGE.dose, samples=24)), Scenes(seed=1), 1, accelerator, PARTS)
    assert [list(many.mine(step)) for step in range(STEPS)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [many.request(k) for k in (0, 1, 2, 3, 14)] == [
        ("understanding", 0, 2), ("text", 0, 2), ("drawing", 0, 2), ("understanding", 1, 2), ("drawing", 4, 2),
    ]  # fmt: skip
    asked: list[tuple] = []

    class Told:
        name = "told"

        def take(self, use, index, size):
            asked.append((use, index, size))
            return Scenes(seed=1).take(use, index, size)

    many.examples = Told()
    many.step(0)
    assert asked == [many.request(k) for k in range(12)]


def test_a_model_whose_every_part_takes_part_computes_the_same_with_a_gradient_everywhere():
    unified = learner()
    freeze(unified.model, STAGE)
    samples = lesson(unified, Scenes(seed=1), replace(STAGE.dose, samples=6), 1, 0)
    for task in (0, 1, 2):
        for batch in passes([some if k == task else [] for k, some in enumerate(samples)], STAGE.dose):
            nats, tasks, idle = Losses(unified.model, shared=True)(batch)
            wanted, of = token_losses(unified.model, unified.model.hidden(batch), batch)
            assert torch.allclose(nats, wanted, atol=1e-6)
            assert torch.equal(tasks, of)
            assert float(idle.detach()) == 0
            (nats.sum() + idle).backward()
            missing = [name for name, one in unified.model.named_parameters() if one.requires_grad and one.grad is None]
            assert missing == []
            unified.model.zero_grad()
            nothing = module._unlearned(batch)
            nats, _, idle = Losses(unified.model, shared=True)(nothing)
            assert len(nats) == 0
            (nats.sum() + idle).backward()
            assert all(float(one.grad.abs().sum()) == 0 for one in unified.model.parameters() if one.grad is not None)
            assert sum(one.grad is not None for one in unified.model.parameters()) > 50
            unified.model.zero_grad()


def test_measuring_changes_nothing():
    many = Many(learner(), STAGE, Scenes(seed=1), 1, processes("cpu"), 1)
    before = {name: one.detach().clone() for name, one in many.weights.items()}
    first = many.measure(Scenes(seed=2), 2)
    assert set(first) == {"understanding", "text", "drawing"}
    assert many.measure(Scenes(seed=2), 2) == first != many.measure(Scenes(seed=3), 2)
    assert all(torch.equal(one, before[name]) for name, one in many.weights.items())
    assert all(one.grad is None for one in many.weights.values())


def test_what_cannot_be_parted_is_refused(monkeypatch: pytest.MonkeyPatch):
    accelerator = processes("cpu")
    for parts in (5, 16):
        with pytest.raises(UsageError, match=rf"8 \+ 8 \+ 8 samples in {parts} parts cannot .* the ratio 1:1:1"):
            Many(learner(), STAGE, Scenes(seed=1), 1, accelerator, parts)
    with pytest.raises(UsageError, match="asks for Muon"):
        Many(learner(), replace(STAGE, muon=0.02), Scenes(seed=1), 1, accelerator)


@pytest.mark.parametrize(("name", "value"), [
    ("ACCELERATE_USE_DEEPSPEED", "true"), ("ACCELERATE_MIXED_PRECISION", "fp16"),
    ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4"), ("FSDP_OFFLOAD_PARAMS", "true"),
])  # fmt: skip
def test_what_a_launcher_may_not_set_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"the launcher sets {name} to {value}"):
        processes("cpu")


@pytest.mark.parametrize("words", [
    ["unified"], ["drawing"], ["tokenizer", "--shape", "tiny", "--scenes", "1"],
    ["encoder", "--shape", "tiny", "--scenes", "1"],
])  # fmt: skip
def test_what_one_process_does_is_not_begun_by_a_launcher(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit, match="2"):
        main(["train", *words, "--out", str(tmp_path / "out")])
    assert "the launcher began 2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_gradient_that_is_not_finite_stops_training_before_weights_are_spoilt():
    many = Many(learner(), STAGE, Scenes(seed=1), 1, processes("cpu"))
    with torch.no_grad():
        many.unified.model.text_head.weight.mul_(float("inf"))
    before = many.unified.model.code_head.out.weight.detach().clone()
    with pytest.raises(Stopped, match="not finite at step 0"):
        many.step(0)
    assert torch.equal(many.unified.model.code_head.out.weight, before)
