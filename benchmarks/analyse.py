"""`athanor analyse LOGS.parquet --regression main` on simulated logs of many players: seconds and peak memory.

    python benchmarks/analyse.py [--turns 157000] [--table generated:opaque:0] [--regression main] [-- OPTION...]

The players draw pairs at random and never repeat one, by the rules of `brandle2023`; their numbers of turns are
those of `benchmarks/values.py`, 159 on average with a long tail. The command runs in a process of its own, whose peak
is what is told: reading, replay, both random baselines, and every fit. What is behind `--` goes to the command.

Measured with `--turns 20000`, on two cores that other jobs used too: 17 s of the processor, 35 s on the clock, 0.37 GB.
More turns were not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.core.seeds import stream
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.worlds import FORMS, table
from athanor.values.arrays import TableArrays
from athanor.values.games import simulate

MEAN = 159
"""Turns of a player on average, those of Brändle et al. 2023 without repeats."""


WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def write(path: Path, named: str, turns: int) -> int:
    """Logs of about so many turns, exactly how many is given back."""
    drawn = stream(0, "lengths").lognormal(np.log(56), 1.41, max(2, turns // MEAN))
    lengths = np.maximum(1, np.round(drawn * turns / drawn.sum())).astype(np.int64)
    world = TableArrays(table(named))
    choices = simulate(world, RULES["brandle2023"], lengths, 0, never_repeats=True).choices
    names = pa.array(world.table.elements)
    columns = {"player": pa.array(choices.player), "trial": pa.array(choices.turn)}
    for side in ("first", "second"):
        columns[side] = names.take(pa.array(getattr(choices, side)))
    pq.write_table(pa.table(columns), path, compression="zstd")
    return len(choices.first)


def measure(path: Path, options: argparse.Namespace) -> dict[str, float]:
    """Seconds on the clock and of the processor, and gigabytes at most, of the command alone."""
    arguments = [
        "analyse", str(path), "--table", options.table, "--rules", "brandle2023", "--regression", options.regression,
        *options.more,
    ]  # fmt: skip
    begun = perf_counter()
    process = os.posix_spawn(
        sys.executable, [sys.executable, "-m", "athanor", *arguments], os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, options.out or os.devnull, WRITING, 0o644)],
    )  # fmt: skip
    _, status, used = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"the command failed: athanor {' '.join(arguments)}")
    return {
        "seconds": perf_counter() - begun, "processor seconds": used.ru_utime + used.ru_stime,
        "peak GB": used.ru_maxrss / 1e6,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", default="generated:opaque:0", help=FORMS)
    parser.add_argument("--turns", type=int, default=157_000)
    parser.add_argument("--regression", default="main")
    parser.add_argument("--out", default="", help="where to keep what the command prints")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("more", nargs="*", help="options of the command, behind --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs.parquet"
        found = {"turns": write(path, options.table, options.turns), **measure(path, options)}
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:22}{value:14,.2f}")


if __name__ == "__main__":
    main()
