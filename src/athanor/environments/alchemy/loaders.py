"""Tables from files: the project's own format and three public ones, told apart by their content."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from athanor.core.errors import DataError
from athanor.environments.alchemy.table import Gift, Table, collect

DATA = Path(__file__).parent / "data"

LA2_BASE = ("water", "fire", "earth", "air")
LA2_JOKES = frozenset(
    [
        "tardis",
        "the doctor",
        "blaze",
        "conflagration",
        "inferno",
        "terrain",
        "ground",
        "supervolcano",
        "keyboard cat",
        "batman",
    ]
)
"""The ten easter-egg names that the studies leave out (Brändle et al. 2023, resources/littlealchemy)."""

_SIZES = {"metal": 50, "time": 100, "science": 150, "philosophy": 150, "big": 150, "container": 300}
_SETS = {
    "light": "sky,explosion,phoenix,sun,rainbow,light bulb,day,double rainbow!,twilight,star,light sword,lighthouse,"
    "galaxy,flashlight,candle,lightning",
    "small": "bacteria,seahorse,oxygen,carbon dioxide,scorpion,confetti,spider,bee,ozone,ant,rivulet,pebble",
    "motion": "rain,storm,geyser,wind,eruption,tornado,explosion,hourglass,time,bird,windmill,rocket,river,"
    "wind turbine,stream",
}


def la2_gifts(elements: tuple[str, ...]) -> tuple[Gift, ...]:
    """The nine gifts of Little Alchemy 2 (Brändle et al. 2023), for those elements that a table has."""
    sizes = [Gift(element=element, size=size) for element, size in _SIZES.items()]
    sets = [Gift(element=e, count=5, of=tuple(n for n in s.split(",") if n in elements)) for e, s in _SETS.items()]
    return tuple(gift for gift in (*sizes, *sets) if gift.element in elements)


def load(path: Path) -> Table:
    """Read a table file. DataError says which format was recognised and what does not fit."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist, a table file was expected; check --table") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text ({error}); pass a JSON or CSV table with --table") from error
    if path.suffix == ".csv":
        return from_brandle_csv(path.stem, text, _names_beside(path))
    try:
        content = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not whole JSON ({error}); fetch or copy the file again") from error
    return from_json(path.stem, content)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object as a dictionary. DataError for a key that comes twice, of which JSON readers silently keep the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise DataError(f"the table names {twice[:60]!r} twice in one object; remove one of the entries")
    return found


def from_json(name: str, content: Any) -> Table:
    """A table from parsed JSON of any known format."""
    reader: Callable[[str, Any], Table] | None = None
    if isinstance(content, dict):
        if content.get("schema") is not None:
            reader = from_own
        elif isinstance(content.get("entities"), dict):
            reader = from_wordcraft
        elif content and all(_is_id(str(k)) and isinstance(v, dict) and "n" in v for k, v in content.items()):
            reader = from_official
    if reader is None:
        raise DataError(
            f"table {name} has none of the known formats: this project's (schema, elements, recipes), WordCraft's "
            '(entities) or the game\'s own (numeric ids with "n"); convert it to one of them'
        )
    return reader(name, content)


def _is_id(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 10


class _Own(msgspec.Struct, forbid_unknown_fields=True):
    schema: int
    name: str
    base: tuple[str, ...]
    elements: tuple[str, ...]
    recipes: list[tuple[str, str, str]]
    gifts: tuple[Gift, ...] = ()


def from_own(name: str, content: Any) -> Table:
    """The project's own format: strict, a duplicate is an error."""
    own = _convert(name, content, _Own)
    if own.schema != 1:
        raise DataError(f"table {name} has schema {own.schema}, this program reads schema 1; convert the table")
    results, twice = collect(own.elements, own.recipes)
    if twice:
        raise DataError(f"table {name} has the recipe {twice[0]} twice; remove one of the rows")
    return Table(name=own.name, elements=own.elements, base=own.base, results=results, gifts=own.gifts)


def to_own(table: Table) -> bytes:
    """A table in the project's own format, one recipe a line."""
    rows = [json.dumps([a, b, made]) for (a, b), results in sorted(table.results.items()) for made in results]
    gifts = [json.dumps(msgspec.to_builtins(gift)) for gift in table.gifts]
    head = {"schema": 1, "name": table.name, "base": table.base, "elements": table.elements}
    text = "{\n" + "".join(f' "{key}": {json.dumps(value)},\n' for key, value in head.items())
    text += ' "recipes": [\n  ' + ",\n  ".join(rows) + "\n ],\n"
    return (text + ' "gifts": [\n  ' + ",\n  ".join(gifts) + "\n ]\n}\n").encode()


class _Entity(msgspec.Struct):
    id: int
    recipes: list[tuple[str, str]]


def from_wordcraft(name: str, content: Any) -> Table:
    """WordCraft's `entities` (minqi/wordcraft, datasets/alchemy2.json): names with ids and recipe lists."""
    entities = _convert(name, content["entities"], dict[str, _Entity])
    ids = Counter(entity.id for entity in entities.values())
    twice = next((number for number, count in ids.items() if count > 1), None)
    if twice is not None:
        raise DataError(f"table {name} gives the id {twice} to {ids[twice]} elements; every id must be unique")
    elements = _indexed({key: entity.id for key, entity in entities.items()})
    rows = [(a, b, key) for key in elements for a, b in entities[key].recipes]
    return _la2(name, elements, rows, [])


class _Official(msgspec.Struct):
    n: str
    p: list[tuple[str, str]] = []
    dlc: bool = False


def from_official(name: str, content: Any) -> Table:
    """The game's own table: numeric ids with names `n` and recipes `p`; expansion and joke elements are dropped."""
    items = _convert(name, content, dict[str, _Official])
    kept = {key: item for key, item in items.items() if not item.dlc and item.n not in LA2_JOKES}
    dropped = len(items) - len(kept)
    notes = [f"{dropped} downloadable-content and joke elements dropped"] if dropped else []
    for key, item in kept.items():
        for ingredient in (i for pair in item.p for i in pair):
            if ingredient not in items:
                raise DataError(f"table {name}: a recipe of {item.n!r} (id {key}) names the unknown id {ingredient!r}")
    if len({item.n for item in kept.values()}) != len(kept):
        raise DataError(f"table {name} gives two ids the same name; every name must be unique")
    elements = _indexed({item.n: int(key) for key, item in kept.items()})
    rows = [
        (kept[a].n, kept[b].n, item.n)
        for _, item in sorted(kept.items(), key=lambda pair: int(pair[0]))
        for a, b in item.p
        if a in kept and b in kept
    ]
    return _la2(name, elements, rows, notes)


def from_brandle_csv(name: str, text: str, names: dict[int, str]) -> Table:
    """Brändle's combination table: columns first, second, success, result with element indices.

    `names` gives the elements' names, indices not in it are named by their number. Base: the first four indices.
    """
    rows: list[tuple[int, int, int]] = []
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = {"first", "second", "success", "result"} - set(reader.fieldnames or ())
    if missing:
        raise DataError(
            f"table {name} lacks the columns {sorted(missing)}; first, second, success, result are expected"
        )
    highest = max(names, default=-1)
    for number, row in _numbered(name, reader):
        try:
            first, second, success, result = (_whole(row[c]) for c in ("first", "second", "success", "result"))
        except (TypeError, ValueError) as error:
            raise DataError(f"table {name}, line {number}: {row} is not four whole numbers; repair the line") from error
        highest = max(highest, first, second)
        if min(first, second) < 0 or (success and result < 0):
            raise DataError(f"table {name}, line {number}: a negative element index in {row}; repair the line")
        if success:
            rows.append((first, second, result))
            highest = max(highest, result)
    if highest >= 100_000:
        raise DataError(f"table {name} has the element index {highest}, below 100000 was expected; repair the table")
    elements = tuple(names.get(i, f"element {i}") for i in range(highest + 1))
    named = [(elements[a], elements[b], elements[r]) for a, b, r in rows]
    return _la2(name, elements, list(dict.fromkeys(named)), [])


def _numbered(name: str, reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows with their line numbers; DataError where the file is no CSV."""
    try:
        yield from enumerate(reader, 2)
    except csv.Error as error:
        raise DataError(f"table {name}, line {reader.line_num}: {error}; repair the line") from error


def _whole(text: str) -> int:
    """A whole number that may be written as a fraction (`3.0`). ValueError if it is none."""
    number = float(text)
    if not number.is_integer():  # neither is infinity, nor what is not a number
        raise ValueError(text)
    return int(number)


def _names_beside(path: Path) -> dict[int, str]:
    """Element names from the game tree that Brändle's repository keeps beside the combination table."""
    tree = path.with_name(path.name.replace("CombinationTable.csv", "Gametree.json"))
    if tree == path or not tree.is_file():
        return {}
    try:
        return {int(key): str(value["name"]) for key, value in json.loads(tree.read_text(encoding="utf-8")).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{tree} is not a game tree of names ({error}); repair or remove it") from error


def _la2(name: str, elements: tuple[str, ...], rows: list[tuple[str, str, str]], notes: list[str]) -> Table:
    """A table of the game's family: its base elements and gifts, duplicate rows merged and told."""
    results, twice = collect(elements, rows)
    if twice:
        notes.append(f"{len(twice)} rows that came twice merged: {'; '.join(twice)}")
    is_la2 = set(LA2_BASE) <= set(elements)
    return Table(
        name=name,
        elements=elements,
        base=LA2_BASE if is_la2 else elements[:4],
        results=results,
        gifts=la2_gifts(elements) if is_la2 else (),
        notes=tuple(notes),
    )


def _indexed(ids: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(ids, key=lambda key: ids[key]))


def _convert(name: str, content: Any, form: Any) -> Any:
    try:
        return msgspec.convert(content, form)
    except msgspec.ValidationError as error:
        raise DataError(f"table {name} does not have the form that its format requires: {error}") from error
