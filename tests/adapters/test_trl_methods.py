"""What the study's arms need of `train points`: a critic, signed advantages, own answers, a model held near itself."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from athanor.adapters.trl.data import MANY, Data, rows
from athanor.adapters.trl.matching import Played, matched
from athanor.adapters.trl.own import own_answers
from athanor.adapters.trl.post import train
from athanor.adapters.trl.settings import Config, Critic, Loading, Lora, Optimisation, Reinforcement, measured, resolved
from athanor.agents.asking import ModelOptions
from athanor.analysis.spending import spent
from athanor.core.errors import DataError, UsageError
from athanor.environments.points import Exact, Points
from athanor.environments.points.deal import part_of
from athanor.environments.points.state import hand
from athanor.environments.points.text import PointsDialogue
from athanor.models.backends import BackendConfig
from athanor.models.backends.pretrained import tokenizer_of
from athanor.studies.playing import points as playing
from tests import tiny_model
from tests.adapters.test_trl_training import SMALL, config, lines, same, told, weights

pytestmark = pytest.mark.skipif(not find_spec("trl"), reason="trl is not installed")
SAMPLED = Reinforcement(samples=8, max_tokens=24, reward="classes", learn_cut=True)
WIDE = replace(SMALL, batch=16, micro=16, learning_rate=1e-3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("tiny"))


# The critic


def test_answers_of_an_episode_are_told_apart_and_begin_where_the_model_begins_to_write():
    torch = pytest.importorskip("torch")
    from athanor.adapters.trl.critic import starts_of, turns_of

    written = torch.tensor([[1, 1, 0, 0, 1, 1, 0], [1, 0, 0, 0, 0, 0, 0], [0] * 7])
    turns = turns_of(written)
    assert turns.tolist() == [[0, 0, -1, -1, 1, 1, -1], [0] + [-1] * 6, [-1] * 7]
    starts, taken = starts_of(turns, 2)
    assert taken.tolist() == [[True, True], [True, False], [False, False]]
    assert starts[taken].tolist() == [0, 4, 0]


def test_the_critics_advantages_are_those_of_its_values_at_the_tokens_before_each_answer():
    """Two episodes, one of two answers; what the critic tells is put in by hand."""
    torch = pytest.importorskip("torch")
    from types import SimpleNamespace

    from athanor.adapters.trl.critic import ByCritic
    from athanor.adapters.trl.rewards import Told

    whole = resolved(Config(model="m", method="ppo", seed=0, out=Path("o"), critic=Critic(gamma=0.9, lam=0.5)))
    critic = ByCritic(whole)
    critic._accelerator = SimpleNamespace(reduce=lambda value, how: value)
    values = torch.tensor([[9, 0.5, 9, 9, 0.25, 9, 9], [9, -1.0, 9, 9, 9, 9, 9]])
    trainer = SimpleNamespace(
        args=SimpleNamespace(per_device_train_batch_size=2), model=None, _metrics={"train": {"value_loss": []}},
        _get_per_token_logps_and_entropies=lambda *a, **k: critic._heard.append(values),
    )  # fmt: skip
    made = {
        "prompt_ids": torch.zeros(2, 2, dtype=torch.long), "prompt_mask": torch.ones(2, 2, dtype=torch.long),
        "completion_ids": torch.zeros(2, 5, dtype=torch.long),
        "completion_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]),
        "tool_mask": torch.tensor([[1, 1, 0, 1, 1], [1, 1, 1, 1, 1]]),
    }  # fmt: skip
    critic.weigh(trainer, made, Told(passed=[True, False], worths=[[-1.0, 5.0], [-3.0]]))
    second = 5 - 0.25
    first = -1 + 0.9 * 0.25 - 0.5 + 0.9 * 0.5 * second
    raw = torch.tensor([first, second, -3 + 1.0])
    white = (raw - raw.mean()) / (raw.std() + 1e-5)
    expected = [[white[0]] * 2 + [0.0] + [white[1]] * 2, [white[2]] * 2 + [0.0] * 3]
    assert torch.allclose(made["advantages"], torch.tensor(expected), atol=1e-5)
    assert torch.allclose(made["returns"][made["taken"]], raw + torch.tensor([0.5, 0.25, -1.0]))
    assert not critic._heard
    critic._heard.append(values + 0.1)
    loss = critic.loss(trainer, made)
    assert loss is not None
    assert float(loss) == pytest.approx(0.5 * float(((raw - 0.1).square()).mean()) / 2, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, 2])
def test_ppo_trains_the_critic_and_goes_on_from_a_checkpoint_to_the_same_weights(
    model: Path, tmp_path: Path, rounds: int
):
    import torch

    begun, out = told(model, tmp_path), tmp_path / "run"
    asked = {"method": "ppo", "steps": 3, "rl": replace(SAMPLED, rounds=rounds), "optim": WIDE}
    final = train(config(begun, out, **asked))
    assert all(line["value_loss"] > 0 for line in lines(out) if "reward" in line)
    assert not any("critic" in name for name in weights(final))
    assert not same(final, begun)
    kept = torch.load(out / "checkpoint-3" / "critic.pt", weights_only=True)
    before = torch.load(out / "checkpoint-2" / "critic.pt", weights_only=True)
    assert any(not value.equal(before["critic"][name]) for name, value in kept["critic"].items())
    assert spent(out).operations == pytest.approx(spent(out).tokens_sampled * (2 * 2 + 6 + 2))

    again = tmp_path / "again"
    shutil.copytree(out, again)
    shutil.rmtree(again / "final")
    shutil.rmtree(again / "checkpoint-3")
    assert same(train(config(begun, again, **asked, resume=True)), final)
    after = torch.load(again / "checkpoint-3" / "critic.pt", weights_only=True)
    assert all(value.equal(after["critic"][name]) for name, value in kept["critic"].items())


@pytest.mark.slow
def test_ppo_trains_adapters_and_its_critic_has_a_rate_of_its_own(model: Path, tmp_path: Path):
    begun = told(model, tmp_path)
    asked = {"method": "ppo", "steps": 1, "rl": SAMPLED, "optim": WIDE, "lora": Lora(rank=4)}
    final = train(config(begun, tmp_path / "a", **asked, critic=Critic(rate=0.0)))
    assert not same(final, begun)
    import torch

    from athanor.adapters.trl.critic import critic_of

    fresh = critic_of(32, 3).state_dict()
    kept = torch.load(tmp_path / "a" / "checkpoint-1" / "critic.pt", weights_only=True)["critic"]
    assert all(value.equal(kept[name]) for name, value in fresh.items())


def test_signed_advantages_are_those_of_right_and_wrong_alone():
    torch = pytest.importorskip("torch")
    from athanor.adapters.trl.reinforced import weighing_of
    from athanor.adapters.trl.rewards import Told

    whole = resolved(Config(model="m", method="w-reinforce", seed=0, out=Path("o")))
    made = {"advantages": torch.zeros(3)}
    weighing = weighing_of(whole)
    assert weighing is not None
    weighing.weigh(None, made, Told(passed=[True, False, True]))
    assert made["advantages"].tolist() == pytest.approx([0.1, -1.0, 0.1])
    assert weighing_of(replace(whole, method="grpo")) is None


@pytest.mark.slow
def test_w_reinforce_learns_where_all_samples_of_a_hand_are_wrong(model: Path, tmp_path: Path):
    rl = replace(SAMPLED, reward="binary")
    begun = told(model, tmp_path)
    final = train(config(begun, tmp_path / "run", method="w-reinforce", steps=2, rl=rl, optim=WIDE))
    logged = [line for line in lines(tmp_path / "run") if "reward" in line]
    assert any(line["frac_reward_zero_std"] == 1 and line["grad_norm"] > 0 for line in logged)
    assert not same(final, begun)


# Supervised arms


@pytest.mark.slow
def test_a_model_that_is_held_strongly_stays_nearer_to_what_it_was(model: Path, tmp_path: Path):
    ended = {}
    for kl in (1e-6, 10.0):
        for rank in (0, 4):
            out = tmp_path / f"{kl}-{rank}"
            optim = replace(SMALL, kl=kl, schedule="constant_with_warmup", warmup=0.0)
            train(config(model, out, steps=8, optim=optim, lora=Lora(rank=rank)))
            logged = [line for line in lines(out) if "kl" in line]
            assert logged[0]["kl"] == pytest.approx(0, abs=1e-6)
            assert {"entropy", "mean_token_accuracy", "num_tokens"} <= logged[0].keys()
            assert "compared" not in logged[0]
            ended[kl, rank] = logged[-1]["kl"]
            assert spent(out).operations == spent(out).tokens_learned * (2 + 2 + (2 if rank else 4))
    assert ended[10.0, 0] < 0.5 * ended[1e-6, 0]
    assert ended[10.0, 4] < 0.5 * ended[1e-6, 4]


@pytest.mark.slow
def test_a_weight_of_next_to_nothing_trains_as_no_weight_does(model: Path, tmp_path: Path):
    import torch

    final = [train(config(model, tmp_path / str(kl), optim=replace(SMALL, kl=kl))) for kl in (0.0, 1e-12)]
    one, other = map(weights, final)
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_every_second_answer_puts_a_wrong_one_right():
    from athanor.adapters.trl.data import answered

    data = Data(solutions="canonical", replacement=False, turns=2)
    found = list(rows(data, "10", Exact(), "train", 0, 20))
    taught = answered(data, Exact(), iter(found), 0)
    assert [len(one["prompt"]) for one in taught] == [2, 4] * 10
    for one, row in zip(taught[1::2], found[1::2], strict=True):
        wrong, said = one["prompt"][2:]
        environment = Points()
        state = environment.start(row.task)
        after = environment.step(state, PointsDialogue().hear(wrong["content"], row.seen)).state
        assert after.judged is not None
        assert after.judged.kind == "value"
        assert after.judged.reason in said["content"]
        assert one["completion"][0]["content"] != wrong["content"]


def test_with_many_rules_each_hand_has_its_own_numbers_and_none_is_of_another_part():
    data = Data(solutions="canonical", replacement=False, rules=(MANY,))
    found = list(rows(data, "10", Exact(), "train", 0, 60))
    named = {one.seen.rule.name for one in found}
    assert len(named) > 40
    assert all(1 <= number <= 10 for one in found for number in one.seen.rule.faces)
    for one in found:
        assert part_of(hand(one.seen.cards, one.seen.rule, 24).values) == "train"
    assert len({one.seen.cards for one in found}) > 50
    with pytest.raises(UsageError, match="pass --data.rules many alone"):
        resolved(Config(model="m", method="sft", seed=0, out=Path("o"), data=Data(rules=(MANY, "5"))))


# How far a policy went


def kls(out: Path) -> list[float]:
    return [line["kl"] for line in lines(out) if "kl" in line]


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 4])
def test_the_divergence_of_fine_tuning_is_measured_and_not_learned_from(model: Path, tmp_path: Path, rank: int):
    optim = replace(SMALL, batch=16, micro=1, schedule="constant_with_warmup", warmup=0.0)
    asked = {"steps": 3, "optim": optim, "lora": Lora(rank=rank)}
    final = train(config(model, tmp_path / "a", **asked))
    assert kls(tmp_path / "a")[0] == pytest.approx(0, abs=1e-6)
    assert kls(tmp_path / "a")[-1] > 1e-3
    assert [line["compared"] for line in lines(tmp_path / "a") if "loss" in line] == [2 / 16] * 3
    tokens = spent(tmp_path / "a").tokens_learned
    assert spent(tmp_path / "a").operations == pytest.approx(tokens * (2 + (2 if rank else 4) + 2 * 2 / 8))
    if not rank:
        alone = train(config(model, tmp_path / "b", **asked, load=Loading(device="cpu", once=True)))
        assert same(final, alone)
        assert not kls(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_the_divergence_of_reinforcement_is_what_it_would_be_if_it_were_learned_from(
    model: Path, tmp_path: Path, method
):
    """The same estimator as `trl` has where it is in the loss, and the same weights as if nothing were measured."""
    begun = told(model, tmp_path)
    asked = {"method": method, "steps": 2, "optim": replace(WIDE, micro=16)}
    final = train(config(begun, tmp_path / "a", **asked, rl=SAMPLED))
    alone = train(config(begun, tmp_path / "b", **asked, rl=SAMPLED, load=Loading(device="cpu", once=True)))
    assert same(final, alone)
    assert kls(tmp_path / "b") == []
    if method == "grpo":  # rloo takes the divergence off the reward, and estimates it otherwise
        train(config(begun, tmp_path / "c", **asked, rl=replace(SAMPLED, kl=1e-12)))
        assert kls(tmp_path / "a") == pytest.approx(kls(tmp_path / "c"), rel=1e-3, abs=1e-7)
    extra = spent(tmp_path / "a").operations - spent(tmp_path / "b").operations
    assert extra == pytest.approx(2 * spent(tmp_path / "a").tokens_learned)


def test_a_second_copy_is_not_kept_where_it_is_asked_not_to_be_unless_it_is_needed(tmp_path: Path):
    asked = Config(model="m", method="sft", seed=0, out=tmp_path, load=Loading(once=True))
    assert not measured(resolved(asked))
    assert measured(resolved(replace(asked, load=Loading())))
    with pytest.raises(UsageError, match="--optim.kl needs the model as it was, which --load.once does not keep"):
        resolved(replace(asked, optim=Optimisation(kl=1.0)))
    with pytest.raises(UsageError, match="--rl.kl needs the model as it was"):
        resolved(replace(asked, method="grpo", rl=Reinforcement(kl=0.1)))
    with pytest.raises(UsageError, match="--load.once has no effect with --lora.rank"):
        resolved(replace(asked, lora=Lora(rank=4)))


# Own answers


def played(out: Path, tmp_path: Path, *, split: Any = "train", episodes: int = 12) -> Path:
    """A run in which a model, one that answers from a list, solves some hands."""
    dealt = [task for task, _ in zip(Points().tasks(split, 1), range(episodes), strict=False)]
    environment = Points()
    replies = []
    for number, task in enumerate(dealt):
        gold = environment.judge.gold(environment.start(task))
        assert gold is not None
        replies.append(f"I say {gold.formula}" if number % 3 else "1+1=24")
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"replies": replies}))
    playing.play(playing.Config(
        agent="language", split=split, verifier="exact", rounds=1, episodes=episodes, seed=1, out=out,
        hands=playing.HandOptions(shift="none"), language=ModelOptions(model=str(script)),
        backend=BackendConfig(backend="scripted"),
    ))  # fmt: skip
    return out


def test_own_answers_are_the_right_ones_of_a_run_and_cost_what_was_played(tmp_path: Path):
    run = played(tmp_path / "run", tmp_path)
    turns = [json.loads(line) for line in (run / "turns.jsonl").read_text().splitlines()]
    right = {turn["completion"]["text"] for turn in turns if turn["verdict"]["passed"]}
    data = Data(answers=str(run))
    own = own_answers(data, "10", Exact(), "train")
    assert {one["completion"][0]["content"] for one in own.taught} == right
    assert own.hands == 12
    assert own.tokens is None  # a script counts none
    fewer = own_answers(replace(data, hands=6), "10", Exact(), "train")
    early = {turn["completion"]["text"] for turn in turns if turn["verdict"]["passed"] and int(turn["episode"]) < 6}
    assert fewer.hands == 6
    assert {one["completion"][0]["content"] for one in fewer.taught} == early
    with pytest.raises(DataError, match="has 12 hands that ended well, 13 were expected"):
        own_answers(replace(data, hands=13), "10", Exact(), "train")
    for other, said in (({"split": "test"}, "split train"), ({"rule": "11-12-13"}, "rule 10")):
        asked = {"rule": "10", "split": "train", **other}
        with pytest.raises(UsageError, match=f"is a run of .*{said}"):
            own_answers(data, asked["rule"], Exact(), asked["split"])
    with pytest.raises(UsageError, match="another look"):
        own_answers(replace(data, look="plain"), "10", Exact(vision=True), "train")
    with pytest.raises(UsageError, match="is a run of target 24, 4 cards"):
        own_answers(replace(data, target=10, cards=3), "10", Exact(), "train")


@pytest.mark.slow
def test_a_model_is_taught_its_own_answers_and_the_manifest_says_how_many(model: Path, tmp_path: Path):
    run = played(tmp_path / "played", tmp_path)
    out = tmp_path / "run"
    train(config(model, out, data=Data(answers=str(run))))
    told_of = json.loads((out / "manifest.json").read_text())["execution"]["own"]
    assert told_of["hands"] == 12
    assert 0 < told_of["right"] < 12
    first = {line["step"] for line in lines(out)}
    assert first == {1, 2, 3}
    with pytest.raises(UsageError, match="--data.thoughts has no effect with --data.answers"):
        resolved(config(model, out, data=Data(answers=str(run), thoughts=True)))


# What costs the same


def logged(folder: Path, asked: Config, **means: float) -> Path:
    """The folder of a finished training with a log of one step."""
    from athanor.adapters.trl.settings import science_of

    (folder / "final").mkdir(parents=True)
    (folder / "final" / "config.json").write_text("{}")
    manifest = {"config": science_of(asked), "execution": {"vllm": {"mode": "off"}}}
    (folder / "manifest.json").write_text(json.dumps(manifest, default=str))
    (folder / "log.jsonl").write_text(json.dumps({"step": 1, **means}) + "\n")
    return folder


def reinforcement(**options: Any) -> Config:
    given = {"samples": 8, "rounds": 5, "epochs": 1, "ahead": 1, **options}
    optim = Optimisation(batch=16)
    return Config(model="m", method="grpo", seed=0, out=Path("o"), steps=10, rl=Reinforcement(**given), optim=optim,
                  load=Loading(once=not options.get("kl")))  # fmt: skip


def test_reinforcement_with_other_rounds_has_as_many_steps_as_cost_the_same(model: Path, tmp_path: Path):
    tokenizer = tokenizer_of(model)
    theirs = resolved(reinforcement())
    # 160 episodes of 100 tokens of prompt, 1.9375 answers of 40 and as many notes less one of 20: half of all are wrong
    turns = sum(0.5**k for k in range(5))
    episode = 100 + 40 * turns + 20 * (turns - 1)
    other = logged(tmp_path / "rl", theirs, num_tokens=160 * (100 + 40 * turns), turns=turns, told=20 * (turns - 1),
                   **{"completions/mean_length": 40 * turns})  # fmt: skip
    log = json.loads((other / "log.jsonl").read_text())
    (other / "log.jsonl").write_text("".join(
        json.dumps({**log, "step": k + 1, "num_tokens": log["num_tokens"] * (k + 1) / 10}) + "\n" for k in range(10)
    ))  # fmt: skip
    assert spent(other).operations == pytest.approx(160 * episode * (2 + 6), rel=1e-3)

    def steps(**changed: Any) -> int:
        method = changed.pop("method", "grpo")
        asked = replace(reinforcement(**changed), method=method, steps=None, match=str(other))
        return matched(resolved(asked), tokenizer)

    assert steps() == 10
    one = 100 + 40
    assert steps(rounds=1) == round(10 * episode / one)
    ten = Played(100, 40, 20, 0.5).tokens(10)
    assert steps(rounds=10) == max(1, round(10 * episode / ten))
    assert steps(kl=0.1) == 8 == round(10 * (2 + 6) / (2 + 2 + 6))
    assert steps(method="ppo") == 8
    sft = logged(tmp_path / "sft", resolved(config(model, tmp_path)), num_tokens=10)
    with pytest.raises(UsageError, match="is fine-tuning, reinforcement was expected"):
        matched(resolved(replace(reinforcement(), steps=None, match=str(sft))), tokenizer)


def test_rounds_that_were_not_played_are_told_from_what_the_verifier_says(model: Path, tmp_path: Path):
    tokenizer = tokenizer_of(model)
    theirs = resolved(reinforcement(rounds=1))
    other = logged(tmp_path / "rl", theirs, num_tokens=160 * 140, passed=0.25, **{"completions/mean_length": 40.0})
    fewer = matched(resolved(replace(reinforcement(rounds=3), steps=None, match=str(other))), tokenizer)
    alike = matched(resolved(replace(reinforcement(rounds=1), steps=None, match=str(other))), tokenizer)
    assert alike == 10
    assert fewer < 10 * 140 / (140 + 0.75 * 40)  # and what is told besides
