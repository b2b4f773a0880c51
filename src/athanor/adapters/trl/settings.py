"""What post-training is asked to do, filled up from a preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import ceil, inf
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro

from athanor.adapters.trl.data import MANY, Data, dialogue_of
from athanor.adapters.trl.rewards import Kind
from athanor.core.errors import UsageError
from athanor.core.options import changed, refuse_idle, refuse_outside
from athanor.environments.points import SHARES, Chu2025, Exact, rule
from athanor.environments.points.chu2025 import CARDS
from athanor.environments.points.judge import Judge
from athanor.environments.points.solver import LARGEST
from athanor.models.backends.pretrained import Attention, Dtype

T = TypeVar("T")

Method = Literal["sft", "grpo", "dr-grpo", "dapo", "rloo", "ppo", "w-reinforce"]
GRPO: dict[str, dict[str, Any]] = {
    "grpo": {"loss_type": "grpo", "scale_rewards": "group"},
    "dr-grpo": {"loss_type": "dr_grpo", "scale_rewards": "none"},
    "dapo": {"loss_type": "dapo", "scale_rewards": "group", "epsilon_high": 0.28},
    "ppo": {"loss_type": "grpo", "scale_rewards": "none"},
    "w-reinforce": {"loss_type": "grpo", "scale_rewards": "none"},
}
"""What tells the algorithms apart that share the clipped loss of GRPO; ppo and w-reinforce have advantages of their
own. Sources: arXiv 2402.03300, 2503.20783, 2503.14476, 1707.06347, 2506.01347."""
UNGROUPED: tuple[Method, ...] = ("ppo", "w-reinforce")
"""Methods in which a hand's samples are not compared with each other."""
UNTOLD = ("kept", "checkpointing", "max_kl")
"""Of the optimisation, what changes no result and may be another when a run is gone on with."""
LORA = 10.0
"""By how much the learning rate of a preset grows where adapters are trained."""


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How the model is loaded."""

    device: Literal["auto", "cpu"] = "auto"
    """auto: the GPU of each process where there is one."""
    dtype: Dtype = "float32"
    """Of the weights that are trained; in bfloat16 steps of 1e-6 are rounded away."""
    mixed: bool = False
    """Multiply in bfloat16 whatever the weights are."""
    attention: Attention = "sdpa"
    once: bool = False
    """Keep no second copy where all weights are trained: the divergence from the model as it was is not told."""
    download: bool = False
    """Fetch a model that is named OWNER/NAME and not in the local cache."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Low-rank adapters in place of all weights."""

    rank: int = 0
    """0 trains all weights."""
    alpha: float | None = None
    """Scale of what is added; left out, twice the rank."""
    dropout: float = 0.0
    targets: str = "all-linear"
    """Names of the layers that get adapters, joined by commas; or all-linear."""


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How weights are changed. What is left out comes from --preset."""

    learning_rate: float | None = None
    schedule: Literal["constant_with_warmup", "linear", "cosine"] | None = None
    warmup: float | None = None
    """Share of the steps in which the rate rises."""
    batch: int | None = None
    """Sequences of a step, over all devices."""
    micro: int = 8
    """Sequences that a device works on at once."""
    betas: tuple[float, float] | None = None
    epsilon: float | None = None
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    """The largest norm of a gradient."""
    loss: Literal["nll", "dft"] = "nll"
    """sft: negative log-likelihood, or that weighted by the token's own probability (arXiv 2508.05629)."""
    kl: float = 0.0
    """sft: weight of the divergence from the model as it was on the answers' tokens, over the whole vocabulary."""
    checkpointing: bool = False
    """Compute activations twice in place of keeping them."""
    every: int = 100
    """Steps between checkpoints."""
    kept: int = 2
    """Newest checkpoints that are kept."""
    patience: int = 20
    """rl: steps after which training stops if no answer was rewarded otherwise than those beside it."""
    max_kl: float = 3.0
    """Nats a token from the model as it was at which training stops, sft if it tells answers worse too; 0: never."""


@dataclass(frozen=True, kw_only=True)
class Reinforcement:
    """How answers are sampled and weighed. What is left out comes from --preset."""

    samples: int = 8
    """Episodes of each hand."""
    rounds: int | None = None
    """Answers that an episode may have; more than one with the kinds of GRPO only."""
    temperature: float | None = None
    top_p: float = 1.0
    max_tokens: int | None = None
    """Of an answer."""
    reward: Kind | None = None
    """1 for a solved hand and 0 else, or what the judge gives."""
    kl: float = 0.0
    """Weight of the divergence from the model as it was."""
    clip: float | None = None
    """How far a probability ratio may be from 1."""
    level: Literal["token", "sequence"] | None = None
    """Whether ratios are of tokens or of whole episodes (the kinds of GRPO)."""
    epochs: int | None = None
    """Passes over each set of sampled episodes."""
    ahead: int | None = None
    """Steps for which episodes are sampled at once."""
    learn_cut: bool = False
    """Learn from answers that were cut at `max_tokens` too; they say nothing of what the answer would have been."""


@dataclass(frozen=True, kw_only=True)
class Critic:
    """ppo: what tells how an episode will go. What is left out comes from --preset."""

    gamma: float | None = None
    """What a reward of the next answer is worth now."""
    lam: float | None = None
    """Of the generalised advantages of answers (arXiv 1506.02438): 1 trusts what was earned, 0 the critic."""
    weight: float = 0.5
    """Of the critic's loss beside the policy's."""
    rate: float | None = None
    """Its learning rate; left out, the policy's."""


@dataclass(frozen=True, kw_only=True)
class Vllm:
    """Sampling through vLLM, for GPUs."""

    mode: Literal["off", "colocate", "server"] = "off"
    """colocate: on the training devices; server: `trl vllm-serve` on others."""
    url: str = "http://localhost:8000"
    """Of the server."""
    memory: float = 0.3
    """colocate: share of a device's memory."""
    parallel: int = 1
    """colocate: devices over which a model is spread."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Post-train a Hugging Face model on GeneralPoints."""

    model: str
    """A folder in Hugging Face's format, a GGUF file, smollm2-135m-instruct, or OWNER/NAME on the hub."""
    method: Method
    """sft: on right answers. The others: on the model's own answers, rewarded by the verifier; ppo has a critic."""
    seed: int
    """All randomness follows from it."""
    out: Path
    """The folder to make; refused if it exists, unless --resume is given."""
    steps: int | None = None
    """Changes of the weights; left out, the preset's."""
    match: str = ""
    """In place of --steps, a finished training's folder: as many steps as cost what it cost."""
    rule: str = "10"
    """What J, Q and K count as: 10, or 11-12-13."""
    split: str = "train"
    """Part of the hands that is trained on; the test part has other numbers."""
    verifier: Literal["exact", "chu2025"] = "exact"
    """exact: fractions, one reward by the most severe class; chu2025: as published, defects included."""
    preset: Literal["plain", "chu2025"] = "plain"
    """Where options left out come from: the project's, or Chu et al. 2025."""
    resume: bool = False
    """Go on from the newest whole checkpoint in --out, if there is one."""
    load: Loading = field(default_factory=Loading)
    data: Data = field(default_factory=Data)
    lora: Lora = field(default_factory=Lora)
    optim: Annotated[Optimisation, tyro.conf.arg(name="optim")] = field(default_factory=Optimisation)
    rl: Reinforcement = field(default_factory=Reinforcement)
    critic: Critic = field(default_factory=Critic)
    vllm: Vllm = field(default_factory=Vllm)


_ADAM = {"betas": (0.9, 0.999), "epsilon": 1e-8}
_PLAIN_DATA = {"solutions": "canonical", "replacement": False}
_CHU_DATA = {"solutions": "random", "replacement": True}
_PLAIN_RL = {"rounds": 1, "temperature": 1.0, "max_tokens": 256, "reward": "binary", "clip": 0.2, "level": "token",
             "epochs": 1, "ahead": 1}  # fmt: skip
_PLAIN_CRITIC, _CHU_CRITIC = {"gamma": 1.0, "lam": 0.95}, {"gamma": 0.9, "lam": 0.95}
_CHU_RL = {"rounds": 5, "temperature": 0.2, "max_tokens": 512, "reward": "classes", "clip": 0.1, "level": "sequence",
           "epochs": 4, "ahead": 2}  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    "plain sft": {"steps": 200, "rl": _PLAIN_RL, "critic": _PLAIN_CRITIC, "data": _PLAIN_DATA, "optim": _ADAM | {
        "learning_rate": 1e-5, "schedule": "cosine", "warmup": 0.03, "batch": 64}},
    "plain rl": {"steps": 200, "rl": _PLAIN_RL, "critic": _PLAIN_CRITIC, "data": _PLAIN_DATA, "optim": _ADAM | {
        "learning_rate": 1e-6, "schedule": "constant_with_warmup", "warmup": 0.03, "batch": 128}},
    "chu2025 sft": {"steps": 400, "rl": _CHU_RL, "critic": _CHU_CRITIC, "data": _CHU_DATA, "optim": {
        "betas": (0.9, 0.98), "epsilon": 1e-7,
        "learning_rate": 1e-6, "schedule": "cosine", "warmup": 0.03, "batch": 128}},
    "chu2025 rl": {"steps": 160, "rl": _CHU_RL, "critic": _CHU_CRITIC, "data": _CHU_DATA, "optim": {
        "betas": (0.9, 0.999), "epsilon": 1e-7,
        "learning_rate": 1e-6, "schedule": "cosine", "warmup": 0.0, "batch": 1_024}},
}  # fmt: skip
"""Values by group. chu2025: GP-L of arXiv 2501.17161; docs/posttrain.md says what of it is not followed, and why."""


def resolved(config: Config) -> Config:
    """The configuration with nothing left out. UsageError for what cannot be meant."""
    preset = PRESETS[f"{config.preset} {'sft' if config.method == 'sft' else 'rl'}"]
    whole = replace(
        config,
        steps=preset["steps"] if config.steps is None else config.steps,
        optim=_filled(config.optim, preset["optim"]),
        rl=_filled(config.rl, preset["rl"]),
        data=_filled(config.data, preset["data"]),
        critic=_filled(config.critic, preset["critic"]),
    )
    if config.lora.rank and config.optim.learning_rate is None:
        whole = replace(whole, optim=replace(whole.optim, learning_rate=LORA * preset["optim"]["learning_rate"]))
    refuse(config, whole)
    return whole


def _filled(group: Any, values: Mapping[str, Any]) -> Any:
    """A group of options with a preset's values where options were left out."""
    return replace(group, **{name: value for name, value in values.items() if getattr(group, name) is None})


def given(value: T | None) -> T:
    """An option of a resolved configuration, in which none is left out."""
    if value is None:
        raise TypeError("an option was left out of a configuration that is not resolved")
    return value


def refuse(asked: Config, whole: Config) -> None:
    """UsageError naming the first option that is out of range or does nothing beside another."""
    rule(whole.rule)
    dialogue_of(whole.data)
    if whole.split not in (*SHARES, "all"):
        raise UsageError(f"split {whole.split!r} is not one of {', '.join(SHARES)}, all; pass --split with one of them")
    refuse_outside(whole, {"steps": (1, inf)})
    if asked.match and asked.steps is not None:
        raise UsageError(f"--steps {asked.steps} and --match {asked.match} were given; pass one of them")
    refuse_outside(whole.data, {"hands": (1, inf), "target": (0, 10**6), "cards": (1, LARGEST)}, "data")
    if whole.verifier == "chu2025" and whole.data.cards != CARDS:
        raise UsageError(
            f"--verifier chu2025 judges hands of {CARDS} cards, --data.cards {whole.data.cards} was given; pass "
            f"--data.cards {CARDS}, or --verifier exact"
        )
    refuse_outside(whole.lora, {"rank": (0, inf), "alpha": (0, inf), "dropout": (0, 1)}, "lora")
    refuse_outside(whole.optim, {"learning_rate": (0, inf), "warmup": (0, 1), "batch": (1, inf), "micro": (1, inf),
                                 "clip_norm": (0, inf), "every": (1, inf), "kept": (1, inf), "kl": (0, inf),
                                 "patience": (1, inf), "max_kl": (0, inf)}, "optim")  # fmt: skip
    refuse_outside(whole.rl, {"samples": (2, inf), "rounds": (1, inf), "temperature": (1e-3, inf), "top_p": (0, 1),
                              "max_tokens": (1, inf), "kl": (0, inf), "clip": (0, inf), "epochs": (1, inf),
                              "ahead": (1, inf)}, "rl")  # fmt: skip
    refuse_outside(whole.critic, {"gamma": (0, 1), "lam": (0, 1), "weight": (0, inf), "rate": (0, inf)}, "critic")
    _refuse_rules(whole)
    _refuse_once(whole)
    if asked.method != "ppo":
        refuse_idle(changed(asked.critic, "critic"), f"--method {asked.method}")
    if asked.method == "sft":
        patience = [name for name in changed(asked.optim, "optim") if name == "--optim.patience"]
        refuse_idle([*changed(asked.rl, "rl"), *changed(asked.vllm, "vllm"), *patience], "--method sft")
        if asked.data.answers:
            but = ("answers", "hands", "look", "suits", "target", "cards")
            refuse_idle(changed(asked.data, "data", but=but), "--data.answers")
        return
    _refuse_reinforced(asked, whole)


def _refuse_once(whole: Config) -> None:
    """UsageError where the model is needed a second time, or is not."""
    if whole.load.once and whole.lora.rank:
        refuse_idle(["--load.once"], "--lora.rank")
    held = [name for name, weight in (("--rl.kl", whole.rl.kl), ("--optim.kl", whole.optim.kl)) if weight]
    if whole.load.once and whole.optim.max_kl != Optimisation.max_kl:
        refuse_idle(["--optim.max-kl"], "--load.once")
    if whole.load.once and held:
        raise UsageError(f"{held[0]} needs the model as it was, which --load.once does not keep; leave one of them out")


def measured(whole: Config) -> bool:
    """Whether the divergence from the model as it was is measured, and not learned from."""
    return not (whole.load.once or whole.rl.kl or whole.optim.kl)


def _refuse_rules(whole: Config) -> None:
    """UsageError for further rules that are none."""
    if MANY in whole.data.rules and len(whole.data.rules) > 1:
        raise UsageError(
            f"--data.rules {' '.join(whole.data.rules)} has {MANY}, which is every rule of numbers of 1 to 10; pass "
            f"--data.rules {MANY} alone, or names of rules"
        )
    for name in whole.data.rules:
        if name != MANY:
            rule(name)


def _refuse_reinforced(asked: Config, whole: Config) -> None:
    """UsageError for what cannot be meant in reinforcement."""
    supervised = ("--data.solutions", "--data.thoughts", "--data.answers", "--data.turns")
    only = [name for name in changed(asked.data, "data") if name in supervised]
    only += [name for name in changed(asked.optim, "optim") if name in ("--optim.loss", "--optim.kl")]
    refuse_idle(only, f"--method {asked.method}")
    if whole.data.hands is not None and whole.data.hands < (needed := hands_at_once(whole)):
        raise UsageError(
            f"--data.hands {whole.data.hands} was given, {needed} or more were expected, since episodes to so many are "
            "sampled at once; pass more, a smaller --optim.batch, or leave --data.hands out"
        )
    rounds = given(whole.rl.rounds)
    if rounds > 1 and (whole.method not in GRPO or whole.data.look):
        raise UsageError(
            f"episodes of {rounds} answers are played with --method {', '.join(GRPO)} and hands in words only; pass "
            "--rl.rounds 1, or such a method and no --data.look"
        )
    if whole.method not in GRPO and asked.rl.level is not None:
        refuse_idle(["--rl.level"], f"--method {asked.method}")


def judge_of(config: Config) -> Judge:
    vision = bool(config.data.look)
    if config.verifier == "exact":
        return Exact(vision=vision)
    return Chu2025(vision=vision, rounds=given(config.rl.rounds))


def shown(config: Config) -> int:
    """Hands that the steps need; of reinforcement whole sets, for sampling begins with nothing less."""
    if config.method == "sft":
        return given(config.steps) * given(config.optim.batch)
    return hands_at_once(config) * ceil(given(config.steps) / (given(config.rl.ahead) * given(config.rl.epochs)))


def hands_at_once(config: Config) -> int:
    """Hands to which episodes are sampled at once."""
    return ceil(given(config.optim.batch) * given(config.rl.ahead) / config.rl.samples)


def science_of(config: Config) -> dict[str, Any]:
    """What can change the result, as JSON values: a run that is gone on with must have the same."""
    left = {"out", "resume", "vllm", "match"}  # the steps that a match gave are there
    found = {name: value for name, value in asdict(config).items() if name not in left}
    found["load"] = {name: found["load"][name] for name in ("dtype", "mixed")}
    found["optim"] = {name: value for name, value in found["optim"].items() if name not in UNTOLD}
    return found
