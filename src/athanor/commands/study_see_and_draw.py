"""athanor study see-and-draw: can one model see and draw?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import tyro

from athanor.commands.studying import carry_out_plan, launcher, tell, tell_steps, words_in
from athanor.core.errors import UsageError
from athanor.core.lines import refuse_taken
from athanor.core.options import changed, refuse_idle, refuse_outside

if TYPE_CHECKING:
    from athanor.studies.see_and_draw.findings import Found
    from athanor.studies.see_and_draw.plan import Plan

SEEDS = 3
"""Of `--setting paper`."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """paper: what is run."""

    model: str = ""
    """The folder of a unified model that all arms begin from: one of `athanor assemble`. Needed."""
    data: tuple[str, ...] = ()
    """Shards in WebDataset's convention, .tar files or folders that have some. Needed."""
    scenes: float = 0.5
    """Share of the examples that the generator of scenes makes, on which all models are tried."""
    length: float = 1.0
    """Steps of each stage, as a multiple of the published."""
    style: Literal["aligned", "jittered", "textured"] = "aligned"
    """Of the pictures that models are tried on."""
    rl_steps: int = 200
    """Of reinforcement."""
    rl_group: tuple[int, int] = (8, 8)
    """Prompts of a step of reinforcement, and images of each."""
    guidance: float = 5.0
    """That reinforcement draws with, and arms are compared at; all arms are tried without, too."""
    train_words: str = ""
    """More options for trainings of stages, behind =, as --train-words="--device cuda --tune.parts 16"."""
    rl_words: str = ""
    """More options for reinforcement, behind =, as --rl-words="--mixed --rl.micro 4"."""
    trial_words: str = ""
    """More options for trials, behind =, as --trial-words="--dtype bfloat16 --prompts 40"."""
    launch: str = ""
    """What goes before a training of stages: "accelerate launch --config_file FILE -m", "torchrun ... -m"."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Train unified models with one thing changed at a time, try them on the same prompts and questions, and compare
    them; ends with a report beside the tables of Janus and Janus-Pro."""

    out: Path
    """The study's folder: runs/, estimates.jsonl, claims.jsonl, figures/, report.html."""
    setting: Literal["smoke", "laptop", "paper"] = "laptop"
    """smoke: under a minute; laptop: 90 minutes on two cores; paper: --model at the published size, for weeks."""
    quick: bool = False
    """Three arms, two seeds, in a quarter of an hour on two cores."""
    resume: bool = False
    """Go on with the study in --out; what is finished is kept."""
    dry_run: bool = False
    """paper: print every command, one a line, and run nothing."""
    seed: int = 1
    """All randomness follows from it."""
    seeds: int | None = None
    """Trainings of each arm; left out, 5 (quick and smoke 2, paper 3). There may be more when it is gone on with."""
    arms: tuple[str, ...] = ()
    """Names of arms, such as decoupled "7:3:10"; left out, all. What they begin from is trained with them."""
    processes: int = 0
    """Trainings at once, each on one thread; 0 is one for each core."""
    json: bool = False
    """Print the estimates as JSON on standard output instead of the report's path."""
    paper: Annotated[Paper, tyro.conf.arg(name="")] = field(default_factory=Paper)


def run(config: Config) -> int:
    """Train, try, write the report; print its path, or the estimates. 1 if a training was stopped."""
    _refuse(config)
    if config.dry_run:
        from athanor.studies.see_and_draw.plan import steps

        tell_steps(steps(plan_of(config), config.out))
        return 0
    refuse_taken(config.out, resume=config.resume, work="a study")
    stopped, found = _at_size(config) if config.setting == "paper" else _own(config)
    tell(found.estimates, _page(found, config.out), json=config.json)
    return stopped


def _own(config: Config) -> tuple[int, Found]:
    """The study of small models trained here, in other processes."""
    from athanor.studies.see_and_draw.findings import find
    from athanor.studies.see_and_draw.study import Asked
    from athanor.studies.see_and_draw.study import run as train

    setting = "quick" if config.quick else config.setting
    asked = Asked(
        setting=setting, seed=config.seed, processes=config.processes, seeds=config.seeds, arms=config.arms
    )  # fmt: skip
    return train(asked, config.out), find(asked, config.out)


def _at_size(config: Config) -> tuple[int, Found]:
    """The study at the published size, each step a command of its own. A page is written of what is finished, whether
    or not a step fails or is interrupted."""
    from athanor.studies.folder import begin
    from athanor.studies.see_and_draw.plan import find_played, steps
    from athanor.studies.see_and_draw.study import KIND

    plan = plan_of(config)
    every = tuple(steps(plan, config.out))
    execution = {"seeds": plan.seeds, "launch": " ".join(plan.launch)}
    begin(config.out, KIND, science_of(config), execution=execution)
    carry_out_plan(every, config.out, "see-and-draw", lambda: _page(find_played(plan, config.out), config.out))
    return 0, find_played(plan, config.out)


def plan_of(config: Config) -> Plan:
    """Every setting in the words of the commands that are run."""
    from athanor.studies.see_and_draw.plan import Plan

    paper = config.paper
    return Plan(
        model=paper.model, data=paper.data, seed=config.seed, seeds=config.seeds or SEEDS, length=paper.length,
        scenes=paper.scenes, style=paper.style, arms=config.arms, rl_steps=paper.rl_steps, group=paper.rl_group,
        guidance=paper.guidance, shared=words_in("--train-words", paper.train_words),
        reinforced=words_in("--rl-words", paper.rl_words), trial=words_in("--trial-words", paper.trial_words),
        launch=launcher(paper.launch),
    )  # fmt: skip


def science_of(config: Config) -> dict[str, Any]:
    """What can change the result, as JSON values: a study that is gone on with must have the same. There may be more
    seeds and arms."""
    found = {name: value for name, value in asdict(config.paper).items() if name != "launch"}
    told = {"setting": config.setting, "seed": config.seed, **found}
    return msgspec.json.decode(msgspec.json.encode(told))


def _page(found: Found, folder: Path) -> Path:
    from athanor.reports.see_and_draw import page

    return page(found, folder)


def _refuse(config: Config) -> None:
    """UsageError for options that cannot be meant, or do nothing in the setting."""
    if config.quick and config.setting != "laptop":
        raise UsageError(f"--quick and --setting {config.setting} were given; pass one of them")
    refuse_outside(config, {"processes": (0, inf), "seeds": (1, inf)})
    given = ["--processes"] if config.processes and config.setting == "paper" else []
    if config.setting != "paper":
        given = changed(config.paper) + (["--dry-run"] if config.dry_run else [])
    refuse_idle(given, f"--setting {config.setting}")
    if config.setting != "paper":
        from athanor.studies.see_and_draw.arms import WHOLE

        _refuse_arms(config, WHOLE)
        return
    refuse_outside(config.paper, {"length": (1e-9, inf), "rl_steps": (1, inf), "scenes": (0, 0.999)})
    if min(config.paper.rl_group) < 2:
        raise UsageError(f"--rl-group {config.paper.rl_group} was given, 2 or more of both were expected")
    if not config.paper.model or not config.paper.data:
        raise UsageError("--setting paper trains a model of yours on your data; pass --model and --data")
    from athanor.studies.see_and_draw.plan import ways

    _refuse_arms(config, [way.arm.name for way in ways(replace(plan_of(config), arms=()))])


def _refuse_arms(config: Config, names: Sequence[str]) -> None:
    """UsageError for an arm that there is not."""
    unknown = [name for name in config.arms if name not in names]
    if unknown:
        raise UsageError(f"--arms has {', '.join(unknown)}, some of {', '.join(names)} were expected; quote each name")
