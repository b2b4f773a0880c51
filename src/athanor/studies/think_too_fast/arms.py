"""Who plays in the study, where and how long: its settings, and the arms that follow from one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from athanor.agents.cognitive import TEMPERATURE, CognitiveOptions
from athanor.agents.registry import LanguageOptions
from athanor.environments.alchemy.rules import RulesName
from athanor.models.backends import BackendConfig
from athanor.studies.playing.alchemy import Config as Play

COGNITIVE: tuple[tuple[str, str, float], ...] = (
    ("uncertainty agent", "uncertainty=1", TEMPERATURE),
    ("empowerment agent", "empowerment=1", TEMPERATURE),
    ("both agent, T=1", "uncertainty=1,empowerment=1", 1.0),
)
"""Name, weights and temperature. The last is warm enough for its weights to be recovered: each is 1."""


SHORT, THOUGHT = 16, 96
"""Bounds on the tokens of a small model's answer: of a pair, and of a thought with one."""
WITHOUT_TEMPERATURE = re.compile(r"o\d+([.-].*)?")
"""Models whose servers refuse a temperature, and prompts that ask them to reason aloud: OpenAI's o-series."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A size of the study."""

    worlds: tuple[tuple[str, RulesName], ...]
    """Table and rules of each world."""
    turns: int
    """Turns of an episode, at most."""
    random: int
    """Episodes of each random player, and of the cognitive agents."""
    episodes: int
    """Episodes of each arm of the model, and of the oracle, which plays nearly the same every time."""
    arms: tuple[LanguageOptions, ...]
    """How the model is asked, arm by arm."""
    folds: int
    """Folds in which empowerment is learned from meaning, in worlds whose names have one; 0 takes the table's own."""
    about: str


def _small_arms(temperatures: tuple[float, ...]) -> tuple[LanguageOptions, ...]:
    """For a model that cannot always keep to the form: free at every temperature, and bound to legal answers by a
    grammar under every condition, so that its choices can be told from its slips."""
    free = [LanguageOptions(max_tokens=SHORT, temperature=t) for t in temperatures]
    bound = [replace(one, constrained=True) for one in free]
    hot = bound[-1]
    engineered, reasoning = (
        replace(hot, condition="engineered"),
        replace(hot, condition="reasoning", max_tokens=THOUGHT),
    )
    return (*free, *bound, engineered, reasoning)


def _published_arms() -> tuple[LanguageOptions, ...]:
    free = LanguageOptions()
    found = [replace(free, temperature=t) for t in (0.0, 0.3, 0.7, 1.0)]
    found += [replace(free, temperature=1.0, condition=c) for c in ("engineered", "reasoning")]
    budgets = (50, 1000, 4000)  # 50 is the bound that cut the published traces of GPT-4o
    return (*found, *(replace(found[-1], max_tokens=budget) for budget in budgets))


SETTINGS: dict[str, Setting] = {
    "smoke": Setting(
        worlds=(("generated:opaque:1", "strict"),), turns=8, random=6, episodes=2, folds=0,
        arms=(LanguageOptions(temperature=1.0, constrained=True, max_tokens=12),),
        about="one small arm of the model in one world: that everything runs, in under a minute",
    ),
    "laptop": Setting(
        worlds=(("atelier", "strict"), ("generated:opaque:1", "strict")), turns=20, random=60, episodes=4,
        arms=_small_arms((0.3, 1.0)), folds=5,
        about="a small model in the bundled and in a generated world, in under a quarter of an hour on two cores",
    ),
    "paper": Setting(
        worlds=(("little-alchemy-2", "pan2025"),), turns=500, random=400, episodes=5, arms=_published_arms(),
        folds=10,
        about="the published sizes: five runs of 500 trials an arm; hours to days, resumable",
    ),
}  # fmt: skip


def arms(
    setting: Setting, folder: Path, model: str, backend: BackendConfig, seed: int, values: Callable[[str], str]
) -> Iterator[Play]:
    """Every arm as a run to be played in folder/runs; existing ones are gone on with.

    `values`: by the name of a table, the pair values that the analysis reads choices by. The cognitive agents choose
    by the same, or what they were given could not be recovered.
    """
    for table, rules in setting.worlds:
        begins = folder / "runs" / f"{table.replace(':', '-')}-{rules}"
        one = Play(
            table=table, rules=rules, agent="random", episodes=setting.random, turns=setting.turns, seed=seed,
            resume=True, out=Path(f"{begins}-random"),
        )  # fmt: skip
        yield one
        yield replace(one, agent="random-never-repeat", out=Path(f"{begins}-random-never-repeat"))
        yield replace(one, agent="oracle", episodes=setting.episodes, out=Path(f"{begins}-oracle"))
        for name, weights, temperature in COGNITIVE:
            yield replace(
                one, agent="cognitive", label=name, out=Path(f"{begins}-{_slug(name)}"),
                language=LanguageOptions(temperature=temperature),
                cognitive=CognitiveOptions(weights=weights, pair_values=values(table)),
            )  # fmt: skip
        for options in asked_of(model, setting.arms):
            yield replace(
                one, agent="language", episodes=setting.episodes, label=named(options), language=options,
                backend=backend, out=Path(f"{begins}-{_slug(named(options))}"),
            )  # fmt: skip


def asked_of(model: str, planned: Sequence[LanguageOptions]) -> tuple[LanguageOptions, ...]:
    """The arms that a model can play: one of the o-series is sent no temperature, and no prompt to reason aloud.

    >>> [named(one) for one in asked_of("o1", _published_arms())]
    ['o1, base, no temperature', 'o1, engineered, no temperature']
    """
    if not refuses_temperature(model):
        return tuple(replace(one, model=model) for one in planned)
    kept = [replace(one, model=model, temperature=None) for one in planned if one.condition != "reasoning"]
    return tuple(dict.fromkeys(kept))


def refuses_temperature(model: str) -> bool:
    """Whether the servers of a model refuse a temperature, by its name.

    >>> [refuses_temperature(name) for name in ("o1-2024-12-17", "openai/o3-mini", "gpt-4o", "olmo-2")]
    [True, True, False, False]
    """
    return WITHOUT_TEMPERATURE.fullmatch(Path(model).name.lower()) is not None


def named(options: LanguageOptions) -> str:
    """What an arm of the model is called.

    >>> named(LanguageOptions(model="m", temperature=1.0, condition="reasoning", max_tokens=96))
    'm, reasoning, T=1, 96 tokens'
    """
    parts = [Path(options.model).stem if options.model.endswith((".gguf", ".json")) else options.model]
    parts += [options.condition, "no temperature" if options.temperature is None else f"T={options.temperature:g}"]
    parts += ["constrained"] if options.constrained else []
    parts += [f"{options.max_tokens} tokens"] if options.max_tokens and options.condition == "reasoning" else []
    return ", ".join(parts)


def _slug(name: str) -> str:
    """A name as part of a folder's."""
    return "".join(c if c.isalnum() or c == "." else "-" for c in name.replace("=", "")).replace("--", "-")
