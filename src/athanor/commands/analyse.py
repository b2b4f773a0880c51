"""athanor analyse: the estimates of one or more runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import tyro

from athanor.analysis.exploration import estimates, table_text, write_estimates
from athanor.analysis.tables import read_runs, write_tables


@dataclass(frozen=True, kw_only=True)
class Config:
    """Print the estimates of runs, with intervals and the differences from their baselines."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders. Those on the same world, rules and number of turns are compared."""
    json: bool = False
    """Print JSON on standard output instead of a table."""


def run(config: Config) -> int:
    """Write each run's tables and estimates into its folder, and print the estimates of all."""
    runs = read_runs(config.runs)
    for one in runs:
        write_tables(one)
        write_estimates(one.path / "estimates.jsonl", estimates([one]))
    found = estimates(runs)
    print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode() if config.json else table_text(found))
    return 0
