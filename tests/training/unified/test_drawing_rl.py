"""Reinforcement of drawing: what is learned is what was drawn from, and a better image becomes likelier."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from athanor.cli import main
from athanor.core.errors import DataError, Stopped, UsageError
from athanor.environments.scenes import STYLES, Spec, split_of
from athanor.environments.scenes.drawing import Images, render
from athanor.environments.scenes.prompts import drawn as scenes_drawn
from athanor.environments.scenes.splits import told_held
from athanor.models.unified import checkpoints
from athanor.models.unified.losses import drawing_logprobs
from athanor.models.unified.sampling import Sampling, log_probabilities
from athanor.training import checkpoint
from athanor.training.optimizers import Rates
from athanor.training.unified import drawing_rl
from athanor.training.unified.drawing_rl import DrawingRL, Drawn, Judged, ask, exact, learner, sample, train, update
from athanor.training.unified.drawing_run import Execution, reinforce
from athanor.training.unified.settings import Lora
from tests.models.unified.small import saved, unified
from tests.training.unified.small import small

CATEGORIES = ("single_object", "colors")
EASY = DrawingRL(categories=CATEGORIES, prompts=3, samples=4, guidance=3.0, steps=4, micro=5)


def dark(images: list[Images], specs: Sequence[Spec]) -> Judged:
    """A verifier that likes dark images."""
    rewards = [1 - float(image.mean()) / 255 for image in images]
    return Judged(rewards, [reward > 0.5 for reward in rewards], rewards)


def drawn_by(config: DrawingRL, seed: int = 0) -> tuple[drawing_rl.Learner, Drawn]:
    run = learner(small(), config)
    return run, sample(run, config, ask(config, seed, 0), seed, 0, dark)


def ratios(run: drawing_rl.Learner, config: DrawingRL, drawn: Drawn) -> Tensor:
    """Of the learned distribution to the one that the images were drawn from, code by code."""
    with torch.no_grad():
        learned = drawing_rl.score(run.unified, config, drawn.prompts, drawn.codes)
        true = drawing_logprobs(
            run.unified, drawn.prompts, drawn.codes, guidance=config.guidance, sampling=config.sampling
        )
    return (learned - true).exp()


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.7), Sampling(top_k=5, top_p=0.9)])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_what_is_learned_is_what_was_drawn_from_and_in_t2i_r1_is_not(guidance: float, sampling: Sampling):
    config = replace(EASY, guidance=guidance, sampling=sampling)
    run, drawn = drawn_by(config)
    assert torch.equal(ratios(run, config, drawn), torch.ones(12, 9))
    found = drawing_rl.score(run.unified, config, drawn.prompts, drawn.codes)
    assert torch.allclose(found, drawn.logprobs, atol=1e-4)  # as the sampler itself computed them
    assert update(run, config, drawn)["off"] == pytest.approx(0, abs=1e-5)
    theirs = replace(config, scored="t2i-r1")
    run, drawn = drawn_by(theirs)
    ratio = ratios(run, theirs, drawn)
    if guidance == 1 and sampling == Sampling():
        assert torch.equal(ratio, torch.ones(12, 9))
    else:
        assert (ratio - 1).abs().mean() > 0.1
        assert update(run, theirs, drawn)["off"] > 0.02


def test_the_surrogate_of_t2i_r1_does_not_show_that_it_learns_another_distribution():
    """Its ratio is of a log-probability to itself, so that nothing is clipped whatever was drawn from."""
    for scored in ("sampled", "t2i-r1"):
        config = replace(EASY, scored=scored, clip=0.0)
        run, drawn = drawn_by(config)
        assert update(run, config, drawn)["clipped"] == 0


def test_the_gradient_is_that_of_the_guided_distribution():
    """Against central differences of the log-probability of one image, along the gradient."""
    run, drawn = drawn_by(EASY)
    weights = list(run.trained.parameters())

    def scored() -> Tensor:
        return drawing_rl.score(run.unified, EASY, drawn.prompts[:1], drawn.codes[:1]).double().sum()

    scored().backward()
    direction = [torch.zeros_like(w) if w.grad is None else w.grad.clone() for w in weights]
    slope = sum(float(d.double().square().sum()) for d in direction)
    length = slope**0.5
    told = []
    for sign in (1, -1):
        with torch.no_grad():
            for weight, along in zip(weights, direction, strict=True):
                weight.add_(along, alpha=sign * 1e-2 / length)
            told.append(float(scored()))
            for weight, along in zip(weights, direction, strict=True):
                weight.sub_(along, alpha=sign * 1e-2 / length)
    assert (told[0] - told[1]) / 2e-2 == pytest.approx(length, rel=0.02)
    bare = drawing_logprobs(run.unified, drawn.prompts[:1], drawn.codes[:1], guidance=1, sampling=Sampling())
    other = torch.autograd.grad(bare.sum(), weights, allow_unused=True)
    alike = sum(float((a * b).sum()) for a, b in zip(direction, other, strict=True) if b is not None)
    assert alike / length / sum(float(b.square().sum()) for b in other if b is not None) ** 0.5 < 0.95


@pytest.mark.parametrize("algorithm", ["grpo", "dr-grpo", "rloo", "reinforce", "positive", "negative", "w-reinforce"])
def test_one_step_makes_images_likelier_by_how_much_better_they_did(algorithm):
    config = replace(EASY, algorithm=algorithm, rates=Rates(adamw=1e-4), micro=12)
    run, drawn = drawn_by(config)
    gains = drawing_rl.ALGORITHMS[algorithm](drawn.rewards, drawn.passed).flatten()
    before = drawing_rl.score(run.unified, config, drawn.prompts, drawn.codes).sum(1).detach()
    update(run, config, drawn)
    after = drawing_rl.score(run.unified, config, drawn.prompts, drawn.codes).sum(1).detach()
    assert ((after - before) * gains).sum() > 0


def improved(scored: Literal["sampled", "t2i-r1"], steps: int, seed: int) -> float:
    """By how much the reward of the last steps is above that of the first ones, under guidance 3."""
    config = replace(EASY, steps=steps, samples=8, prompts=2, rates=Rates(adamw=3e-3), micro=16, scored=scored)
    told = [line["reward"] for line in train(learner(small(), config), config, seed, verify=dark)]
    return float(np.mean(told[-5:]) - np.mean(told[:5]))


def test_images_become_what_the_verifier_likes():
    assert improved("sampled", 14, 1) > 0.01


@pytest.mark.slow
def test_what_was_drawn_from_is_learned_better_than_what_was_not():
    ours, theirs = ([improved(scored, 40, seed) for seed in (1, 2, 3)] for scored in ("sampled", "t2i-r1"))
    assert min(ours) > 0.015
    assert np.mean(ours) > np.mean(theirs) + 0.005


@pytest.mark.parametrize("change", [{}, {"epochs": 2, "kl": 0.1}, {"level": "turn", "epochs": 2}])
def test_images_may_be_learned_in_parts(change):
    weights = []
    for micro in (3, 12):
        config = replace(EASY, micro=micro, **change)
        run, drawn = drawn_by(replace(config, micro=12))
        measured = update(run, config, drawn)
        weights.append([w.detach().clone() for w in run.trained.parameters()])
        assert measured["loss"] == pytest.approx(0, abs=0.2)
    assert all(torch.allclose(a, b, atol=2e-5) for a, b in zip(*weights, strict=True))


def test_the_divergence_from_the_start_is_nothing_at_first_and_holds_the_model_back():
    config = replace(EASY, kl=0.1, steps=2, prompts=2, rates=Rates(adamw=1e-3))
    lines = list(train(learner(small(), config), config, 1, verify=dark))
    assert lines[0]["kl"] == 0
    assert lines[-1]["kl"] > 0
    far = {}
    for kl in (1e-6, 10.0):
        config = replace(EASY, kl=kl, steps=6, prompts=2, rates=Rates(adamw=1e-3))
        far[kl] = list(train(learner(small(), config), config, 1, verify=dark))[-1]["kl"]
    assert far[10.0] < far[1e-6]


def test_adapters_learn_and_what_is_drawn_from_has_them():
    config = replace(EASY, kl=0.1, steps=3, prompts=2, rates=Rates(adamw=1e-2))
    run = learner(small(), config, Lora(rank=2), seed=1)
    before = {name: weight.clone() for name, weight in run.unified.model.state_dict().items()}
    lines = list(train(run, config, 1, verify=dark))
    assert lines[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert lines[-1]["kl"] > 1e-6
    assert all(abs(line["off"]) < 1e-5 for line in lines)
    changed = {name for name, w in run.unified.model.state_dict().items() if not torch.equal(w, before[name])}
    assert changed == {name.replace("/", ".") for name in run.trained}
    assert all("lora" in name for name in changed)


def test_only_what_a_drawing_goes_through_is_trained():
    run, drawn = drawn_by(EASY)
    before = {name: weight.clone() for name, weight in run.unified.model.state_dict().items()}
    update(run, EASY, drawn)
    changed = {
        name.split(".")[0] for name, w in run.unified.model.state_dict().items() if not torch.equal(w, before[name])
    }
    assert changed == set(drawing_rl.PARTS)


def test_the_exact_judge_pays_true_pictures_in_full_and_others_by_what_holds():
    specs, grids = scenes_drawn("color_attr", STYLES["aligned"], split_of("train"), np.random.default_rng(0), 4)
    images = list(render(grids, 48))
    assert exact("share")(images, specs) == Judged([1.0] * 4, [True] * 4, [1.0] * 4)
    wrong = images[1:] + images[:1]
    told = exact("share")(wrong, specs)
    assert not any(told.passed)
    assert max(told.rewards) > 0
    assert told.rewards == [pytest.approx(0.9 * share) for share in told.shares]
    assert exact("pass")(wrong, specs).rewards == [0.0] * 4
    blank = [np.zeros((48, 48, 3), np.uint8)] * 4
    assert exact("share")(blank, specs).rewards == [0.0] * 4


def test_prompts_of_a_step_differ_and_hold_nothing_back_for_testing():
    config = replace(EASY, categories=("colors", "position", "counting"), prompts=9)
    found = [ask(config, 1, step) for step in range(3)]
    assert found[0] == ask(config, 1, 0) != ask(config, 2, 0)
    for specs in found:
        assert len({spec.prompt for spec in specs}) == 9
        assert not any(told_held(spec) for spec in specs)
    with pytest.raises(UsageError, match="6 were found"):
        ask(replace(EASY, categories=("single_object",), prompts=7), 1, 0)


def test_images_of_a_prompt_and_of_two_steps_differ():
    run, drawn = drawn_by(EASY)
    assert len({tuple(one) for one in drawn.codes.tolist()}) == 12
    again = sample(run, EASY, ask(EASY, 0, 0), 0, 1, dark)
    assert not torch.equal(again.codes, drawn.codes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"samples": 1}, "compares images"),
        ({"categories": ("colors", "dogs")}, "colors, dogs were given, some of single_object"),
        ({"categories": ()}, "some of single_object"),
        ({"rates": Rates(adamw=1e-3, muon=1e-2)}, "by AdamW alone"),
        ({"sampling": Sampling(temperature=0)}, "all images of a prompt are one"),
        ({"kl": 0.1, "sampling": Sampling(top_k=3)}, "infinite"),
    ],
)
def test_what_cannot_be_meant_is_refused(change, said):
    with pytest.raises(UsageError, match=said):
        learner(small(), replace(EASY, **change))


def test_what_is_refused_leaves_no_folder(tmp_path: Path):
    wrong = replace(EASY, samples=1)
    with pytest.raises(UsageError, match="ask for 2"):
        reinforce(wrong, saved(tmp_path / "model", small()), tmp_path / "out", 1, Execution())
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="40 pixels a side"):
        reinforce(EASY, saved(tmp_path / "other", unified()), tmp_path / "out", 1, Execution())
    assert not (tmp_path / "out").exists()


def test_a_model_whose_images_are_too_small_for_the_judge_is_refused():
    with pytest.raises(UsageError, match="40 pixels a side"):
        learner(unified(), EASY)


def test_training_stops_where_it_fails_and_spoils_no_weights():
    config = replace(EASY, rates=Rates(adamw=1e6))
    run = learner(small(), config)
    with pytest.raises(Stopped, match="lower the learning rate"):
        list(train(run, replace(config, steps=4), 1, verify=dark))
    alike = lambda images, specs: Judged([0.5] * len(images), [False] * len(images), [0.5] * len(images))
    with pytest.raises(Stopped, match="in 20 steps the images of every prompt had one reward"):
        list(train(learner(small(), EASY), replace(EASY, steps=30, prompts=1, samples=2), 1, verify=alike))


def test_a_code_that_falls_outside_the_likeliest_when_scored_again_is_left_out():
    config = replace(EASY, sampling=Sampling(top_k=4))
    logprobs = torch.tensor([[-1.0, -2.0, -torch.inf], [-1.0, -1.5, -0.5]], requires_grad=True)
    old = torch.tensor([[-1.0, -2.5, -1.0], [-torch.inf, -1.5, -0.5]])
    loss, told = drawing_rl._loss(config, logprobs, old, torch.tensor([[1.0], [-1.0]]), None)
    loss.backward()
    assert logprobs.grad is not None
    assert torch.isfinite(logprobs.grad).all()
    assert (logprobs.grad == 0).tolist() == [[False, True, True], [True, False, False]]  # one is clipped
    assert told["outside"] == pytest.approx(2 / 6)
    lost = torch.tensor([[torch.nan, -2.0, -1.0], [-1.0, -1.5, -0.5]])
    assert np.isnan(drawing_rl._loss(config, lost, lost, torch.tensor([[1.0], [-1.0]]), None)[1]["loss"])


def test_mixed_precision_learns_too():
    config = replace(EASY, steps=2)
    lines = list(train(learner(small(), config, mixed=True), config, 1, verify=dark))
    assert abs(lines[0]["off"]) < 0.05  # of rounding, between sampler and learner
    assert np.isfinite(lines[-1]["loss"])


def lines(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.mark.parametrize("lora", [Lora(), Lora(rank=2)])
def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path: Path, lora: Lora):
    config = replace(EASY, steps=5, epochs=2, kl=0.05, prompts=2, samples=2)
    how = Execution(every=2, each=1)
    base = saved(tmp_path / "base", small())
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    model = reinforce(config, base, whole, 1, how, lora=lora, verify=dark)
    calls = 0

    class Killed(Exception): ...

    def killed(images: list[Images], specs: Sequence[Spec]) -> Judged:
        nonlocal calls
        calls += 1
        if calls == 8:  # within the fourth step: two scores and four steps, with two more scores after the second
            raise Killed
        return dark(images, specs)

    with pytest.raises(Killed):
        reinforce(config, base, cut, 1, how, lora=lora, verify=killed)
    assert not (cut / "model").exists()
    (cut / "log.jsonl").write_text((cut / "log.jsonl").read_text() + '{"step": 2, "torn')
    with pytest.raises(UsageError, match="--resume"):
        reinforce(config, base, cut, 1, how, lora=lora, verify=dark)
    with pytest.raises(UsageError, match="kl was 0.05 and is now 0.1"):
        reinforce(replace(config, kl=0.1), base, cut, 1, how, lora=lora, resume=True, verify=dark)
    again = reinforce(config, base, cut, 1, how, lora=lora, resume=True, verify=dark)
    assert (model / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
    assert (model / "model.safetensors").read_bytes() != (base / "model.safetensors").read_bytes()
    for name in ("log.jsonl", "scores.jsonl"):
        assert lines(whole, name) == lines(cut, name)
    assert [line["step"] for line in lines(cut, "log.jsonl")] == [0, 1, 2, 3, 4]
    assert [line["step"] for line in lines(cut, "scores.jsonl")] == [step for step in (0, 2, 4, 5) for _ in range(4)]
    one, other = (checkpoint.read(folder / "checkpoint-000005.safetensors").tensors for folder in (whole, cut))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert reinforce(config, base, cut, 1, how, lora=lora, resume=True, verify=dark) == again  # nothing is left to do
    assert (cut / "adapter.safetensors").exists() == bool(lora.rank)
    assert all(("lora" in name) == bool(lora.rank) for name in one if name.startswith("model/"))


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path):
    base = saved(tmp_path / "base", small())
    config = replace(EASY, steps=1, prompts=2, samples=2)
    reinforce(config, base, tmp_path / "run", 1, Execution(each=0), verify=dark)
    path = tmp_path / "run" / "checkpoint-000001.safetensors"
    tensors, about = checkpoint.read(path)
    checkpoint.write(path, {n: t for n, t in tensors.items() if "norm" not in n}, about)
    (tmp_path / "run" / "model" / "config.json").unlink()
    with pytest.raises(DataError, match="of another model"):
        reinforce(config, base, tmp_path / "run", 1, Execution(each=0), resume=True, verify=dark)


def test_the_command_trains_with_the_exact_judge_and_writes_a_model(capsys, tmp_path: Path):
    base = saved(tmp_path / "base", small())
    words = ["train", "drawing", "--model", str(base), "--out", str(tmp_path / "run"), "--each", "1", "--rl.steps", "2"]
    words += ["--rl.prompts", "2", "--rl.samples", "2", "--rl.categories", *CATEGORIES, "--device", "cpu"]
    words += ["--rl.guidance", "2"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "run" / "model")
    assert checkpoints.read(tmp_path / "run" / "model").model.config == small().model.config
    assert {row["condition"] for row in lines(tmp_path / "run", "scores.jsonl")} == {
        f"{part} {category}" for part in ("train", "test") for category in CATEGORIES
    }
    with pytest.raises(SystemExit) as ended:
        main([*words, "--rl.samples", "0"])
    assert ended.value.code == 2
    assert "--rl.samples 0 was given" in capsys.readouterr().err


def test_the_sampler_scores_what_it_draws():
    """A closed form: at every code the log-probability is that of the distribution that the number fell into."""
    _, drawn = drawn_by(replace(EASY, sampling=Sampling(top_k=1)))
    assert torch.equal(drawn.logprobs, torch.zeros(12, 9))
    logits = torch.randn(4, 6)
    assert log_probabilities(logits, Sampling()).exp().sum(1).allclose(torch.ones(4))
