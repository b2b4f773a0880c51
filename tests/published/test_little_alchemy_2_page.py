"""docs/little-alchemy-2.md says what the program gives."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from athanor.analysis.arms import BASELINES
from athanor.environments.alchemy import worlds
from athanor.studies.playing import alchemy as playing
from tests.analysis.small import HAND, baselines, run, script
from tests.conftest import shared

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "benchmarks" / "little_alchemy_2.py"))


def rows(text: str) -> dict[str, str]:
    """The rows of the baselines, each under its rules."""
    found, rules = {}, ""
    for line in text.splitlines():
        rules = line if line.startswith("Under `") else rules
        agent = line.removeprefix("| ").partition(" |")[0]
        if agent in BASELINES:
            found[f"{rules} {agent}"] = line.rstrip(" |–")  # a page with a model's rows has columns of its own
    return found


@pytest.mark.slow
def test_the_baseline_rows_of_the_page_are_those_of_a_rerun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = shared("little-alchemy-2-official.json")
    monkeypatch.setattr(worlds, "data_folder", lambda: tmp_path / "data")
    worlds.store("little-alchemy-2", source.read_bytes(), str(source))
    paths = []
    for rules in ("strict", "pan2025"):
        for agent in BASELINES:
            paths.append(tmp_path / f"{rules}-{agent}")
            config = playing.Config(
                table="little-alchemy-2", rules=rules, agent=agent, episodes=100, turns=100, seed=1, out=paths[-1]
            )
            playing.play(config)
    page = (ROOT / "docs" / "little-alchemy-2.md").read_text(encoding="utf-8")
    again = rows(SCRIPT["tables"](paths))
    assert len(again) == 8
    assert rows(page) == again


def test_the_tables_have_a_row_for_each_arm_and_are_put_between_the_pages_markers(tmp_path: Path) -> None:
    paths = [run(tmp_path / "m", script(HAND, HAND), episodes=2, label="model"), *baselines(tmp_path / "b")]
    text = SCRIPT["tables"](paths)
    assert "| model | 2 | 6.0 unknown | 2.0 unknown | 33.3% [" in text
    assert set(rows(text)) == {"Under `strict`: random", "Under `strict`: random-never-repeat"}
    page = tmp_path / "page.md"
    page.write_text(f"before\n{SCRIPT['BEGIN']}\nold\n{SCRIPT['END']}\nafter\n")
    SCRIPT["put"](page, text)
    assert page.read_text().startswith(f"before\n{SCRIPT['BEGIN']}\n\nUnder")
    assert page.read_text().endswith(f"{SCRIPT['END']}\nafter\n")
    assert "old" not in page.read_text()
