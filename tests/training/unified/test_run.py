"""A training as a folder: killed and gone on with it is the same, and its model can be used."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import torch

from athanor.models.unified.checkpoints import read
from athanor.models.unified.drawing import Drawing, draw
from athanor.training.unified import run
from athanor.training.unified.run import CARD, LOG, MODEL, train
from athanor.training.unified.scores import answered, drawn, reconstructed
from tests.training.unified.micro import micro


class Killed(Exception):
    """What stands for the end of the process."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    train(micro(), out)
    return out


def test_a_training_ends_with_a_model_that_draws_and_a_card(whole: Path) -> None:
    unified = read(whole / MODEL)
    pixels = draw(unified, ["a photo of a star"], how=Drawing(guidance=1)).pixels
    assert pixels.shape == (1, 1, 3, 48, 48)
    card = json.loads((whole / MODEL / CARD).read_bytes())
    assert {one["of"] for one in card["scores"]} == {"drawn", "answered", "reconstructed"}
    assert card["recipe"]["seed"] == 1


def test_the_card_s_scores_are_those_of_the_model_as_it_is_written(whole: Path) -> None:
    card = json.loads((whole / MODEL / CARD).read_bytes())
    unified, final = read(whole / MODEL), micro().final
    again = [*reconstructed(unified, final), *drawn(unified, final), *answered(unified, final)]
    assert json.loads(msgspec.json.encode(again)) == card["scores"]


def lines(out: Path) -> list[dict]:
    clocks = ("cpu_seconds", "step_seconds", "teaching_seconds", "tokens_per_second")
    return [
        {name: value for name, value in json.loads(line).items() if name not in clocks}
        for line in (out / LOG).read_text().splitlines()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 4, 7, 10])
def test_gone_on_with_after_being_killed_it_is_the_same_bit_for_bit(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    kept, save = [], run._save

    def saved(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        kept.append(1)
        if len(kept) == after:
            raise Killed

    monkeypatch.setattr(run, "_save", saved)
    with pytest.raises(Killed):
        train(micro(), tmp_path)
    monkeypatch.undo()
    train(micro(), tmp_path)
    mine, theirs = read(tmp_path / MODEL), read(whole / MODEL)
    for name, weight in mine.model.state_dict().items():
        assert torch.equal(weight, theirs.model.state_dict()[name]), name
    assert lines(tmp_path) == lines(whole)
