"""The study of post-training: arms of the same compute, the same hands for all, and a page that says what follows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from athanor.analysis.generalization import BASE, Key, Trained, course, difference, kept, read_trained, score
from athanor.analysis.generalization import Score as Played
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.environments.points import tokens
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.reports.sft_vs_rl import page
from athanor.studies.sft_vs_rl import study
from athanor.studies.sft_vs_rl.arms import MAIN, SEQUENCE, SETTINGS, Setting, arms, step_flop
from athanor.studies.sft_vs_rl.claims import claims
from athanor.studies.sft_vs_rl.findings import find
from athanor.studies.sft_vs_rl.published import PUBLISHED
from athanor.studies.sft_vs_rl.study import Asked, base_scores, jobs, train_one, try_base
from athanor.training import checkpoint
from athanor.training.ledger import training_flop
from athanor.training.rl import RL
from athanor.training.sft import SFT

TINY = PolicyConfig(vocabulary=tokens.VOCABULARY, width=16, layers=1, heads=2, numbers=200)
ONE = Key("rule", 1.0, 1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "tiny.safetensors"
    checkpoint.write_policy(path, Policy(TINY).begin(torch.Generator().manual_seed(0)), {})
    return path


@pytest.fixture(scope="module")
def played(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Asked, Path]:
    """A study of every kind of arm, two steps each, trained in this process."""
    folder = tmp_path_factory.mktemp("study") / "out"
    threads = torch.get_num_threads()
    asked = Asked(setting="smoke", seed=1, processes=1, bases=(str(base),))
    study.prepare(asked, folder)
    every = jobs(asked, folder)
    for job in every:
        train_one(job)
    try_base(str(base), asked.sizes, asked.seed, base_scores(folder, str(base)))
    torch.set_num_threads(threads)
    return asked, folder


def trained(arm: str, number: int, solved: list[float], *, base: str = "b", key: Key = ONE, step: int = 3) -> Trained:
    played = {key: {step: Played(np.array(solved), np.ones(len(solved)))}}
    return Trained(arm=arm, base=base, number=number, scores=played, flop={step: 1e9 * step}, episodes={step: step})


def test_supervised_arms_cost_what_the_reference_reinforcement_costs():
    policy = Policy(PolicyConfig(vocabulary=tokens.VOCABULARY, numbers=200))
    for arm in arms(SETTINGS["laptop"], policy):
        ours = (
            arm.config.steps * training_flop(policy, arm.config.rows, SEQUENCE)
            if isinstance(arm.config, SFT) and "long" not in arm.name
            else None
        )
        if ours is not None:
            assert ours == pytest.approx(SETTINGS["laptop"].steps * step_flop(policy, RL()), rel=0.01), arm.name


def test_an_arm_that_answers_more_often_takes_fewer_steps():
    policy = Policy(TINY)
    by = {arm.name: arm.config for arm in arms(SETTINGS["laptop"], policy)}
    one, three, five = (by[name] for name in ("grpo", "grpo, 3 rounds", "grpo, 5 rounds"))
    assert one.steps > three.steps > five.steps >= 1


def test_every_lever_names_the_main_arm_that_it_changes_and_changes_something():
    every = arms(SETTINGS["laptop"], Policy(TINY))
    by = {arm.name: arm for arm in every}
    assert tuple(name for name, arm in by.items() if not arm.of) == MAIN
    for arm in every:
        if arm.of:
            assert by[arm.of].of == ""
            assert (arm.config, arm.first) != (by[arm.of].config, by[arm.of].first), arm.name


def test_all_arms_of_a_seed_are_dealt_and_tried_alike(base: Path, tmp_path: Path):
    every = jobs(Asked(setting="smoke", seed=1, processes=1, bases=(str(base),)), tmp_path)
    seeds = {(job.arm.name, job.number): job.seed for job in every}
    assert seeds["sft", 0] == seeds["grpo", 0] != seeds["sft", 1]
    assert len({job.out for job in every}) == len(every)


@pytest.mark.slow
def test_the_page_of_a_study_has_every_chapter_and_every_estimate(played):
    asked, folder = played
    found = find(asked, folder)
    text = page(found, folder).read_text()
    for title in ("Reinforcement against supervised", "By compute and by rollouts", "Learned, or sharpened?"):
        assert text.count(title) >= 2, title
    assert "p = 0.28 against before" in text
    lines = [json.loads(line) for line in (folder / "estimates.jsonl").read_text().splitlines()]
    assert len(lines) == len(found.estimates) > 100
    assert {line["group"] for line in lines} == {BASE, "sft", "grpo"}
    assert (folder / "claims.jsonl").read_text().count("\n") == len(list(claims(found.by))) > 5


@pytest.mark.slow
def test_a_training_that_was_done_is_not_done_again(played):
    asked, folder = played
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/*")}
    assert study.run(asked, folder) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/*")} == before


@pytest.mark.slow
@pytest.mark.parametrize("changed", [{"seed": 2}, {"setting": "quick"}])
def test_a_folder_of_another_study_is_refused(played, changed):
    asked, folder = played
    with pytest.raises(UsageError, match=next(iter(changed))):
        study.run(replace(asked, **changed), folder)


@pytest.mark.slow
def test_another_base_of_the_same_name_is_refused(played, tmp_path: Path):
    asked, folder = played
    other = tmp_path / "tiny.safetensors"
    checkpoint.write_policy(other, Policy(TINY).begin(torch.Generator().manual_seed(1)), {})
    with pytest.raises(UsageError, match="tiny"):
        study.run(replace(asked, bases=(str(other),)), folder)


def test_fine_tuning_before_reinforcement_is_where_it_begins(base: Path, tmp_path: Path, monkeypatch):
    setting = Setting(bases=(str(base),), seeds=1, lever_seeds=1, steps=1, arms=("grpo",), each=1, about="")
    monkeypatch.setitem(SETTINGS, "smoke", setting)
    every = jobs(Asked(setting="smoke", seed=1, processes=1), tmp_path)
    job = next(job for job in every if job.arm.name == "grpo after sft")
    assert train_one(replace(job, each=1)) == ""
    first, _ = checkpoint.read_policy(job.out / "first" / "model.safetensors")
    begun, _ = checkpoint.read_policy(base)
    assert not torch.equal(first.head.weight, begun.head.weight)
    manifest = json.loads((job.out / "manifest.json").read_text())
    alone = json.loads((job.out / "first" / "manifest.json").read_text())
    assert manifest["hashes"]["base"] != alone["hashes"]["base"]


def test_a_base_that_solves_nothing_stops_its_own_answers_arm_with_the_reason(base: Path, tmp_path: Path, monkeypatch):
    setting = Setting(
        bases=(str(base),), seeds=1, lever_seeds=0, steps=1, arms=("sft on own answers",), each=1, about=""
    )
    monkeypatch.setitem(SETTINGS, "smoke", setting)
    (job,) = jobs(Asked(setting="smoke", seed=1, processes=1), tmp_path)
    assert "solved none" in train_one(job)
    assert "solved none" in json.loads((job.out / "done.json").read_text())["stopped"]


def test_differences_are_paired_by_base_and_seed():
    ours = [trained("a", 0, [1, 0, 1, 0]), trained("a", 1, [1, 1, 1, 1], base="c")]
    theirs = [trained("b", 0, [0, 0, 1, 0]), trained("b", 1, [0, 0, 0, 0]), trained("b", 1, [1, 1, 1, 0], base="c")]
    found = difference([*ours, *theirs], "a", "b", ONE)
    assert found.value == pytest.approx(0.25)
    assert difference([*ours, *theirs], "a", "b", ONE, base="c").value == pytest.approx(0.25)
    assert difference(ours, "a", "b", ONE).value is None


def test_a_course_begins_at_the_bases_of_its_trainings():
    ours = trained("a", 0, [1, 1])
    begun = [trained(BASE, 0, [0, 1], step=0), trained(BASE, 0, [0, 0], base="other", step=0)]
    first, last = course([ours, *begun], "a", ONE)
    assert (first.flop, first.solved.value) == (0.0, 0.5)
    assert (last.flop, last.episodes, last.solved.value) == (3e9, 3, 1.0)


def test_a_score_counts_multisets_alike():
    assert score([trained("a", 0, [1.0, 0.5, 0.0])], "a", ONE).value == pytest.approx(0.5)
    assert kept([trained("a", 0, [1.0])], "a").value is None


@pytest.mark.parametrize("text", ["{", '{"condition": "rule"}', "[]"])
def test_torn_scores_are_refused_by_name(text, tmp_path: Path):
    (tmp_path / "scores.jsonl").write_text(text)
    with pytest.raises(DataError, match=r"scores\.jsonl"):
        read_trained(tmp_path / "scores.jsonl", "a", "b", 0)


def estimate(group: str, name: str, low: float, high: float) -> Estimate:
    value = (low + high) / 2
    return Estimate(
        name=name, value=value, low=low, high=high, level=0.95, n=9, unit="multisets", method="", group=group
    )


@pytest.mark.parametrize(
    ("greedy", "verdict"), [((0.1, 0.2), "holds"), ((-0.1, 0.2), "holds in part"), ((-0.2, -0.1), "does not hold")]
)
def test_a_claim_holds_only_where_every_interval_is_on_its_side(greedy, verdict):
    names = [f"grpo minus sft: {Key('rule', temperature, 1)}" for temperature in (1.0, 0.0)]
    by = {
        ("grpo", names[0]): estimate("grpo", names[0], 0.1, 0.3),
        ("grpo", names[1]): estimate("grpo", names[1], *greedy),
    }
    (claim,) = claims(by)
    assert claim.verdict == verdict


def test_the_published_step_from_before_to_rl_is_within_chance():
    before, rl = (one for one in PUBLISHED if one.task == "GP-L" and one.of in ("before", "RL"))
    assert (before.successes, rl.successes) == (27, 35)
    low, high = before.interval() or (1, 0)
    assert low < rl.percent / 100 < high
