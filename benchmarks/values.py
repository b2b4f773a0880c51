"""All values of 4.69 million turns by 29,493 simulated players: seconds and peak memory, beside a copy of the arrays.

    python benchmarks/values.py [--table little-alchemy-2] [--players 29493] [--turns 4691000] [--json]

The players draw pairs at random and never repeat one, by the rules of `brandle2023`; their numbers of turns are
log-normal (median 56, sigma 1.41: a mean near 159 with the published tail), scaled to the total. Every value is taken
for the chosen and for one uniform pair of each turn. Pair values that would be predicted from meaning are random
numbers here: to look them up takes as long. Compilation, which happens once, is done before and timed apart. The
yardstick is the time to copy what was computed.
"""

from __future__ import annotations

import argparse
import json
import resource
from time import perf_counter

import numpy as np

from athanor.core.seeds import stream
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.worlds import FORMS, table
from athanor.values.arrays import TableArrays
from athanor.values.games import Games, replay, simulate
from athanor.values.tables import PairValues
from athanor.values.turns import TurnValues, turn_values, uniform_pairs

PREDICTED = ("similarity", "success", "empowerment", "empowerment_direct")


def lengths(players: int, turns: int) -> np.ndarray:
    """How many turns each player has."""
    drawn = stream(0, "lengths").lognormal(np.log(56), 1.41, players)
    return np.maximum(1, np.round(drawn * turns / drawn.sum())).astype(np.int64)


def pair_values(world: TableArrays) -> PairValues:
    """The true values, and random numbers in the place of predicted ones."""
    rng, pairs = stream(0, "predicted"), len(world.recipe)
    return PairValues.true(world).with_values(**{name: rng.random(pairs) for name in PREDICTED})


def measure(world: TableArrays, players: int, turns: int) -> dict[str, float]:
    """Seconds of each step, and gigabytes at most."""
    found: dict[str, float] = {}

    def timed(name: str, step):
        started = perf_counter()
        done = step()
        found[name] = perf_counter() - started
        return done

    fixed, rules = pair_values(world), RULES["brandle2023"]
    few = np.full(3, 4, dtype=np.int64)
    timed("compilation, once", lambda: _values(simulate(world, rules, few, 0, never_repeats=True), fixed))
    games = timed("simulation", lambda: simulate(world, rules, lengths(players, turns), 0, never_repeats=True))
    again = timed("replay", lambda: replay(world, rules, games.choices))
    values = timed("values", lambda: _values(again, fixed))
    timed("copy of the values", lambda: {name: array.copy() for name, array in values.values.items()})
    found["turns"], found["values a turn"] = float(len(games.pool)), float(len(values.values))
    found["peak GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return found


def _values(games: Games, fixed: PairValues) -> TurnValues:
    return turn_values(games, fixed, uniform_pairs(games, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="generated:opaque:0", help=FORMS)
    parser.add_argument("--players", type=int, default=29_493)
    parser.add_argument("--turns", type=int, default=4_691_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(TableArrays(table(options.table)), options.players, options.turns)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:22}{value:14,.2f}")
    print(f"{'values / copy':22}{found['values'] / found['copy of the values']:14,.2f}")


if __name__ == "__main__":
    main()
