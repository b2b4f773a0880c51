"""The options by which played games are read, of the commands that read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from athanor.analysis.logs.read import Form
from athanor.core.errors import UsageError
from athanor.core.options import changed

if TYPE_CHECKING:
    from athanor.analysis.groups import Reading

OF_FILES = ("table", "form", "columns")
"""The options that say nothing of run folders: these are read one way, on the table that they were played on."""


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """How runs and files of logs are read."""

    rules: str = ""
    """Rules to replay the games by: strict, pan2025 or brandle2023; left out, the runs' own."""
    table: str = ""
    """The table of logs that are no run folder; a run folder has its own."""
    form: Form = "auto"
    """The form of files of logs (docs/logs.md); auto tells it by the content."""
    columns: str = ""
    """What the columns of a CSV or Parquet file are called: player=...,trial=...,first=...,second=..."""
    illegal: Literal["turn", "player"] = "turn"
    """Of turns that the rules refuse, leave out the turn alone, or all of a player who has one, as published."""
    allow_excluded: float = 0.01
    """Share of turns that may be left out (unreadable, unowned, gaps, ...) before the analysis refuses."""
    first_tries: bool = False
    """Leave out pairs that a player combined before (the memory form of Brändle et al. 2023)."""


def reading(
    options: LogOptions, paths: Sequence[Path], *, seed: int, comparison: Literal["uniform", "matched"] = "uniform"
) -> Reading:
    """The options as `groups.read` takes them. UsageError for one that says nothing of what is read."""
    from athanor.analysis.groups import Reading  # compiled code, which a command's help does not wait for
    from athanor.analysis.logs import columns_of

    given = changed(options, but=[name for name in LogOptions.__dataclass_fields__ if name not in OF_FILES])
    if given and all(path.is_dir() for path in paths):
        raise UsageError(f"{given[0]} says nothing of run folders, and no file of logs was given; leave it out")
    return Reading(
        seed=seed, rules=options.rules, table=options.table, comparison=comparison, form=options.form,
        columns=columns_of(options.columns) if options.columns else {}, illegal=options.illegal,
        allow=options.allow_excluded, first_tries=options.first_tries,
    )  # fmt: skip
