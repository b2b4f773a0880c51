"""What the documents show is what the program does: every Python snippet runs, every command line is understood."""

from __future__ import annotations

import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tyro

from athanor.analysis.logs import read_logs
from athanor.cli import COMMANDS
from athanor.core.errors import DataError
from athanor.core.store import Manifest
from athanor.environments.alchemy import RULES, worlds
from athanor.values.arrays import TableArrays, pair_number
from athanor.values.meaning import Predictions, save
from athanor.values.tables import PairValues
from tests.analysis.traces.small import Puppet, into, passage

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("src/**/README.md"))
]  # fmt: skip
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
GAME = "little-alchemy-2"


def fenced(path: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(path.read_text(encoding="utf-8")) if kind == language]


def people(folder: Path, world: TableArrays) -> None:
    """Logs of two people who combine what they begin with."""
    pairs = [(world.table.index[a], world.table.index[b]) for a in world.table.base[:2] for b in world.table.base[:2]]
    made = [(a, b, int(world.recipe[pair_number(np.array([a]), np.array([b]))[0]] >= 0)) for a, b in pairs]
    rows = [f"p{who},{trial},4,{a},{b},{flag},-1" for who in (1, 2) for trial, (a, b, flag) in enumerate(made)]
    (folder / "alchemy2HumanData.csv").write_text("\n".join(["id,trial,inventory,first,second,success,results", *rows]))


def predictions(folder: Path, world: TableArrays) -> None:
    """Predicted values that are all 0."""
    pairs = PairValues(world, {"empowerment": np.zeros(len(world.recipe))})
    rows = np.ones(len(world.results.items))
    manifest = Manifest(
        kind="train empowerment", config={}, build="b", versions={}, hashes={}, label="l", created="2026-01-01T00:00:00"
    )
    save(folder / "OUT", Predictions(pairs, {"empowerment": np.zeros(world.n)}, rows, rows), manifest)


def labels(folder: Path, world: TableArrays) -> None:
    """The same passages labelled twice."""
    (folder / "LABELS").mkdir()
    for path in (folder / "LABELS" / "labels.jsonl", folder / "mine.jsonl"):
        into(path, Puppet(), [passage(5, key=f"p{n}", episode=f"e{n}") for n in range(4)])


NEEDED = {"logs.md": people, "empowerment.md": predictions, "traces.md": labels}
"""What a document takes for granted, made small."""


@pytest.mark.parametrize(
    "path", [p for p in DOCUMENTS if fenced(p, "python") and p.name != "README.md"], ids=lambda p: p.name
)
def test_the_snippets_of_a_document_run_one_after_the_other(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """In a folder with what the document takes for granted, and with an opaque world in the place of the game's own."""
    real = worlds.table
    monkeypatch.setattr(worlds, "table", lambda name: real("generated:opaque:1" if name == GAME else name))
    monkeypatch.chdir(tmp_path)
    if path.name in NEEDED:
        NEEDED[path.name](tmp_path, TableArrays(worlds.table(GAME)))
    known: dict[str, object] = {}
    for number, text in enumerate(fenced(path, "python"), 1):
        exec(compile(text, f"{path.name}, snippet {number}", "exec"), known)


def test_the_published_json_is_read_as_its_document_says(tmp_path: Path):
    (text,) = fenced(ROOT / "docs" / "logs.md", "json")
    said = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8").partition("Read on the table `atelier`")[2]
    (tmp_path / "logs.json").write_text(text)
    world, rules = TableArrays(worlds.table("atelier")), RULES["strict"]
    with pytest.raises(DataError, match=r"1 of 4 turns \(25\.0%\) would be excluded[\s\S]*--allow-excluded 0\.25"):
        read_logs(tmp_path / "logs.json", world, rules)
    logs = read_logs(tmp_path / "logs.json", world, rules, allow=0.25)
    assert "these are three turns of the player `gpt-4o/1` in the group `gpt-4o, T=0.7`, and a gap" in " ".join(
        said.split()
    )
    assert (logs.form, logs.turns.num_rows) == ("pan2025", 3)
    assert logs.turns["first_name"].to_pylist() == ["tone", "string", "line"]
    assert [(one["id"], one["group"], one["played"]) for one in logs.players.to_pylist()] == [
        ("gpt-4o/1", "gpt-4o, T=0.7", 4)
    ]
    assert [(one.cause, one.count) for one in logs.excluded] == [("gap", 1)]
    runs = json.loads(text)["gpt-4o"]["1"]
    config = runs["0"].pop("config")
    (tmp_path / "beside.json").write_text(json.dumps({"gpt-4o": {"1": {"config": config, "results": runs}}}))
    beside = read_logs(tmp_path / "beside.json", world, rules, allow=0.25)
    assert (beside.turns, beside.players) == (logs.turns, logs.players)


def test_the_snippet_of_the_readme_is_the_end_of_an_example_that_runs():
    (text,) = fenced(ROOT / "README.md", "python")
    assert (ROOT / "examples" / "ten_lines.py").read_text().endswith(text)


def lines() -> list[str]:
    """Every command line of the documents, without its comment."""
    found = [
        line.partition(" # ")[0].strip()
        for path in DOCUMENTS if path.name not in ("LOG.md", "CHANGELOG.md")
        for text in fenced(path, "") for line in text.replace("\\\n", " ").splitlines()
    ]  # fmt: skip
    return [line for line in dict.fromkeys(found) if line.startswith("athanor ")]


@pytest.mark.parametrize("line", lines())
def test_a_command_line_of_a_document_is_understood(line: str):
    words = shlex.split(line.replace("...", ""))[1:]
    name = next(name for name in COMMANDS if words[: len(name.split())] == name.split())
    module = import_module(f"athanor.commands.{COMMANDS[name]}")
    tyro.cli(module.Config, args=words[len(name.split()) :], config=(tyro.conf.FlagCreatePairsOff,))
