"""How a model is drawn with where nobody says otherwise: it stands in the model's folder, beside its shape."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from athanor.core.errors import DataError
from athanor.core.records import Record


class Usual(Record, kw_only=True):
    """Of drawing. What is published of Janus-Pro, where a folder does not say it."""

    guidance: float = 5.0
    temperature: float = 1.0


def usual_of(folder: Path) -> Usual:
    """What a model's folder says, under `athanor` in its config.json; the published values where it says nothing.
    DataError if it cannot be read."""
    path = folder / "config.json"
    if not path.is_file():
        return Usual()  # whoever reads the model says that it is not there
    try:
        about = json.loads(path.read_bytes()).get("athanor") or {}
        return msgspec.convert(about.get("drawing") or {}, Usual)
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{path} cannot be read ({error}); copy it again") from error
