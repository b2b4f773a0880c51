"""What post-training is taught and how it is rewarded; no model is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from athanor.adapters.trl.data import Data, answer, answered, asked, picture, rows
from athanor.adapters.trl.rewards import Told, judged, verdict_reward
from athanor.adapters.trl.settings import Config, Loading, Lora, Optimisation, Reinforcement, judge_of, resolved, shown
from athanor.adapters.trl.worked import worked
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Task
from athanor.environments.points import Chu2025, Exact, Points
from athanor.environments.points.deal import part_of
from athanor.environments.points.solver import solutions
from athanor.environments.points.text import PointsDialogue

SAID = Data(solutions="canonical", replacement=False)
PLAIN = Config(model="m", method="sft", seed=0, out=Path("o"))


def dealt(data: Data, count: int = 40, split: str = "train", seed: int = 0):
    return list(rows(data, "10", Exact(), split, seed, count))


@pytest.mark.parametrize("thoughts", [False, True])
@pytest.mark.parametrize("which", ["canonical", "random", "all"])
def test_every_answer_that_is_taught_passes(which, thoughts):
    data = replace(SAID, solutions=which, thoughts=thoughts)
    found = dealt(data)
    taught = answered(data, Exact(), iter(found), 0)
    by_prompt = {one.prompt[-1]["content"]: one.task for one in found}
    for one in taught:
        said = one["completion"][0]["content"]
        assert judged(PointsDialogue(), Exact(), by_prompt[one["prompt"][-1]["content"]], said).passed
        assert list(json.loads(said.splitlines()[-1])) == ["cards", "number", "formula"]
        assert len(said.splitlines()) == (4 if thoughts else 1)
    count = sum(len(solutions([one.seen.rule.value(c) for c in one.seen.cards], 24)) for one in found)
    assert len(taught) == (count if which == "all" else len(found))


def test_hands_of_the_parts_have_no_numbers_in_common_and_follow_from_the_seed():
    train, test = dealt(SAID), dealt(SAID, split="test")
    for part, found in (("train", train), ("test", test)):
        assert {part_of(tuple(one.seen.rule.value(c) for c in one.seen.cards)) for one in found} == {part}
    assert [one.task for one in dealt(SAID)] == [one.task for one in train]
    assert [one.task for one in dealt(SAID, seed=1)] != [one.task for one in train]


def test_prompts_differ_as_asked():
    assert len({one.prompt[-1]["content"].split(":")[0] for one in dealt(SAID)}) == 1
    varied = dealt(replace(SAID, varied=True))
    assert len({one.prompt[-1]["content"].split(".")[0][:20] for one in varied}) > 3
    assert [one.task for one in varied] == [one.task for one in dealt(SAID)]
    mixed = dealt(replace(SAID, rules=("5", "7-8-9")))
    assert {one.seen.rule.name for one in mixed} == {"10", "5", "7-8-9"}
    assert all("J" in one.prompt[-1]["content"] for one in mixed)


def test_hands_of_another_size_and_target_are_dealt_told_and_taught():
    data = replace(SAID, target=10, cards=3)
    found = dealt(data, 10)
    for one in found:
        assert (len(one.seen.cards), one.task.content["target"]) == (3, 10)
        assert "10" in one.prompt[-1]["content"]
    for one, taught in zip(found, answered(data, Exact(), iter(found), 0), strict=True):
        assert judged(PointsDialogue(), Exact(), one.task, taught["completion"][0]["content"]).passed


def test_pictures_come_beside_prompts_that_do_not_name_the_cards():
    data = replace(SAID, look="plain", suits="SC")
    found = rows(data, "10", Exact(vision=True), "train", 0, 3)
    for one in asked(data, found):
        assert picture(data, one["cards"]).size == (448, 448)
        assert {card[-1] for card in one["cards"]} <= {"S", "C"}
        assert "in the picture" in one["prompt"][-1]["content"]


def test_the_published_judge_leaves_out_what_it_cannot_pass(capsys):
    environment = Points()
    task = Task(environment="points", split="train", key="a", content={"cards": ["3S", "3H", "8S", "8H"], "rule": "10",
                                                                      "target": 24})  # fmt: skip
    seen = environment.observe(environment.start(task))
    one = dealt(SAID, 1)[0]._replace(task=task, seen=seen)
    with pytest.raises(DataError, match="passes no answer"):
        answered(SAID, Chu2025(), iter([one]), 0)
    assert "1 answers are right" in capsys.readouterr().err
    assert len(answered(SAID, Exact(), iter([one]), 0)) == 1


def test_steps_are_exact_and_end_in_the_target():
    for one in dealt(SAID):
        for formula in solutions([one.seen.rule.value(card) for card in one.seen.cards], 24):
            steps = worked(formula)
            assert len(steps) == 3
            assert steps[-1].endswith(" = 24")
    with pytest.raises(DataError, match="no formula"):
        worked("__import__('os')")


def test_rewards_are_the_judges_and_the_share_that_passed_is_logged():
    one = dealt(SAID, 1)[0]
    formula = solutions([one.seen.rule.value(card) for card in one.seen.cards], 24)[0]
    right, row = answer(one.seen, formula), asked(SAID, iter([one]))[0]
    assert msgspec.json.decode(row["task"], type=Task) == one.task
    said = [right, f"<think>hm</think>{right}", "1+1", "", "no idea"]
    logged = {}
    for kind, expected in (("binary", [1, 1, 0, 0, 0]), ("classes", [5, 5, -2, -3, -3])):
        told = Told()
        reward = verdict_reward(PointsDialogue(), Exact(), kind, told)
        found = reward(
            [[{"role": "assistant", "content": text}] for text in said], [row["task"]] * 5, logged.__setitem__
        )
        assert found == expected == [worth for (worth,) in told.worths]
        assert told.passed == [True, True, False, False, False]
    assert logged == {"passed": 0.4, "pass@5": 1.0}


def test_an_answer_that_was_cut_in_its_formula_is_judged_as_in_play():
    one = dealt(SAID, 1)[0]
    formula = solutions([one.seen.rule.value(card) for card in one.seen.cards], 24)[0]
    row, said = asked(SAID, iter([one]))[0], f"The answer is {formula}"
    told = Told(ends=frozenset({7}))
    reward = verdict_reward(PointsDialogue(), Exact(), "binary", told)
    tokens = [[1, 7], [1, 2]]  # the second did not end by itself: more may have followed
    found = reward([[{"role": "assistant", "content": said}]] * 2, [row["task"]] * 2, completion_ids=tokens)
    assert found == [1, 0]


def test_options_left_out_come_from_the_preset_and_those_given_stay():
    plain = resolved(PLAIN)
    assert (plain.optim.learning_rate, plain.data.solutions, plain.steps) == (1e-5, "canonical", 200)
    chu = resolved(replace(PLAIN, preset="chu2025", optim=Optimisation(batch=32), data=Data(replacement=False)))
    assert (chu.optim.learning_rate, chu.optim.batch, chu.optim.betas, chu.steps) == (1e-6, 32, (0.9, 0.98), 400)
    assert (chu.data.solutions, chu.data.replacement) == ("random", False)
    assert resolved(replace(PLAIN, lora=Lora(rank=8))).optim.learning_rate == pytest.approx(1e-4)
    rl = resolved(replace(PLAIN, method="grpo", preset="chu2025", verifier="chu2025"))
    assert (rl.rl.rounds, rl.rl.temperature, rl.rl.epochs, rl.rl.clip, rl.rl.reward) == (5, 0.2, 4, 0.1, "classes")
    assert judge_of(rl) == Chu2025(rounds=5)
    assert shown(rl) == 160 * 1_024 // (8 * 4)


BAD = {
    "split 'tset' is not one of": {"split": "tset"},
    "rule 'ten' was given": {"rule": "ten"},
    "look 'odd' is not one of": {"data": Data(look="odd")},
    "--rl.samples has no effect with --method sft": {"rl": Reinforcement(samples=4)},
    "--data.thoughts has no effect with --method rloo": {"method": "rloo", "data": Data(thoughts=True)},
    "--optim.loss has no effect with --method grpo": {"method": "grpo", "optim": Optimisation(loss="dft")},
    "episodes of 2 answers are played with": {"method": "rloo", "rl": Reinforcement(rounds=2)},
    "--rl.level has no effect with --method rloo": {"method": "rloo", "rl": Reinforcement(level="token")},
    "--optim.learning-rate nan was given": {"optim": Optimisation(learning_rate=float("nan"))},
    "--lora.rank -1 was given": {"lora": Lora(rank=-1)},
    "--steps 0 was given": {"steps": 0},
    "--data.target -1 was given": {"data": Data(target=-1)},
    "--data.cards 9 was given": {"data": Data(cards=9)},
    "--verifier chu2025 judges hands of 4 cards, --data.cards 3 was given": {
        "verifier": "chu2025",
        "data": Data(cards=3),
    },
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_meant_is_refused_by_the_name_of_its_option(message):
    with pytest.raises(UsageError) as caught:
        resolved(replace(PLAIN, **BAD[message]))
    assert message in str(caught.value)


def test_the_batch_must_be_parted_evenly():
    pytest.importorskip("trl")
    from athanor.adapters.trl.arguments import arguments

    cpu = replace(PLAIN, load=Loading(device="cpu"))
    with pytest.raises(UsageError, match="a batch of 100 was asked for, a multiple of 8 sequences x 1"):
        arguments(resolved(replace(cpu, optim=Optimisation(batch=100))), 1)
    with pytest.raises(UsageError, match="and with rl of 3 samples"):
        arguments(resolved(replace(cpu, method="grpo", rl=Reinforcement(samples=3))), 1)


@pytest.mark.parametrize("name", ["fsdp2", "deepspeed_zero2"])
def test_the_launchers_configurations_are_read_by_accelerate(name):
    pytest.importorskip("accelerate")
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(Path(__file__).parents[2] / "examples" / "posttrain" / f"{name}.yaml"))
    assert found.num_processes == 8
    assert found.mixed_precision == "bf16"


@pytest.mark.parametrize("preset", ["plain", "chu2025"])
@pytest.mark.parametrize("method", ["sft", "grpo", "dr-grpo", "dapo", "rloo"])
def test_every_method_and_preset_is_taken_by_trl_on_one_and_on_eight_devices(method, preset):
    pytest.importorskip("trl")
    from athanor.adapters.trl.arguments import arguments

    rl = Reinforcement(rounds=1) if method == "rloo" else Reinforcement()
    given = replace(PLAIN, method=method, preset=preset, rl=rl, load=Loading(device="cpu"))
    whole = resolved(given)
    for processes in (1, 8):
        made = arguments(whole, processes)
        together = made.per_device_train_batch_size * made.gradient_accumulation_steps * processes
        assert together == whole.optim.batch
    assert made.adam_epsilon == whole.optim.epsilon
    if method != "sft":
        assert made.mask_truncated_completions
