"""A large file of logs in JSON, made up in the form of Pan et al. 2025 and read: seconds of the processor and memory.

    python benchmarks/logs.py [--megabytes 500] [--layout plain|indented|nan] [--table generated:opaque:0]

Each run has 500 trials, each trial 20 alternatives to the first token. `nan`: one in 500 trials has numbers that JSON
does not have, as Python writes them. The peak has the pages of the file that the system keeps for it.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

from athanor.analysis.logs import read_logs
from athanor.core.seeds import stream
from athanor.environments.alchemy.rules import RULES
from athanor.environments.alchemy.worlds import FORMS, table
from athanor.values.arrays import TableArrays

TRIALS = 500
CONFIG = {"max_trials": TRIALS, "temperature": 0.7, "seed": 3, "model": "gpt"}


def write(path: Path, size: int, layout: str, world: TableArrays) -> None:
    """Runs until the file has that many bytes."""
    rng, names = stream(0, "logs"), world.table.elements
    with open(path, "w") as file:
        file.write('{"gpt": {')
        run = 0
        while file.tell() < size:
            drawn = rng.integers(len(names), size=(TRIALS, 2)).tolist()
            trials = {str(t): record(t, [names[i] for i in pair], layout) for t, pair in enumerate(drawn)}
            text = json.dumps(trials, indent=4 if layout == "indented" else None)
            file.write(f'{", " if run else ""}"{run}": {text}')
            run += 1
        file.write("}}")


def record(trial: int, pair: list[str], layout: str) -> dict[str, Any]:
    odd = layout == "nan" and trial == 7
    return {
        "first": pair[0], "second": pair[1], "success": 0, "result": -1, "result_prompt": "…", "inventory": pair * 5,
        "top_logprob": {f"token{i}": float("nan") if odd else -i * 1.2345678 for i in range(20)}, "config": CONFIG,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--layout", choices=("plain", "indented", "nan"), default="plain")
    parser.add_argument("--table", default="generated:opaque:0", help=FORMS)
    options = parser.parse_args()
    world = TableArrays(table(options.table))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs.json"
        write(path, options.megabytes * 10**6, options.layout, world)
        started = process_time()
        logs = read_logs(path, world, RULES["pan2025"], allow=1)
        seconds, size = process_time() - started, path.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{size / 1e6:,.0f} MB, {logs.turns.num_rows:,} turns: {seconds:.1f} s, at most {peak:.2f} GB")


if __name__ == "__main__":
    main()
