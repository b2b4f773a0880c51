"""athanor study sft-vs-rl: does post-training generalize, or memorize?"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import tyro

from athanor.adapters.trl.data import Data
from athanor.adapters.trl.settings import (
    UNTOLD,
    Critic,
    Loading,
    Lora,
    Method,
    Optimisation,
    Reinforcement,
    Vllm,
    given,
    resolved,
    shown,
)
from athanor.adapters.trl.settings import Config as TrainConfig
from athanor.commands.studying import carry_out_plan, launcher, tell, tell_steps
from athanor.core.errors import UsageError
from athanor.core.lines import refuse_taken
from athanor.core.options import changed, refuse_idle, refuse_outside, words_of
from athanor.models.backends.llamacpp import SMOLLM2
from athanor.models.backends.torch_local import TorchConfig
from athanor.studies.sft_vs_rl.plan import Plan, conditions_of, steps

if TYPE_CHECKING:
    from athanor.studies.sft_vs_rl.findings import Found

SEEDS, LEVER_SEEDS = 4, 2
"""Trainings of each arm and each lever at the published size."""
EVERY = 20
"""Steps between checkpoints, as in the published fine-tuning."""


@dataclass(frozen=True, kw_only=True)
class FineTuning(Optimisation):
    """paper: of fine-tuning."""

    every: int = EVERY
    """Steps between checkpoints."""
    patience: tyro.conf.Suppress[int] = Optimisation.patience


@dataclass(frozen=True, kw_only=True)
class Reinforcing(Optimisation):
    """paper: of reinforcement."""

    every: int = EVERY
    """Steps between checkpoints."""
    loss: tyro.conf.Suppress[Literal["nll", "dft"]] = Optimisation.loss
    kl: tyro.conf.Suppress[float] = Optimisation.kl


def plain(optim: Optimisation) -> Optimisation:
    """As `train points` has it."""
    return Optimisation(**asdict(optim))


@dataclass(frozen=True, kw_only=True)
class Training:
    """paper: how policies are trained, as in `train points`."""

    load: Loading = field(default_factory=Loading)
    """paper: how the model is loaded."""
    lora: Lora = field(default_factory=Lora)
    """paper: low-rank adapters in place of all weights."""
    sft_optim: Annotated[FineTuning, tyro.conf.arg(name="sft-optim")] = field(default_factory=FineTuning)
    rl_optim: Annotated[Reinforcing, tyro.conf.arg(name="rl-optim")] = field(default_factory=Reinforcing)
    rl: Reinforcement = field(default_factory=Reinforcement)
    """paper: how answers are sampled and weighed."""
    critic: Critic = field(default_factory=Critic)
    """paper, in the arm ppo: what tells how an episode will go."""
    vllm: Vllm = field(default_factory=Vllm)
    """paper: sampling through vLLM."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """paper: what is run. Options of training that are left out are those of the preset chu2025."""

    model: str = ""
    """paper needs a folder in Hugging Face's format, a GGUF file, smollm2-135m-instruct, or OWNER/NAME on the hub."""
    episodes: int = 1_000
    """paper: hands of each condition, the same for all policies."""
    conditions: tuple[Literal["seen", "unseen", "mapping", "range", "rule", "red suits", "looks"], ...] = ()
    """paper; left out, all: in words the first five (J, Q, K = 7, 8, 9; printed; 11, 12, 13), with --look not range."""
    look: str = ""
    """paper: show the cards drawn so (plain, grid, ...), of black suits, and do not name them: the model must see."""
    method: Literal["grpo", "dr-grpo", "dapo", "rloo", "ppo"] = "grpo"
    """paper: of reinforcement, in the arms that do not change it; rloo needs --rl.rounds 1."""
    init_steps: int | None = None
    """paper: of the fine-tuning before the arms; left out, the preset's."""
    sft_steps: int | None = None
    """paper: of the fine-tuning after it, in every such arm; left out, as many as cost what reinforcement cost."""
    rl_steps: int | None = None
    """paper: of reinforcement; left out, the preset's."""
    verifier: Literal["exact", "chu2025"] = "exact"
    """paper: who judges in training and in play: fractions, or as published, defects included."""
    launch: str = ""
    """paper: what goes before a training's command: "accelerate launch --config_file FILE -m", "torchrun ... -m"."""
    training: Annotated[Training, tyro.conf.arg(name="")] = field(default_factory=Training)
    torch: TorchConfig = field(default_factory=TorchConfig)
    """paper: how policies are loaded in play."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Post-train policies on GeneralPoints, supervised and by reinforcement, and compare them on the same hands; ends
    with a report beside the numbers of Chu et al. 2025."""

    out: Path
    """The study's folder: runs/, estimates.jsonl, claims.jsonl, figures/, report.html."""
    setting: Literal["smoke", "laptop", "paper"] = "laptop"
    """smoke: under a minute; laptop: one to two hours on two cores; paper: --model at the published size, for days."""
    quick: bool = False
    """Two arms, two seeds, from one base, in five minutes on two cores."""
    bases: tuple[str, ...] = ()
    """Base policies to train from, files of `train base-points`; those of the package if none is given."""
    resume: bool = False
    """Go on with the study in --out; what is finished is kept."""
    dry_run: bool = False
    """paper: print every command, one a line, and run nothing."""
    seed: int = 1
    """All randomness follows from it."""
    seeds: int | None = None
    """Trainings of each main arm, in laptop from each base; left out, 4 (quick and smoke: 2)."""
    lever_seeds: int | None = None
    """Trainings of each lever, by the first of those seeds; left out, 2 (quick and smoke: 0, which trains none)."""
    arms: tuple[str, ...] = ()
    """Names of the arms to train, such as sft grpo "grpo, 3 rounds", with what they need; left out, all."""
    processes: int = 0
    """Trainings at once, each on one thread; 0 is one for each core."""
    json: bool = False
    """Print the estimates as JSON on standard output instead of the report's path."""
    paper: Annotated[Paper, tyro.conf.arg(name="")] = field(default_factory=Paper)


def run(config: Config) -> int:
    """Train, compare, write the report; print its path, or the estimates. 1 if a training was stopped."""
    _refuse(config)
    if config.dry_run:
        tell_steps(steps(plan_of(config), config.out))
        model = config.paper.model
        if "/" not in model and model != SMOLLM2 and not Path(model).exists():
            print(f"note: the model {model!r} is not here; the commands are for where it is", file=sys.stderr)
        return 0
    refuse_taken(config.out, resume=config.resume, work="a study")
    stopped, found = _at_size(config) if config.setting == "paper" else _own(config)
    tell(found.estimates, _page(found, config.out), json=config.json)
    return stopped


def _own(config: Config) -> tuple[int, Found]:
    """The study of the project's own policies, in this process and others."""
    from athanor.studies.sft_vs_rl.findings import find
    from athanor.studies.sft_vs_rl.study import Asked
    from athanor.studies.sft_vs_rl.study import run as train

    setting = "quick" if config.quick else config.setting
    asked = Asked(setting=setting, seed=config.seed, processes=config.processes, bases=config.bases,
                  seeds=config.seeds, lever_seeds=config.lever_seeds, only=config.arms)  # fmt: skip
    return train(asked, config.out), find(asked, config.out)


def _at_size(config: Config) -> tuple[int, Found]:
    """The study at the published size, each step a command of its own. A page is written of what is finished, whether
    or not a step fails or is interrupted."""
    from athanor.studies.folder import begin
    from athanor.studies.sft_vs_rl.played import find_played
    from athanor.studies.sft_vs_rl.study import KIND, command_line

    plan = plan_of(config)
    every = tuple(steps(plan, config.out))
    execution = {"seeds": plan.seeds, "lever_seeds": plan.lever_seeds, "arms": [arm.name for arm in plan.planned],
                 "launch": " ".join(plan.launch), "command": command_line()}  # fmt: skip
    begin(config.out, KIND, science_of(config), execution=execution)
    carry_out_plan(every, config.out, "sft-vs-rl", lambda: _page(find_played(plan, config.out), config.out))
    return 0, find_played(plan, config.out)


def plan_of(config: Config) -> Plan:
    """Every setting in the words of the commands that are run. UsageError for options that a training would refuse."""
    paper, training = config.paper, config.paper.training
    seeds = SEEDS if config.seeds is None else config.seeds
    levers = LEVER_SEEDS if config.lever_seeds is None else config.lever_seeds
    load = [*words_of(training.load, "load"), *words_of(training.lora, "lora")]
    download = paper.torch.download or training.load.download
    methods: tuple[Method, Method] = (paper.method, "sft")
    rl, sft = (_resolved(config, method) for method in methods)
    return Plan(
        model=paper.model, method=paper.method, seed=config.seed, seeds=seeds,
        lever_seeds=min(seeds, levers), arms=config.arms, episodes=paper.episodes,
        conditions=conditions_of(paper.conditions, paper.look), look=paper.look, verifier=paper.verifier,
        tokens=given(rl.rl.max_tokens), rounds=given(rl.rl.rounds), sampled=shown(rl) * rl.rl.samples,
        rate=given(sft.optim.learning_rate), init_steps=_steps(paper.init_steps), sft_steps=_steps(paper.sft_steps),
        rl_steps=_steps(paper.rl_steps), shared=tuple(load),
        supervised=tuple(words_of(plain(training.sft_optim), "optim")),
        reinforced=(*words_of(plain(training.rl_optim), "optim"), *words_of(replace(_rl(paper), max_tokens=None), "rl"),
                    *words_of(training.vllm, "vllm")),
        critic=tuple(words_of(training.critic, "critic")),
        play=tuple(words_of(replace(paper.torch, download=download), "torch")), launch=launcher(paper.launch),
    )  # fmt: skip


def _resolved(config: Config, method: Method) -> TrainConfig:
    """A training of the study with nothing left out. UsageError, in the words of this command, for what `train points`
    would refuse."""
    try:
        return resolved(_example(config, method))
    except UsageError as error:
        group = "--sft-optim." if method == "sft" else "--rl-optim."
        raise UsageError(str(error).replace("--optim.", group)) from error


def _example(config: Config, method: Method) -> TrainConfig:
    """A training of the study as `train points` is asked for it, without what tells it from others of its method."""
    paper, training = config.paper, config.paper.training
    asked = TrainConfig(model=paper.model, method=method, seed=config.seed, out=config.out, preset="chu2025",
                        verifier=paper.verifier, load=training.load, lora=training.lora,
                        data=Data(look=paper.look))  # fmt: skip
    if method == "sft":
        return replace(asked, optim=plain(training.sft_optim))
    return replace(asked, steps=paper.rl_steps, optim=plain(training.rl_optim), rl=_rl(paper), vllm=training.vllm)


def _rl(paper: Paper) -> Reinforcement:
    """How episodes are sampled; of hands in pictures they have one answer."""
    rl = paper.training.rl
    return replace(rl, rounds=1) if paper.look and rl.rounds is None else rl


def _steps(number: int | None) -> tuple[str, ...]:
    return () if number is None else ("--steps", str(number))


def science_of(config: Config) -> dict[str, Any]:
    """What can change the result, as JSON values: a study that is gone on with must have the same. There may be more
    seeds."""
    paper, training = config.paper, config.paper.training
    found = {
        "setting": config.setting, "seed": config.seed, "model": paper.model, "episodes": paper.episodes,
        "conditions": conditions_of(paper.conditions, paper.look), "look": paper.look,
        "method": paper.method, "verifier": paper.verifier, "init_steps": paper.init_steps,
        "sft_steps": paper.sft_steps, "rl_steps": paper.rl_steps, "dtype": training.load.dtype,
        "mixed": training.load.mixed, "lora": asdict(training.lora), "rl": asdict(training.rl),
        "sft_optim": {k: v for k, v in asdict(training.sft_optim).items() if k not in UNTOLD},
        "rl_optim": {k: v for k, v in asdict(training.rl_optim).items() if k not in UNTOLD},
        "critic": asdict(training.critic),
        "play_dtype": paper.torch.dtype,
    }  # fmt: skip
    return msgspec.json.decode(msgspec.json.encode(found))


def _page(found: Found, folder: Path) -> Path:
    from athanor.reports.sft_vs_rl import page

    return page(found, folder)


def _refuse(config: Config) -> None:
    """UsageError for options that cannot be meant, or do nothing in the setting."""
    if config.quick and config.setting != "laptop":
        raise UsageError(f"--quick and --setting {config.setting} were given; pass one of them")
    refuse_outside(config, {"processes": (0, inf), "seeds": (1, inf), "lever_seeds": (0, inf)})
    idle = [name for name, value in (("--bases", config.bases), ("--processes", config.processes)) if value]
    if config.setting != "paper":
        paper, training = config.paper, config.paper.training
        idle = changed(paper, but=("training", "torch")) + changed(paper.torch, "torch")
        groups = ("load", "lora", "rl", "critic", "vllm")
        idle += [one for name in groups for one in changed(getattr(training, name), name)]
        optims = {"sft-optim": training.sft_optim, "rl-optim": training.rl_optim}
        idle += [one for name, group in optims.items() for one in changed(group, name)]
        idle += ["--dry-run"] if config.dry_run else []
    refuse_idle(idle, "--quick" if config.quick else f"--setting {config.setting}")
    if config.setting != "paper":
        return
    ranges: dict[str, tuple[float, float]] = dict.fromkeys(
        ("episodes", "init_steps", "sft_steps", "rl_steps"), (1, inf)
    )
    refuse_outside(config.paper, ranges)
    if not config.paper.model:
        raise UsageError("--setting paper trains a model of yours; pass --model with a folder or OWNER/NAME on the hub")
    _refuse_training(config)


def _refuse_training(config: Config) -> None:
    """UsageError if a training would refuse its options: now, and not after days."""
    plan = plan_of(config)
    for step in steps(replace(plan, seeds=1, lever_seeds=min(1, plan.lever_seeds)), config.out):
        if step.kind == "train":
            words = step.command[len(plan.launch) + len(("athanor", "train", "points")) :]
            resolved(tyro.cli(TrainConfig, args=words, config=(tyro.conf.FlagCreatePairsOff,)))
