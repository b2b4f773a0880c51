"""A post-training as a folder: killed anywhere, it goes on bit for bit; broken files are refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from athanor.core.errors import DataError, Stopped, StoreError, UsageError
from athanor.environments.points import tokens
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.training import checkpoint
from athanor.training.optimizers import Rates
from athanor.training.post import finished, post_train
from athanor.training.rl import RL
from athanor.training.rollouts import roll
from athanor.training.sft import SFT

TINY = PolicyConfig(vocabulary=tokens.VOCABULARY, width=32, layers=1, heads=2, numbers=200)
RUNS = {
    "ppo": RL(algorithm="ppo", steps=6, prompts=8, samples=4, rounds=2, reward="classes", rates=Rates(adamw=1e-3)),
    "muon": SFT(steps=6, rows=16, hands=20, rates=Rates(adamw=1e-3, muon=0.01)),
    "kl": SFT(steps=6, rows=16, hands=0, kl=0.1),
}


def score(run, step):
    return [{"name": "norm", "value": float(sum(w.detach().norm() for w in run.policy.parameters()))}]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    policy = Policy(TINY).begin(torch.Generator().manual_seed(0))
    checkpoint.write_policy(tmp_path / "base.safetensors", policy, {})
    return tmp_path / "base.safetensors"


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    path = checkpoint.newest(folder)
    assert path
    return checkpoint.read(path).tensors


def lines(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.mark.parametrize("name", RUNS)
def test_an_interrupted_run_goes_on_bit_for_bit(name, base, tmp_path):
    config, whole, cut = RUNS[name], tmp_path / "whole", tmp_path / "cut"
    post_train(config, base, whole, 1, points=(2, 4), score=score)

    class Killed(Exception): ...

    def killed(run, step):
        if step == 4:
            raise Killed
        return score(run, step)

    with pytest.raises(Killed):
        post_train(config, base, cut, 1, points=(2, 4), score=killed)
    assert not finished(cut, config)
    (cut / "log.jsonl").write_text((cut / "log.jsonl").read_text() + '{"step": 2, "torn')
    post_train(config, base, cut, 1, points=(2, 4), score=score)
    assert finished(cut, config)
    one, other = tensors(whole), tensors(cut)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert lines(whole, "log.jsonl") == lines(cut, "log.jsonl")
    assert lines(whole, "scores.jsonl") == lines(cut, "scores.jsonl")
    assert [line["step"] for line in lines(cut, "scores.jsonl")] == [2, 4, 6]
    before = (cut / "log.jsonl").read_bytes()
    post_train(config, base, cut, 1, points=(2, 4), score=score)  # nothing is left to do
    assert (cut / "log.jsonl").read_bytes() == before


@pytest.mark.slow
def test_a_killed_process_goes_on_bit_for_bit(base, tmp_path):
    program = f"""
import sys; from pathlib import Path
from tests.training.test_post import *
post_train(RUNS["ppo"], Path({str(base)!r}), Path(sys.argv[1]), 1, points=(1, 2, 3, 4, 5), score=score)
"""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    subprocess.run([sys.executable, "-c", program, str(whole)], check=True)
    for seconds in (2.0, 3.0, 3.5, 4.0, 4.5):
        one = subprocess.Popen([sys.executable, "-c", program, str(cut)])
        time.sleep(seconds)
        one.send_signal(signal.SIGKILL)
        one.wait()
    subprocess.run([sys.executable, "-c", program, str(cut)], check=True)
    assert all(torch.equal(tensors(whole)[key], tensors(cut)[key]) for key in tensors(whole))
    assert lines(whole, "log.jsonl") == lines(cut, "log.jsonl")


@pytest.mark.parametrize("config", [
    SFT(steps=4, rows=8, hands=20, rates=Rates(adamw=1e38)), RL(steps=4, prompts=4, samples=2, rates=Rates(adamw=1e38),
                                                                algorithm="reinforce", reward="classes"),
], ids=["sft", "rl"])  # fmt: skip
def test_no_checkpoint_ever_holds_weights_that_are_not_finite(config, base, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Stopped, match="lower the learning rate"):
        post_train(config, base, out, 1, points=(1, 2, 3, 4), score=score)
    path = checkpoint.newest(out)
    if path is not None:
        held = checkpoint.read(path).tensors.values()
        assert all(bool(tensor.isfinite().all()) for tensor in held if tensor.is_floating_point())
    assert not finished(out, config)


LOST = {
    "rl": RL(steps=8, prompts=8, samples=4, algorithm="negative", rates=Rates(adamw=0.25)),
    "sft": SFT(steps=8, rows=16, hands=20, rates=Rates(adamw=0.3)),
}


@pytest.mark.parametrize("name", LOST)
def test_where_the_policy_runs_away_from_its_base_the_newest_checkpoint_is_the_last_good_one(name, base, tmp_path):
    config, out, later, whole = LOST[name], *(tmp_path / folder for folder in ("run", "later", "whole"))
    with pytest.raises(Stopped, match=r"nats a token from its base after step .*checkpoint-") as found:
        post_train(config, base, out, 1, points=range(9), score=score)
    why = str(found.value).partition("; the last good")[0]
    after = int(why.partition("after step ")[2].split()[0].strip(","))
    newest = checkpoint.newest(out)
    assert newest == out / f"checkpoint-{after - 1:06d}.safetensors"
    assert str(found.value).endswith(f"the last good checkpoint is {newest}")
    assert lines(out, "log.jsonl")[-1]["stopped"] == why
    assert [line["step"] for line in lines(out, "scores.jsonl")] == list(range(1, after))
    with pytest.raises(Stopped) as at_the_next_step:  # which finds what was found before the checkpoint was written
        post_train(config, base, later, 1, points=(), score=score)
    assert str(at_the_next_step.value) == f"{why}; no checkpoint was written before"
    with pytest.raises(Stopped, match=f"after step {after}"):  # the end is a checkpoint too
        post_train(replace(config, steps=after), base, whole, 1, points=(), score=score)
    assert not finished(whole, replace(config, steps=after))
    post_train(replace(config, steps=after - 1), base, tmp_path / "good", 1, points=(), score=score)


@pytest.mark.parametrize("name", ["ppo", "muon"])
def test_trying_the_weights_before_they_are_kept_moves_nothing(name, base, tmp_path):
    often, once = tmp_path / "often", tmp_path / "once"
    post_train(RUNS[name], base, often, 1, points=range(9), score=score)
    post_train(RUNS[name], base, once, 1, points=(), score=score)
    assert all(torch.equal(tensors(often)[key], tensors(once)[key]) for key in tensors(once))
    assert lines(often, "log.jsonl") == lines(once, "log.jsonl")


def test_the_log_has_every_step_at_once_and_outlives_a_kill(base, tmp_path, monkeypatch):
    out, seen = tmp_path / "run", list[int]()

    def killed(run, step):
        seen.append(len(lines(out, "log.jsonl")))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        post_train(RUNS["kl"], base, out, 1, points=(5,), score=killed)
    assert seen == [5]
    assert [line["step"] for line in lines(out, "log.jsonl")] == list(range(5))
    assert not list(out.glob("*.safetensors"))
    post_train(RUNS["kl"], base, out, 1, points=(5,), score=score)
    assert [line["step"] for line in lines(out, "log.jsonl")] == list(range(6))


def test_the_manifest_says_when_how_and_on_what_it_was_made_and_gone_on_with(base, tmp_path):
    for number in (1, 2):
        post_train(
            RUNS["kl"], base, tmp_path / "run", 1, points=(), score=score, execution={"command": f"run {number}"}
        )
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["created"] >= "2026"
    assert manifest["execution"] == {"command": "run 1"}
    assert [one["execution"] for one in manifest["resumptions"]] == [{"command": "run 2"}]
    (tmp_path / "run" / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="is not a manifest"):
        post_train(RUNS["kl"], base, tmp_path / "run", 1, points=(), score=score)


def test_what_the_base_wrote_is_counted_once_however_often_training_goes_on(base, tmp_path, monkeypatch):
    def right(policy, hands, **how):
        made = roll(policy, hands, **how)
        return made._replace(grades=torch.zeros_like(made.grades))  # every answer counts as right

    monkeypatch.setattr("athanor.training.sft.roll", right)
    config, whole, cut = SFT(steps=4, rows=8, hands=5, solutions="own"), tmp_path / "whole", tmp_path / "cut"
    post_train(config, base, whole, 1, points=(2,), score=score)
    post_train(config, base, cut, 1, points=(2,), score=score)
    newest = checkpoint.newest(cut)
    assert newest
    newest.unlink()
    post_train(config, base, cut, 1, points=(2,), score=score)
    assert lines(cut, "log.jsonl") == lines(whole, "log.jsonl")
    assert lines(whole, "log.jsonl")[-1]["episodes"] == 40


def test_steps_without_a_lesson_are_counted_on_when_training_goes_on(base, tmp_path):
    config, out = RL(steps=22, prompts=4, samples=2), tmp_path / "run"
    for _ in range(2):  # a policy of random weights solves nothing
        with pytest.raises(Stopped, match="in 20 steps"):
            post_train(config, base, out, 1, points=(15,), score=score)
    assert [line["barren"] for line in lines(out, "log.jsonl")] == list(range(1, 20))


def test_a_policy_of_other_tokens_and_a_device_that_is_not_there_are_refused(tmp_path, base):
    other = Policy(PolicyConfig(vocabulary=50, width=32, layers=1, heads=2)).begin(torch.Generator().manual_seed(0))
    checkpoint.write_policy(tmp_path / "other.safetensors", other, {})
    with pytest.raises(DataError, match="a policy of 50 tokens"):
        post_train(RUNS["muon"], tmp_path / "other.safetensors", tmp_path / "run", 1, points=(), score=score)
    with pytest.raises(UsageError, match="cannot be used"):
        post_train(RUNS["muon"], base, tmp_path / "run", 1, points=(), score=score, device="nothing")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="--rates.adamw -1 was given, 0 or more"):
        post_train(SFT(rates=Rates(adamw=-1)), base, tmp_path / "run", 1, points=(), score=score)
    assert not (tmp_path / "run").exists()


def test_another_setting_in_the_same_folder_is_refused(base, tmp_path):
    post_train(RUNS["kl"], base, tmp_path / "run", 1, points=(), score=score)
    with pytest.raises(UsageError, match="rows was 16 and is now 8|another --out"):
        post_train(SFT(steps=6, rows=8, hands=0, kl=0.1), base, tmp_path / "run", 1, points=(), score=score)


@pytest.mark.parametrize("name", ["manifest.json", "log.jsonl", "scores.jsonl"])
def test_a_full_disk_is_told_whatever_is_written(name, base, tmp_path, monkeypatch):
    """What is done to make space there is, for the part that a line is torn in: the rest of it is dropped."""
    real, out = (os.replace, open), tmp_path / "run"

    def full(source, target, **more):
        if str(target).endswith(name):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real[0](source, target, **more)

    def torn(path, mode="r", *more, **rest):
        if str(path).endswith(name) and mode == "ab":
            with real[1](path, "ab") as file:
                file.write(b'{"step": 3, "torn')
            raise OSError(errno.ENOSPC, "No space left on device")
        return real[1](path, mode, *more, **rest)

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        disk.setattr("builtins.open", torn)
        with pytest.raises(StoreError, match="No space left on device; free some space and"):
            post_train(RUNS["kl"], base, out, 1, points=(2, 4), score=score)
    assert out.exists() is (name != "manifest.json")
    post_train(RUNS["kl"], base, out, 1, points=(2, 4), score=score)
    assert [line["step"] for line in lines(out, "log.jsonl")] == list(range(6))
    assert [line["step"] for line in lines(out, "scores.jsonl")] == [2, 4, 6]


def test_a_full_disk_keeps_the_last_good_checkpoint(base, tmp_path, monkeypatch):
    real = os.replace

    def full(source, target, **more):
        if "checkpoint-000004" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target, **more)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match="free some space"):
        post_train(RUNS["kl"], base, tmp_path / "run", 1, points=(2, 4), score=score)
    assert [path.name for path in sorted((tmp_path / "run").glob("*.safetensors"))] == ["checkpoint-000002.safetensors"]


def test_files_that_are_no_checkpoints_are_refused(base, tmp_path):
    broken = tmp_path / "broken.safetensors"
    for content in (b"", b"hello", base.read_bytes()[:500], b"\x80\x04\x95pickle"):
        broken.write_bytes(content)
        with pytest.raises(DataError, match="no whole safetensors|no checkpoint"):
            checkpoint.read(broken)
    with pytest.raises(DataError, match="not there"):
        checkpoint.read(tmp_path / "nothing")
    with pytest.raises(DataError, match="one of 'base policy' was expected"):
        checkpoint.read(base, "base policy")


def test_a_torn_checkpoint_is_told_with_the_one_before_it(base, tmp_path):
    out = tmp_path / "run"
    post_train(RUNS["kl"], base, out, 1, points=(4,), score=score)
    newest = checkpoint.newest(out)
    assert newest
    shutil.copy(newest, tmp_path / "whole.safetensors")
    newest.write_bytes(newest.read_bytes()[:999])
    with pytest.raises(DataError, match=r"000006.* or remove it: --resume then goes on from checkpoint-000004"):
        post_train(RUNS["kl"], base, out, 1, points=(4,), score=score)
    newest.unlink()
    post_train(RUNS["kl"], base, out, 1, points=(4,), score=score)
    whole = checkpoint.read(tmp_path / "whole.safetensors").tensors
    assert all(torch.equal(whole[key], tensors(out)[key]) for key in whole)


def test_a_checkpoint_of_post_training_is_read_as_the_policy_that_it_holds(base, tmp_path):
    post_train(RUNS["muon"], base, tmp_path / "run", 1, points=(), score=score)
    newest = checkpoint.newest(tmp_path / "run")
    assert newest
    policy, about = checkpoint.read_policy(newest)
    assert (policy.config, about["step"]) == (TINY, 6)
    assert all(torch.equal(weight, tensors(tmp_path / "run")[f"policy/{n}"]) for n, weight in policy.named_parameters())
    checkpoint.write(tmp_path / "other.safetensors", {"x": torch.zeros(1)}, {"kind": "base policy"})
    with pytest.raises(DataError, match="a checkpoint of 'base policy', a policy or a checkpoint of its post-training"):
        checkpoint.read_policy(tmp_path / "other.safetensors")


def test_weights_of_another_architecture_are_refused(base, tmp_path):
    wider = Policy(PolicyConfig(vocabulary=tokens.VOCABULARY, width=64, layers=1, heads=2))
    saved = checkpoint.read(base)
    checkpoint.write(tmp_path / "mixed.safetensors", dict(wider.state_dict()), saved.about)
    with pytest.raises(DataError, match="does not hold the weights"):
        checkpoint.read_policy(tmp_path / "mixed.safetensors")
    shutil.copy(base, tmp_path / "copy.safetensors")
    policy, about = checkpoint.read_policy(tmp_path / "copy.safetensors", dtype=torch.float32)
    assert about["kind"] == "policy"
    assert policy.config == TINY
