"""The published logs of language models (Pan et al. 2025): both layouts, and the interventions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from athanor.analysis.logs.json_file import decoded, top_level
from athanor.analysis.logs.rows import LATEST, Rows, Words, players_table, shortened, whole
from athanor.core.errors import DataError


class _Config(msgspec.Struct):
    """What a run's configuration says of it."""

    model: str | None = None
    temperature: float | None = None
    seed: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    max_trials: Annotated[int, msgspec.Meta(ge=0, le=LATEST)] | None = None


class _Trial(msgspec.Struct):
    """One logged trial; the prompts and log-probabilities beside it are skipped."""

    first: str | None = None
    second: str | None = None
    success: int | float | bool | None = None
    result: str | int | float | None = None
    reason: Any = None
    config: _Config | None = None


class _Nested(msgspec.Struct):
    """A run whose configuration is beside its trials, not in each of them."""

    results: dict[str, msgspec.Raw]
    config: _Config | None = None


_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_nested = msgspec.json.Decoder(_Nested)
_trial = msgspec.json.Decoder(_Trial)

_Found = tuple[int, _Trial]


def read_pan2025(path: Path) -> Rows:
    """The file of one condition: {model: {run: {trial: record}}}, or {model or factor: {run: {config, results}}}.

    A run is a player; its group is the model with its temperature, or the factor of an intervention. A trial without
    a record is a gap, up to the number of trials the configuration names. DataError names the run and trial at fault.
    """
    players: list[dict[str, Any]] = []
    player: list[int] = []
    trials: list[_Found] = []
    planned: dict[int, int] = {}
    for model, runs in top_level(path).items():
        for run, raw in decoded(_objects, runs, f"{path}, {shortened(model)}").items():
            config, found = _run(raw, f"{path}, {shortened(model)}, run {shortened(run)}")
            if config and config.max_trials is not None:
                planned[len(players)] = config.max_trials
            player += [len(players)] * len(found)
            trials += found
            players.append(_player(model, run, config, found))
    return Rows(
        source=str(path),
        form="pan2025",
        players=players_table(players),
        player=np.array(player, dtype=np.int32),
        trial=np.array([number for number, _ in trials], dtype=np.int64),
        first=Words.of(record.first for _, record in trials),
        second=Words.of(record.second for _, record in trials),
        success=Words.of(_text(record.success) for _, record in trials),
        gained=Words.of(_text(record.result) for _, record in trials),
        planned=planned,
        begin=0,
    )


def _run(raw: msgspec.Raw, where: str) -> tuple[_Config | None, list[_Found]]:
    """A run's configuration and its trials, in either layout."""
    content = decoded(_objects, raw, where)
    if "results" in content:
        nested = decoded(_nested, raw, where)
        return nested.config, list(_trials(nested.results, where))
    found = list(_trials(content, where))
    return next((record.config for _, record in found if record.config), None), found


def _trials(content: dict[str, msgspec.Raw], where: str) -> Iterator[_Found]:
    for key, raw in content.items():
        number = whole(key)
        if number < 0:
            raise DataError(f"{where}: {shortened(key)!r} is not the number of a trial, from 0; check the file's form")
        yield number, decoded(_trial, raw, f"{where}, trial {key}")


def _player(model: str, run: str, config: _Config | None, found: list[_Found]) -> dict[str, Any]:
    """What the file says of a run. An intervention's outer key is the factor that a latent was multiplied by."""
    config = config or _Config()
    factor = _is_number(model)
    name = config.model if factor else model
    heat = None if config.temperature is None else f"T={config.temperature:g}"
    reasoned = any(record.reason is not None for _, record in found)
    group = [name, f"factor {model}" if factor else None, heat]
    return {
        "id": shortened(f"{model}/{run}"),
        "group": shortened(", ".join(part for part in group if part)),
        "model": None if name is None else shortened(name),
        "condition": f"factor {model}" if factor else "reasoning" if reasoned else None,
        "temperature": config.temperature,
        "seed": config.seed,
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(value: str | float | bool | None) -> str | None:
    """A flag or a result as the text that `rows` reads."""
    return value if value is None or isinstance(value, str) else str(value)
