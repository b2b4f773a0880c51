"""The numbers of docs/behaviour.md: immediate usage of random players, and how often intervals leave out nothing.

    python benchmarks/behaviour.py [--table little-alchemy-2] [--seeds 20] [--comparisons 400] [--resamples 200]

First, 1000 random players of 1000 turns by the rules of `brandle2023` at each seed, as published, and their regressions
of usage on children: mean (deviation) over seeds. Then groups that are alike in everything but the temperature that is
written beside them: in how many of the comparisons a 95% interval leaves out 0, which is the truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from athanor.analysis.regressions import Group, group
from athanor.analysis.settings import final_inventory, inventory_growth
from athanor.analysis.usage import ENOUGH, immediate_usage, usage_table
from athanor.core.progress import progress
from athanor.core.records import Estimate
from athanor.core.seeds import stream
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.worlds import FORMS, table
from athanor.values.arrays import TableArrays
from athanor.values.games import Games, simulate
from athanor.values.tables import PairValues

PLAYERS, TURNS = 1000, 1000
ALIKE, SHORT = 12, 100
"""Players of a group that is compared with one like it, and turns of each."""
SLOPE = "usage % by ln(1 + children)"
ROWS = ("r of usage and children", "r of usage and ln(1 + children)", "usage % at ln(1 + children) = 0", SLOPE)


def usage(world: TableArrays, never_repeats: bool, seeds: int, resamples: int) -> Iterator[str]:
    """The published regressions over seeds, and whether a bootstrap over players knows how they vary."""
    found: dict[str, list[float]] = {name: [] for name in ("elements", *ROWS, "over players", "bootstrap")}
    with progress(seeds, "seed", "never repeating" if never_repeats else "memoryless") as bar:
        for seed in range(seeds):
            games = simulate(world, RULES["brandle2023"], np.full(PLAYERS, TURNS), seed, never_repeats=never_repeats)
            by = {(e.name, e.unit): e for e in immediate_usage(games, seed=seed, resamples=resamples)}
            found["elements"].append(by[SLOPE, "elements"].n)
            for name in ROWS:
                found[name].append(by[name, "elements"].value or 0.0)
            slope = by[f"{SLOPE}, often found ones over players", "players"]
            found["over players"].append(slope.value or 0.0)
            found["bootstrap"].append(((slope.high or 0.0) - (slope.low or 0.0)) / 2 / 1.96)
            bar.update()
    for name in ("elements", *ROWS):
        yield f"  {name}: {np.mean(found[name]):.3f} ({np.std(found[name], ddof=1):.3f})"
    ratio = np.std(found["over players"], ddof=1) / np.mean(found["bootstrap"])
    yield f"  the slope over players varies between seeds {ratio:.1f} times as much as its bootstrap says"


def correlations(games: Games) -> str:
    """Of elements found often: children and mean turn, mean turn and usage."""
    often = usage_table(games).to_pandas().query(f"found >= {ENOUGH}")
    by_children = np.corrcoef(np.log1p(often["children"]), often["mean_turn"])[0, 1]
    by_usage = np.corrcoef(often["usage"], often["mean_turn"])[0, 1]
    return f"never repeating, seed 0: r of mean turn and ln(1 + children) {by_children:.2f}, and usage {by_usage:.2f}"


def drawn(seed: int, temperature: int) -> int:
    return int(stream(seed, "alike", str(temperature)).integers(2**31))


def alike(world: TableArrays, fixed: PairValues, seed: int) -> tuple[Group, Group]:
    """Two groups of random players with a temperature written beside them that nothing depends on."""
    first, second = (
        group(
            f"T={t}", simulate(world, RULES["brandle2023"], np.full(ALIKE, SHORT), drawn(seed, t), never_repeats=True),
            fixed, seed=seed, temperature=float(t), model="m",
        )
        for t in (0, 1)
    )  # fmt: skip
    return first, second


def left_out(world: TableArrays, comparisons: int) -> Iterator[str]:
    """How often intervals leave 0 out where nothing differs."""
    fixed, missed = PairValues.true(world), dict[str, int]()
    with progress(comparisons, "comparison", "alike groups") as bar:
        for seed in range(comparisons):
            groups = alike(world, fixed, seed)
            asked = {"models": ["m", "m"], "baseline": "m"}
            for estimate in (*inventory_growth(groups, **asked, threads=1), *final_inventory(groups, **asked)):
                if "temperature" in estimate.name:
                    missed[estimate.name] = missed.get(estimate.name, 0) + _misses(estimate)
            bar.update()
    for name, count in missed.items():
        yield f"  {name}: {count} of {comparisons} ({count / comparisons:.0%})"


def _misses(estimate: Estimate) -> bool:
    return estimate.low is not None and estimate.high is not None and not estimate.low <= 0 <= estimate.high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="little-alchemy-2", help=FORMS)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--comparisons", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=200)
    options = parser.parse_args()
    world = TableArrays(table(options.table))
    for never in (True, False):
        print(f"usage, {'never repeating' if never else 'memoryless'}, mean (deviation) of {options.seeds} seeds")
        print(*usage(world, never, options.seeds, options.resamples), sep="\n")
    print(correlations(simulate(world, RULES["brandle2023"], np.full(PLAYERS, TURNS), 0, never_repeats=True)))
    print(f"intervals that leave out 0, between alike groups of {ALIKE} players and {SHORT} turns")
    print(*left_out(world, options.comparisons), sep="\n")


if __name__ == "__main__":
    main()
