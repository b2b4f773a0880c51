"""Drawing as it is played into a run folder: its settings, and what of them is science."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import tyro

from athanor.agents.scenes import PAINTERS
from athanor.agents.unified_painter import UnifiedPainter
from athanor.core.errors import UsageError
from athanor.core.options import changed, option, refuse_idle, refuse_outside
from athanor.core.play import Planned
from athanor.core.protocols import Agent, Backend
from athanor.environments.scenes import CATEGORIES, STYLES, Judge, Look, Scenes
from athanor.models.backends import BackendConfig
from athanor.models.backends.pretrained import digest_of
from athanor.models.unified.embedded import folder_of, usual
from athanor.studies.playing import running
from athanor.studies.playing.running import RANGES, Common, Ended, Match, told

if TYPE_CHECKING:
    from athanor.models.unified.drawing import Drawing
    from athanor.models.unified.unified import Unified

__all__ = ["Config", "DrawingOptions", "play", "refuse_idle_options", "told"]

PainterName = Literal["gold", "random", "unified"]
StyleName = Literal["aligned", "jittered", "textured"]
RulesName = Literal["strict", "lenient"]


@dataclass(frozen=True, kw_only=True)
class DrawingOptions:
    """Which unified model draws, and how."""

    model: Path | None = None
    """The folder of a unified model, in the layout of its release or of transformers; left out, the package's own."""
    guidance: float | None = None
    """Weight of classifier-free guidance; 1 is none, and half the work; left out, the model's own, or 5."""
    temperature: float | None = None
    """0 takes the likeliest code each time; left out, the model's own, or 1."""
    top_k: int | None = None
    """Draw from the k likeliest codes only."""
    top_p: float | None = None
    """Draw from the fewest likeliest codes with this probability only."""
    template: Literal["janus-pro", "janus", "words"] | None = None
    """How the model was taught to converse; janus for a released Janus-1.3B, which does not say it itself."""
    device: str = "auto"
    """Where the model runs, as torch calls it; auto is the first GPU, else the CPU."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """In which precision; that of the file if not given, but float32 for float16 on a CPU."""


SCIENCE = ("guidance", "temperature", "top_k", "top_p", "template", "dtype")
"""The drawing options that can change a picture; the model is told by the hash of its files."""
Load = Callable[[DrawingOptions], "Unified"]
"""Gives the model that the options name, on its device; UsageError or DataError where there is none."""


@dataclass(frozen=True, kw_only=True)
class Config(Common):
    """Draw prompts of scenes, every picture judged exactly, and write them to a run folder."""

    agent: PainterName
    """gold (a true picture), random (a picture of any prompt of the category), unified (a model)."""
    split: Literal["train", "test", "all"]
    """Which prompts: of test each has a combination that no training prompt has; single_object has the same in both."""
    style: StyleName
    """What gold pictures look like, and what dense prompts tell of sizes and textures."""
    rules: RulesName
    """strict: what was asked for and nothing else; lenient: as GenEval judges, more may be there."""
    attempts: int
    """Pictures of a prompt, at most; the episode ends when one passes."""
    categories: tuple[str, ...] = CATEGORIES
    """Of prompts, which take turns."""
    drawing: Annotated[DrawingOptions, tyro.conf.arg(name="")] = field(default_factory=DrawingOptions)
    backend: Annotated[BackendConfig, tyro.conf.Fixed, tyro.conf.Suppress] = field(default_factory=BackendConfig)
    """Nothing is asked in words."""


def play(config: Config, load: Load) -> Ended:
    """Draw what is not yet drawn, and give what ended now. `load` is called once, and for the agent unified only."""
    refuse_outside(config, {**RANGES, "attempts": (1, inf)})
    return running.play(config, match_of(config, load))


def refuse_idle_options(config: Config) -> None:
    """UsageError naming the options given that do nothing beside the agent or the temperature."""
    asked = config.drawing
    refuse_idle([] if config.agent == "unified" else changed(asked), f"--agent {config.agent}")
    if asked.temperature == 0:
        idle = {"--attempts above 1": config.attempts > 1}
        idle |= {option(name): getattr(asked, name) is not None for name in ("top_k", "top_p")}
        refuse_idle([name for name, given in idle.items() if given], "--temperature 0")


def match_of(config: Config, load: Load) -> Match:
    """Who draws what."""
    science = _science(config)
    environment = environment_of(science)
    plan = planned(environment, config.split, config.seed, config.episodes)
    make, hashes = _maker(config, environment, plan, load)
    return Match(
        environment=environment,
        verifier=Look(environment=environment),
        plan=plan,
        turns=config.attempts,
        agent=config.agent,
        make=make,
        hashes=hashes,
        asked=None,
        science=science,
        label=label_of(config),
    )


def _maker(
    config: Config, environment: Scenes, plan: tuple[Planned, ...], load: Load
) -> tuple[Callable[[Backend | None], Agent[Any, Any]], Callable[[], dict[str, str]]]:
    """What makes the agent, and what gives the SHA-256 of what it reads."""
    if config.agent != "unified":
        return lambda backend: PAINTERS[config.agent](environment), dict
    path, how = _model(config.drawing), _how(config.drawing)

    def make(backend: Backend | None) -> Agent[Any, Any]:
        painter = UnifiedPainter(unified=load(config.drawing), how=how)
        painter.refuse(environment.observe(environment.start(each.task)).prompt for each in plan)
        return painter

    return make, lambda: {"model": digest_of(path, ("*.bin",))}


def _model(asked: DrawingOptions) -> Path:
    """The model's folder. UsageError if there is none."""
    folder = folder_of(asked.model)
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder} holds no model, a folder with config.json was expected; pass such a --model")
    return folder


def _how(asked: DrawingOptions) -> Drawing:
    try:
        from athanor.models.unified.drawing import Drawing
        from athanor.models.unified.sampling import Sampling
    except ImportError as error:
        raise UsageError("torch is not installed; run `pip install 'athanor-lab[torch]'`") from error
    ours = usual(asked.model, asked.guidance, asked.temperature)
    sampling = Sampling(temperature=ours.temperature, top_k=asked.top_k, top_p=asked.top_p)
    return Drawing(guidance=ours.guidance, sampling=sampling)


def _science(config: Config) -> dict[str, Any]:
    """The settings as JSON values, from which `environment_of` makes the environment again."""
    asked = config.drawing
    how = {name: getattr(asked, name) for name in SCIENCE} if config.agent == "unified" else {}
    how |= msgspec.to_builtins(usual(asked.model, asked.guidance, asked.temperature)) if how else {}
    return {
        "environment": "scenes", "split": config.split, "style": config.style, "categories": list(config.categories),
        "rules": config.rules, "attempts": config.attempts, **how,
    }  # fmt: skip


def environment_of(setting: Mapping[str, Any]) -> Scenes:
    """The environment of a run, from the configuration in its manifest. UsageError for categories that are none."""
    categories = tuple(setting["categories"])
    if not categories or len(set(categories)) < len(categories) or not set(categories) <= set(CATEGORIES):
        raise UsageError(
            f"--categories {' '.join(map(str, categories))} was given, different ones of {', '.join(CATEGORIES)} were "
            "expected; pass such"
        )
    return Scenes(categories=categories, style=STYLES[setting["style"]], judge=Judge(rules=setting["rules"]))


def planned(environment: Scenes, split: str, seed: int, episodes: int) -> tuple[Planned, ...]:
    """The episodes of a run: a prompt each, as they are told."""
    tasks = islice(environment.tasks(split, seed), episodes)
    return tuple(Planned(key=f"{i:04d}", task=task) for i, task in enumerate(tasks))


def label_of(config: Config) -> str:
    """The arm's name: the agent, how a model draws, and what is played where it is not the plainest."""
    asked = config.drawing
    parts = [folder_of(asked.model).resolve().name if config.agent == "unified" else config.agent]
    parts += [f"guidance {asked.guidance:g}"] if asked.guidance is not None else []
    parts += [f"T={asked.temperature:g}"] if asked.temperature is not None else []
    parts += [f"top {asked.top_k} codes"] if asked.top_k is not None else []
    parts += [f"top p {asked.top_p:g}"] if asked.top_p is not None else []
    parts += [config.style] if config.style != "aligned" else []
    parts += [config.rules] if config.rules != "strict" else []
    return ", ".join(parts)
