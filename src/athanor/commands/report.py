"""athanor report: one page over one or more runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from athanor.reports.page import report


@dataclass(frozen=True, kw_only=True)
class Config:
    """Write a self-contained HTML page, and every figure as SVG and PNG."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...", help_behavior_hint="")]
    """Run folders."""
    out: Path
    """The folder for report.html, figures/ and estimates.jsonl; what an earlier report left there is replaced."""


def run(config: Config) -> int:
    """Write, and print the page's path."""
    print(report(list(config.runs), config.out))
    return 0
