"""athanor report: one page over one or more runs, or over logs of anybody."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from athanor.analysis.tables import game_of
from athanor.commands.logs import LogOptions, reading
from athanor.core.errors import UsageError
from athanor.core.options import changed
from athanor.reports import page


@dataclass(frozen=True, kw_only=True)
class WeightOptions:
    """What drives choices, on the page of logs."""

    regression: str = "main"
    """A regression of choices (docs/values.md), or none."""
    pair_values: str = "true"
    """Empowerment and success: true (of the table), or a folder made by `athanor train empowerment`."""
    nagq: Literal[0, 1] = 1
    """Mixed models by full Laplace approximation (1), or as the publications fitted them (0)."""
    seed: int = 0
    """Draws the comparisons and the random players."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Write a self-contained HTML page, and every figure as SVG and PNG."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...", help_behavior_hint="")]
    """Run folders, or files of logs with --table and --rules; with a file among them the page is that of logs."""
    out: Path
    """The folder for report.html, figures/ and estimates.jsonl; what an earlier report left there is replaced."""
    logs: Annotated[LogOptions, tyro.conf.arg(name="")] = field(default_factory=LogOptions)
    weights: Annotated[WeightOptions, tyro.conf.arg(name="")] = field(default_factory=WeightOptions)


def _points(runs: list[Path], out: Path) -> Path:
    from athanor.reports import points  # compiled code, which alchemy does not wait for

    return points.report(runs, out)


def _scenes(runs: list[Path], out: Path) -> Path:
    from athanor.reports import scenes  # pictures, which alchemy does not wait for

    return scenes.report(runs, out)


PAGES: dict[str, Callable[[list[Path], Path], Path]] = {
    "alchemy": page.report, "points": _points, "scenes": _scenes,
}  # fmt: skip
"""By environment: what writes the page of its runs."""


def run(config: Config) -> int:
    """Write, and print the page's path."""
    if any(path.is_file() for path in config.runs):
        print(_logs(config))
        return 0
    if given := [*changed(config.logs), *changed(config.weights)]:
        raise UsageError(f"{given[0]} says nothing of run folders, and no file of logs was given; leave it out")
    print(PAGES[game_of(config.runs)](list(config.runs), config.out))
    return 0


def _logs(config: Config) -> Path:
    """The page of logs, and of run folders beside them."""
    from athanor.analysis.logged import logged
    from athanor.analysis.regressions import regression
    from athanor.analysis.weights import Options
    from athanor.reports import logs

    how, asked = reading(config.logs, config.runs, seed=config.weights.seed), config.weights
    wanted = None if asked.regression == "none" else regression(asked.regression)
    options = Options(seed=asked.seed, nagq=asked.nagq, threads=len(os.sched_getaffinity(0)))
    worlds = logged(config.runs, how, wanted, options, values=asked.pair_values)
    return logs.report(worlds, config.out, wanted.terms if wanted else ())
