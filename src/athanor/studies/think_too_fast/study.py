"""Do language models think too fast to explore? Agents play, values and weights follow, figures are compared."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from athanor.agents.asking import sampling_of
from athanor.agents.registry import max_tokens_of
from athanor.analysis.arms import Arm, arms_of
from athanor.analysis.exploration import estimates_of, write_estimates
from athanor.analysis.groups import Played, Reading, groups_of, read
from athanor.analysis.intervals import difference
from athanor.analysis.multiplicity import with_adjusted
from athanor.analysis.nulls import refuse_negative
from athanor.analysis.random_players import MEMORYLESS, NEVER_REPEATS
from athanor.analysis.regressions import REGRESSIONS, Group
from athanor.analysis.settings import PER_UNIT, temperature_regression
from athanor.analysis.tables import read_runs
from athanor.analysis.weights import TOGETHER, Options, weights
from athanor.core.disk import write_atomically
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Estimate
from athanor.environments.alchemy.worlds import is_here, table
from athanor.models.backends import BackendConfig, refuse, refuse_setup, takes_grammar
from athanor.models.backends.openai_http import check_http
from athanor.studies import meaning
from athanor.studies.folder import begin
from athanor.studies.playing import alchemy as playing
from athanor.studies.think_too_fast import exact
from athanor.studies.think_too_fast.allowance import ALLOWED_OF_AN_ARM, allowed, refuse_share
from athanor.studies.think_too_fast.arms import SETTINGS, Setting, arms, asked_of, bounded
from athanor.studies.think_too_fast.claims import Comparison
from athanor.studies.think_too_fast.comparisons import comparisons
from athanor.studies.think_too_fast.headlines import THINKING, Headline, headlines
from athanor.studies.think_too_fast.people import People, people_of, read_people, together
from athanor.studies.think_too_fast.places import Place, place_name, places_of
from athanor.studies.think_too_fast.procedures import as_published, usage_of_random
from athanor.studies.think_too_fast.published import GAME
from athanor.values.meaning import pair_values

KIND = "study think-too-fast"
MAIN = REGRESSIONS["main"]
LEARNED = "learned"
"""Where `pair_values` says this, the study learns them from meaning."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the study is asked to do."""

    setting: str
    model: str
    backend: BackendConfig
    seed: int
    pair_values: str
    """LEARNED, `true` (the tables' own), or a folder with a folder of predictions for each table."""
    nulls: int
    threads: int
    allow_excluded: float = ALLOWED_OF_AN_ARM
    """Share of an arm's turns, and of logs of people, that may be left out before weights are withheld or refused."""
    nagq: Literal[0, 1] = 1
    """Of our mixed models; the published procedures beside them have their own."""
    answer_tokens: int | None = None
    """Bound on answers of arms that are not asked to reason; None leaves the setting's own (`arms.bounded`)."""
    people: tuple[Path, ...] = ()
    """Logs or run folders of people, to stand beside the models."""
    people_rules: str = "brandle2023"
    """Rules by which people's logs are replayed; run folders have their own."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the study found."""

    arms: tuple[Arm, ...]
    exploration: tuple[Estimate, ...]
    worlds: tuple[tuple[str, tuple[Estimate, ...]], ...]
    """By world: weights, effects of temperature and of reasoning, and immediate usage."""
    comparisons: tuple[Comparison, ...]
    headlines: tuple[Headline, ...]
    places: tuple[Place, ...]
    """The worlds again, in the setting's order, with who played there."""
    lacking: int = 0
    """Published numbers that would be computed as published, were the game's own table fetched."""

    def estimates(self) -> tuple[Estimate, ...]:
        """All of them, groups that several worlds have told apart."""
        where = Counter(group for _, found in self.worlds for group in {one.group for one in found})
        named = (
            msgspec.structs.replace(one, group=f"{one.group} ({world})")
            if one.group in ("", TOGETHER, NEVER_REPEATS, MEMORYLESS) or where[one.group] > 1 else one
            for world, found in self.worlds for one in found
        )  # fmt: skip
        return (*self.exploration, *named)


def run(asked: Asked, folder: Path) -> int:
    """Play every arm that is not played whole, into folder/runs; 1 if any episode ended in an error.

    UsageError if the folder holds a study of other settings. Killed, it is gone on with by the same call.
    """
    setting = _refuse_early(asked)
    asks = {"setting": asked.setting, "seed": asked.seed, "pair_values": _named_values(asked)}
    begin(folder, KIND, asks, execution={"model": asked.model}, hashes=_given_hashes(asked))
    _learn(asked, folder)
    failed = 0

    def values(name: str) -> str:
        return _values_for(asked, folder, table(name).name)

    for play in arms(setting, folder, asked.model, asked.backend, asked.seed, values):
        print(f"{play.out.name}: {play.episodes} episodes of {play.turns} turns", file=sys.stderr)
        failed |= playing.told(play, playing.play(play))
    return failed


def setting_of(name: str) -> Setting:
    """A setting by its name. UsageError for another word, and where a table of it is not there."""
    if name not in SETTINGS:
        raise UsageError(f"setting {name!r} is not one of {', '.join(SETTINGS)}; pass one of them")
    for world, _ in SETTINGS[name].worlds:
        table(world)
    if SETTINGS[name].exact and is_here(GAME):
        table(GAME)  # a damaged one is no surprise after everything else was played
    return SETTINGS[name]


def planned(asked: Asked) -> Setting:
    """The setting as it is asked for, whether its tables are there or not. UsageError for an option that cannot be
    meant."""
    refuse_share(asked.allow_excluded)
    refuse_negative(asked.nulls)
    if asked.backend.backend == "openai":
        check_http(asked.backend.http)
    if asked.pair_values not in (LEARNED, "true") and not Path(asked.pair_values).is_dir():
        raise UsageError(f"{asked.pair_values} is no folder; pass one with a folder of predictions for each table")
    if asked.setting not in SETTINGS:
        setting_of(asked.setting)
    return bounded(SETTINGS[asked.setting], asked.model, asked.answer_tokens)


def _refuse_early(asked: Asked) -> Setting:
    """The setting; whatever would be refused in the midst of the study is refused before anything is made."""
    setting = planned(asked)
    if asked.people:
        _people(asked)  # logs that cannot be read are no surprise after days of play
    refuse_setup(asked.model, asked.backend)
    setting_of(asked.setting)
    server = asked.backend.backend == "openai"
    for one in asked_of(asked.model, setting.arms, asked.backend):
        refuse(asked.backend, sampling_of(one.options, max_tokens_of(one.options, server=server)))
    if any(one.options.constrained for one in setting.arms) and not takes_grammar(asked.backend):
        kind = asked.backend.backend
        print(f"the backend {kind} takes no grammar: what one would bind is played free, once", file=sys.stderr)
    return setting


def _named_values(asked: Asked) -> str:
    """Where values come from, as the manifest has it: not by which path, which may change when a folder is moved."""
    return asked.pair_values if asked.pair_values in (LEARNED, "true") else playing.PREDICTED


def _given_hashes(asked: Asked) -> dict[str, str]:
    """SHA-256 of the manifests of the values that were given, by table."""
    if asked.pair_values in (LEARNED, "true"):
        return {}
    files = ((table(name).name, _given(asked, table(name).name)) for name, _ in SETTINGS[asked.setting].worlds)
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files if file.exists()}


def _given(asked: Asked, name: str) -> Path:
    return Path(asked.pair_values) / name / "manifest.json"


def _learn(asked: Asked, folder: Path) -> None:
    """Predict empowerment from meaning for every world whose names have one, into folder/values, if that is asked."""
    setting = SETTINGS[asked.setting]
    for name, _ in setting.worlds:
        out = folder / "values" / table(name).name
        meant = not name.startswith(("generated:opaque", "renamed"))
        if asked.pair_values == LEARNED and meant and setting.folds and not (out / "manifest.json").exists():
            print(f"{name}: empowerment is learned from meaning in {setting.folds} folds", file=sys.stderr)
            meaning.train(meaning.Config(table=name, seed=asked.seed, out=out, folds=setting.folds))


def analyse(asked: Asked, folder: Path) -> Found:
    """Everything that follows from the runs; estimates and comparisons are written into the folder too."""
    paths = sorted(path.parent for path in folder.glob("runs/*/manifest.json"))
    found_arms = tuple(arms_of(read_runs(paths)))
    thinking = [arm.run.path for arm in found_arms if arm.baseline is None]
    humans = _people(asked)
    worlds, people = list[tuple[str, tuple[Estimate, ...]]](), list[People]()
    for played in read(thinking, Reading(seed=asked.seed, allow=1.0)):
        beside, humans = _parted(humans, played)
        here, found = _in_world(asked, folder, found_arms, played, beside)
        worlds.append((place_name(played.world.table.name, played.rules.name), here))
        people += found
    for played in humans:
        here, found = _in_world(asked, folder, (), None, [played])
        worlds.append((f"{place_name(played.world.table.name, played.rules.name)}, people", here))
        people += found
    options = Options(seed=asked.seed, nagq=asked.nagq, threads=asked.threads)
    if alone := exact.numbers(SETTINGS[asked.setting], found_arms, options):
        worlds.append((exact.NAME, alone))
    adjusted = with_adjusted(*(found for _, found in worlds))
    worlds = [(name, found) for (name, _), found in zip(worlds, adjusted, strict=True)]
    exploration = estimates_of(found_arms)
    sources = {
        table(name).name: _source_of_empowerment(asked, folder, name) for name, _ in SETTINGS[asked.setting].worlds
    }
    sources.setdefault(GAME, exact.EMPOWERMENT)
    places = places_of(found_arms, exploration, worlds, sources)
    found = Found(
        arms=found_arms, exploration=exploration, worlds=tuple(worlds),
        comparisons=comparisons(asked.setting, asked.model, places, nagq=asked.nagq, people=together(people)),
        headlines=headlines(places, people), places=places, lacking=exact.lacking(SETTINGS[asked.setting], places),
    )  # fmt: skip
    write_estimates(folder / "estimates.jsonl", found.estimates())
    for name, rows in (("comparisons", found.comparisons), ("headlines", found.headlines)):
        lines = b"".join(msgspec.json.encode(one) + b"\n" for one in rows)
        write_atomically(folder / f"{name}.jsonl", lines)
    return found


def _in_world(
    asked: Asked, folder: Path, arms: Sequence[Arm], played: Played | None, humans: Sequence[Played]
) -> tuple[tuple[Estimate, ...], list[People]]:
    """What follows in one world under its rules, from arms or from people or from both; and the people."""
    reading = Reading(seed=asked.seed, allow=1.0)
    options = Options(seed=asked.seed, nagq=asked.nagq, nulls=asked.nulls, threads=asked.threads)
    of = played or humans[0]
    print(f"{place_name(of.world.table.name, of.rules.name)}: what drives choices", file=sys.stderr)
    fixed = pair_values(_values_for(asked, folder, of.world.table.name), of.world)
    groups, withheld = allowed(groups_of(played, fixed, reading) if played else (), MAIN, asked.allow_excluded)
    model = [arm.short for arm in arms if arm.run.manifest.config["agent"] == "language"]
    ours, apart = [g for g in groups if g.name in model], [g for g in groups if g.name not in model]
    turns = [arm.world.turns for arm in arms if arm.world.table == _whole(of)]
    found = [people_of(one, fixed, reading, options, turns) for one in humans]
    apart += [one for people in found for one in people.groups]
    here = (
        *withheld, *(weights(ours, fixed, MAIN, options, apart=apart) if groups or apart else ()),
        *(as_published(ours, apart, fixed, options) if played else ()),
        *_temperature(_varied(ours, arms), asked),
        *_thinking([arm for arm in arms if arm.short in model and arm.world.table == _whole(of)]),
        *(usage_of_random(of.world, asked.seed) if played else ()), *(e for people in found for e in people.estimates),
    )  # fmt: skip
    return here, found


def _people(asked: Asked) -> list[Played]:
    """The logs of people; those in files are of the first world's table."""
    named = SETTINGS[asked.setting].worlds[0][0]
    reading = Reading(seed=asked.seed, allow=asked.allow_excluded, table=named, rules=asked.people_rules)
    return read_people(asked.people, reading)


def _parted(humans: Sequence[Played], played: Played) -> tuple[list[Played], list[Played]]:
    """The people of a world and its rules, and the others."""
    here = (played.world.table.digest, played.rules.name)
    same = [(one.world.table.digest, one.rules.name) == here for one in humans]
    both = list(zip(humans, same, strict=True))
    return [one for one, alike in both if alike], [one for one, alike in both if not alike]


def _whole(played: Played) -> str:
    """A world's name and digest, as arms have it."""
    return f"{played.world.table.name}@{played.world.table.digest[:12]}"


def _values_for(asked: Asked, folder: Path, table: str) -> str:
    """The folder with the predicted values of a table; `true`, the table's own, where there is none."""
    values = folder / "values" if asked.pair_values == LEARNED else Path(asked.pair_values)
    return str(values / table) if (values / table / "manifest.json").exists() else "true"


def _source_of_empowerment(asked: Asked, folder: Path, world: str) -> str:
    """Where the empowerment of pairs comes from in a world, in words."""
    setting = SETTINGS[asked.setting]
    if _values_for(asked, folder, table(world).name) == "true":
        return "the table's own"
    learned = asked.pair_values == LEARNED
    return f"predicted from meaning in {setting.folds} folds" if learned else "predicted from meaning"


def _varied(groups: Sequence[Group], arms: Sequence[Arm]) -> list[Group]:
    """The groups asked in a way that was asked at two temperatures or more, and those that take no temperature.

    With others, what a prompt does would count as the temperature's doing, which alone goes with it.
    """
    way = {arm.short: _way(arm) for arm in arms}
    temperatures: dict[tuple[object, ...], set[float]] = {}
    for one in groups:
        if one.temperature is not None and len(one.games.pool):
            temperatures.setdefault(way[one.name], set()).add(one.temperature)
    return [one for one in groups if one.temperature is None or len(temperatures.get(way[one.name], ())) > 1]


def _way(arm: Arm) -> tuple[object, ...]:
    """How a model is asked, its temperature aside."""
    config = arm.run.manifest.config
    return tuple(config.get(key) for key in ("model", "condition", "constrained", "max_tokens"))


def _temperature(groups: Sequence[Group], asked: Asked) -> Iterator[Estimate]:
    """What the sampling temperature does to preferences; nothing where it does not vary or cannot be fitted."""
    with_turns = [g for g in groups if len(g.games.pool)]
    if len({g.temperature for g in with_turns if g.temperature is not None}) < 2:
        return
    try:
        effects = temperature_regression(with_turns, asked.seed, nagq=asked.nagq, threads=asked.threads)
    except DataError as error:
        print(f"no regression on temperature: {error}", file=sys.stderr)
        return
    for one in effects:
        if one.name.endswith(f"({PER_UNIT})"):
            yield one


def _thinking(arms: Sequence[Arm]) -> Iterator[Estimate]:
    """How much more is discovered with reasoning: each reasoning arm against the free base arm of its temperature."""
    for arm in arms:
        config = arm.run.manifest.config
        if config["condition"] != "reasoning":
            continue
        for other in arms:
            base = other.run.manifest.config
            same = all(base.get(k) == config.get(k) for k in ("model", "temperature", "constrained", "table", "rules"))
            if same and base["condition"] == "base":
                found = difference(*(one.episodes("inventory").tolist() for one in (arm, other)))
                yield Estimate(
                    name=THINKING, value=found.value, low=found.low, high=found.high, level=found.level, n=found.n,
                    unit="episodes", method=found.method, group=arm.short,
                )  # fmt: skip
