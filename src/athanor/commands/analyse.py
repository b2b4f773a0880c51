"""athanor analyse: the estimates of one or more runs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import tyro

from athanor.analysis.exploration import estimates, table_text, write_estimates
from athanor.analysis.tables import read_runs, write_tables
from athanor.core.disk import cannot


@dataclass(frozen=True, kw_only=True)
class Config:
    """Print the estimates of runs, with intervals and the differences from their baselines."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders. Those on the same world, rules and number of turns are compared."""
    json: bool = False
    """Print JSON on standard output instead of a table."""


_AGAIN = "analyse again to keep them; they are printed all the same"


def run(config: Config) -> int:
    """Print the estimates of all runs, and keep each one's tables and estimates in its folder where that can be."""
    runs = read_runs(config.runs)
    for one in runs:
        try:
            write_tables(one)
            write_estimates(one.path / "estimates.jsonl", estimates([one]))
        except OSError as error:
            elsewhere = f"make it writable and {_AGAIN}"
            told = cannot("store the tables and estimates in", one.path, error, elsewhere=elsewhere, again=_AGAIN)
            print(f"athanor analyse: {told}", file=sys.stderr)
    found = estimates(runs)
    print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode() if config.json else table_text(found))
    return 0
