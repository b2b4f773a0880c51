"""What the reference code does by accident and this project cannot: read off the source, or tried on small play.

The index that says which test is for which defect is `test_reference_defects.py`.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

import athanor
from athanor.agents.language import Memory
from athanor.analysis import glmm
from athanor.analysis.behaviour import behaviour
from athanor.analysis.groups import Reading, groups_of, read
from athanor.analysis.logs import read_logs
from athanor.analysis.random_players import is_random
from athanor.analysis.traces import traces_of_run
from athanor.analysis.weights import Options
from athanor.core.errors import DataError, UsageError
from athanor.core.records import Sampling
from athanor.environments.alchemy import Alchemy
from athanor.environments.alchemy.loaders import to_own
from athanor.models.backends.llamacpp import request_of
from athanor.studies.think_too_fast.published import PUBLISHED
from athanor.values.tables import PairValues
from tests.agents.test_language import Remembers, played
from tests.analysis.logs.forms import CONFIG, CSV, STRICT, WORLD, trial, written
from tests.analysis.small import TABLE
from tests.analysis.traces.small import thinking
from tests.models.asking import ASKED

SOURCE = Path(athanor.__file__).parent
ROOT = SOURCE.parents[1]
FILES = sorted(SOURCE.rglob("*.py"))
NAMES = [str(path.relative_to(SOURCE)) for path in FILES]
N = TypeVar("N", bound=ast.AST)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text())))


def every(kind: type[N]) -> Iterator[tuple[N, str]]:
    """Every node of a kind in the source, and where it is."""
    for path in FILES:
        for node in nodes(path):
            if isinstance(node, kind):
                yield node, f"{path.relative_to(SOURCE)}, line {getattr(node, 'lineno', 0)}"


def test_no_file_names_a_machines_folder_or_changes_to_one():
    for path in FILES:
        assert not re.search(r"chdir|sys\.path|/home/|[A-Z]:\\\\", path.read_text()), path


def test_no_key_is_written_into_the_source():
    for path in FILES:
        assert not re.search(r"""["'](sk|hf|ghp|AIza|gsk)[-_][\w-]{10,}""", path.read_text()), path
    for node, where in every(ast.keyword):
        if node.arg in ("api_key", "token", "password"):
            assert not (isinstance(node.value, ast.Constant) and node.value.value), where


HOSTS = {"lmms_eval": "adapters/lmms_eval/models/", "vlmeval": "adapters/vlmevalkit.py"}
"""Programs that load a part of ours as a plug-in, where only they can: none of our dependencies."""


@pytest.mark.slow
def test_importing_every_module_does_nothing_to_the_folder_the_environment_or_the_generators(tmp_path: Path):
    modules = [".".join(("athanor", *Path(name).with_suffix("").parts)).removesuffix(".__init__")
               for name in NAMES if not str(name).startswith(tuple(HOSTS.values()))]  # fmt: skip
    program = (
        "import os, sys, random, importlib, numpy, torch.distributed.tensor\n"
        "from transformers import TrainerCallback  # which names a folder of torch's own in the environment\n"
        "from trl import GRPOTrainer  # which draws a number\n"
        "before = os.getcwd(), dict(os.environ), random.getstate(), numpy.random.get_state()[1].tolist()\n"
        f"[importlib.import_module(name) for name in {[m for m in modules if not m.endswith('__main__')]!r}]\n"
        "after = os.getcwd(), dict(os.environ), random.getstate(), numpy.random.get_state()[1].tolist()\n"
        "print([a == b for a, b in zip(before, after)])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.stdout.strip() == "[True, True, True, True]", ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_failure_is_caught_and_passed_over_in_silence():
    """Whatever catches everything does something with it; and only what is named is let go."""
    for node, where in every(ast.ExceptHandler):
        anything = node.type is None or (isinstance(node.type, ast.Name) and node.type.id.endswith("Exception"))
        assert not (anything and all(isinstance(step, ast.Pass | ast.Continue) for step in node.body)), where


def test_nothing_is_compared_with_true_or_false_by_identity():
    """A method that was not called is neither, so that such a comparison is never met and nobody is told."""
    for node, where in every(ast.Compare):
        assert not any(isinstance(side, ast.Constant) and isinstance(side.value, bool) for side in node.comparators), (
            where
        )


def test_a_class_with_a_hash_of_its_own_says_when_two_are_equal():
    for node, where in every(ast.ClassDef):
        own = {step.name for step in node.body if isinstance(step, ast.FunctionDef)}
        assert "__hash__" not in own or "__eq__" in own, where


def test_every_folder_of_the_source_is_a_package_and_no_name_has_a_blank():
    folders = {path.parent for path in FILES}
    assert all((folder / "__init__.py").exists() for folder in folders)
    assert not [path for path in SOURCE.rglob("*") if " " in path.name]


def test_every_package_that_the_source_imports_is_declared_and_every_pin_is_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    declared = {re.split(r"[\[>=<~!]", name)[0].lower().replace("-", "_") for name in wanted}
    imported = {alias.name.split(".")[0] for node, _ in every(ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node, _ in every(ast.ImportFrom)}
    made_by = packages_distributions()
    for name in imported - sys.stdlib_module_names - {"athanor", *HOSTS}:
        known = {made.lower().replace("-", "_") for made in made_by.get(name, [name])}
        assert known & declared, f"{name} is imported and not declared"
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+!]+", line)] == []


def test_what_is_made_in_passing_is_kept_out_of_the_repository():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"__pycache__/", "runs/", ".venv/"} <= set(ignored)
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False).stdout
    assert not re.search(r"__pycache__|\.pyc$|\.Rhistory|\.DS_Store", listed, re.MULTILINE)


def test_a_published_number_is_typed_in_one_place_alone():
    """Figures and tables are made from estimates, so no other file needs to hold one."""
    digits = {abs(one.value) for one in PUBLISHED if len(str(one.value).replace(".", "").strip("-0")) > 3}
    assert len(digits) > 50
    for node, where in every(ast.Constant):
        if isinstance(node.value, float) and "published.py" not in where:
            assert node.value not in digits, where


def test_the_numbers_of_a_run_are_taken_from_the_run_and_not_from_the_source(tmp_path: Path):
    """Players of every kind, with and without a temperature, condition or model, are analysed beside one another."""
    (tmp_path / "tiny.json").write_bytes(to_own(TABLE))
    good = {str(t): trial(*("water", "fire", "earth")[t % 2 : t % 2 + 2]) for t in range(4)}
    files = {
        "people.csv": CSV,
        "gpt.json": {"gpt": {"1": {t: {**record, "config": CONFIG} for t, record in good.items()}}},
        "o1.json": {"o1": {"1": {"results": good, "config": {"model": "o1"}}}},
        "reasoning.json": {"r1": {"1": {t: {**record, "reason": "hm"} for t, record in good.items()}}},
        "ablated.json": {"0.5": {"0": {"results": good}}},
    }
    paths = [written(tmp_path / name, content) for name, content in files.items()]
    reading = Reading(seed=0, table=str(tmp_path / "tiny.json"), rules="strict", allow=1)
    (together,) = read(paths, reading)
    groups = groups_of(together, PairValues.true(together.world), reading)
    assert [one.name for one in groups] == ["human", "gpt, T=0.7", "o1", "r1", "factor 0.5"]
    found, _ = behaviour("survival", groups, PairValues.true(together.world), Options(seed=0))
    assert {one.group for one in found if not is_random(one.group)} == {one.name for one in groups}


def test_a_model_at_two_temperatures_is_two_groups_that_nothing_pools(tmp_path: Path):
    runs = {str(n): {"0": trial("water", "fire", config=CONFIG | {"temperature": t})} for n, t in enumerate((0, 0, 1))}
    logs = read_logs(written(tmp_path / "gpt.json", {"gpt": runs}), WORLD, STRICT, allow=1)
    assert logs.players["group"].to_pylist() == ["gpt, T=0", "gpt, T=0", "gpt, T=1"]


def test_an_answer_that_is_no_pair_is_invalid_and_a_trial_without_a_record_is_a_gap(tmp_path: Path):
    pairs = {"0": ("water", "fire"), "1": ("water", "volcano"), "2": ("water", ""), "4": ("mud", "fire")}
    trials = {number: trial(*pair) for number, pair in pairs.items()}
    logs = read_logs(written(tmp_path / "gpt.json", {"gpt": {"1": trials}}), WORLD, STRICT, allow=1)
    assert {one.cause: one.count for one in logs.excluded} == {"gap": 1, "unknown": 2, "unowned": 1}


def test_a_setting_of_sampling_reaches_the_model():
    sampling = Sampling(max_tokens=9, temperature=0.5, top_p=0.25, seed=3, top_logprobs=2)
    asked = request_of(ASKED, sampling, 0)
    assert {name: asked[name] for name in ("max_tokens", "temperature", "top_p", "seed", "top_logprobs")} == {
        "max_tokens": 9, "temperature": 0.5, "top_p": 0.25, "seed": 3, "top_logprobs": 2,
    }  # fmt: skip


def test_a_value_or_column_that_is_not_there_is_refused_and_no_beginning_of_a_name_stands_for_it():
    columns = {"decision": [0.0, 1.0] * 8, "delta_binary": [0.1 * t for t in range(16)], "player": [0, 1, 2, 3] * 4}
    with pytest.raises(UsageError, match="names delta_bin, which the data do not have"):
        glmm.fit("decision ~ -1 + delta_bin + (1 | player)", columns)
    with pytest.raises(DataError, match="finite"):
        PairValues.true(WORLD).with_values(empowerment=np.full(len(WORLD.recipe), np.nan))


def test_traces_of_every_turn_are_read_whatever_its_number(tmp_path: Path):
    traces = traces_of_run(thinking(tmp_path / "run", turns=170))
    assert [passage.turn for passage in traces.passages if passage.episode == "0000"] == list(range(170))


def test_a_model_is_shown_the_latest_turns_that_made_something_and_the_latest_that_did_not(strict: Alchemy):
    replies = ("ink + pen", "ink + ink", "line + line", "pen + pen", "dot + line", "dot + dot", "text + text")
    backend = Remembers(*replies)
    played(strict, backend, turns=8, memory=Memory(kind="window", window=4))
    last = " ".join(message.text for message in backend.asked[-1][2:])
    assert all(said in last for said in replies[4:7])
    assert not any(said in last for said in replies[:2])


def test_equal_tasks_are_equal_and_no_two_of_a_split_are(strict: Alchemy):
    tasks = list(strict.tasks("train", 0))
    assert tasks == list(strict.tasks("train", 0))
    assert len({json.dumps(task.content, sort_keys=True) for task in tasks}) == len(tasks)
