"""The commands around the small policies: training one, and saying what one solves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from athanor.cli import main
from athanor.environments.points import tokens
from athanor.models.policy.embedded import EMBEDDED, path_of
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.training import checkpoint
from athanor.training.evaluate import CONDITIONS, Play, evaluate

TINY = PolicyConfig(vocabulary=tokens.VOCABULARY, width=16, layers=1, heads=2, numbers=200)
SHORT = ("--rl.steps", "2", "--rl.prompts", "4", "--rl.samples", "2", "--every", "1", "--each", "1")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    checkpoint.write_policy(path, Policy(TINY).begin(torch.Generator().manual_seed(0)), {})
    return path


def athanor(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def train(base: Path, out: Path, *more: str) -> int:
    return athanor("train", "policy", "--base", str(base), "--out", str(out), *more)


def test_a_policy_is_trained_and_trained_on_from(base: Path, tmp_path: Path):
    assert train(base, tmp_path / "rl", "--method", "rl", *SHORT) == 0
    trained = tmp_path / "rl" / "model.safetensors"
    sft = ("--method", "sft", "--sft.steps", "1", "--sft.rows", "8", "--each", "1")
    assert train(trained, tmp_path / "sft", *sft) == 0
    log = [json.loads(line) for line in (tmp_path / "rl" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [0, 1]
    before, after = (
        checkpoint.read_policy(trained)[0],
        checkpoint.read_policy(tmp_path / "sft" / "model.safetensors")[0],
    )
    assert not torch.equal(before.head.weight, after.head.weight)


def test_curves_are_written_for_tensorboard(base: Path, tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert train(base, tmp_path / "rl", "--method", "rl", *SHORT) == 0
    found = accumulator.EventAccumulator(str(tmp_path / "rl" / "tensorboard"))
    found.Reload()
    assert {"loss", "kl", "entropy", "reward", "solved/rule/temperature 1/rounds 1"} <= set(found.Tags()["scalars"])
    assert [event.step for event in found.Scalars("loss")] == [1, 2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--method", "rl", "--sft.steps", "3"), "--sft.steps"),
        (("--method", "sft", "--rl.kl", "0.1"), "--rl.kl"),
        (("--method", "rl", "--rl.rounds", "6"), "room for 1 to 5"),
        (("--method", "rl", "--rl.samples", "1"), "--rl.samples 2"),
        (("--method", "rl", "--rl.steps", "0"), "--rl.steps"),
        (("--method", "rl", "--every", "0"), "--every"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_made(given, said, base: Path, tmp_path: Path, capsys):
    assert train(base, tmp_path / "out", *given) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_training_that_is_stopped_ends_with_1_and_is_trained_on_from_its_last_good_checkpoint(
    base: Path, tmp_path: Path, capsys
):
    lost = ("--method", "rl", "--rl.algorithm", "negative", "--rl.rates.adamw", "0.3", *SHORT, "--rl.steps", "5")
    assert train(base, tmp_path / "lost", *lost) == 1
    said = capsys.readouterr().err
    assert "lower --rl.rates.adamw or raise --rl.kl" in said
    path = Path(said.rpartition("the last good checkpoint is ")[2].strip())
    assert path == checkpoint.newest(tmp_path / "lost")
    assert train(path, tmp_path / "on", "--method", "rl", *SHORT) == 0


def test_the_manifest_of_a_training_says_how_it_was_asked_for(base: Path, tmp_path: Path, monkeypatch):
    words = ("--method", "sft", "--sft.steps", "1", "--sft.rows", "8", "--each", "1")
    monkeypatch.setattr("sys.argv", ["athanor", "train", "policy", *words])
    assert train(base, tmp_path / "sft", *words) == 0
    manifest = json.loads((tmp_path / "sft" / "manifest.json").read_text())
    assert manifest["created"]
    assert manifest["execution"] == {
        "base": str(base), "every": 20, "each": 1, "device": "cpu", "threads": 1,
        "command": f"athanor train policy {' '.join(words)}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--sft.rates.adamw", "-1"), "--sft.rates.adamw -1.0 was given, 0 or more was expected"),
        (("--sft.rates.betas", "0.9", "1"), "--sft.rates.betas 0.9 1 was given, two numbers from 0 to below 1"),
    ],
)
def test_rates_that_are_none_are_refused_by_their_option(given, said, base: Path, tmp_path: Path, capsys):
    assert train(base, tmp_path / "out", "--method", "sft", *given) == 2
    assert said in capsys.readouterr().err


def test_a_policy_that_is_not_there_is_refused_by_name(tmp_path: Path, capsys):
    assert athanor("check", "policy", "--policy", "base-points-3") == 2
    assert "base-points-1, base-points-2" in capsys.readouterr().err


def test_the_bases_of_the_package_are_of_one_shape_and_not_the_same():
    one, other = (checkpoint.read_policy(path_of(name)) for name in EMBEDDED)
    assert one[0].config == other[0].config
    assert not torch.equal(one[0].head.weight, other[0].head.weight)
    for (policy, about), seed in ((one, 1), (other, 2)):
        assert about["recipe"]["seed"] == seed
        assert sum(weight.numel() for weight in policy.parameters()) == 848_256
        assert path_of(f"base-points-{seed}").stat().st_size < 2e6


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("condition", ["unseen", "rule"])
def test_a_base_solves_three_of_ten_hands_that_it_never_saw_greedily(name: str, condition: str):
    policy, _ = checkpoint.read_policy(path_of(name))
    assert evaluate(policy, CONDITIONS[condition], Play(0.0, 1), 1, 3).share > 0.3
    assert evaluate(policy, CONDITIONS[condition], Play(1.0, 1), 1, 3).share > 0.23


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDED)
def test_a_base_puts_right_what_it_is_told_was_wrong(name: str):
    policy, _ = checkpoint.read_policy(path_of(name))
    once, twice, often = (evaluate(policy, CONDITIONS["unseen"], Play(1.0, k), 1, 2).share for k in (1, 2, 10))
    assert (twice - once) / (1 - once) > 0.15
    assert often > 0.65


def test_check_policy_prints_what_is_solved_as_estimates(base: Path, capsys):
    assert athanor("check", "policy", "--policy", str(base), "--each", "1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    names = [one["name"] for one in told["estimates"]]
    assert names[0] == "seen, temperature 1"
    within = [name for name in names if "answers" in name]
    assert within == [f"{name}, {k} answers, temperature 1" for name in ("unseen", "rule") for k in (2, 3, 5)]
    assert len(names) == 2 * len(CONDITIONS) + len(within) + 1
    assert all(0 <= one["low"] <= one["value"] <= one["high"] <= 1 for one in told["estimates"][:-1])
