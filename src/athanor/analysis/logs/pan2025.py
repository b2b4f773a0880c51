"""The published logs of language models (Pan et al. 2025): both layouts, and the interventions."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from athanor.analysis.logs.json_file import Members, members, single, top_level
from athanor.analysis.logs.rows import LATEST, Coded, Rows, players_table, shortened, whole

_NULL = msgspec.Raw(b"null")


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
    success: Any = None
    result: Any = None
    reason: msgspec.Raw = _NULL
    config: msgspec.Raw = _NULL


_trial = msgspec.json.Decoder(_Trial)
_config = msgspec.json.Decoder(_Config | None, strict=False)  # a number in quotes is a number
_text_alone = msgspec.json.Decoder(str | None)
_UNFIT = (msgspec.MsgspecError, UnicodeError, RecursionError)


def read_pan2025(path: Path) -> Rows:
    """The file of one condition: {model: {run: {trial: record}}}, or {model or factor: {run: {config, results}}}.

    A run is a player; its group is the model with its temperature, or the factor of an intervention. A trial without
    a record is a gap, up to the number of trials the configuration names; one whose record cannot be read is counted
    with the reason. DataError if a run is none, or the file is no JSON.
    """
    made = _Columns()
    for model, runs in top_level(path).items():
        for run, raw in single(runs, f"{path}, {shortened(model)}").items():
            made.add(model, run, raw, f"{path}, {shortened(model)}, run {shortened(run)}")
    return made.rows(str(path))


@dataclass(frozen=True, kw_only=True)
class Reasoned:
    """A run of the logs with what its model wrote before each choice."""

    id: str
    """As in the players of `read_pan2025`."""
    group: str
    """Empty where the file names neither a model nor a temperature."""
    played: int
    """Turns, those included of which there is no record, or none with a text."""
    reasons: dict[int, str]
    """The texts by trial, in order; a trial without one is not there."""


def read_reasons(path: Path) -> list[Reasoned]:
    """The `reason` of each trial, of the runs in order; of two records of a trial, that of the first.

    The logs of GPT-4o have its whole visible answer there, those of DeepSeek-R1 its hidden reasoning. Errors as
    `read_pan2025`.
    """
    return [
        _reasoned(model, run, raw, f"{path}, {shortened(model)}, run {shortened(run)}")
        for model, runs in top_level(path).items()
        for run, raw in single(runs, f"{path}, {shortened(model)}").items()
    ]


def _reasoned(model: str, run: str, raw: msgspec.Raw, where: str) -> Reasoned:
    said, trials = _parts(raw, where)
    texts: dict[int, str] = {}
    for key, text in trials:
        number, record, _ = _read(key, text)
        if number >= 0:
            texts.setdefault(number, _words(record.reason))
        said = record.config if bytes(said) == b"null" else said
    config, _ = _configured(said)
    who = _player(model, run, config, reasoned=True)
    return Reasoned(
        id=who["id"], group=who["group"], played=max(1 + max(texts, default=-1), config.max_trials or 0),
        reasons={number: texts[number] for number in sorted(texts) if texts[number]},
    )  # fmt: skip


def _words(reason: msgspec.Raw) -> str:
    """A text; nothing for what is none."""
    try:
        return _text_alone.decode(reason) or ""
    except _UNFIT:
        return ""


class _Columns:
    """The columns of a file in the making: of its records, no more is kept than what goes into them."""

    def __init__(self) -> None:
        self._players: list[dict[str, Any]] = []
        self._planned: dict[int, int] = {}
        self._unreadable: dict[int, str] = {}
        self._notes: list[str] = []
        self._player, self._trial = array("i"), array("q")
        self._first, self._second, self._success, self._gained = Coded(), Coded(), Coded(), Coded()

    def add(self, model: str, run: str, raw: msgspec.Raw, where: str) -> None:
        """One run, in either layout."""
        said, trials = _parts(raw, where)
        reasoned = False
        for key, text in trials:
            number, record, why = _read(key, text)
            if why:
                self._unreadable[len(self._player)] = why
            self._player.append(len(self._players))
            self._trial.append(number)
            self._first.add(record.first)
            self._second.add(record.second)
            self._success.add(_text(record.success))
            self._gained.add(_text(record.result))
            reasoned |= bytes(record.reason) != b"null"
            said = record.config if bytes(said) == b"null" else said
        config, why = _configured(said)
        if why:
            self._notes.append(f"{where}: its configuration cannot be read ({why}) and is taken as not there")
        if config.max_trials is not None:
            self._planned[len(self._players)] = config.max_trials
        self._players.append(_player(model, run, config, reasoned))

    def rows(self, source: str) -> Rows:
        """All runs."""
        return Rows(
            source=source, form="pan2025", players=players_table(self._players),
            player=np.array(self._player, dtype=np.int32), trial=np.array(self._trial, dtype=np.int64),
            first=self._first.words(), second=self._second.words(), success=self._success.words(),
            gained=self._gained.words(), planned=self._planned, begin=0, unreadable=self._unreadable,
            notes=tuple(self._notes),
        )  # fmt: skip


def _configured(said: msgspec.Raw) -> tuple[_Config, str]:
    """A configuration, and why it could not be read if so."""
    try:
        return _config.decode(said) or _Config(), ""
    except _UNFIT as error:
        return _Config(), str(error)


def _parts(raw: msgspec.Raw, where: str) -> tuple[msgspec.Raw, Members]:
    """A run's configuration (null if it is in each trial, and not beside them), and its trials."""
    content = members(raw, where)
    named = dict(content)
    if "results" not in named:
        return _NULL, content
    return named.get("config", _NULL), members(named["results"], f"{where}, results")


def _read(key: str, raw: msgspec.Raw) -> tuple[int, _Trial, str]:
    """A trial's number (-1 if it has none), its record, and why nothing could be read if so."""
    number = whole(key)
    why = "" if number >= 0 else f"{shortened(key)!r} is not the number of a trial, from 0"
    try:
        return number, _trial.decode(raw), why
    except _UNFIT as error:
        return number, _Trial(), why or str(error)


def _player(model: str, run: str, config: _Config, reasoned: bool) -> dict[str, Any]:
    """What the file says of a run. An intervention's outer key is the factor that a latent was multiplied by."""
    factor = _is_number(model)
    name = config.model if factor else model
    heat = None if config.temperature is None else f"T={config.temperature:g}"
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


def _text(value: Any) -> str | None:
    """A flag or a result as the text that `rows` reads; None for what is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(str(part) for part in value if isinstance(part, str))}]"
    return str(value) if isinstance(value, float) or (isinstance(value, int) and abs(value) <= LATEST) else None
