"""athanor fetch: tables that the project may not contain, checked against their digest."""

from __future__ import annotations

import sys
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Literal

import tyro

from athanor.core.errors import DataError
from athanor.environments.alchemy.worlds import DOWNLOADS, store

LARGEST = 64 * 2**20
"""Bytes read of a download, at most."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Bring a table into the user's data folder."""

    name: Annotated[Literal["little-alchemy-2", "wordcraft"], tyro.conf.Positional]
    """Which table."""
    from_: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """A file that is already here, instead of a download."""


def run(config: Config) -> int:
    """Check, store, and print where."""
    wanted = DOWNLOADS[config.name]
    source = str(config.from_ or wanted.url)
    print(f"{config.name}: {wanted.terms}", file=sys.stderr)
    try:
        if config.from_:
            data = config.from_.read_bytes()
        else:
            with urllib.request.urlopen(wanted.url, timeout=60) as answer:
                data = answer.read(LARGEST)
    except (OSError, HTTPException) as error:  # URLError is an OSError; a dropped connection is neither
        raise DataError(
            f"{source} cannot be read ({error}); check the path or the network, or pass a copy with --from FILE"
        ) from error
    print(store(config.name, data, source))
    return 0
