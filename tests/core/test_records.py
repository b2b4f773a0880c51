"""Every record is keyword-only and frozen: msgspec does not inherit the first, so each class must say it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import athanor
from athanor.core.records import Record, Verdict


def records(base: type) -> list[type]:
    return [one for child in base.__subclasses__() for one in (child, *records(child))]


def test_every_record_is_keyword_only():
    for module in pkgutil.walk_packages(athanor.__path__, "athanor."):
        plug_in = module.name.startswith(("athanor.adapters.lmms_eval.models.", "athanor.adapters.vlmevalkit"))
        if not module.name.endswith("__main__") and not plug_in:  # which only their hosts can load
            importlib.import_module(module.name)
    found = [one for one in records(Record) if one.__module__.startswith("athanor.")]
    assert len(found) > 20
    positional = [
        f"{one.__name__}.{parameter.name}"
        for one in found
        for parameter in inspect.signature(one).parameters.values()
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
    ]
    assert positional == []


def test_a_record_is_frozen():
    verdict = Verdict(reward=0.0, passed=False, reason="")
    with pytest.raises(AttributeError):
        verdict.reward = 1.0  # type: ignore[misc]
