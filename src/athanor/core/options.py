"""The fields of a configuration as the options that set them, for errors that say what to pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from athanor.core.errors import UsageError


def option(field: str, group: str = "") -> str:
    """The option of a field, in a group of options if there is one.

    >>> option("base_url", "http")
    '--http.base-url'
    """
    return f"--{group}{'.' if group else ''}{field.replace('_', '-')}"


def changed(config: Any, group: str = "", *, but: Iterable[str] = ()) -> list[str]:
    """The options of a configuration that do not have their default, those `but` apart. All its fields have one."""
    plain = type(config)()
    names = [field.name for field in fields(config) if field.name not in but]
    return [option(name, group) for name in names if getattr(config, name) != getattr(plain, name)]


def words_of(config: Any, group: str = "") -> list[str]:
    """A command line's words that give a configuration's options that do not have their default.

    TypeError for a switch that is on by default, and for a group of options: neither is given by one option.
    """
    plain, words = type(config)(), list[str]()
    for field in fields(config):
        value = getattr(config, field.name)
        if value == getattr(plain, field.name):
            continue
        switch = isinstance(value, bool)
        if (switch and not value) or is_dataclass(value):
            raise TypeError(f"{option(field.name, group)} cannot be given as an option with a value")
        told = value if isinstance(value, tuple) else () if switch else (value,)
        words += [option(field.name, group), *map(str, told)]
    return words


def refuse_idle(given: Sequence[str], beside: str) -> None:
    """UsageError if options were given that do nothing beside another, for example `--agent random`."""
    _refuse_idle(given, f"with {beside}", f"pass another {beside.split()[0]}")


def refuse_without(given: Sequence[str], needed: str) -> None:
    """UsageError if options were given that do nothing without another, for example `--legacy`."""
    _refuse_idle(given, f"without {needed}", f"pass {needed}")


def _refuse_idle(given: Sequence[str], where: str, otherwise: str) -> None:
    if given:
        verb, them = ("has", "it") if len(given) == 1 else ("have", "them")
        raise UsageError(
            f"{', '.join(given)} {verb} no effect {where}, only options that do something were expected; "
            f"leave {them} out, or {otherwise}"
        )


def refuse_outside(config: Any, ranges: Mapping[str, tuple[float, float]], group: str = "") -> None:
    """UsageError naming the first option whose number is not finite and in the range of its field, ends included.

    None is nothing given, and may be.
    """
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if value is not None and not (low <= value <= high and math.isfinite(value)):
            expected = f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
            raise UsageError(f"{option(name, group)} {value} was given, {expected} was expected; pass such a number")
