"""A study's folder: what was asked, written first and compared when the study is gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from athanor.core.build import build_name, versions
from athanor.core.differences import refuse_differences
from athanor.core.disk import all_or_nothing, cannot
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.core.store import Manifest


def begin(
    folder: Path, kind: str, config: Mapping[str, Any], *, execution: Mapping[str, Any],
    hashes: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Write a study's manifest, or see that the one that is there asks for the same.

    `config` (as JSON has it) and `hashes` must be the same again, `execution` may change. UsageError for a folder that
    holds something else or asks for another study; DataError for a broken manifest; StoreError if the disk refuses.
    """
    manifest = Manifest(
        kind=kind, config=dict(config), execution=dict(execution), build=build_name(), versions=versions(),
        hashes=dict(hashes or {}), label=kind, created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip
    path = folder / "manifest.json"
    if path.exists():
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except msgspec.MsgspecError as error:
            raise DataError(f"{path} is not a manifest of this program ({error}); pass another --out") from error
        refuse_differences(folder, stored, manifest)
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} already holds something, an empty or new folder was expected; pass another --out")
    try:
        with all_or_nothing() as write:
            write(path, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    except OSError as error:
        raise StoreError(cannot("create", folder, error)) from error
