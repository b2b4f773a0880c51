"""Compiled layers: in training alone, and the same but for rounding."""

from __future__ import annotations

import shutil
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from athanor.training.compiled import Compiled
from athanor.training.unified.joint import Trainer
from athanor.training.unified.run import begun
from athanor.training.unified.scenes import Scenes
from tests.training.unified.micro import micro


def test_layers_are_compiled_inside_and_nowhere_else(monkeypatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda forward, dynamic: lambda x: forward(x) + 1)
    layer = torch.nn.Identity()
    compiled = Compiled([layer])
    with compiled.on():
        assert layer(torch.tensor(1)) == 2
    assert layer(torch.tensor(1)) == 1
    with pytest.raises(ValueError, match="broken"), compiled.on():
        raise ValueError("broken")
    assert layer(torch.tensor(1)) == 1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++; install it")
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_compiled_steps_are_the_plain_ones_up_to_rounding() -> None:
    unified = begun(micro(), "cpu")
    stage = replace(micro().stages[2], steps=10)
    told = {}
    for compiled in (False, True):
        mine = replace(unified, model=deepcopy(unified.model))
        trainer = Trainer(mine, stage, Scenes(seed=3), 1, compiled=compiled)
        told[compiled] = torch.tensor([list(trainer.step(step).values())[:4] for step in range(3)])
    torch.testing.assert_close(told[True], told[False], rtol=1e-4, atol=1e-5)
