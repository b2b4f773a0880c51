from __future__ import annotations

import subprocess
import sys

import msgspec
import numpy as np
import pytest

from athanor.core.disk import write_atomically
from athanor.core.errors import DataError, UsageError
from athanor.environments.alchemy.worlds import table
from athanor.values import meaning
from athanor.values.arrays import TableArrays
from athanor.values.meaning import Predictions, load, refuse_existing, save
from athanor.values.tables import PairValues


@pytest.fixture
def found(small) -> Predictions:
    world = TableArrays(small)
    values = np.arange(len(world.recipe), dtype=np.float64) / 7
    rows = np.arange(1.0, len(world.results.items) + 1)
    elements = {"empowerment": np.arange(world.n, dtype=np.float64)}
    return Predictions(PairValues(world, {"success": values}), elements, rows, 1 / rows)


def test_predictions_are_read_as_they_were_written(tmp_path, found, manifest):
    save(tmp_path / "out", found, manifest)
    again, stored = load(tmp_path / "out", found.world)
    assert (again.pairs.values["success"] == found.pairs.values["success"]).all()
    assert (again.elements["empowerment"] == found.elements["empowerment"]).all()
    assert (again.rank == found.rank).all()
    assert (again.chance == found.chance).all()
    assert stored.hashes["table"] == found.world.table.digest
    assert stored.kind == "train empowerment"


def test_another_table_is_refused(tmp_path, found, manifest):
    save(tmp_path / "out", found, manifest)
    with pytest.raises(DataError, match="pass the table it was made on"):
        load(tmp_path / "out", TableArrays(table("atelier")))


@pytest.mark.parametrize("name", meaning.FILES)
def test_a_changed_torn_or_missing_file_is_refused(tmp_path, found, manifest, name):
    save(tmp_path / "out", found, manifest)
    path = tmp_path / "out" / f"{name}.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(DataError, match="is not what its manifest says"):
        load(tmp_path / "out", found.world)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "out", found.world)


def test_what_was_interrupted_does_not_read_as_whole_and_is_written_anew(tmp_path, found, manifest, monkeypatch):
    out, written = tmp_path / "out", []

    def dies(path, data):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write_atomically(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(meaning, "write_atomically", dies)
        with pytest.raises(KeyboardInterrupt):
            save(out, found, manifest)
    with pytest.raises(UsageError, match="finished was expected"):
        load(out, found.world)
    refuse_existing(out)
    save(out, found, manifest)
    load(out, found.world)
    with pytest.raises(UsageError, match="already holds something"):
        refuse_existing(out)


def test_a_manifest_of_something_else_is_refused(tmp_path, found, manifest):
    save(tmp_path / "out", found, manifest)
    (tmp_path / "out" / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(UsageError, match="is of a 'test'"):
        load(tmp_path / "out", found.world)
    (tmp_path / "out" / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match="is not a manifest"):
        load(tmp_path / "out", found.world)


def test_reading_them_needs_no_model_library():
    program = "import sys, athanor.values.meaning, athanor.analysis.meaning; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
