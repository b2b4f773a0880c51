"""A study whose scores are made up, for every test of what follows from scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from athanor.studies.see_and_draw.findings import Found, find
from athanor.studies.see_and_draw.study import Asked, prepare
from tests.studies import trials_made_up

ASKED = Asked(setting="smoke", seed=1, processes=1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a study of seeing and drawing, of all arms with made-up scores."""
    out = tmp_path_factory.mktemp("made-up") / "out"
    prepare(ASKED, out)
    with pytest.MonkeyPatch.context() as monkeypatch:
        trials_made_up.study(out, monkeypatch)
    return out


@pytest.fixture(scope="session")
def found(folder: Path) -> Found:
    """What follows from it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        trials_made_up.whole(monkeypatch)
        return find(ASKED, folder)
