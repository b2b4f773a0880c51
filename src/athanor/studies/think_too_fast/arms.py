"""Who plays in the study, where and how long: its settings, and the arms that follow from one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from athanor.agents.asking import SERVER_TOKENS
from athanor.agents.cognitive import TEMPERATURE, CognitiveOptions
from athanor.agents.registry import LanguageOptions
from athanor.core.errors import UsageError
from athanor.environments.alchemy.rules import RulesName
from athanor.environments.alchemy.text import Condition
from athanor.environments.alchemy.worlds import is_here
from athanor.models.backends import BackendConfig, takes_grammar
from athanor.studies.playing.alchemy import Config as Play
from athanor.studies.think_too_fast.published import GAME

COGNITIVE: tuple[tuple[str, str, float], ...] = (
    ("uncertainty agent", "uncertainty=1", TEMPERATURE),
    ("empowerment agent", "empowerment=1", TEMPERATURE),
    ("both agent, T=1", "uncertainty=1,empowerment=1", 1.0),
)
"""Name, weights and temperature. The last is warm enough for its weights to be recovered: each is 1."""


PUBLISHED_RULES: RulesName = "pan2025"
PUBLISHED_TURNS, PUBLISHED_PLAYERS = 500, 400
"""Rules and turns of the published games, and the random players of the re-analysis."""
SHORT, THOUGHT = 16, 96
"""Bounds on the tokens of a small model's answer: of a pair, and of a thought with one."""
ANSWER = 50
"""The bound on the tokens of published answers of GPT-4o; here of arms that are not asked to reason."""
HIDDEN = re.compile(r"(.*[-_.:])?(r1|reasoner|reasoning|thinking|think|qwq|qwen3|gpt-5|gpt-oss|magistral)([-_.:].*)?")
"""Models that reason unasked before they answer: a bound counts what they think, and a small one cuts every answer."""
WITHOUT_TEMPERATURE = re.compile(r"o\d+([.-].*)?")
"""Models whose servers refuse a temperature, and prompts that ask them to reason aloud: OpenAI's o-series."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """An arm of the model before it has one."""

    options: LanguageOptions
    episodes: int
    worlds: int = 1
    """In how many of the setting's worlds it plays, from the first."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A size of the study."""

    worlds: tuple[tuple[str, RulesName], ...]
    """Table and rules of each world."""
    turns: int
    """Turns of an episode, at most."""
    random: int
    """Episodes of each random player, and of the cognitive agents."""
    oracle: int
    """Episodes of the oracle, which plays nearly the same every time."""
    arms: tuple[Asking, ...]
    """How the model is asked, arm by arm."""
    folds: int
    """Folds in which empowerment is learned from meaning, in worlds whose names have one; 0 takes the table's own."""
    about: str
    exact: bool = False
    """Whether random players and the oracle play the published games too, where the game's own table is there."""


def _small_arms() -> tuple[Asking, ...]:
    """For a model that cannot always keep to the form: mostly bound to legal answers by a grammar, so that its choices
    can be told from its slips, and few arms of many episodes rather than the reverse."""
    free = LanguageOptions(max_tokens=SHORT, temperature=1.0)
    bound = replace(free, constrained=True)
    return (
        Asking(options=replace(bound, temperature=0.3), episodes=10),
        Asking(options=bound, episodes=10, worlds=2),
        Asking(options=replace(bound, condition="engineered"), episodes=10),
        Asking(options=free, episodes=4),
        Asking(options=replace(bound, condition="reasoning", max_tokens=THOUGHT), episodes=4),
    )


def _published_arms() -> tuple[Asking, ...]:
    """Every condition at every temperature, as only the base condition was published; then budgets of reasoning."""
    conditions: tuple[Condition, ...] = ("base", "engineered", "reasoning")
    found = [
        LanguageOptions(temperature=t, condition=c, max_tokens=None if c == "reasoning" else ANSWER)
        for c in conditions for t in (0.0, 0.3, 0.7, 1.0)
    ]  # fmt: skip
    budgets = (ANSWER, 1000, 4000)  # the first is the bound that cut the published traces of GPT-4o
    found += [replace(found[-1], max_tokens=budget) for budget in budgets]
    return tuple(Asking(options=one, episodes=5) for one in found)


SETTINGS: dict[str, Setting] = {
    "smoke": Setting(
        worlds=(("generated:opaque:1", "strict"),), turns=8, random=6, oracle=2, folds=0,
        arms=(Asking(options=LanguageOptions(temperature=1.0, constrained=True, max_tokens=12), episodes=2),),
        about="one small arm of the model in one world: that everything runs, in under a minute",
    ),
    "laptop": Setting(
        worlds=(("atelier", "strict"), ("generated:opaque:1", "strict")), turns=20, random=60, oracle=4,
        arms=_small_arms(), folds=5, exact=True,
        about="a small model in the bundled and in a generated world, in under a quarter of an hour on two cores",
    ),
    "paper": Setting(
        worlds=((GAME, PUBLISHED_RULES),), turns=PUBLISHED_TURNS, random=PUBLISHED_PLAYERS, oracle=5,
        arms=_published_arms(), folds=10,
        about="the published sizes: five runs of 500 trials an arm; hours to days, resumable",
    ),
}  # fmt: skip


def arms(
    setting: Setting, folder: Path, model: str, backend: BackendConfig, seed: int, values: Callable[[str], str]
) -> Iterator[Play]:
    """Every arm as a run to be played in folder/runs; existing ones are gone on with.

    `values`: by the name of a table, the pair values that the analysis reads choices by. The cognitive agents choose
    by the same, or what they were given could not be recovered.

    A setting that is `exact` ends with the published games of those who need no model, where their table is there.
    """
    for number, (table, rules) in enumerate(setting.worlds):
        begins = _begins(folder, table, rules)
        one = Play(
            table=table, rules=rules, agent="random", episodes=setting.random, turns=setting.turns, seed=seed,
            resume=True, out=Path(f"{begins}-random"),
        )  # fmt: skip
        yield from _without_model(one, begins, setting.oracle)
        for name, weights, temperature in COGNITIVE:
            yield replace(
                one, agent="cognitive", label=name, out=Path(f"{begins}-{_slug(name)}"),
                language=LanguageOptions(temperature=temperature),
                cognitive=CognitiveOptions(weights=weights, pair_values=values(table)),
            )  # fmt: skip
        for asking in asked_of(model, setting.arms, backend):
            options = asking.options
            if number < asking.worlds:
                yield replace(
                    one, agent="language", episodes=asking.episodes, label=named(options), language=options,
                    backend=backend, out=Path(f"{begins}-{_slug(named(options))}"),
                )  # fmt: skip
    if setting.exact and is_here(GAME):
        begins = _begins(folder, GAME, PUBLISHED_RULES)
        one = Play(
            table=GAME, rules=PUBLISHED_RULES, agent="random", episodes=PUBLISHED_PLAYERS, turns=PUBLISHED_TURNS,
            seed=seed, resume=True, out=Path(f"{begins}-random"),
        )  # fmt: skip
        yield from _without_model(one, begins, setting.oracle)


def _begins(folder: Path, table: str, rules: str) -> Path:
    """How the paths of a world's runs begin."""
    return folder / "runs" / f"{table.replace(':', '-')}-{rules}"


def _without_model(one: Play, begins: Path, oracle: int) -> Iterator[Play]:
    """The memoryless random player's run, and those of the other baselines like it; `oracle`: its episodes."""
    yield one
    yield replace(one, agent="random-never-repeat", out=Path(f"{begins}-random-never-repeat"))
    yield replace(one, agent="oracle", episodes=oracle, out=Path(f"{begins}-oracle"))


def asked_of(model: str, planned: Sequence[Asking], backend: BackendConfig) -> tuple[Asking, ...]:
    """The arms that a model can play: one of the o-series is sent no temperature, and no prompt to reason aloud; a
    backend without grammars plays free what would be bound, and each arm once.

    >>> [named(one.options) for one in asked_of("o1", _published_arms(), BackendConfig(backend="openai"))]
    ['o1, base, no temperature', 'o1, engineered, no temperature']
    >>> [named(one.options) for one in asked_of("m", _small_arms()[1:4], BackendConfig(backend="openai"))]
    ['m, base, T=1', 'm, engineered, T=1']
    """
    found: dict[LanguageOptions, Asking] = {}
    for one in planned:
        options = replace(one.options, model=model, constrained=one.options.constrained and takes_grammar(backend))
        if refuses_temperature(model):
            if options.condition == "reasoning":
                continue
            options = replace(options, temperature=None)
        found.setdefault(options, replace(one, options=options))
    return tuple(found.values())


def bounded(setting: Setting, model: str, tokens: int | None) -> Setting:
    """The setting with `tokens` as the bound on answers of the arms that are not asked to reason.

    None leaves the setting's own, but for a model that reasons unasked: then it is a server's, which counts thoughts.
    """
    if tokens is None and not reasons(model):
        return setting
    if tokens is not None and tokens < 1:
        raise UsageError(
            f"--answer-tokens {tokens} was given, 1 or more was expected; pass {ANSWER}, say, or leave it out"
        )
    bound = SERVER_TOKENS if tokens is None else tokens
    return replace(setting, arms=tuple(_bounded(one, bound) for one in setting.arms))


def _bounded(one: Asking, tokens: int) -> Asking:
    if one.options.condition == "reasoning":
        return one
    return replace(one, options=replace(one.options, max_tokens=tokens))


def reasons(model: str) -> bool:
    """Whether a model reasons unasked before it answers, by its name.

    >>> [reasons(name) for name in ("o1-2024-12-17", "deepseek-reasoner", "Qwen/QwQ-32B", "deepseek-r1:8b")]
    [True, True, True, True]
    >>> [reasons(name) for name in ("gpt-4o", "smollm2-135m-instruct", "meta-llama/Llama-3.1-8B")]
    [False, False, False]
    """
    return refuses_temperature(model) or HIDDEN.fullmatch(Path(model).name.lower()) is not None


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
