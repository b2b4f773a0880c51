"""The study of seeing and drawing at the published size: its commands, what is refused, what is read of its runs."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tyro

from athanor.cli import main
from athanor.commands import check_unified, train_drawing, train_unified
from athanor.commands.study_see_and_draw import Config, plan_of, science_of
from athanor.core.errors import DataError
from athanor.models.unified import checkpoints
from athanor.reports.see_and_draw import page
from athanor.studies.carrying_out import Step, marker
from athanor.studies.folder import begin
from athanor.studies.see_and_draw import trial
from athanor.studies.see_and_draw.arms import (
    BALANCED,
    BEFORE,
    DRAWS,
    FOUNDATION,
    LEFT_OUT,
    LONGER,
    OWN,
    REFERENCE,
    RL,
    SEES,
    SEES_CODES,
    SETTINGS,
    SHARED,
    STYLE,
    UNGUIDED,
    WHOLE,
)
from athanor.studies.see_and_draw.plan import find_played, steps, trial_of, ways
from athanor.studies.see_and_draw.study import KIND, name_of
from athanor.studies.see_and_draw.trial import guided
from athanor.training.unified.run import begun
from tests.studies import trials_made_up
from tests.training.unified.micro import micro

COMMANDS = {
    ("train", "unified"): train_unified, ("train", "drawing"): train_drawing, ("check", "unified"): check_unified
}  # fmt: skip
PLAIN = (tyro.conf.FlagCreatePairsOff,)


def asked(*options: str) -> Config:
    words = ["--setting", "paper", "--model", "pro", "--data", "shards", "--out", "study", *options]
    return tyro.cli(Config, args=words, config=PLAIN)


def planned(*options: str) -> list[Step]:
    config = asked(*options)
    return list(steps(plan_of(config), config.out))


def test_every_setting_tries_models_on_the_style_that_the_readme_says():
    trials = [step.command for step in planned() if step.kind == "play"]
    styles = {command[command.index("--style") + 1] for command in trials}
    assert styles | {setting.style for setting in SETTINGS.values()} == {STYLE}
    readme = (Path(trial.__file__).parent / "README.md").read_text()
    assert f"Pictures are of the style `{STYLE}` in every setting" in readme
    assert "aligned" in next(step.command for step in planned("--style", "aligned") if step.kind == "play")


def understood(step: Step) -> Any:
    """What the command line of a step asks for, by the parser of its command."""
    at = step.command.index("athanor")
    words = step.command[at + 1 :]
    return tyro.cli(COMMANDS[words[0], words[1]].Config, args=words[2:], config=PLAIN)


def test_every_command_of_the_plan_is_understood_and_goes_on_from_the_one_before():
    more = ("--train-words=--device cuda --lora.rank 64", "--rl-words=--mixed", "--trial-words=--prompts 40")
    every = planned("--seeds", "2", *more)
    assert len({step.name for step in every}) == len({step.out for step in every}) == len(every)
    found = {step.name: understood(step) for step in every if "0" in step.name}
    one, two, three = (found[f"{name}-0-{leg}"] for name, leg in ((BEFORE.replace(" ", "-"), "I"),
                       (BEFORE.replace(" ", "-"), "II"), (REFERENCE, "III")))  # fmt: skip
    assert (str(one.init), two.init, three.init) == ("pro", one.out / "model", two.out / "model")
    assert [each.tune.stage for each in (one, two, three)] == ["janus-pro-I", "janus-pro-II", "janus-pro-III"]
    assert [each.tune.steps for each in (one, two, three)] == [20_000, 270_000, 80_000]
    assert all(each.resume and each.lora.rank == 64 and each.device == "cuda" for each in (one, two, three))
    assert (found["grpo-0"].model, found["grpo-0"].mixed) == (three.out / "model", True)
    tried = found["grpo-0-trial"]
    assert (tried.model, tried.guidance, tried.prompts) == (found["grpo-0"].out / "model", (1, 2, 3, 5, 7), 40)
    assert found[f"{FOUNDATION}-0-trial"].tries == "controls"
    assert found["understanding-only-0-trial"].tries == "understanding"
    assert found["generation-only-0-trial"].guidance == (1.0, 5.0)


def test_one_thing_is_changed_at_a_time_and_stages_of_one_name_have_one_seed():
    every = {step.name: understood(step) for step in planned("--seeds", "1")}
    for leg in ("I", "II", "III"):
        seeds = {each.seed for name, each in every.items() if name.endswith(f"-0-{leg}")}
        assert len(seeds) == 1, leg
    shared, balanced = every["shared-0-II"], every[f"{name_of(BALANCED, 0)}-III"]
    assert (shared.tune.understanding, balanced.tune.ratio) == ("codes", (7, 3, 10))
    assert every["no-stage-I-0-II"].tune.steps == 270_000 + round(20_000 * 2 * 256 / (3 * 512))
    alone = every["generation-only-0-III"]
    assert (alone.tune.ratio, alone.tune.rows) == ((0, 1, 4), round(128 * 5 / 10))
    assert every[name_of(UNGUIDED, 0)].rl.scored == "t2i-r1"
    assert every[name_of(OWN, 0)].method == "own"
    assert {each.rl.guidance for name, each in every.items() if hasattr(each, "rl")} == {5.0}


def test_arms_that_are_asked_for_come_with_what_they_begin_from():
    plan = plan_of(asked("--arms", RL, SEES_CODES))
    assert [way.arm.name for way in ways(plan)] == [FOUNDATION, BEFORE, REFERENCE, SEES_CODES, RL]
    names = [way.arm.name for way in ways(replace(plan, arms=()))]
    assert set(names) == {FOUNDATION, BEFORE, *WHOLE}
    assert {LEFT_OUT, LONGER, SEES, SHARED, DRAWS} <= set(names)


def test_the_dry_run_prints_what_would_be_run_and_a_launcher_goes_before_trainings_of_stages_alone(
    capsys, tmp_path: Path
):
    out, launch = tmp_path / "a study", "accelerate launch --config_file examples/unified/fsdp2.yaml -m"
    with pytest.raises(SystemExit) as ended:
        main(["study", "see-and-draw", "--setting", "paper", "--model", "m", "--data", "d", "--out", str(out),
              "--seeds", "1", "--launch", launch, "--dry-run"])  # fmt: skip
    assert ended.value.code == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert not out.exists()
    launched = [line for line in lines if line[0] != "athanor"]
    assert launched
    assert all(line[: len(shlex.split(launch))] == shlex.split(launch) for line in launched)
    assert all("unified" in line and "--init" in line for line in launched)
    assert all(line[0] == "athanor" for line in lines if "drawing" in line or "check" in line)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--setting laptop --model m", "--model has no effect with --setting laptop"),
        ("--setting laptop --dry-run", "--dry-run has no effect"),
        ("--setting paper --model m", "pass --model and --data"),
        ("--setting paper --model m --data d --processes 2", "--processes has no effect with --setting paper"),
        ("--setting paper --model m --data d --quick", "--quick and --setting paper"),
        ("--setting paper --model m --data d --seeds 0", "--seeds 0"),
        ("--setting paper --model m --data d --length 0", "--length 0"),
        ("--setting paper --model m --data d --rl-group 1 8", "2 or more of both"),
        ("--setting paper --model m --data d --arms sharded", "--arms has sharded"),
        ("--setting paper --model m --data d --launch torchrun", "a launcher that ends in -m"),
        ('--setting paper --model m --data d --train-words "\'a"', "cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_run(options: str, said: str, tmp_path: Path, capsys):
    words = [*shlex.split(options), *(["--dry-run"] if "paper" in options else [])]
    with pytest.raises(SystemExit) as ended:
        main(["study", "see-and-draw", "--out", str(tmp_path / "out"), *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_page_is_made_of_the_trials_that_are_finished_at_the_guidance_of_the_plan(tmp_path: Path):
    plan = replace(plan_of(asked()), guidance=2.0)  # what the made-up trials have
    begin(tmp_path / "out", KIND, science_of(asked()), execution={})
    tmp_path = tmp_path / "out"
    (tmp_path / "done").mkdir()
    for step in steps(plan, tmp_path):
        if step.kind == "play" and not step.out.endswith(f"/{name_of(SHARED, 2)}"):
            marker(tmp_path, step).write_text("{}")
    for number in range(plan.seeds):
        for way in ways(plan):
            folder = trial_of(tmp_path, way.arm.name, number)
            folder.mkdir(parents=True)
            drawn = trials_made_up.shown() if way.arm.name not in (FOUNDATION, SEES, SEES_CODES) else []
            trial.write(folder, trials_made_up.of_arm(way.arm.name, number), drawn)
    found = find_played(plan, tmp_path)
    assert found.missing == (name_of(SHARED, 2),)
    assert (found.guidance, "published size" in found.about) == (2.0, True)
    assert any(guided("drawn right", 2.0) == str(name) for _, name in found.by)
    assert "pro" in page(found, tmp_path).read_text()


def test_before_the_first_trial_there_is_nothing_to_read(tmp_path: Path):
    with pytest.raises(DataError, match="holds no training"):
        find_played(plan_of(asked()), tmp_path)


# The trial of one model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    checkpoints.write(path, begun(micro(), "cpu"))
    return path


def check(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["check", "unified", *map(str, words)])
    assert isinstance(ended.value.code, int)
    told = capsys.readouterr()
    return ended.value.code, told.out, told.err


FEW = ("--prompts", 1, "--questions", 1, "--pictures", 2, "--device", "cpu")


@pytest.mark.slow
def test_a_model_is_tried_once_and_its_estimates_are_printed_again(capsys, model: Path, tmp_path: Path):
    asked = ("--model", model, "--out", tmp_path / "out", *FEW, "--guidance", 1, 2)
    code, told, _ = check(capsys, *asked)
    assert code == 0
    assert all(name in told for name in ("drawn right, guidance 2", "answered right", "nats above the entropy",
                                         "own verdict agrees with the checker"))  # fmt: skip
    kept = (tmp_path / "out" / "trial.jsonl").stat().st_mtime_ns
    assert check(capsys, *asked)[0] == 2
    assert check(capsys, *asked, "--resume")[:2] == (0, told)
    assert (tmp_path / "out" / "trial.jsonl").stat().st_mtime_ns == kept
    code, _, said = check(capsys, *asked, "--resume", "--seed", 2)
    assert (code, "seed" in said) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tries", "there", "absent"),
    [
        ("drawing", "drawn right", "answered right"), ("understanding", "answered right", "drawn right"),
        ("controls", "right after the tokenizer", "answered right"),
    ],
)  # fmt: skip
def test_what_a_model_has_not_learned_is_not_tried(capsys, model: Path, tmp_path: Path, tries, there, absent):
    code, told, _ = check(capsys, "--model", model, "--out", tmp_path / "out", *FEW, "--tries", tries, "--json")
    names = [one["name"] for one in json.loads(told)]
    assert code == 0
    assert any(name.startswith(there) for name in names)
    assert not any(name.startswith(absent) for name in names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prompts", 0), "--prompts 0"), (("--style", "oil"), "--style 'oil'"), (("--guidance", "inf"), "0 or more"),
        (("--model", "nowhere"), "holds no model"),
    ],
)  # fmt: skip
def test_a_trial_that_cannot_be_is_refused(capsys, model: Path, tmp_path: Path, words, said: str):
    code, _, told = check(capsys, "--model", model, "--out", tmp_path / "out", *words)
    assert (code, said in told) == (2, True), told
    assert not (tmp_path / "out").exists()
