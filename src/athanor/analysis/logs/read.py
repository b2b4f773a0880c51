"""One entry to logged play of any form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import msgspec

from athanor.analysis.logs.checks import ALLOWED, checked
from athanor.analysis.logs.json_file import decoded, opened, top_level
from athanor.analysis.logs.pan2025 import read_pan2025
from athanor.analysis.logs.records import HEADER, Logs
from athanor.analysis.logs.rows import settle, shortened
from athanor.analysis.logs.runs import from_runs
from athanor.analysis.logs.tabular import BRANDLE2023, header_of, is_parquet, read_table
from athanor.analysis.logs.validation import read_validation
from athanor.core.errors import DataError, UsageError
from athanor.environments.alchemy.rules import Rules
from athanor.values.arrays import TableArrays

Form = Literal["auto", "run", "logs", "pan2025", "brandle2023", "validation", "table"]

PLAIN = 200
"""Bytes up to which a file may be a single value of JSON; a table of turns is longer, or no such value."""

FORMS: dict[str, str] = {
    "run": "a run folder of alchemy",
    "logs": "a Parquet file that Logs.write_parquet made",
    "pan2025": "the JSON logs of Pan et al. 2025: {model: {run: {trial: record}}}, or with `results` in the run",
    "brandle2023": "the CSV logs of people: id, trial, inventory, first, second, success, results",
    "validation": "the JSON file of the validation experiment of Brändle et al. 2023",
    "table": "a CSV or Parquet file with columns of your own (--columns)",
}


def read_logs(
    path: Path,
    world: TableArrays,
    rules: Rules,
    *,
    form: Form = "auto",
    columns: Mapping[str, str] | None = None,
    allow: float = ALLOWED,
    illegal: Literal["turn", "player"] = "turn",
) -> Logs:
    """Read logged play and count what is wrong with it; the form is told by the content, `notes` says which it was.

    `columns`: what the columns of a table are called (`tabular.columns_of`). `allow` and `illegal`: see
    `checks.checked`. UsageError for what cannot be as asked, DataError for a file that does not fit its form or has
    more than the share `allow` of its turns to be left out.
    """
    if form not in get_args(Form):
        raise UsageError(f"form {form!r} is not one of {', '.join(get_args(Form))}; pass one of them")
    found = form_of(path) if form == "auto" and not columns else "table" if form == "auto" else form
    if columns and found != "table":
        raise UsageError(f"columns were given for the form {found}, only the form table has a choice; leave them out")
    logs = _read(path, world, found, columns or {})
    told = f"read as {found}: {FORMS[found]}"
    logs = replace(logs, notes=tuple(dict.fromkeys((told, *logs.notes))))
    return checked(logs, world, rules, allow=allow, illegal=illegal)


def _read(path: Path, world: TableArrays, form: str, columns: Mapping[str, str]) -> Logs:
    match form:
        case "run":
            return from_runs([path], world)
        case "logs":
            return Logs.read_parquet(path)
        case "pan2025":
            return settle(read_pan2025(path), world)
        case "validation":
            return settle(read_validation(path), world)
        case "brandle2023":
            return settle(read_table(path, world, BRANDLE2023, form), world)
        case _:
            return settle(read_table(path, world, columns), world)


def form_of(path: Path) -> str:
    """The form of a file or folder, one of FORMS, by its content."""
    if path.is_dir():
        return "run"
    if is_parquet(path):
        return "logs" if HEADER in header_of(path)[1] else "table"
    text = opened(path)
    begins = bytes(text[:1])
    if begins == b"{":
        return "validation" if _has_collect(path) else "pan2025"
    value = "a JSON list" if begins == b"[" else f"the JSON value {bytes(text).decode()}" if _is_plain(text) else ""
    if value:
        raise DataError(f"{path} is {value}, an object was expected ({FORMS['pan2025']}); pass such a file")
    needed = {*BRANDLE2023.values(), "inventory"}
    return "brandle2023" if needed <= set(header_of(path)[0]) else "table"


def _is_plain(text: memoryview) -> bool:
    """Whether a file is a number, a string or a word of JSON, and nothing else."""
    if len(text) > PLAIN:
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    return True


def _has_collect(path: Path) -> bool:
    """Whether the first value of a JSON file is a person of the validation experiment."""
    for key, first in top_level(path).items():
        return "collect" in decoded(msgspec.json.Decoder(dict[str, msgspec.Raw]), first, f"{path}, {shortened(key)}")
    raise DataError(f"{path} is an empty object, logs were expected; pass the whole file")
