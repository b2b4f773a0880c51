"""Tables by name: bundled, fetched, generated, renamed, or a file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import platformdirs

from athanor.core.disk import all_or_nothing, cannot
from athanor.core.errors import DataError, StoreError, UsageError
from athanor.core.records import Record
from athanor.environments.alchemy.generate import WorldSpec, generate, rename
from athanor.environments.alchemy.loaders import DATA, from_json, load
from athanor.environments.alchemy.table import Table


class Download(Record, kw_only=True):
    """A table that the project may not contain, and that its users fetch themselves."""

    url: str
    sha256: str
    terms: str


DOWNLOADS: dict[str, Download] = {
    "little-alchemy-2": Download(
        url="https://raw.githubusercontent.com/mrkvon/alchemy/9ad5969/src/alchemy.json",
        sha256="6c9541fc506f6ec7eb2d165acaf9bdbae1c2bc3c984db08a7d03be10b59b9c6f",
        terms="the game's own table; rights with the owners of Little Alchemy 2 (Recloak)",
    ),
    "wordcraft": Download(
        url="https://raw.githubusercontent.com/minqi/wordcraft/4d6a1b9/wordcraft/datasets/alchemy2.json",
        sha256="757422df36f8805b1a56c418e613c6418c905b0956e6f2fb3dff78569933d25d",
        terms="WordCraft's 700 elements; no licence is stated",
    ),
}

FORMS = (
    "atelier (bundled), little-alchemy-2 or wordcraft (after `athanor fetch`), generated:words:SEED, "
    "generated:opaque:SEED, renamed:SEED:TABLE, or the path of a JSON or CSV table"
)


def data_folder() -> Path:
    """Where fetched tables are kept."""
    return platformdirs.user_data_path("athanor") / "tables"


def is_here(name: str) -> bool:
    """Whether a table that has to be fetched was."""
    return (data_folder() / f"{name}.json").is_file()


def table(name: str) -> Table:
    """The table of that name. UsageError lists the names there are; DataError says what is wrong with a file."""
    kind, _, rest = name.partition(":")
    if kind == "generated":
        naming, _, seed = rest.partition(":")
        if naming not in ("words", "opaque"):
            raise UsageError(f"table {name!r}: {naming!r} is not words or opaque; pass for example generated:opaque:7")
        return generate(WorldSpec(), _seed(name, seed), naming)
    if kind == "renamed":
        seed, _, inner = rest.partition(":")
        if not inner:
            raise UsageError(f"table {name!r} does not say which table to rename; pass for example renamed:7:atelier")
        number = _seed(name, seed)
        return rename(table(inner), number)
    if name == "atelier":
        return load(DATA / "atelier.json")
    if name in DOWNLOADS:
        file = data_folder() / f"{name}.json"
        if not file.is_file():
            raise UsageError(
                f"table {name} is not here; run `athanor fetch {name}` (or `athanor fetch {name} --from FILE`), "
                "or pass another --table"
            )
        try:
            data = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error}); make it readable, or fetch it again") from error
        return from_json(name, _checked(name, data, str(file)))
    path = Path(name)
    if path.suffix in (".json", ".csv") or path.exists():
        return load(path)
    raise UsageError(f"table {name!r} is not known; pass {FORMS}")


def store(name: str, data: bytes, source: str) -> Path:
    """Keep a downloaded table, after its digest was checked. StoreError if the data folder cannot hold it."""
    _checked(name, data, source)
    path = data_folder() / f"{name}.json"
    try:
        with all_or_nothing() as write:
            write(path, data)
    except OSError as error:
        elsewhere = "make the folder writable, or pass the path of a copy with --table"
        raise StoreError(cannot("store", path, error, elsewhere=elsewhere)) from error
    return path


def _checked(name: str, data: bytes, source: str) -> object:
    found, expected = hashlib.sha256(data).hexdigest(), DOWNLOADS[name].sha256
    if found != expected:
        raise DataError(
            f"{source} has SHA-256 {found}, {expected} was expected; it is another version or not whole: "
            f"fetch it again, or pass its path with --table to use it as it is"
        )
    return json.loads(data)


def _seed(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"table {name!r}: {text!r} is not a seed; a whole number of at least 0 was expected")
    return int(text)
