"""athanor analyse: the estimates of one or more runs, and what drives the choices in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import tyro

from athanor.analysis import exploration, tables
from athanor.analysis.exploration import table_text, write_estimates
from athanor.analysis.multiplicity import differences_held, held_together, with_adjusted
from athanor.analysis.tables import Run, game_of, write_tables
from athanor.commands.logs import LogOptions, reading
from athanor.core.disk import cannot
from athanor.core.errors import StoreError, UsageError
from athanor.core.options import changed, option
from athanor.core.records import Estimate

if TYPE_CHECKING:
    from athanor.analysis.groups import Played

RATINGS = "ratings"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Print the estimates of runs, with intervals and the differences from their baselines."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...", help_behavior_hint="")]
    """Run folders; with --regression also files of logs. Those on the same world and rules are compared."""
    json: bool = False
    """Print JSON on standard output instead of a table."""
    regression: str = ""
    """What drives choices (main, ... in docs/values.md), or stopping, usage, ratings, ... (docs/behaviour.md)."""
    out: Path | None = None
    """Also write the turns of the one file or run here, as Parquet that is read again in place of it."""
    logs: Annotated[LogOptions, tyro.conf.arg(name="")] = field(default_factory=LogOptions)
    pair_values: str = "true"
    """Empowerment and success: true (of the table), a folder of `train empowerment`, or with ratings a CSV file."""
    comparison: Literal["uniform", "matched"] = "uniform"
    """Pairs that choices are compared with: any, or those that succeed or fail as the choice did."""
    nagq: Literal[0, 1] = 1
    """Mixed models by full Laplace approximation (1), or as the publications fitted them (0)."""
    nulls: int = 0
    """Draws of null choices (random but for repeats) for each run's weights, or of null stops; 0 makes none."""
    baseline: str = ""
    """With --regression inventory: the model that others are compared with, named without its temperature."""
    variant: Literal["exact", "published"] = "exact"
    """published: a game cut off counts as a stop (stopping), all effects differ by player (temperature)."""
    seed: int = 0
    """Draws the comparisons, the random players and the null choices."""


_AGAIN = "analyse again to keep them; they are printed all the same"


_READING = (
    "out", "rules", "table", "form", "columns", "illegal", "allow_excluded", "first_tries", "seed",
)  # fmt: skip
_READ: dict[str, tuple[str, ...]] = {
    "": (),
    "stopping": (*_READING, "nagq", "nulls", "variant"),
    "usage": _READING,
    "temperature": (*_READING, "nagq", "pair_values", "comparison", "variant"),
    "inventory": (*_READING, "nagq", "baseline"),
    "survival": _READING,
    RATINGS: ("table", "allow_excluded", "pair_values"),
}
"""The options that each analysis reads, by --regression."""
_OF_CHOICES = (*_READING, "nagq", "pair_values", "comparison", "nulls")
"""Those that a regression of choices reads."""


def run(config: Config) -> int:
    """Print the estimates; without --regression also keep each run's tables and estimates in its folder if possible."""
    _refuse_unread(config)
    make = {"": _kept, RATINGS: _ratings}.get(config.regression, _regression)
    found, told = make(config)
    print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode() if config.json else table_text(found))
    print(*told, sep="\n", file=sys.stderr if config.json else sys.stdout, end="\n" if told else "")
    return 0


def _refuse_unread(config: Config) -> None:
    """UsageError for an option that says nothing to what is asked."""
    read = _READ.get(config.regression, _OF_CHOICES)
    plain, apart = Config(runs=()), ("runs", "json", "regression", "logs")
    own = [one.name for one in fields(config) if one.name not in apart]
    given = [option(name) for name in own if getattr(config, name) != getattr(plain, name)] + changed(config.logs)
    unread = [one for one in given if one not in map(option, read)]
    if not unread:
        return
    where = f"with --regression {config.regression}" if config.regression else "without --regression"
    one = unread[0]
    readers = [name for name in (*_READ, "main") if one in map(option, _READ.get(name, _OF_CHOICES))]
    raise UsageError(f"{one} says nothing {where}; leave it out, or pass --regression {' or '.join(readers)}")


Analysis = tuple[Callable[[Sequence[Path]], list[Run]], Callable[[Sequence[Run]], tuple[Estimate, ...]]]
"""How runs are read, and what is made of them."""


def _alchemy() -> Analysis:
    return tables.read_runs, exploration.estimates


def _points() -> Analysis:
    from athanor.analysis import points  # compiled code, which alchemy does not wait for

    return points.read_runs, points.estimates


def _scenes() -> Analysis:
    from athanor.analysis import scenes  # pictures, which alchemy does not wait for

    return scenes.read_runs, scenes.estimates


ANALYSES: dict[str, Callable[[], Analysis]] = {"alchemy": _alchemy, "points": _points, "scenes": _scenes}
"""By environment."""


def _kept(config: Config) -> tuple[Sequence[Estimate], Sequence[str]]:
    for path in config.runs:
        if path.is_file():
            raise UsageError(f"{path} is a file, a run folder was expected; logs need --regression main, say")
    read, estimates = ANALYSES[game_of(config.runs)]()
    runs = read(config.runs)
    for one in runs:
        try:
            write_tables(one)
            write_estimates(one.path / "estimates.jsonl", estimates([one]))
        except OSError as error:
            elsewhere = f"make it writable and {_AGAIN}"
            told = cannot("store the tables and estimates in", one.path, error, elsewhere=elsewhere, again=_AGAIN)
            print(f"athanor analyse: {told}", file=sys.stderr)
    found = estimates(runs)
    held = differences_held(found)
    return found, [held] if held else []


def _regression(config: Config) -> tuple[Sequence[Estimate], Sequence[str]]:
    from athanor.analysis.behaviour import BEHAVIOUR, behaviour
    from athanor.analysis.groups import groups_of, read
    from athanor.analysis.logs import left_out
    from athanor.analysis.reading import readings
    from athanor.analysis.regressions import REGRESSIONS, regression
    from athanor.analysis.weights import Options, weights
    from athanor.values.meaning import pair_values

    other = config.regression if config.regression in BEHAVIOUR else ""
    wanted = REGRESSIONS["main"] if other else regression(config.regression)
    how = reading(config.logs, config.runs, seed=config.seed, comparison=config.comparison)
    options = Options(seed=config.seed, nagq=config.nagq, nulls=config.nulls, threads=len(os.sched_getaffinity(0)))
    worlds: list[Sequence[Estimate]] = []
    told: list[str] = []
    every = read(config.runs, how)
    _keep(config, every)
    for played in every:
        fixed = pair_values(config.pair_values, played.world)
        groups = groups_of(played, fixed, how)
        told += [note for logs in played.logs for note in logs.notes if not note.startswith("read as run")]
        told += [f"{logs.source}: left out {said}" for logs in played.logs for said in left_out(logs)]
        if other:
            some, said = behaviour(other, groups, fixed, options, baseline=config.baseline, variant=config.variant)
            worlds.append(some)
            told += said
            continue
        worlds.append(weights(groups, fixed, wanted, options))
        if config.pair_values == "true" and {"empowerment", "success"} & set(wanted.terms):
            told.append(
                "empowerment and success are the table's own, not what a player could predict; "
                "pass --pair-values with a folder of `athanor train empowerment` for predicted ones"
            )
    adjusted = with_adjusted(*worlds)
    found = [one for some in adjusted for one in some]
    read_out = [] if other else [said for some in adjusted for said in readings(some)]
    held = held_together(found)
    return found, [*read_out, *told, *([held] if held else [])]


def _keep(config: Config, every: Sequence[Played]) -> None:
    """Write the turns to --out, if it is given. UsageError if they are of several sources, or the file is there."""
    if config.out is None:
        return
    sources = [logs for played in every for logs in played.logs]
    if len(sources) != 1:
        raise UsageError(f"--out keeps one file or run, {len(sources)} were given; pass them one by one")
    if config.out.exists():
        raise UsageError(f"{config.out} already exists, a new file was expected; pass another --out")
    try:
        config.out.parent.mkdir(parents=True, exist_ok=True)
        sources[0].write_parquet(config.out)
    except OSError as error:
        raise StoreError(f"cannot write {config.out}: {error.strerror or error}; pass another --out") from error


def _ratings(config: Config) -> tuple[Sequence[Estimate], Sequence[str]]:
    """What the ratings in files of the validation experiment follow."""
    from athanor.analysis.ratings import estimates, ratings_of, worth_of
    from athanor.environments.alchemy.worlds import table
    from athanor.values.arrays import TableArrays

    tables.refuse_none(config.runs)
    every = [(str(path), ratings_of(path)) for path in config.runs]
    named = config.logs.table
    worth = worth_of(config.pair_values, TableArrays(table(named)) if named else None)
    return [
        one for name, ratings in every for one in estimates(ratings, worth, name, allow=config.logs.allow_excluded)
    ], []
