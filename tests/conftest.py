"""Shared fakes: a small world, and the tables that are not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from athanor.core.store import Manifest
from athanor.environments.alchemy import RULES, Alchemy, Gift, Table

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers share the cores; before anything starts its threads

SHARED = Path(os.environ.get("ATHANOR_SAMPLES") or Path(__file__).resolve().parents[2] / "shared" / "data")
"""Where the sample tables lie that are not part of the project."""


@pytest.fixture
def small() -> Table:
    """Eight elements: two base, a pair with two results, a self-pair, a final, a gift by size and one by set."""
    return Table(
        name="small",
        elements=("ink", "pen", "line", "dot", "text", "book", "luck", "fame"),
        base=("ink", "pen"),
        results={
            ("ink", "pen"): ("line", "dot"),
            ("line", "line"): ("text",),
            ("dot", "line"): ("text",),
            ("text", "text"): ("book",),
            ("luck", "pen"): ("book",),
        },
        gifts=(Gift(element="luck", size=5), Gift(element="fame", count=2, of=("line", "dot", "text"))),
    )


@pytest.fixture
def strict(small: Table) -> Alchemy:
    """The small world under exact rules."""
    return Alchemy(table=small, rules=RULES["strict"])


@pytest.fixture
def manifest() -> Manifest:
    """A manifest to open run folders with."""
    return Manifest(
        kind="test", config={"seed": 0}, build="b", versions={}, hashes={}, label="arm", created="2026-01-01T00:00:00"
    )


def shared(name: str) -> Path:
    """A sample file beside the project; the test is skipped where it is absent."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"the sample file {name} is not in {SHARED}; ATHANOR_SAMPLES names another folder")
    return path
