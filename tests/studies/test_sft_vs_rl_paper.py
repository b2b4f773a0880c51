"""The study at the published size: its commands, how they are carried out, and what is read of their runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tyro

from athanor.adapters.trl.settings import PRESETS, resolved
from athanor.agents.asking import ModelOptions
from athanor.analysis.generalization import BASE, Key, Score, Trained, difference
from athanor.analysis.points import read_run
from athanor.analysis.spending import spent
from athanor.cli import main
from athanor.commands import play_points, train_points
from athanor.commands.study_sft_vs_rl import Config, plan_of
from athanor.core.errors import DataError, UsageError
from athanor.environments.points.drawing import LOOKS
from athanor.models.backends import BackendConfig
from athanor.reports.sft_vs_rl import page
from athanor.studies.carrying_out import Step, StepFailed, carry_out, finished, marker
from athanor.studies.folder import begin
from athanor.studies.playing import points as playing
from athanor.studies.sft_vs_rl.arms import SETTINGS, arms
from athanor.studies.sft_vs_rl.plan import (
    COOLER,
    HOW,
    TRIALS,
    WORDS,
    Plan,
    policies,
    policy_name,
    run_of,
    steps,
    trial_of,
    ways_of,
)
from athanor.studies.sft_vs_rl.played import find_played, score_of
from athanor.studies.sft_vs_rl.study import KIND, base_policy
from athanor.training.evaluate import SHARPER
from tests import tiny_model

PLAN = Plan(model="tiny", method="grpo", seed=1, seeds=2, episodes=12, verifier="exact", tokens=8, arms=("sft", "grpo"))
STRONG = ("gold", "random")
"""Agents that stand for policies: a strong one and a weak one."""


def understood(words: tuple[str, ...]) -> Any:
    """What the command line of a step asks for, by the parser of its command."""
    assert words[0] == "athanor"
    module = {("train", "points"): train_points, ("play", "points"): play_points}[words[1], words[2]]
    return tyro.cli(module.Config, args=words[3:], config=(tyro.conf.FlagCreatePairsOff,))


def asked_for(*options: str) -> Config:
    words = ["--setting", "paper", "--model", "m", "--out", "study", *options]
    return tyro.cli(Config, args=words, config=(tyro.conf.FlagCreatePairsOff,))


def planned(*options: str) -> list[Step]:
    return list(steps(plan_of(asked_for(*options)), Path("study")))


def test_every_command_of_the_plan_is_understood_by_the_command_that_it_calls():
    options = "--load.mixed --load.download --lora.rank 32 --lora.targets q_proj,v_proj --sft-optim.loss dft " \
              "--sft-optim.betas 0.9 0.98 --rl-optim.batch 256 --rl.kl 0.01 --rl.learn-cut --rl.max-tokens 300 " \
              "--vllm.mode colocate --torch.dtype bfloat16 --torch.batch 64 --method dapo " \
              "--verifier chu2025"  # fmt: skip
    every = planned(*shlex.split(options), "--seeds", "2", "--rl-steps", "80", "--arms", "sft", "dapo")
    told = 2 * 5 * 2 + (1 + 2) * 5 * 5  # trials of sft and dapo; of the model and init, which play at lower ones too
    assert len({step.name for step in every}) == len({step.out for step in every}) == len(every) == told + 20 + 6
    asked = {step.name: understood(step.command) for step in every if "1" in step.name and "dapo-1-" not in step.name}
    init, rl, sft = (asked[name] for name in ("init-1", "dapo-1", "sft-1"))
    assert (init.method, rl.method, sft.method) == ("sft", "dapo", "sft")
    assert rl.model == sft.model == str(init.out / "final")
    assert (sft.match, sft.steps, rl.steps) == (str(rl.out), None, 80)
    assert sft.optim == init.optim != rl.optim
    assert (sft.optim.loss, sft.optim.betas, rl.optim.batch, rl.rl.kl, rl.rl.learn_cut) == (
        "dft", (0.9, 0.98), 256, 0.01, True
    )  # fmt: skip
    assert {one.preset for one in (init, rl, sft)} == {"chu2025"}
    assert all(one.load.mixed and one.lora.rank == 32 and one.resume for one in (init, rl, sft))
    assert (rl.seed, rl.seed == init.seed) == (sft.seed, False)
    tried = asked["sft-1-rule-sampled"]
    assert (tried.language.model, tried.hands.shift, tried.split) == (str(sft.out / "final"), "rule", "test")
    assert (tried.language.max_tokens, rl.rl.max_tokens) == (300, 300)
    assert (tried.rounds, asked["sft-1-rule-greedy"].rounds, asked["sft-1-seen-sampled"].rounds) == (5, 1, 1)
    assert (tried.backend.torch.dtype, tried.backend.torch.batch, tried.backend.torch.download) == (
        "bfloat16", 64, True
    )  # fmt: skip


def test_every_arm_of_the_laptop_has_its_counterpart():
    theirs = {arm.name for arm in arms(SETTINGS["laptop"], base_policy("base-points-1"))}
    ours = plan_of(asked_for()).planned
    assert theirs == {name for arm in ours for name in arm.like} - {"grpo, 10 rounds"}  # which the publication has
    assert [arm.name for arm in ours if not arm.like] == ["init", "sft, varied prompts", "sft, thoughts"]


@pytest.mark.parametrize("method", ["grpo", "dr-grpo", "dapo", "rloo", "ppo"])
def test_every_training_is_understood_whatever_reinforces(method: str):
    config = asked_for("--method", method, *(("--rl.rounds", "1") if method == "rloo" else ()))
    plan = replace(plan_of(config), seeds=1, lever_seeds=1)
    every = {step.name: step for step in steps(plan, Path("study"))}
    for arm in plan.planned:
        asked = resolved(understood(every[policy_name(arm.name, 0)].command))
        assert (asked.method, asked.preset, asked.split) == (arm.method, "chu2025", "train")


def test_each_arm_is_carried_through_to_the_option_that_makes_it():
    every = {step.name: step for step in planned("--seeds", "1")}

    def of(name: str) -> Any:
        return resolved(understood(every[policy_name(name, 0)].command))

    assert {of(name).method for name in ("grpo", "grpo, KL", "grpo, 10 rounds", "grpo after sft")} == {"grpo"}
    assert (of("ppo").method, of("w-reinforce").method) == ("ppo", "w-reinforce")
    assert (of("ppo").critic.gamma, of("dft").optim.loss, of("sft, KL").optim.kl) == (0.9, "dft", 1.0)
    assert (of("sft").data.solutions, of("sft").data.hands, of("sft").optim.learning_rate) == ("random", None, 1e-6)
    assert (of("sft, few hands").data.hands, of("sft, few hands").data.solutions) == (1_000, "canonical")
    assert of("sft, low rate").optim.learning_rate == pytest.approx(2e-7)
    assert (of("sft, many rules").data.rules, of("sft, all solutions").data.solutions) == (("many",), "all")
    assert of("sft, two turns").data.turns == 2
    assert [of(f"grpo, {k}").rl.rounds for k in ("1 round", "3 rounds", "10 rounds")] == [1, 3, 10]
    assert of("grpo").rl.rounds == 5
    assert of("grpo, KL").rl.kl == 0.1
    assert [of(name).model for name in ("grpo, no init", "grpo", "grpo after sft")] == [
        "m", str(run_of(Path("study"), "init", 0) / "final"), str(run_of(Path("study"), "sft", 0) / "final")
    ]  # fmt: skip
    own, more = of("sft on own answers"), of("sft on as many own answers")
    assert own.data.answers == more.data.answers == every["own-0"].out
    assert (own.data.hands, more.data.hands) == (8_000, 40_960)
    assert understood(every["own-0"].command).episodes == 8_000
    assert every["own-0-all"].out == every["own-0"].out  # the same run, gone on with
    played = understood(every["own-0-all"].command)
    assert (played.episodes, played.split, played.rounds, played.language.temperature) == (40_960, "train", 1, 1.0)
    assert played.language.model == own.model == str(run_of(Path("study"), "init", 0) / "final")
    rl = str(run_of(Path("study"), "grpo", 0))
    unmatched = {"init", "grpo", "w-reinforce", "grpo, no init", "grpo after sft"}
    assert {name: of(name).match for name in (arm.name for arm in plan_of(asked_for()).planned)} == {
        arm.name: "" if arm.name in unmatched else rl for arm in plan_of(asked_for()).planned
    }  # fmt: skip


SEEN = ("--look", "plain")


def test_a_study_of_pictures_trains_on_one_look_and_tries_the_others_and_red_suits():
    plan = plan_of(asked_for(*SEEN))
    others = [f"look {name}" for name in LOOKS if name != "plain"]
    assert plan.conditions == ("seen", "unseen", "mapping", "rule", "red suits", *others)
    every = {step.name: step for step in steps(replace(plan, seeds=1, lever_seeds=1), Path("study"))}
    for arm in plan.planned:
        asked = resolved(understood(every[policy_name(arm.name, 0)].command))
        assert (asked.data.look, asked.data.suits, asked.rl.rounds) == ("plain", "SC", 1 if arm.method != "sft" else 5)
    ours = {name for arm in plan.planned for name in arm.like}
    theirs = {arm.name for arm in arms(SETTINGS["laptop"], base_policy("base-points-1"))}
    assert theirs - ours == {"grpo, 3 rounds", "grpo, 5 rounds"}  # of pictures episodes have one answer
    tried = {name: understood(every[f"sft-0-{name}-sampled"].command) for name in ("rule", "red-suits", "look-grid")}
    assert {name: (one.hands.look, one.hands.suits, one.hands.shift, one.split) for name, one in tried.items()} == {
        "rule": ("plain", "SC", "rule", "test"), "red-suits": ("plain", "HD", "none", "test"),
        "look-grid": ("grid", "SC", "none", "test"),
    }  # fmt: skip
    for one in tried.values():
        assert playing.hands_of(one.hands).look == LOOKS[one.hands.look]
    own = understood(every["own-0"].command)
    assert (own.hands.look, own.hands.suits, own.split) == ("plain", "SC", "train")


def test_visual_conditions_and_printed_numbers_are_each_of_their_own_kind_of_study():
    few = plan_of(asked_for("--look", "grid", "--conditions", "rule", "looks")).conditions
    assert few == ("rule", *(f"look {name}" for name in LOOKS if name != "grid"))
    with pytest.raises(UsageError, match="--conditions range cannot be tried with --look plain"):
        plan_of(asked_for(*SEEN, "--conditions", "range"))
    with pytest.raises(UsageError, match="--conditions looks cannot be tried with hands in words"):
        plan_of(asked_for("--conditions", "looks"))
    with pytest.raises(UsageError, match="look 'odd' is not one of"):
        plan_of(asked_for("--look", "odd"))


def test_every_step_comes_after_those_that_it_needs():
    done: set[str] = set()
    for step in planned("--seeds", "2"):
        words = step.command
        needed = [words[words.index(name) + 1] for name in ("--model", "--match", "--data.answers") if name in words]
        assert {one.removesuffix("/final") for one in needed if one != "m"} <= done, step.name
        done.add(step.out)


def test_lower_temperatures_are_those_of_the_laptops_control():
    assert [COOLER[name] for name in COOLER] == [play.temperature for play in SHARPER]
    names = {step.name for step in planned("--seeds", "1")}
    for policy in ("base", "init-0"):
        assert {f"{policy}-rule-{how}" for how in (*HOW, *COOLER)} <= names
    assert not any(name.startswith(("sft-0-", "grpo-0-")) and "-at-" in name for name in names)


def test_arms_are_trained_with_what_they_need_and_a_name_that_is_none_is_refused():
    assert [arm.name for arm in plan_of(asked_for("--arms", "dft")).planned] == ["init", "grpo", "dft"]
    after = plan_of(asked_for("--arms", "grpo after sft")).planned
    assert [arm.name for arm in after] == ["init", "grpo", "sft", "grpo after sft"]
    with pytest.raises(UsageError, match="--arms has 'dtf', which is not one of 'init' 'grpo' 'sft'"):
        _ = plan_of(asked_for("--arms", "dtf")).planned
    few = planned("--arms", "sft on own answers", "--seeds", "1")
    assert understood(next(step.command for step in few if step.name == "own-0")).episodes == 8_000


def test_a_launcher_goes_before_trainings_alone_and_the_dry_run_prints_what_would_be_run(capsys, tmp_path: Path):
    out = tmp_path / "a study"
    launch = "accelerate launch --config_file examples/posttrain/fsdp2.yaml -m"
    with pytest.raises(SystemExit) as ended:
        main(["study", "sft-vs-rl", "--setting", "paper", "--model", "m", "--out", str(out), "--launch", launch,
              "--dry-run"])  # fmt: skip
    assert ended.value.code == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    trained = 4 * 7 + 2 * 15
    assert len(lines) == trained + 10 * (trained - 4) + 25 * (4 + 1) + 4 + 2
    assert not out.exists()
    launched = [line for line in lines if line[0] != "athanor"]
    assert len(launched) == trained
    assert all(line[:8] == [*shlex.split(launch), "athanor", "train", "points"] for line in launched)
    assert all(line[-3:-1] == ["--out", line[-2]] and line[-2].startswith(str(out)) for line in lines)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--setting laptop --model m", "--model has no effect with --setting laptop"),
        ("--setting laptop --rl.kl 1", r"--rl.kl has no effect"),
        ("--setting smoke --rl-optim.batch 8", "--rl-optim.batch has no effect"),
        ("--setting smoke --sft-optim.every 100", "--sft-optim.every has no effect"),
        ("--setting paper --model m --rl-optim.kl 0.1", "--rl-optim.kl"),
        ("--setting paper --model m --rl-optim.learning-rate -1", "--rl-optim.learning-rate -1.0 was given"),
        ("--setting paper --model m --sft-optim.warmup 2", "--sft-optim.warmup 2.0 was given"),
        ("--setting paper --model m --arms nope", "--arms has 'nope', which is not one of 'init' 'grpo' 'sft'"),
        ("--setting laptop --dry-run", "--dry-run has no effect"),
        ("--setting paper", "pass --model"),
        ("--setting paper --model m --processes 2", "--processes has no effect with --setting paper"),
        ("--setting paper --model m --quick", "--quick and --setting paper"),
        ("--setting paper --model m --seeds 0", "--seeds 0"),
        ("--setting paper --model m --launch torchrun", "a launcher that ends in -m"),
        ('--setting paper --model m --launch "\'a -m"', "cannot be read"),
        ("--setting paper --model m --method rloo", "pass --rl.rounds 1"),
        ("--setting paper --model m --rl.clip -1", "--rl.clip -1"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_run(options: str, said: str, tmp_path: Path, capsys):
    words = [*shlex.split(options), *(["--dry-run"] if "paper" in options else [])]
    with pytest.raises(SystemExit) as ended:
        main(["study", "sft-vs-rl", "--out", str(tmp_path / "x"), *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.replace("\\", "")
    assert not (tmp_path / "x").exists()


# How steps are carried out


def program(folder: Path, name: str, body: str) -> Step:
    command = (sys.executable, "-c", body)
    return Step(name=name, kind="train", out=str(folder / name), command=command)


def count(path: Path) -> str:
    """A program that adds a line to a file."""
    return f"open({str(path)!r}, 'a').write('x\\n')"


def test_finished_steps_are_kept_and_a_failing_one_stops_the_study_with_what_it_said(tmp_path: Path):
    first, third = tmp_path / "first", tmp_path / "third"
    bad = "print('loading'); import sys; print('no space left', file=sys.stderr); sys.exit(7)"
    every = [program(tmp_path, "a", count(first)), program(tmp_path, "b", bad), program(tmp_path, "c", count(third))]
    with pytest.raises(StepFailed) as failed:
        carry_out(every, tmp_path, "study")
    for said in ("step b exited with 7", shlex.join(every[1].command), "no space left", "loading", "--resume"):
        assert said in str(failed.value)
    assert not third.exists()
    every[1] = program(tmp_path, "b", "print('mended')")
    carry_out(every, tmp_path, "study")
    assert (first.read_text(), third.read_text()) == ("x\n", "x\n")
    log = (tmp_path / "logs" / "b.txt").read_text()
    assert log.index("no space left") < log.index("mended")
    assert all(finished(tmp_path, step) for step in every)


def test_a_step_that_is_killed_is_not_taken_for_finished(tmp_path: Path):
    killed = program(tmp_path, "a", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(StepFailed, match="was ended by signal 9"):
        carry_out([killed], tmp_path, "study")
    assert not finished(tmp_path, killed)


def test_a_launcher_that_is_not_there_is_named(tmp_path: Path):
    step = Step(name="a", kind="train", out="o", command=("no-such-launcher", "-m", "athanor"))
    with pytest.raises(UsageError, match="no-such-launcher was not found"):
        carry_out([step], tmp_path, "study")


DRIVER = """
import sys
from pathlib import Path
from athanor.studies.carrying_out import carry_out
from athanor.studies.sft_vs_rl.plan import Step
folder = Path(sys.argv[1])
body = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
carry_out([Step(name="a", kind="train", out="o", command=(sys.executable, "-c", body))], folder, "study")
"""


def begun(tmp_path: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A study in a process of its own, and the process of its step, which sleeps."""
    study = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], stderr=subprocess.DEVNULL)
    log = tmp_path / "logs" / "a.txt"
    patience = time.monotonic() + 60
    while not (log.exists() and log.read_text().count("\n") == 2):
        assert time.monotonic() < patience
        time.sleep(0.05)
    return study, int(log.read_text().split("\n")[1])


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_study_that_is_told_to_end_ends_its_step_and_one_that_is_killed_leaves_its_folder_locked(tmp_path: Path):
    (tmp_path / "ended").mkdir()
    study, step = begun(tmp_path / "ended")
    study.send_signal(signal.SIGTERM)
    study.wait(30)
    assert gone(step)
    (tmp_path / "killed").mkdir()
    study, step = begun(tmp_path / "killed")
    study.kill()
    study.wait(30)
    assert not gone(step)
    with pytest.raises(UsageError, match="is running in"):
        carry_out([], tmp_path / "killed", "study")
    subprocess.run(["kill", "-9", str(step)], check=True)
    patience = time.monotonic() + 30
    while not gone(step):
        assert time.monotonic() < patience
        time.sleep(0.02)
    carry_out([], tmp_path / "killed", "study")


# What is read of finished steps


def play(out: Path, agent: Any, condition: str, rounds: int, *, seed: int = 1, episodes: int = 12) -> None:
    trial = TRIALS[condition]
    split: Any = trial.split
    playing.play(playing.Config(
        agent=agent, split=split, verifier="exact", rounds=rounds, episodes=episodes, seed=seed, out=out,
        hands=playing.HandOptions(shift=trial.shift),
    ))  # fmt: skip


def trained(folder: Path, arm: str, number: int, tokens: int) -> None:
    """What a training leaves that the study reads."""
    import torch
    from safetensors.torch import save_file

    run = run_of(folder, arm, number)
    (run / "final").mkdir(parents=True)
    config = {"method": "grpo" if arm == "grpo" else "sft", "steps": 8, "lora": {"rank": 0}, "optim": {"batch": 4},
              "rl": {"ahead": 2, "epochs": 4, "kl": 0.0}}  # fmt: skip
    manifest = {"config": config, "execution": {"vllm": {"mode": "off"}}}
    (run / "manifest.json").write_text(json.dumps(manifest))
    (run / "log.jsonl").write_text(json.dumps({"step": 1, "num_tokens": tokens}) + "\n")
    save_file({"w": torch.zeros(10, 10)}, run / "final" / "model.safetensors")


def done(folder: Path, plan: Plan) -> None:
    """Mark every step whose folder is there as finished."""
    (folder / "done").mkdir(exist_ok=True)
    for step in steps(plan, folder):
        if Path(step.out).exists():
            marker(folder, step).write_text("{}")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one seed of two in which agents stand for the policies: reinforced ones solve every hand."""
    folder = tmp_path_factory.mktemp("paper") / "out"
    begin(folder, KIND, {"setting": "paper"}, execution={})
    for arm, number in policies(replace(PLAN, seeds=1)):
        if number is not None:
            trained(folder, arm, number, {"init": 500, "grpo": 1000, "sft": 4_500}[arm])
        for condition in WORDS:
            for how in ways_of(arm, condition):
                rounds = TRIALS[condition].rounds if how == "sampled" else 1
                play(trial_of(folder, arm, number, condition, how), STRONG[arm != "grpo"], condition, rounds)
    done(folder, PLAN)
    return folder


@pytest.mark.slow
def test_the_page_serves_the_published_size_and_says_what_is_not_finished(study: Path):
    found = find_played(PLAN, study)
    text = page(found, study).read_text()
    rl_minus_sft = found.by["grpo", f"grpo minus sft: {Key('rule', 1.0, 1)}"]
    assert rl_minus_sft.value is not None
    assert rl_minus_sft.value > 0.8
    assert "another run would differ" in rl_minus_sft.method
    assert (found.by["grpo", f"grpo minus init: {Key('rule', 1.0, 5)}"].value or 0) > 0.5
    assert "One base, 3 trainings; 48 are not finished: init-1, init-1-seen-sampled" in text
    assert "there is one training" in text
    for said in (
        "What each training cost",
        "minus what they begin from (init)",
        "p = 0.28 against before",
        "ours, within 5",
    ):
        assert said in text, said
    assert "One of k samples" not in text
    claims = [json.loads(line) for line in (study / "claims.jsonl").read_text().splitlines()]
    verdicts = {one["statement"]: one["verdict"] for one in claims}
    better = "Reinforcement generalizes to J, Q, K = 11, 12, 13 better than supervised fine-tuning of the same compute"
    assert verdicts[better] == "holds"
    assert "Supervised fine-tuning forgets hands that the base had learned" not in verdicts
    lines = [json.loads(line) for line in (study / "estimates.jsonl").read_text().splitlines()]
    assert {line["group"] for line in lines} == {BASE, "init", "sft", "grpo"}
    assert not any(line["name"].startswith("solved: old") for line in lines)


def test_scores_are_shares_of_each_multisets_hands_within_the_rounds_asked_for(study: Path):
    run = read_run(trial_of(study, "sft", 0, "rule", "sampled"))
    one, five = score_of(run, 1), score_of(run, 5)
    rows = list(zip(run.episodes["numbers"].to_pylist(), run.episodes["solved"].to_pylist(), strict=True))
    for place, numbers in enumerate(sorted({numbers for numbers, _ in rows})):
        mine = [solved for each, solved in rows if each == numbers]
        assert one.solved[place] == np.mean([solved == 1 for solved in mine])
        assert five.solved[place] == np.mean([solved is not None for solved in mine])
    assert (one.recognised == 1).all()  # the agent tells the numbers right


@pytest.fixture
def copied(study: Path, tmp_path: Path) -> Path:
    shutil.copytree(study, tmp_path / "out")
    return tmp_path / "out"


def test_policies_that_played_other_hands_are_refused_by_name(copied: Path):
    done(copied, PLAN)
    wrong = trial_of(copied, "sft", 0, "rule", "greedy")
    shutil.rmtree(wrong)
    play(wrong, "random", "rule", 1, seed=2)
    with pytest.raises(DataError, match=r"sft-0/rule-greedy and .*base/rule-sampled did not play the same hands"):
        find_played(PLAN, copied)
    shutil.rmtree(wrong)
    play(wrong, "random", "rule", 1, episodes=5)
    with pytest.raises(DataError, match=r"has 5 hands .* 12 whole ones were expected"):
        find_played(PLAN, copied)


@pytest.mark.slow
def test_trials_of_an_unfinished_step_are_not_read(copied: Path):
    names = {step.out: step for step in steps(PLAN, copied)}
    marker(copied, names[str(trial_of(copied, "grpo", 0, "rule", "sampled"))]).unlink()
    found = find_played(PLAN, copied)
    assert found.by["grpo", f"grpo minus sft: {Key('rule', 1.0, 1)}"].value is None
    assert found.by["grpo", f"grpo minus sft: {Key('rule', 0.0, 1)}"].value is not None
    assert "grpo-0-rule-sampled" in found.missing
    page(found, copied)
    marker(copied, names[str(run_of(copied, "grpo", 0))]).unlink()
    assert "grpo" not in {arm.name for arm in find_played(PLAN, copied).arms}


def test_a_study_in_which_nothing_is_trained_says_so(tmp_path: Path):
    with pytest.raises(DataError, match="holds no finished training"):
        find_played(PLAN, tmp_path)


def test_a_base_that_was_tried_once_stands_beside_every_training():
    def one(arm: str, number: int | None, solved: list[float]) -> Trained:
        played = Score(np.array(solved), np.ones(2))
        return Trained(arm=arm, base="b", number=number, scores={Key("rule", 1.0, 1): {0: played}})

    every = [one(BASE, None, [0.5, 0.5]), one("sft", 0, [1, 1]), one("sft", 1, [0.5, 0.5])]
    assert difference(every, "sft", BASE, Key("rule", 1.0, 1)).value == pytest.approx(0.25)


PICTURED = replace(PLAN, seeds=1, look="plain", conditions=("unseen", "rule", "red suits"))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of pictures in which reinforced policies read and solve every hand, and scripts stand for the others: a
    model that says the same cards whatever it is shown."""
    folder = tmp_path_factory.mktemp("seen") / "out"
    begin(folder, KIND, {"setting": "paper"}, execution={})
    script = folder / "blind.json"
    script.write_text(json.dumps({"replies": ['{"cards": ["A", "2", "3", "4"], "formula": "(1+2+3)*4=24"}']}))
    for arm, number in policies(PICTURED):
        if number is not None:
            trained(folder, arm, number, {"init": 500, "grpo": 1000, "sft": 4_500}[arm])
        for condition in PICTURED.conditions:
            for how in ways_of(arm, condition):
                asked = understood(tuple(next(
                    step.command for step in steps(PICTURED, folder)
                    if step.out == str(trial_of(folder, arm, number, condition, how))
                )))  # fmt: skip
                gold = {"agent": "gold", "language": ModelOptions(), "backend": BackendConfig()}
                blind = {"language": ModelOptions(model=str(script)), "backend": BackendConfig(backend="scripted")}
                playing.play(replace(asked, resume=False, **(gold if arm == "grpo" else blind)))
    done(folder, PICTURED)
    return folder


@pytest.mark.slow
def test_the_page_of_pictures_tells_recognition_from_reasoning(seen: Path):
    found = find_played(PICTURED, seen)
    red = Key("red suits", 1.0, 1)
    read, solved = found.by["grpo", f"recognised: {red}"], found.by["grpo", f"solved: {red}"]
    assert (read.value, solved.value) == (1.0, 1.0)
    assert (found.by["sft", f"recognised: {red}"].value or 0) < 0.1
    assert found.by["sft", f"misreasoned: {red}"].value == 0
    assert (found.by["grpo", f"grpo minus sft: recognised: {red}"].value or 0) > 0.9
    text = page(found, seen).read_text()
    for said in ("Recognition and reasoning", "cards read right", "GP-VL, red suits, within 5 answers", "41.2%"):
        assert said in text, said
    claims = [json.loads(line) for line in (seen / "claims.jsonl").read_text().splitlines()]
    evidence = {one["statement"]: [each["name"] for each in one["evidence"]] for one in claims}
    assert evidence["Reinforcement reads the cards better than supervised fine-tuning"] == [
        "grpo minus sft: recognised: unseen, temperature 1", f"grpo minus sft: recognised: {red}"
    ]  # fmt: skip
    assert len(evidence["Reinforcement generalizes to red suits better than supervised fine-tuning"]) == 2


# What a training cost


def test_the_cost_of_reinforcement_is_sampling_scoring_and_every_pass(tmp_path: Path):
    trained(tmp_path, "grpo", 0, 1000)
    run = run_of(tmp_path, "grpo", 0)
    lines = [{"step": 1, "num_tokens": 600, "told": 5.0}, {"step": 2, "loss": 0.0}, {"step": 9, "num_tokens": 1000}]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = spent(run)
    assert (found.sampled, found.tokens_sampled) == (8, 1000 + 5 * 8)
    assert found.tokens_learned == 4 * 1040
    assert found.operations == 1040 * (2 + 2 + 4 * 6)


def test_tokens_counted_anew_after_a_resumption_are_added_to_those_before(tmp_path: Path):
    trained(tmp_path, "sft", 0, 0)
    run = run_of(tmp_path, "sft", 0)
    lines = [{"step": 1, "num_tokens": 100}, {"step": 2, "num_tokens": 210}, {"step": 3, "num_tokens": 90}]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert spent(run).operations == 300 * 6
    for torn in ("torn", '{"step": 1}'):
        (run / "log.jsonl").write_text(torn)
        with pytest.raises(DataError, match="does not tell what a training cost"):
            spent(run)


# The whole plan


def command(model: Path, out: Path) -> list[str]:
    """One seed of a few steps of a model of 50,000 weights, tried on three hands of one condition."""
    options = "--seeds 1 --arms sft grpo --episodes 3 --conditions rule --init-steps 2 --rl-steps 1 " \
              "--sft-optim.batch 2 --sft-optim.micro 2 --rl-optim.batch 8 --rl.max-tokens 8 --rl.rounds 2 " \
              "--load.device cpu --torch.device cpu"  # fmt: skip
    return [sys.executable, "-m", "athanor", "study", "sft-vs-rl", "--setting", "paper", "--model", str(model), "--out",
            str(out), *shlex.split(options), "--resume"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("trl"), reason="trl is not installed")
def test_the_whole_plan_runs_is_killed_in_its_middle_goes_on_and_gives_the_page(tmp_path: Path):
    model, out = tiny_model.write(tmp_path / "tiny"), tmp_path / "out"
    process = subprocess.Popen(command(model, out), start_new_session=True, stderr=subprocess.DEVNULL)
    while not (out / "runs" / "grpo-0" / "manifest.json").exists():
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    kept = {path: path.stat().st_mtime_ns for path in (out / "done").iterdir()}
    assert {path.stem for path in kept} == {
        "init-0", *(f"{policy}-rule-{how}" for policy in ("base", "init-0") for how in (*HOW, *COOLER))
    }  # fmt: skip
    ran = subprocess.run(command(model, out), capture_output=True, text=True, timeout=1800)
    assert ran.returncode == 0, ran.stderr
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (
        len(list((out / "done").iterdir())) == len((out / "plan.jsonl").read_text().splitlines()) == 3 + 2 * 2 + 2 * 5
    )
    text = Path(ran.stdout.strip()).read_text()
    assert "One base, 3 trainings" in text
    assert "are not finished" not in text
    assert "there is one training" in text
    rl, sft = spent(out / "runs" / "grpo-0"), spent(out / "runs" / "sft-0")
    assert rl.sampled == 16
    assert sft.operations == pytest.approx(rl.operations, rel=0.2)
    changed = subprocess.run([*command(model, out), "--verifier", "chu2025"], capture_output=True, text=True)
    assert changed.returncode == 2
    assert "verifier was" in changed.stderr


# What is written of it

DOCUMENT = (Path(__file__).parents[2] / "docs" / "posttrain.md").read_text()


def test_the_document_has_every_arm_every_condition_and_the_number_of_steps():
    for arm in plan_of(asked_for()).planned:
        assert f"`{arm.name}`" in DOCUMENT, arm.name
        for word in arm.words[::2]:
            assert word in DOCUMENT, word
    for name in (*WORDS, "red suits", "looks"):
        assert f"| `{name}` | `{TRIALS[name].split if name in TRIALS else 'test'}` |" in DOCUMENT, name
    every = planned()
    trained = sum(step.kind == "train" for step in every)
    assert f"{len(every):,} steps: {trained} trainings, {len(every) - trained} runs of play" in DOCUMENT
    assert f"With `--arms sft grpo` they are {len(planned('--arms', 'sft', 'grpo'))}" in DOCUMENT
    assert f"with `--look plain` {len(planned(*SEEN)):,}." in DOCUMENT
    assert f"to {plan_of(asked_for()).sampled:,} hands" in DOCUMENT


def launched() -> list[list[str]]:
    """The trainings of the document that go through a launcher."""
    every = [line for line in DOCUMENT.replace("\\\n", " ").splitlines() if " -m athanor train points " in line]
    return [shlex.split(line)[shlex.split(line).index("athanor") :] for line in every]


def test_trainings_behind_a_launcher_are_understood_and_part_evenly_over_its_devices():
    pytest.importorskip("trl")
    from athanor.adapters.trl.arguments import arguments

    assert len(launched()) == 4
    for words, devices in zip(launched(), (8, 8, 8, 6), strict=True):
        asked = resolved(understood(tuple(words)))
        asked = replace(asked, load=replace(asked.load, device="cpu", mixed=False), vllm=type(asked.vllm)())
        made = arguments(asked, devices)
        assert made.per_device_train_batch_size * made.gradient_accumulation_steps * devices == asked.optim.batch


def test_the_document_has_the_presets_as_they_are():
    presets = [PRESETS[name] for name in ("plain sft", "plain rl", "chu2025 sft", "chu2025 rl")]
    for title, of in (
        ("sequences of a step", lambda one: f"{one['optim']['batch']:,}"), ("steps", lambda one: str(one["steps"])),
    ):  # fmt: skip
        assert f"| {title} | {' | '.join(map(of, presets))} |" in DOCUMENT
    plain, chu = presets[1], presets[3]
    rows = {
        "answers of an episode": lambda one: str(one["rl"]["rounds"]), "reward": lambda one: one["rl"]["reward"],
        "temperature, tokens of an answer": lambda one: f"{one['rl']['temperature']:g}, {one['rl']['max_tokens']}",
        "passes, steps sampled at once": lambda one: f"{one['rl']['epochs']}, {one['rl']['ahead']}",
        "gamma, lambda of `ppo`": lambda one: f"{one['critic']['gamma']:g}, {one['critic']['lam']:g}",
    }  # fmt: skip
    for title, of in rows.items():
        assert f"| {title} | | {of(plain)} | | {of(chu)} |" in DOCUMENT
