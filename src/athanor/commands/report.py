"""athanor report: one page over one or more runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from athanor.analysis.tables import game_of
from athanor.reports import page


@dataclass(frozen=True, kw_only=True)
class Config:
    """Write a self-contained HTML page, and every figure as SVG and PNG."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...", help_behavior_hint="")]
    """Run folders."""
    out: Path
    """The folder for report.html, figures/ and estimates.jsonl; what an earlier report left there is replaced."""


def _points(runs: list[Path], out: Path) -> Path:
    from athanor.reports import points  # compiled code, which alchemy does not wait for

    return points.report(runs, out)


PAGES: dict[str, Callable[[list[Path], Path], Path]] = {"alchemy": page.report, "points": _points}
"""By environment: what writes the page of its runs."""


def run(config: Config) -> int:
    """Write, and print the page's path."""
    print(PAGES[game_of(config.runs)](list(config.runs), config.out))
    return 0
