"""A folder imports only from folders above it, and the light ones load no model library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import athanor

ROOT = Path(athanor.__file__).parent
LAYERS = (
    "core", "environments", "values", "models", "agents", "training", "analysis", "evals", "interpretability",
    "studies", "reports", "adapters", "commands", "cli", "__main__",
)  # fmt: skip
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem != "__init__")


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "athanor"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_its_layer_or_above(path: Path):
    assert layer(path) in LAYERS
    for name in imports(path):
        if name.count("."):
            assert LAYERS.index(name.split(".")[1]) <= LAYERS.index(layer(path)), f"{path} imports {name}"


def test_every_folder_is_a_layer_and_adapters_are_leaves():
    assert {layer(path) for path in FILES} <= set(LAYERS)
    adapted = [path for path in FILES if any(name.startswith("athanor.adapters") for name in imports(path))]
    assert {layer(path) for path in adapted} <= {"adapters", "commands"}


@pytest.mark.parametrize("module", ["core.play", "core.store", "environments.alchemy.worlds", "agents.registry", "cli"])
def test_the_light_core_loads_no_model_library(module: str):
    program = f"import sys, athanor.{module}; print([m for m in ('torch', 'xllamacpp', 'openai') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 80, f"{path}: {node.name}"
