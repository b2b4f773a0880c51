"""The training of a base policy as a folder: begun with a manifest, killed, gone on with, refused, on a full disk."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from athanor.core.errors import StoreError, UsageError
from athanor.environments.points import tokens
from athanor.models.policy.transformer import PolicyConfig
from athanor.training import base_points, checkpoint
from athanor.training.base_points import ROUNDS, Recipe, train

TINY = PolicyConfig(
    vocabulary=tokens.VOCABULARY, width=16, layers=1, heads=2, numbers=tokens.LARGEST + 1, first=tokens.PROMPT - 1,
    turn=tokens.TURN, context=tokens.PROMPT - 1 + ROUNDS * tokens.TURN,
)  # fmt: skip
RECIPE = Recipe(seed=1, steps=4, rows=16, policy=TINY, every=2)


@pytest.fixture(autouse=True)
def unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_points, "score", lambda policy, seed: [("test", 0.0)])


def steps(out: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_base_policy_goes_on_bit_for_bit_and_its_folder_says_what_it_is(tmp_path: Path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(RECIPE, whole)
    with monkeypatch.context() as killed:
        killed.setattr(base_points, "_save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(RECIPE, cut, execution={"command": "athanor train base-points"})
    manifest = json.loads((cut / "manifest.json").read_text())
    assert manifest["config"]["steps"] == 4
    assert manifest["execution"] == {"command": "athanor train base-points"}
    assert manifest["created"]
    train(RECIPE, cut)
    one, other = (checkpoint.read(folder / "model.safetensors").tensors for folder in (whole, cut))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert steps(cut) == steps(whole) == [2, 4]
    with pytest.raises(UsageError, match="rows was 16 and is now 8"):
        train(replace(RECIPE, rows=8), cut)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_is_told_before_the_first_step(tmp_path: Path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(base_points, "_loss", interrupt)
    with pytest.raises(StoreError, match="No space left on device; free some space"):
        train(RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()
