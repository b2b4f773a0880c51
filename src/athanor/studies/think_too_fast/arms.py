"""Who plays in the study, where and how long: its settings, and the arms that follow from one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def _arms(temperatures: tuple[float, ...], budgets: tuple[int, ...], bound: int | None) -> tuple[LanguageOptions, ...]:
    """The published conditions and temperatures, free and constrained to legal answers, and budgets of reasoning."""
    plain = LanguageOptions(max_tokens=bound)
    found = [replace(plain, temperature=t, constrained=True) for t in temperatures]
    hot = replace(plain, temperature=temperatures[-1])
    found += [hot, replace(hot, condition="engineered", constrained=True)]
    return (*found, *(replace(hot, condition="reasoning", max_tokens=budget) for budget in budgets))


def _published_arms() -> tuple[LanguageOptions, ...]:
    free = LanguageOptions()
    found = [replace(free, temperature=t) for t in (0.0, 0.3, 0.7, 1.0)]
    found += [replace(free, temperature=1.0, condition=c) for c in ("engineered", "reasoning")]
    budgets = (50, 1000, 4000)  # 50 is the bound that cut the published traces of GPT-4o
    return (*found, *(replace(found[-1], max_tokens=budget) for budget in budgets))


SETTINGS: dict[str, Setting] = {
    "smoke": Setting(
        worlds=(("generated:opaque:1", "strict"),), turns=8, random=6, episodes=2, arms=_arms((1.0,), (), 12)[:1],
        folds=0,
        about="one small arm of the model in one world: that everything runs, in under a minute",
    ),
    "laptop": Setting(
        worlds=(("atelier", "strict"), ("generated:opaque:1", "strict")), turns=20, random=60, episodes=3,
        arms=_arms((0.3, 1.0), (24, 96), 16), folds=5,
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
        for options in setting.arms:
            asked = replace(options, model=model)
            yield replace(
                one, agent="language", episodes=setting.episodes, label=named(asked), language=asked, backend=backend,
                out=Path(f"{begins}-{_slug(named(asked))}"),
            )  # fmt: skip


def named(options: LanguageOptions) -> str:
    """What an arm of the model is called.

    >>> named(LanguageOptions(model="m", temperature=1.0, condition="reasoning", max_tokens=96))
    'm, reasoning, T=1, 96 tokens'
    """
    parts = [Path(options.model).stem if options.model.endswith((".gguf", ".json")) else options.model]
    parts += [options.condition, "default T" if options.temperature is None else f"T={options.temperature:g}"]
    parts += ["constrained"] if options.constrained else []
    parts += [f"{options.max_tokens} tokens"] if options.max_tokens and options.condition == "reasoning" else []
    return ", ".join(parts)


def _slug(name: str) -> str:
    """A name as part of a folder's."""
    return "".join(c if c.isalnum() or c == "." else "-" for c in name.replace("=", "")).replace("--", "-")
