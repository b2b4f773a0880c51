"""The study of post-training: arms of the same compute, the same hands for all, and a page that says what follows."""

from __future__ import annotations

import json
from collections import deque
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike

from athanor.analysis.generalization import (
    BASE,
    Contrast,
    Key,
    Passes,
    Trained,
    course,
    difference,
    kept,
    passed_more,
    passed_within,
    read_trained,
    score,
)
from athanor.analysis.generalization import Score as Played
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.environments.points import tokens
from athanor.environments.points.steps import step_table
from athanor.models.policy.transformer import Policy, PolicyConfig
from athanor.reports.sft_vs_rl import page
from athanor.studies.claims import counted
from athanor.studies.sft_vs_rl import study
from athanor.studies.sft_vs_rl.arms import MAIN, SETTINGS, Setting, arms
from athanor.studies.sft_vs_rl.claims import claims
from athanor.studies.sft_vs_rl.findings import few_of, find
from athanor.studies.sft_vs_rl.known import knows_rule, seen_by
from athanor.studies.sft_vs_rl.published import PUBLISHED
from athanor.studies.sft_vs_rl.study import Asked, base_policy, base_scores, jobs, train_one, try_base
from athanor.training import checkpoint, rl, sft
from athanor.training.costs import planned
from athanor.training.evaluate import CONDITIONS, hands_of, pass_at
from athanor.training.optimizers import Rates
from athanor.training.post import load_trained
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


def trained(arm: str, number: int, solved: ArrayLike, *, base: str = "b", key: Key = ONE, step: int = 3) -> Trained:
    played = {key: {step: Played(np.array(solved), np.ones(np.shape(solved)))}}
    return Trained(arm=arm, base=base, number=number, scores=played, flop={step: 1e9 * step}, episodes={step: step})


def test_every_arm_is_planned_to_cost_what_the_reference_reinforcement_costs():
    policy = base_policy("base-points-1")
    for setting in ("quick", "laptop"):
        by = {arm.name: arm for arm in arms(SETTINGS[setting], policy)}
        flop = planned(policy, by["grpo"].config)
        for arm in by.values():
            if isinstance(arm.config, RL) and arm.config.budget:
                assert arm.config.budget == pytest.approx(flop, rel=1e-12), arm.name
            else:
                assert planned(policy, arm.config) == pytest.approx(flop, rel=0.02), arm.name


def trained_by(run: rl.Learner, config: RL | SFT):
    return rl.train(run, config, 1) if isinstance(config, RL) else sft.train(run, config, 1)


@pytest.mark.slow
def test_every_arm_really_costs_what_the_reference_reinforcement_costs(monkeypatch: pytest.MonkeyPatch):
    """Ledgers of whole trainings, of a policy so small that they are quick; of its answers every third is right."""
    monkeypatch.setattr(tokens, "grade", lambda answers, hands: np.minimum(answers.sum(1) % 3, 1))
    policy = Policy(TINY).begin(torch.Generator().manual_seed(0))
    spent = {}
    for arm in arms(SETTINGS["laptop"], policy):
        run = rl.learner(deepcopy(policy), arm.config.rates)
        (_,) = deque(trained_by(run, arm.config), maxlen=1)
        spent[arm.name] = run.ledger.flop
    assert spent == {name: pytest.approx(spent["grpo"], rel=0.02) for name in spent}


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


def test_files_of_train_base_points_are_called_after_their_folders_and_names_that_clash_are_refused(tmp_path: Path):
    paths = [tmp_path / name / "model.safetensors" for name in ("one", "two")]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        config = replace(TINY, width=16 + 16 * number)
        checkpoint.write_policy(path, Policy(config).begin(torch.Generator().manual_seed(number)), {})
    both = Asked(setting="smoke", seed=1, processes=1, bases=tuple(map(str, paths)))
    every = jobs(both, tmp_path)
    assert len({job.out for job in every}) == len({(job.arm.name, job.seed) for job in every}) == 8
    assert len({base_scores(tmp_path, base) for base in both.bases}) == 2
    steps = {job.base: job.arm.config.steps for job in every if job.arm.name == "sft"}
    for base, of in steps.items():  # matched on their own base each
        assert of == next(arm for arm in arms(both.sizes, base_policy(base)) if arm.name == "sft").config.steps
    other = tmp_path / "else" / "one.safetensors"
    for bases, said in (((str(paths[0]), str(other)), "both called 'one'"), ((str(paths[0]),) * 2, "twice")):
        with pytest.raises(UsageError, match=said):
            jobs(replace(both, bases=bases), tmp_path)


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
    kept, about = checkpoint.read_policy(folder / "runs" / "grpo-tiny-0" / "model.safetensors")
    assert (about["base"], about["arm"]) == ("tiny", "grpo")
    trained, _ = checkpoint.read_policy(Path(asked.sizes.bases[0]))
    load_trained(trained, folder / "runs" / "grpo-tiny-0")
    torch.testing.assert_close(kept.head.weight, trained.head.weight, atol=1e-3, rtol=1e-3)
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


def test_the_draws_of_a_base_are_not_taken_for_trainings():
    rng = np.random.default_rng(0)
    chances = rng.random(100)
    draws = [trained(BASE, k, rng.binomial(2, chances) / 2, step=0) for k in (0, 1)]
    draws[1].scores[ONE][0].solved[:] += 0.1
    found = score(draws, BASE, ONE)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low < 0.2
    ours = [trained("grpo", k, chances + 0.2) for k in (0, 1)]
    against = difference([*draws, *ours], "grpo", BASE, ONE)
    assert against.low is not None
    assert against.high is not None
    assert against.high - against.low < 0.3


def test_a_training_that_was_stopped_counts_as_it_was_last_tried():
    whole, stopped = trained("a", 0, [1, 1, 0]), replace(trained("a", 1, [0, 0, 0]), stopped="not finite")
    other = [trained("b", 0, [0, 0, 0]), trained("b", 1, [0, 0, 0])]
    for found in (score([whole, stopped], "a", ONE), difference([whole, stopped, *other], "a", "b", ONE)):
        assert found.value == pytest.approx(1 / 3)
    untried = replace(stopped, scores={})
    assert score([whole, untried], "a", ONE).value == pytest.approx(2 / 3)
    assert score([untried], "a", ONE).value is None
    assert kept([untried], "a").value is None


def test_a_curve_stays_where_a_training_was_stopped():
    whole, stopped = trained("a", 0, [1, 1], step=1), trained("a", 1, [0, 1], step=1)
    whole.scores[ONE][2] = whole.scores[ONE][1]
    whole = replace(whole, flop={1: 1.0, 2: 2.0}, episodes={1: 1, 2: 2})
    stopped = replace(stopped, stopped="too far", flop={1: 1.0}, episodes={1: 1})
    _, first, last = course([whole, stopped], "a", ONE)
    assert (first.flop, first.solved.value) == (1.0, 0.75)
    assert (last.flop, last.solved.value) == (1.5, 0.75)


def test_pass_at_k_is_unbiased_and_of_the_same_hands():
    drawn = Passes(4, np.array([0, 1, 4]), (7, 8, 9))
    assert drawn.within(1).tolist() == [0, 0.25, 1]
    assert drawn.within(2).tolist() == pytest.approx([0, 0.5, 1])
    assert drawn.ks == (1, 2, 4)
    ours = [replace(trained("a", k, [1.0]), passes={"rule": drawn}) for k in (0, 1)]
    base = [
        replace(trained(BASE, k, [1.0]), passes={"rule": Passes(4, np.array([1, k, 3]), (7, 8, 9))}) for k in (0, 1)
    ]
    found = passed_more([*ours, *base], "a", BASE, "rule", 1)
    assert found.value == pytest.approx(5 / 12 - 4.5 / 12)
    assert passed_within(base, BASE, "rule", 4).low is not None
    with pytest.raises(DataError, match="same hands"):
        passed_within([*ours, replace(base[0], passes={"rule": drawn._replace(hands=(1, 2, 3))})], "a", "rule", 1)


def test_every_policy_is_asked_for_many_answers_to_the_same_hands():
    policy = Policy(TINY).begin(torch.Generator().manual_seed(0))
    one, other = (pass_at(policy, CONDITIONS["rule"], seed) for seed in (1, 2))
    assert one["hands"] == other["hands"]
    assert len(one["right"]) == len(set(one["hands"])) == 128
    multisets = step_table().hands(hands_of(CONDITIONS["rule"]).values)[one["hands"]]
    assert len(set(multisets.tolist())) == 128  # so that hands are independent


def test_a_course_begins_at_the_bases_of_its_trainings():
    ours = trained("a", 0, [1, 1])
    begun = [trained(BASE, 0, [0, 1], step=0), trained(BASE, 0, [0, 0], base="other", step=0)]
    first, last = course([ours, *begun], "a", ONE)
    assert (first.flop, first.solved.value) == (0.0, 0.5)
    assert (last.flop, last.episodes, last.solved.value) == (3e9, 3, 1.0)


def test_a_course_ends_with_the_very_score_of_the_arm():
    """Arms of other lengths, whose scores on the way are at other places, tell the spread of trainings there too."""
    rng = np.random.default_rng(0)
    every = [trained("a", k, rng.random(40)) for k in range(2)] + [trained("b", k, rng.random(40)) for k in range(4)]
    for one in every[2:]:
        one.scores[ONE][1] = Played(rng.random(40), np.ones(40))
    places = course([*every, trained(BASE, 0, rng.random(40), step=0)], "a", ONE)
    whole = score(every, "a", ONE)
    assert (places[-1].solved.low, places[-1].solved.high) == (whole.low, whole.high)


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


def many(arm: str, more: float, seed: int) -> list[Trained]:
    """Four trainings of an arm that solves so much more, with noise of its own; greedily as at temperature 1."""
    found = []
    for k in range(4):
        solved = 0.3 + more + 0.1 * np.random.default_rng([seed, k]).normal(size=60)
        one = trained(arm, k, solved)
        greedy = Key(ONE.condition, 0.0, 1)
        found.append(replace(one, scores=one.scores | {greedy: one.scores[ONE]}))
    return found


@pytest.mark.parametrize(("more", "together"), [(0.2, "holds"), (0.0325, "cannot be told")])
def test_a_claim_is_judged_by_intervals_that_hold_all_together_too(more, together):
    every = [*many("grpo", more, 1), *many("sft", 0.0, 2), *many(BASE, 0.0, 3)]
    contrasts = [
        Contrast(arm, other, Key("rule", temperature, 1))
        for arm, other in (("grpo", "sft"), ("grpo", BASE), ("sft", BASE)) for temperature in (1.0, 0.0)
    ]  # fmt: skip
    by = {(c.arm, c.name): c.estimated(every) for c in contrasts}
    assert [name for _, name in by] == [one.name for one in by.values()]
    first, *_ = claims(by, every)
    assert first.verdict == "holds"
    assert first.together == together
    assert claims(by)[0].together is None
    assert counted(claims(by, every)).startswith("Of 3 claims ")


def test_arms_and_seeds_can_be_chosen_and_what_a_lever_changes_comes_with_it(base: Path, tmp_path: Path):
    asked = Asked(setting="laptop", seed=1, processes=1, bases=(str(base),), seeds=3, lever_seeds=5,
                  only=("grpo, KL", "sft"))  # fmt: skip
    every = jobs(asked, tmp_path)
    assert {(job.arm.name, job.number) for job in every} == {
        (name, k) for name in ("sft", "grpo", "grpo, KL") for k in range(3)
    }  # no more of a lever than of what it changes
    with pytest.raises(UsageError, match="--arms has 'nope', names of 'sft' 'sft, fresh hands'"):
        study.run(replace(asked, only=("sft", "nope")), tmp_path / "out")
    with pytest.raises(UsageError, match="levers take --lever-seeds"):
        jobs(replace(asked, setting="smoke", lever_seeds=None), tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_setting_of_a_few_steps_says_that_it_shows_nothing():
    assert "no verdict below is a result" in few_of(SETTINGS["smoke"])
    assert few_of(SETTINGS["quick"]) == few_of(SETTINGS["laptop"]) == ""


def test_the_arm_of_ppo_passes_over_each_batch_often_enough_to_clip():
    by = {arm.name: arm.config for arm in arms(SETTINGS["laptop"], Policy(TINY))}
    ppo = by["ppo"]
    assert isinstance(ppo, RL)
    run = rl.learner(Policy(TINY).begin(torch.Generator().manual_seed(0)), Rates(adamw=2e-2))
    lines = list(rl.train(run, replace(ppo, steps=2, prompts=8, reward="classes", budget=0.0), 0))
    assert max(line["clipped"] for line in lines) > 0


def test_the_published_step_from_before_to_rl_is_within_chance():
    before, rl = (one for one in PUBLISHED if one.task == "GP-L" and one.of in ("before", "RL"))
    assert (before.successes, rl.successes) == (27, 35)
    low, high = before.interval() or (1, 0)
    assert low < rl.percent / 100 < high


def test_the_shift_is_told_apart_into_letters_and_numbers():
    """range has the very numbers of rule without letters to read, mapping other letters without larger numbers."""
    told, shifted, other = (hands_of(CONDITIONS[name], 2) for name in ("range", "rule", "mapping"))
    assert (told.values == shifted.values).all()
    assert (told.faces == 10).all()
    asked = tokens.prompts(told)[:, 4:8]
    letters = tokens.prompts(shifted)[:, 4:8] >= tokens.RANK + 10
    assert (asked[letters] == shifted.values[letters]).all()
    assert (asked[~letters] == tokens.prompts(shifted)[:, 4:8][~letters]).all()
    assert (told.values.max(1) > 10).all()
    assert (other.values <= 10).all()
    assert (tokens.prompts(other)[:, 4:8] >= tokens.RANK + 10).any(1).all()


def test_what_the_bases_had_seen_of_the_rules_is_told_by_their_files(base: Path, tmp_path: Path):
    told = seen_by(("base-points-1", "base-points-2"))
    assert knows_rule(("base-points-1",))
    assert "20% had J = Q = K = 10, 20% J, Q, K = 11, 12, 13" in told
    assert "1 of 2,197" in told
    assert not knows_rule((str(base),))
    assert "not told" in seen_by((str(base),))
    other = tmp_path / "other.safetensors"
    policy = Policy(TINY).begin(torch.Generator().manual_seed(0))
    checkpoint.write_policy(other, policy, {"recipe": {"mixture": {"published_rules": 0.0, "wide": 0.0}}})
    assert not knows_rule((str(other),))


def test_claims_of_a_rule_that_the_base_had_learned_are_about_what_is_kept():
    name = [f"grpo minus sft: {Key('rule', temperature, 1)}" for temperature in (1.0, 0.0)]
    by = {("grpo", one): estimate("grpo", one, 0.1, 0.3) for one in name}
    (new,), (known,) = claims(by), claims(by, known=True)
    assert "generalizes to J, Q, K = 11" in new.statement
    assert "keeps J, Q, K = 11, 12, 13, which the base had learned," in known.statement
